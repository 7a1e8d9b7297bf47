//! Erasing a customer, exporting a customer's data, and retention.

pub mod erased_person;

pub mod erasure;

pub mod erase;

pub mod customer_export;

pub mod retention;
