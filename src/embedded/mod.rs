//! A private PostgreSQL: finds the machine's programs, keeps a private cluster in one folder, starts and stops it.
//!
//! It is given a folder and a durability; the programs come from `WECOMD_PG_BIN` or from where systems install them.
//! The server listens on a unix socket inside that folder only: no port, no password; only this account can connect,
//! and nobody as a superuser. What is stored is not known here: tables and migrations belong to other modules.

pub(crate) mod child;

mod error;

mod roles;

mod site;

pub use error::EmbeddedError;
pub(crate) use site::{is_root, last_lines, make_folder, programs};

use roles::SUPERUSER;
use site::{PAUSE, PORT, Site, at, run};
use std::{
    fs,
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::Child,
    thread,
    time::{Duration, Instant},
};

/// A running PostgreSQL server that belongs to this process. Dropping it stops the server.
#[derive(Debug)]
pub struct Embedded {
    site: Site,
    server: Server,
    stopped: bool,
    /// Held while the server runs: two processes must not share one folder.
    _lock: fs::File,
}

/// What a crash of the machine may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A committed transaction survives a power cut.
    Full,
    /// Nothing is synced: several times faster, for tests only.
    Throwaway,
}

impl Embedded {
    /// Starts the server of `dir`, after making its cluster and the database `wecomd` if they are missing.
    ///
    /// `dir` must be new, empty or ours. As root the server runs as `postgres` (or `nobody`), which owns the cluster.
    pub async fn start(dir: &Path, durability: Durability) -> Result<Embedded, EmbeddedError> {
        let dir = std::path::absolute(dir).map_err(at(dir))?;
        tokio::task::spawn_blocking(move || Self::start_blocking(dir, durability))
            .await
            .map_err(|_| EmbeddedError::Interrupted)?
    }

    /// The URL of the database `db`.
    pub fn url(&self, db: &str) -> String {
        self.site.url(db)
    }

    /// The URL of the database `db` in the server of `dir`, which another process of ours runs.
    pub fn url_in(dir: &Path, db: &str) -> Result<String, EmbeddedError> {
        let dir = std::path::absolute(dir).map_err(at(dir))?;
        Ok(Site::prepare(dir)?.url(db))
    }

    /// The server's log file.
    pub fn log_path(&self) -> PathBuf {
        self.site.log()
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.server.pid
    }

    /// Ends open transactions, writes a last checkpoint and stops the server.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        tokio::task::spawn_blocking(move || self.stop_blocking()).await.map_err(|_| EmbeddedError::Interrupted)?
    }

    fn start_blocking(dir: PathBuf, durability: Durability) -> Result<Embedded, EmbeddedError> {
        let site = Site::prepare(dir)?;
        let lock = site.lock()?;
        if !site.data().join("PG_VERSION").is_file() {
            create_cluster(&site, durability)?;
            site.mark_roles()?;
        }
        if !site.has_roles() {
            convert_cluster(&site)?;
            site.mark_roles()?;
        }
        let server = launch(&site, durability)?;
        Ok(Embedded { site, server, stopped: false, _lock: lock })
    }

    fn stop_blocking(&mut self) -> Result<(), EmbeddedError> {
        if std::mem::replace(&mut self.stopped, true) {
            return Ok(());
        }
        match &mut self.server.child {
            Some(child) => end(&self.site, child, "fast"),
            None => stop_server(&self.site, "fast", true),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.stop_blocking() {
            tracing::warn!(%error, "the private PostgreSQL could not be stopped; the next start takes it over");
        }
    }
}

/// A ready server. It has no child if an earlier process started it.
#[derive(Debug)]
struct Server {
    pid: u32,
    child: Option<Child>,
}

/// How long the remains of a killed server may block a new one.
const REMAINS_WAIT: Duration = Duration::from_secs(10);

/// How long recovery after a crash may take before we give up; `max_wal_size` bounds the work.
const READY_WAIT: Duration = Duration::from_secs(120);

/// How long the last checkpoint may take.
const STOP_WAIT: Duration = Duration::from_secs(60);

/// Settings for every durability. No statement and no row's content gets into the log: either may hold a customer's
/// words.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "log_line_prefix=%m [%p] ",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "shared_buffers=128MB",
];

/// Settings for real data: fewer, longer checkpoints keep the write-ahead log and the disk load small.
const FULL: [&str; 7] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=100",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "wal_buffers=16MB",
];

/// Settings for tests, which run many databases at once and keep none.
const THROWAWAY: [&str; 4] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300"];

/// Makes the cluster and its database beside their final place, so that an unfinished one is never used.
fn create_cluster(site: &Site, durability: Durability) -> Result<(), EmbeddedError> {
    let new = site.unfinished()?;
    let mut initdb = site.tool("initdb");
    initdb
        .args([
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--lc-collate=C",
            "--no-instructions",
            "-D",
        ])
        .arg(&new);
    if durability == Durability::Throwaway {
        initdb.arg("--no-sync");
    }
    run("initdb", &mut initdb, "")?;

    roles::make(site, &new)?;
    site.finish(&new)
}

