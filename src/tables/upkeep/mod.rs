//! Partitions, and what a backup must know of the database.

pub mod partitions;

pub mod partition_upkeep;

pub mod backup;
