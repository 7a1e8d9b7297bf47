//! `idempotency_key`: the answers to requests with an idempotency key, so that a repeated request gets the same
//! answer.

use sqlx::PgConnection;

/// How many hours an answer is kept.
const KEPT_HOURS: i32 = 24;

/// A request and its idempotency key.
#[derive(Debug)]
pub struct Request {
    /// The caller: `token 3` or `session 12`. Keys of different callers are independent.
    pub caller: String,
    /// The key.
    pub key: String,
    /// A hash of the request, so that another request under the same key is noticed.
    pub hash: [u8; 32],
}

/// The stored state of a request.
#[derive(Debug)]
pub enum Known {
    /// Unknown so far; it is now recorded as running.
    New,
    /// It was answered.
    Answered {
        /// The status.
        status: u16,
        /// The body, as JSON.
        answer: String,
        /// Whom or what it was about.
        subject: String,
        /// The audit line's customer, if there is one.
        customer: String,
    },
    /// The key was used for a different request.
    Other,
}

/// The stored state of a finished request; none if it has not run or not ended.
pub async fn find(conn: &mut PgConnection, request: &Request) -> sqlx::Result<Option<Known>> {
    let row = sqlx::query!(
        r#"
        select hash, status as "status!", answer::text as "answer!", subject, customer
        from idempotency_key
        where caller = $1 and key = $2 and at >= now() - make_interval(hours => $3) and status is not null
        "#,
        request.caller,
        request.key,
        KEPT_HOURS,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| match row.hash == request.hash {
        true => Known::Answered {
            status: u16::try_from(row.status).unwrap_or(200),
            answer: row.answer,
            subject: row.subject,
            customer: row.customer,
        },
        false => Known::Other,
    }))
}

/// Records in the request's own transaction that it is running, or returns its stored state.
///
/// Of concurrent requests with one key, all but the first wait here until the first commits or rolls back.
pub async fn begin(conn: &mut PgConnection, request: &Request) -> sqlx::Result<Known> {
    let noted = sqlx::query!(
        r#"
        insert into idempotency_key as own (caller, key, hash) values ($1, $2, $3)
        on conflict on constraint idempotency_key_key
        do update set hash = excluded.hash, status = null, answer = null, at = now()
        where own.at < now() - make_interval(hours => $4)
        "#,
        request.caller,
        request.key,
        &request.hash[..],
        KEPT_HOURS,
    )
    .execute(&mut *conn)
    .await?;
    if noted.rows_affected() > 0 {
        return Ok(Known::New);
    }
    Ok(find(conn, request).await?.unwrap_or(Known::Other))
}

/// Keeps the answer, which is JSON.
pub async fn finish(
    conn: &mut PgConnection,
    request: &Request,
    status: u16,
    answer: &str,
    subject: &str,
    customer: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update idempotency_key set status = $3, answer = $4::text::json, subject = $5, customer = $6
        where caller = $1 and key = $2
        "#,
        request.caller,
        request.key,
        i16::try_from(status).unwrap_or(i16::MAX),
        answer,
        subject,
        customer,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes expired answers.
pub async fn forget(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("delete from idempotency_key where at < now() - make_interval(hours => $1)", KEPT_HOURS)
        .execute(conn)
        .await?;
    Ok(())
}
