//! The way in and out of the admin API: what a request and a reply are, who is let in, what a handler gets, and the line
//! that each request leaves in the access log. It refuses to know any one route.

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
