//! Contact ways (联系我): QR codes that bring a customer to a member, with a `state` that says who scanned.
//!
//! <https://developer.work.weixin.qq.com/document/path/92228>.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Api, ApiError, Class, Rows, Unreadable,
    lenient::{Cursor, List},
    rows::{Row, is_id},
};
use crate::ids::UserId;

/// How many characters a `state` may have.
pub const STATE_CHARS_MAX: usize = 30;

/// The endpoint that lists contact ways.
pub const LIST: &str = "externalcontact/list_contact_way";

/// A contact way to make: a QR code that adds one member without their approval.
#[derive(Debug, Clone)]
pub struct ContactWay {
    /// The member whom the customer adds.
    pub user: UserId,
    /// The `state` in the event, at most [`STATE_CHARS_MAX`] characters.
    pub state: String,
    /// A note for administrators, at most 30 characters.
    pub remark: String,
}

/// A contact way as WeCom made it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Made {
    /// Its id; without it the contact way cannot be found or deleted.
    pub config_id: String,
    /// WeCom's URL of the QR code's picture.
    #[serde(default)]
    pub qr_code: String,
}

/// A contact way's details.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct ContactWayDetails {
    /// Its id.
    pub config_id: String,
    /// The URL of the picture.
    #[serde(default)]
    pub qr_code: String,
    /// The `state` in the event.
    #[serde(default)]
    pub state: String,
    /// The members whom the customer can add.
    #[serde(default)]
    pub user: Vec<UserId>,
}

/// A page of contact ways' ids.
#[derive(Debug, Clone)]
pub struct Page {
    /// The ids.
    pub config_ids: Vec<String>,
    /// The rows that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Where the next page begins; empty at the end.
    pub next_cursor: String,
}

/// `externalcontact/get_contact_way`.
#[derive(Debug, Deserialize)]
pub(super) struct ContactWayAnswer {
    contact_way: ContactWayDetails,
}

/// `externalcontact/list_contact_way`.
#[derive(Debug, Deserialize)]
pub(super) struct ContactWaysAnswer {
    contact_way: List<ContactWayId>,
    next_cursor: Cursor,
}

/// A contact way in a list.
#[derive(Debug, Deserialize)]
pub(super) struct ContactWayId {
    config_id: String,
}

impl Row for ContactWayId {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(&self.config_id)).then_some("config_id")
    }
}

impl Api {
    /// Makes a contact way. **Not safe to repeat**: after [`super::Class::Unknown`] look for its `state` first.
    pub async fn add_contact_way(&self, way: &ContactWay) -> Result<Made, ApiError> {
        let body = json!({
            "type": 1, "scene": 2, "skip_verify": true, "remark": way.remark, "state": way.state, "user": [way.user],
        });
        const PATH: &str = "externalcontact/add_contact_way";
        let made: Made = self.post(PATH, &body).await?;
        match is_id(&made.config_id) {
            true => Ok(made),
            // It was made, and can be found by its `state`.
            false => Err(ApiError::unanswered(PATH, Class::Unknown, "the answer holds no config_id")),
        }
    }

    /// A contact way's details. Safe to repeat.
    pub async fn contact_way(&self, config_id: &str) -> Result<ContactWayDetails, ApiError> {
        let body = json!({ "config_id": config_id });
        let answer: ContactWayAnswer = self.post("externalcontact/get_contact_way", &body).await?;
        // The id is the requested one, whatever the answer says.
        Ok(ContactWayDetails { config_id: config_id.to_owned(), ..answer.contact_way })
    }

    /// A page of the contact ways made in that time; an empty `cursor` begins. Safe to repeat.
    pub async fn contact_ways(&self, from: DateTime<Utc>, to: DateTime<Utc>, cursor: &str) -> Result<Page, ApiError> {
        let body = json!({
            "start_time": from.timestamp(), "end_time": to.timestamp(), "cursor": cursor, "limit": 1_000,
        });
        let answer: ContactWaysAnswer = self.post(LIST, &body).await?;
        let ids = answer.contact_way.rows("contact_way").map(|it| it.config_id);
        let Rows { rows: config_ids, mut unreadable } = ids;
        let next_cursor = answer.next_cursor.told(&mut unreadable);
        Ok(Page { config_ids, unreadable, next_cursor })
    }

    /// Deletes a contact way; 41044 means that it is gone already. Safe to repeat.
    pub async fn delete_contact_way(&self, config_id: &str) -> Result<(), ApiError> {
        let body = json!({ "config_id": config_id });
        self.post::<serde::de::IgnoredAny>("externalcontact/del_contact_way", &body).await.map(drop)
    }
}
