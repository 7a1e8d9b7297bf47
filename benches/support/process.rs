//! Processes that are measured: started, watched through `/proc`, and gone when the benchmark ends.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use super::database::Database;

/// How long a server may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks whether it does.
const PAUSE: Duration = Duration::from_millis(20);

/// A server in a process of its own. Dropping it kills it, as a crash would: what it answered must survive that.
pub(crate) struct Process {
    child: Child,
    spool: Option<PathBuf>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Process {
    /// The daemon on the database `name`, with these arguments after `serve`.
    pub(crate) async fn wecomd(database: &Database, name: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::wecomd_with(database, name, arguments, &[]).await
    }

    /// The same with these variables in its environment.
    pub(crate) async fn wecomd_with(
        database: &Database,
        name: &str,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let (public, admin) = (free_address()?, free_address()?);
        let mut command = Command::new(env!("CARGO_BIN_EXE_wecomd"));
        // The caller's environment must not configure the measured program.
        command.env_clear().current_dir(env!("CARGO_TARGET_TMPDIR")).env("WECOMD_LOG", "warn");
        // What is measured is accepting and recording, unless a benchmark says otherwise.
        command.env("WECOMD_TASKS__ENABLED", "false");
        command.envs(settings.iter().copied());
        command.arg("serve").args(arguments).args(["--database-url", &database.url(name)]);
        command.arg("--master-key-file").arg(database.master_key_file());
        command.args(["--public-listen", &public.to_string(), "--admin-listen", &admin.to_string()]);
        command.args(["--data-dir", env!("CARGO_TARGET_TMPDIR")]);
        // Two databases must not share a spool: one process would take over what belongs to the other database.
        let spool = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("spool-{}", public.port()));
        command.env("WECOMD_SPOOL__LOCATION", &spool);
        let mut process = Self::start(command, public).await?;
        process.spool = Some(spool);
        Ok(process)
    }

    /// Starts a server that is told to listen at `address`, and waits until it does.
    pub(crate) async fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut process = Self { child, spool: None, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(process.child.try_wait()?.is_none(), "{command:?} ended before it listened");
            ensure!(began.elapsed() < START_LIMIT, "{command:?} does not listen");
            tokio::time::sleep(PAUSE).await;
        }
        Ok(process)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(spool) = &self.spool {
            let _ = fs::remove_dir_all(spool);
        }
    }
}

/// An address on this machine that nobody listens at.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A process's memory that is not swapped or unused, in MB.
pub(crate) fn resident_mb(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process without memory")?;
    Ok(line.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
