//! Contact ways (联系我): QR codes that bring a customer to a staff member. Each is made once at WeCom, shown as a
//! picture, and deleted at WeCom after use or expiry.
//!
//! It knows no HTTP and holds no SQL, and never calls WeCom within a transaction.

pub mod making;

pub mod qr;

mod needless;

pub use needless::delete_needless;
