//! 微信客服: pulling what was said, reading who somebody is, and finding somebody for those who wait.

pub mod poll;

pub(super) mod pull;

pub(super) mod customer;

pub(super) mod route;

pub mod status;

use std::time::Duration;

use crate::states::KfRoute;

/// The settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long after a pull an account is pulled without a callback.
    pub poll: Duration,
    /// Who gets a waiting session.
    pub route: KfRoute,
    /// What a customer who opens a conversation is greeted with; empty for nothing.
    pub greeting: String,
}