/// Converts a cluster of an earlier version. A server that still runs is stopped first, since the conversion needs
/// the cluster alone.
fn convert_cluster(site: &Site) -> Result<(), EmbeddedError> {
    tracing::info!("converting the private database's roles: wecomd is no longer its superuser");
    let patience = Instant::now() + REMAINS_WAIT;
    loop {
        if orphan(site).is_some() {
            stop_server(site, "fast", true)?;
        }
        match roles::convert(site) {
            Err(EmbeddedError::Tool { output, .. }) if is_blocked(&output) && Instant::now() < patience => {
                thread::sleep(PAUSE * 10);
            }
            done => return done,
        }
    }
}

/// Whether the remains of a killed server are in the way: its children outlive it by a second and keep its lock and
/// its shared memory.
fn is_blocked(output: &str) -> bool {
    output.contains("lock file") || output.contains("still in use")
}

/// Starts the server, or takes over the one that a crashed process left behind.
fn launch(site: &Site, durability: Durability) -> Result<Server, EmbeddedError> {
    let patience = Instant::now() + REMAINS_WAIT;
    loop {
        if let Some(pid) = orphan(site) {
            if has_settings(site, durability) {
                return Ok(Server { pid, child: None });
            }
            stop_server(site, "fast", true)?;
        }
        let (log, said_before) = site.open_log()?;
        let mut child = spawn(site, durability, log)?;
        if wait_until_ready(site, &mut child)? {
            return Ok(Server { pid: child.id(), child: Some(child) });
        }
        let words = fs::read(site.log()).map_err(at(&site.log()))?;
        let words = words.get(usize::try_from(said_before).unwrap_or(0)..).unwrap_or_default();
        let output = last_lines(words);
        if !is_blocked(&output) || Instant::now() > patience {
            return Err(EmbeddedError::NotReady { log: site.log(), output });
        }
        thread::sleep(PAUSE * 10);
    }
}

fn spawn(site: &Site, durability: Durability, log: fs::File) -> Result<Child, EmbeddedError> {
    let mut postgres = site.tool("postgres");
    postgres.arg("-D").arg(site.data()).arg("-k").arg(site.data()).args(["-p", &PORT.to_string()]);
    for setting in settings(durability) {
        postgres.args(["-c", setting]);
    }
    postgres.stdout(log.try_clone().map_err(at(&site.log()))?).stderr(log);
    // Ctrl-C in the terminal must reach only wecomd, which stops the database after its own work.
    let program = PathBuf::from(postgres.get_program());
    postgres.process_group(0).spawn().map_err(at(&program))
}

/// Waits until the server is ready; `false` if it ended or took too long.
fn wait_until_ready(site: &Site, child: &mut Child) -> Result<bool, EmbeddedError> {
    let deadline = Instant::now() + READY_WAIT;
    while child.try_wait().map_err(at(site.data()))?.is_none() {
        // A stale file also says "ready": it counts only with our child's id.
        if status(site.data()).is_some_and(|(pid, ready)| ready && pid == child.id()) {
            return Ok(true);
        }
        if Instant::now() > deadline {
            end(site, child, "immediate")?;
            return Ok(false);
        }
        thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Stops our child. We wait for it ourselves: a killed child stays in the process table until its parent has waited
/// for it, and `pg_ctl` and the next server would take it for alive.
fn end(site: &Site, child: &mut Child, mode: &str) -> Result<(), EmbeddedError> {
    if child.try_wait().map_err(at(site.data()))?.is_some() {
        return Ok(());
    }
    stop_server(site, mode, false)?;
    let deadline = Instant::now() + STOP_WAIT;
    while child.try_wait().map_err(at(site.data()))?.is_none() {
        if Instant::now() > deadline {
            return Err(EmbeddedError::StillRunning(child.id()));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Runs under the server's account, because the server obeys no other.
fn stop_server(site: &Site, mode: &str, wait: bool) -> Result<(), EmbeddedError> {
    let mut stop = site.tool("pg_ctl");
    stop.args(["stop", "-m", mode, "-t", &STOP_WAIT.as_secs().to_string(), if wait { "-w" } else { "-W" }, "-D"]);
    run("pg_ctl stop", stop.arg(site.data()), "").map(drop)
}

/// The pid of a server that runs although nobody held the lock.
fn orphan(site: &Site) -> Option<u32> {
    let (pid, ready) = status(site.data())?;
    // A child that the killed server had just made keeps the socket open for a moment longer.
    let answers = is_alive(pid) && UnixStream::connect(site.socket()).is_ok();
    (ready && answers).then_some(pid)
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|it| rustix::process::test_kill_process(it) != Err(rustix::io::Errno::SRCH))
}

/// The server records its command line: one that was started for tests must not be adopted for real data.
fn has_settings(site: &Site, durability: Durability) -> bool {
    fs::read_to_string(site.data().join("postmaster.opts"))
        .is_ok_and(|opts| settings(durability).all(|setting| opts.contains(&format!("\"{setting}\""))))
}

fn settings(durability: Durability) -> impl Iterator<Item = &'static str> {
    let special: &[&'static str] = match durability {
        Durability::Full => &FULL,
        Durability::Throwaway => &THROWAWAY,
    };
    SETTINGS.iter().chain(special).copied()
}

/// The pid on line 1 of `postmaster.pid`, and whether line 8 says "ready".
fn status(data: &Path) -> Option<(u32, bool)> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    Some((pid, lines.nth(6).is_some_and(|line| line.trim() == "ready")))
}
