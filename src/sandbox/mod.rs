//! A pretend WeCom, for the demo and the tests.
//!
//! It makes up a company and one working day of callbacks, adds the mischief of a real network, and delivers the lot
//! to a running service as the platform would: encrypted, signed, impatient, and again when nobody answers. It knows
//! how to seal and nothing else of ours: what the service makes of a callback is none of its business.
//!
//! The other direction is the [`Platform`]: a server that answers the API's calls out of a made-up [`World`], and
//! pushes callbacks for what people do in it.

mod chance;

pub mod corp;

pub mod push;

pub mod day;

pub mod file;

pub mod mischief;

pub mod deliver;

pub mod world;

pub mod api;

pub use api::{Call, DropAt, Fault, Faults, Platform};
pub use corp::{App, Corp};
pub use day::{Day, work_day};
pub use deliver::{Delivered, Patience, Report, Sender};
pub use mischief::{Rates, stir};
pub use push::{AppKind, Forgery, Push};
pub use world::{
    ChangeError, Clock, Group, GroupCall, Notes, ScanError, Size, TokenMode, TransferCall, TransferFlow, TransferRules,
    Visible, World,
};
