//! Temporary media (临时素材): bytes that live for three days.

use std::collections::HashMap;

use bytes::Bytes;

/// How long media can be fetched, in seconds.
const LIFE_S: i64 = 3 * 24 * 3600;

/// The most files at a time; then those that cannot be fetched any more are dropped.
const FILES_MAX: usize = 1000;

/// A file.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Medium {
    pub(in crate::sandbox) bytes: Bytes,
    pub(in crate::sandbox) content_type: String,
    pub(in crate::sandbox) filename: String,
    pub(in crate::sandbox) created_at: i64,
}

/// All files.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Media(HashMap<String, Medium>);

impl Media {
    pub(in crate::sandbox) fn add(&mut self, media_id: String, medium: Medium) {
        if self.0.len() >= FILES_MAX {
            self.0.retain(|_, old| old.created_at + LIFE_S > medium.created_at);
        }
        self.0.insert(media_id, medium);
    }

    /// A file that has not expired.
    pub(in crate::sandbox) fn get(&self, media_id: &str, now: i64) -> Option<&Medium> {
        self.0.get(media_id).filter(|medium| medium.created_at + LIFE_S > now)
    }
}
