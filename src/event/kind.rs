//! Finds out which event a document is, by its discriminating fields.
//!
//! Input is the plaintext's document. `InfoType` is checked first, as notices have no `MsgType`; the JSON families
//! are recognised by fields that no other family has. `ChangeType` means different things under different events, so
//! it is only read together with its event's name.

use super::{Event, ParseError};
use super::{
    acquisition, app, approval, customer, department, device, group, job, meeting, member, message, network, office,
    payment, robot, service, suite, tag,
};
use crate::document::Element;

/// The family of a plaintext and its discriminators; an empty text stands for an absent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// Someone wrote to an app.
    Message(&'a str),
    /// An event, app shape.
    App { event: &'a str, change: &'a str },
    /// A notice to a provider.
    Notice { info: &'a str, change: &'a str },
    /// An intelligent robot's JSON.
    Robot { msg_type: &'a str, event: &'a str },
    /// The hardware cloud's JSON.
    Hardware { msg_type: &'a str },
    /// 对外收款.
    Payment { notify_type: &'a str, event_type: &'a str },
    /// It has none of the discriminating fields.
    Unmarked,
}

/// The events of apps and providers from which something may be recorded.
const RECORDED: [&str; 16] = [
    "change_external_contact",
    "change_external_chat",
    "change_external_tag",
    "change_contact",
    "customer_acquisition",
    "subscribe",
    "unsubscribe",
    "open_approval_change",
    "sys_approval_change",
    "security",
    "inactive_alert",
    "close_inactive_agent",
    "reopen_inactive_agent",
    "low_active_alert",
    "low_active",
    "active_restored",
];

impl<'a> Kind<'a> {
    pub(super) fn of(doc: &'a Element) -> Self {
        let word = |name| spelled_right(doc.text_of(name).unwrap_or_default());
        let (info, msg_type, event, change) = (word("InfoType"), word("MsgType"), word("Event"), word("ChangeType"));
        // A document has both only if a person typed one of them, and typed text comes after WeCom's own field.
        let at = |name: &str| doc.children.iter().position(|it| it.name.eq_ignore_ascii_case(name));
        let is_notice =
            !info.is_empty() && at("MsgType").is_none_or(|other| at("InfoType").is_some_and(|it| it < other));
        if is_notice {
            Self::Notice { info, change }
        } else if doc.child("aibotid").is_some() {
            let event = doc.child("event").and_then(|event| event.text_of("eventtype"));
            Self::Robot { msg_type, event: event.unwrap_or_default() }
        } else if doc.child("base_info").is_some() {
            Self::Hardware { msg_type: word("msg_type") }
        } else if doc.child("resource").is_some() && !word("notify_type").is_empty() {
            Self::Payment { notify_type: word("notify_type"), event_type: word("event_type") }
        } else if !event.is_empty() && (msg_type == "event" || msg_type.is_empty()) {
            Self::App { event, change }
        } else if !msg_type.is_empty() {
            Self::Message(msg_type)
        } else {
            Self::Unmarked
        }
    }

    /// Whether data may be recorded from it; then no element may be one that a person typed.
    pub(super) fn is_recorded(&self) -> bool {
        match *self {
            Self::Message(_) => true,
            Self::App { event: name, .. } | Self::Notice { info: name, .. } => RECORDED.contains(&name),
            Self::Robot { .. } | Self::Hardware { .. } | Self::Payment { .. } | Self::Unmarked => false,
        }
    }

    pub(super) fn read(&self, doc: &Element) -> Result<Event, ParseError> {
        let event = match *self {
            Self::Message(msg_type) => message::read(msg_type, doc)?,
            Self::App { event, change } => match in_both_shapes(event, change, doc)? {
                None => in_app_shape(event, change, doc)?,
                found => found,
            },
            Self::Notice { info, change } => match in_both_shapes(info, change, doc)? {
                None => suite::read(info, doc).or_else(|| device::read(info, doc)),
                found => found,
            },
            Self::Robot { msg_type, event } => robot::read(msg_type, event, doc),
            Self::Hardware { msg_type } => device::read_cloud(msg_type, doc),
            Self::Payment { .. } => Some(payment::read(doc)),
            Self::Unmarked => None,
        };
        Ok(event.unwrap_or(Event::Unknown))
    }
}

/// Events that an app gets as events and a provider as notices, with the same fields.
fn in_both_shapes(name: &str, change: &str, doc: &Element) -> Result<Option<Event>, ParseError> {
    Ok(match name {
        "change_external_contact" => customer::read(change, doc)?,
        "change_contact" => match member::read(change, doc)? {
            None => department::read(change, doc).or_else(|| tag::read(change, doc)),
            found => found,
        },
        "change_external_chat" => group::read(change, doc),
        "change_external_tag" => tag::read_corp(change, doc),
        "customer_acquisition" => acquisition::read(change, doc),
        "change_school_contact" | "change_school_contact_batch" => network::read_school(name, change, doc),
        "batch_job_result" => Some(job::read(doc)),
        "share_agent_change" | "share_chain_change" => app::read_lifecycle(name, doc),
        _ => None,
    })
}

fn in_app_shape(event: &str, change: &str, doc: &Element) -> Result<Option<Event>, ParseError> {
    Ok(match event {
        "subscribe" | "unsubscribe" => member::read_range(event, doc)?,
        "kf_msg_or_event" | "kf_account_auth_change" => service::read(event, doc),
        "msgaudit_notify" => Some(Event::ArchiveNotify),
        "upload_media_job_finish" => Some(job::read(doc)),
        "open_approval_change" | "sys_approval_change" => approval::read(event, doc),
        "submit_vip_account_approval" | "finish_vip_account_approval" => approval::read_account(event, doc),
        "security" if change == "change_domain_ip" => Some(Event::PlatformAddressesChanged),
        "meeting_change" | "meeting_statistics" => meeting::read(event, change, doc),
        "public_email_change" | "app_email_change" => office::read_mail(event, change, doc),
        "book_meeting_room" | "cancel_meeting_room" => office::read_room(event, doc),
        "living_status_change" => office::read_living(doc),
        "change_chain" => network::read_chain(change, doc),
        _ => app::read_interaction(event, doc)
            .or_else(|| app::read_lifecycle(event, doc))
            .or_else(|| office::read_calendar(event, doc))
            .or_else(|| office::read_document(event, change, doc))
            .or_else(|| office::read_drive(event, change, doc))
            .or_else(|| device::read(event, doc)),
    })
}

/// Corrects the misspelled names that the platform sends or documents: both spellings arrive.
fn spelled_right(name: &str) -> &str {
    match name {
        "customer_aqcuisition" => "customer_acquisition",
        "change_editon" => "change_edition",
        "add_filed" => "add_field",
        "update_filed" => "update_field",
        "delete_filed" => "delete_field",
        "create_deparmtment" => "create_department",
        "update_deparmtment" => "update_department",
        "delete_deparmtment" => "delete_department",
        name => name,
    }
}
