//! Every column that can hold a customer's id, and what erasing does with it.
//!
//! A test searches the catalogue for columns with such names, so that none is forgotten.

/// Every column that can identify a customer, and what erasing does with it.
pub const COLUMNS: &[(&str, &[&str], Fate)] = &[
    ("access_log", &["customer", "subject"], Fate::Kept),
    ("archive_consent", &["external_userid"], Fate::Gone),
    ("contact_way", &["customer_id", "used_by"], Fate::Nameless),
    ("contact_way_scan", &["external_userid"], Fate::Gone),
    ("customer_activity", &["external_userid"], Fate::Gone),
    ("customer_match", &["candidates", "customer_id", "external_userid"], Fate::Gone),
    ("customer_wechat_contact", &["customer_id", "external_userid", "state_customer_id"], Fate::Gone),
    ("erased_person", &["person"], Fate::Hashed),
    ("erasure", &["persons"], Fate::UntilDone),
    ("group_member", &["person", "unionid"], Fate::Gone),
    ("handover_item", &["subject"], Fate::Nameless),
    ("handover_log", &["subject"], Fate::Nameless),
    ("idempotency_key", &["customer", "subject"], Fate::Nameless),
    ("kf_customer", &["customer_id", "external_userid", "unionid"], Fate::Gone),
    ("kf_session", &["external_userid"], Fate::Gone),
    ("sync_drift", &["external_userid"], Fate::Nameless),
    ("task", &["subject"], Fate::Gone),
    ("transfer_fail", &["external_userid"], Fate::Gone),
    ("wechat_contact_record", &["customer_id", "external_userid", "sender"], Fate::Nameless),
    ("welcome", &["external_userid"], Fate::Nameless),
    ("work_order", &["customer_id"], Fate::Nameless),
];

/// What erasing does with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The row is deleted.
    Gone,
    /// The row stays under a made-up name, without texts.
    Nameless,
    /// It holds a hash from which nobody can be identified.
    Hashed,
    /// It holds the id until the erasure is done.
    UntilDone,
    /// It stays: the access log must tell who looked at whose data for as long as it is kept.
    Kept,
}
