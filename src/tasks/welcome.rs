//! `welcome` and `welcome_kf`: greets a new customer, or one who opened 微信客服, within the twenty seconds that WeCom
//! allows.
//!
//! Safe to repeat while the code is valid: WeCom accepts a code once and then answers 41051. In 微信客服 the message has an
//! id that follows from the code, and a second one answers 95033. After that time, a call
//! that was begun before a crash is not repeated. Every outcome is recorded, a missed deadline with the delay.
//!
//! The deadline counts from WeCom's time of the event and is compared with the database's clock, which also decides
//! when the task may be claimed and when the callback was stored.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use sha2::{Digest, Sha256};
use sqlx::{Acquire, PgConnection};

use super::{
    Context, Failure,
    template::{Greeting, Names, Rules, greeting},
};
use crate::{
    changes::{Payload, TaskKind, WelcomeKfPayload, WelcomePayload},
    ids::ExternalUserId,
    inbox,
    states::WelcomeOutcome,
    tables::{
        SharedClock,
        apps::enterprise_wechat_config,
        kf::kf_customer,
        records::welcome::{self, Due, End, Ledger},
        staff::member_alias,
        task::{self, Taken},
    },
    wecom::{ApiError, Class, kf::SENT_BEFORE, welcome as wire, welcome::Attachment},
};

/// The pause before the second attempt; it doubles with every further one.
const RETRY_FIRST: Duration = Duration::from_millis(300);

/// The longest pause: twenty seconds leave no time for long ones.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// A greeting that is late by at most this much is still tried once: WeCom may count from the callback instead of the
/// event, and if it does not, its answer says whether another app greeted in time.
const LATE_TRY: TimeDelta = TimeDelta::seconds(60);

/// How many bytes of the code's hash the id of a message in 微信客服 holds: with its first letter 31 of 32 characters.
const MSGID_BYTES: usize = 15;

/// Who is greeted.
enum Greeted {
    /// A new contact of a member.
    Contact(WelcomePayload),
    /// Somebody who opened 微信客服.
    Kf(WelcomeKfPayload),
}

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let payload = Greeted::read(task).map_err(|error| Failure::park(format!("its payload cannot be read: {error}")))?;
    let mut conn = context.pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    if !task::hold(&mut transaction, task).await? {
        return Ok(());
    }
    let ledger = open(&mut transaction, task, &payload).await?;
    let clock = SharedClock::read(&mut transaction).await?;
    transaction.commit().await?;
    if ledger.outcome.is_some() {
        // An earlier attempt recorded everything except that the task is done.
        return Ok(());
    }
    let (text, attachments) = match choose(context, &mut conn, task, &payload, &clock).await? {
        Greeting::Send { text, attachments } => (text, attachments),
        Greeting::Quiet => return ended(&mut conn, task, &ledger, End::of(WelcomeOutcome::Quiet)).await,
        Greeting::NoTemplate => {
            return ended(&mut conn, task, &ledger, End::of(WelcomeOutcome::NoTemplate)).await;
        }
    };
    let late = late(task, &clock);
    if let Some(late) = late.filter(|late| ledger.attempted_at.is_some() || *late > LATE_TRY) {
        let outcome = if ledger.attempted_at.is_some() { WelcomeOutcome::Unknown } else { WelcomeOutcome::Late };
        return ended(&mut conn, task, &ledger, End { late_ms: Some(late.num_milliseconds()), ..End::of(outcome) })
            .await;
    }
    let mut transaction = conn.begin().await?;
    if !task::begin_attempt(&mut transaction, task).await? {
        return Ok(());
    }
    welcome::begin(&mut transaction, ledger.id).await?;
    transaction.commit().await?;
    // The connection is released while WeCom is called.
    drop(conn);

    let answer = ask(context, task, &text, &attachments).await;
    let end = match answer {
        Ok(()) => sent(task, &ledger, &clock),
        Err(error) => refused(task, &error, &clock)?,
    };
    let mut conn = context.pool.acquire().await?;
    ended(&mut conn, task, &ledger, end).await
}

async fn ask(context: &Context, task: &Taken, text: &str, attachments: &[Attachment]) -> Result<(), ApiError> {
    let api = context.wecom.app(task.app_id).await?;
    match task.kind {
        TaskKind::WelcomeKf => api.kf_greet(&task.subject, &msgid(&task.subject), text).await,
        _ => api.send_welcome(&task.subject, text, attachments).await,
    }
}

/// The id of the message in 微信客服, the same at each attempt.
fn msgid(code: &str) -> String {
    let hash = Sha256::digest(code.as_bytes());
    format!("w{}", hex::encode(hash.get(..MSGID_BYTES).unwrap_or_default()))
}

impl Greeted {
    fn read(task: &Taken) -> serde_json::Result<Self> {
        let text = task.payload.as_deref();
        match task.kind {
            TaskKind::WelcomeKf => WelcomeKfPayload::read(text).map(Self::Kf),
            _ => WelcomePayload::read(text).map(Self::Contact),
        }
    }

    fn customer(&self) -> &ExternalUserId {
        match self {
            Self::Contact(it) => &it.external_userid,
            Self::Kf(it) => &it.external_userid,
        }
    }

    /// The event's time and the hash of its delivery, from whose arrival the greeting is timed.
    fn delivery(&self) -> (i64, &str) {
        match self {
            Self::Contact(it) => (it.event_s, &it.hash),
            Self::Kf(it) => (it.event_s, &it.hash),
        }
    }
}

