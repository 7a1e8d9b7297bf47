//! `archive_key`: the RSA keys of the archive. Private keys stay sealed here: this file holds no master key.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::CorpId;

/// A key.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// The corp.
    pub corpid: CorpId,
    /// The SHA-256 of the public key.
    pub public_hash: Vec<u8>,
    /// The version that WeCom gave it, as far as it is known.
    pub version: Option<i32>,
    /// The private key, sealed.
    pub private_key: Vec<u8>,
    /// The public key in PEM.
    pub public_key: String,
    /// When it was added.
    pub added_at: DateTime<Utc>,
}

/// A corp's keys, or all of them, oldest first.
pub async fn all(conn: &mut PgConnection, corpid: Option<&CorpId>) -> sqlx::Result<Vec<KeyRow>> {
    sqlx::query_as!(
        KeyRow,
        r#"
        select corpid as "corpid: CorpId", public_hash, version, private_key, public_key, added_at
        from archive_key where $1::text is null or corpid = $1 order by corpid, added_at, public_hash
        "#,
        corpid.map(CorpId::as_str),
    )
    .fetch_all(conn)
    .await
}

/// Adds a key, or renews a known one: what is sealed is then tried with it again. `false` if another key of the corp has
/// this version.
pub async fn add(conn: &mut PgConnection, key: &KeyRow) -> sqlx::Result<bool> {
    let taken = sqlx::query_scalar!(
        r#"
        select exists (
            select from archive_key where corpid = $1 and version = $2 and public_hash <> $3
        ) as "taken!"
        "#,
        key.corpid.as_str(),
        key.version,
        key.public_hash,
    )
    .fetch_one(&mut *conn)
    .await?;
    if taken {
        return Ok(false);
    }
    sqlx::query!(
        r#"
        insert into archive_key as own (corpid, public_hash, version, private_key, public_key)
        values ($1, $2, $3, $4, $5)
        on conflict on constraint archive_key_key do update set
            version = coalesce(excluded.version, own.version), private_key = excluded.private_key, added_at = now()
        "#,
        key.corpid.as_str(),
        key.public_hash,
        key.version,
        key.private_key,
        key.public_key,
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// A key was seen in use: this is its version.
pub async fn seen(conn: &mut PgConnection, corpid: &CorpId, public_hash: &[u8], version: i32) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update archive_key set version = $3
        where corpid = $1 and public_hash = $2 and version is null
            and not exists (select from archive_key other where other.corpid = $1 and other.version = $3)
        "#,
        corpid.as_str(),
        public_hash,
        version,
    )
    .execute(conn)
    .await?;
    Ok(())
}
