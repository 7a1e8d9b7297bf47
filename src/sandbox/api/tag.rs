//! The company's customer tags, by group.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::Refusal;
use crate::sandbox::world::{Credential, World, group_id};

/// When the tags were made, in seconds since 1970.
const CREATED_AT: i64 = 1_735_689_600;

pub(super) fn get_corp_tag_list(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let wanted = ask.fields().texts("tag_id")?.unwrap_or_default();
    let is_wanted = |id: &str| wanted.is_empty() || wanted.contains(&id);
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    for (place, tag) in world.tags.iter().enumerate().filter(|(_, tag)| is_wanted(&tag.id)) {
        let shown = json!({
            "id": tag.id, "name": tag.name, "create_time": CREATED_AT, "order": world.tags.len() - place,
        });
        match groups.iter_mut().find(|(name, _)| *name == tag.group) {
            Some((_, tags)) => tags.push(shown),
            None => groups.push((tag.group, vec![shown])),
        }
    }
    let count = groups.len();
    let described = |(place, (name, tags)): (usize, (&str, Vec<Value>))| {
        json!({
            "group_id": group_id(name), "group_name": name, "create_time": CREATED_AT, "order": count - place,
            "tag": tags,
        })
    };
    let groups: Vec<_> = groups.into_iter().enumerate().map(described).collect();
    Ok(Answer::of(json!({ "tag_group": groups })))
}
