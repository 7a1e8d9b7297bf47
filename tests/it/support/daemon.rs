//! The real program as a process of its own, to be killed, stopped and started again.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

use tokio::net::TcpStream;

use super::{
    app::NOBODY,
    folder::Folder,
    http::{Answer, request},
    wait::until,
};

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_wecomd");

/// Ports are taken from below the kernel's own range: while a killed daemon is away, no other socket is given its
/// port by chance.
const PORTS_FROM: u16 = 20_000;

/// How many ports a test process has to itself, more or less.
const PORTS_PER_PROCESS: u16 = 8;

/// How many test processes get ports of their own before the numbers begin anew.
const PROCESSES: u16 = 1_500;

/// `wecomd serve`. Dropping it kills it.
pub(crate) struct Daemon {
    /// Where callbacks arrive, unless it runs with `--no-callback`.
    pub(crate) public: SocketAddr,
    /// Where probes arrive.
    pub(crate) admin: SocketAddr,
    command: Command,
    child: Child,
    folder: Folder,
}

impl Daemon {
    /// Starts it, and returns when it answers.
    pub(crate) async fn start(key: &str, settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut daemon = Self::launch(key, settings, arguments);
        daemon.ready().await;
        daemon
    }

    /// Starts it, and returns at once. `settings` are environment variables.
    pub(crate) fn launch(key: &str, settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = Folder::new("daemon");
        let (public, admin) = (free_port(), free_port());
        let mut command = program(folder.path());
        command.arg("serve").args(arguments).env("WECOMD_MASTER_KEY", key);
        command.env("WECOMD_PUBLIC_LISTEN", public.to_string()).env("WECOMD_ADMIN_LISTEN", admin.to_string());
        // Tests of the recording half compare what it enqueued: whoever wants tasks done says so.
        command.env("WECOMD_TASKS__ENABLED", "false").env("WECOMD_SYNC__EVERY_HOURS", "0");
        command.env("WECOMD_WECOM__BASE_URL", NOBODY);
        command.envs(settings.iter().copied());
        let child = spawn(&mut command, folder.path());
        Self { public, admin, command, child, folder }
    }

    /// Starts it again on the same ports, after it ended.
    pub(crate) fn again(&mut self) {
        self.child = spawn(&mut self.command, self.folder.path());
    }

    /// Returns when it answers.
    pub(crate) async fn ready(&mut self) {
        let admin = self.admin;
        until("wecomd answers", async || {
            assert!(self.is_running(), "wecomd ended instead of starting");
            // Its port is bound before there is somebody to answer: a refusal comes at once, an answer may take.
            TcpStream::connect(admin).await.is_ok()
        })
        .await;
        assert_eq!(self.probe("/livez").await.status, 200);
    }

    /// SIGKILL: not a single instruction more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// SIGTERM: please stop.
    pub(crate) fn terminate(&self) {
        signal("-TERM", self.child.id());
    }

    /// How it ended, when it has.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("wecomd ends", async || self.child.try_wait().expect("it is ours").is_some()).await;
        self.child.wait().expect("it is ours")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// The sum of a metric's samples whose labels contain `label`.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> f64 {
        let text = self.probe("/metrics").await.text();
        let samples = text.lines().filter(|it| it.starts_with(name) && it.contains(label));
        samples.filter_map(|it| it.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// What it wrote on stderr so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(log(self.folder.path())).expect("a log")
    }

    /// Asks its admin API for something under these credentials.
    pub(crate) async fn ask(&self, bearer: &str, method: &str, target: &str, body: &str) -> Answer {
        let headers = [("authorization", bearer)];
        request(self.admin, method, target, &headers, body.as_bytes()).await.expect("an answer")
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a probe says.
    pub(crate) async fn probe(&self, path: &str) -> Answer {
        request(self.admin, "GET", path, &[], b"").await.expect("an answer")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(log(self.folder.path())).unwrap_or_default();
            let lines: Vec<_> = log.lines().map(|it| it.chars().take(300).collect::<String>()).collect();
            eprintln!("wecomd's last words:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

/// The program in an empty folder, with an environment that says nothing.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).env_clear().stdin(Stdio::null()).env("WECOMD_DATA_DIR", folder.join("data"));
    command.envs(["PATH", "HOME", "TMPDIR", "WECOMD_PG_BIN"].into_iter().filter_map(|it| Some((it, env::var_os(it)?))));
    command
}

/// A PostgreSQL whose processes are all suspended. They continue when it is dropped.
pub(crate) struct Hung(Vec<u32>);

impl Hung {
    pub(crate) fn with_children(postmaster: u32) -> Self {
        // The parent first, so that it starts no more children.
        signal("-STOP", postmaster);
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
        let children = children.expect("the kernel names children");
        let children = children.split_whitespace().map(|it| it.parse().expect("a process id"));
        let hung: Vec<u32> = [postmaster].into_iter().chain(children).collect();
        hung.iter().skip(1).for_each(|it| signal("-STOP", *it));
        Self(hung)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        for it in &self.0 {
            // One that goes on may end another.
            let _ = Command::new("kill").args(["-CONT", &it.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

/// Sends a signal by name.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "{name} could not be sent");
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let ours = u16::try_from(std::process::id() % u32::from(PROCESSES)).expect("small") * PORTS_PER_PROCESS;
    loop {
        let offset = (ours + NEXT.fetch_add(1, Ordering::Relaxed)) % (PROCESSES * PORTS_PER_PROCESS);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS_FROM + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn spawn(command: &mut Command, folder: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(log(folder)).expect("a log");
    command.stdout(Stdio::null()).stderr(log).spawn().expect("wecomd starts")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}
