//! `sync`: reconciling with WeCom, how far it is, and what it found.
//!
//! A run that somebody begins is worked at in the background, by whichever serving process comes first.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::BTreeMap;

use super::{
    body,
    call::{Answer, Call},
    page::{Page, Paging},
    problem::{Code, Problem},
    staff_bind::corp,
};
use crate::{
    ids::CorpId,
    states::SyncState,
    sync,
    tables::sync::{sync_drift, sync_run},
};

/// Whose run is wanted.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SyncWanted")]
pub(super) struct Wanted {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
}

/// A run that was asked for.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SyncAsked")]
pub(super) struct Asked {
    /// The run's number.
    id: i64,
    /// The corp.
    corpid: CorpId,
    /// running
    state: SyncState,
    /// What became of the wish: whether a new run began, or one was under way.
    asked: &'static str,
}

/// A run, and what it found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SyncReport")]
pub(super) struct Report {
    #[serde(flatten)]
    run: sync_run::RunView,
    /// How often each kind was found.
    drift_counts: BTreeMap<String, i64>,
    /// A page of what was found.
    drift: Page<sync_drift::DriftRow>,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let corpid = params.take("corpid");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let before = paging.after(|key| key.parse().ok())?;
    let rows = sync_run::list(conn, None, corpid.as_deref(), before, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) async fn show(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let kind = params.take_word("kind")?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let run = find(call, conn).await?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = sync_drift::list(conn, run.id, kind, after, paging.fetch()).await?;
    let drift = paging.page(rows, |row| row.id.to_string());
    let drift_counts = sync_drift::counts(conn, run.id).await?;
    let drift_counts = drift_counts.into_iter().map(|(kind, count)| (kind.to_string(), count)).collect();
    Answer::ok(Report { run, drift_counts, drift })
}

pub(super) async fn start(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let wanted: Wanted = match call.request.body.is_empty() {
        true => Wanted::default(),
        false => body::parse(&call.request.body)?,
    };
    let corpid = corp(conn, wanted.corpid.as_deref()).await?.map_err(|why| Problem::field("corpid", why))?;
    let asked = sync::ask(conn, &corpid).await?;
    call.subject = format!("{corpid} run {}", asked.run());
    let (id, asked) = (asked.run(), asked.as_str());
    Answer::new(202, Asked { id, corpid, state: SyncState::Running, asked })
}

pub(super) async fn cancel(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let run = find(call, conn).await?;
    sync_run::cancel(conn, run.id).await?;
    Answer::ok(find(call, conn).await?)
}

async fn find(call: &Call<'_>, conn: &mut PgConnection) -> Result<sync_run::RunView, Problem> {
    let id = call.id.parse().map_err(|_| Problem::parameter("id", "must be a number, as the list of runs shows it"))?;
    let run = sync_run::list(conn, Some(id), None, None, 1).await?.pop();
    run.ok_or_else(|| Problem::new(Code::SyncUnknown, "it never was, or it is kept no longer").at("id"))
}
