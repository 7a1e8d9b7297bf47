//! Runs of reconciling, what each is about, and what it found.

pub mod sync_run;

pub mod sync_shard;

pub mod sync_drift;
