//! 微信客服: `kf_msg_or_event` and `kf_account_auth_change`.
//!
//! Input is the plaintext's document. `kf_msg_or_event` carries no content: it only says that there is something to
//! pull.

use super::Event;
use super::fields::{Hidden, filled, hidden, siblings};
use crate::document::Element;

/// 微信客服 has messages or events to pull, or its accounts changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerService {
    /// Messages or events are waiting.
    Waiting {
        /// The account they belong to.
        open_kfid: Option<String>,
        /// Lifts the pull's rate limit for 10 minutes.
        token: Option<Hidden>,
    },
    /// The accounts that the app may manage changed.
    AccountsChanged {
        /// Accounts it may manage now.
        added: Vec<String>,
        /// Accounts it no longer may.
        removed: Vec<String>,
    },
}

pub(super) fn read(event: &str, doc: &Element) -> Option<Event> {
    Some(Event::CustomerService(match event {
        "kf_msg_or_event" => {
            CustomerService::Waiting { open_kfid: filled(doc, "OpenKfId"), token: hidden(doc, "Token") }
        }
        "kf_account_auth_change" => CustomerService::AccountsChanged {
            added: siblings(doc, "AuthAddOpenKfId"),
            removed: siblings(doc, "AuthDelOpenKfId"),
        },
        _ => return None,
    }))
}
