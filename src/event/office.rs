//! Office events: mail, meeting rooms, calendars, broadcasts, documents, the drive.
//!
//! Input is the plaintext's document. Each event keeps the kind of change and the changed objects' ids; details are
//! read from WeCom when somebody needs them.

use super::Event;
use super::fields::{filled, number, siblings, user};
use crate::document::Element;
use crate::ids::UserId;

/// A mailbox received mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The public mailbox; the app's own has no id.
    pub id: Option<String>,
    /// How many messages.
    pub amount: Option<i64>,
}

/// A meeting room was booked or released. Moving a booking does both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingRoom {
    /// Whether it was booked; otherwise released.
    pub booked: bool,
    /// The room's id.
    pub room_id: Option<String>,
    /// The booking's id.
    pub booking_id: Option<String>,
    /// The member who booked.
    pub user: Option<UserId>,
}

/// A calendar or an entry in it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// `modify_calendar`, `delete_schedule`, `respond_schedule`…, as WeCom writes it.
    pub change: String,
    /// The calendar's id.
    pub calendar_id: Option<String>,
    /// The entry's id.
    pub schedule_id: Option<String>,
}

/// A live broadcast changed its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Living {
    /// The broadcast's id.
    pub id: Option<String>,
    /// 0 booked, 1 live, 2 ended, 4 cancelled.
    pub status: Option<i32>,
}

/// A document, form or smart sheet changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficeDocument {
    /// `delete_doc`, `form_complete`, `add_record`…; the event's name where it has no finer word.
    pub change: String,
    /// The documents' ids; for a sheet's change the document that holds it.
    pub doc_ids: Vec<String>,
    /// The forms' ids.
    pub form_ids: Vec<String>,
    /// The smart sheet's sheet.
    pub sheet_id: Option<String>,
    /// The changed fields of the sheet.
    pub field_ids: Vec<String>,
    /// The changed records of the sheet.
    pub record_ids: Vec<String>,
}

/// A drive's space or files changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// `dismiss_space`, `create_file`…; the event's name where it has no finer word.
    pub change: String,
    /// The spaces' ids.
    pub space_ids: Vec<String>,
    /// The files' ids.
    pub file_ids: Vec<String>,
}

pub(super) fn read_mail(event: &str, change: &str, doc: &Element) -> Option<Event> {
    let is_public = event == "public_email_change";
    let id = if is_public { filled(doc, "Id") } else { None };
    (change == "receive_email").then(|| Event::Mail(Mail { id, amount: number(doc, "Amount") }))
}

pub(super) fn read_room(event: &str, doc: &Element) -> Option<Event> {
    Some(Event::MeetingRoom(MeetingRoom {
        booked: event == "book_meeting_room",
        room_id: filled(doc, "MeetingRoomId"),
        booking_id: filled(doc, "BookingId"),
        user: user(doc, "FromUserName"),
    }))
}

pub(super) fn read_calendar(event: &str, doc: &Element) -> Option<Event> {
    const CHANGES: [&str; 7] = [
        "add_calendar",
        "modify_calendar",
        "delete_calendar",
        "add_schedule",
        "modify_schedule",
        "delete_schedule",
        "respond_schedule",
    ];
    CHANGES.contains(&event).then(|| {
        Event::Calendar(Calendar {
            change: event.to_owned(),
            calendar_id: filled(doc, "CalId"),
            schedule_id: filled(doc, "ScheduleId"),
        })
    })
}

pub(super) fn read_living(doc: &Element) -> Option<Event> {
    Some(Event::Living(Living { id: filled(doc, "LivingId"), status: number(doc, "Status") }))
}

pub(super) fn read_document(event: &str, change: &str, doc: &Element) -> Option<Event> {
    let change = match (event, change) {
        (
            "doc_change",
            "doc_member_change" | "delete_doc" | "form_complete" | "delete_form" | "form_settings_change",
        )
        | (
            "smart_sheet_change",
            "add_field" | "update_field" | "delete_field" | "add_record" | "update_record" | "delete_record",
        ) => change,
        (
            "document_archive_change" | "file_content_archive_auth_change" | "file_content_archive_user_list_change",
            _,
        ) => event,
        _ => return None,
    };
    Some(Event::Document(OfficeDocument {
        change: change.to_owned(),
        doc_ids: siblings(doc, "DocId"),
        form_ids: siblings(doc, "FormId"),
        sheet_id: filled(doc, "SheetId"),
        field_ids: siblings(doc, "FieldId"),
        record_ids: siblings(doc, "RecordId"),
    }))
}

pub(super) fn read_drive(event: &str, change: &str, doc: &Element) -> Option<Event> {
    let change = match (event, change) {
        ("wedrive_insufficient_capacity", _) => event,
        ("wedrive_space_change", "dismiss_space" | "space_member_change" | "space_security_settings_change")
        | ("wedrive_file_change", "create_file" | "rename_file" | "update_file" | "delete_file" | "move_file") => {
            change
        }
        _ => return None,
    };
    Some(Event::Drive(Drive {
        change: change.to_owned(),
        space_ids: siblings(doc, "SpaceId"),
        file_ids: siblings(doc, "FileId"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeatable_elements_are_lists_even_if_only_one_arrives() {
        let doc = Element::parse("<xml><FileId>a</FileId><SpaceId>s</SpaceId><FileId> b </FileId></xml>");
        let event = read_drive("wedrive_file_change", "move_file", &doc.expect("a document"));
        let Some(Event::Drive(drive)) = event else { panic!("{event:?}") };
        assert_eq!((drive.file_ids, drive.space_ids), (vec!["a".to_owned(), "b".to_owned()], vec!["s".to_owned()]));
    }

    #[test]
    fn a_change_type_of_another_event_is_not_accepted() {
        let doc = Element::default();
        assert_eq!(read_drive("wedrive_space_change", "create_file", &doc), None);
        assert_eq!(read_document("doc_change", "add_record", &doc), None);
        assert_eq!(read_mail("public_email_change", "create", &doc), None);
    }
}
