//! `resignations`: who is going to leave. One that an admin approves begins a handover before the last day. The decisions
//! are in `handover::resigning`.

use chrono::NaiveDate;
use serde::Deserialize;
use sqlx::PgConnection;

use super::acts::parse_or_default;
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
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{ADMIN, OPERATOR, Route, VIEWER, by_path, now},
        },
    },
    check,
    handover::{
        note::{NOTE_BYTES_MAX, Note},
        resigning::{self, DecisionError, EntryError, ResignationInput},
    },
    states::ResignationState,
    tables::staff::resignation::{self, Filter, Resignation},
};

/// A resignation to enter.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewResignation")]
pub(super) struct ResignationBody {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// Who leaves; give either this or `wechat_userid`.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: Option<String>,
    /// The same, as WeCom names them.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    wechat_userid: Option<String>,
    /// Their last day.
    last_day: NaiveDate,
    /// Why.
    #[schemars(length(min = 1, max = NOTE_BYTES_MAX))]
    reason: Option<String>,
}

/// What somebody says to it.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ResignationDecision")]
pub(super) struct Decision {
    /// What is said to it.
    #[schemars(length(min = 1, max = NOTE_BYTES_MAX))]
    note: Option<String>,
}

pub(super) const ADD: Route = Route {
    id: "resignationAdd",
    method: "POST",
    path: "/api/enterprise-wechat/resignations",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(add),
    operation: Operation {
        body: Some(RequestBody::of::<ResignationBody>()),
        answers: &[Response::json::<Resignation>(201, "The resignation.", "新登记的离职申请。")],
        codes: &[Code::NotBound, Code::AlreadyOpen],
        ..Operation::new(Tag::Resignations, "Enter a resignation", "登记离职申请")
    },
};

pub(super) async fn add(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let body: ResignationBody = body::parse(&call.request.body)?;
    let named = body.staff_id.as_ref().or(body.wechat_userid.as_ref());
    let about = About::thing(named.cloned().unwrap_or_default());
    let answer = async {
        let ResignationBody { corpid, staff_id, wechat_userid, last_day, reason } = body;
        let reason = Note::optional("reason", reason)?;
        let corpid = corp::of_field(conn, corpid.as_deref()).await?;
        let input = ResignationInput { staff_id, wechat_userid, last_day, reason };
        Answer::new(201, resigning::enter(conn, &corpid, input, call.who()).await?)
    };
    about.answers(answer.await)
}

/// What deciding takes and answers.
const fn decision(en: &'static str, zh: &'static str) -> Operation {
    Operation {
        path: Some(ID),
        body: Some(RequestBody::perhaps::<Decision>()),
        answers: &[STANDS],
        codes: &[Code::ResignationUnknown, Code::ResignationState],
        ..Operation::new(Tag::Resignations, en, zh)
    }
}

const STANDS: Response =
    Response::json::<Resignation>(200, "The resignation as it stands now.", "离职申请的当前状态。");

const ID: Parameter = path("id", Allowed::Number, "The resignation's number.", "离职申请编号。");

pub(super) const LIST: Route = Route {
    id: "resignationList",
    method: "GET",
    path: "/api/enterprise-wechat/resignations",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say("Latest first.", "按时间倒序。"),
        query: &[
            query(
                "state",
                Allowed::OneOf(|| ResignationState::WORDS.to_vec()),
                "Only those in this state.",
                "申请状态。",
            ),
            query("staff_id", Allowed::Text("E-001"), "Only of this staff member.", "员工编号。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<Resignation>>(200, "A page of resignations.", "一页离职申请。")],
        ..Operation::new(Tag::Resignations, "List resignations", "列出离职申请")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (state, staff_id) = (params.take_word("state")?, params.take("staff_id"));
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = Filter { state, staff_id, before: paging.after(|key| key.parse().ok())? };
    let rows = resignation::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const SHOW: Route = Route {
    id: "resignationShow",
    method: "GET",
    path: "/api/enterprise-wechat/resignations/{id}",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        path: Some(ID),
        answers: &[STANDS],
        codes: &[Code::ResignationUnknown],
        ..Operation::new(Tag::Resignations, "Show a resignation", "查看离职申请")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    Answer::ok(resignation::find(conn, number(call.id)?).await?.ok_or_else(unknown)?)
}

pub(super) const APPROVE: Route = Route {
    id: "resignationApprove",
    method: "POST",
    path: "/api/enterprise-wechat/resignations/{id}/approve",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(approve),
    operation: Operation {
        about: say("A handover begins before the last day.", "批准后，在离职日之前即开始交接。"),
        ..decision("Approve a resignation", "批准离职申请")
    },
};

pub(super) async fn approve(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (id, note) = decided(call)?;
    Answer::ok(resigning::approve(conn, id, note.as_ref(), call.who()).await?)
}

pub(super) const REFUSE: Route = Route {
    id: "resignationRefuse",
    method: "POST",
    path: "/api/enterprise-wechat/resignations/{id}/refuse",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(refuse),
    operation: decision("Refuse a resignation", "驳回离职申请"),
};

pub(super) async fn refuse(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (id, note) = decided(call)?;
    Answer::ok(resigning::refuse(conn, id, note.as_ref(), call.who()).await?)
}

pub(super) const CANCEL: Route = Route {
    id: "resignationCancel",
    method: "POST",
    path: "/api/enterprise-wechat/resignations/{id}/cancel",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(cancel),
    operation: Operation {
        about: say("The handover that it led to is called off.", "由其发起的交接一并取消。"),
        ..decision("Withdraw a resignation", "撤回离职申请")
    },
};

pub(super) async fn cancel(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (id, note) = decided(call)?;
    Answer::ok(resigning::withdraw(conn, id, note.as_ref(), call.who()).await?)
}

/// Which resignation a decision is about, and what is said to it.
fn decided(call: &Call<'_>) -> Result<(i64, Option<Note>), Problem> {
    call.no_params()?;
    let Decision { note } = parse_or_default(&call.request.body)?;
    let note = Note::optional("note", note)?;
    Ok((number(call.id)?, note))
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(
        Code::ResignationUnknown,
        ("list them with `GET resignations` to see which there are", "可用 `GET resignations` 查看已有离职申请"),
    )
}

impl From<EntryError> for Problem {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::Invalid(error) => error.into(),
            EntryError::NotBound { field } => {
                Self::new(Code::NotBound, ("bind the staff member first", "请先绑定该员工")).at(field)
            }
            EntryError::OpenAlready => {
                let detail = ("a resignation of theirs is open: decide that one first", "已有未结的离职申请，请先处理");
                Self::new(Code::AlreadyOpen, detail)
            }
            EntryError::Database(error) => error.into(),
        }
    }
}

impl From<DecisionError> for Problem {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Unknown => unknown(),
            DecisionError::TooLate(state) => {
                Self::new(Code::ResignationState, (format!("it is {state}"), format!("当前状态为 {state}")))
            }
            DecisionError::Database(error) => error.into(),
        }
    }
}
