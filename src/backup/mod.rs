//! Backups: the database and the media, encrypted, in one file each; and restoring them.
//!
//! `make` runs pg_dump on a snapshot of the database, adds the files of the media store, and writes both through
//! `seal` into a file that gets its name only when it is complete and on disk. `restore` reads such a file, into a
//! scratch database to verify it, or into an empty one to use it. `work` makes backups when they are due, `status`
//! reports the age of the last one. What the tables mean is not known here.

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
