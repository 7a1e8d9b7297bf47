//! Erases somebody from the message archive's tables: consents, and what fetches their files.
//!
//! Sealed messages name nobody that we could read. One that is opened later is dropped like any late delivery.

use sqlx::PgConnection;

use super::Whom;

/// Their files are in the archive's list as well.
pub(super) async fn delete_media(conn: &mut PgConnection, erasure: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from archive_media using erasure_media noted
        where noted.erasure_id = $1 and archive_media.corpid = noted.corpid
            and archive_media.media_id = noted.media_id
        "#,
        erasure,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// What they agreed to.
pub(super) async fn delete_consents(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "delete from archive_consent where corpid = $1 and external_userid = any($2)",
        whom.corpid.as_str(),
        &whom.persons,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}
