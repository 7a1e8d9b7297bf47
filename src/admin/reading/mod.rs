//! Reads a caller's input: bodies, fields, pages, ranges, times, the corp; and writes tables.

pub mod body;

pub mod cursor;

pub mod range;

pub mod sheet;

pub mod corp;

pub mod own;

pub mod time;

pub mod visit;
