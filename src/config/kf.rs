//! `[kf]`: 微信客服.

use serde::{Deserialize, Serialize};

use super::{ConfigError, setting, within};
use crate::states::KfRoute;

/// The longest greeting that WeCom takes there, in bytes.
const GREETING_BYTES_MAX: usize = 2_048;

/// 微信客服.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kf {
    /// After how many seconds an account is pulled without a callback.
    pub poll_seconds: u32,
    /// Who gets a waiting session: owner, pool or off.
    pub route: String,
    /// Whether a `scene_param` that begins with `cust:` names the business's customer.
    pub trust_scene_param: bool,
    /// What a customer who opens a conversation is greeted with; empty for nothing.
    pub greeting: String,
}

impl Default for Kf {
    fn default() -> Self {
        Self { poll_seconds: 300, route: KfRoute::Owner.to_string(), trust_scene_param: false, greeting: String::new() }
    }
}

impl Kf {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("kf.poll_seconds", self.poll_seconds.into(), 60..=3_600)?;
        self.route()?;
        if self.greeting.len() > GREETING_BYTES_MAX {
            return Err(setting("kf.greeting", "must have at most 2048 bytes"));
        }
        Ok(())
    }

    /// Who gets a waiting session.
    pub fn route(&self) -> Result<KfRoute, ConfigError> {
        self.route.parse().map_err(|error| setting("kf.route", &format!("{error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_one_of_three_words_and_a_greeting_fits() {
        let problem = |it: Kf| it.check().expect_err("refused").to_string();
        let route = |route: &str| Kf { route: route.to_owned(), ..Kf::default() };
        for good in KfRoute::WORDS {
            route(good).check().expect(good);
        }
        assert_eq!(problem(route("bot")), "kf.route: must be owner, pool or off");
        let long = Kf { greeting: "好".repeat(683), ..Kf::default() };
        assert!(problem(long).starts_with("kf.greeting: "));
    }
}
