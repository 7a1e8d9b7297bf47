//! What people do with a planned handover: tell the successors, note their answers, submit it, have WeCom asked again,
//! call it off, give items up. The decisions are in `handover::acts`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use super::handover::{HandoverView, ID, called_off, known, unknown, view};
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Call},
        },
        reading::body,
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            problem::{Code, Problem},
            route::{OPERATOR, Route, by_path},
        },
    },
    check,
    handover::{
        acts::{
            self, AcceptError, ActError, CLOSED_MAX, CancelError, ClosedItems, GivenUp, NotifyError, SubmitError,
            SubmitRules, SuccessorAnswer,
        },
        note::{NOTE_BYTES_MAX, Note},
    },
};

/// What a successor answered.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acceptance {
    /// The successor.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: String,
    /// Whether they agree.
    accepted: bool,
    /// What they said.
    #[schemars(length(min = 1, max = NOTE_BYTES_MAX))]
    note: Option<String>,
}

/// How it shall go.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Submission {
    /// Even if nobody was chosen for some items.
    #[serde(default)]
    partly: bool,
}

/// Why it is called off.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancellation {
    /// Why.
    #[schemars(length(min = 1, max = NOTE_BYTES_MAX))]
    reason: Option<String>,
}

/// What is given up.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Closing {
    /// By what they are: external userids, numbers of orders, chat_ids.
    #[serde(default)]
    #[schemars(length(max = CLOSED_MAX))]
    subjects: Vec<String>,
    /// By their numbers.
    #[serde(default)]
    #[schemars(length(max = CLOSED_MAX))]
    items: Vec<i64>,
    /// Why.
    #[schemars(length(min = 1, max = NOTE_BYTES_MAX))]
    reason: String,
}

/// What became of it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Closed {
    /// How many were given up.
    closed: usize,
    /// How many had come to an end before.
    unchanged: usize,
    /// The handover as it stands now.
    handover: HandoverView,
}

/// The answer that several routes share.
const STANDS: Response = Response::json::<HandoverView>(200, "The handover as it stands now.", "交接的当前状态。");

pub(super) const NOTIFY: Route = Route {
    id: "handoverNotify",
    method: "POST",
    path: "/api/enterprise-wechat/handovers/{id}/notify",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(notify),
    operation: Operation {
        about: say("Each hears once of the same plan.", "同一计划每人只通知一次。"),
        path: Some(ID),
        answers: &[STANDS],
        codes: &[Code::HandoverUnknown, Code::HandoverState, Code::SettingMissing],
        ..Operation::new(Tag::Handovers, "Tell the successors", "通知接替员工")
    },
};

pub(super) async fn notify(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = known(call, conn).await?;
    let url = call.admin.settings.handover_url.replace("{id}", &id.to_string());
    acts::notify(conn, id, &url, call.who()).await?;
    Answer::ok(view(call, conn, id).await?)
}

pub(super) const ACCEPT: Route = Route {
    id: "handoverAccept",
    method: "POST",
    path: "/api/enterprise-wechat/handovers/{id}/acceptances",
    access: OPERATOR,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(accept),
    operation: Operation {
        about: say("What they do not agree to has no successor again.", "不同意时，其名下的交接项恢复为未分配。"),
        path: Some(ID),
        body: Some(RequestBody::of::<Acceptance>()),
        answers: &[STANDS],
        codes: &[Code::HandoverUnknown, Code::HandoverState, Code::SuccessorUnknown],
        ..Operation::new(Tag::Handovers, "Write down what a successor answered", "记录接替员工的答复")
    },
};

pub(super) async fn accept(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let Acceptance { staff_id, accepted, note } = body::parse(&call.request.body)?;
    let answer = SuccessorAnswer::new(staff_id, accepted, note)?;
    let id = known(call, conn).await?;
    acts::accept(conn, id, &answer, call.own(), call.who()).await?;
    Answer::ok(view(call, conn, id).await?)
}

pub(super) const SUBMIT: Route = Route {
    id: "handoverSubmit",
    method: "POST",
    path: "/api/enterprise-wechat/handovers/{id}/submit",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(submit),
    operation: Operation {
        about: say("From now on WeCom is asked for it.", "提交后开始向企业微信发起分配。"),
        path: Some(ID),
        body: Some(RequestBody::perhaps::<Submission>()),
        answers: &[STANDS],
        codes: &[Code::HandoverUnknown, Code::HandoverState, Code::HandoverItemsOpen, Code::AcceptanceMissing],
        ..Operation::new(Tag::Handovers, "Let a handover go", "提交交接")
    },
};

pub(super) async fn submit(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let Submission { partly } = parse_or_default(&call.request.body)?;
    let id = known(call, conn).await?;
    let rules = SubmitRules { partly, acceptance: call.admin.settings.acceptance };
    acts::submit(conn, id, rules, call.who()).await?;
    Answer::ok(view(call, conn, id).await?)
}

