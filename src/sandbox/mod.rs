//! A pretend WeCom, for the demo and the tests.
//!
//! It makes up a company and one working day of callbacks, adds a real network's disturbances, and delivers them to a
//! running service as the platform would: encrypted, signed, with a short time limit, and again if there is no
//! answer. Of our own code it uses only the sealing; what the service makes of a callback is not known here.
//!
//! The other direction is the [`Platform`]: a server that answers API calls from a made-up [`World`], and pushes
//! callbacks for what people do in it. The message archive is no API but a library: [`archive`] has a stand-in for it.

mod chance;

pub mod corp;

pub mod push;

pub mod day;

pub mod file;

pub mod mischief;

pub mod deliver;

pub mod world;

pub mod api;

pub mod archive;

pub use api::{Call, DropAt, Fault, Faults, Platform};
pub use corp::{App, Corp};
pub use day::{Day, work_day};
pub use deliver::{Delivered, Patience, Report, Sender};
pub use mischief::{Rates, stir};
pub use push::{AppKind, Forgery, Push};
pub use world::{
    ChangeError, Clock, Form, Group, GroupCall, JoinScene, Kf, KfAccount, KfGreeting, NoAccount, Notes, ScanError,
    Size, TokenMode, TransferCall, TransferFlow, TransferRules, Visible, World,
};
