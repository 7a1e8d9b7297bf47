//! Makes a contact way exactly once.
//!
//! `add_contact_way` is not safe to repeat, so the intent is committed before the call, with a `state` of its own. A
//! request that finds an intent without a result waits while the first one may still be calling; after that, it
//! searches WeCom's recent contact ways for the `state` before it calls again. So a code whose answer was lost is
//! found, and two concurrent requests make one. One request makes at most one, whatever is found afterwards.
//!
//! The database's clock, which wrote both times, decides whether an attempt is old enough and whether a code has
//! expired. Only WeCom's list is queried by this process's clock, since WeCom does not know the database's.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Acquire, PgPool};

use crate::{
    ids::ContactWayState,
    tables::{
        self, apply,
        customers::matching::People,
        orders::contact_way::{self, ContactWay, Purpose},
    },
    wecom::{Api, ApiError, Class, Pages, Wecom, contact_way as wire},
};

/// How long one attempt may take in all: searching, making, and the tokens for it.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);

/// How old an attempt must be before another may begin: longer than the first can still be running.
const ATTEMPT_REST: TimeDelta = TimeDelta::seconds(45);

/// How long a request waits for another's attempt.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// Time between two checks of another's attempt.
const WAIT_STEP: Duration = Duration::from_millis(100);

/// How far WeCom's clock may differ from ours when its recent contact ways are searched.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(10);

/// How many pages of recent contact ways are searched, 1,000 on each.
const PAGES_MAX: usize = 20;

/// WeCom's code for a contact way that it does not have.
pub(super) const NO_SUCH_WAY: i64 = 41044;

/// Why there is no contact way.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// WeCom refused or did not answer.
    #[error(transparent)]
    Wecom(#[from] ApiError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Another request, or one that was broken off, may still be making it.
    #[error("the contact way is being made; ask again in a minute")]
    UnderWay,
}

/// The current contact way for this purpose, or a new one that is valid for `life`.
pub async fn obtain(pool: &PgPool, wecom: &Wecom, purpose: &Purpose, life: TimeDelta) -> Result<ContactWay, NotMade> {
    let began = tokio::time::Instant::now();
    loop {
        let (way, ours) = stand(pool, purpose, life).await?;
        if way.config_id.is_some() {
            match with_picture(pool, wecom, way).await? {
                Some(way) => return Ok(way),
                // It was deleted at WeCom, and its row has ended: look again.
                None if began.elapsed() <= WAIT_LIMIT => continue,
                None => return Err(NotMade::UnderWay),
            }
        }
        let looking = !ours;
        if ours || contact_way::take_over(&mut *pool.acquire().await?, &way, ATTEMPT_REST, life).await? {
            let attempt = attempt(pool, wecom, purpose, &way, looking);
            // A cancelled attempt leaves an intent without a known result, and is treated as one.
            tokio::time::timeout(ATTEMPT_LIMIT, attempt).await.unwrap_or(Err(NotMade::UnderWay))?;
            // This attempt's code is the answer, even if it has expired meanwhile: a second one could not do better.
            let made = contact_way::by_id(&mut *pool.acquire().await?, way.id).await?;
            // A customer used it before we knew of it: the next request makes another one.
            let made = made.filter(|it| it.used_at.is_none()).ok_or(NotMade::UnderWay)?;
            return with_picture(pool, wecom, made).await?.ok_or(NotMade::UnderWay);
        }
        if began.elapsed() > WAIT_LIMIT {
            return Err(NotMade::UnderWay);
        }
        tokio::time::sleep(WAIT_STEP).await;
    }
}

