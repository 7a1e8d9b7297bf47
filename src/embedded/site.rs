//! The place of a private cluster, the programs that serve it, and the account that runs them.
//!
//! It looks at the machine: installed PostgreSQLs, `/etc/passwd`, the folders above the cluster. It prepares and
//! checks; when a server starts or stops is not known here.

use super::{child, error::EmbeddedError};
use std::{
    env, fs,
    io::{self, Write},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The cluster's folder, account and programs.
#[derive(Debug)]
pub(super) struct Site {
    dir: PathBuf,
    data: PathBuf,
    bin: PathBuf,
    account: Option<Account>,
}

/// The account that runs PostgreSQL if we are root.
#[derive(Debug)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Site {
    /// Checks everything that can be checked before a program runs, and makes the folder.
    pub(super) fn prepare(dir: PathBuf) -> Result<Site, EmbeddedError> {
        let data = dir.join("data");
        let socket = socket(&data);
        let length = socket.as_os_str().len();
        if length > SOCKET_BYTES_MAX {
            return Err(EmbeddedError::TooDeep { path: socket, length });
        }
        let bin = find_bin(version_of(&data))?;
        let account = if is_root() { Some(account_for_postgres()?) } else { None };
        if let Some(parent) = dir.parent() {
            make_folder(parent)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(&dir)(error)),
            _ => {}
        }
        let ours = dir.join(LOCK).is_file() || fs::read_dir(&dir).map_err(at(&dir))?.next().is_none();
        if !ours {
            return Err(EmbeddedError::NotOurs(dir));
        }
        if let Some(account) = &account {
            // Only the cluster inside belongs to that account, so root never writes where another account may plant a
            // link.
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o711)).map_err(at(&dir))?;
            reachable(&dir, account)?;
        }
        Ok(Site { dir, data, bin, account })
    }

    /// Makes an empty folder for an unfinished cluster; the remains of an earlier attempt are deleted.
    pub(super) fn unfinished(&self) -> Result<PathBuf, EmbeddedError> {
        let new = self.dir.join("data.new");
        if new.exists() {
            fs::remove_dir_all(&new).map_err(at(&new))?;
        }
        fs::DirBuilder::new().mode(0o700).create(&new).map_err(at(&new))?;
        if let Some(account) = &self.account {
            chown(&new, Some(account.uid), Some(account.gid)).map_err(at(&new))?;
        }
        Ok(new)
    }

    /// Renames the finished cluster to its final place.
    pub(super) fn finish(&self, new: &Path) -> Result<(), EmbeddedError> {
        fs::rename(new, &self.data).map_err(at(new))?;
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(at(&self.dir))
    }

    /// Whether the roles are made, so that wecomd's is not a superuser.
    pub(super) fn has_roles(&self) -> bool {
        self.dir.join(ROLES_MARK).is_file()
    }

    /// Marks the roles as made.
    pub(super) fn mark_roles(&self) -> Result<(), EmbeddedError> {
        let path = self.dir.join(ROLES_MARK);
        let made = private().create(true).truncate(true).write(true).open(&path).and_then(|it| it.sync_all());
        made.and_then(|()| fs::File::open(&self.dir)?.sync_all()).map_err(at(&path))
    }

    /// The cluster's folder.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The server's socket.
    pub(super) fn socket(&self) -> PathBuf {
        socket(&self.data)
    }

    /// The server's log file.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("postgresql.log")
    }

    /// The URL of the database `db`.
    pub(super) fn url(&self, db: &str) -> String {
        // The port is named because sqlx and libpq would otherwise take it from PGPORT.
        format!("postgres://{ROLE}@localhost:{PORT}/{db}?host={}", percent_encoded(&self.data))
    }

    /// Locks the folder for this process until the file is closed.
    pub(super) fn lock(&self) -> Result<fs::File, EmbeddedError> {
        let path = self.dir.join(LOCK);
        let file = private().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::Error(error)) => return Err(at(&path)(error)),
                Err(fs::TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(EmbeddedError::InUse(self.dir.clone()));
                }
                Err(fs::TryLockError::WouldBlock) => thread::sleep(PAUSE),
            }
        }
    }

    /// The log, opened for appending, and its length.
    pub(super) fn open_log(&self) -> Result<(fs::File, u64), EmbeddedError> {
        let path = self.log();
        let file = private().create(true).append(true).open(&path).map_err(at(&path))?;
        let length = file.metadata().map_err(at(&path))?.len();
        if length <= LOG_BYTES_MAX {
            return Ok((file, length));
        }
        file.set_len(0).map_err(at(&path))?;
        Ok((file, 0))
    }

    /// One of PostgreSQL's programs, to run as the account that owns the cluster.
    pub(super) fn tool(&self, name: &str) -> Command {
        let mut command = child::command(&self.bin.join(name));
        command.current_dir("/").stdin(Stdio::null());
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }
}

/// Makes a folder, and missing ones above it, accessible to this user alone. As root, PostgreSQL's account may pass
/// through them to the cluster, and read nothing else in them.
pub(crate) fn make_folder(path: &Path) -> Result<(), EmbeddedError> {
    let mode = if is_root() { 0o711 } else { 0o700 };
    let missing: Vec<_> = path.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists()).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made.map_err(at(folder))?,
        }
        // Set again, because the process's umask may have reduced the mode.
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(at(folder))?;
    }
    Ok(())
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    // Other systems have no /proc; there, PostgreSQL itself explains why it does not run as root.
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

