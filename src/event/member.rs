//! Members of the company: the directory's `create_user`, `update_user`, `delete_user`, and an app's range.
//!
//! Input is the plaintext's document. An update has only the changed fields: an absent field is `None`, a cleared one
//! is present and empty. Newer directory URLs receive only ids and departments, so an event without a name does not
//! say that the name stayed.

use super::fields::{commas, filled, given, needed_sender, needed_user, number, user};
use super::{Event, ParseError};
use crate::document::Element;
use crate::ids::UserId;

/// A member who joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The member.
    pub user: UserId,
    /// The fields in the event.
    pub fields: MemberFields,
}

/// A member who changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberUpdated {
    /// The userid before this event.
    pub user: UserId,
    /// The userid after this event, if it changed. It changes at most once in a member's life.
    pub new_user: Option<UserId>,
    /// The changed fields.
    pub fields: MemberFields,
}

/// A member's fields in an event: `None` is unchanged or withheld, empty is cleared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberFields {
    /// The member's name; a provider's app gets the userid here again.
    pub name: Option<String>,
    /// Another name.
    pub alias: Option<String>,
    /// A name in Latin letters, in older payloads.
    pub english_name: Option<String>,
    /// The picture's URL.
    pub avatar: Option<String>,
    /// Ids of the departments that the app may see.
    pub department: Option<Vec<String>>,
    /// The main one's id.
    pub main_department: Option<String>,
    /// `1` where the member leads, aligned with `department`.
    pub is_leader_in_dept: Option<Vec<String>>,
    /// Whom the member reports to.
    pub direct_leader: Option<Vec<String>>,
    /// The job's title.
    pub position: Option<String>,
    /// 1 active, 2 disabled, 4 not yet activated, 5 left.
    pub status: Option<i32>,
    /// 0 unknown or withheld, 1 male, 2 female.
    pub gender: Option<i32>,
    /// The mobile number.
    pub mobile: Option<String>,
    /// The landline number.
    pub telephone: Option<String>,
    /// The mail address.
    pub email: Option<String>,
    /// The company's own mail address.
    pub biz_mail: Option<String>,
    /// The postal address.
    pub address: Option<String>,
    /// The id that is the same for every provider.
    pub open_userid: Option<String>,
    /// Fields that the company defined itself.
    pub attributes: Option<Vec<Attribute>>,
}

/// A field that the company defined itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: AttributeValue,
}

/// What a field of the company's own holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Words.
    Text(String),
    /// A link.
    Web {
        /// What it shows.
        title: String,
        /// Where it leads.
        url: String,
    },
}

pub(super) fn read(change: &str, doc: &Element) -> Result<Option<Event>, ParseError> {
    Ok(Some(match change {
        "create_user" => Event::MemberCreated(Member { user: needed_user(doc)?, fields: fields(doc) }),
        "update_user" => {
            let old = needed_user(doc)?;
            let new_user = user(doc, "NewUserID").filter(|new| *new != old);
            Event::MemberUpdated(MemberUpdated { user: old, new_user, fields: fields(doc) })
        }
        "delete_user" => Event::MemberDeleted { user: needed_user(doc)? },
        _ => return Ok(None),
    }))
}

/// `subscribe` and `unsubscribe` of an app. The words mean something else in a school's directory.
pub(super) fn read_range(event: &str, doc: &Element) -> Result<Option<Event>, ParseError> {
    let user = needed_sender(doc)?;
    Ok(match event {
        "subscribe" => Some(Event::MemberSubscribed { user }),
        "unsubscribe" => Some(Event::MemberUnsubscribed { user }),
        _ => None,
    })
}

