//! The way to WeCom: the only HTTP client, with one access token for everyone and a budget for each API.
//!
//! [`Wecom`] is shared by the whole process. It hands out an [`Api`] for an app or a corp, whose methods are WeCom's
//! endpoints, one file per noun; what they take and give are plain types. An answer's `errcode` is understood in one
//! place, [`ApiError`], and an odd value in one costs itself ([`lenient`]). It refuses to know why anybody calls, and retries nothing but a call whose token had expired.
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

pub mod welcome;

pub mod member;

pub mod message;

pub mod media;

pub mod login;

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
