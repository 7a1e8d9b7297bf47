//! The first half of an erasure: the tables, in one transaction with the request. Handover items end through the same
//! transition as for any other fact.
//!
//! The caller holds the corp's exclusive lock.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::subject::DataSubject;
use crate::{
    handover::{
        item::Fact,
        transition::{By, WECOMD, transition},
    },
    tables::{
        handover::{self, Heard},
        privacy::{
            erase::{self, Erasing, NamelessItem, Whom},
            erased_person,
            erasure::{self, ErasureView},
        },
    },
};

/// What stands for somebody who was erased, before its random digits.
const LABEL: &str = "erased-";

/// Why an item of a handover ends.
const ENDED: &str = "the customer was erased 客户信息已删除";

/// Who asked for an erasure, and by which request.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The token's name, or the member's userid.
    pub name: &'a str,
    /// The token, if there is one.
    pub token_id: Option<i32>,
    /// The request.
    pub request_id: Uuid,
}

/// What an erasure did at once.
#[derive(Debug)]
pub struct Erased {
    /// How far it is.
    pub erasure: ErasureView,
    /// How many people outside were erased.
    pub people: usize,
    /// Customers of the business whose orders stay, because a person was named and not them.
    pub customers_left: Vec<String>,
}

/// Erases somebody from every table, sets the tombstones, and begins the erasure of the inbox and the files.
pub async fn erase(conn: &mut PgConnection, subject: DataSubject, asker: &Asker<'_>) -> sqlx::Result<Erased> {
    let customers_left = match (&subject.customer, subject.persons.as_slice()) {
        (None, [person, ..]) => erase::customers_of(conn, &subject.corpid, person).await?,
        _ => Vec::new(),
    };
    let begun = erasure::New {
        corpid: &subject.corpid,
        named_by: subject.named_by(),
        asked_by: asker.name,
        token_id: asker.token_id,
        request_id: asker.request_id,
        persons: &subject.persons,
    };
    let (id, erased_at) = erasure::begin(conn, &begun).await?;
    let whom = Whom {
        customer: subject.customer.map(|customer| (customer, label())),
        labels: subject.persons.iter().map(|_| label()).collect(),
        persons: subject.persons,
        corpid: subject.corpid,
    };
    let counts = erase_tables(conn, &whom, id).await?;
    erased_person::set(conn, &whom.corpid, &whom.persons, id, erased_at).await?;
    erasure::note(conn, id, &Value::Object(counts)).await?;
    if whom.persons.is_empty() {
        erasure::finish(conn, id).await?;
    }
    let erasure = erasure::list(conn, Some(id), None, 1).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
    Ok(Erased { erasure, people: whom.persons.len(), customers_left })
}

/// What stands for an erased id.
fn label() -> String {
    format!("{LABEL}{}", hex::encode(rand::random::<[u8; 8]>()))
}

/// Erases them from every table, and says how many rows of each that concerned.
async fn erase_tables(conn: &mut PgConnection, whom: &Whom, erasure: i64) -> sqlx::Result<Map<String, Value>> {
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
