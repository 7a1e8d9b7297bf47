//! `sync`: reconciling runs, their progress, and their findings.
//!
//! A requested run is worked at in the background by any serving process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging},
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CORPID, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, by_path, now},
        },
    },
    ids::CorpId,
    states::{DriftKind, SyncState},
    sync,
    tables::sync::{sync_drift, sync_run},
};

/// Whose run is wanted.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SyncWanted")]
pub(super) struct SyncBody {
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

const RUN: Parameter = path("id", Allowed::Number, "The run's number.", "对账编号。");

pub(super) const LIST: Route = Route {
    id: "syncList",
    method: "GET",
    path: "/api/enterprise-wechat/sync",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say("Latest first.", "按时间倒序。"),
        query: &[CORPID, LIMIT, CURSOR],
        answers: &[Response::json::<Page<sync_run::RunView>>(200, "A page of runs.", "一页对账。")],
        ..Operation::new(Tag::Deliveries, "List runs of reconciling", "列出对账")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let corpid = params.take("corpid");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let before = paging.after(|key| key.parse().ok())?;
    let rows = sync_run::list(conn, None, corpid.as_deref(), before, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const SHOW: Route = Route {
    id: "syncShow",
    method: "GET",
    path: "/api/enterprise-wechat/sync/{id}",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        path: Some(RUN),
        query: &[
            query("kind", Allowed::OneOf(|| DriftKind::WORDS.to_vec()), "Only of this kind.", "差异类型。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Report>(200, "The run, and a page of what it found.", "对账及一页差异。")],
        codes: &[Code::SyncUnknown],
        ..Operation::new(Tag::Deliveries, "Show a run and what it found", "查看对账结果")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
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

pub(super) const START: Route = Route {
    id: "syncStart",
    method: "POST",
    path: "/api/enterprise-wechat/sync",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(start),
    operation: Operation {
        about: say("It is worked at in the background.", "对账在后台进行。"),
        body: Some(RequestBody::perhaps::<SyncBody>()),
        answers: &[Response::json::<Asked>(202, "It has begun, or was under way.", "已开始或正在进行。")],
        ..Operation::new(Tag::Deliveries, "Begin a run of reconciling", "发起对账")
    },
};

pub(super) async fn start(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let wanted: SyncBody = match call.request.body.is_empty() {
        true => SyncBody::default(),
        false => body::parse(&call.request.body)?,
    };
    let corpid = corp::of_field(conn, wanted.corpid.as_deref()).await?;
    let asked = sync::ask(conn, &corpid).await?;
    let about = About::thing(format!("{corpid} run {}", asked.run()));
    let (id, asked) = (asked.run(), asked.as_str());
    about.answers(Answer::new(202, Asked { id, corpid, state: SyncState::Running, asked }))
}

pub(super) const CANCEL: Route = Route {
    id: "syncCancel",
    method: "POST",
    path: "/api/enterprise-wechat/sync/{id}/cancel",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(cancel),
    operation: Operation {
        path: Some(RUN),
        answers: &[Response::json::<sync_run::RunView>(200, "The run as it stands now.", "对账的当前状态。")],
        codes: &[Code::SyncUnknown],
        ..Operation::new(Tag::Deliveries, "End a run before its end", "取消对账")
    },
};

pub(super) async fn cancel(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let run = find(call, conn).await?;
    sync_run::cancel(conn, run.id).await?;
    Answer::ok(find(call, conn).await?)
}

async fn find(call: &Call<'_>, conn: &mut PgConnection) -> Result<sync_run::RunView, Problem> {
    let id = call.id.parse().map_err(|_| {
        Problem::parameter("id", ("must be a number, as the list of runs shows it", "须为数字，见对账列表"))
    })?;
    let run = sync_run::list(conn, Some(id), None, None, 1).await?.pop();
    run.ok_or_else(|| {
        Problem::new(Code::SyncUnknown, ("it never was, or it is kept no longer", "该对账不存在，或已超过保留期"))
            .at("id")
    })
}
