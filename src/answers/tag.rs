//! The company's customer tags: a reading names all of them, so what it does not name is deleted.

use chrono::{DateTime, Utc};

use crate::{
    changes::{Changes, TagList, company::CorpTag},
    ids::CorpId,
    states::TagKind,
    wecom::tag::Tags,
};

/// Applies the list of tags that WeCom returned at `read_at`. A list with a row that could not be read changes nothing: the
/// tag that it is about would count as deleted.
pub fn learn(changes: &mut Changes, corpid: &CorpId, listed: &Tags, read_at: DateTime<Utc>) {
    if !listed.unreadable.is_empty() {
        return;
    }
    let mut tags = Vec::new();
    for group in &listed.groups {
        let group_id = Some(group.id.clone()).filter(|it| !it.is_empty());
        tags.extend(group_id.clone().map(|id| CorpTag {
            id,
            kind: TagKind::TagGroup,
            group_id: None,
            name: group.name.clone(),
            position: group.order,
        }));
        tags.extend(group.tags.iter().map(|it| CorpTag {
            id: it.id.clone(),
            kind: TagKind::Tag,
            group_id: group_id.clone(),
            name: it.name.clone(),
            position: it.order,
        }));
    }
    changes.tag_lists.insert(corpid.clone(), TagList { read_at, tags });
}
