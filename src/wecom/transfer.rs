//! Transfers (分配客户): hand a member's customers to another member, and ask for the results later.
//!
//! WeCom accepts a request at once and completes it 24 hours later, unless the customer refuses. Active members and
//! leavers have different endpoints; each refuses the other kind.
//!
//! <https://developer.work.weixin.qq.com/document/path/92125>, `…/94088`, `…/94081`, `…/94082`.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{
    Api, ApiError, Rows, Unreadable,
    lenient::{self, Cursor, List, Number},
    paths::{TRANSFER_IN_SERVICE, TRANSFER_RESIGNED},
    rows::{Row, is_id},
};
use crate::ids::{ExternalUserId, UserId};
pub use crate::states::TransferFlow;

/// How many customers one call takes.
pub const CUSTOMERS_MAX: usize = 100;

/// How many characters the message to the customers may have.
pub const MESSAGE_CHARS_MAX: usize = 200;

/// What WeCom said about one customer of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The customer.
    pub external_userid: ExternalUserId,
    /// 0 means that the transfer began, not that it is done. [`super::Meaning::of`] has the words for the others.
    pub errcode: i64,
}

/// A page of the results of transfers between two members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPage {
    /// The customers.
    pub customers: Vec<TransferResult>,
    /// The rows that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Where the next page begins; empty at the end.
    pub next_cursor: String,
}

/// The status of one customer's transfer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TransferResult {
    /// The customer.
    pub external_userid: ExternalUserId,
    /// 1 done, 2 waiting, 3 the customer refused, 4 the successor has too many customers; 0 if there is no number.
    #[serde(default)]
    pub status: i64,
    /// When the successor took over or will take over; in unix seconds, 0 if never.
    #[serde(default)]
    pub takeover_time: i64,
}

/// `externalcontact/transfer_customer` and its sister.
#[derive(Debug, Deserialize)]
pub(super) struct TakenAnswer {
    customer: List<TakenRow>,
}

/// One customer's answer in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct TakenRow {
    external_userid: ExternalUserId,
    errcode: Number,
}

/// `externalcontact/transfer_result` and its sister.
#[derive(Debug, Deserialize)]
pub(super) struct ResultsAnswer {
    customer: List<TransferResult>,
    next_cursor: Cursor,
}

impl Row for TakenRow {
    fn lacks(&self) -> Option<&'static str> {
        let customer = (!is_id(self.external_userid.as_str())).then_some("external_userid");
        // Without a code it is unknown whether the transfer began.
        customer.or(self.errcode.0.is_none().then_some("errcode"))
    }

    fn about(&self) -> (Option<&UserId>, Option<&ExternalUserId>) {
        (None, Some(&self.external_userid))
    }
}

impl Row for TransferResult {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(self.external_userid.as_str())).then_some("external_userid")
    }
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

    /// When the successor took over or will take over.
    pub fn takeover_at(&self) -> Option<DateTime<Utc>> {
        lenient::time(self.takeover_time)
    }
}

impl TransferFlow {
    /// The endpoint with the results of its transfers.
    pub fn results_path(self) -> &'static str {
        match self {
            Self::InService => "externalcontact/transfer_result",
            Self::Resigned => "externalcontact/resigned/transfer_result",
        }
    }
}

impl Api {
    /// Begins the transfer of up to [`CUSTOMERS_MAX`] customers; `message` is sent to them afterwards, in service
    /// only.
    ///
    /// WeCom may leave customers out of its answer and does not keep their order. **Not safe to repeat** blindly: a
    /// transfer in progress answers 40129, but one that has ended would begin again. After [`super::Class::Unknown`]
    /// call [`Api::transfer_results`] first. Two calls for the same members must not run at once, in any process
    /// (45035).
    pub async fn transfer(
        &self,
        flow: TransferFlow,
        from: &UserId,
        to: &UserId,
        customers: &[ExternalUserId],
        message: Option<&str>,
    ) -> Result<Rows<Taken>, ApiError> {
        let mut body = json!({ "handover_userid": from, "takeover_userid": to, "external_userid": customers });
        if let (TransferFlow::InService, Some(message), Some(fields)) = (flow, message, body.as_object_mut()) {
            fields.insert("transfer_success_msg".to_owned(), message.into());
        }
        let path = match flow {
            TransferFlow::InService => TRANSFER_IN_SERVICE,
            TransferFlow::Resigned => TRANSFER_RESIGNED,
        };
        let answer: TakenAnswer = self.post(path, &body).await?;
        let taken = answer.customer.rows("customer");
        Ok(taken.map(|it| Taken { external_userid: it.external_userid, errcode: it.errcode.0.unwrap_or_default() }))
    }

    /// A page of the results of transfers between two members; an empty `cursor` begins. Safe to repeat.
    pub async fn transfer_results(
        &self,
        flow: TransferFlow,
        from: &UserId,
        to: &UserId,
        cursor: &str,
    ) -> Result<ResultPage, ApiError> {
        let body = json!({ "handover_userid": from, "takeover_userid": to, "cursor": cursor });
        let answer: ResultsAnswer = self.post(flow.results_path(), &body).await?;
        let Rows { rows: customers, mut unreadable } = answer.customer.rows("customer");
        let next_cursor = answer.next_cursor.told(&mut unreadable);
        Ok(ResultPage { customers, unreadable, next_cursor })
    }
}
