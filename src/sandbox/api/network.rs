//! From where the platform calls and answers: for firewalls. The addresses are those that are reserved for examples.

use serde_json::json;

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::Refusal;
use crate::sandbox::world::{Credential, World};

/// The two endpoints that answer a list, which is there and empty when they refuse.
pub(super) const LISTS: [&str; 2] = ["get_api_domain_ip", "getcallbackip"];

pub(super) fn api_addresses(_: &mut World, _: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    Ok(Answer::of(json!({ "ip_list": ["192.0.2.10", "192.0.2.11"] })))
}

pub(super) fn callback_addresses(_: &mut World, _: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    Ok(Answer::of(json!({ "ip_list": ["198.51.100.7", "198.51.100.0/28"] })))
}
