//! The first half of an erasure: the tables, in one transaction with the request. Handover items end through the same
//! transition as for any other fact.
//!
//! Whoever calls holds the corp's lock alone, and sets the tombstones that keep late callbacks out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sqlx::PgConnection;

use crate::{
    handover::{
        item::Fact,
        transition::{By, WECOMD, transition},
    },
    tables::{
        handover::{self, Heard},
        privacy::erase::{Erasing, NamelessItem, Whom},
    },
};

/// Why an item of a handover ends.
const ENDED: &str = "the customer was erased 客户信息已删除";

/// Erases them from every table, and says how many rows of each that concerned.
pub async fn erase(conn: &mut PgConnection, whom: &Whom, erasure: i64) -> sqlx::Result<Map<String, Value>> {
    let mut erasing = Erasing::begin(conn, whom, erasure).await?;
    erasing.contacts(conn).await?;
    // The ids are removed first, so that the log lines about the end never hold one.
    let items = erasing.handovers(conn).await?;
    end(conn, &items).await?;
    erasing.rest(conn).await
}

/// Ends the items that have not ended yet; the others keep their state.
async fn end(conn: &mut PgConnection, items: &[NamelessItem]) -> sqlx::Result<()> {
    let ended = |it: &NamelessItem| Heard { item: it.item, reason: Some(ENDED.to_owned()), ..Heard::default() };
    let heard: Vec<_> = items.iter().map(ended).collect();
    transition(conn, Fact::CustomerErased, &heard, By { actor: WECOMD, cause: ENDED }).await?;
    let stirred: BTreeSet<i64> = items.iter().map(|it| it.handover).collect();
    handover::wake(conn, &stirred).await
}
