//! `wecomd token`: who may use the admin API.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::{database::with_pool, say};
use crate::{admin::auth::Role, config::Config, tables::api_token, vault::ApiToken};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token and print it, alone, on stdout; it is shown this once
    Create {
        /// What it may do: viewer reads, operator also binds and replays, admin does everything
        #[arg(long)]
        role: Role,
        /// Whose it is
        #[arg(long)]
        name: String,
    },
    /// List the tokens that were made
    List,
    /// End a token
    Revoke {
        /// Its number, as `list` shows it
        id: i32,
    },
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        match arguments.command {
            Command::Create { role, name } => {
                let token = ApiToken::new();
                api_token::create(&mut conn, &name, role.as_str(), &token.hash, &token.prefix).await?;
                say(token.secret.expose_secret());
            }
            Command::List => {
                for token in api_token::list(&mut conn).await? {
                    let end = token.revoked_at.map_or("live".to_owned(), |at| format!("revoked {at:.0}"));
                    say(&format!("{:>4}  {:<8}  {}…  {}  {}", token.id, token.role, token.prefix, token.name, end));
                }
            }
            Command::Revoke { id } => {
                anyhow::ensure!(api_token::revoke(&mut conn, id).await?, "no live token has number {id}");
                say(&format!("token {id} is revoked"));
            }
        }
        Ok(())
    })
    .await
}
