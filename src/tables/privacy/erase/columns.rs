//! Where a customer's id can stand, and what becomes of it when the customer is erased.
//!
//! A test looks for columns of such names in the catalogue, so that none is forgotten.

/// Every column that can hold whom a customer is, and how it loses that.
pub const COLUMNS: &[(&str, &[&str], Fate)] = &[
    ("access_log", &["customer", "subject"], Fate::Kept),
    ("contact_way", &["customer_id", "used_by"], Fate::Nameless),
    ("contact_way_scan", &["external_userid"], Fate::Gone),
    ("customer_activity", &["external_userid"], Fate::Gone),
    ("customer_match", &["candidates", "customer_id", "external_userid"], Fate::Gone),
    ("customer_wechat_contact", &["customer_id", "external_userid", "state_customer_id"], Fate::Gone),
    ("erased_person", &["person"], Fate::Hashed),
    ("erasure", &["persons"], Fate::UntilDone),
    ("handover_item", &["subject"], Fate::Nameless),
    ("handover_log", &["subject"], Fate::Nameless),
    ("idempotency_key", &["customer", "subject"], Fate::Nameless),
    ("sync_drift", &["external_userid"], Fate::Nameless),
    ("task", &["subject"], Fate::Gone),
    ("transfer_fail", &["external_userid"], Fate::Gone),
    ("wechat_contact_record", &["customer_id", "external_userid", "sender"], Fate::Nameless),
    ("welcome", &["external_userid"], Fate::Nameless),
    ("work_order", &["customer_id"], Fate::Nameless),
];

/// What becomes of a column when somebody is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The row goes.
    Gone,
    /// The row stays under a made-up name, without what was said.
    Nameless,
    /// It holds a hash that leads back to nobody.
    Hashed,
    /// It holds the id until the erasure is done.
    UntilDone,
    /// It stays: who looked at whose data must be known for as long as the access log is kept.
    Kept,
}
