//! The company's customer tags. An administrator changes them; WeCom then reports the tag or the group, never what follows.

use super::World;
use super::error::ChangeError;
use crate::sandbox::day::wire::event;
use crate::sandbox::push::{AppKind, Push};

/// A customer tag (企业标签).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// `et…`.
    pub id: String,
    /// The group it is in.
    pub group: &'static str,
    /// What it is called.
    pub name: &'static str,
}

/// The id of a group of tags: `et` and the bytes of its name.
pub(in crate::sandbox) fn group_id(name: &str) -> String {
    format!("et{}", hex::encode(name))
}

impl World {
    /// The customer tags.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// An administrator renames a tag.
    pub(in crate::sandbox) fn rename_tag(&mut self, id: &str, name: &'static str) -> Result<Push, ChangeError> {
        let tag = self.tags.iter_mut().find(|it| it.id == id).ok_or(ChangeError::NoTag)?;
        tag.name = name;
        Ok(self.tag_said("update", "tag", id))
    }

    /// An administrator deletes a group of tags. Its tags go with it, and customers lose them, without further callbacks.
    pub(in crate::sandbox) fn delete_tags(&mut self, group: &str) -> Result<Push, ChangeError> {
        let gone: Vec<_> = self.tags.iter().filter(|it| it.group == group).map(|it| it.id.clone()).collect();
        if gone.is_empty() {
            return Err(ChangeError::NoTag);
        }
        self.tags.retain(|it| it.group != group);
        self.contacts.lose_tags(&gone);
        Ok(self.tag_said("delete", "tag_group", &group_id(group)))
    }

    fn tag_said(&self, change: &str, kind: &str, id: &str) -> Push {
        let said = event(&self.corpid, self.now(), "change_external_tag");
        let said = said.cdata("Id", id).cdata("TagType", kind).cdata("ChangeType", change);
        Push::genuine(AppKind::App, said.document())
    }
}
