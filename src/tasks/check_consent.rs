//! `check_consent`: reads who has a seat in a corp's message archive (会话内容存档), and which customers agreed.
//!
//! Safe to repeat: it only reads, and what it reads goes into registers under the time that WeCom states. A word that we
//! do not know is kept as it is.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Context, Failure, Went, pull_archive::ELSEWHERE};
use crate::{
    changes::{Changes, Register, archive::ConsentKey},
    ids::{CorpId, ExternalUserId, UserId},
    tables::{
        self,
        archive::{
            archive_account,
            archive_consent::{self, Pair},
        },
        task::Taken,
    },
    wecom::{
        Api, ApiError, Class,
        archive::{Agreed, PAIRS_MAX},
    },
};

/// The editions that a seat may belong to: office, service, enterprise.
const EDITIONS: [u8; 3] = [1, 2, 3];

/// Groups in which nobody was heard for so long are not asked about.
const ROOM_DAYS: i32 = 90;

/// How many groups are read at once.
const ROOMS_MAX: i64 = 200;

/// When a refused call is tried again.
const REFUSED_AFTER: Duration = Duration::from_secs(3_600);

pub(super) async fn run(context: &Context, task: &Taken) -> Result<Went, Failure> {
    if context.archive.is_none() {
        return Ok(Went::Again(ELSEWHERE));
    }
    let Some(api) = context.wecom.archive(&task.corpid).await? else { return Ok(Went::Done) };
    let seats = seats(&api).await.map_err(later)?;
    let mut users: Vec<_> = seats.values().flatten().cloned().collect();
    users.sort_unstable();
    users.dedup();
    pairs(context, &api, &task.corpid, &users).await?;
    rooms(context, &api, &task.corpid).await?;
    let mut conn = context.pool.acquire().await?;
    archive_account::set_seats(&mut conn, &task.corpid, &json!(seats)).await?;
    Ok(Went::Done)
}

/// The members with a seat, by edition. An edition that the corp has not bought may be refused; all three are not.
async fn seats(api: &Api) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
    let (mut seats, mut refused) = (BTreeMap::new(), None);
    for edition in EDITIONS {
        match api.archive_seats(edition).await {
            Ok(users) => {
                seats.insert(edition.to_string(), users);
            }
            Err(error) if error.class == Class::Refused => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refused {
        Some(error) if seats.is_empty() => Err(error),
        _ => Ok(seats),
    }
}

/// Talks between a member with a seat and a customer.
async fn pairs(context: &Context, api: &Api, corpid: &CorpId, users: &[String]) -> Result<(), Failure> {
    let mut after = Pair { wechat_userid: String::new(), external_userid: String::new() };
    loop {
        let (now, page) = {
            let mut conn = context.pool.acquire().await?;
            let limit = i64::try_from(PAIRS_MAX).unwrap_or(i64::MAX);
            (tables::now(&mut conn).await?, archive_consent::pairs(&mut conn, corpid, users, &after, limit).await?)
        };
        let Some(last) = page.last() else { return Ok(()) };
        after = last.clone();
        let asked: Vec<_> = page
            .iter()
            .map(|it| (UserId(it.wechat_userid.clone()), ExternalUserId(it.external_userid.clone())))
            .collect();
        let agreed = api.archive_agreed(&asked).await.map_err(later)?;
        write(context, corpid, "", &agreed.rows, now).await?;
    }
}

/// Groups in which customers were heard lately.
async fn rooms(context: &Context, api: &Api, corpid: &CorpId) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let (now, page) = {
            let mut conn = context.pool.acquire().await?;
            let page = archive_consent::rooms(&mut conn, corpid, &after, ROOM_DAYS, ROOMS_MAX).await?;
            (tables::now(&mut conn).await?, page)
        };
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for room in &page {
            match api.archive_room_agreed(room).await {
                Ok(agreed) => write(context, corpid, room, &agreed.rows, now).await?,
                // A group that was dissolved, or has no customers any more.
                Err(error) if error.class == Class::Refused && !error.needs_operator() => {}
                Err(error) => return Err(later(error)),
            }
        }
    }
}

async fn write(
    context: &Context,
    corpid: &CorpId,
    room: &str,
    said: &[Agreed],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let mut changes = Changes::default();
    for row in said {
        let (Some(customer), Some(word)) = (&row.customer, &row.status) else { continue };
        let user = UserId(row.user.clone().filter(|_| room.is_empty()).unwrap_or_default());
        let key: ConsentKey = (corpid.clone(), ExternalUserId(customer.clone()), user, room.to_owned());
        let at = row.changed_at().unwrap_or(now);
        changes.consented(key, Register { value: word.clone(), at });
    }
    context.write(changes).await
}

/// Nobody else would read the consents, so nothing is given up.
fn later(error: ApiError) -> Failure {
    match Failure::from(error) {
        Failure::Park { why } => Failure::Retry { why, after: Some(REFUSED_AFTER) },
        failure => failure,
    }
}
