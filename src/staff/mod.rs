//! Staff members of the business, and which WeCom user each is. It knows no HTTP.

pub mod binding;
