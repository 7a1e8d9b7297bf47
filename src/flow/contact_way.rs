//! Making a contact way, once.
//!
//! `add_contact_way` is not safe to repeat, so the intent is committed before the call, with a `state` of its own.
//! Whoever finds an intent without an outcome waits while the one who asked may still be asking; after that, WeCom's
//! recent contact ways are searched for the `state` before it is asked again. A code whose making nobody saw is thus
//! found, and two requests at once make one.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use sqlx::{Acquire, PgPool};

use crate::{
    ids::ContactWayState,
    tables::{
        apply,
        contact_way::{self, ContactWay, Purpose},
        matching::People,
    },
    wecom::{Api, ApiError, Class, Pages, Wecom, contact_way as wire},
};

/// How long one attempt may take in all: looking, making, the tokens it needs.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);

/// How old an attempt must be before another may begin: longer than the first can still be under way.
const ATTEMPT_REST: TimeDelta = TimeDelta::seconds(45);

/// How long a request waits for another's attempt.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// Between two looks at another's attempt.
const WAIT_STEP: Duration = Duration::from_millis(100);

/// How far WeCom's clock may be from ours when its recent contact ways are searched.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(10);

/// How many pages of recent contact ways are searched, 1,000 on each.
const PAGES_MAX: usize = 20;

/// Why there is no contact way.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// WeCom was asked.
    #[error(transparent)]
    Wecom(#[from] ApiError),
    /// The database was.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Another request, or one that was broken off, may still be making it.
    #[error("the contact way is being made; ask again in a minute")]
    UnderWay,
}

/// The contact way that stands for this purpose, or a new one that is valid for `life`.
pub async fn obtain(pool: &PgPool, wecom: &Wecom, purpose: &Purpose, life: TimeDelta) -> Result<ContactWay, NotMade> {
    let began = tokio::time::Instant::now();
    loop {
        let (way, ours) = stand(pool, purpose, life).await?;
        if way.config_id.is_some() {
            return Ok(way);
        }
        let looking = !ours;
        if ours || contact_way::take_over(&mut *pool.acquire().await?, &way, Utc::now() - ATTEMPT_REST).await? {
            let attempt = attempt(pool, wecom, purpose, &way, looking);
            // Broken off, it is an intent whose outcome nobody knows, and is treated as one.
            tokio::time::timeout(ATTEMPT_LIMIT, attempt).await.unwrap_or(Err(NotMade::UnderWay))?;
            continue;
        }
        if began.elapsed() > WAIT_LIMIT {
            return Err(NotMade::UnderWay);
        }
        tokio::time::sleep(WAIT_STEP).await;
    }
}

/// The row for this purpose, and whether its intent was written just now. One that is valid no more gives way.
async fn stand(pool: &PgPool, purpose: &Purpose, life: TimeDelta) -> Result<(ContactWay, bool), NotMade> {
    let stands = |way: &ContactWay| way.config_id.is_none() || way.is_valid(Utc::now());
    let mut conn = pool.acquire().await?;
    if let Some(way) = contact_way::current(&mut conn, purpose).await?.filter(stands) {
        return Ok((way, false));
    }
    let mut transaction = conn.begin().await?;
    // A scan that is being recorded must see the new row, or be seen by it.
    apply::lock_alone(&mut transaction, &purpose.corpid).await?;
    if let Some(way) = contact_way::current(&mut transaction, purpose).await? {
        if stands(&way) {
            return Ok((way, false));
        }
        contact_way::end(&mut transaction, way.id).await?;
    }
    let state = ContactWayState::random();
    contact_way::intend(&mut transaction, purpose, &state, life).await?;
    apply::follow_scans(&mut transaction, &[(purpose.corpid.clone(), state)].into(), People::new()).await?;
    let way = contact_way::current(&mut transaction, purpose).await?;
    transaction.commit().await?;
    way.map(|way| (way, true)).ok_or(NotMade::UnderWay)
}

/// Makes it, or finds out that it was made.
async fn attempt(
    pool: &PgPool,
    wecom: &Wecom,
    purpose: &Purpose,
    way: &ContactWay,
    looking: bool,
) -> Result<(), NotMade> {
    let api = match wecom.corp(&purpose.corpid).await {
        Ok(api) => api,
        Err(error) if looking => return Err(error.into()),
        Err(error) => return Err(give_up(pool, way, error).await),
    };
    let mut found = if looking { find(pool, &api, way).await? } else { None };
    if found.is_none() {
        match api.add_contact_way(&wanted(way)).await {
            Ok(made) => found = Some(made),
            // The answer was lost. If WeCom made it, it is there by now, or it is found later.
            Err(error) if error.class == Class::Unknown => {
                found = find(pool, &api, way).await?;
                if found.is_none() {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(give_up(pool, way, error).await),
        }
    }
    if let Some(made) = found {
        contact_way::made(&mut *pool.acquire().await?, way.id, &made.config_id, &made.qr_code).await?;
    }
    Ok(())
}

/// WeCom did not make it, and neither did an attempt before: the intent goes, and another may begin at once.
async fn give_up(pool: &PgPool, way: &ContactWay, error: ApiError) -> NotMade {
    let undone = async { contact_way::undo(&mut *pool.acquire().await?, way.id).await };
    undone.await.map_or_else(NotMade::from, |()| error.into())
}

fn wanted(way: &ContactWay) -> wire::ContactWay {
    wire::ContactWay {
        user: way.wechat_userid.clone(),
        state: way.state.0.clone(),
        remark: way.customer_id.as_str().chars().take(30).collect(),
    }
}

/// Looks for a contact way with this `state` among those made since there was the intent.
async fn find(pool: &PgPool, api: &Api, way: &ContactWay) -> Result<Option<wire::Made>, NotMade> {
    let from = way.intended_at - CLOCK_DIFFERENCE;
    let to = Utc::now() + CLOCK_DIFFERENCE;
    let (mut pages, mut cursor) = (Pages::new(wire::LIST, PAGES_MAX), String::new());
    let mut unreadable = 0;
    loop {
        let page = api.contact_ways(from, to, &cursor).await?;
        unreadable += page.unreadable.len();
        let known = contact_way::known(&mut *pool.acquire().await?, &way.corpid, &page.config_ids).await?;
        for config_id in page.config_ids.iter().filter(|id| !known.contains(id)) {
            let shown = match api.contact_way(config_id).await {
                Ok(shown) => shown,
                // Deleted meanwhile.
                Err(error) if error.is(41044) => continue,
                Err(error) => return Err(error.into()),
            };
            if shown.state == way.state.as_str() {
                return Ok(Some(wire::Made { config_id: shown.config_id, qr_code: shown.qr_code }));
            }
        }
        match pages.follow(&cursor, page.next_cursor)? {
            Some(next) => cursor = next,
            // It may be the one that cannot be read.
            None if unreadable > 0 => return Err(incomplete(unreadable).into()),
            None => return Ok(None),
        }
    }
}

fn incomplete(unreadable: usize) -> ApiError {
    ApiError::odd(wire::LIST, format!("{unreadable} contact ways of the list cannot be read"))
}
