//! Tokens, sessions, console logins, and the access log.

mod access_log;

mod api_tokens;

mod session;

mod console_users;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[
    &access_log::LIST,
    &api_tokens::LIST,
    &api_tokens::ADD,
    &api_tokens::SHOW,
    &api_tokens::REVOKE,
    &session::SHOW,
    &session::MAKE,
    &session::END,
    &session::LOGIN,
    &session::CALLBACK,
    &session::LIST,
    &session::END_OTHER,
    &console_users::LIST,
    &console_users::PUT,
    &console_users::REMOVE,
];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
