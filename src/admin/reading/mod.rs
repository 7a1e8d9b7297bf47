//! Reading what a caller sent: bodies, fields, pages, ranges, times, the corp that is meant; and writing tables.

pub mod body;

pub mod cursor;

pub mod range;

pub mod sheet;

pub mod corp;

pub mod own;

pub mod time;

pub mod visit;
