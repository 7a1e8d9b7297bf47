//! Erases somebody from 微信客服. The records of what was said are emptied with all others.

use sqlx::PgConnection;

use super::Whom;

/// Their sessions.
pub(super) async fn delete_sessions(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "delete from kf_session where corpid = $1 and external_userid = any($2)",
        whom.corpid.as_str(),
        &whom.persons,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// Who they are.
pub(super) async fn delete_customers(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "delete from kf_customer where corpid = $1 and external_userid = any($2)",
        whom.corpid.as_str(),
        &whom.persons,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// The log lines of their sessions stay, without identifying anybody.
pub(super) async fn forget_logged(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let nameless = sqlx::query!(
        r#"
        update handover_log log set subject = split_part(log.subject, '/', 1) || '/' || person.label
        from unnest($2::text[], $3::text[]) person (id, label), handover
        where log.kind = 'session' and split_part(log.subject, '/', 2) = person.id and handover.id = log.handover_id
            and handover.corpid = $1
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        &whom.labels,
    )
    .execute(conn)
    .await?;
    Ok(nameless.rows_affected())
}
