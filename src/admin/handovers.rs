//! `handovers`: who left, and how many customers they leave behind.

use serde::Serialize;
use sqlx::PgConnection;

use super::{
    call::{Answer, Call},
    page::{fetch, take_limit},
    problem::Problem,
};
use crate::tables::handover;

/// The latest handovers.
#[derive(Debug, Serialize)]
struct Handovers {
    /// Latest first.
    items: Vec<handover::Listed>,
    /// Whether there are more than are shown.
    more: bool,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let limit = take_limit(&mut params)?;
    params.finish()?;
    let mut items = handover::list(conn, fetch(limit)).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    Answer::ok(Handovers { items, more })
}
