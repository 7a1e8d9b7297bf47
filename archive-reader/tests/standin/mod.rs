//! The stand-in for WeCom's archive library as tests use it: built each time into a folder of its own, which goes with it.
//! The tests of wecomd include this file as well.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

pub(crate) use library::seal;
use library::{BuildError, COMPILER, Library, SOURCE};

#[expect(unreachable_pub, reason = "it is a part of wecomd's pretend WeCom")]
#[path = "../../../src/sandbox/archive/library.rs"]
mod library;

/// A built library with its folder, which is deleted with it.
pub(crate) struct StandIn(Library);

/// Makes the folders of one process differ.
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl StandIn {
    /// Builds the library. None where no C compiler is; the caller then skips its test by name.
    pub(crate) fn build() -> Option<Self> {
        Self::build_with(SOURCE)
    }

    /// Builds the library without one of its functions.
    pub(crate) fn build_without(function: &str) -> Option<Self> {
        Self::build_with(&SOURCE.replace(&format!("{function}("), &format!("Other{function}(")))
    }

    fn build_with(source: &str) -> Option<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("wecomd-standin-{}-{number}", std::process::id()));
        match Library::build(&folder, Command::new(COMPILER), source) {
            Ok(library) => Some(Self(library)),
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                assert!(matches!(error, BuildError::NoCompiler), "{error}");
                None
            }
        }
    }

    /// The library's path.
    pub(crate) fn library(&self) -> PathBuf {
        self.0.path()
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// Adds a message: its number, and the object of `chatdata` as JSON text in one line.
    pub(crate) fn add(&self, seq: u64, object: &str) {
        self.add_all([(seq, object.to_owned())]);
    }

    /// Adds messages, as [`Self::add`] does.
    pub(crate) fn add_all(&self, messages: impl IntoIterator<Item = (u64, String)>) {
        self.0.add(messages).expect("written");
    }

    /// Forgets all messages, as WeCom does after five days.
    pub(crate) fn forget(&self) {
        self.0.forget().expect("written");
    }

    /// Messages that are made when they are asked for; see [`Library::flood`].
    pub(crate) fn flood(&self, count: u64, times_ms: (i64, i64), keys: &[(String, String)]) {
        self.0.flood(count, times_ms, keys).expect("written");
    }

    /// Adds a file.
    pub(crate) fn add_media(&self, sdkfileid: &str, bytes: &[u8]) {
        self.0.add_media(sdkfileid, bytes).expect("written");
    }

    /// How many bytes of a file one call gives.
    pub(crate) fn set_chunk(&self, bytes: usize) {
        self.add_media("chunk", bytes.to_string().as_bytes());
    }

    /// What the next calls of a function do; see [`Library::set_faults`].
    pub(crate) fn set_faults(&self, function: &str, words: &[&str]) {
        self.0.set_faults(function, words).expect("written");
    }

    /// The secret that it accepts from now on, and no other.
    pub(crate) fn set_secret(&self, secret: &str) {
        self.0.set_secret(secret).expect("written");
    }

    /// What was called, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        self.0.log()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder());
    }
}
