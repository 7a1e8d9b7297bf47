//! Work orders: their states, who takes each, and those that wait too long.
//!
//! It knows no HTTP and holds no SQL. What customers are given to reach a staff member is made in
//! [`crate::contact_way`].

pub mod order_state;

pub mod assignment;

mod waiting;

pub use waiting::look_after_waiting;