/// Runs one of PostgreSQL's programs to its end with `input` on stdin; returns its output.
pub(super) fn run(tool: &'static str, command: &mut Command, input: &str) -> Result<String, EmbeddedError> {
    let program = PathBuf::from(command.get_program());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(at(&program))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended before it read this reports a better reason than "broken pipe".
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(at(&program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(EmbeddedError::Tool { tool, output: last_lines(&[output.stdout, output.stderr].concat()) })
}

/// The last lines of a program's output, for an error to quote.
pub(crate) fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.get(lines.len().saturating_sub(QUOTED_LINES_MAX)..).unwrap_or_default().join("\n")
}

/// Adds the file's path to an error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::Io { path, source }
}

/// wecomd's role, which owns its database and is not a superuser.
pub(super) const ROLE: &str = "wecomd";

/// Only a part of the socket's name; nothing listens on it. Fixed, so that PGPORT has no effect.
pub(super) const PORT: u16 = 5432;

/// The maximum length of a unix socket's address, without its final zero.
pub(super) const SOCKET_BYTES_MAX: usize = 107;

/// The oldest PostgreSQL our SQL runs on.
pub(super) const VERSION_MIN: u32 = 15;

/// The file that marks a folder as ours; the holder of its lock may run the server.
const LOCK: &str = "wecomd.lock";

/// The file that marks a cluster whose roles are made as this version makes them.
const ROLES_MARK: &str = "wecomd.roles";

/// How long another wecomd may take to release the folder.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Time between two looks at something that is about to appear.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Beyond this size the server's log is truncated at the next start.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// How many lines of a program's output an error quotes.
const QUOTED_LINES_MAX: usize = 6;

/// The folder of the server programs: of the cluster's version if there is a cluster, else the newest.
fn find_bin(made_by: Option<u32>) -> Result<PathBuf, EmbeddedError> {
    let whole = |bin: &Path| bin.join("initdb").is_file() && bin.join("postgres").is_file();
    if let Some(bin) = env::var_os("WECOMD_PG_BIN").map(PathBuf::from) {
        return if whole(&bin) { Ok(bin) } else { Err(EmbeddedError::WrongBin(bin)) };
    }
    let mut found: Vec<(bool, u32, PathBuf)> = Vec::new();
    for (version, bin) in installed().filter(|(_, bin)| whole(bin)) {
        found.push((made_by == Some(version), version, bin));
    }
    found.sort();
    let on_path = || env::split_paths(&env::var_os("PATH")?).find(|bin| whole(bin));
    found.pop().map(|(_, _, bin)| bin).or_else(on_path).ok_or(EmbeddedError::NotInstalled)
}

/// Every path of one of PostgreSQL's programs: in `WECOMD_PG_BIN`, in the systems' folders with the oldest version
/// first, and on the `PATH`.
pub(crate) fn programs(name: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = installed().collect();
    found.sort();
    let told = env::var_os("WECOMD_PG_BIN").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = told.into_iter().chain(found.into_iter().map(|(_, bin)| bin)).chain(env::split_paths(&path));
    folders.map(|folder| folder.join(name)).filter(|program| program.is_file()).collect()
}

/// The systems' program folders, by version.
fn installed() -> impl Iterator<Item = (u32, PathBuf)> {
    let roots = ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt", "/usr"];
    let entries = roots.into_iter().flat_map(|root| fs::read_dir(root).into_iter().flatten().flatten());
    entries.filter_map(|entry| {
        let version = version_in(&entry.file_name().to_string_lossy()).filter(|&it| it >= VERSION_MIN)?;
        Some((version, entry.path().join("bin")))
    })
}

/// The first number in `15`, `postgresql@17`, `pgsql-16`.
fn version_in(name: &str) -> Option<u32> {
    let from_digit = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits = from_digit.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn version_of(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Options for files that only this user may read.
fn private() -> fs::OpenOptions {
    let mut options = fs::File::options();
    options.mode(0o600);
    options
}

fn account_for_postgres() -> Result<Account, EmbeddedError> {
    let path = Path::new("/etc/passwd");
    let passwd = fs::read_to_string(path).map_err(at(path))?;
    let find = |wanted: &str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|&name| name == wanted)?;
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(Account { name: name.to_owned(), uid, gid })
        })
    };
    find("postgres").or_else(|| find("nobody")).ok_or(EmbeddedError::NoAccount)
}

/// Names the folder to fix, where PostgreSQL would only say "Permission denied".
fn reachable(dir: &Path, account: &Account) -> Result<(), EmbeddedError> {
    let mut above: Vec<&Path> = dir.ancestors().collect();
    above.reverse();
    for path in above {
        let it = fs::metadata(path).map_err(at(path))?;
        let bit = match (it.uid() == account.uid, it.gid() == account.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        if it.mode() & bit == 0 {
            return Err(EmbeddedError::NotReachable { account: account.name.clone(), path: path.to_owned() });
        }
    }
    Ok(())
}

fn socket(data: &Path) -> PathBuf {
    data.join(format!(".s.PGSQL.{PORT}"))
}

fn percent_encoded(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes
        .iter()
        .map(|&b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_names_systems_use() {
        let versions = ["15", "postgresql@17", "pgsql-16", "lib"].map(version_in);
        assert_eq!(versions, [Some(15), Some(17), Some(16), None]);
    }

    #[test]
    fn a_folder_goes_into_a_url_percent_encoded() {
        assert_eq!(percent_encoded(Path::new("/tmp/a b")), "%2Ftmp%2Fa%20b");
    }

    #[test]
    fn an_error_quotes_the_last_lines_that_say_something() {
        assert_eq!(last_lines(b"1\n2\n3\n4\n5\n6\n\n7\n"), "2\n3\n4\n5\n6\n7");
        assert_eq!(last_lines(b""), "");
    }
}
