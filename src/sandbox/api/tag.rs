//! The company's customer tags, by group.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::Refusal;
use crate::sandbox::world::{Credential, World};

pub(super) fn get_corp_tag_list(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let wanted = ask.fields().texts("tag_id")?.unwrap_or_default();
    let is_wanted = |id: &str| wanted.is_empty() || wanted.contains(&id);
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    for tag in world.tags.iter().filter(|tag| is_wanted(&tag.id)) {
        let shown = json!({ "id": tag.id, "name": tag.name, "order": 1 });
        match groups.iter_mut().find(|(name, _)| *name == tag.group) {
            Some((_, tags)) => tags.push(shown),
            None => groups.push((tag.group, vec![shown])),
        }
    }
    let groups: Vec<_> =
        groups.into_iter().map(|(name, tags)| json!({ "group_name": name, "order": 1, "tag": tags })).collect();
    Ok(Answer::of(json!({ "tag_group": groups })))
}
