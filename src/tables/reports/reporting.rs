//! Schema `reporting`: the grants on its views, and the views' comments.

use sqlx::PgConnection;

/// A view for analysts.
#[derive(Debug)]
pub struct View {
    /// Its name, without the schema.
    pub name: String,
    /// What it shows, in English and Chinese.
    pub comment: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// A column of a view.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as SQL names it.
    pub kind: String,
    /// What it holds, in English and Chinese.
    pub comment: String,
}

/// Lets a role read the views and nothing else; creates it with that password if it does not exist. `true` if it was
/// created.
///
/// The database's own function checks the role's name: a role that may do more than read is refused.
pub async fn grant(conn: &mut PgConnection, role: &str, password: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select reporting_grant($1, $2) as "made!""#, role, password).fetch_one(conn).await
}

/// Revokes what [`grant`] gave; the role itself stays. `false` if there is no such role.
pub async fn revoke(conn: &mut PgConnection, role: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select reporting_revoke($1) as "known!""#, role).fetch_one(conn).await
}

/// Every view, by name.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<View>> {
    let rows = sqlx::query!(
        r#"
        select
            relname::text as "view!", coalesce(obj_description(pg_class.oid, 'pg_class'), '') as "meaning!",
            attname::text as "name!", format_type(atttypid, atttypmod) as "kind!",
            coalesce(col_description(pg_class.oid, attnum), '') as "comment!"
        from pg_class
        join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relnamespace = 'reporting'::regnamespace and relkind = 'v'
        order by relname, attnum
        "#,
    )
    .fetch_all(conn)
    .await?;
    let mut views: Vec<View> = Vec::new();
    for row in rows {
        let column = Column { name: row.name, kind: row.kind, comment: row.comment };
        match views.last_mut() {
            Some(view) if view.name == row.view => view.columns.push(column),
            _ => views.push(View { name: row.view, comment: row.meaning, columns: vec![column] }),
        }
    }
    Ok(views)
}
