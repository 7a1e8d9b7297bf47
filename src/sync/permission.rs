//! Handles missing permissions: a phase that WeCom does not permit is left out and reported, and the rest goes on.

use super::{Halt, Run};
use crate::{
    states::SyncPhase,
    tables::sync::sync_run::{self, Counts, RunProgress, Skipped},
    wecom::ApiError,
};

/// The phases that read something of their own. A run without any of them has reconciled nothing.
const SOURCES: [SyncPhase; 3] = [SyncPhase::Departments, SyncPhase::Staff, SyncPhase::Unassigned];

/// Leaves out the refused phase and those that depend on it, and goes on after them.
pub(super) async fn skip(run: &mut Run, standing: &RunProgress, error: &ApiError) -> Result<(), Halt> {
    let (left_out, next): (&[SyncPhase], _) = match standing.phase {
        SyncPhase::Departments => (&[SyncPhase::Departments, SyncPhase::Members], SyncPhase::Staff),
        SyncPhase::Members => (&[SyncPhase::Members], SyncPhase::Staff),
        SyncPhase::Staff => (&[SyncPhase::Staff, SyncPhase::Customers], SyncPhase::Unassigned),
        SyncPhase::Customers => (&[SyncPhase::Customers], SyncPhase::Unassigned),
        SyncPhase::Unassigned => (&[SyncPhase::Unassigned], SyncPhase::GroupChats),
        SyncPhase::GroupChats => (&[SyncPhase::GroupChats], SyncPhase::DepartmentNames),
        SyncPhase::DepartmentNames => (&[SyncPhase::DepartmentNames], SyncPhase::Compare),
        SyncPhase::Compare | SyncPhase::End => (&[], SyncPhase::Compare),
    };
    tracing::warn!(
        sync.run = run.lease.run,
        corpid = %run.lease.corpid,
        phase = standing.phase.as_str(),
        error = %error,
        "WeCom does not permit a part of reconciling: it is left out"
    );
    let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
    for phase in left_out {
        sync_run::skip(&mut transaction, run.lease.run, &skipped(phase.as_str(), error)).await?;
    }
    if left_out.contains(&SyncPhase::Members) {
        sync_run::judge_no_members(&mut transaction, run.lease.run).await?;
    }
    sync_run::go_on(&mut transaction, run.lease.run, next, 0, "").await?;
    Ok(transaction.commit().await?)
}

/// A refusal in the report's form.
pub(super) fn skipped(phase: &str, error: &ApiError) -> Skipped {
    let words = |of: fn(&crate::wecom::Meaning) -> &'static str| error.meaning().map(of).unwrap_or_default().to_owned();
    Skipped {
        phase: phase.to_owned(),
        path: error.path.to_owned(),
        errcode: error.errcode,
        said: error.message.to_string(),
        zh: words(|it| it.zh),
        en: words(|it| it.en),
        remedy_zh: words(|it| it.remedy_zh),
        remedy_en: words(|it| it.remedy_en),
    }
}

/// Whether this phase was left out.
pub(super) fn is_left_out(standing: &RunProgress, phase: SyncPhase) -> bool {
    standing.skipped.iter().any(|it| it.phase == phase.as_str())
}

/// Why a run without any permitted phase failed; none if something was read.
pub(super) fn nothing_was_permitted(standing: &RunProgress) -> Option<String> {
    let refused = SOURCES.iter().filter_map(|phase| standing.skipped.iter().find(|it| it.phase == phase.as_str()));
    let refused: Vec<_> =
        refused.map(|it| format!("{}: {} {}", it.path, it.errcode.unwrap_or_default(), it.said)).collect();
    (refused.len() == SOURCES.len()).then(|| format!("WeCom permits nothing of it: {}", refused.join("; ")))
}
