//! 对外收款: a payment or a refund was settled.
//!
//! Input is the plaintext's document, JSON or XML. The amounts stay encrypted in `resource`: this file has no key.

use chrono::{DateTime, Utc};

use super::Event;
use super::fields::filled;
use crate::document::Element;

/// A payment or refund that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The notification's id; a repeat has the same.
    pub id: Option<String>,
    /// `NORMALPAY`, `COMBINEPAY` or `REFUND`.
    pub notify_type: Option<String>,
    /// `TRANSACTION.SUCCESS`, `REFUND.SUCCESS`, `REFUND.ABNORMAL` or `REFUND.CLOSED`.
    pub event_type: Option<String>,
    /// A summary in words.
    pub summary: Option<String>,
    /// When it was made; unlike all others, this family writes a date instead of seconds.
    pub created_at: Option<DateTime<Utc>>,
}

pub(super) fn read(doc: &Element) -> Event {
    let created_at = doc.text_of("create_time").and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    Event::Payment(Payment {
        id: filled(doc, "id"),
        notify_type: filled(doc, "notify_type"),
        event_type: filled(doc, "event_type"),
        summary: filled(doc, "summary"),
        created_at: created_at.map(|at| at.to_utc()),
    })
}
