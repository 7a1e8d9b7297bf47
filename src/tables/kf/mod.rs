//! 微信客服: its accounts with the cursors of their pulls, its customers, and its sessions.

pub mod kf_account;

pub mod kf_customer;

pub mod kf_session;
