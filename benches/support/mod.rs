//! Shared parts of the benchmarks. Each benchmark is a separate program and uses some of them.

#![allow(dead_code, reason = "no benchmark uses everything")]

pub(crate) mod options;

pub(crate) mod run;

pub(crate) mod figures;

pub(crate) mod supply;

pub(crate) mod callback;

pub(crate) mod database;

pub(crate) mod inbox;

pub(crate) mod process;

pub(crate) mod load;

pub(crate) mod rival;

pub(crate) mod cpu;
