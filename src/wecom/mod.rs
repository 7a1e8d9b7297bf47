//! The client for WeCom's API: the only HTTP client, with shared access_tokens and a rate limit for each API.
//!
//! [`Wecom`] is shared by the whole process. It hands out an [`Api`] for an app or a corp, whose methods are WeCom's
//! endpoints, one file per noun, with plain types for parameters and results. [`ApiError`] is the one place that
//! interprets an answer's `errcode`; an odd value in an answer costs only itself ([`lenient`]). It does not know why
//! a call is made, and retries only a call whose token had expired.
//!
//! Wire shapes: <https://developer.work.weixin.qq.com/document/path/90556>.

mod client;

mod paths;

mod error;

mod unreached;

mod token;

mod budget;

mod meaning;

pub mod lenient;

mod rows;

mod paging;

pub mod customer;

pub mod tag;

pub mod contact_way;

pub mod transfer;

pub mod group_chat;

pub mod approval;
pub mod kf;

pub mod welcome;

pub mod member;

pub mod message;

pub mod media;

pub mod login;

pub mod archive;

pub mod network;

pub mod permissions;

mod filename;

#[cfg(test)]
mod tests;

pub use budget::Limits;
pub use client::{Api, Settings, SetupError, Wecom};
pub use error::{ApiError, Class};
pub use meaning::Meaning;
pub use paging::Pages;
pub use rows::{Rows, Unreadable};
pub use unreached::Unreached;
