//! `contact_way_scan`: which customer came through which contact way, by events and readings. A set, also for ways
//! that we do not know.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::{
    changes::{Contact, ContactKey},
    ids::{ContactWayState, CorpId},
};

/// Adds the batch's scans; each person's earliest scan of a way is kept. Returns the scanned ways.
pub async fn upsert(
    conn: &mut PgConnection,
    contacts: &BTreeMap<ContactKey, Contact>,
) -> sqlx::Result<BTreeSet<(CorpId, ContactWayState)>> {
    let mut first = BTreeMap::new();
    for ((corp, customer, _), contact) in contacts {
        for (state, at) in &contact.scans {
            let slot = first.entry((corp, state, customer)).or_insert(*at);
            *slot = (*slot).min(*at);
        }
    }
    if first.is_empty() {
        return Ok(BTreeSet::new());
    }
    let corps: Vec<_> = first.keys().map(|(corp, ..)| corp.0.clone()).collect();
    let states: Vec<_> = first.keys().map(|(_, state, _)| state.0.clone()).collect();
    let customers: Vec<_> = first.keys().map(|(.., customer)| customer.0.clone()).collect();
    let times: Vec<_> = first.values().copied().collect();
    sqlx::query!(
        r#"
        insert into contact_way_scan as own (corpid, state, external_userid, scanned_at)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        on conflict on constraint contact_way_scan_key
        do update set scanned_at = least(own.scanned_at, excluded.scanned_at)
        "#,
        &corps,
        &states,
        &customers,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(first.keys().map(|(corp, state, _)| ((*corp).clone(), (*state).clone())).collect())
}
