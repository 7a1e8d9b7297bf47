//! The message archive: how far it is read, its keys, what is still sealed, who agreed, and what fetches its files.

pub mod archive_account;

pub mod archive_key;

pub mod archive_sealed;

pub mod archive_consent;

pub mod archive_media;
