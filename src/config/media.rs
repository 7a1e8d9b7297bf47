//! `[media]`: the store of pictures, voice messages, videos and files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, setting, within};

/// The store of pictures, voice messages, videos and files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// A folder, or `s3://bucket/prefix`; empty for the folder `media` in `data_dir`.
    pub location: String,
    /// The largest file that is fetched, in bytes.
    pub bytes_max: u64,
}

impl Default for Media {
    fn default() -> Self {
        Self { location: String::new(), bytes_max: 64 << 20 }
    }
}

impl Media {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("media.bytes_max", self.bytes_max, 1 << 10..=1 << 30)?;
        let bucket = self.location.strip_prefix("s3://").map(|it| it.split('/').next().unwrap_or_default());
        let fits = match bucket {
            Some(bucket) => !bucket.is_empty(),
            None => self.location.is_empty() || Path::new(&self.location).is_absolute(),
        };
        if !fits {
            return Err(setting("media.location", "must be a folder's whole path, or s3://bucket/prefix"));
        }
        Ok(())
    }
}

impl Config {
    /// The store's location: a folder's path, or `s3://bucket/prefix`.
    pub fn media_location(&self) -> PathBuf {
        if self.media.location.is_empty() { self.data_dir.join("media") } else { PathBuf::from(&self.media.location) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_whole_path_or_a_bucket() {
        let check = |location: &str| Media { location: location.to_owned(), ..Media::default() }.check();
        for good in ["", "/srv/media", "s3://bucket", "s3://bucket/a/b"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["media", "s3://", "s3:///prefix", "https://bucket.example.com"] {
            let error = check(bad).expect_err(bad).to_string();
            assert!(error.starts_with("media.location: must be"), "{error}");
        }
    }
}
