//! `wecomd backup`: makes a backup now, or lists attempts.

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{database::Database, field, say, say_as_it_is};
use crate::{app, config::Config, media::MediaStore, tables, telemetry, vault::Vault};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// List the latest attempts instead
    #[arg(long)]
    list: bool,
    /// With --list: one JSON object a line
    #[arg(long, requires = "list")]
    json: bool,
}

/// How many attempts a list shows.
const LISTED: i64 = 50;

/// The log filter beside the progress bar: warnings and errors only.
const LOG: &str = "warn";

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    telemetry::logs(LOG, false)?;
    let database = Database::open(config).await?;
    let done = if arguments.list { list(&database, arguments.json).await } else { make(config, &database).await };
    database.stop().await?;
    done
}

/// A spinner that shows how many bytes were read; silent without a terminal.
pub(super) fn spinner(words: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("  {spinner} {msg}: {bytes}, {bytes_per_sec}");
    let bar = ProgressBar::no_length().with_message(words);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

async fn make(config: &Config, database: &Database) -> anyhow::Result<()> {
    let vault = Arc::new(Vault::from_env_or_file(config.master_key_file())?);
    database.migrated().await?.close().await;
    let media = MediaStore::new(&config.media_location(), config.media.bytes_max).context("media.location")?;
    let bar = spinner("saving");
    let backups = app::backups(config, &database.url, &vault, &media);
    let made = backups.make(backups.now().await?, &|bytes| bar.inc(bytes)).await;
    bar.finish_and_clear();
    let made = made?;
    say(&format!("{}", made.file.display()));
    say(&format!("  {} bytes, {} rows, {} files of the media store", made.bytes, made.rows, made.media));
    say(&format!("  sha256 {}", hex::encode(made.sha256)));
    say(&format!("  opens with master key {}: keep that somewhere else than the backup", vault.current()));
    match made.lacking {
        Some(lacking) => anyhow::bail!("the database is saved, but {lacking}"),
        None => Ok(()),
    }
}

async fn list(database: &Database, as_json: bool) -> anyhow::Result<()> {
    let pool = database.migrated().await?;
    for it in tables::upkeep::backup::list(&mut *pool.acquire().await?, LISTED).await? {
        if as_json {
            say_as_it_is(&serde_json::to_string(&it)?);
            continue;
        }
        let state = if it.removed_at.is_some() { "removed" } else { it.outcome.as_str() };
        let size = it.bytes.map_or_else(String::new, |bytes| format!("  {bytes} bytes"));
        let reason = it.reason.map_or_else(String::new, |reason| format!("  {}", field(&reason)));
        say(&format!("{:>4}  {:.0}  {state:<8}  {}{size}{reason}", it.id, it.started_at, it.file));
    }
    pool.close().await;
    Ok(())
}
