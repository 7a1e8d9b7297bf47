//! A transfer that failed, as a callback says.

use chrono::{DateTime, Utc};

use crate::ids::{CorpId, ExternalUserId, UserId};

/// A customer did not come to a successor. Which handover that was about, the event does not say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferFail {
    /// The corp.
    pub corpid: CorpId,
    /// The successor, as the event names them.
    pub user: UserId,
    /// The customer.
    pub customer: ExternalUserId,
    /// When, by the event's own time.
    pub at: DateTime<Utc>,
    /// `customer_refused`, `customer_limit_exceed`, or a reason of tomorrow.
    pub reason: String,
}
