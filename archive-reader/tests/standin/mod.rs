//! Builds the stand-in of WeCom's archive library (`standin.c`) with the machine's C compiler, each time into a folder
//! of its own, and fills that folder: messages, files, faults. The tests of wecomd include this file as well.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A built library with its folder, which is deleted with it.
pub(crate) struct StandIn {
    folder: PathBuf,
}

/// The library's source.
const SOURCE: &str = include_str!("../standin.c");

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
        fs::create_dir_all(folder.join("media")).expect("a folder");
        let it = Self { folder };
        fs::write(it.folder.join("standin.c"), source).expect("written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-w", "-o"]).arg(it.library()).arg(it.folder.join("standin.c"));
        match compiler.arg("-ldl").output() {
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                Some(it)
            }
            Err(_) => None,
        }
    }

    /// The library's path.
    pub(crate) fn library(&self) -> PathBuf {
        self.folder.join("libWeWorkFinanceSdk_C.so")
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a message: its number, and the object of `chatdata` as JSON text in one line.
    pub(crate) fn add(&self, seq: u64, object: &str) {
        self.add_all([(seq, object.to_owned())]);
    }

    /// Adds messages, as [`Self::add`] does.
    pub(crate) fn add_all(&self, messages: impl IntoIterator<Item = (u64, String)>) {
        let file = fs::File::options().create(true).append(true).open(self.folder.join("messages"));
        let mut lines = Vec::new();
        for (seq, object) in messages {
            assert!(!object.contains('\n'), "a message is a line: {object}");
            writeln!(lines, "{seq}\t{object}").expect("memory");
        }
        file.and_then(|mut file| file.write_all(&lines)).expect("written");
    }

    /// Forgets all messages, as WeCom does after five days.
    pub(crate) fn forget(&self) {
        fs::write(self.folder.join("messages"), "").expect("written");
    }

    /// Messages are only added from now on: a page is found without reading those before it.
    pub(crate) fn be_fast(&self) {
        fs::write(self.folder.join("fast"), "").expect("written");
    }

    /// Adds a file.
    pub(crate) fn add_media(&self, sdkfileid: &str, bytes: &[u8]) {
        fs::write(self.folder.join("media").join(sdkfileid), bytes).expect("written");
    }

    /// How many bytes of a file one call gives.
    pub(crate) fn set_chunk(&self, bytes: usize) {
        self.add_media("chunk", bytes.to_string().as_bytes());
    }

    /// What the next calls of a function do, one word each: `ok`, `crash`, `hang`, `leak`, `noise` or a return code. The
    /// functions are `init`, `pull`, `decrypt` and `media`.
    pub(crate) fn set_faults(&self, function: &str, words: &[&str]) {
        fs::write(self.folder.join(format!("fault.{function}")), words.join("\n") + "\n").expect("written");
    }

    /// The secret that it accepts from now on, and no other.
    pub(crate) fn set_secret(&self, secret: &str) {
        fs::write(self.folder.join("secret"), secret).expect("written");
    }

    /// What was called, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Seals a message as the library's `DecryptData` opens it with the same key.
pub(crate) fn seal(key: &str, text: &[u8]) -> String {
    let start = fnv(0xcbf2_9ce4_8422_2325, key.as_bytes());
    let mut stream = start;
    let mut bytes = fnv(start, text).to_be_bytes().to_vec();
    bytes.extend(text.iter().map(|byte| {
        stream = stream.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        byte ^ (stream >> 56) as u8
    }));
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
