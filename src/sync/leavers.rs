//! Leavers' customers whom nobody has taken over: a leaver is not always announced, but their customers are listed.

use std::collections::BTreeSet;

use super::{Halt, Run};
use crate::{
    changes::Changes,
    ids::{ExternalUserId, UserId},
    tables::{
        customer_wechat_contact, member,
        sync_drift::{Drift, Kind},
        sync_run::{self, Counts, Phase, Standing},
    },
};

/// The cursor is not accepted any more.
const CURSOR_OVER: &[i64] = &[50100, 60268];

/// Reads the next page. A leaver's handover follows from when they left and from the contacts that stand.
pub(super) async fn unassigned(run: &mut Run, standing: &Standing) -> Result<(), Halt> {
    let page = match run.api().await?.unassigned(&standing.cursor).await {
        Err(error) if !standing.cursor.is_empty() && error.errcode.is_some_and(|code| CURSOR_OVER.contains(&code)) => {
            // Reading it again from the beginning changes nothing that was right.
            let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
            sync_run::go_on(&mut transaction, run.lease.run, Phase::Unassigned, 0, "").await?;
            return Ok(transaction.commit().await?);
        }
        page => page?,
    };
    let last = page.is_last || page.next_cursor.is_empty();
    if !last && page.next_cursor == standing.cursor {
        return Err(Halt::Odd("WeCom's list of leavers' customers goes round in a circle".to_owned()));
    }
    let read = i64::try_from(page.customers.len()).unwrap_or(i64::MAX);
    let mut transaction = run.begin(&Counts { calls: 1, unassigned: read, ..Counts::default() }).await?;
    let users = page.customers.iter().map(|it| it.handover_userid.clone()).collect();
    let users = run.current(&mut transaction, users).await?;
    let corpid = run.lease.corpid.clone();
    let leavers: BTreeSet<_> = users.iter().map(|user| user.0.clone()).collect();
    let known = member::held(&mut transaction, &corpid, &Vec::from_iter(leavers)).await?;
    let keys: Vec<(ExternalUserId, UserId)> =
        page.customers.iter().map(|it| it.external_userid.clone()).zip(users).collect();
    let held = customer_wechat_contact::held(&mut transaction, &corpid, &keys).await?;
    let (mut changes, mut found) = (Changes::default(), Vec::new());
    for (key, it) in keys.iter().zip(&page.customers) {
        let (customer, user) = key;
        changes.left_behind(&corpid, customer, user, it.left_at, held.get(key).map(|it| (it.status, it.status_at)));
        if !held.contains_key(key) {
            found.push(drift(Kind::MissingHere, Some(customer), user, None));
        }
        if !known.get(user).is_some_and(|it| it.left) {
            found.push(drift(Kind::MemberLeft, None, user, Some(it.left_at.to_rfc3339())));
        }
    }
    run.write(&mut transaction, changes, &found).await?;
    let (phase, cursor) = if last { (Phase::Compare, "") } else { (Phase::Unassigned, page.next_cursor.as_str()) };
    sync_run::go_on(&mut transaction, run.lease.run, phase, 0, cursor).await?;
    Ok(transaction.commit().await?)
}

fn drift(kind: Kind, customer: Option<&ExternalUserId>, user: &UserId, found: Option<String>) -> Drift {
    Drift { kind, customer: customer.cloned(), user: Some(user.clone()), held: None, found }
}
