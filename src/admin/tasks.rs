//! `tasks`: what must still be done with WeCom; once more, please, or never mind.

use serde::Serialize;
use sqlx::PgConnection;

use super::{
    call::{Answer, Call},
    page::Paging,
    problem::{Code, Problem},
};
use crate::tables::task::{self, Filter};

/// A task that was turned.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct TaskTurned {
    /// Its number.
    id: i64,
    /// due or cancelled.
    state: &'static str,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (kind, state) = (params.take_word("kind")?, params.take_word("state")?);
    let subject = params.take("subject");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    call.subject = subject.clone().unwrap_or_default();
    let filter = Filter { kind, state, subject, before: paging.after(|id| id.parse().ok())? };
    let rows = task::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) async fn replay(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = wanted(call)?;
    if !task::replay(conn, id).await? {
        return Err(unknown());
    }
    Answer::new(202, TaskTurned { id, state: "due" })
}

pub(super) async fn cancel(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = wanted(call)?;
    if !task::cancel(conn, id).await? {
        return Err(unknown());
    }
    Answer::ok(TaskTurned { id, state: "cancelled" })
}

fn wanted(call: &Call<'_>) -> Result<i64, Problem> {
    call.id.parse().map_err(|_| Problem::parameter("id", "must be a number, as the list of tasks shows it"))
}

fn unknown() -> Problem {
    Problem::new(Code::TaskUnknown, "it is done, was cancelled, or never was").at("id")
}
