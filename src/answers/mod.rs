//! Turns what WeCom answered into changes, by the same rules as its callbacks. Pure.
//!
//! Tasks and reconciling read the same lists, and both come here. A reading counts as of the moment before its call: the
//! answer is at least as new. Nothing here knows why something was read, or SQL.

pub mod department;

pub mod group;

pub mod tag;
