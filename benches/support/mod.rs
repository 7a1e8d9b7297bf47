//! Shared parts of the benchmarks. Each benchmark is a separate program and uses some of them.

#![allow(dead_code, reason = "no benchmark uses everything")]

pub(crate) mod options;

pub(crate) mod run;

pub(crate) mod figures;

pub(crate) mod supply;

pub(crate) mod callback;

pub(crate) mod mix;

pub(crate) mod database;

pub(crate) mod tables;

pub(crate) mod inbox;

pub(crate) mod talk;

pub(crate) mod floor;

pub(crate) mod process;

pub(crate) mod load;

pub(crate) mod flood;

pub(crate) mod spool;

pub(crate) mod rival;

pub(crate) mod peer;

pub(crate) mod cpu;
