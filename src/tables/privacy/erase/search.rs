//! Erases what somebody's records are found by.

use sqlx::PgConnection;

use super::{Whom, customer};
use crate::tables::records::record_search;

/// The terms of their records, whose contents are empty by now.
pub(super) async fn delete_terms(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    record_search::lock(conn).await?;
    let gone = sqlx::query!(
        r#"
        with emptied as (
            select contact_time, id from wechat_contact_record where corpid = $1 and external_userid = any($2)
            union all
            select contact_time, id from wechat_contact_record where corpid = $1 and customer_id = $3
        )
        delete from record_search held using emptied
        where held.id = emptied.id and held.corpid = $1 and held.contact_time = emptied.contact_time
        "#,
        whom.corpid.as_str(),
        &whom.labels,
        customer(whom).1,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}
