//! Erases somebody from customer groups. The records of what was said are emptied with all others.

use sqlx::PgConnection;

use super::Whom;

/// A reading that names them again is dropped for as long as they stay erased.
pub(super) async fn delete(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from group_member it using unnest($2::text[]) erased (id)
        where it.corpid = $1 and userid_key(it.person) = userid_key(erased.id) and it.person = erased.id
        "#,
        whom.corpid.as_str(),
        &whom.persons,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}