fn fields(doc: &Element) -> MemberFields {
    MemberFields {
        name: given(doc, "Name"),
        alias: given(doc, "Alias"),
        english_name: given(doc, "EnglishName"),
        avatar: given(doc, "Avatar"),
        department: commas(doc, "Department"),
        main_department: given(doc, "MainDepartment"),
        is_leader_in_dept: commas(doc, "IsLeaderInDept"),
        direct_leader: commas(doc, "DirectLeader"),
        position: given(doc, "Position"),
        status: number(doc, "Status"),
        gender: number(doc, "Gender"),
        mobile: given(doc, "Mobile"),
        telephone: given(doc, "Telephone"),
        email: given(doc, "Email"),
        biz_mail: given(doc, "BizMail"),
        address: given(doc, "Address"),
        open_userid: filled(doc, "OpenUserID"),
        attributes: doc.child("ExtAttr").map(|list| list.all("Item").map(attribute).collect()),
    }
}

fn attribute(item: &Element) -> Attribute {
    let inside = |kind, name| item.child(kind).and_then(|value| given(value, name));
    let value = match inside("Web", "Url") {
        Some(url) => AttributeValue::Web { title: inside("Web", "Title").unwrap_or_default(), url },
        // Some payloads repeat the value, or have it only, directly under the item.
        None => AttributeValue::Text(inside("Text", "Value").or_else(|| given(item, "Value")).unwrap_or_default()),
    };
    Attribute { name: given(item, "Name").unwrap_or_default(), value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_callback as parse;

    fn change(change: &str, fields: &str) -> Result<Event, ParseError> {
        let event = "<MsgType>event</MsgType><Event>change_contact</Event>";
        let text = format!("<xml>{event}<ChangeType>{change}</ChangeType>{fields}</xml>");
        parse(text.as_bytes()).map(|callback| callback.event)
    }

    fn updated(fields: &str) -> MemberUpdated {
        match change("update_user", fields) {
            Ok(Event::MemberUpdated(it)) => it,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_update_tells_cleared_fields_from_unchanged_ones() {
        let it = updated("<UserID>u-7</UserID><Alias/><Department></Department><Status/><Position> 经理 </Position>");
        let expected = MemberFields {
            alias: Some(String::new()),
            department: Some(Vec::new()),
            position: Some("经理".to_owned()),
            ..MemberFields::default()
        };
        assert_eq!(it.fields, expected);
    }

    #[test]
    fn a_new_userid_counts_only_if_it_differs_from_the_old() {
        for (new, expected) in [("chen.m", Some("chen.m")), ("u-7", None), (" ", None)] {
            let it = updated(&format!("<UserID>u-7</UserID><NewUserID>{new}</NewUserID>"));
            assert_eq!(it.new_user.as_ref().map(UserId::as_str), expected);
        }
    }

    #[test]
    fn lists_and_custom_attributes_are_read_in_every_documented_form() {
        let it = updated(concat!(
            "<UserID>u-7</UserID><Department>3, 8</Department><ExtAttr>",
            "<Item><Name>工位</Name><Type>0</Type><Text><Value>A-12</Value></Text><Value>A-12</Value></Item>",
            "<Item><Name>旧</Name><Value>B</Value></Item>",
            "<Item><Name>主页</Name><Type>1</Type><Web><Title>me</Title><Url>https://example.com</Url></Web></Item>",
            "</ExtAttr>",
        ));
        assert_eq!(it.fields.department, Some(vec!["3".to_owned(), "8".to_owned()]));
        let text = |name: &str, value: &str| Attribute {
            name: name.to_owned(),
            value: AttributeValue::Text(value.to_owned()),
        };
        let web = AttributeValue::Web { title: "me".to_owned(), url: "https://example.com".to_owned() };
        let web = Attribute { name: "主页".to_owned(), value: web };
        assert_eq!(it.fields.attributes, Some(vec![text("工位", "A-12"), text("旧", "B"), web]));
    }

    #[test]
    fn a_member_without_an_id_is_refused() {
        for kind in ["create_user", "update_user", "delete_user"] {
            assert_eq!(change(kind, "<UserID></UserID>"), Err(ParseError::Missing("UserID")));
        }
        let nobody = parse(b"<xml><MsgType>event</MsgType><Event>unsubscribe</Event></xml>");
        assert_eq!(nobody, Err(ParseError::Missing("FromUserName")));
    }
}
