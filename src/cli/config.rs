//! `wecomd config`: adds, lists, enables and disables apps.

use std::io::Read;

use chrono::{SecondsFormat, TimeDelta};
use clap::{Args, Subcommand};

use super::{database::with_pool, line::note, say};
use crate::{
    app_config,
    config::Config,
    tables::{self, apps::enterprise_wechat_config},
    vault::Vault,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add or change an app; reads the fields of `POST config` as JSON from stdin, so that no secret is in a process list
    #[command(after_help = ADD_EXAMPLE)]
    Add,
    /// List the apps, without their secrets
    List,
    /// Disable an app's callback URL; its received data stays
    Disable {
        /// The app's name
        name: String,
    },
    /// Enable it again
    Enable {
        /// The app's name
        name: String,
    },
}

const ADD_EXAMPLE: &str = r#"Example:
  wecomd config add <<'EOF'
  {"name": "service", "corpid": "ww…", "agentid": 1000002, "secret": "…",
   "token": "…", "encoding_aes_key": "…"}
  EOF"#;

/// How long an app's configuration may be.
const INPUT_BYTES_MAX: u64 = 1024 * 1024;

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        match arguments.command {
            Command::Add => {
                let vault = Vault::from_env_or_file(config.master_key_file())?;
                let mut text = String::new();
                std::io::stdin().take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
                let new = serde_json::from_str(&text)
                    .map_err(|error| anyhow::anyhow!("stdin is not an app's configuration: {error}"))?;
                let overlap = TimeDelta::hours(config.callback.key_overlap_hours.into());
                let saved = app_config::save(&mut conn, &vault, overlap, new).await?;
                note(&mut conn, "wecomd config add", &saved.row.name).await?;
                let done = if saved.created { "added" } else { "changed" };
                say(&format!("{done}; its callbacks go to /callback/{}", saved.row.name));
            }
            Command::List => {
                let now = tables::now(&mut conn).await?;
                for app in enterprise_wechat_config::all(&mut conn).await? {
                    say(&format!("{:<20}  {:<8}  {}  /callback/{}", app.name, app.status, app.corpid, app.name));
                    if let Some(until) = app.previous_until.filter(|until| *until > now) {
                        let (count, until) =
                            (app.previous_deliveries, until.to_rfc3339_opts(SecondsFormat::Secs, true));
                        say(&format!("{:<20}  previous keys until {until}, {count} deliveries under them", ""));
                    }
                }
            }
            Command::Disable { name } => {
                let known = app_config::set_status(&mut conn, &name, false).await?;
                anyhow::ensure!(known, "there is no app of the name {name}: `wecomd config list` shows them");
                note(&mut conn, "wecomd config disable", &name).await?;
            }
            Command::Enable { name } => {
                let known = app_config::set_status(&mut conn, &name, true).await?;
                anyhow::ensure!(known, "there is no app of the name {name}: `wecomd config list` shows them");
                note(&mut conn, "wecomd config enable", &name).await?;
            }
        }
        Ok(())
    })
    .await
}
