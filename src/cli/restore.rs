//! `wecomd restore`: verifies a backup, or restores it.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{backup::spinner, database::Database, say};
use crate::{
    backup::{Restore, Restored},
    config::Config,
    media::MediaStore,
    telemetry,
    vault::Vault,
};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Arguments {
    /// The backup
    file: PathBuf,
    /// Restore into a scratch database beside the configured one, compare, and drop it again
    #[arg(long, group = "what")]
    verify: bool,
    /// Restore into this database, which must be empty; without a URL into the configured one
    #[arg(long, group = "what", value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    into: Option<SecretString>,
    /// With --into: leave the files of the media store out
    #[arg(long, conflicts_with = "verify")]
    no_media: bool,
    /// With --into: leave out permissions, for servers without the roles that they name
    #[arg(long, conflicts_with = "verify")]
    no_privileges: bool,
}

/// The log filter beside the progress bar: warnings and errors only.
const LOG: &str = "warn";

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    telemetry::logs(LOG, false)?;
    let vault = Arc::new(Vault::from_env_or_file(config.master_key_file())?);
    let restore = Restore { file: arguments.file.clone(), vault, programs: None };
    let given = arguments.into.clone().filter(|url| !url.expose_secret().is_empty());
    // A given URL needs neither another database nor a private server.
    let database = match given {
        Some(url) => Database { url, private: None },
        None => Database::open(config).await?,
    };
    let done = act(config, &arguments, &restore, &database.url).await;
    database.stop().await?;
    let restored = done?;
    anyhow::ensure!(
        restored.damaged.is_empty(),
        "{} files of the media store are not what they were, the first is {}",
        restored.damaged.len(),
        restored.damaged.first().map_or("", String::as_str)
    );
    Ok(())
}

async fn act(
    config: &Config,
    arguments: &Arguments,
    restore: &Restore,
    url: &SecretString,
) -> anyhow::Result<Restored> {
    let bar = spinner(if arguments.verify { "comparing" } else { "restoring" });
    let restored = if arguments.verify {
        restore.verify(url, &|bytes| bar.inc(bytes)).await
    } else {
        let media = MediaStore::new(&config.media_location(), config.media.bytes_max).context("media.location")?;
        let media = Some(&media).filter(|_| !arguments.no_media);
        restore.restore_into(url, media, !arguments.no_privileges, &|bytes| bar.inc(bytes)).await
    };
    bar.finish_and_clear();
    let restored = restored?;
    let manifest = &restored.manifest;
    let rows: i64 = manifest.tables.values().sum();
    say(&format!("{}: made {:.0} by wecomd {}", restore.file.display(), manifest.made_at, manifest.wecomd));
    say(&format!("  {} tables with {rows} rows are as they were", manifest.tables.len()));
    say(&format!("  {} files of the media store are as they were", restored.media));
    if restored.elsewhere > 0 {
        say(&format!("  {} more are kept elsewhere: the backup only lists them", restored.elsewhere));
    }
    if !arguments.verify {
        say("  start `wecomd serve` on that database: callbacks since then are reconciled by `wecomd sync`");
    }
    Ok(restored)
}
