//! Every column with sealed values, in all tables: replacing a master key must reach all of them.
//!
//! Values stay sealed here: this file holds no key. Replacing a value requires the value that was read, so it never
//! overwrites a concurrent change and may run beside everything else.

use sqlx::PgConnection;

/// The columns, by table. `values` lists their values and `replace` writes them.
pub const COLUMNS: &[(&str, &[&str])] = &[
    (APPS, &["secret", "token", "encoding_aes_key", "previous_token", "previous_encoding_aes_key"]),
    (TOKENS, &["token"]),
    (ARCHIVE_KEYS, &["private_key"]),
];

/// A sealed value.
#[derive(Debug, Clone)]
pub struct Value {
    /// The context it was sealed for: table, row and column.
    pub place: String,
    /// Its table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// The master key that it opens with.
    pub key_id: i64,
    /// The value itself.
    pub sealed: Vec<u8>,
}

/// The apps.
const APPS: &str = "enterprise_wechat_config";

/// The access tokens.
const TOKENS: &str = "wecom_token";

/// The keys of the message archive.
const ARCHIVE_KEYS: &str = "archive_key";

/// Up to `limit` values whose place sorts after `after`, except those sealed with the master key `except`.
pub async fn values(conn: &mut PgConnection, after: &str, except: Option<u32>, limit: i64) -> sqlx::Result<Vec<Value>> {
    sqlx::query_as!(
        Value,
        r#"
        select place as "place!", "table" as "table!", "column" as "column!", key_id as "key_id!", sealed as "sealed!"
        from (
            select 'enterprise_wechat_config' as "table", it."column", it.sealed,
                'enterprise_wechat_config/' || name || '/' || it."column" as place
            from enterprise_wechat_config,
            lateral (values
                ('secret', secret), ('token', token), ('encoding_aes_key', encoding_aes_key),
                ('previous_token', previous_token), ('previous_encoding_aes_key', previous_encoding_aes_key)
            ) it("column", sealed)
            union all
            select 'wecom_token', 'token', token, 'wecom_token/' || corpid || '/' || encode(secret_hash, 'hex')
            from wecom_token
            union all
            select 'archive_key', 'private_key', private_key,
                'archive_key/' || corpid || '/' || encode(public_hash, 'hex') || '/private_key'
            from archive_key
        ) value,
        -- Version, key id and the rest: the id is four bytes, the highest first. What was never sealed has none.
        lateral (select ('x' || encode(substring(sealed from 2 for 4), 'hex'))::bit(32)::bigint as key_id) head
        where length(sealed) > 5 and place collate "C" > $1 and ($2::bigint is null or key_id <> $2)
        order by place collate "C"
        limit $3
        "#,
        after,
        except.map(i64::from),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Replaces a value by the same secret, sealed anew; `false` if it was changed meanwhile.
pub async fn replace(conn: &mut PgConnection, value: &Value, sealed: &[u8]) -> sqlx::Result<bool> {
    let done = match value.table.as_str() {
        APPS => {
            sqlx::query!(
                r#"
                update enterprise_wechat_config
                set secret = case $2 when 'secret' then $4 else secret end,
                    token = case $2 when 'token' then $4 else token end,
                    encoding_aes_key = case $2 when 'encoding_aes_key' then $4 else encoding_aes_key end,
                    previous_token = case $2 when 'previous_token' then $4 else previous_token end,
                    previous_encoding_aes_key =
                        case $2 when 'previous_encoding_aes_key' then $4 else previous_encoding_aes_key end
                where 'enterprise_wechat_config/' || name || '/' || $2 = $1
                    and $3 = case $2
                        when 'secret' then secret
                        when 'token' then token
                        when 'encoding_aes_key' then encoding_aes_key
                        when 'previous_token' then previous_token
                        when 'previous_encoding_aes_key' then previous_encoding_aes_key
                    end
                "#,
                value.place,
                value.column,
                value.sealed,
                sealed,
            )
            .execute(conn)
            .await?
        }
        TOKENS => {
            sqlx::query!(
                r#"
                update wecom_token set token = $3
                where 'wecom_token/' || corpid || '/' || encode(secret_hash, 'hex') = $1 and token = $2
                "#,
                value.place,
                value.sealed,
                sealed,
            )
            .execute(conn)
            .await?
        }
        ARCHIVE_KEYS => {
            sqlx::query!(
                r#"
                update archive_key set private_key = $3
                where 'archive_key/' || corpid || '/' || encode(public_hash, 'hex') || '/private_key' = $1
                    and private_key = $2
                "#,
                value.place,
                value.sealed,
                sealed,
            )
            .execute(conn)
            .await?
        }
        _ => return Ok(false),
    };
    Ok(done.rows_affected() > 0)
}
