//! What is known of the company itself: departments, customer tags, approvals, and alerts of its apps.

pub mod app_alert;

pub mod approval;

pub mod corp_tag;

pub mod department;
