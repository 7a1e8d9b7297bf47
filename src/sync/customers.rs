//! Reads customers: the members who may have any, their contacts, and those of our contacts that WeCom does not list.
//!
//! Members are read in groups, each group page by page. When a group is read to its end, our contacts of its members
//! whose card was not renewed since the group's beginning were not listed. That needs no list of what was seen, and
//! it survives renames: cards move with their contacts.

use chrono::{DateTime, Utc};

use super::{
    Halt, Run, permission,
    reading::{self, Tags},
};
use crate::{
    answers,
    changes::Changes,
    ids::{ExternalUserId, UserId},
    states::{DriftKind, ShardState, SyncPhase},
    tables::{
        customers::customer_wechat_contact,
        staff::member,
        sync::{
            sync_drift::Drift,
            sync_run::{self, Counts, RunProgress},
            sync_shard::{self, Shard},
        },
    },
    wecom::{
        ApiError, Class, Rows, Unreadable,
        customer::{BATCH_MAX, CUSTOMERS},
        tag,
    },
};

/// WeCom's codes for a cursor that is no longer accepted.
const CURSOR_OVER: &[i64] = &[50100, 60268];

/// How many pages a group's list may have: enough for a hundred members with fifty thousand contacts each.
const PAGES_MAX: usize = 50_000;

/// How often a group is restarted before the run fails.
const RESTARTS_MAX: i32 = 5;

/// The member has no customers.
const NO_CUSTOMERS: i64 = 84061;

/// WeCom's codes that refuse a whole group because of one member.
const ABOUT_MEMBERS: &[i64] =
    &[40003, 40031, 40096, 40098, 41054, 50002, 60011, 60030, 60111, NO_CUSTOMERS, 84074, 84083, 701_008];

/// The name of the tag reading in the report.
const TAGS: &str = "tags";

/// How many contacts are marked as gone in one transaction.
const UNNAMED_MAX: i64 = 500;

/// Reads which members may have customers, and puts them into groups. A member of ours who was listed neither there
/// nor in a department is not visible to the app: gone or not.
pub(super) async fn staff(run: &mut Run, standing: &RunProgress) -> Result<(), Halt> {
    let Rows { rows: mut users, unreadable } = run.api().await?.follow_users().await?;
    users.sort();
    users.dedup();
    let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
    for group in users.chunks(BATCH_MAX) {
        sync_shard::add(&mut transaction, run.lease.run, group).await?;
    }
    let serving = run.current(&mut transaction, users).await?;
    run.name_unreadable(&mut transaction, &unreadable).await?;
    // Without a visible department, no members were requested; and a row that was left out may have listed the
    // member.
    let all_read = !standing.departments.is_empty() && standing.unreadable == 0 && unreadable.is_empty();
    if let Some(members_from) = standing.members_from.filter(|_| all_read) {
        let serving: Vec<_> = serving.into_iter().map(|user| user.0).collect();
        let (corpid, since) = (run.lease.corpid.clone(), reading::said_at(members_from));
        let unseen = member::not_named_since(&mut transaction, &corpid, since, &serving).await?;
        let mut changes = Changes::default();
        for it in &unseen {
            changes.members.entry((corpid.clone(), it.user.clone())).or_default().perhaps_left(since);
        }
        let found: Vec<_> = unseen
            .into_iter()
            .map(|it| Drift {
                kind: DriftKind::MemberGoneThere,
                customer: None,
                user: Some(it.user),
                held: it.name,
                found: None,
            })
            .collect();
        run.write(&mut transaction, changes, &found).await?;
    }
    sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::Customers, 0, "").await?;
    Ok(transaction.commit().await?)
}

/// Reads the next page of customers, or marks what a group that was read to its end did not list. If a row was left
/// out, nothing is marked.
pub(super) async fn customers(run: &mut Run, standing: &RunProgress) -> Result<(), Halt> {
    let shard = {
        let mut conn = run.sync.pool.acquire().await?;
        sync_shard::next(&mut conn, run.lease.run).await?
    };
    let Some(shard) = shard else {
        let mut transaction = run.begin(&Counts::default()).await?;
        sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::Unassigned, 0, "").await?;
        return Ok(transaction.commit().await?);
    };
    match shard.state {
        ShardState::Walked => judge(run, &shard).await,
        ShardState::Waiting | ShardState::Done | ShardState::Refused => read(run, standing, &shard).await,
    }
}

