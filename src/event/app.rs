//! A member's actions in an app, and changes of the app itself.
//!
//! Input is the plaintext's document. Entering or leaving an app's visible range is in `event/member.rs`.

use chrono::{DateTime, Utc};

use super::Event;
use super::fields::{Hidden, filled, hidden, real, siblings, time, user, wrapped};
use crate::document::Element;
use crate::ids::{CorpId, UserId};

/// A member did something in the app.
#[derive(Debug, Clone, PartialEq)]
pub struct AppInteraction {
    /// The member.
    pub user: Option<UserId>,
    /// The action.
    pub action: Action,
    /// The menu entry, link or page it was done with.
    pub key: Option<String>,
}

/// What a member did in the app.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Opened it.
    Entered,
    /// Chose a menu entry.
    Clicked,
    /// Followed a menu's link.
    Viewed,
    /// Opened a mini-program from the menu.
    ViewedMiniprogram,
    /// Reported their location.
    Located {
        /// Degrees north.
        latitude: Option<f64>,
        /// Degrees east.
        longitude: Option<f64>,
        /// Metres.
        precision: Option<f64>,
    },
    /// Scanned a code.
    Scanned {
        /// The member waits for an answer.
        waits: bool,
        /// `qrcode` or another.
        scan_type: Option<String>,
        /// What the code says.
        result: Option<String>,
    },
    /// Sent pictures, which follow as messages.
    SentPictures {
        /// Their MD5 sums.
        md5s: Vec<String>,
    },
    /// Chose a place on the map.
    ChosePlace {
        /// Degrees north.
        latitude: Option<f64>,
        /// Degrees east.
        longitude: Option<f64>,
        /// The address in words.
        label: Option<String>,
        /// The place's name.
        place: Option<String>,
    },
    /// Used a template card.
    UsedCard {
        /// The card's menu was used, not the card.
        menu: bool,
        /// Names the card.
        task_id: Option<String>,
        /// `button_interaction` or another.
        card_type: Option<String>,
        /// Changes the card once, within 72 hours.
        response_code: Option<Hidden>,
        /// What was chosen in it.
        selected: Vec<Selection>,
    },
    /// Used a card of the older kind.
    UsedTaskCard {
        /// Names the card.
        task_id: Option<String>,
    },
    /// Switched the workbench to the app, or back.
    SwitchedWorkbench {
        /// It shows the app now.
        on: bool,
    },
    /// Something waits in the data zone.
    ProgramNotified {
        /// Fetches the notification within 10 minutes.
        notify_id: Option<Hidden>,
        /// What it is about.
        scene: Option<String>,
    },
    /// Used the app without the licence that its provider's API calls need.
    Unlicensed,
}

/// What was chosen in one question of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The question.
    pub question: Option<String>,
    /// The options chosen.
    pub options: Vec<String>,
}

/// The app itself changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppLifecycle {
    /// What happened to the app.
    pub change: AppChange,
    /// When an announced change takes effect.
    pub effective_at: Option<DateTime<Utc>>,
    /// The provider's app that is shared; in notices only.
    pub appid: Option<String>,
    /// With whom it is shared; in notices only.
    pub corpid: Option<CorpId>,
}

/// What became of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppChange {
    /// It will be suspended because nobody uses it.
    SuspensionAnnounced,
    /// It is suspended.
    Suspended,
    /// An administrator enabled it again.
    Reopened,
    /// It will lose access to customer data because few people use it.
    RestrictionAnnounced,
    /// It lost access to customer data.
    Restricted,
    /// It has access to customer data again.
    Restored,
    /// Its administrators changed.
    AdministratorsChanged,
    /// It was shared with a subordinate company, or no longer is.
    Sharing,
    /// It was shared with a company up or down the stream, or no longer is.
    ChainSharing,
}

pub(super) fn read_interaction(event: &str, doc: &Element) -> Option<Event> {
    let action = match event {
        "enter_agent" => Action::Entered,
        "click" => Action::Clicked,
        "view" => Action::Viewed,
        "view_miniprogram" => Action::ViewedMiniprogram,
        "LOCATION" => Action::Located {
            latitude: real(doc, "Latitude"),
            longitude: real(doc, "Longitude"),
            precision: real(doc, "Precision"),
        },
        "scancode_push" | "scancode_waitmsg" => scanned(event == "scancode_waitmsg", doc),
        "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin" => sent_pictures(doc),
        "location_select" => chose_place(doc),
        "template_card_event" | "template_card_menu_event" => used_card(event == "template_card_menu_event", doc),
        "taskcard_click" => Action::UsedTaskCard { task_id: filled(doc, "TaskId") },
        "switch_workbench_mode" => Action::SwitchedWorkbench { on: doc.text_of("Mode") == Some("1") },
        "program_notify" => {
            Action::ProgramNotified { notify_id: hidden(doc, "NotifyId"), scene: filled(doc, "NotifyScene") }
        }
        "unlicensed_notify" => Action::Unlicensed,
        _ => return None,
    };
    let (user, key) = (user(doc, "FromUserName"), filled(doc, "EventKey"));
    Some(Event::AppInteraction(AppInteraction { user, action, key }))
}

pub(super) fn read_lifecycle(event: &str, doc: &Element) -> Option<Event> {
    let change = match event {
        "inactive_alert" => AppChange::SuspensionAnnounced,
        "close_inactive_agent" => AppChange::Suspended,
        "reopen_inactive_agent" => AppChange::Reopened,
        "low_active_alert" => AppChange::RestrictionAnnounced,
        "low_active" => AppChange::Restricted,
        "active_restored" => AppChange::Restored,
        "change_app_admin" => AppChange::AdministratorsChanged,
        "share_agent_change" => AppChange::Sharing,
        "share_chain_change" => AppChange::ChainSharing,
        _ => return None,
    };
    Some(Event::AppLifecycle(AppLifecycle {
        change,
        effective_at: time(doc, "EffectTime"),
        appid: filled(doc, "AppId"),
        corpid: filled(doc, "CorpId").map(CorpId),
    }))
}

fn scanned(waits: bool, doc: &Element) -> Action {
    let inside = |name| doc.child("ScanCodeInfo").and_then(|info| filled(info, name));
    Action::Scanned { waits, scan_type: inside("ScanType"), result: inside("ScanResult") }
}

fn sent_pictures(doc: &Element) -> Action {
    let pictures = doc.child("SendPicsInfo").and_then(|info| info.child("PicList"));
    let items = pictures.into_iter().flat_map(|list| list.all("item"));
    Action::SentPictures { md5s: items.flat_map(|item| siblings(item, "PicMd5Sum")).collect() }
}

fn chose_place(doc: &Element) -> Action {
    let info = doc.child("SendLocationInfo").unwrap_or(doc);
    Action::ChosePlace {
        latitude: real(info, "Location_X"),
        longitude: real(info, "Location_Y"),
        label: filled(info, "Label"),
        place: filled(info, "Poiname"),
    }
}

fn used_card(menu: bool, doc: &Element) -> Action {
    let items = doc.child("SelectedItems").into_iter().flat_map(|list| list.all("SelectedItem"));
    let selection = |item: &Element| Selection {
        question: filled(item, "QuestionKey"),
        options: wrapped(item, "OptionIds", "OptionId"),
    };
    Action::UsedCard {
        menu,
        task_id: filled(doc, "TaskId"),
        card_type: filled(doc, "CardType"),
        response_code: hidden(doc, "ResponseCode"),
        selected: items.map(selection).collect(),
    }
}
