//! `handover_log`: every transition, its actor and its cause. Append-only; the database refuses anything else.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::states::{HandoverState, ItemKind, LoggedState};

/// A transition.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "HandoverTurn")]
pub struct Turned {
    /// The line's number.
    pub id: i64,
    /// customer, order or group; none if it is the handover itself.
    pub kind: Option<ItemKind>,
    /// Which one.
    pub subject: Option<String>,
    /// The state before.
    pub from_state: Option<LoggedState>,
    /// The state since.
    pub to_state: LoggedState,
    /// An API token's name, wecomd, or WeCom.
    pub actor: String,
    /// Why.
    pub cause: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Logs a transition of the handover itself.
pub async fn log(
    conn: &mut PgConnection,
    handover: i64,
    from_state: Option<HandoverState>,
    to_state: HandoverState,
    actor: &str,
    cause: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into handover_log (handover_id, from_state, to_state, actor, cause) values ($1, $2, $3, $4, $5)",
        handover,
        from_state.map(HandoverState::as_str),
        to_state.as_str(),
        actor,
        cause,
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Turned {
    /// Up to `limit` transitions of a handover after the given line, earliest first.
    pub async fn list(
        conn: &mut PgConnection,
        handover: i64,
        after: Option<i64>,
        limit: i64,
    ) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as!(
            Self,
            r#"
            select id, kind as "kind: ItemKind", subject, from_state as "from_state: LoggedState",
                to_state as "to_state: LoggedState", actor, cause, at
            from handover_log
            where handover_id = $1 and ($2::bigint is null or id > $2)
            order by id
            limit $3
            "#,
            handover,
            after,
            limit,
        )
        .fetch_all(conn)
        .await
    }
}