async fn read(run: &mut Run, standing: &RunProgress, shard: &Shard) -> Result<(), Halt> {
    let api = run.api().await?;
    let (mut calls, mut tags_refused, mut tags_listed) = (1, None, None);
    if run.tags.is_none() {
        (tags_listed, tags_refused) = tags(api.corp_tags().await)?;
        run.tags = Some(tags_listed.as_ref().map(Tags::of).unwrap_or_default());
        calls += 1;
    }
    let page = match api.customers_of(&shard.users, &shard.cursor).await {
        Ok(page) => page,
        Err(error) => return refused(run, shard, error, standing.now).await,
    };
    if usize::try_from(shard.pages).unwrap_or(usize::MAX) >= PAGES_MAX {
        return Err(Halt::Odd(format!("a group's list of customers has more than {PAGES_MAX} pages")));
    }
    let next = run.walk(shard.id, CUSTOMERS, PAGES_MAX).follow(&shard.cursor, page.next_cursor)?.unwrap_or_default();
    let counts = Counts { calls, contacts: as_count(page.contacts.len()), ..Counts::default() };
    let mut transaction = run.begin(&counts).await?;
    if let Some(error) = tags_refused {
        sync_run::skip(&mut transaction, run.lease.run, &permission::skipped(TAGS, &error)).await?;
    }
    let users = page.contacts.iter().map(|it| it.follower.user.clone()).collect();
    let users = run.current(&mut transaction, users).await?;
    let keys: Vec<(ExternalUserId, UserId)> =
        page.contacts.iter().zip(users).map(|(it, user)| (it.profile.external_userid.clone(), user)).collect();
    let corpid = run.lease.corpid.clone();
    let held = customer_wechat_contact::held(&mut transaction, &corpid, &keys).await?;
    let mut changes = Changes::default();
    if let Some(listed) = &tags_listed {
        answers::tag::learn(&mut changes, &corpid, listed, standing.now);
    }
    let mut found = Vec::new();
    let tags = run.tags.take().unwrap_or_default();
    for (key, it) in keys.iter().zip(&page.contacts) {
        let held = held.get(key);
        found.extend(reading::contact(&mut changes, &corpid, &key.1, it, standing.now, &tags, held));
    }
    run.tags = Some(tags);
    let refused = run.write(&mut transaction, changes, &found).await?;
    let unreadable_tags: &[Unreadable] = tags_listed.as_ref().map_or(&[], |it| &it.unreadable);
    run.name_unreadable(&mut transaction, unreadable_tags).await?;
    run.name_unreadable(&mut transaction, &page.unreadable).await?;
    let left_out = refused > 0 || !page.unreadable.is_empty();
    let began_at = shard.began_at.unwrap_or(standing.now);
    sync_shard::page_read(&mut transaction, run.lease.run, shard, &next, began_at, left_out).await?;
    Ok(transaction.commit().await?)
}

/// WeCom refused the page. Nothing of the group is marked as gone unless it is read to its end later.
async fn refused(run: &mut Run, shard: &Shard, error: ApiError, now: DateTime<Utc>) -> Result<(), Halt> {
    let code = error.errcode.unwrap_or_default();
    let over = CURSOR_OVER.contains(&code) && !shard.cursor.is_empty() && shard.restarts < RESTARTS_MAX;
    if !over && !ABOUT_MEMBERS.contains(&code) {
        return Err(error.into());
    }
    if over {
        run.walk_anew();
    }
    let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
    let id = run.lease.run;
    match shard.users.as_slice() {
        _ if over => sync_shard::restart(&mut transaction, id, shard).await?,
        [] => sync_shard::end(&mut transaction, id, shard, false).await?,
        // WeCom's answer for a member without customers.
        [_] if error.is(NO_CUSTOMERS) => {
            sync_shard::page_read(&mut transaction, id, shard, "", shard.began_at.unwrap_or(now), false).await?;
        }
        [user] => {
            let found = Drift {
                kind: DriftKind::MemberRefused,
                customer: None,
                user: Some(user.clone()),
                held: None,
                found: Some(error.to_string()),
            };
            run.write(&mut transaction, Changes::default(), &[found]).await?;
            sync_shard::end(&mut transaction, id, shard, true).await?;
        }
        _ => sync_shard::halve(&mut transaction, id, shard).await?,
    }
    Ok(transaction.commit().await?)
}

/// Marks some of the contacts that were not listed; when none is left, the group is done.
async fn judge(run: &mut Run, shard: &Shard) -> Result<(), Halt> {
    let Some(began_at) = shard.began_at else {
        return Err(Halt::Odd("a group of members was read without a beginning".to_owned()));
    };
    let mut transaction = run.begin(&Counts::default()).await?;
    // A contact that was not listed may be in a row that was left out.
    if shard.unreadable {
        sync_shard::end(&mut transaction, run.lease.run, shard, false).await?;
        return Ok(transaction.commit().await?);
    }
    let users = run.current(&mut transaction, shard.users.clone()).await?;
    let users: Vec<_> = users.into_iter().map(|user| user.0).collect();
    let (corpid, at) = (run.lease.corpid.clone(), reading::said_at(began_at));
    let unnamed =
        customer_wechat_contact::unnamed(&mut transaction, &corpid, &users, at, began_at, UNNAMED_MAX).await?;
    let mut changes = Changes::default();
    let found: Vec<_> = unnamed.iter().map(|it| reading::unnamed(&mut changes, &corpid, it, at)).collect();
    run.write(&mut transaction, changes, &found).await?;
    if as_count(unnamed.len()) < UNNAMED_MAX {
        sync_shard::end(&mut transaction, run.lease.run, shard, false).await?;
    }
    Ok(transaction.commit().await?)
}

/// The company's tags. Without them contacts keep their tags' names and the report says so; the run goes on.
fn tags(read: Result<tag::Tags, ApiError>) -> Result<(Option<tag::Tags>, Option<ApiError>), Halt> {
    match read {
        Ok(tags) => Ok((Some(tags), None)),
        Err(error) if matches!(error.class, Class::Transient | Class::Token) => Err(error.into()),
        Err(error) => {
            tracing::warn!(error = %error, "the names of tags cannot be read, so contacts keep the tags they have");
            Ok((None, Some(error)))
        }
    }
}

fn as_count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
