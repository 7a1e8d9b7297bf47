//! The admin API's dependencies, for as long as the program runs.

use std::sync::Arc;

use chrono::TimeDelta;
use sqlx::PgPool;

use super::{guard::Guard, lookup::Lookups};
use crate::{apps::Apps, media::MediaStore, orders::assignment::Rules, vault::Vault, wecom::Wecom};

/// The admin API's dependencies.
pub struct Admin {
    /// The database.
    pub pool: PgPool,
    /// The keys that seal secrets.
    pub vault: Arc<Vault>,
    /// This process's apps, read again after a change.
    pub apps: Apps,
    /// The client for WeCom.
    pub wecom: Wecom,
    /// The store of pictures, voice messages and videos.
    pub media: MediaStore,
    /// The operator's settings.
    pub settings: AdminSettings,
    /// The rate limits.
    pub guard: Guard,
    /// Looks up tokens that are not remembered.
    pub lookups: Lookups,
    /// How work orders are assigned.
    pub rules: Rules,
    /// How long a contact way is valid.
    pub contact_way_life: TimeDelta,
}

/// The operator's settings for the admin API.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// How long an old callback key stays valid after it was replaced.
    pub key_overlap: TimeDelta,
    /// Whether each successor must agree before a handover is submitted.
    pub acceptance: bool,
    /// The URL that a successor's notice opens; {id} stands for the handover's number. Empty for none.
    pub handover_url: String,
    /// The URL of the login's redirect, without a trailing slash; empty for none.
    pub public_url: String,
}
