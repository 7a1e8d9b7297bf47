//! `wecomd sync`: reconciles with WeCom in the foreground, and prints the differences.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sqlx::PgPool;

use super::{database::with_pool, field, say, say_as_it_is, serve::Stop};
use crate::{
    app,
    config::Config,
    ids::CorpId,
    states::{DriftKind, SyncPhase, SyncState},
    sync::{self, Over, Sync},
    tables::{
        apps::enterprise_wechat_config,
        sync::{
            sync_drift,
            sync_run::{self, RunProgress, Which},
        },
    },
    telemetry,
    vault::Vault,
    wecom::Wecom,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only this corp; otherwise every corp that has an app
    #[arg(long, value_name = "CORPID")]
    corp: Option<String>,
    /// Print one JSON object for each corp
    #[arg(long)]
    json: bool,
}

/// Time between two looks at a run that another process works at.
const LOOK: Duration = Duration::from_secs(1);

/// The log filter beside the progress bar: errors only.
const LOG: &str = "error";

/// How many lines of each kind the report shows.
const EXAMPLES: i64 = 5;

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    telemetry::logs(LOG, false)?;
    let vault = Arc::new(Vault::from_env_or_file(config.master_key_file())?);
    let mut stop = Stop::new()?;
    with_pool(config, async |pool| {
        let wecom = Wecom::new(&app::wecom_settings(config), pool.clone(), vault)?;
        let sync = Sync { pool: app::acting_pool(config, &pool.connect_options()), wecom };
        let mut corps = enterprise_wechat_config::corps(&mut *pool.acquire().await?).await?;
        corps.retain(|it| arguments.corp.as_ref().is_none_or(|wanted| it.0 == *wanted));
        anyhow::ensure!(!corps.is_empty(), "there is no app of such a corp: add one with `wecomd config add`");
        let mut failed = 0;
        for corpid in &corps {
            let Some(run) = reconcile(&sync, corpid, &mut stop).await? else {
                anyhow::bail!("stopped; run the same command again to go on");
            };
            failed += u32::from(report(pool, run, arguments.json).await? != SyncState::Done);
        }
        anyhow::ensure!(failed == 0, "{failed} of {} runs did not come to their end", corps.len());
        Ok(())
    })
    .await
}

/// Works at the corp's run until it ends, or watches another process do it; none if told to stop.
async fn reconcile(sync: &Sync, corpid: &CorpId, stop: &mut Stop) -> anyhow::Result<Option<i64>> {
    let id = sync::ask(&mut *sync.pool.acquire().await?, corpid).await?.run();
    let bar = ProgressBar::no_length();
    loop {
        let over = match sync.take(Which::One(id)).await? {
            Some(run) => run.drive(sync::SLICE, stop.wait(), |standing| show(&bar, standing)).await,
            None => {
                let now = sync_run::list(&mut *sync.pool.acquire().await?, Some(id), None, None, 1).await?;
                match now.first().filter(|it| it.state == SyncState::Running) {
                    None => Over::Done,
                    Some(run) => {
                        let waits = run.trouble.as_ref().map(|trouble| format!("waits for WeCom: {trouble}"));
                        bar.set_message(waits.unwrap_or_else(|| "another process works at it".to_owned()));
                        tokio::select! {
                            () = stop.wait() => Over::Stopped,
                            () = tokio::time::sleep(LOOK) => Over::PutDown,
                        }
                    }
                }
            }
        };
        match over {
            Over::Done | Over::Failed => {
                bar.finish_and_clear();
                return Ok(Some(id));
            }
            Over::Stopped => return Ok(None),
            Over::Lost | Over::PutDown => {}
        }
    }
}

