//! `[wecom]`, `[tasks]` and `[sync]`: settings of everything that calls WeCom.

use std::num::NonZeroU32;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{ConfigError, secret, setting, withheld, within};

/// The client for WeCom.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wecom {
    /// The URL before `/cgi-bin/`.
    pub base_url: String,
    /// The proxy's URL; empty for a direct connection. It may hold a password.
    #[serde(serialize_with = "withheld", deserialize_with = "secret")]
    pub proxy: SecretString,
    /// How long a call may take, in milliseconds.
    pub timeout_ms: u64,
    /// How many calls of one corp are made per second.
    pub corp_per_second: NonZeroU32,
    /// How many calls of one endpoint are made per second, for each corp.
    pub path_per_second: NonZeroU32,
    /// How many calls of one corp run at once.
    pub concurrency: NonZeroU32,
    /// The URL at which staff reach this program for login links; empty if they cannot.
    pub public_url: String,
}

/// The executors of tasks, and how many tasks of each kind run at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tasks {
    /// Whether this process runs tasks.
    pub enabled: bool,
    /// Greetings.
    pub welcome: u32,
    /// Notices to staff.
    pub notify_staff: u32,
    /// Cards of customers and members that are read again.
    pub refresh: u32,
    /// Downloads.
    pub fetch_media: u32,
    /// Handovers.
    pub handover: u32,
    /// Accounts of 微信客服 that are pulled, and sessions that are routed.
    pub kf: u32,
}

/// Reconciling with WeCom.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sync {
    /// Whether this process works at runs.
    pub enabled: bool,
    /// The interval between scheduled runs in hours; 0 for never.
    pub every_hours: u32,
    /// The hour of the day, in Shanghai, from which intervals count.
    pub at_hour: u32,
}

impl Default for Wecom {
    fn default() -> Self {
        const fn per(number: u32) -> NonZeroU32 {
            NonZeroU32::new(number).expect("it is written here")
        }
        Self {
            base_url: "https://qyapi.weixin.qq.com".to_owned(),
            proxy: SecretString::default(),
            timeout_ms: 10_000,
            corp_per_second: per(50),
            path_per_second: per(10),
            concurrency: per(20),
            public_url: String::new(),
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self { enabled: true, welcome: 8, notify_staff: 2, refresh: 4, fetch_media: 2, handover: 2, kf: 4 }
    }
}

impl Default for Sync {
    fn default() -> Self {
        Self { enabled: true, every_hours: 24, at_hour: 3 }
    }
}

impl Wecom {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("wecom.timeout_ms", self.timeout_ms, 1_000..=60_000)?;
        within("wecom.corp_per_second", self.corp_per_second.get().into(), 1..=1_000)?;
        within("wecom.path_per_second", self.path_per_second.get().into(), 1..=1_000)?;
        within("wecom.concurrency", self.concurrency.get().into(), 1..=1_000)?;
        let is_url = |text: &str| ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
        if !self.public_url.is_empty() && !is_url(&self.public_url) {
            return Err(setting("wecom.public_url", "must begin with https:// (or http://, for trying it out)"));
        }
        let site = self.public_url.split_once("://").map_or("", |(_, rest)| rest);
        let host = site.split('/').next().unwrap_or_default();
        if !self.public_url.is_empty() && (host.is_empty() || site.contains(['@', '?', '#', '\\', ' '])) {
            return Err(setting(
                "wecom.public_url",
                "must be a host, maybe with a port and a path: https://wecom.example.com",
            ));
        }
        if !is_url(&self.base_url) {
            return Err(setting("wecom.base_url", "must begin with https:// (or http://, for a stand-in)"));
        }
        Ok(())
    }
}

impl Tasks {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("tasks.welcome", self.welcome.into(), 1..=64)?;
        within("tasks.notify_staff", self.notify_staff.into(), 1..=64)?;
        within("tasks.refresh", self.refresh.into(), 1..=64)?;
        within("tasks.fetch_media", self.fetch_media.into(), 1..=64)?;
        within("tasks.handover", self.handover.into(), 1..=64)?;
        within("tasks.kf", self.kf.into(), 1..=64)
    }
}

impl Sync {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("sync.every_hours", self.every_hours.into(), 0..=720)?;
        within("sync.at_hour", self.at_hour.into(), 0..=23)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_must_have_a_valid_browser_origin() {
        let check = |public_url: &str| Wecom { public_url: public_url.to_owned(), ..Wecom::default() }.check();
        for good in ["", "https://wecom.example.com", "https://wecom.example.com:8443/wecomd/", "http://[::1]:8081"] {
            check(good).expect(good);
        }
        for wrong in [
            "wecom.example.com",
            "https://",
            "https:///x",
            "https://me@wecom.example.com",
            "https://a b",
            "https://a?x",
        ] {
            let error = check(wrong).expect_err(wrong).to_string();
            assert!(error.starts_with("wecom.public_url: must b"), "{wrong}: {error}");
        }
    }
}
