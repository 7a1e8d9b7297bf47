//! Erasing a customer, handing out what is held of one, and retention.

pub mod erased_person;

pub mod erasure;

pub mod erase;

pub mod customer_export;

pub mod retention;
