//! Reconciling runs, their groups of members, and their findings.

pub mod sync_run;

pub mod sync_shard;

pub mod sync_drift;
