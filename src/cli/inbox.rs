//! `wecomd inbox`: lists, shows and replays deliveries.

use clap::{Args, Subcommand};
use sqlx::PgConnection;

use super::{database::with_pool, field, line::note, say, say_as_it_is};
use crate::{
    config::Config,
    ids::DeliveryKey,
    inbox::{self, Filter},
    states::DeliveryState,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List deliveries, latest event first
    List {
        /// Only those that are pending, parked, ignored or recorded
        #[arg(long)]
        state: Option<DeliveryState>,
        /// Only those of this app
        #[arg(long)]
        app: Option<String>,
        /// Only those after this one, to continue a list
        #[arg(long, value_name = "ID")]
        after: Option<DeliveryKey>,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one delivery with its plaintext
    Show {
        /// `app-seconds-hash`, as `list` prints it
        id: DeliveryKey,
        /// As one JSON object, nothing escaped for a terminal
        #[arg(long)]
        json: bool,
    },
    /// Record deliveries again, whatever their state; contacts, records and handovers do not change by it
    Replay {
        /// `app-seconds-hash`, as `list` prints it
        #[arg(required_unless_present_any = ["parked", "ignored"])]
        ids: Vec<DeliveryKey>,
        /// Every parked delivery, up to 1,000
        #[arg(long, conflicts_with = "ids")]
        parked: bool,
        /// Every delivery of this event name from which nothing was recorded, because an earlier version knew no use for it
        #[arg(long, value_name = "NAME", conflicts_with_all = ["ids", "parked"])]
        ignored: Option<String>,
    },
}

/// How many parked deliveries one command replays.
const REPLAY_MAX: i64 = 1_000;

/// How many ignored deliveries are replayed in one transaction.
const STRETCH: i64 = 1_000;

/// How many names are listed for somebody who gave one that is not among them.
const NAMES_MAX: i64 = 50;

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        match arguments.command {
            Command::List { state, app, after, limit, json } => {
                for it in inbox::list(&mut conn, &Filter { state, app, after }, limit).await? {
                    if json {
                        say_as_it_is(&serde_json::to_string(&it)?);
                    } else {
                        let state = serde_json::to_value(it.state)?;
                        let state = state.as_str().unwrap_or_default();
                        let reason = it.reason.unwrap_or_default();
                        let (app, reason) = (field(&it.app), field(&reason));
                        say(&format!("{}  {}  {state:<8}  {app}  {reason}", it.id, it.event_at));
                    }
                }
            }
            Command::Show { id, json } => {
                let shown = inbox::show(&mut conn, &id).await?;
                let shown = shown.ok_or_else(|| anyhow::anyhow!("there is no delivery {id}"))?;
                note(&mut conn, "wecomd inbox show", &id.to_string()).await?;
                if json {
                    say_as_it_is(&serde_json::to_string(&shown)?);
                } else {
                    say(&serde_json::to_string_pretty(&shown.listed)?);
                    say(&shown.plaintext);
                }
            }
            Command::Replay { ids: _, parked: _, ignored: Some(name) } => replay_ignored(&mut conn, &name).await?,
            Command::Replay { ids, parked, ignored: None } => {
                let mut ids = ids;
                if parked {
                    let filter = Filter { state: Some(DeliveryState::Parked), ..Filter::default() };
                    for it in inbox::list(&mut conn, &filter, REPLAY_MAX).await? {
                        ids.push(it.id.parse()?);
                    }
                }
                for id in &ids {
                    anyhow::ensure!(inbox::replay(&mut conn, id).await?, "there is no delivery {id}");
                    note(&mut conn, "wecomd inbox replay", &id.to_string()).await?;
                }
                say(&format!("{} deliveries wait to be recorded again", ids.len()));
            }
        }
        Ok(())
    })
    .await
}

/// Replays what was ignored under that name, a stretch at a time.
async fn replay_ignored(conn: &mut PgConnection, name: &str) -> anyhow::Result<()> {
    let (mut replayed, mut last) = (0, None);
    loop {
        let (some, next) = inbox::replay_ignored(conn, name, last.as_ref(), STRETCH).await?;
        if some == 0 {
            break;
        }
        (replayed, last) = (replayed + some, next);
    }
    if replayed == 0 {
        let names = inbox::ignored_names(conn, NAMES_MAX).await?;
        let names: Vec<_> = names.into_iter().map(|(name, count, _)| format!("{name} ({count})")).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        anyhow::bail!("nothing is ignored under the name {name}; these names are: {known}");
    }
    note(conn, "wecomd inbox replay --ignored", name).await?;
    say(&format!("{replayed} deliveries wait to be recorded again"));
    Ok(())
}
