//! Work orders and the contact ways that bring their customers.

pub mod work_order;

pub mod contact_way;

pub mod contact_way_scan;

pub mod contact_flow_setting;
