//! Reads the groups of the members who serve customers: which there are, and whether their owners are there.
//!
//! A list names ids only, so each group that was never read, or long ago, becomes a task. WeCom lists a leaver's groups only
//! if the leaver is named: those are known from before, or are found by the leaver's handover.

use chrono::TimeDelta;

use super::{Halt, Run, permission, reading};
use crate::{
    answers,
    changes::{Changes, Payload, RefreshGroupPayload, Task, TaskKind},
    states::SyncPhase,
    tables::{
        apps::enterprise_wechat_config,
        groups::group_chat,
        sync::{
            sync_run::{self, Counts, RunProgress},
            sync_shard,
        },
    },
    wecom::{Class, group_chat::LIST},
};

/// How many pages the groups of a hundred members may have, of a thousand groups each.
const PAGES_MAX: usize = 1_000;

/// A group that was read within this time is not read again: its callbacks tell what changes, and now and then one is lost.
const CARD_LIFE: TimeDelta = TimeDelta::days(7);

/// Walks are told apart by the number of a group of members; those of customers count from 1.
const WALKS_FROM: i64 = i64::MIN / 2;

/// Reads the next page of the groups of the next hundred members.
pub(super) async fn group_chats(run: &mut Run, standing: &RunProgress) -> Result<(), Halt> {
    let (id, corpid) = (run.lease.run, run.lease.corpid.clone());
    let owners = {
        let mut conn = run.sync.pool.acquire().await?;
        sync_shard::users_at(&mut conn, id, standing.position).await?
    };
    let Some(owners) = owners else {
        let mut transaction = run.begin(&Counts::default()).await?;
        if !permission::is_left_out(standing, SyncPhase::GroupChats) {
            sync_run::group_chats_listed(&mut transaction, id).await?;
        }
        sync_run::go_on(&mut transaction, id, SyncPhase::DepartmentNames, 0, "").await?;
        return Ok(transaction.commit().await?);
    };
    let page = match run.api().await?.groups_of_all(&owners, &standing.cursor).await {
        Ok(page) => page,
        // One owner can spoil a list. The others' groups are found by their callbacks.
        Err(error) if error.class == Class::Refused && !error.is_not_permitted() => {
            tracing::warn!(sync.run = id, corpid = %corpid, error = %error, "WeCom refuses to list some members' groups");
            let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
            sync_run::skip(&mut transaction, id, &permission::skipped(SyncPhase::GroupChats.as_str(), &error)).await?;
            sync_run::go_on(&mut transaction, id, SyncPhase::GroupChats, standing.position + 1, "").await?;
            return Ok(transaction.commit().await?);
        }
        Err(error) => return Err(error.into()),
    };
    let walk = run.walk(WALKS_FROM + i64::from(standing.position), LIST, PAGES_MAX);
    let next = walk.follow(&standing.cursor, page.next_cursor)?;
    let listed = i32::try_from(page.groups.len()).unwrap_or(i32::MAX);
    let mut transaction = run.begin(&Counts { calls: 1, group_chats: listed, ..Counts::default() }).await?;
    let mut changes = Changes::default();
    answers::group::listed(&mut changes, &corpid, &page.groups, reading::said_at(standing.now));
    let ids: Vec<_> = page.groups.into_iter().map(|it| it.chat_id).collect();
    let unread = group_chat::unread(&mut transaction, &corpid, &ids, standing.now - CARD_LIFE).await?;
    if let Some(app_id) = enterprise_wechat_config::speaker(&mut transaction, &corpid).await? {
        for chat in unread {
            let payload = RefreshGroupPayload { event_s: standing.now.timestamp(), version: None };
            let task =
                Task { app_id, payload: Some(payload.to_text()), due_at: standing.now, deadline: None, marks: 1 };
            changes.tasks.insert((corpid.clone(), TaskKind::RefreshGroup, chat.0), task);
        }
    }
    run.write(&mut transaction, changes, &[]).await?;
    run.name_unreadable(&mut transaction, &page.unreadable).await?;
    let position = if next.is_some() { standing.position } else { standing.position + 1 };
    sync_run::go_on(&mut transaction, id, SyncPhase::GroupChats, position, &next.unwrap_or_default()).await?;
    Ok(transaction.commit().await?)
}
