//! How the statements of the recording and the acting half are planned.
//!
//! They are look-ups by key into tables that grow without end. A connection plans each of them once, perhaps while the
//! tables are empty, and PostgreSQL thinks of another plan only after somebody has analysed them. So no plan may be one
//! that is good for small tables alone: scans, hashes and merges are ruled out here, and the statements leave one index
//! to each look-up. `tests/it/plans/` measures that they do. To leave one index means:
//!
//! - A look-up names by `=` the columns of its index and no others. What only narrows its rows further is compared by
//!   `is not distinct from`, which no index serves: the corp (it leads the keys, and nearly all rows are of one corp),
//!   or the member, where a key is looked up by corp and customer.
//! - A look-up that follows from another row is a lateral subselect with `offset 0`, which keeps the joins in order.
//! - The condition of a partial index that is not meant stands outside of such a subselect: to a planner that knows
//!   nothing of a table, a walk through the whole of a partial index is as cheap as a look-up.
//! - A text is compared in the collation of the index (`collate "default"`, where the other side has `"C"`).

use sqlx::{PgConnection, postgres::PgConnectOptions};

/// How many statements a connection keeps with their plans: more than there are, so that none is planned again.
const STATEMENTS_MAX: usize = 500;

/// What fixes a plan.
const SETTINGS: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Connections whose plans are fixed: for recording, tasks, reconciling and what else acts by itself.
pub fn fixed(options: PgConnectOptions) -> PgConnectOptions {
    options.statement_cache_capacity(STATEMENTS_MAX).options(SETTINGS).options([("jit", "off")])
}

/// Connections for what people ask, which may be a scan: each statement is planned for what the tables hold by then.
pub fn fresh(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("plan_cache_mode", "force_custom_plan")])
}

/// What follows in this transaction reads whole tables, and is planned for what they hold now, until [`keyed`].
pub async fn whole(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        select set_config(name, case name when 'plan_cache_mode' then 'force_custom_plan' else 'on' end, true)
        from unnest($1::text[]) name
        "#,
        &names(),
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// What follows in this transaction is planned as its connection has it.
pub async fn keyed(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select set_config(name, reset_val, true) from pg_settings where name = any($1)", &names())
        .fetch_all(conn)
        .await?;
    Ok(())
}

fn names() -> Vec<String> {
    SETTINGS.iter().map(|(name, _)| (*name).to_owned()).collect()
}
