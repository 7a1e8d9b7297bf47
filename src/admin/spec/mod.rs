//! What is said of the admin API: its routes, what each takes and answers, what can be wrong, in two languages; and the
//! OpenAPI document that is made of it.

pub mod language;

pub mod code;

pub mod problem;

mod cause;

pub mod parameter;

pub mod params;

pub mod operation;

pub mod route;

pub mod openapi;
