//! Devices: their reports, notices about them, and the hardware cloud's JSON.
//!
//! Input is the plaintext's document. A report mixes two shapes: it is an event with a notice's `TimeStamp`.

use super::Event;
use super::fields::{filled, siblings};
use crate::document::Element;

/// A device reported something, or was managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's serial number.
    pub serial: Option<String>,
    /// `device_checkin_data_report`, `add_device`…; the hardware cloud says only `event` or `command`.
    pub kind: String,
    /// The people in a report, in its order; one can appear twice.
    pub people: Vec<String>,
}

const NOTICES: [&str; 9] = [
    "add_device",
    "del_device",
    "remark_device_name",
    "connect_info",
    "disconnect_info",
    "error_report",
    "fetch_log_finish",
    "device_feature_change",
    "device_data_auth_change",
];

pub(super) fn read(name: &str, doc: &Element) -> Option<Event> {
    let people = match name {
        "device_checkin_data_report" => people(doc, "CheckInDataList"),
        "device_accesscontrol_data_report" => people(doc, "AccessDataList"),
        "device_temperature_data_report" => people(doc, "TemperatureDataList"),
        name if NOTICES.contains(&name) => Vec::new(),
        _ => return None,
    };
    Some(Event::Device(Device { serial: filled(doc, "DeviceSn"), kind: name.to_owned(), people }))
}

pub(super) fn read_cloud(msg_type: &str, doc: &Element) -> Option<Event> {
    let serial = doc.child("base_info").and_then(|base| filled(base, "device_sn"));
    let known = ["event", "command"].contains(&msg_type);
    known.then(|| Event::Device(Device { serial, kind: msg_type.to_owned(), people: Vec::new() }))
}

fn people(doc: &Element, list: &str) -> Vec<String> {
    let items = doc.child(list).into_iter().flat_map(|list| list.all("Item"));
    items.flat_map(|item| siblings(item, "OpenUserId")).collect()
}