/// Adds the URL of the picture, asking WeCom for it if it is not known; `None` if WeCom no longer has the contact
/// way. One that is not made yet, or has no picture, is returned unchanged.
pub async fn with_picture(pool: &PgPool, wecom: &Wecom, mut way: ContactWay) -> Result<Option<ContactWay>, NotMade> {
    let lacks = way.deleted_at.is_none() && way.qr_code.as_deref().is_none_or(str::is_empty);
    let Some(config_id) = way.config_id.clone().filter(|_| lacks) else { return Ok(Some(way)) };
    let shown = async { wecom.corp(&way.corpid).await?.contact_way(&config_id).await };
    match shown.await {
        Ok(shown) if shown.qr_code.is_empty() => Ok(Some(way)),
        Ok(shown) => {
            contact_way::pictured(&mut *pool.acquire().await?, way.id, &shown.qr_code).await?;
            way.qr_code = Some(shown.qr_code);
            Ok(Some(way))
        }
        Err(error) if error.is(NO_SUCH_WAY) => {
            contact_way::deleted(&mut *pool.acquire().await?, way.id).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The row for this purpose, and whether its intent was inserted just now. An expired or used one is ended first.
async fn stand(pool: &PgPool, purpose: &Purpose, life: TimeDelta) -> Result<(ContactWay, bool), NotMade> {
    let mut conn = pool.acquire().await?;
    if let Some(way) = contact_way::current(&mut conn, purpose).await? {
        return Ok((way, false));
    }
    let mut transaction = conn.begin().await?;
    // The lock orders this with a scan that is being recorded: one of the two sees the other.
    apply::lock_alone(&mut transaction, &purpose.corpid).await?;
    contact_way::end_useless(&mut transaction, purpose).await?;
    let state = ContactWayState::random();
    let intended = contact_way::intend(&mut transaction, purpose, &state, life).await?;
    if intended {
        apply::follow_scans(&mut transaction, &[(purpose.corpid.clone(), state)].into(), People::new()).await?;
    }
    let way = contact_way::current(&mut transaction, purpose).await?;
    transaction.commit().await?;
    way.map(|way| (way, intended)).ok_or(NotMade::UnderWay)
}

/// Makes it, or finds that it was made.
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
    let since = since(pool, way).await?;
    let mut found = if looking { find(pool, &api, way, since).await? } else { None };
    if found.is_none() {
        match api.add_contact_way(&wanted(way)).await {
            Ok(made) if !made.config_id.is_empty() => found = Some(made),
            // It was made, but the answer lacks its id.
            Ok(_) => found = Some(find(pool, &api, way, since).await?.ok_or(NotMade::UnderWay)?),
            // The answer was lost. If WeCom made it, it is found now or later.
            Err(error) if error.class == Class::Unknown => {
                found = find(pool, &api, way, since).await?;
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

/// WeCom did not make it, in this attempt or before: the intent is deleted, and another attempt may begin at once.
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

/// The time of the intent by this process's clock, as WeCom's list needs it: only the intent's age is taken from the
/// database, not its time.
async fn since(pool: &PgPool, way: &ContactWay) -> sqlx::Result<DateTime<Utc>> {
    let age = tables::now(&mut *pool.acquire().await?).await? - way.intended_at;
    Ok(Utc::now() - age)
}

/// Searches the contact ways made since the intent for this `state`.
async fn find(pool: &PgPool, api: &Api, way: &ContactWay, since: DateTime<Utc>) -> Result<Option<wire::Made>, NotMade> {
    let from = since - CLOCK_DIFFERENCE;
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
                // It was deleted meanwhile.
                Err(error) if error.is(NO_SUCH_WAY) => continue,
                Err(error) => return Err(error.into()),
            };
            if shown.state == way.state.as_str() {
                return Ok(Some(wire::Made { config_id: shown.config_id, qr_code: shown.qr_code }));
            }
        }
        match pages.follow(&cursor, page.next_cursor)? {
            Some(next) => cursor = next,
            // It may be one that could not be read.
            None if unreadable > 0 => return Err(incomplete(unreadable).into()),
            None => return Ok(None),
        }
    }
}

fn incomplete(unreadable: usize) -> ApiError {
    ApiError::odd(wire::LIST, format!("{unreadable} contact ways of the list cannot be read"))
}
