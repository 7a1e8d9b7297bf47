//! Who may use the admin API, and whether the record of who did is whole. It knows no HTTP: the admin API and the command
//! line both ask here.

pub mod audit;

pub mod token;
