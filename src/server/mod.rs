//! The two listeners: callbacks in public, administration inside. The only code that serves HTTP.

mod listen;

mod forwarded;

mod body;

mod refusal;

mod callback;

mod reply;

mod admin;

mod probes;

mod lately;

pub use admin::AdminDoor;
pub use body::BodyRoom;
pub use callback::CallbackDoor;
pub use forwarded::Proxies;
pub(crate) use listen::serve;
pub use listen::{Door, Limits, Served, bind};
pub use probes::{Health, Told};
