//! `wecomd` receives WeCom (企业微信) callbacks, stores each before it is answered, and turns them into contacts,
//! messages and handovers in PostgreSQL.
//!
//! The modules below stand in the order in which a callback meets them. The accepting half (`server`, `crypto`)
//! and the recording half (`worker` to `tables`) never import each other: they meet in `inbox`.

pub mod server;

pub mod apps;

pub mod crypto;

pub mod spool;

pub mod inbox;

pub mod worker;

pub mod event;

pub mod handlers;

pub mod changes;

pub mod tables;

pub mod tasks;

pub mod wecom;

pub mod answers;

pub mod archive;

pub mod media;

pub mod access;

pub mod app_config;

pub mod bilingual;

pub mod check;

pub mod staff;

pub mod orders;

pub mod contact_way;

pub mod handover;

pub mod sync;

pub mod backup;

pub mod privacy;

pub mod housekeeping;

pub mod admin;

pub mod app;

pub mod cli;

pub mod config;

pub mod vault;

pub mod telemetry;

pub mod embedded;

pub mod sandbox;

pub mod document;

pub mod repair;

pub mod states;

pub mod ids;

pub mod time_limit;
