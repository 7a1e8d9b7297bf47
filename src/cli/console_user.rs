//! `wecomd console-user`: the members who may log in to the console, and their roles.

use clap::{Args, Subcommand};
use sqlx::Connection;

use super::{
    database::with_pool,
    field,
    line::{WHO, note},
    say,
    token::corp,
};
use crate::{
    config::Config,
    ids::UserId,
    states::Role,
    tables::{access::console_user, apply, staff::member_alias},
};

/// How many are listed at most.
const LISTED_MAX: i64 = 10_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let a member log in to the console with WeCom, or change their role
    Add {
        /// The member's userid in WeCom
        #[arg(long)]
        userid: String,
        /// What they may do: viewer reads, operator also binds and replays, admin does everything
        #[arg(long)]
        role: Role,
        /// Limit them to their own customers and orders; for a viewer or an operator
        #[arg(long)]
        own_only: bool,
        /// Their corp; may be left out if there is only one
        #[arg(long)]
        corpid: Option<String>,
    },
    /// List who may log in
    List,
    /// Withdraw a member's login; their sessions end at once
    Remove {
        /// The member's userid in WeCom
        #[arg(long)]
        userid: String,
        /// Their corp; may be left out if there is only one
        #[arg(long)]
        corpid: Option<String>,
    },
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        match arguments.command {
            Command::Add { userid, role, own_only, corpid } => {
                anyhow::ensure!(!own_only || role < Role::Admin, "--own-only is for a viewer or an operator");
                anyhow::ensure!(!userid.trim().is_empty(), "--userid is empty");
                let corpid = corp(&mut conn, corpid.as_deref()).await?;
                let mut transaction = conn.begin().await?;
                let user = apply::know(&mut transaction, &corpid, &UserId(userid.clone()), false).await?;
                console_user::put(&mut transaction, &corpid, &user, role, own_only, WHO).await?;
                transaction.commit().await?;
                note(&mut conn, "wecomd console-user add", &userid).await?;
                say(&format!("{userid} may log in as {role}"));
            }
            Command::List => {
                for it in console_user::page(&mut conn, None, LISTED_MAX).await? {
                    let name = it.name.unwrap_or_default();
                    let (name, userid) = (field(&name), field(it.wechat_userid.as_str()));
                    let own = if it.own_only { "own only" } else { "all" };
                    say(&format!("{userid:<20}  {:<8}  {own:<8}  {}  {name}", it.role, it.corpid));
                }
            }
            Command::Remove { userid, corpid } => {
                let corpid = corp(&mut conn, corpid.as_deref()).await?;
                let user = member_alias::current(&mut conn, &corpid, &UserId(userid.clone())).await?;
                let removed = console_user::remove(&mut conn, &corpid, &user).await?;
                anyhow::ensure!(removed, "{userid} may not log in anyway");
                note(&mut conn, "wecomd console-user remove", &userid).await?;
                say(&format!("{userid} can no longer log in"));
            }
        }
        Ok(())
    })
    .await
}
