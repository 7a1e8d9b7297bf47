//! `route_kf`: finds somebody for a session that waits.
//!
//! An account that is managed through the API routes nobody by itself. So each word of a customer asks for this task, and
//! the task asks WeCom where the session stands before it moves it. Safe to repeat: a session that somebody has by then
//! refuses the move, and is read once more.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    changes::{Changes, Named},
    ids::{KfSessionKey, UserId},
    states::{KfRoute, KfState},
    tables::{
        self,
        kf::{kf_account, kf_customer, kf_session},
        staff::member_alias,
        task::Taken,
    },
    tasks::{Context, Failure},
    wecom::{
        Api,
        kf::{KfServicerRow, MOVED_ALREADY, NO_INQUIRY, NOT_SERVING},
    },
};

/// For so long after an event or an answer said that a servicer has a session, WeCom is not asked again.
const SETTLED_FOR: TimeDelta = TimeDelta::minutes(30);

/// How many servicers are tried before the pool.
const TRIED_MAX: usize = 3;

/// The status of a servicer who receives customers, in WeCom's list: its event says 1.
const RECEIVING: i64 = 0;

pub(in crate::tasks) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let key = KfSessionKey::of(&task.subject).ok_or_else(|| Failure::park("its subject names no session"))?;
    if context.kf.route == KfRoute::Off {
        return Ok(());
    }
    let mut conn = context.pool.acquire().await?;
    let known = kf_session::find(&mut conn, &task.corpid, &key).await?;
    drop(conn);
    if known.is_some_and(|it| it.state == KfState::Human && it.now - it.state_at < SETTLED_FOR) {
        return Ok(());
    }
    let api = context.wecom.app(task.app_id).await?;
    if read(context, task, &api, &key).await? != KfState::New {
        return Ok(());
    }
    for servicer in choices(context, task, &api, &key).await? {
        match api.kf_move(&key, Some(&servicer)).await {
            Ok(()) => return moved(context, task, &key, KfState::Human, Some(servicer)).await,
            Err(error) if error.errcode.is_some_and(|code| NOT_SERVING.contains(&code)) => {
                tracing::debug!(task.id = task.id, error = %error, "a servicer cannot take the session");
            }
            Err(error) if error.errcode.is_some_and(|code| MOVED_ALREADY.contains(&code)) => {
                return read(context, task, &api, &key).await.map(drop);
            }
            Err(error) if error.is(NO_INQUIRY) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    match api.kf_move(&key, None).await {
        Ok(()) => moved(context, task, &key, KfState::Pool, None).await,
        Err(error) if error.errcode.is_some_and(|code| MOVED_ALREADY.contains(&code)) => {
            read(context, task, &api, &key).await.map(drop)
        }
        Err(error) if error.is(NO_INQUIRY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Asks WeCom where the session stands, and keeps the answer.
async fn read(context: &Context, task: &Taken, api: &Api, key: &KfSessionKey) -> Result<KfState, Failure> {
    let asked_at = tables::now(&mut *context.pool.acquire().await?).await?;
    let found = api.kf_state(key).await?;
    keep(context, task, key, found.state, found.servicer, asked_at).await?;
    Ok(found.state)
}

async fn moved(
    context: &Context,
    task: &Taken,
    key: &KfSessionKey,
    state: KfState,
    servicer: Option<UserId>,
) -> Result<(), Failure> {
    let word = if servicer.is_some() { "servicer" } else { "pool" };
    metrics::counter!("wecomd_kf_routed_total", "to" => word).increment(1);
    let now = tables::now(&mut *context.pool.acquire().await?).await?;
    keep(context, task, key, state, servicer, now).await
}

async fn keep(
    context: &Context,
    task: &Taken,
    key: &KfSessionKey,
    state: KfState,
    servicer: Option<UserId>,
    at: DateTime<Utc>,
) -> Result<(), Failure> {
    let mut changes = Changes::default();
    if let Some(servicer) = &servicer {
        let named = Named { said_at: Some(at), directory_at: None };
        changes.named.insert((task.corpid.clone(), servicer.clone()), named);
    }
    changes.kf_session(&task.corpid, key.clone()).became(state, servicer.as_ref(), at);
    context.write(changes).await
}

/// Who is asked to take the session, one after the other: the member whose contact the customer is, whoever served them
/// last, and the freest servicer; of these, those who receive customers.
async fn choices(context: &Context, task: &Taken, api: &Api, key: &KfSessionKey) -> Result<Vec<UserId>, Failure> {
    if context.kf.route != KfRoute::Owner {
        return Ok(Vec::new());
    }
    let servicers = api.kf_servicers(&key.open_kfid).await?;
    let receiving: Vec<_> = servicers.into_iter().filter(|it| it.status == RECEIVING).collect();
    let mut conn = context.pool.acquire().await?;
    let mut preferred = kf_customer::owners(&mut conn, &task.corpid, &key.customer).await?;
    preferred.extend(kf_session::last_servicer(&mut conn, &task.corpid, key).await?);
    let users: Vec<_> = receiving.iter().map(|it| it.userid.clone()).collect();
    let loads = kf_account::loads(&mut conn, &task.corpid, &users).await?;
    let freest = loads.into_iter().min_by_key(|(user, sessions)| (*sessions, user.clone())).map(|(user, _)| user);
    let mut chosen: Vec<UserId> = Vec::new();
    for member in preferred.into_iter().chain(freest) {
        let current = member_alias::current(&mut conn, &task.corpid, &member).await?;
        let same = |it: &&KfServicerRow| it.userid.is(&current);
        if let Some(it) = receiving.iter().find(same).filter(|it| !chosen.contains(&it.userid)) {
            chosen.push(it.userid.clone());
        }
    }
    chosen.truncate(TRIED_MAX);
    Ok(chosen)
}
