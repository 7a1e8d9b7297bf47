//! The entrance of the admin API: requests and replies, admission, the handlers' input, and each request's line in
//! the access log. No single route is known here.

pub mod request;

pub mod reply;

pub mod state;

pub mod auth;

pub mod browser;

pub mod guard;

pub mod lookup;

pub mod login_state;

pub mod call;

pub mod admit;

pub mod line;

pub mod idempotency;

pub mod pipeline;
