//! Customers and the members who know them: `change_external_contact`.
//!
//! Input is the plaintext's document, in the app's or the notice's shape; both have the same fields. Each event is a
//! hint that carries two ids. The result of a transfer is not known here.

use super::acquisition::{Acquisition, AcquisitionChange};
use super::fields::{customer, filled, needed_customer, needed_user, user};
use super::{Event, ParseError};
use crate::document::Element;
use crate::ids::{ExternalUserId, UserId};

/// A member and a customer became contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerAdded {
    /// The member.
    pub user: UserId,
    /// The customer.
    pub customer: ExternalUserId,
    /// `add_half_external_contact`: the customer added a member who has yet to confirm; `add_external_contact` may
    /// follow.
    pub half: bool,
    /// The `state` of the contact way or acquisition link.
    pub state: Option<String>,
    /// Sends one welcome within 20 seconds of the event; absent if the two talked before.
    pub welcome_code: Option<String>,
    /// `Source`, if WeCom sends one.
    pub source: Option<String>,
}

/// A customer's remark, phone number or tags changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerEdited {
    /// The member whose remark it is.
    pub user: UserId,
    /// The customer.
    pub customer: ExternalUserId,
}

/// A member removed a customer, or a transfer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerDeleted {
    /// The member who lost the customer.
    pub user: UserId,
    /// The customer.
    pub customer: ExternalUserId,
    /// A finished transfer removed the customer, not the member.
    pub by_transfer: bool,
    /// `Source` as WeCom wrote it.
    pub source: Option<String>,
}

/// A customer removed a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerLost {
    /// The member who was removed.
    pub user: UserId,
    /// The customer who removed them.
    pub customer: ExternalUserId,
}

/// A transfer ended without success. The event does not name the member who hands over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferFailed {
    /// The member who was to take over.
    pub user: UserId,
    /// The customer, who stays with the former member.
    pub customer: ExternalUserId,
    /// Why.
    pub reason: FailReason,
}

/// Why a customer was not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailReason {
    /// The customer declined.
    Refused,
    /// The successor has as many customers as WeCom allows.
    LimitExceeded,
    /// Any other word; empty if WeCom gave none.
    Other(String),
}

impl FailReason {
    /// WeCom's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Refused => "customer_refused",
            Self::LimitExceeded => "customer_limit_exceed",
            Self::Other(other) => other,
        }
    }
}

/// A customer agreed to have sessions archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveConsented {
    /// The member they talk with.
    pub user: UserId,
    /// The customer.
    pub customer: ExternalUserId,
    /// Sends one welcome, as in [`CustomerAdded`].
    pub welcome_code: Option<String>,
}

pub(super) fn read(change: &str, doc: &Element) -> Result<Option<Event>, ParseError> {
    let link = filled(doc, "LinkId");
    if change == "add_external_contact" && link.is_some() && user(doc, "UserID").is_none() && customer(doc).is_none() {
        // The acquisition component is told that a customer came through a link, not who.
        return Ok(Some(Event::Acquisition(Acquisition::of(AcquisitionChange::CustomerAdded, doc))));
    }
    let Some(to_event) = event_for(change) else { return Ok(None) };
    Ok(Some(to_event(needed_user(doc)?, needed_customer(doc)?, doc)))
}

type ToEvent = fn(UserId, ExternalUserId, &Element) -> Event;

fn event_for(change: &str) -> Option<ToEvent> {
    Some(match change {
        "add_external_contact" => |user, customer, doc| added(user, customer, false, doc),
        "add_half_external_contact" => |user, customer, doc| added(user, customer, true, doc),
        "edit_external_contact" => |user, customer, _| Event::CustomerEdited(CustomerEdited { user, customer }),
        "del_external_contact" => deleted,
        "del_follow_user" => |user, customer, _| Event::CustomerLost(CustomerLost { user, customer }),
        "transfer_fail" => {
            |user, customer, doc| Event::TransferFailed(TransferFailed { user, customer, reason: fail_reason(doc) })
        }
        "msg_audit_approved" => |user, customer, doc| {
            Event::ArchiveConsented(ArchiveConsented { user, customer, welcome_code: filled(doc, "WelcomeCode") })
        },
        _ => return None,
    })
}

