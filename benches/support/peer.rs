//! Receivers as one would write them in Python and for Node, with the packages that most would take.
//!
//! Their sources are in `benches/peers/`. What they need is installed from PyPI and npm into cargo's folder for temporary
//! files, once for each list of versions. Where that cannot be done, there is a reason instead of a receiver.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;

use super::{
    process::{Process, free_address},
    supply::Supply,
};

/// How many connections to the database all processes of a receiver share.
const POOL: usize = 16;

/// What a receiver is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// wechatpy, FastAPI, uvicorn, asyncpg.
    FastApi,
    /// @wecom/crypto, Fastify, pg.
    Fastify,
}

impl Kind {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::FastApi, Self::Fastify];

    /// Its framework's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FastApi => "FastAPI",
            Self::Fastify => "Fastify",
        }
    }

    /// Installs what it needs; the error says why that is not possible here.
    pub(crate) fn install(self) -> anyhow::Result<Installed> {
        let (folder, versions) = match self {
            Self::FastApi => ("peer-python", "requirements.txt"),
            Self::Fastify => ("peer-node", "package-lock.json"),
        };
        let (folder, sources) = (Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder), sources());
        let versions = fs::read(sources.join(versions))?;
        // Made last: without it, something broke off, or was installed for other versions.
        let done = folder.join(hex::encode(Sha256::digest(&versions)));
        if !done.is_file() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            match self {
                Self::FastApi => install_python(&folder, &sources)?,
                Self::Fastify => install_node(&folder, &sources)?,
            }
            fs::write(done, "")?;
        }
        Ok(Installed { kind: self, folder })
    }
}

/// A receiver that can be started.
#[derive(Debug)]
pub(crate) struct Installed {
    kind: Kind,
    folder: PathBuf,
}

impl Installed {
    /// Starts it with so many processes on that database, which has the rivals' table.
    pub(crate) async fn start(
        &self,
        processes: usize,
        database: &PgConnectOptions,
        supply: &Supply,
    ) -> anyhow::Result<Process> {
        let (address, connections) = (free_address()?, (POOL / processes).max(1).to_string());
        let mut command = match self.kind {
            Kind::FastApi => {
                let mut uvicorn = Command::new(self.folder.join("bin/uvicorn"));
                uvicorn
                    .args(["receiver:app", "--no-access-log", "--log-level", "error"])
                    .arg("--app-dir")
                    .arg(sources());
                uvicorn.args(["--loop", "uvloop", "--http", "httptools", "--host", "127.0.0.1"]);
                uvicorn.args(["--port", &address.port().to_string(), "--workers", &processes.to_string()]);
                uvicorn.env("PYTHONDONTWRITEBYTECODE", "1");
                uvicorn
            }
            Kind::Fastify => {
                fs::copy(sources().join("receiver.mjs"), self.folder.join("receiver.mjs"))?;
                let mut node = Command::new("node");
                node.arg("receiver.mjs").current_dir(&self.folder).env("NODE_ENV", "production");
                node.env("PEER_PORT", address.port().to_string()).env("PEER_PROCESSES", processes.to_string());
                node
            }
        };
        // Both drivers read libpq's variables.
        let socket = database.get_socket().context("a database that listens on no socket")?;
        command.env("PGHOST", socket).env("PGPORT", database.get_port().to_string());
        command.env("PGUSER", database.get_username()).env("PGDATABASE", database.get_database().unwrap_or_default());
        command.env("PEER_CONNECTIONS", connections).env("PEER_APPS", apps(supply));
        Process::start_group(command, address).await
    }
}

fn install_python(folder: &Path, sources: &Path) -> anyhow::Result<()> {
    succeed(Command::new("python3").args(["-m", "venv"]).arg(folder), "python3 -m venv")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "20"]);
    succeed(pip.arg("--requirement").arg(sources.join("requirements.txt")), "pip install")
}

fn install_node(folder: &Path, sources: &Path) -> anyhow::Result<()> {
    for name in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(name), folder.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
    npm.args(["--fetch-retries", "1", "--fetch-timeout", "20000"]);
    succeed(npm.current_dir(folder), "npm ci")
}

/// Runs an installer to its end; what it says is part of the reason.
fn succeed(command: &mut Command, name: &str) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{name} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    anyhow::ensure!(output.status.success(), "{name} failed: {last}");
    Ok(())
}

/// The apps with their keys, as a receiver reads them.
fn apps(supply: &Supply) -> String {
    let one = |(number, app): (usize, &wecomd::sandbox::App)| {
        let keys = serde_json::json!({
            "id": number + 1,
            "token": app.token,
            "encoding_aes_key": app.encoding_aes_key,
            "receive_id": app.receive_id,
        });
        (app.name.clone(), keys)
    };
    serde_json::Value::Object(supply.corp.apps.iter().enumerate().map(one).collect()).to_string()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}
