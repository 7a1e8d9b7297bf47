//! `[archive]`: the message archive (会话内容存档).

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{ConfigError, secret, setting, withheld, within};

/// The reader's program, beside ours.
pub const READER: &str = "wecomd-archive";

/// The message archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Archive {
    /// Whether this process reads it.
    pub enabled: bool,
    /// WeCom's library.
    pub library: String,
    /// The program that calls the library; empty for `wecomd-archive` beside this program.
    pub reader: String,
    /// The library's proxy; empty for a direct connection. It may hold a password.
    #[serde(serialize_with = "withheld", deserialize_with = "secret")]
    pub proxy: SecretString,
    /// How often it is looked at without a notice, in seconds.
    pub poll_seconds: u32,
    /// Whether talks among members are kept as well.
    pub internal_chats: bool,
    /// Whether pictures, voice messages, videos and files are fetched.
    pub media: bool,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            enabled: false,
            library: String::new(),
            reader: String::new(),
            proxy: SecretString::default(),
            poll_seconds: 60,
            internal_chats: false,
            media: true,
        }
    }
}

impl Archive {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("archive.poll_seconds", self.poll_seconds.into(), 10..=3_600)?;
        let whole = |path: &str| path.is_empty() || Path::new(path).is_absolute();
        if !whole(&self.library) {
            return Err(setting("archive.library", "must be the library's whole path"));
        }
        if !whole(&self.reader) {
            return Err(setting("archive.reader", "must be the program's whole path"));
        }
        if self.enabled && self.library.is_empty() {
            return Err(setting(
                "archive.library",
                "must be set if archive.enabled is: WeCom's library is not part of wecomd",
            ));
        }
        let proxy = self.proxy.expose_secret();
        if !proxy.is_empty() && !["http://", "socks5://"].iter().any(|scheme| proxy.starts_with(scheme)) {
            return Err(setting("archive.proxy", "must begin with http:// or socks5://"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enabled_archive_needs_its_library_and_a_proxy_that_it_understands() {
        let library = || "/opt/wecom/libWeWorkFinanceSdk_C.so".to_owned();
        let on = || Archive { enabled: true, library: library(), ..Archive::default() };
        on().check().expect("complete");
        Archive::default().check().expect("off");
        for (archive, key) in [
            (Archive { library: String::new(), ..on() }, "archive.library"),
            (Archive { library: "lib.so".to_owned(), ..on() }, "archive.library"),
            (Archive { reader: "wecomd-archive".to_owned(), ..on() }, "archive.reader"),
            (Archive { proxy: "https://u:s3cret@proxy".into(), ..on() }, "archive.proxy"),
            (Archive { poll_seconds: 1, ..on() }, "archive.poll_seconds"),
        ] {
            let error = archive.check().expect_err(key).to_string();
            assert!(error.starts_with(&format!("{key}: ")) && !error.contains("s3cret"), "{error}");
        }
    }
}
