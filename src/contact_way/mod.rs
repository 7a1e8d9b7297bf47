//! Contact ways (联系我): the codes that bring a customer to a staff member. Made at WeCom, once; shown as a picture;
//! deleted at WeCom when nobody needs them any more.
//!
//! It knows no HTTP and holds no SQL, and never asks WeCom within a transaction.

pub mod making;

pub mod qr;

mod needless;

pub use needless::delete_needless;
