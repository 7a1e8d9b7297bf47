//! 获客助手: links that bring customers, and the quota they use up: `customer_acquisition`.
//!
//! Input is the plaintext's document. WeCom no longer tells who wrote; a chat key that is valid for 30 minutes asks
//! for it.

use chrono::{DateTime, Utc};

use super::Event;
use super::fields::{Hidden, customer, filled, hidden, number, time, user};
use crate::document::Element;
use crate::ids::{ExternalUserId, UserId};

/// Something happened with a customer acquisition link or its quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquisition {
    /// What happened.
    pub change: AcquisitionChange,
    /// The link.
    pub link_id: Option<String>,
    /// The link's `state` parameter.
    pub state: Option<String>,
    /// The member, where told.
    pub user: Option<UserId>,
    /// The customer, where told.
    pub customer: Option<ExternalUserId>,
    /// Asks for the chat's state within 30 minutes.
    pub chat_key: Option<Hidden>,
    /// Names one use of the service.
    pub once_key: Option<Hidden>,
    /// When quota expires, or a price comes into force.
    pub at: Option<DateTime<Utc>>,
    /// How much quota expires.
    pub quota: Option<i64>,
    /// The new price, in cents.
    pub price_cents: Option<i64>,
}

impl Acquisition {
    pub(super) fn of(change: AcquisitionChange, doc: &Element) -> Self {
        Self {
            change,
            link_id: filled(doc, "LinkId"),
            state: filled(doc, "State"),
            user: user(doc, "UserID"),
            customer: customer(doc),
            chat_key: hidden(doc, "ChatKey"),
            once_key: hidden(doc, "OnceKey"),
            at: time(doc, "ExpireTime").or_else(|| time(doc, "EffectiveTime")),
            quota: number(doc, "ExpireQuotaNum"),
            price_cents: number(doc, "Price"),
        }
    }
}

/// What happened with a link or its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquisitionChange {
    /// A customer came through a link; the acquisition component is not told who.
    CustomerAdded,
    /// Fewer than 20 uses are left.
    BalanceLow,
    /// No uses are left.
    BalanceExhausted,
    /// Uses are available again.
    BalanceIncreased,
    /// Some uses expire within days.
    QuotaExpiresSoon,
    /// No member of the link can add customers now.
    LinkUnavailable,
    /// The link was removed, not through the API.
    LinkDeleted,
    /// A customer looked at the page.
    ProfileOpened,
    /// A customer asked to be added.
    FriendRequested,
    /// A customer wrote for the first time.
    ChatStarted,
    /// A customer wrote for the third, fifth or tenth time.
    CustomerWrote,
    /// A provider's component has few uses left.
    ServiceBalanceLow,
    /// It has none left.
    ServiceBalanceExhausted,
    /// It used one.
    ServiceBalanceConsumed,
    /// It has another price.
    PriceChanged,
}

pub(super) fn read(change: &str, doc: &Element) -> Option<Event> {
    let change = match change {
        "balance_low" => AcquisitionChange::BalanceLow,
        "balance_exhausted" => AcquisitionChange::BalanceExhausted,
        "balance_increased" => AcquisitionChange::BalanceIncreased,
        "quota_expire_soon" => AcquisitionChange::QuotaExpiresSoon,
        "link_unavailable" => AcquisitionChange::LinkUnavailable,
        "delete_link" => AcquisitionChange::LinkDeleted,
        "open_profile" => AcquisitionChange::ProfileOpened,
        "friend_request" => AcquisitionChange::FriendRequested,
        "customer_start_chat" => AcquisitionChange::ChatStarted,
        "message_from_customer" => AcquisitionChange::CustomerWrote,
        "service_balance_low" => AcquisitionChange::ServiceBalanceLow,
        "service_balance_exhausted" => AcquisitionChange::ServiceBalanceExhausted,
        "service_balance_consumed" => AcquisitionChange::ServiceBalanceConsumed,
        "change_price" => AcquisitionChange::PriceChanged,
        _ => return None,
    };
    Some(Event::Acquisition(Acquisition::of(change, doc)))
}
