//! What people do with a planned handover: tell the successors, let it go, ask again, call it off, give items up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use super::handover::{ID, Standing, known, standing, unknown};
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
    changes::{Notice, TaskKind},
    check,
    handover::{
        item::Fact,
        transition::{By, settle, transition, transition_all},
    },
    states::{HandoverState, ItemState},
    tables::{
        self, apply,
        apps::enterprise_wechat_config,
        handover::{self, Handover, Heard, Part},
        staff::member,
        task,
    },
};

/// How many names of customers a successor is told.
const NAMES_MAX: i32 = 3;

/// How long a note or reason may be.
pub(super) const NOTE_BYTES_MAX: usize = 2_048;

/// How many items may be given up at once.
const CLOSED_MAX: usize = 1_000;

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
    handover: Standing,
}

/// What several of them answer.
const STANDS: Response = Response::json::<Standing>(200, "The handover as it stands now.", "交接的当前状态。");

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
    let handover = begin(call, conn).await?;
    standing_still(&handover)?;
    let parts = handover::parts(conn, handover.id, NAMES_MAX).await?;
    if parts.is_empty() {
        return Err(Problem::new(
            Code::HandoverState,
            ("nothing is planned, so there is nobody to tell", "尚无交接计划，没有可通知的员工"),
        ));
    }
    let app = enterprise_wechat_config::speaker(conn, &handover.corpid).await?;
    let app = app.ok_or_else(|| {
        Problem::new(
            Code::SettingMissing,
            ("no app of the corp is enabled to send by", "该企业没有已启用的应用可用于发送通知"),
        )
    })?;
    // Who was told of this very plan is not told again.
    let parts: Vec<_> = parts.into_iter().filter(|it| !it.notified).collect();
    if !parts.is_empty() {
        let user = &handover.wechat_userid;
        let held = member::held(conn, &handover.corpid, std::slice::from_ref(&user.0)).await?;
        let name = held.get(user).and_then(|it| it.name.as_deref()).filter(|it| !it.is_empty());
        let from = name.or(handover.staff_id.as_deref()).unwrap_or(user.as_str());
        let url = call.admin.settings.handover_url.replace("{id}", &handover.id.to_string());
        let now = tables::now(conn).await?;
        let tasks = parts.iter().map(|part| {
            let subject = format!("handover:{}:{}:{}", handover.id, handover.version, part.wechat_userid);
            let key = (handover.corpid.clone(), TaskKind::NotifyStaff, subject);
            (key, card(&handover, from, part, url.clone()).task(app, now))
        });
        task::upsert(conn, &tasks.collect::<BTreeMap<_, _>>()).await?;
        let users: Vec<_> = parts.iter().map(|it| it.wechat_userid.0.clone()).collect();
        handover::told(conn, handover.id, &users).await?;
        settle(conn, handover.id, By { actor: call.who(), cause: "已通知接替员工" }).await?;
    }
    Answer::ok(standing(call, conn, handover.id).await?)
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
    let wanted: Acceptance = body::parse(&call.request.body)?;
    check::id("staff_id", &wanted.staff_id)?;
    note("note", wanted.note.as_deref())?;
    let handover = begin(call, conn).await?;
    standing_still(&handover)?;
    if call.own().is_some_and(|own| own.staff_id.as_str() != wanted.staff_id) {
        return Err(no_successor());
    }
    let (staff, who) = (&wanted.staff_id, call.who());
    let user = handover::answered(conn, handover.id, staff, wanted.accepted, who, wanted.note.as_deref()).await?;
    let user = user.ok_or_else(no_successor)?;
    if !wanted.accepted {
        let items = handover::planned_for(conn, handover.id, &user).await?;
        let by = By { actor: who, cause: "接替员工不同意接收" };
        transition_all(conn, Fact::Dropped, &items, by).await?;
        handover::take_back(conn, &items).await?;
        settle(conn, handover.id, by).await?;
    }
    Answer::ok(standing(call, conn, handover.id).await?)
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
    let wanted: Submission = parse_or_default(call)?;
    let handover = begin(call, conn).await?;
    standing_still(&handover)?;
    let open = handover::in_states(conn, handover.id, &[ItemState::Open]).await?.len();
    if open > 0 && !wanted.partly {
        let detail = (
            format!("{open} items have no successor: plan or close them, or say \"partly\": true"),
            format!("还有 {open} 项未分配接替员工：请安排或关闭，或给出 \"partly\": true"),
        );
        return Err(Problem::new(Code::HandoverItemsOpen, detail));
    }
    let missing = handover::not_agreed(conn, handover.id).await?;
    if call.admin.settings.acceptance && missing > 0 {
        let detail =
            (format!("{missing} successors have not agreed yet"), format!("还有 {missing} 名接替员工未确认接收"));
        return Err(Problem::new(Code::AcceptanceMissing, detail));
    }
    handover::submit(conn, handover.id, call.who()).await?;
    settle(conn, handover.id, By { actor: call.who(), cause: "提交交接" }).await?;
    handover::wake_now(conn, &handover.corpid, handover.id).await?;
    Answer::ok(standing(call, conn, handover.id).await?)
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
    let wanted: Cancellation = parse_or_default(call)?;
    note("reason", wanted.reason.as_deref())?;
    let handover = begin(call, conn).await?;
    if handover.cancelled_at.is_none() {
        if handover.state == HandoverState::Done {
            return Err(Problem::new(
                Code::HandoverState,
                ("it is done: nothing is left to call off", "交接已完成，没有可取消的内容"),
            ));
        }
        call_off(conn, &handover, call.who(), wanted.reason.as_deref().unwrap_or("取消交接")).await?;
    }
    Answer::ok(standing(call, conn, handover.id).await?)
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
        answers: &[Response::json::<Standing>(202, "The handover as it stands now.", "交接的当前状态。")],
        codes: &[Code::HandoverUnknown],
        ..Operation::new(Tag::Handovers, "Have WeCom asked for results now", "立即查询结果")
    },
};

