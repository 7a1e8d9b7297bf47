//! The platform's own addresses, for firewalls. They are from the ranges reserved for examples.

use serde_json::json;

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::Refusal;
use crate::sandbox::world::{Credential, World};

/// The two endpoints whose list is present and empty in a refusal.
pub(super) const LISTS: [&str; 2] = ["get_api_domain_ip", "getcallbackip"];

pub(super) fn api_addresses(_: &mut World, _: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    Ok(Answer::of(json!({ "ip_list": ["192.0.2.10", "192.0.2.11"] })))
}

pub(super) fn callback_addresses(_: &mut World, _: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    Ok(Answer::of(json!({ "ip_list": ["198.51.100.7", "198.51.100.0/28"] })))
}