fn added(user: UserId, customer: ExternalUserId, half: bool, doc: &Element) -> Event {
    let (state, welcome_code) = (filled(doc, "State"), filled(doc, "WelcomeCode"));
    Event::CustomerAdded(CustomerAdded { user, customer, half, state, welcome_code, source: filled(doc, "Source") })
}

fn deleted(user: UserId, customer: ExternalUserId, doc: &Element) -> Event {
    let source = filled(doc, "Source");
    let by_transfer = source.as_deref() == Some("DELETE_BY_TRANSFER");
    Event::CustomerDeleted(CustomerDeleted { user, customer, by_transfer, source })
}

fn fail_reason(doc: &Element) -> FailReason {
    match doc.text_of("FailReason").unwrap_or_default() {
        "customer_refused" => FailReason::Refused,
        "customer_limit_exceed" => FailReason::LimitExceeded,
        other => FailReason::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_callback as parse;

    fn change(change: &str, fields: &str) -> Result<Event, ParseError> {
        let event = "<MsgType>event</MsgType><Event>change_external_contact</Event>";
        let text = format!("<xml>{event}<ChangeType>{change}</ChangeType>{fields}</xml>");
        parse(text.as_bytes()).map(|callback| callback.event)
    }

    const IDS: &str = "<UserID>chen.m</UserID><ExternalUserID>woEXAMPLE1</ExternalUserID>";

    #[test]
    fn an_added_customer_carries_what_the_welcome_needs() {
        let fields = format!("{IDS}<State>\n<![CDATA[cust:C-1]]>\n</State><WelcomeCode>WC</WelcomeCode>");
        let expected = CustomerAdded {
            user: "chen.m".into(),
            customer: "woEXAMPLE1".into(),
            half: true,
            state: Some("cust:C-1".to_owned()),
            welcome_code: Some("WC".to_owned()),
            source: None,
        };
        assert_eq!(change("add_half_external_contact", &fields), Ok(Event::CustomerAdded(expected)));
    }

    #[test]
    fn a_removal_is_a_transfer_only_with_source_delete_by_transfer() {
        for (source, by_transfer) in [("DELETE_BY_TRANSFER", true), ("OTHER", false), ("", false)] {
            let event = change("del_external_contact", &format!("{IDS}<Source>{source}</Source>"));
            let Ok(Event::CustomerDeleted(it)) = event else { panic!("{event:?}") };
            assert_eq!((it.by_transfer, it.source.as_deref().unwrap_or_default()), (by_transfer, source));
        }
    }

    #[test]
    fn a_failed_transfer_says_why_as_far_as_wecom_does() {
        let reasons = [
            ("customer_refused", FailReason::Refused),
            ("customer_limit_exceed", FailReason::LimitExceeded),
            ("moon", FailReason::Other("moon".to_owned())),
            ("", FailReason::Other(String::new())),
        ];
        for (word, expected) in reasons {
            let event = change("transfer_fail", &format!("{IDS}<FailReason>{word}</FailReason>"));
            let Ok(Event::TransferFailed(it)) = event else { panic!("{event:?}") };
            assert_eq!(it.reason, expected);
        }
    }

    #[test]
    fn missing_ids_are_refused_except_for_acquisition_links() {
        let user_only = "<UserID>chen.m</UserID><LinkId>cawcde1</LinkId>";
        assert_eq!(change("add_external_contact", user_only), Err(ParseError::Missing("ExternalUserID")));
        assert_eq!(
            change("del_follow_user", "<ExternalUserID>wo</ExternalUserID>"),
            Err(ParseError::Missing("UserID"))
        );
        let twin = change("add_external_contact", "<LinkId>cawcde1</LinkId><State>s</State>");
        let Ok(Event::Acquisition(it)) = twin else { panic!("{twin:?}") };
        assert_eq!((it.link_id.as_deref(), it.state.as_deref()), (Some("cawcde1"), Some("s")));
        assert_eq!(change("add_moon_contact", IDS), Ok(Event::Unknown));
    }
}
