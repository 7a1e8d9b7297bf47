//! Reporting: the views' rows, and who may read the views.

pub mod report;

pub mod reporting;
