//! `wecomd reporting`: grants access to the views of schema `reporting`, and lists them.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand};

use super::{database::with_pool, say};
use crate::{config::Config, tables::reports::reporting};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let a database role read the views and nothing else; a missing one is created, and its password printed once
    Grant {
        /// Its name: lower-case letters, digits and underscores
        #[arg(long)]
        role: String,
    },
    /// Revoke that; the role itself stays
    Revoke {
        /// Its name
        #[arg(long)]
        role: String,
    },
    /// List the views and their columns with their meanings
    List,
}

/// How many random bytes a role's password has.
const PASSWORD_BYTES: usize = 24;

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        match arguments.command {
            Command::Grant { role } => {
                let password = URL_SAFE_NO_PAD.encode(rand::random::<[u8; PASSWORD_BYTES]>());
                let made = reporting::grant(&mut conn, &role, &password).await;
                let made = made.with_context(|| format!("role {role} gets no right to the views"))?;
                if made {
                    eprintln!("role {role} is made, and may read the views; its password:");
                    say(&password);
                } else {
                    eprintln!("role {role} may read the views; its password is as before");
                }
            }
            Command::Revoke { role } => {
                anyhow::ensure!(reporting::revoke(&mut conn, &role).await?, "there is no role {role}");
                say(&format!("role {role} may no longer read the views; `drop role {role}` takes it away"));
            }
            Command::List => {
                for view in reporting::list(&mut conn).await? {
                    say(&format!("{}  {}", view.name, view.comment));
                    for it in view.columns {
                        say(&format!("  {:<20} {:<26} {}", it.name, it.kind, it.comment));
                    }
                }
            }
        }
        Ok(())
    })
    .await
}
