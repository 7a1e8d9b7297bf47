//! `customer-matches`: people who may be one of several customers, and who decided which.

use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    body,
    call::{Answer, Call},
    check,
    page::Paging,
    problem::{Code, Problem},
};
use crate::{
    ids::CustomerId,
    tables::{apply, customers::customer_match},
};

/// Which customer a person is.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CustomerMatchDecision")]
pub(super) struct Decision {
    /// One of the candidates, or another id of the business.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    customer_id: String,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let decided = params.take("decided").as_deref() == Some("true");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = customer_match::list(conn, decided, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) async fn decide(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let decision: Decision = body::parse(&call.request.body)?;
    check::id("customer_id", &decision.customer_id)?;
    call.customer.clone_from(&decision.customer_id);
    let id = call.id.parse().map_err(|_| unknown())?;
    let (corpid, person) = customer_match::person(conn, id).await?.ok_or_else(unknown)?;
    apply::lock_alone(conn, &corpid).await?;
    let decided = customer_match::decide(conn, id, &CustomerId(decision.customer_id), call.who()).await?;
    let decided = decided.ok_or_else(unknown)?;
    apply::follow_scans(conn, &[].into(), [(corpid, person)].into()).await?;
    Answer::ok(decided)
}

fn unknown() -> Problem {
    Problem::new(Code::CustomerMatchUnknown, "list them with `GET customer-matches`; one goes away once it is clear")
}
