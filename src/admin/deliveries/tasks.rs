//! `tasks`: the task queue; running a task again, or cancelling it.

use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::cursor::{Page, Paging},
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, by_path, now},
        },
    },
    states::{TaskKind, TaskState},
    tables::task::{self, Filter},
};

/// A task that was turned.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct TaskTurned {
    /// Its number.
    id: i64,
    /// due or cancelled.
    state: &'static str,
}

const TASK: Parameter = path("id", Allowed::Number, "The task's number.", "任务编号。");

pub(super) const LIST: Route = Route {
    id: "taskList",
    method: "GET",
    path: "/api/enterprise-wechat/tasks",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(list),
    operation: Operation {
        about: say("What must still be done with WeCom, latest first.", "尚待与企业微信交互的任务，按时间倒序。"),
        query: &[
            query("kind", Allowed::OneOf(|| TaskKind::WORDS.to_vec()), "Only of this kind.", "任务类型。"),
            query("state", Allowed::OneOf(|| TaskState::WORDS.to_vec()), "Only those that stand so.", "任务状态。"),
            query("subject", Allowed::Text("wmEXAMPLE"), "Only about this.", "任务对象。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<task::TaskRow>>(200, "A page of tasks.", "一页任务。")],
        ..Operation::new(Tag::Deliveries, "List tasks", "列出任务")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let (kind, state) = (params.take_word("kind")?, params.take_word("state")?);
    let subject = params.take("subject");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let about = About::thing(subject.clone().unwrap_or_default());
    let answer = async {
        let filter = Filter { kind, state, subject, before: paging.after(|id| id.parse().ok())? };
        let rows = task::list(conn, &filter, paging.fetch()).await?;
        Answer::ok(paging.page(rows, |row| row.id.to_string()))
    };
    about.answers(answer.await)
}

pub(super) const REPLAY: Route = Route {
    id: "taskReplay",
    method: "POST",
    path: "/api/enterprise-wechat/tasks/{id}/replay",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(replay),
    operation: Operation {
        path: Some(TASK),
        answers: &[Response::json::<TaskTurned>(202, "It is due.", "已到期待执行。")],
        codes: &[Code::TaskUnknown],
        ..Operation::new(Tag::Deliveries, "Make a task due now", "立即执行任务")
    },
};

pub(super) async fn replay(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = wanted(call)?;
    if !task::replay(conn, id).await? {
        return Err(unknown());
    }
    Answer::new(202, TaskTurned { id, state: "due" })
}

pub(super) const CANCEL: Route = Route {
    id: "taskCancel",
    method: "POST",
    path: "/api/enterprise-wechat/tasks/{id}/cancel",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(cancel),
    operation: Operation {
        path: Some(TASK),
        answers: &[Response::json::<TaskTurned>(200, "It is gone.", "已取消。")],
        codes: &[Code::TaskUnknown],
        ..Operation::new(Tag::Deliveries, "Take a task away", "取消任务")
    },
};

pub(super) async fn cancel(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = wanted(call)?;
    if !task::cancel(conn, id).await? {
        return Err(unknown());
    }
    Answer::ok(TaskTurned { id, state: "cancelled" })
}

fn wanted(call: &Call<'_>) -> Result<i64, Problem> {
    call.id.parse().map_err(|_| {
        Problem::parameter("id", ("must be a number, as the list of tasks shows it", "须为数字，见任务列表"))
    })
}

fn unknown() -> Problem {
    Problem::new(Code::TaskUnknown, ("it is done, was cancelled, or never was", "该任务已完成、已取消或不存在"))
        .at("id")
}
