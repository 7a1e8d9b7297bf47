//! The pretend WeCom's server API: the calls that a service makes to `https://qyapi.weixin.qq.com/cgi-bin/…`.
//!
//! A [`Platform`] is a running server around a [`World`](super::World). It answers as the platform does, with its
//! types, errcodes and limits, and pushes callbacks for what people do with their phones: scanning a contact way's
//! code, describing or deleting each other, leaving. API calls themselves cause no callbacks; their later results do,
//! such as the end of a transfer. Faults can be set for any path. The paths below `/sandbox/` do the same over HTTP,
//! for a pretend WeCom in a process of its own.

mod platform;

mod server;

mod shared;

mod push;

mod fault;

mod spoil;

mod journal;

mod control;

mod page;

mod gate;

mod routes;

mod ask;

mod answer;

mod refusal;

mod cursor;

mod network;

mod approval;

mod login;

mod directory;

mod contact;

mod note;

mod tag;

mod archive;

mod contact_way;

mod welcome;

mod unassigned;

mod transfer;

mod group;

mod kf;

mod message;

mod card;

mod media;

mod multipart;

#[cfg(test)]
mod tests;

pub use fault::{DropAt, EVERY_PATH, Fault, Faults};
pub use journal::Call;
pub use platform::Platform;
