//! The phases that a run left out because WeCom does not permit them, stored with the run for its report.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json};

/// A phase that was left out, wholly or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "SyncSkipped")]
pub struct Skipped {
    /// departments, members, staff, customers, unassigned; or tags, whose names are left as they are.
    pub phase: String,
    /// Which of WeCom's APIs was refused.
    pub path: String,
    /// WeCom's code.
    pub errcode: Option<i64>,
    /// WeCom's words.
    pub said: String,
    /// What it means, in Chinese.
    pub zh: String,
    /// The same in English.
    pub en: String,
    /// What to do about it, in Chinese.
    pub remedy_zh: String,
    /// The same in English.
    pub remedy_en: String,
}

/// Records a phase as left out, in the transaction that goes on with the next one. A phase is recorded once.
pub async fn skip(conn: &mut PgConnection, run: i64, skipped: &Skipped) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sync_run set skipped = (
            select coalesce(jsonb_agg(other), '[]') from jsonb_array_elements(skipped) other
            where other->>'phase' <> $2
        ) || $3
        where id = $1
        "#,
        run,
        skipped.phase,
        Json([skipped]) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}
