//! `deliveries`: what WeCom sent, how it stands, and once more, please.

use serde::Serialize;
use sqlx::PgConnection;

use super::{
    call::{Answer, Call},
    page::Paging,
    problem::{Code, Problem},
};
use crate::{
    ids::DeliveryKey,
    inbox::{self, Filter},
    states::DeliveryState,
};

/// A delivery that was queued again.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct DeliveryQueued {
    /// The delivery.
    id: String,
    /// How it stands.
    state: DeliveryState,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let state = params.take_word("state")?;
    let app = params.take("app");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = Filter { state, app, after: paging.after(|key| key.parse().ok())? };
    let rows = inbox::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.clone()))
}

pub(super) async fn show(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    match inbox::show(conn, &wanted(call)?).await? {
        Some(delivery) => Answer::ok(delivery),
        None => Err(unknown()),
    }
}

pub(super) async fn replay(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let key = wanted(call)?;
    if !inbox::replay(conn, &key).await? {
        return Err(unknown());
    }
    Answer::new(202, DeliveryQueued { id: key.to_string(), state: DeliveryState::Pending })
}

fn wanted(call: &Call<'_>) -> Result<DeliveryKey, Problem> {
    let key = call.id.parse();
    key.map_err(|_| Problem::parameter("id", "must be `app-seconds-hash`, as the list of deliveries shows it"))
}

fn unknown() -> Problem {
    Problem::new(Code::DeliveryUnknown, "it was never stored here, or it was kept long enough and dropped").at("id")
}
