//! What the admin API works with, for as long as the program runs.

use std::sync::Arc;

use chrono::TimeDelta;
use sqlx::PgPool;

use super::{guard::Guard, lookup::Lookups};
use crate::{apps::Apps, media::MediaStore, orders::assignment::Rules, vault::Vault, wecom::Wecom};

/// What the admin half works with.
pub struct Admin {
    /// The database.
    pub pool: PgPool,
    /// What seals the secrets.
    pub vault: Arc<Vault>,
    /// This process's apps, read again after a change.
    pub apps: Apps,
    /// The way to WeCom.
    pub wecom: Wecom,
    /// Where pictures, sounds and films are kept.
    pub media: MediaStore,
    /// What the operator decided.
    pub settings: AdminSettings,
    /// Who asks too often.
    pub guard: Guard,
    /// Looks up tokens that are not remembered.
    pub lookups: Lookups,
    /// How work orders are assigned.
    pub rules: Rules,
    /// How long a contact way is given out.
    pub contact_way_life: TimeDelta,
}

/// What the operator decided about the admin half.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// How long an old callback key stays valid after it was replaced.
    pub key_overlap: TimeDelta,
    /// Whether each successor must agree before a handover is submitted.
    pub acceptance: bool,
    /// The page that a successor's notice opens; {id} stands for the handover's number. Empty for none.
    pub handover_url: String,
    /// Where staff reach the login's redirect, with no slash at its end; empty for nowhere.
    pub public_url: String,
}
