//! Reads saved plaintexts: a folder with one document in each file, or a file with one document on each line.
//!
//! Input is a path from the command line. Documents are not parsed, because a malformed one may be sent on purpose.
//! Everything is read before anything is sent, so a mistake in the last file is found early.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::push::Push;

/// The longest document; the platform's are a few kilobytes.
const DOCUMENT_BYTES_MAX: u64 = 1024 * 1024;

/// The most documents that are read at once.
const DOCUMENTS_MAX: usize = 1_000_000;

/// A file with one of these endings is a single document, whatever lines it has.
const DOCUMENT_ENDINGS: [&str; 2] = ["xml", "json"];

/// Why plaintexts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A document is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(PathBuf),
    /// A document is longer than 1 MiB.
    #[error("{0} holds a document of more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong(PathBuf),
    /// There are more documents than we read at once.
    #[error("{0} holds more than {DOCUMENTS_MAX} documents")]
    TooMany(PathBuf),
    /// There is nothing to send.
    #[error("{0} holds no document")]
    Empty(PathBuf),
}

/// Reads a file or a folder; a folder's files come in the order of their names, hidden ones are left out.
pub fn read(path: &Path) -> Result<Vec<Push>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let documents = if fs::metadata(path).map_err(unreadable)?.is_dir() {
        let mut files = folder(path).map_err(unreadable)?;
        files.sort();
        if files.len() > DOCUMENTS_MAX {
            return Err(FileError::TooMany(path.to_owned()));
        }
        files.iter().map(|file| document(file)).collect::<Result<Vec<_>, _>>()?
    } else if is_document(path) {
        vec![document(path)?]
    } else {
        lines(path)?
    };
    let pushes: Vec<Push> =
        documents.into_iter().filter(|text| !text.trim_ascii().is_empty()).map(Push::of_plaintext).collect();
    if pushes.is_empty() { Err(FileError::Empty(path.to_owned())) } else { Ok(pushes) }
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|ending| DOCUMENT_ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && fs::metadata(entry.path())?.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn document(path: &Path) -> Result<String, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    checked(path, bytes)
}

fn lines(path: &Path) -> Result<Vec<String>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut documents = Vec::new();
    loop {
        let mut line = Vec::new();
        // Two more bytes than the longest document, for the line's end.
        if file.by_ref().take(DOCUMENT_BYTES_MAX + 2).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            return Ok(documents);
        }
        if documents.len() == DOCUMENTS_MAX {
            return Err(FileError::TooMany(path.to_owned()));
        }
        while line.last().is_some_and(|end| matches!(end, b'\n' | b'\r')) {
            line.pop();
        }
        documents.push(checked(path, line)?);
    }
}

fn checked(path: &Path, bytes: Vec<u8>) -> Result<String, FileError> {
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(FileError::TooLong(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotUtf8(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is gone when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("wecomd-file-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }

        fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, content).expect("a file");
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn plaintexts(path: &Path) -> Vec<String> {
        read(path).expect("readable").into_iter().map(|push| push.plaintext).collect()
    }

    #[test]
    fn a_file_has_one_document_on_each_line() {
        let scratch = Scratch::new("lines");
        let path = scratch.write("day.txt", "<xml>1</xml>\r\n\n  \n<xml>2</xml>");
        assert_eq!(plaintexts(&path), ["<xml>1</xml>", "<xml>2</xml>"]);
    }

    #[test]
    fn a_folder_has_one_document_in_each_file_in_the_order_of_names() {
        let scratch = Scratch::new("folder");
        scratch.write("b.xml", "<xml>\n2</xml>\n");
        scratch.write("a.json", "{}");
        scratch.write(".hidden", "no");
        fs::create_dir_all(scratch.0.join("inner")).expect("a folder");
        assert_eq!(plaintexts(&scratch.0), ["{}", "<xml>\n2</xml>\n"]);
        assert_eq!(plaintexts(&scratch.0.join("b.xml")), ["<xml>\n2</xml>\n"]);
    }

    #[test]
    fn a_file_that_cannot_be_sent_is_refused_with_its_reason() {
        let scratch = Scratch::new("errors");
        assert!(matches!(read(&scratch.0.join("none")), Err(FileError::Unreadable { .. })));
        assert!(matches!(read(&scratch.write("empty", "\n")), Err(FileError::Empty(_))));
        assert!(matches!(read(&scratch.write("binary", b"\xff\n")), Err(FileError::NotUtf8(_))));
        let limit = usize::try_from(DOCUMENT_BYTES_MAX).expect("fits");
        assert!(read(&scratch.write("fits", "x".repeat(limit) + "\r\n")).is_ok());
        assert!(matches!(read(&scratch.write("long", "x".repeat(limit + 1))), Err(FileError::TooLong(_))));
        assert!(matches!(read(&scratch.write("long.xml", "x".repeat(limit + 1))), Err(FileError::TooLong(_))));
    }
}
