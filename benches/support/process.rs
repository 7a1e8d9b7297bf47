//! Processes that are measured: started, watched through `/proc`, and gone when the benchmark ends.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
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
    /// Whether it leads a process group, of which nobody may stay behind.
    is_leader: bool,
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
        // A folder of its own: what one daemon keeps beside its database must not meet another's.
        let data_dir = database.folder().join(format!("data-{name}"));
        fs::create_dir_all(&data_dir)?;
        command.arg("--data-dir").arg(data_dir);
        Self::start(command, public).await
    }

    /// Starts a server that is told to listen at `address`, and waits until it does.
    pub(crate) async fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut process = Self { child, is_leader: false, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(process.child.try_wait()?.is_none(), "{command:?} ended before it listened");
            ensure!(began.elapsed() < START_LIMIT, "{command:?} does not listen");
            tokio::time::sleep(PAUSE).await;
        }
        Ok(process)
    }

    /// The same for a server that starts processes of its own: all of them are killed with it.
    pub(crate) async fn start_group(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        command.process_group(0);
        let mut process = Self::start(command, address).await?;
        process.is_leader = true;
        Ok(process)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        if self.is_leader {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on this machine that nobody listens at.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A process's memory that is not swapped or unused, in MB.
pub(crate) fn resident_mb(pid: u32) -> anyhow::Result<f64> {
    memory_mb(pid, "VmRSS:")
}

/// The most that it was so far.
pub(crate) fn peak_mb(pid: u32) -> anyhow::Result<f64> {
    memory_mb(pid, "VmHWM:")
}

fn memory_mb(pid: u32, name: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a process without memory")?;
    Ok(line.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}

/// The processes that a process started and that still run.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    lists.flat_map(|it| it.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<_>>()).collect()
}
