//! Transfers (分配客户): a member's customers are handed to another member, and what became of that is asked for later.
//!
//! WeCom takes a request at once and completes it 24 hours later, unless the customer refuses. Whether the member is
//! still here decides which endpoints are right: those of the other flow refuse them.
//!
//! <https://developer.work.weixin.qq.com/document/path/92125>, `…/94088`, `…/94081`, `…/94082`.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Api, ApiError};
use crate::ids::{ExternalUserId, UserId};

/// How many customers one call takes.
pub const CUSTOMERS_MAX: usize = 100;

/// How many characters the message to the customers may have.
pub const MESSAGE_CHARS_MAX: usize = 200;

/// The endpoints that begin a transfer.
pub(super) const IN_SERVICE: &str = "externalcontact/transfer_customer";
pub(super) const RESIGNED: &str = "externalcontact/resigned/transfer_customer";

/// Whether the member who hands over is still here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// They are: 在职继承.
    InService,
    /// They have left, at most a year ago: 离职继承.
    Resigned,
}

/// What WeCom said about one customer of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Taken {
    /// The customer.
    pub external_userid: ExternalUserId,
    /// 0 means that the transfer began, not that it is done. [`super::Meaning::of`] has the words for the others.
    #[serde(default)]
    pub errcode: i64,
}

/// A page of what became of the transfers between two members.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResultPage {
    /// The customers.
    #[serde(rename = "customer", default)]
    pub customers: Vec<TransferResult>,
    /// Where the next page begins; empty at the end.
    #[serde(default)]
    pub next_cursor: String,
}

/// How far the transfer of one customer is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TransferResult {
    /// The customer.
    pub external_userid: ExternalUserId,
    /// 1 done, 2 waiting, 3 the customer refused, 4 the successor has too many customers; 0 if there is no number.
    #[serde(default, deserialize_with = "number")]
    pub status: i64,
    /// When the successor took over or, of one that waits, will; in unix seconds, 0 if never.
    #[serde(default, deserialize_with = "number")]
    pub takeover_time: i64,
}

impl TransferResult {
    /// `status`: the successor has the customer.
    pub const DONE: i64 = 1;
    /// `status`: it is not decided yet.
    pub const WAITING: i64 = 2;
    /// `status`: the customer refused.
    pub const REFUSED: i64 = 3;
    /// `status`: the successor has too many customers.
    pub const FULL: i64 = 4;
}

impl Flow {
    /// The flow as we write it down.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InService => "in_service",
            Self::Resigned => "resigned",
        }
    }
}

impl Api {
    /// Begins the transfer of up to [`CUSTOMERS_MAX`] customers; `message` reaches them afterwards, in service only.
    ///
    /// WeCom may leave customers out of its answer and does not keep their order. **Not safe to repeat** blindly: what
    /// has begun answers 40129, but what has ended meanwhile would begin anew. After [`super::Class::Unknown`] ask
    /// [`Api::transfer_results`] first. Two calls for the same members must not run at once, in any process (45035).
    pub async fn transfer(
        &self,
        flow: Flow,
        from: &UserId,
        to: &UserId,
        customers: &[ExternalUserId],
        message: Option<&str>,
    ) -> Result<Vec<Taken>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            customer: Vec<Taken>,
        }
        let mut body = json!({ "handover_userid": from, "takeover_userid": to, "external_userid": customers });
        if let (Flow::InService, Some(message), Some(fields)) = (flow, message, body.as_object_mut()) {
            fields.insert("transfer_success_msg".to_owned(), message.into());
        }
        let path = match flow {
            Flow::InService => IN_SERVICE,
            Flow::Resigned => RESIGNED,
        };
        let answer: Answer = self.post(path, &body).await?;
        Ok(answer.customer)
    }

    /// A page of what became of the transfers between two members; an empty `cursor` begins. Safe to repeat.
    pub async fn transfer_results(
        &self,
        flow: Flow,
        from: &UserId,
        to: &UserId,
        cursor: &str,
    ) -> Result<ResultPage, ApiError> {
        let path = match flow {
            Flow::InService => "externalcontact/transfer_result",
            Flow::Resigned => "externalcontact/resigned/transfer_result",
        };
        let body = json!({ "handover_userid": from, "takeover_userid": to, "cursor": cursor });
        self.post(path, &body).await
    }
}

/// A number, or one in a text; 0 for anything else. One odd row must not hide the others of its page.
fn number<'de, D: Deserializer<'de>>(source: D) -> Result<i64, D::Error> {
    Ok(match Value::deserialize(source)? {
        Value::Number(number) => number.as_i64().unwrap_or_default(),
        Value::String(text) => text.trim().parse().unwrap_or_default(),
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_status_or_time_costs_one_value_and_not_the_page() {
        let page: ResultPage = serde_json::from_value(json!({ "errcode": 0, "customer": [
            { "external_userid": "wm1", "status": 2, "takeover_time": 1_760_086_400 },
            { "external_userid": "wm2", "status": "3", "takeover_time": null },
            { "external_userid": "wm3", "status": { "code": 1 }, "hologram": true },
            { "external_userid": "wm4", "status": 99, "takeover_time": 1.5 },
        ]}))
        .expect("it decodes");
        let rows: Vec<_> =
            page.customers.iter().map(|it| (it.external_userid.as_str(), it.status, it.takeover_time)).collect();
        assert_eq!(rows, [("wm1", 2, 1_760_086_400), ("wm2", 3, 0), ("wm3", 0, 0), ("wm4", 99, 0)]);
        assert_eq!(page.next_cursor, "");
    }
}
