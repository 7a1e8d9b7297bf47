//! How PostgreSQL plans the statements of the recording and the acting half.
//!
//! They are look-ups by key in tables that grow without end. A connection plans each of them once, perhaps while the
//! tables are empty, and PostgreSQL changes the plan only after an `analyze`. So no plan may be one that is good for
//! small tables alone: scans, hashes and merges are disabled here, and each statement leaves one usable index per
//! look-up. `tests/it/plans/` measures this. To leave one index means:
//!
//! - A look-up names by `=` the columns of its index and no others. Conditions that only narrow its rows further use
//!   `is not distinct from`, which no index serves: the corp (it leads the keys, and nearly all rows are of one
//!   corp), or the member, where a key is looked up by corp and customer.
//! - A look-up that depends on another row is a lateral subselect with `offset 0`, which keeps the joins in order.
//! - The condition of a partial index that must not be used stands outside of such a subselect: without statistics,
//!   the planner thinks that walking a whole partial index is as cheap as a look-up.
//! - A text is compared in the collation of the index (`collate "default"`, where the other side has `"C"`).

use sqlx::{PgConnection, postgres::PgConnectOptions};

/// How many prepared statements a connection caches: more than exist, so that none is planned again.
const STATEMENTS_MAX: usize = 500;

/// The settings that fix a plan.
const SETTINGS: [(&str, &str); 6] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    // Keys rarely repeat within a batch, so a cache of look-ups costs more than the look-ups.
    ("enable_memoize", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Set explicitly, whatever the database's default is: a task is claimed for good before anything is done.
const SYNCED: (&str, &str) = ("synchronous_commit", "on");

/// Connections with fixed plans: for recording, tasks, reconciling and other background work.
pub fn fixed(options: PgConnectOptions) -> PgConnectOptions {
    options.statement_cache_capacity(STATEMENTS_MAX).options(SETTINGS).options([("jit", "off"), SYNCED])
}

/// Connections for people's requests, which may be scans: each statement is planned for the tables' current contents.
pub fn fresh(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("plan_cache_mode", "force_custom_plan")])
}

/// From here until [`keyed`], this transaction's statements read whole tables and are planned for the current
/// contents.
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

/// From here on, this transaction's statements are planned with the connection's own settings.
pub async fn keyed(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select set_config(name, reset_val, true) from pg_settings where name = any($1)", &names())
        .fetch_all(conn)
        .await?;
    Ok(())
}

fn names() -> Vec<String> {
    SETTINGS.iter().map(|(name, _)| (*name).to_owned()).collect()
}
