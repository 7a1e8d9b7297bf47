//! `wecomd archive`: makes and adds the keys of the message archive (会话内容存档), and shows how far it is read.
//!
//! A private key is never printed. It is read from a file or from standard input, never from the command line.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};
use secrecy::SecretString;
use sqlx::{PgConnection, PgPool};
use zeroize::Zeroizing;

use super::{database::with_pool, field, say, say_as_it_is};
use crate::{
    archive::{Key, sealed_at},
    config::Config,
    ids::CorpId,
    tables::{
        apps::enterprise_wechat_config,
        archive::{
            archive_account,
            archive_key::{self, KeyRow},
        },
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
    /// Make, add and list the keys that open archived messages
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Show how far the archive is read, and what is wrong with it
    Status,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, keep it, and print its public half, alone, on stdout: paste it into WeCom's console
    New {
        /// The corp; may be left out if there is only one
        #[arg(long)]
        corpid: Option<String>,
    },
    /// Add a private key in PEM; what did not open yet is tried with it
    Add {
        /// The version that WeCom's console shows for its public half; may be left out, it is found out then
        #[arg(long = "version", value_name = "NUMBER")]
        key_version: Option<i32>,
        /// The corp; may be left out if there is only one
        #[arg(long)]
        corpid: Option<String>,
        /// The file with the key; standard input, if this is left out
        file: Option<PathBuf>,
    },
    /// List the keys
    List,
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Status => with_pool(config, status).await,
        Command::Key { command: KeyCommand::List } => with_pool(config, list).await,
        Command::Key { command: KeyCommand::New { corpid } } => {
            let key = Key::generate()?;
            save(config, &key, None, corpid).await?;
            say_as_it_is(key.public_pem().trim_end());
            Ok(())
        }
        Command::Key { command: KeyCommand::Add { key_version, corpid, file } } => {
            let key = Key::parse(&pem(file.as_deref())?)?;
            key.check_size()?;
            save(config, &key, key_version, corpid).await?;
            say(&format!("added the key {}", short(key.public_hash())));
            Ok(())
        }
    }
}

/// The key's text. What was read is overwritten.
fn pem(file: Option<&Path>) -> anyhow::Result<SecretString> {
    let mut text = Zeroizing::new(String::new());
    match file {
        Some(path) => {
            let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
            file.read_to_string(&mut text).with_context(|| path.display().to_string())?;
        }
        None => {
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
        }
    }
    Ok(text.as_str().into())
}

async fn save(config: &Config, key: &Key, version: Option<i32>, corpid: Option<String>) -> anyhow::Result<()> {
    let vault = Vault::from_env_or_file(config.master_key_file())?;
    with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        let corpid = corp(&mut conn, corpid).await?;
        keep(&mut conn, &vault, key, version, corpid).await
    })
    .await
}

/// Keeps a corp's key, sealed.
pub(super) async fn keep(
    conn: &mut PgConnection,
    vault: &Vault,
    key: &Key,
    version: Option<i32>,
    corpid: CorpId,
) -> anyhow::Result<()> {
    let public_hash = key.public_hash().to_vec();
    let row = KeyRow {
        private_key: vault.seal(&sealed_at(&corpid, &public_hash), &key.private_pem()?)?,
        public_key: key.public_pem().to_owned(),
        added_at: chrono::Utc::now(),
        corpid,
        public_hash,
        version,
    };
    let added = archive_key::add(conn, &row).await?;
    anyhow::ensure!(added, "another key of the corp has this version already: see `wecomd archive key list`");
    Ok(())
}

/// The named corp, or the only one.
async fn corp(conn: &mut PgConnection, named: Option<String>) -> anyhow::Result<CorpId> {
    let corps = enterprise_wechat_config::corps(conn).await?;
    match (named, corps.as_slice()) {
        (Some(named), _) => {
            let corpid = CorpId(named);
            anyhow::ensure!(corps.contains(&corpid), "no app belongs to the corp {corpid}: add one first");
            Ok(corpid)
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => anyhow::bail!("there is no app yet: add the archive's first, with agentid 2000004"),
        (None, _) => anyhow::bail!("there are several corps: name one with --corpid"),
    }
}

async fn list(pool: &PgPool) -> anyhow::Result<()> {
    let keys = archive_key::all(&mut *pool.acquire().await?, None).await?;
    if keys.is_empty() {
        say("there is no key yet; `wecomd archive key new` makes one");
    }
    for key in keys {
        let version = key.version.map_or_else(|| "not seen in use yet".to_owned(), |it| format!("version {it}"));
        say(&format!(
            "{}  {}  {version}  added {}",
            field(key.corpid.as_str()),
            short(&key.public_hash),
            key.added_at.format("%Y-%m-%d %H:%M:%S UTC")
        ));
    }
    Ok(())
}

async fn status(pool: &PgPool) -> anyhow::Result<()> {
    let views = archive_account::views(&mut *pool.acquire().await?).await?;
    if views.is_empty() {
        say("no archive is read: set archive.enabled, and add an app with agentid 2000004 and the archive's secret");
    }
    for it in views {
        let at = |time: Option<chrono::DateTime<chrono::Utc>>| {
            time.map_or_else(|| "never".to_owned(), |it| it.format("%Y-%m-%d %H:%M:%S UTC").to_string())
        };
        let corpid = field(&it.corpid);
        say(&format!("{corpid}: read up to {}, caught up {}", it.seq, at(it.caught_up_at)));
        say(&format!("  sealed: {}; agreed: {}, not agreed: {}", it.sealed, it.agreed, it.disagreed));
        for gap in it.gaps.as_array().into_iter().flatten() {
            say(&format!("  lost: between {} and {}", gap["from"], gap["to"]));
        }
        if let Some(trouble) = it.trouble {
            say(&format!("  trouble: {}", field(&trouble)));
        }
    }
    Ok(())
}

/// A key's hash, as far as people need it.
fn short(hash: &[u8]) -> String {
    hex::encode(hash).chars().take(SHORT_CHARS).collect()
}

/// How many characters of a hash are shown.
const SHORT_CHARS: usize = 16;
