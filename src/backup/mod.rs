//! Copies of everything: the database and the media, encrypted, in one file each; and getting them back.
//!
//! `make` has pg_dump write the database as it is at one moment, adds the files of the media store, and puts both
//! through `seal` into a file that appears under its name only when it is whole and on disk. `restore` reads such a
//! file, into a scratch database to see whether it can be trusted, or into an empty one to live on. `work` makes
//! backups when they are due, `status` says how old the last one is. It refuses to know what the tables mean.

mod error;

mod programs;

mod seal;

mod content;

mod files;

mod make;

mod restore;

mod schedule;

mod status;

mod work;

pub use content::Manifest;
pub use error::BackupError;
pub use make::{Backups, Made, Settings};
pub use restore::{Restore, Restored};
pub use schedule::Schedule;
pub use status::{said, watch};
pub use work::{run_due, run_due_now, work};
