//! The pretend WeCom's server API: what a service would call at `https://qyapi.weixin.qq.com/cgi-bin/…`.
//!
//! A [`Platform`] is a running server around a [`World`](super::World). It answers as the platform does, with its
//! types, errcodes and limits, and pushes callbacks for what people do with their phones: scanning a contact way's
//! code, describing or deleting each other, leaving. What is done through the API makes no callback; what comes of it
//! later does: a transfer that ends. Faults can be set for any path. Below `/sandbox/` the same can be done over HTTP,
//! for a pretend WeCom that is a process of its own.

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

mod login;

mod directory;

mod contact;

mod note;

mod tag;

mod contact_way;

mod welcome;

mod unassigned;

mod transfer;

mod group;

mod message;

mod card;

mod media;

mod multipart;

#[cfg(test)]
mod tests;

pub use fault::{DropAt, EVERY_PATH, Fault, Faults};
pub use journal::Call;
pub use platform::Platform;
