//! Why the archive cannot be read. What is done about it is not known here.

use super::meaning::meaning;

/// Why the archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The reader did not start, crashed, or did not answer in time. A new one begins with the next call.
    #[error("{0}")]
    Reader(String),
    /// The library cannot be used: it is missing, or lacks a symbol.
    #[error("{0}")]
    Library(String),
    /// The library or WeCom refused the call with this code.
    #[error("{}", meaning(*.0))]
    Refused(i32),
    /// What came is not what we know.
    #[error("{0}")]
    Odd(String),
}
