//! Work orders: their states, their assignment, and reminders.
//!
//! It knows no HTTP and holds no SQL. The QR codes with which customers add a staff member are made in
//! [`crate::contact_way`].

pub mod order_state;

pub mod assignment;

mod waiting;

pub use waiting::look_after_waiting;
