//! Groups of members and customers: `change_external_chat`.
//!
//! Input is the plaintext's document. These events may be lost or arrive out of order; the versions show it.

use super::Event;
use super::fields::{filled, number, wrapped};
use crate::document::Element;

/// A group that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChanged {
    /// Its chat id.
    pub chat_id: Option<String>,
    /// What happened to it.
    pub change: GroupChange,
}

/// What happened to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// It was created.
    Created,
    /// It was dissolved.
    Dismissed,
    /// Something in it changed.
    Updated(GroupUpdate),
}

/// What changed in a group. Payloads from before November 2023 have only `detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupUpdate {
    /// Which part changed.
    pub detail: UpdateDetail,
    /// How people joined: 0 invited, 3 by the group's code; other numbers were seen.
    pub join_scene: Option<i32>,
    /// How people left: 0 by themselves, 1 removed.
    pub quit_scene: Option<i32>,
    /// How many joined or left.
    pub count: Option<u32>,
    /// The people who joined or left; members and customers are not told apart.
    pub people: Vec<String>,
    /// The version of the member list before this change.
    pub last_version: Option<String>,
    /// The version after it.
    pub current_version: Option<String>,
}

/// Which part of a group changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateDetail {
    /// People joined.
    MembersAdded,
    /// People left.
    MembersRemoved,
    /// Its owner changed.
    OwnerChanged,
    /// Its name changed.
    NameChanged,
    /// Its notice changed.
    NoticeChanged,
    /// Any other word; empty if WeCom gave none.
    Other(String),
}

pub(super) fn read(change: &str, doc: &Element) -> Option<Event> {
    let change = match change {
        "create" => GroupChange::Created,
        "dismiss" => GroupChange::Dismissed,
        "update" => GroupChange::Updated(update(doc)),
        _ => return None,
    };
    Some(Event::Group(GroupChanged { chat_id: filled(doc, "ChatId"), change }))
}

fn update(doc: &Element) -> GroupUpdate {
    GroupUpdate {
        detail: match doc.text_of("UpdateDetail").unwrap_or_default() {
            "add_member" => UpdateDetail::MembersAdded,
            "del_member" => UpdateDetail::MembersRemoved,
            "change_owner" => UpdateDetail::OwnerChanged,
            "change_name" => UpdateDetail::NameChanged,
            "change_notice" => UpdateDetail::NoticeChanged,
            other => UpdateDetail::Other(other.to_owned()),
        },
        join_scene: number(doc, "JoinScene"),
        quit_scene: number(doc, "QuitScene"),
        count: number(doc, "MemChangeCnt"),
        people: wrapped(doc, "MemChangeList", "Item"),
        last_version: filled(doc, "LastMemVer"),
        current_version: filled(doc, "CurMemVer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_new_group_member_is_read_as_a_list() {
        let text = "<xml><UpdateDetail>add_member</UpdateDetail><JoinScene/><MemChangeCnt><![CDATA[1]]></MemChangeCnt>\
                    <MemChangeList>\n<Item>\n<![CDATA[woEXAMPLE1]]>\n</Item><Item/></MemChangeList></xml>";
        let update = update(&Element::parse(text).expect("a document"));
        assert_eq!((update.detail, update.join_scene, update.count), (UpdateDetail::MembersAdded, None, Some(1)));
        assert_eq!(update.people, ["woEXAMPLE1"]);
    }
}
