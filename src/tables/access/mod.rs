//! Access to the admin API: tokens, sessions, logins, the access log, and stored answers.

pub mod api_token;

pub mod console_user;

pub mod console_session;

pub mod login_state;

pub mod own;

pub mod idempotency_key;

pub mod access_log;
