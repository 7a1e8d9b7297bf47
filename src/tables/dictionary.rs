//! The database's dictionary: every table and view with its columns and their comments.
//!
//! A comment holds an English and a Chinese sentence. This file knows no table's content.

use sqlx::PgConnection;

/// The separator between the English and the Chinese half of a comment.
const BETWEEN_LANGUAGES: &str = " | ";

/// A table or a view.
#[derive(Debug)]
pub struct Relation {
    /// Its name; views for analysts carry their schema, `reporting`.
    pub name: String,
    /// Whether it is a view.
    pub is_view: bool,
    /// What one row is.
    pub meaning: Meaning,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// A column of a table or a view.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as SQL names it.
    pub kind: String,
    /// Whether it may be null. PostgreSQL does not know this for a view's columns and says yes.
    pub nullable: bool,
    /// What it holds.
    pub meaning: Meaning,
}

/// A comment in its two languages.
#[derive(Debug, PartialEq, Eq)]
pub struct Meaning {
    /// In English.
    pub english: String,
    /// In Chinese; empty if the comment has no second half.
    pub chinese: String,
}

impl Meaning {
    fn parse(comment: &str) -> Self {
        let (english, chinese) = comment.split_once(BETWEEN_LANGUAGES).unwrap_or((comment, ""));
        Self { english: english.to_owned(), chinese: chinese.to_owned() }
    }
}

/// Every table and view, by name; those of schema `reporting` last. Partitions are left out, since they equal their
/// parent, and so is sqlx's migrations table.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Relation>> {
    let rows = sqlx::query!(
        r#"
        select
            case nspname when 'public' then relname::text else nspname || '.' || relname end as "relation!",
            relkind in ('v', 'm') as "is_view!", coalesce(obj_description(pg_class.oid, 'pg_class'), '') as "said!",
            attname::text as "name!", format_type(atttypid, atttypmod) as "kind!", not attnotnull as "nullable!",
            coalesce(col_description(pg_class.oid, attnum), '') as "comment!"
        from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where nspname in ('public', 'reporting') and relkind in ('r', 'p', 'v', 'm') and not relispartition
            and relname <> '_sqlx_migrations'
        order by nspname collate "C", relname collate "C", attnum
        "#,
    )
    .fetch_all(conn)
    .await?;
    let mut relations: Vec<Relation> = Vec::new();
    for row in rows {
        let meaning = Meaning::parse(&row.comment);
        let column = Column { name: row.name, kind: row.kind, nullable: row.nullable, meaning };
        match relations.last_mut() {
            Some(relation) if relation.name == row.relation => relation.columns.push(column),
            _ => relations.push(Relation {
                name: row.relation,
                is_view: row.is_view,
                meaning: Meaning::parse(&row.said),
                columns: vec![column],
            }),
        }
    }
    Ok(relations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_split_at_the_first_bar_between_spaces() {
        let both = Meaning::parse("A | B");
        assert_eq!((both.english.as_str(), both.chinese.as_str()), ("A", "B"));
        let english = Meaning::parse("a|b");
        assert_eq!((english.english.as_str(), english.chinese.as_str()), ("a|b", ""));
    }
}
