//! The description of the admin API: its routes, their inputs, answers and problems, in two languages; and the
//! OpenAPI document made from it.

pub mod language;

pub mod code;

pub mod problem;

mod cause;

pub mod parameter;

pub mod params;

pub mod operation;

pub mod route;

pub mod openapi;
