//! The contact flow: an order finds its staff member, its customer gets a code, and who scans it is known.
//!
//! What the admin API asks for comes from there; what happens by itself is done by [`Keeper`], a little every few
//! seconds, in any number of processes. It knows no HTTP and holds no SQL, and never asks WeCom within a transaction.

pub mod order_state;

pub mod assignment;

pub mod contact_way;

pub mod qr;

mod keeper;

pub use keeper::{Keeper, Settings};
