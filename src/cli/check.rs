//! `wecomd check`: checks whether everything is in place, and says what to do if not.

use std::{net::SocketAddr, path::Path, time::Duration};

use rustix::fs::Access;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{database::Database, say, spool::mebibytes};
use crate::{
    app,
    apps::Apps,
    config::Config,
    inbox, server,
    spool::left_waiting,
    tables::{
        self, MIGRATOR,
        upkeep::partitions::{self, LockRoom},
    },
    vault::{Vault, VaultError},
};

/// How long a running wecomd may take to answer the check.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4_096;

/// How many connections the check may open.
const POOL_MAX: u32 = 2;

/// Prints each result on a line; returns an error if any check failed.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    say("ok    configuration");
    let vault = Vault::from_env_or_file(config.master_key_file());
    let mut failed = report("master key", vault.as_ref().map(|_| String::new()).map_err(ToString::to_string));
    let found = database(config, vault).await;
    failed += report("database", found.map_err(|error| format!("{error:#}")));
    if config.spool.enabled {
        failed += report("spool", spool(config));
    } else if let Some(warning) = spool_left(config) {
        say(&warning);
    }
    if lives(config.admin_listen).await {
        say(&format!("ok    listeners: wecomd is running, and answers at {}", config.admin_listen));
    } else {
        let public = listener(config.public_listen, "--public-listen").await;
        failed += report("public listener", public);
        failed += report("admin listener", listener(config.admin_listen, "--admin-listen").await);
    }
    anyhow::ensure!(failed == 0, "{failed} of the checks above failed");
    Ok(())
}

fn report(name: &str, found: Result<String, String>) -> u32 {
    match found {
        Ok(details) if details.is_empty() => say(&format!("ok    {name}")),
        Ok(details) => say(&format!("ok    {name}: {details}")),
        Err(problem) => {
            say(&format!("FAIL  {name}: {problem}"));
            return 1;
        }
    }
    0
}

/// Checks that the database answers, has this program's schema, and that its secrets open.
async fn database(config: &Config, vault: Result<Vault, VaultError>) -> anyhow::Result<String> {
    let database = Database::open(config).await?;
    let looked = async {
        let pool = app::connect(&app::connect_options(&database.url)?, POOL_MAX).await?;
        let mut conn = pool.acquire().await?;
        let missing = tables::missing_migrations(&mut conn).await?;
        anyhow::ensure!(missing == 0, "{missing} migrations are missing; run `wecomd migrate`, or `wecomd serve`");
        let (pending, parked) = inbox::depth(&mut conn).await?;
        if let Some(warning) = locks_warning(partitions::lock_room(&mut conn).await?) {
            say(&warning);
        }
        drop(conn);
        if let Ok(vault) = vault {
            Apps::load(pool.clone(), vault.into()).await?;
        }
        pool.close().await;
        let migrations = MIGRATOR.iter().count();
        Ok(format!("{migrations} migrations, {pending} deliveries pending, {parked} parked"))
    }
    .await;
    database.stop().await?;
    looked
}

/// Checks that the spool's folder can be written, or made, and says how much room there is. It makes nothing: what root
/// makes here, a service of another user cannot use.
fn spool(config: &Config) -> Result<String, String> {
    let location = config.spool_location();
    let shown = location.display();
    let problem =
        |error: &dyn std::fmt::Display| format!("{shown}: {error}; choose another folder with spool.location");
    let there = location.ancestors().find(|it| it.exists()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(problem(&format_args!("{} is not a folder", there.display())));
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| problem(&error))?;
    let disk = rustix::fs::statvfs(there).map_err(|error| problem(&error))?;
    let (free, max) = (disk.f_bavail.saturating_mul(disk.f_frsize), config.spool.bytes_max);
    let (free, max, enough) = (mebibytes(free), mebibytes(max), free >= max);
    if !enough {
        say(&format!("WARN  spool: the disk of {shown} has {free} free, less than spool.bytes_max ({max})"));
    }
    Ok(format!("{shown}, up to {max}; {free} are free"))
}

/// The warning if callbacks wait in a spool that is turned off.
fn spool_left(config: &Config) -> Option<String> {
    let location = config.spool_location();
    let shown = location.display();
    match left_waiting(&location) {
        Ok(0) => None,
        Ok(segments) => Some(format!(
            "WARN  spool: {segments} segments wait in {shown}, and nobody reads them: set spool.enabled = true until \
             `wecomd spool status` counts none"
        )),
        Err(error) => Some(format!("WARN  spool: {shown}: {error}")),
    }
}

/// From this share of PostgreSQL's lock table on the check warns.
const LOCKS_PERCENT_MAX: i64 = 50;

fn locks_warning(it: LockRoom) -> Option<String> {
    let LockRoom { partitions, locks, room } = it;
    let percent = locks * 100 / room.max(1);
    (percent >= LOCKS_PERCENT_MAX).then(|| {
        format!(
            "WARN  partitions: a backup locks all {partitions} and their indexes, {locks} locks, which is {percent} % of \
             what PostgreSQL has room for ({room}): raise max_locks_per_transaction, or let old days go by [retention]"
        )
    })
}

/// Whether a wecomd answers there: then its addresses are rightly in use.
async fn lives(admin: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(admin).await?;
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: wecomd\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"))
    };
    matches!(tokio::time::timeout(ANSWER_LIMIT, asked).await, Ok(Ok(true)))
}

async fn listener(address: SocketAddr, option: &str) -> Result<String, String> {
    match server::bind(address, option).await {
        Ok(_) => Ok(address.to_string()),
        Err(error) => Err(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_given_if_a_backup_would_need_too_many_locks() {
        let of = |locks| LockRoom { partitions: 1_000, locks, room: 6_400 };
        assert_eq!(locks_warning(of(3_199)), None);
        let warning = locks_warning(of(3_200)).expect("a warning");
        assert!(warning.contains("all 1000 and their indexes, 3200 locks, which is 50 %"), "{warning}");
    }
}
