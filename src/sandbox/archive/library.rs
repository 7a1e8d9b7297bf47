//! Builds the stand-in for WeCom's archive library (`standin.c`) into a folder, and fills that folder: messages, files,
//! faults. How the compiler is called is its caller's to say.
//!
//! The tests of the archive's reader include this file, so it knows the standard library alone.

use std::{
    fmt, fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// The library's source.
pub const SOURCE: &str = include_str!("standin.c");

/// The name that WeCom gives its library.
const NAME: &str = "libWeWorkFinanceSdk_C.so";

/// The C compiler.
pub const COMPILER: &str = "cc";

/// A built library with its folder.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
}

/// Why there is no library.
#[derive(Debug)]
pub enum BuildError {
    /// This machine has no C compiler.
    NoCompiler,
    /// The compiler refused the source, and what it said.
    Refused(String),
    /// A file could not be written, or the compiler not be started.
    File(io::Error),
}

impl Library {
    /// Builds the library from `source` into `folder`, which is made if it is missing. `compiler` is a call of [`COMPILER`]
    /// without arguments.
    pub fn build(folder: &Path, mut compiler: Command, source: &str) -> Result<Self, BuildError> {
        fs::create_dir_all(folder.join("media"))?;
        let it = Self { folder: folder.to_owned() };
        let file = it.folder.join("standin.c");
        fs::write(&file, source)?;
        compiler.args(["-shared", "-fPIC", "-O1", "-w", "-o"]).arg(it.path()).arg(file).arg("-ldl");
        match compiler.output() {
            Ok(output) if output.status.success() => Ok(it),
            Ok(output) => Err(BuildError::Refused(String::from_utf8_lossy(&output.stderr).into_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(BuildError::NoCompiler),
            Err(error) => Err(error.into()),
        }
    }

    /// The library's path.
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds messages: their numbers, and the objects of `chatdata` as JSON texts of one line each.
    pub fn add(&self, messages: impl IntoIterator<Item = (u64, String)>) -> io::Result<()> {
        let mut lines = Vec::new();
        for (seq, object) in messages {
            if object.contains('\n') {
                return Err(io::Error::new(ErrorKind::InvalidInput, format!("message {seq} is more than a line")));
            }
            writeln!(lines, "{seq}\t{object}")?;
        }
        fs::File::options().create(true).append(true).open(self.folder.join("messages"))?.write_all(&lines)
    }

    /// Forgets all messages, as WeCom does after five days.
    pub fn forget(&self) -> io::Result<()> {
        fs::write(self.folder.join("messages"), "")
    }

    /// Gives `count` messages away that lie nowhere: each is made when it is asked for. The first was sent at `begin_ms`,
    /// each other `step_ms` later; their short keys are taken in turns, each with what RSA made of it.
    pub fn flood(&self, count: u64, (begin_ms, step_ms): (i64, i64), keys: &[(String, String)]) -> io::Result<()> {
        let mut text = format!("{count} {begin_ms} {step_ms}\n");
        for (short, random) in keys {
            text.extend([short, "\t", random, "\n"]);
        }
        fs::write(self.folder.join("flood"), text)
    }

    /// Adds a file.
    pub fn add_media(&self, sdkfileid: &str, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.folder.join("media").join(sdkfileid), bytes)
    }

    /// What the next calls of a function do, one word each: `ok`, `crash`, `hang`, `leak`, `noise` or a return code. The
    /// functions are `init`, `pull`, `decrypt` and `media`.
    pub fn set_faults(&self, function: &str, words: &[&str]) -> io::Result<()> {
        fs::write(self.folder.join(format!("fault.{function}")), words.join("\n") + "\n")
    }

    /// The secret that it accepts from now on, and no other.
    pub fn set_secret(&self, secret: &str) -> io::Result<()> {
        fs::write(self.folder.join("secret"), secret)
    }

    /// What was called, in order.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCompiler => write!(f, "there is no C compiler ({COMPILER})"),
            Self::Refused(said) => {
                let line = said.lines().find(|it| !it.trim().is_empty()).unwrap_or("it said nothing");
                write!(f, "the C compiler ({COMPILER}) failed: {}", line.trim())
            }
            Self::File(error) => write!(f, "the C compiler ({COMPILER}) could not be used: {error}"),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// Seals a message as the library's `DecryptData` opens it with the same key.
pub fn seal(key: &str, text: &[u8]) -> String {
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
