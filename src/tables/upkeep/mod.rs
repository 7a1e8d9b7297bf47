//! Partitions, and the database's facts that a backup needs.

pub mod partitions;

pub mod partition_upkeep;

pub mod backup;
