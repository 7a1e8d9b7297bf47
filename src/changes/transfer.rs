//! A failed transfer, as a callback reports it.

use chrono::{DateTime, Utc};

use crate::ids::{CorpId, ExternalUserId, UserId};

/// A customer did not go to the successor. The event does not say which handover it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferFail {
    /// The corp.
    pub corpid: CorpId,
    /// The successor, as the event names them.
    pub user: UserId,
    /// The customer.
    pub customer: ExternalUserId,
    /// The event's own time.
    pub at: DateTime<Utc>,
    /// `customer_refused`, `customer_limit_exceed`, or a reason that WeCom adds later.
    pub reason: String,
}
