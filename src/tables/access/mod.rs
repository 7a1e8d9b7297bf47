//! Who may call the admin API, who did, and what was answered.

pub mod api_token;

pub mod console_user;

pub mod console_session;

pub mod login_state;

pub mod own;

pub mod idempotency_key;

pub mod access_log;
