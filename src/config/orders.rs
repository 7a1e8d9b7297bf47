//! `[assignment]` and `[matching]`: who takes an order, and how contacts are matched to customers.

use std::ops::RangeInclusive;

use super::{ConfigError, setting, within};
use crate::states::MatchedBy;
use serde::{Deserialize, Serialize};

/// The assignment of work orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Assignment {
    /// Whether orders are assigned automatically.
    pub automatic: bool,
    /// After how many minutes the staff member in charge is reminded.
    pub pick_up_minutes: u32,
    /// After how many minutes an order that nobody picked up is escalated.
    pub escalate_minutes: u32,
    /// The staff member who is notified then; empty for nobody.
    pub escalate_to: String,
    /// The URL that a notice opens; {id} stands for the order's number.
    pub order_url: String,
}

/// The matching of contacts to customers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// The matching criteria, the most reliable first.
    pub order: Vec<String>,
    /// For how many days a contact way is valid.
    pub contact_way_days: u32,
}

/// The range of both limits in minutes: up to a week.
const MINUTES: RangeInclusive<u64> = 1..=10_080;

/// Every criterion that `matching.order` may list.
const MATCHING_WAYS: [MatchedBy; 3] = [MatchedBy::State, MatchedBy::UnionId, MatchedBy::Mobile];

impl Default for Assignment {
    fn default() -> Self {
        Self {
            automatic: false,
            pick_up_minutes: 15,
            escalate_minutes: 60,
            escalate_to: String::new(),
            order_url: String::new(),
        }
    }
}

impl Assignment {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("assignment.pick_up_minutes", self.pick_up_minutes.into(), MINUTES)?;
        within("assignment.escalate_minutes", self.escalate_minutes.into(), MINUTES)
    }
}

impl Default for Matching {
    fn default() -> Self {
        Self { order: MATCHING_WAYS.map(|it| it.to_string()).into(), contact_way_days: 30 }
    }
}

impl Matching {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("matching.contact_way_days", self.contact_way_days.into(), 1..=365)?;
        for (at, way) in self.order.iter().enumerate() {
            let known = MATCHING_WAYS.iter().any(|it| it.as_str() == way);
            if !known || self.order.iter().take(at).any(|it| it == way) {
                return Err(setting("matching.order", "must hold some of state, unionid and mobile, each once"));
            }
        }
        // A unionid leads to a contact that a state matched, so state must come first.
        if self.order.iter().skip(1).any(|way| way == MatchedBy::State.as_str()) {
            return Err(setting("matching.order", "must begin with state, or do without it"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_order_of_matching_methods_is_refused() {
        let check = |order: &[&str]| {
            let order = order.iter().map(|it| (*it).to_owned()).collect();
            Matching { order, ..Matching::default() }.check().map_err(|error| error.to_string())
        };
        for good in [&["state", "unionid", "mobile"][..], &["state", "mobile"], &["unionid"], &[]] {
            assert_eq!(check(good), Ok(()));
        }
        for wrong in [&["phone"][..], &["mobile", "mobile"], &["unionid", "state"]] {
            assert!(check(wrong).is_err_and(|it| it.starts_with("matching.order: must ")), "{wrong:?}");
        }
    }
}
