//! `wecomd token`: creates, lists and revokes tokens of the admin API.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use super::{database::with_pool, field, line::note, say};
use crate::{
    access::token::{EXPIRES_DAYS_MAX, check_own_only, state},
    config::Config,
    ids::CorpId,
    states::Role,
    tables::{
        self,
        access::api_token::{self, TokenRow},
        apps::enterprise_wechat_config,
    },
    vault::ApiToken,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a token and print it, alone, on stdout; it is shown only this once
    Create {
        /// What it may do: viewer reads, operator also binds and replays, admin does everything
        #[arg(long)]
        role: Role,
        /// Its owner's name
        #[arg(long)]
        name: String,
        /// After how many days it expires; never, if this is left out
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=i64::from(EXPIRES_DAYS_MAX)))]
        expires: Option<u32>,
        /// The staff member to whom it belongs: it ends when they leave
        #[arg(long, visible_alias = "staff-id", value_name = "STAFF_ID")]
        staff: Option<String>,
        /// Their corp; may be left out if there is only one
        #[arg(long, requires = "staff")]
        corpid: Option<String>,
        /// Limit it to their own customers and orders; for a viewer or an operator
        #[arg(long, requires = "staff")]
        own_only: bool,
    },
    /// List all tokens ever created
    List,
    /// Revoke a token
    Revoke {
        /// Its number, as `list` shows it
        id: i32,
    },
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        match arguments.command {
            Command::Create { role, name, expires, staff, corpid, own_only } => {
                check_own_only(own_only, staff.is_some(), role)
                    .map_err(|it| anyhow::anyhow!("{} {}", it.field, it.why))?;
                let token = ApiToken::new();
                let mut transaction = conn.begin().await?;
                let hash = &token.hash;
                let id = api_token::create(&mut transaction, &name, role, hash, &token.prefix).await?;
                if let Some(days) = expires {
                    api_token::expire_in(&mut transaction, id, i32::try_from(days)?).await?;
                }
                if let Some(staff) = staff {
                    let corpid = corp(&mut transaction, corpid.as_deref()).await?;
                    api_token::belong(&mut transaction, id, &corpid, &staff).await?;
                }
                if own_only {
                    api_token::limit_to_own(&mut transaction, id).await?;
                }
                note(&mut transaction, "wecomd token create", &name).await?;
                transaction.commit().await?;
                say(token.secret.expose_secret());
            }
            Command::List => {
                let now = tables::now(&mut conn).await?;
                for token in api_token::list(&mut conn).await? {
                    say(&line(&token, now));
                }
            }
            Command::Revoke { id } => {
                anyhow::ensure!(api_token::revoke(&mut conn, id).await?, "no live token has number {id}");
                note(&mut conn, "wecomd token revoke", &id.to_string()).await?;
                say(&format!("token {id} is revoked"));
            }
        }
        Ok(())
    })
    .await
}

/// A token's line in the list: number, role, prefix, name, last use, and state.
fn line(token: &TokenRow, now: DateTime<Utc>) -> String {
    let end = match (state(token, now), token.revoked_at, token.expires_at) {
        ("revoked", Some(at), _) => format!("revoked {}", time(&at)),
        ("expired", _, Some(at)) => format!("expired {}", time(&at)),
        (_, _, Some(at)) => format!("live until {}", time(&at)),
        (..) => "live".to_owned(),
    };
    let used = token.last_used_at.map_or("never used".to_owned(), |at| format!("last used {}", time(&at)));
    let whose = match (&token.staff_id, token.own_only) {
        (Some(staff), true) => format!("  sees {}'s own alone", field(staff)),
        (Some(staff), false) => format!("  of {}", field(staff)),
        (None, _) => String::new(),
    };
    format!("{:>4}  {:<8}  {}…  {}  {used}  {end}{whose}", token.id, token.role, token.prefix, field(&token.name))
}

fn time(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The given corp, or the only one.
pub(super) async fn corp(conn: &mut PgConnection, given: Option<&str>) -> anyhow::Result<CorpId> {
    let mut corps = enterprise_wechat_config::corps(conn).await?;
    match given {
        Some(given) => {
            let found = corps.into_iter().find(|it| it.as_str() == given);
            found.ok_or_else(|| anyhow::anyhow!("--corpid {given} is the corpid of no app"))
        }
        None if corps.len() > 1 => anyhow::bail!("--corpid is required, because there are apps of several corps"),
        None => corps.pop().ok_or_else(|| anyhow::anyhow!("there is no app yet, so no corp to be a member of")),
    }
}
