//! Handles deliveries that arrive after their person was erased: nothing is recorded from them, and their plaintext
//! is removed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    changes::Person,
    ids::{CorpId, ExternalUserId},
    inbox::{self, Claimed},
    tables::privacy::erased_person,
};

/// Removes the plaintexts of the batch's deliveries that mention an erased person who is not back, or that are older
/// than the erasure. `concerned` gives each delivery's corp and event time. The batch's changes are written before,
/// so a person who comes back with it has a contact by now.
pub(super) async fn empty_late(
    conn: &mut PgConnection,
    claimed: &[Claimed],
    concerned: &[(Option<CorpId>, DateTime<Utc>)],
) -> sqlx::Result<u64> {
    let people: Vec<_> = claimed.iter().zip(concerned).map(|(it, (corp, _))| mentioned(it, corp.as_ref())).collect();
    let erased = erased_person::of(conn, &people.iter().flatten().cloned().collect()).await?;
    if erased.is_empty() {
        return Ok(0);
    }
    let covered = |people: &BTreeSet<Person>, at| {
        people.iter().any(|who| erased.get(who).is_some_and(|tombstone| tombstone.covers(at)))
    };
    let all = claimed.iter().zip(concerned).zip(&people);
    let late = all.filter(|((_, (_, at)), people)| covered(people, *at));
    let keys: Vec<_> = late.map(|((it, _), _)| it.key.clone()).collect();
    inbox::empty(conn, &keys).await
}

/// All external contacts that a delivery mentions.
fn mentioned(delivery: &Claimed, corp: Option<&CorpId>) -> BTreeSet<Person> {
    let Some(corp) = corp else { return BTreeSet::new() };
    let people = ExternalUserId::mentioned_in(&delivery.plaintext);
    people.into_iter().map(|who| (corp.clone(), who)).collect()
}
