//! Reads leavers' unassigned customers: WeCom does not announce every leaver, but lists their customers.

use std::collections::BTreeSet;

use super::{Halt, Run};
use crate::{
    changes::Changes,
    ids::{ExternalUserId, UserId},
    states::{DriftKind, SyncPhase},
    tables::{
        customers::customer_wechat_contact,
        staff::member,
        sync::{
            sync_drift::Drift,
            sync_run::{self, Counts, RunProgress},
        },
    },
    wecom::customer::UNASSIGNED,
};

/// WeCom's codes for a cursor that is no longer accepted.
const CURSOR_OVER: &[i64] = &[50100, 60268];

/// How often the list is restarted before the run fails.
const RESTARTS_MAX: u32 = 5;

/// How many pages the list may have, of a thousand customers each.
const PAGES_MAX: usize = 10_000;

/// The list's number among a run's lists: groups of members begin with 1.
const WALK: i64 = 0;

/// Reads the next page. A leaver's handover is derived from their leaving time and their current contacts.
pub(super) async fn unassigned(run: &mut Run, standing: &RunProgress) -> Result<(), Halt> {
    let page = match run.api().await?.unassigned(&standing.cursor).await {
        Err(error)
            if !standing.cursor.is_empty()
                && run.restarts < RESTARTS_MAX
                && error.errcode.is_some_and(|code| CURSOR_OVER.contains(&code)) =>
        {
            // Reading it again from the beginning undoes nothing. The pages are still counted together.
            run.restarts += 1;
            run.walk_anew();
            let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
            sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::Unassigned, standing.position + 1, "").await?;
            return Ok(transaction.commit().await?);
        }
        page => page?,
    };
    if usize::try_from(standing.position).unwrap_or(usize::MAX) >= PAGES_MAX {
        return Err(Halt::Odd(format!("WeCom's list of leavers' customers has more than {PAGES_MAX} pages")));
    }
    let next = if page.is_last { String::new() } else { page.next_cursor };
    let next = run.walk(WALK, UNASSIGNED, PAGES_MAX).follow(&standing.cursor, next)?;
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
            found.push(drift(DriftKind::MissingHere, Some(customer), user, None));
        }
        if !known.get(user).is_some_and(|it| it.left) {
            found.push(drift(DriftKind::MemberLeft, None, user, Some(it.left_at.to_rfc3339())));
        }
    }
    run.write(&mut transaction, changes, &found).await?;
    run.name_unreadable(&mut transaction, &page.unreadable).await?;
    let (phase, position) = match next {
        Some(_) => (SyncPhase::Unassigned, standing.position + 1),
        None => (SyncPhase::GroupChats, 0),
    };
    sync_run::go_on(&mut transaction, run.lease.run, phase, position, &next.unwrap_or_default()).await?;
    Ok(transaction.commit().await?)
}

fn drift(kind: DriftKind, customer: Option<&ExternalUserId>, user: &UserId, found: Option<String>) -> Drift {
    Drift { kind, customer: customer.cloned(), user: Some(user.clone()), held: None, found }
}