/// Opens the greeting's row, under its people's current names.
async fn open(conn: &mut PgConnection, task: &Taken, payload: &Greeted) -> sqlx::Result<Ledger> {
    let (event_s, hash) = payload.delivery();
    let event_at = DateTime::from_timestamp(event_s, 0).unwrap_or(task.due_at);
    let hash = hex::decode(hash).unwrap_or_default();
    let (user, state, open_kfid) = match payload {
        Greeted::Contact(it) => (Some(&it.wechat_userid), it.state.as_deref(), None),
        Greeted::Kf(it) => (None, None, Some(it.open_kfid.as_str())),
    };
    let received_at = inbox::received_at(conn, event_at, &hash).await?;
    let due = Due {
        corpid: &task.corpid,
        code_hash: Sha256::digest(task.subject.as_bytes()).into(),
        customer: payload.customer(),
        user,
        open_kfid,
        app_id: task.app_id,
        state,
        received_at: received_at.unwrap_or(task.due_at),
    };
    welcome::open(conn, &due).await
}

async fn choose(
    context: &Context,
    conn: &mut PgConnection,
    task: &Taken,
    payload: &Greeted,
    clock: &SharedClock,
) -> Result<Greeting, Failure> {
    let apps = enterprise_wechat_config::all(conn).await?;
    let Some(app) = apps.into_iter().find(|it| it.id == task.app_id) else { return Ok(Greeting::NoTemplate) };
    let rules: Rules = serde_json::from_value(app.welcome)
        .map_err(|error| Failure::park(format!("the app's rules for greetings cannot be read: {error}")))?;
    let payload = match payload {
        Greeted::Contact(payload) => payload,
        Greeted::Kf(payload) => {
            let customer = kf_customer::nickname(conn, &task.corpid, &payload.external_userid).await?;
            let names = Names { customer, staff: None };
            // The app's hours apply, and neither its words nor its channels: they speak for a member.
            let rules = Rules { quiet: rules.quiet, ..Rules::default() };
            return Ok(greeting(Some(&context.kf.greeting), &rules, None, clock.now(), &names));
        }
    };
    let user = member_alias::current(conn, &task.corpid, &payload.wechat_userid).await?;
    let (customer, staff) = welcome::names(conn, &task.corpid, &payload.external_userid, &user).await?;
    let names = Names { customer, staff };
    Ok(greeting(app.welcome_message.as_deref(), &rules, payload.state.as_deref(), clock.now(), &names))
}

fn sent(task: &Taken, ledger: &Ledger, clock: &SharedClock) -> End {
    let now = clock.now();
    let took = (now - ledger.received_at).to_std().unwrap_or_default();
    metrics::histogram!("wecomd_welcome_seconds").record(took);
    End {
        outcome: WelcomeOutcome::Sent,
        sent_at: Some(now),
        late_ms: late(task, clock).map(|it| it.num_milliseconds()),
        reason: None,
    }
}

/// WeCom refused or did not answer: decides whether the greeting is over or can be retried in time.
fn refused(task: &Taken, error: &ApiError, clock: &SharedClock) -> Result<End, Failure> {
    let late = late(task, clock);
    let ends = |outcome| {
        Ok(End {
            outcome,
            sent_at: None,
            late_ms: late.map(|it| it.num_milliseconds()),
            reason: Some(error.to_string()),
        })
    };
    if error.is(wire::GREETED_ALREADY) || error.is(SENT_BEFORE) {
        return ends(WelcomeOutcome::GreetedAlready);
    }
    if error.is(wire::TOO_LATE) {
        // WeCom's clock decides, even if the greeting was in time by ours.
        return ends(WelcomeOutcome::Late);
    }
    if error.class == Class::Refused {
        // 微信客服 has no code of its own for a code that has expired.
        let expired = task.kind == TaskKind::WelcomeKf && late.is_some();
        return ends(if expired { WelcomeOutcome::Late } else { WelcomeOutcome::Refused });
    }
    let doublings = u32::try_from(task.attempts.saturating_sub(1)).unwrap_or(0).min(8);
    let pause = RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_LONGEST);
    let after = error.retry_after.unwrap_or(pause);
    let left = task.deadline.map(|deadline| (deadline - clock.now()).to_std().unwrap_or_default());
    if left.is_none_or(|left| after < left) {
        return Err(Failure::Retry { why: error.clone().into(), after: Some(after) });
    }
    match error.class {
        Class::Unknown => ends(WelcomeOutcome::Unknown),
        _ if error.retry_after.is_some() => ends(WelcomeOutcome::Limited),
        _ => ends(WelcomeOutcome::Late),
    }
}

/// By how much the code's validity is exceeded.
fn late(task: &Taken, clock: &SharedClock) -> Option<TimeDelta> {
    task.deadline.map(|deadline| clock.now() - deadline).filter(|late| *late > TimeDelta::zero())
}

async fn ended(conn: &mut PgConnection, task: &Taken, ledger: &Ledger, end: End) -> Result<(), Failure> {
    if !welcome::end(conn, ledger.id, &end).await? {
        return Ok(());
    }
    metrics::counter!("wecomd_welcome_total", "outcome" => end.outcome.as_str()).increment(1);
    if let Some(late_ms) = end.late_ms {
        let late = Duration::from_millis(u64::try_from(late_ms).unwrap_or(0));
        metrics::histogram!("wecomd_welcome_late_seconds").record(late);
    }
    use WelcomeOutcome::{GreetedAlready, Late, Limited, NoTemplate, Quiet, Refused, Sent, Unknown};
    let outcome = end.outcome.as_str();
    match end.outcome {
        Sent | NoTemplate | Quiet | GreetedAlready => {
            tracing::debug!(welcome.id = ledger.id, outcome, "a greeting is settled");
        }
        Late | Limited | Refused | Unknown => tracing::warn!(
            welcome.id = ledger.id,
            corpid = %task.corpid,
            outcome,
            late_ms = end.late_ms,
            reason = end.reason,
            "a customer was not greeted"
        ),
    }
    Ok(())
}
