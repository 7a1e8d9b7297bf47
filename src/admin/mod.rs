//! The admin REST API: authentication, authorisation, dispatch, and a line in the access log for every request.
//!
//! A request comes from `server`, read and bounded; a reply goes back. A request's changes and its line in the access
//! log are committed together, so there is neither an action nor a read without its line. There is no HTTP here and
//! no SQL: handlers call the functions of `tables`, `inbox` and the domains.
//!
//! The kernel is [`door`], [`spec`] and [`reading`]; the slices hold the routes, each with its handler, its
//! description and its example, and [`routes`] joins them. The kernel imports no slice.

pub mod door;

pub mod spec;

pub mod reading;

mod apps;

mod staff;

mod customers;

mod orders;

mod handovers;

mod deliveries;

mod reports;

mod access;

pub mod routes;

pub use door::{
    admit::{Admitted, admit, admit_reader},
    line::{note, note_refused},
    lookup::Lookups,
    pipeline::{handle, not_started, unread},
    reply::{Body, Reply},
    request::Request,
    state::{Admin, AdminSettings},
};
