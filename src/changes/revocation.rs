//! A recalled message.

use chrono::{DateTime, Utc};

use crate::states::RevokedBy;

/// A row of `message_revocation`, but for its key. Of two, the lesser counts: the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revocation {
    /// When it was recalled.
    pub revoked_at: DateTime<Utc>,
    /// By whom.
    pub by_whom: RevokedBy,
}