pub(super) const CANCEL: Route = Route {
    id: "handoverCancel",
    method: "POST",
    path: "/api/enterprise-wechat/handovers/{id}/cancel",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(cancel),
    operation: Operation {
        about: say("What WeCom has in hand comes to its end.", "企业微信已受理的部分会继续完成。"),
        path: Some(ID),
        body: Some(RequestBody::perhaps::<Cancellation>()),
        answers: &[STANDS],
        codes: &[Code::HandoverUnknown, Code::HandoverState],
        ..Operation::new(Tag::Handovers, "Call a handover off", "取消交接")
    },
};

pub(super) async fn cancel(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let Cancellation { reason } = parse_or_default(&call.request.body)?;
    let reason = Note::optional("reason", reason)?;
    let id = known(call, conn).await?;
    acts::cancel(conn, id, reason.as_ref(), call.who()).await?;
    Answer::ok(view(call, conn, id).await?)
}

pub(super) const POLL: Route = Route {
    id: "handoverPoll",
    method: "POST",
    path: "/api/enterprise-wechat/handovers/{id}/poll",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(poll),
    operation: Operation {
        path: Some(ID),
        answers: &[Response::json::<HandoverView>(202, "The handover as it stands now.", "交接的当前状态。")],
        codes: &[Code::HandoverUnknown],
        ..Operation::new(Tag::Handovers, "Have WeCom asked for results now", "立即查询结果")
    },
};

pub(super) async fn poll(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = known(call, conn).await?;
    acts::poll(conn, id).await?;
    Answer::new(202, view(call, conn, id).await?)
}

pub(super) const CLOSE: Route = Route {
    id: "handoverClose",
    method: "POST",
    path: "/api/enterprise-wechat/handovers/{id}/close",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(close),
    operation: Operation {
        about: say(
            "Give `subjects`, `items` or both; together at most 1,000.",
            "给出 `subjects` 或 `items`，合计最多 1,000 项。",
        ),
        path: Some(ID),
        body: Some(RequestBody::of::<Closing>()),
        answers: &[Response::json::<Closed>(200, "What became of it.", "处理结果。")],
        codes: &[Code::HandoverUnknown],
        ..Operation::new(Tag::Handovers, "Give items up", "放弃交接项")
    },
};

pub(super) async fn close(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let Closing { subjects, items, reason } = body::parse(&call.request.body)?;
    let given_up = GivenUp::new(subjects, items, reason)?;
    let id = known(call, conn).await?;
    let ClosedItems { closed, unchanged } = acts::close(conn, id, &given_up, call.who()).await?;
    Answer::ok(Closed { closed, unchanged, handover: view(call, conn, id).await? })
}

/// A body that may be left out.
pub(super) fn parse_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() { Ok(T::default()) } else { body::parse(body) }
}

impl From<NotifyError> for Problem {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Unknown => unknown(),
            NotifyError::CalledOff => called_off(),
            NotifyError::NothingPlanned => {
                let detail = ("nothing is planned, so there is nobody to tell", "尚无交接计划，没有可通知的员工");
                Self::new(Code::HandoverState, detail)
            }
            NotifyError::NoApp => {
                let detail = ("no app of the corp is enabled to send by", "该企业没有已启用的应用可用于发送通知");
                Self::new(Code::SettingMissing, detail)
            }
            NotifyError::Database(error) => error.into(),
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Unknown => unknown(),
            AcceptError::CalledOff => called_off(),
            AcceptError::NoSuccessor => {
                let detail = ("the handover shows who its successors are", "交接详情中列有接替员工");
                Self::new(Code::SuccessorUnknown, detail).at("staff_id")
            }
            AcceptError::Database(error) => error.into(),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Unknown => unknown(),
            SubmitError::CalledOff => called_off(),
            SubmitError::ItemsOpen { items } => {
                let detail = (
                    format!("{items} items have no successor: plan or close them, or say \"partly\": true"),
                    format!("还有 {items} 项未分配接替员工：请安排或关闭，或给出 \"partly\": true"),
                );
                Self::new(Code::HandoverItemsOpen, detail)
            }
            SubmitError::NotAgreed { successors } => {
                let detail = (
                    format!("{successors} successors have not agreed yet"),
                    format!("还有 {successors} 名接替员工未确认接收"),
                );
                Self::new(Code::AcceptanceMissing, detail)
            }
            SubmitError::Database(error) => error.into(),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Unknown => unknown(),
            CancelError::Done => {
                let detail = ("it is done: nothing is left to call off", "交接已完成，没有可取消的内容");
                Self::new(Code::HandoverState, detail)
            }
            CancelError::Database(error) => error.into(),
        }
    }
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Unknown => unknown(),
            ActError::Database(error) => error.into(),
        }
    }
}
