//! `archive_sealed`: messages that did not open, as WeCom sealed them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::CorpId;

/// A sealed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Its number.
    pub seq: i64,
    /// WeCom's id of it.
    pub msgid: String,
    /// The version of the public key.
    pub publickey_ver: i32,
    /// Its short key, sealed.
    pub random_key: String,
    /// The message, sealed.
    pub message: String,
    /// Why it did not open.
    pub reason: String,
}

/// Keeps messages that did not open. A page that is read again changes nothing.
pub async fn insert(conn: &mut PgConnection, corpid: &CorpId, rows: &[SealedRow]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let seqs: Vec<_> = rows.iter().map(|it| it.seq).collect();
    let msgids: Vec<_> = rows.iter().map(|it| it.msgid.clone()).collect();
    let versions: Vec<_> = rows.iter().map(|it| it.publickey_ver).collect();
    let random_keys: Vec<_> = rows.iter().map(|it| it.random_key.clone()).collect();
    let messages: Vec<_> = rows.iter().map(|it| it.message.clone()).collect();
    let reasons: Vec<_> = rows.iter().map(|it| it.reason.clone()).collect();
    sqlx::query!(
        r#"
        insert into archive_sealed (corpid, seq, msgid, publickey_ver, random_key, message, reason)
        select $1, * from unnest($2::bigint[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[])
        on conflict on constraint archive_sealed_key do nothing
        "#,
        corpid.as_str(),
        &seqs,
        &msgids,
        &versions,
        &random_keys,
        &messages,
        &reasons,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `limit` of a corp's after this number.
pub async fn after(conn: &mut PgConnection, corpid: &CorpId, seq: i64, limit: i64) -> sqlx::Result<Vec<SealedRow>> {
    sqlx::query_as!(
        SealedRow,
        r#"
        select seq, msgid, publickey_ver, random_key, message, reason
        from archive_sealed where corpid = $1 and seq > $2 order by seq limit $3
        "#,
        corpid.as_str(),
        seq,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Deletes messages that are open now; returns how many there were, because somebody else may have opened them.
pub async fn opened(conn: &mut PgConnection, corpid: &CorpId, seqs: &[i64]) -> sqlx::Result<u64> {
    let gone = sqlx::query!("delete from archive_sealed where corpid = $1 and seq = any($2)", corpid.as_str(), seqs)
        .execute(conn)
        .await?;
    Ok(gone.rows_affected())
}

/// Deletes up to `limit` messages that were pulled before this time.
pub async fn drop_before(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from archive_sealed
        where ctid = any(array(select ctid from archive_sealed where sealed_at < $1 limit $2))
        "#,
        before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// How many were pulled before this time.
pub async fn count_before(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from archive_sealed where sealed_at < $1"#, before)
        .fetch_one(conn)
        .await
}
