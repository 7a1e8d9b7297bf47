//! `idempotency_key`: what a request was answered, so that its repetition is answered alike.

use serde_json::Value;
use sqlx::PgConnection;

/// How many hours an answer is kept.
const KEPT_HOURS: i32 = 24;

/// What is known of a request.
#[derive(Debug)]
pub enum Known {
    /// Nothing: it is now noted as being carried out.
    New,
    /// It was answered with that status and body.
    Answered(u16, Value),
    /// The key was used for another request.
    Other,
}

/// Notes that a request is being carried out, in its own transaction, or says what is known of it.
///
/// Of requests that come at once, all but the first wait here until the first is committed or undone.
pub async fn begin(conn: &mut PgConnection, token_id: i32, key: &str, hash: &[u8]) -> sqlx::Result<Known> {
    let noted = sqlx::query!(
        r#"
        insert into idempotency_key as own (token_id, key, hash) values ($1, $2, $3)
        on conflict on constraint idempotency_key_key
        do update set hash = excluded.hash, status = null, answer = null, at = now()
        where own.at < now() - make_interval(hours => $4)
        "#,
        token_id,
        key,
        hash,
        KEPT_HOURS,
    )
    .execute(&mut *conn)
    .await?;
    if noted.rows_affected() > 0 {
        return Ok(Known::New);
    }
    let row = sqlx::query!(
        "select hash, status, answer from idempotency_key where token_id = $1 and key = $2",
        token_id,
        key,
    )
    .fetch_one(conn)
    .await?;
    Ok(match (row.status, row.answer) {
        (Some(status), Some(answer)) if row.hash == hash => {
            Known::Answered(u16::try_from(status).unwrap_or(200), answer)
        }
        _ => Known::Other,
    })
}

/// Keeps the answer.
pub async fn finish(
    conn: &mut PgConnection,
    token_id: i32,
    key: &str,
    status: u16,
    answer: &Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update idempotency_key set status = $3, answer = $4 where token_id = $1 and key = $2",
        token_id,
        key,
        i16::try_from(status).unwrap_or(i16::MAX),
        answer,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what is kept no longer.
pub async fn forget(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("delete from idempotency_key where at < now() - make_interval(hours => $1)", KEPT_HOURS)
        .execute(conn)
        .await?;
    Ok(())
}