fn show(bar: &ProgressBar, standing: &RunProgress) {
    let contacts = u64::try_from(standing.contacts).unwrap_or(0);
    // The number of stored contacts is the best estimate of the total; without one, only the rate is shown.
    let expected = u64::try_from(standing.expected).unwrap_or(0);
    if bar.length().is_none() && standing.phase == SyncPhase::Customers {
        let known = "  {msg:<12} {bar:40} {pos}/{len} contacts, {per_sec}, {eta} left";
        let unknown = "  {msg:<12} {spinner} {pos} contacts, {per_sec}";
        let template = if expected > 0 { known } else { unknown };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        // Contacts that were read earlier say nothing about the present rate.
        bar.set_position(contacts);
        bar.reset_eta();
    }
    if expected > 0 {
        bar.set_length(expected.max(contacts));
    }
    bar.set_message(standing.phase.as_str());
    bar.set_position(contacts);
}

/// Prints a run's result and differences; returns its final state.
async fn report(pool: &PgPool, id: i64, as_json: bool) -> anyhow::Result<SyncState> {
    let mut conn = pool.acquire().await?;
    let run = sync_run::list(&mut conn, Some(id), None, None, 1).await?.pop().context("the run is gone")?;
    let counts = sync_drift::counts(&mut conn, id).await?;
    let state = run.state;
    if as_json {
        say_as_it_is(&json!({ "run": run, "drift_counts": counts }).to_string());
        return Ok(state);
    }
    let took = run.finished_at.map_or(0, |it| (it - run.started_at).num_seconds());
    say(&format!("corp {}: {state}, run {id}, {took} s, {} calls", run.corpid, run.calls));
    say(&format!(
        "  {} members, {} contacts and {} customers of leavers were read",
        run.members, run.contacts, run.unassigned
    ));
    if run.unreadable > 0 {
        say(&format!("  {} rows of WeCom's lists could not be used", run.unreadable));
    }
    if let Some(reason) = &run.reason {
        say(&format!("  it stopped because {}", field(reason)));
        say("  see to that, and run the same command again: it goes on where it stopped");
    }
    for it in &run.skipped.0 {
        let errcode = it.errcode.map_or_else(String::new, |errcode| format!(" {errcode}"));
        say(&format!("  left out: {}, because {} ({}:{errcode} {})", it.phase, it.en, it.path, it.said));
        say(&format!("            {}", it.remedy_en));
    }
    if counts.is_empty() {
        say("  nothing was otherwise than we held it");
    }
    for kind in DriftKind::ALL {
        let Some(count) = counts.get(&kind) else { continue };
        say(&format!("  {count:>8}  {}", words(kind)));
        for it in sync_drift::list(&mut conn, id, Some(kind), 0, EXAMPLES).await? {
            let sides = [it.external_userid, it.wechat_userid];
            let who = sides.iter().filter(|it| !it.is_empty()).cloned().collect::<Vec<_>>().join(" of ");
            let change = match (it.held, it.found) {
                (Some(held), Some(found)) => format!(": {held} → {found}"),
                (Some(only), None) | (None, Some(only)) => format!(": {only}"),
                (None, None) => String::new(),
            };
            say(&format!("            {}{}", field(&who), field(&change)));
        }
        if *count > EXAMPLES {
            say(&format!("            … all of them: GET sync/{id}?kind={}", kind.as_str()));
        }
    }
    Ok(state)
}

fn words(kind: DriftKind) -> &'static str {
    match kind {
        DriftKind::MissingHere => "contacts were missing here, and are here now",
        DriftKind::GoneThere => "contacts are gone at WeCom, and are marked so",
        DriftKind::OtherOwner => "customers have another owner than we held",
        DriftKind::EndedHere => "contacts have ended here, and go on at WeCom",
        DriftKind::Renamed => "customers go by another name",
        DriftKind::MemberMissingHere => "members were missing here, and are here now",
        DriftKind::MemberGoneThere => "members are gone at WeCom, or out of the app's sight",
        DriftKind::MemberRenamed => "members go by another name",
        DriftKind::MemberLeft => "members had left without a word; their handovers are there now",
        DriftKind::MemberRefused => "members' customers are refused by WeCom, and stay as they are",
        DriftKind::NotServing => "members have contacts here, but serve no customers at WeCom",
        DriftKind::Unreadable => "kinds of rows could not be read, and what they are about stays as it is",
    }
}
