//! `wecomd key`: shows the master keys in use, and replaces the old ones.
//!
//! A rotation seals each value again with the highest key while everything else goes on: both keys open values
//! meanwhile. Each value is written separately, and only if it is still the one that was read, so a rotation may be
//! interrupted, run twice at once, and continue later: values under the new key are skipped.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use sqlx::PgPool;

use super::{database::with_pool, say};
use crate::{
    apps::kept_key_id,
    config::Config,
    spool::folder_views,
    tables::{
        apps::sealed::{self, Value},
        upkeep::backup,
    },
    vault::Vault,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count the sealed values, the backups and the spool's segments under each master key
    Status,
    /// Seal everything with the highest of the master keys; may be interrupted, and run again
    Rotate,
}

/// How many values are read at once.
const BATCH: i64 = 50;

/// How many rounds look for values that others sealed with an old key meanwhile.
const ROUNDS_MAX: usize = 5;

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    let vault = Vault::from_env_or_file(config.master_key_file())?;
    with_pool(config, async |pool| match arguments.command {
        Command::Status => status(pool, &vault, &segments(&config.spool_location())?).await,
        Command::Rotate => rotate(pool, &vault, &config.spool_location()).await,
    })
    .await
}

/// How many segments of the spool there are under each key.
fn segments(location: &Path) -> anyhow::Result<BTreeMap<i64, u64>> {
    let mut counts = BTreeMap::new();
    let folders = folder_views(location).with_context(|| location.display().to_string())?;
    for id in folders.into_iter().flat_map(|it| it.segments).filter_map(|it| it.key_id) {
        *counts.entry(id.into()).or_default() += 1;
    }
    Ok(counts)
}

/// What on this machine's disk is under another key than the current one, for each such key in words.
fn still_needed(location: &Path, current: u32) -> anyhow::Result<Vec<String>> {
    let mut needed = BTreeMap::<_, Vec<_>>::new();
    for (id, count) in segments(location)? {
        needed.entry(id).or_default().push(format!("{count} spool segments"));
    }
    if let Some(id) = kept_key_id(location).with_context(|| location.display().to_string())? {
        needed.entry(id.into()).or_default().push("apps.sealed".to_owned());
    }
    needed.remove(&i64::from(current));
    let in_words = |(id, of): (i64, Vec<String>)| {
        format!(
            "keep key {id}: {} in {} are under it, until a wecomd with the new key has stored the callbacks and written \
             the apps; refused and damaged segments stay until you delete them",
            of.join(" and "),
            location.display()
        )
    };
    Ok(needed.into_iter().map(in_words).collect())
}

async fn status(pool: &PgPool, vault: &Vault, segments: &BTreeMap<i64, u64>) -> anyhow::Result<()> {
    let mut counts: BTreeMap<i64, BTreeMap<String, u64>> = vault.ids().map(|id| (id.into(), BTreeMap::new())).collect();
    let mut conn = pool.acquire().await?;
    let mut after = String::new();
    loop {
        let values = sealed::values(&mut conn, &after, None, BATCH).await?;
        let Some(last) = values.last() else { break };
        after.clone_from(&last.place);
        for value in values {
            *counts.entry(value.key_id).or_default().entry(value.table).or_default() += 1;
        }
    }
    let backups = backup::key_counts(&mut conn).await?;
    for id in backups.keys().chain(segments.keys()) {
        counts.entry(*id).or_default();
    }
    for (id, tables) in counts {
        let known = vault.ids().any(|it| i64::from(it) == id);
        let role = match known {
            true if i64::from(vault.current()) == id => "seals and opens",
            true => "opens",
            false => "MISSING",
        };
        let total: u64 = tables.values().sum();
        let backups = backups.get(&id).copied().unwrap_or_default();
        let segments = segments.get(&id).copied().unwrap_or_default();
        let of: Vec<_> = tables.iter().map(|(table, count)| format!("{table} {count}")).collect();
        let of = if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) };
        say(&format!("key {id}: {role}; {total} values{of}, {backups} backups, {segments} spool segments"));
    }
    Ok(())
}

async fn rotate(pool: &PgPool, vault: &Vault, location: &Path) -> anyhow::Result<()> {
    let current = vault.current();
    let bar = ProgressBar::new_spinner();
    let mut done = 0;
    for _ in 0..ROUNDS_MAX {
        let found = round(pool, vault, &bar, &mut done).await?;
        if found == 0 {
            bar.finish_and_clear();
            say(&format!("{done} values were sealed anew: everything in the database is under master key {current}"));
            for line in still_needed(location, current)? {
                say(&line);
            }
            if vault.ids().count() == 1 {
                say(&format!("there is no other key; add a line `{}:…` with a new one to rotate to it", current + 1));
            }
            return Ok(());
        }
    }
    bar.finish_and_clear();
    anyhow::bail!("others go on sealing with an old key: give every process the new one, then run this again")
}

/// Re-seals everything that is not under the current key; returns how many values that were.
async fn round(pool: &PgPool, vault: &Vault, bar: &ProgressBar, done: &mut u64) -> anyhow::Result<u64> {
    let (mut found, mut after) = (0, String::new());
    loop {
        let mut conn = pool.acquire().await?;
        let values = sealed::values(&mut conn, &after, Some(vault.current()), BATCH).await?;
        let Some(last) = values.last() else { return Ok(found) };
        after.clone_from(&last.place);
        for value in &values {
            found += 1;
            let sealed = anew(vault, value).with_context(|| value.place.clone())?;
            // A value that was changed meanwhile may have been sealed with the old key: the next round handles it.
            if sealed::replace(&mut conn, value, &sealed).await? {
                *done += 1;
            }
            bar.set_message(format!("{done} values sealed anew"));
        }
    }
}

fn anew(vault: &Vault, value: &Value) -> anyhow::Result<Vec<u8>> {
    Ok(vault.seal(&value.place, &vault.open(&value.place, &value.sealed)?)?)
}
