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

/// A claimed delivery, whose people may have been erased.
#[derive(Debug, Clone, Copy)]
pub(super) struct Concerned<'a> {
    pub(super) delivery: &'a Claimed,
    /// The corp whose people it mentions; none if its app is no longer configured.
    pub(super) corpid: Option<&'a CorpId>,
    /// The event's own time, or else the one in the delivery's key.
    pub(super) at: DateTime<Utc>,
}

/// Removes the plaintexts of those deliveries that mention an erased person who is not back, or that are older than the
/// erasure. Their changes are written before, so a person who comes back with them has a contact by now.
pub(super) async fn empty_late(conn: &mut PgConnection, concerned: &[Concerned<'_>]) -> sqlx::Result<u64> {
    let people: Vec<_> = concerned.iter().map(|it| mentioned(it.delivery, it.corpid)).collect();
    let erased = erased_person::of(conn, &people.iter().flatten().cloned().collect()).await?;
    if erased.is_empty() {
        return Ok(0);
    }
    let covered = |people: &BTreeSet<Person>, at| {
        people.iter().any(|who| erased.get(who).is_some_and(|tombstone| tombstone.covers(at)))
    };
    let late = concerned.iter().zip(&people).filter(|(it, people)| covered(people, it.at));
    let keys: Vec<_> = late.map(|(it, _)| it.delivery.key.clone()).collect();
    inbox::empty(conn, &keys).await
}

/// All external contacts that a delivery mentions.
fn mentioned(delivery: &Claimed, corp: Option<&CorpId>) -> BTreeSet<Person> {
    let Some(corp) = corp else { return BTreeSet::new() };
    let people = ExternalUserId::mentioned_in(&delivery.plaintext);
    people.into_iter().map(|who| (corp.clone(), who)).collect()
}
