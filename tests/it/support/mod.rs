//! What the tests stand on.

pub(crate) mod acting;

pub(crate) mod kf;

pub(crate) mod app;

pub(crate) mod archive;

pub(crate) mod bucket;

pub(crate) mod conform;

pub(crate) mod crowd;

pub(crate) mod daemon;

pub(crate) mod company;

pub(crate) mod database;

pub(crate) mod folder;

mod handing;

pub(crate) mod http;

pub(crate) mod leaver;

pub(crate) mod link;

pub(crate) mod plaintext;

pub(crate) mod proof;

pub(crate) mod proxy;

pub(crate) mod reconcile;

pub(crate) mod scoped;

pub(crate) mod source;

pub(crate) mod stream;

pub(crate) mod tables;

pub(crate) mod talk;

pub(crate) mod wait;

pub(crate) use acting::Acting;
pub(crate) mod wecom;

pub(crate) use app::TestApp;
pub(crate) use company::Company;
pub(crate) use daemon::Daemon;
pub(crate) use database::TestDb;

/// Handovers in tests: results are asked for when a test says so, and no outcome is waited for.
pub(crate) const HANDOVER: wecomd::handover::Settings = wecomd::handover::Settings {
    poll_first: std::time::Duration::from_secs(3_600),
    poll_max: std::time::Duration::from_secs(3_600),
    outcome_after: std::time::Duration::ZERO,
    resignation_templates: Vec::new(),
};
