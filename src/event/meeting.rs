//! Meetings: `meeting_change` and `meeting_statistics`.
//!
//! Input is the plaintext's document. WeCom reports only meetings that were made through the API.

use super::Event;
use super::fields::{filled, number, siblings, user};
use crate::document::Element;
use crate::ids::UserId;

/// A meeting changed, or someone in it did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The meeting's id.
    pub id: Option<String>,
    /// `modify_meeting`, `join_meeting`, `start_recording`…, as WeCom writes it.
    pub change: String,
    /// The member who did it; none if it happened automatically.
    pub operator: Option<UserId>,
    /// The operator's id inside the meeting.
    pub operator_temporary_id: Option<String>,
    /// The person it was done to.
    pub operated: Option<Operated>,
    /// The status of a telephone, a room or the start, as WeCom writes it.
    pub status: Option<String>,
    /// The enrolment that was made or cancelled.
    pub enroll_id: Option<String>,
    /// The room that answered.
    pub room_id: Option<String>,
    /// Where uploaded media are.
    pub media_urls: Vec<String>,
}

/// A person in a meeting on whom an operator acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operated {
    /// Their userid, if they belong to the company.
    pub user: Option<UserId>,
    /// Their id inside the meeting.
    pub temporary_id: Option<String>,
    /// Their new role.
    pub role: Option<i32>,
}

/// Every `ChangeType` of `meeting_change` in the reference.
const CHANGES: [&str; 29] = [
    "modify_meeting",
    "cancel_meeting",
    "meeting_start",
    "meeting_end",
    "meeting_mute_all",
    "meeting_unmute_all",
    "join_meeting",
    "quit_meeting",
    "join_meeting_before_host",
    "join_waiting_room",
    "quit_waiting_room",
    "join_from_meeting_room",
    "move_to_waiting_room",
    "open_screen_share",
    "close_screen_share",
    "start_recording",
    "pause_recording",
    "resume_recording",
    "stop_recording",
    "recording_complete",
    "delete_recording",
    "role_change",
    "webinar_role_change",
    "pstn_status_update",
    "medium_upload",
    "webinar_warm_up_upload",
    "enroll",
    "cancel_enroll",
    "meeting_room_response",
];

pub(super) fn read(event: &str, change: &str, doc: &Element) -> Option<Event> {
    let is_known = match event {
        "meeting_change" => CHANGES.contains(&change),
        "meeting_statistics" => change == "start_meeting",
        _ => false,
    };
    if !is_known {
        return None;
    }
    let operated = |operated: &Element| Operated {
        user: user(operated, "UserId"),
        temporary_id: filled(operated, "TmpOpenId"),
        role: number(operated, "UserRole"),
    };
    let status = ["PstnStatus", "RoomResponseStatus", "Status"].iter().find_map(|name| filled(doc, name));
    Some(Event::Meeting(Meeting {
        id: filled(doc, "MeetingId"),
        change: change.to_owned(),
        operator: user(doc, "FromUserName").filter(|operator| operator.as_str() != "sys"),
        operator_temporary_id: filled(doc, "FromUserTmpOpenId"),
        operated: doc.child("OperatedUser").map(operated),
        status,
        enroll_id: filled(doc, "EnrollId"),
        room_id: filled(doc, "MeetingRoomId"),
        media_urls: doc.all("UploadInfo").flat_map(|upload| siblings(upload, "MediumUrl")).collect(),
    }))
}