pub(super) async fn poll(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let handover = begin(call, conn).await?;
    handover::poll_afresh(conn, handover.id).await?;
    handover::wake_now(conn, &handover.corpid, handover.id).await?;
    Answer::new(202, standing(call, conn, handover.id).await?)
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
    let wanted: Closing = body::parse(&call.request.body)?;
    note("reason", Some(&wanted.reason))?;
    let named = wanted.subjects.len() + wanted.items.len();
    if !(1..=CLOSED_MAX).contains(&named) {
        return Err(Problem::field(
            "items",
            (format!("give 1 to {CLOSED_MAX} subjects or items"), format!("请给出 1 至 {CLOSED_MAX} 个对象或交接项")),
        ));
    }
    let handover = begin(call, conn).await?;
    let items = handover::named(conn, handover.id, &wanted.subjects, &wanted.items).await?;
    let heard = |item: &i64| Heard { item: *item, reason: Some(wanted.reason.clone()), ..Heard::default() };
    let heard: Vec<_> = items.iter().map(heard).collect();
    let by = By { actor: call.who(), cause: &wanted.reason };
    let closed = transition(conn, Fact::GivenUp, &heard, by).await?;
    settle(conn, handover.id, by).await?;
    let (closed, unchanged) = (closed.len(), items.len().saturating_sub(closed.len()));
    Answer::ok(Closed { closed, unchanged, handover: standing(call, conn, handover.id).await? })
}

/// Calls a handover off: what nobody has asked WeCom for is not asked for any more.
pub(super) async fn call_off(
    conn: &mut PgConnection,
    handover: &Handover,
    who: &str,
    cause: &str,
) -> Result<(), Problem> {
    handover::call_off(conn, handover.id, who).await?;
    let items = handover::in_states(conn, handover.id, &[ItemState::Open, ItemState::Planned]).await?;
    let by = By { actor: who, cause };
    transition_all(conn, Fact::CalledOff, &items, by).await?;
    settle(conn, handover.id, by).await?;
    // What WeCom has in hand is still to be asked about.
    Ok(handover::wake_now(conn, &handover.corpid, handover.id).await?)
}

/// The handover that the path names; nobody else changes it until the transaction ends.
async fn begin(call: &Call<'_>, conn: &mut PgConnection) -> Result<Handover, Problem> {
    let id = known(call, conn).await?;
    let corpid = handover::find(conn, id).await?.ok_or_else(unknown)?.corpid;
    apply::lock_alone(conn, &corpid).await?;
    handover::lock(conn, id).await?.ok_or_else(unknown)
}

/// Refuses what only one that was not called off may do.
fn standing_still(handover: &Handover) -> Result<(), Problem> {
    match handover.cancelled_at {
        Some(_) => Err(Problem::new(Code::HandoverState, ("it was called off", "交接已取消"))),
        None => Ok(()),
    }
}

fn no_successor() -> Problem {
    Problem::new(Code::SuccessorUnknown, ("the handover shows who its successors are", "交接详情中列有接替员工"))
        .at("staff_id")
}

fn parse_or_default<T: DeserializeOwned + Default>(call: &Call<'_>) -> Result<T, Problem> {
    if call.request.body.is_empty() { Ok(T::default()) } else { body::parse(&call.request.body) }
}

pub(super) fn note(field: &str, text: Option<&str>) -> Result<(), Problem> {
    Ok(text.map_or(Ok(()), |it| check::prose(field, it, NOTE_BYTES_MAX))?)
}

fn card(handover: &Handover, from: &str, part: &Part, url: String) -> Notice {
    let count = |items: i64, unit: &str| (items > 0).then(|| format!("{items} {unit}"));
    let customers = count(part.customers, "位").map(|it| match part.names.is_empty() {
        true => it,
        false => format!("{it}:{}", part.names.join("、")),
    });
    // WeCom sends the same card once in four hours, so each says which plan it is about.
    let desc = format!("交接 {} 第 {} 版", handover.id, handover.version);
    Notice::new(part.wechat_userid.clone(), "工作交接,请准备接收", &desc, url)
        .line("原员工", Some(from))
        .line("客户", customers.as_deref())
        .line("工单", count(part.orders, "个").as_deref())
        .line("客户群", count(part.groups, "个").as_deref())
}
