//! `message_revocation`: recalled messages. A recall may be known before its message; readers join it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{changes::Revocation, ids::CorpId};

/// Adds the batch's recalls; the earliest one of a message counts.
pub async fn upsert(conn: &mut PgConnection, recalls: &BTreeMap<(CorpId, Uuid), Revocation>) -> sqlx::Result<()> {
    if recalls.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = recalls.keys().map(|(corp, _)| corp.0.clone()).collect();
    let records: Vec<_> = recalls.keys().map(|(_, record)| *record).collect();
    let times: Vec<_> = recalls.values().map(|it| it.revoked_at).collect();
    let whom: Vec<_> = recalls.values().map(|it| it.by_whom.as_str().to_owned()).collect();
    sqlx::query!(
        r#"
        insert into message_revocation as own (corpid, record_id, revoked_at, by_whom)
        select * from unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[])
        on conflict on constraint message_revocation_key
        do update set revoked_at = excluded.revoked_at, by_whom = excluded.by_whom
        where (excluded.revoked_at, excluded.by_whom) < (own.revoked_at, own.by_whom)
        "#,
        &corps,
        &records,
        &times,
        &whom,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the recalls before that time, together with their messages, which are older.
pub async fn drop_before(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let gone =
        sqlx::query!("delete from message_revocation where revoked_at >= to_timestamp(1) and revoked_at < $1", before,)
            .execute(conn)
            .await?;
    Ok(gone.rows_affected())
}
