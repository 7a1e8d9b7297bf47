//! `pull_kf`: pulls an account's messages into the inbox, page by page.
//!
//! The task's lease makes it the single reader of the account, and its version tells that a callback came meanwhile. Each
//! page is one call, then one transaction that deposits the messages and moves the cursor from where it was found. So the
//! cursor is never ahead of the inbox. A page that comes twice is recognised in the inbox, so a repetition, or beginning
//! anew, does no harm.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    changes::{Payload, PullKfPayload},
    inbox::{self, Deposit},
    states::Origin,
    tables::{
        kf::kf_account::{self, Named, Reading},
        task::Taken,
    },
    tasks::{Context, Failure, Went},
    wecom::{
        Api, ApiError, Class,
        kf::{ACCOUNTS_PAGE, CURSOR_REFUSED, KfItem, KfPage, TOKEN_EXPIRED, TOO_OFTEN},
    },
};

/// A callback's token is used while it is younger than this; WeCom takes it for ten minutes.
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(9);

/// How long WeCom keeps messages.
const KEPT: TimeDelta = TimeDelta::days(3);

/// How often the list of accounts is read.
const LIST_EVERY: TimeDelta = TimeDelta::days(1);

/// How many pages one run reads before others have their turn.
const PAGES_MAX: usize = 100;

/// How many accounts of a corp are listed: WeCom allows 5,000.
const ACCOUNTS_MAX: usize = 5_000;

/// The pause after a page from which the list does not go on.
const STUCK_AGAIN: Duration = Duration::from_secs(5);

/// A reader of one account.
struct Reader<'a> {
    context: &'a Context,
    task: &'a Taken,
    api: Api,
    token: Option<String>,
    /// The cursor in the table: only from there it moves.
    stored: String,
    cursor: String,
    /// Whether the cursor was given up in this run.
    anew: bool,
}

pub(in crate::tasks) async fn run(context: &Context, task: &Taken) -> Result<Went, Failure> {
    let api = context.wecom.app(task.app_id).await?;
    let mut conn = context.pool.acquire().await?;
    let found = kf_account::open(&mut conn, &task.corpid, &task.subject, task.app_id).await?;
    drop(conn);
    if found.listed_at.is_none_or(|at| found.now - at > LIST_EVERY) {
        list(context, task, &api, found.now).await?;
    }
    let mut reader = Reader::new(context, task, api, &found);
    if !found.cursor.is_empty() && found.pulled_at.is_some_and(|at| found.now - at > KEPT) {
        reader.begin_anew(found.pulled_at, "nothing was pulled for more than three days").await?;
    }
    for _ in 0..PAGES_MAX {
        match reader.page().await? {
            Some(went) => return Ok(went),
            None => continue,
        }
    }
    Ok(Went::Again(Duration::ZERO))
}

impl<'a> Reader<'a> {
    fn new(context: &'a Context, task: &'a Taken, api: Api, found: &Reading) -> Self {
        let payload = PullKfPayload::read(task.payload.as_deref()).unwrap_or_default();
        let told_at = DateTime::from_timestamp(payload.at_s, 0).unwrap_or_default();
        let token = payload.token.filter(|_| found.now - told_at < TOKEN_LIFE);
        let cursor = found.cursor.clone();
        Self { context, task, api, token, stored: cursor.clone(), cursor, anew: false }
    }

    /// Reads and stores a page; what the run comes to, unless there is another page.
    async fn page(&mut self) -> Result<Option<Went>, Failure> {
        let asked = self.api.kf_messages(&self.task.subject, &self.cursor, self.token.as_deref()).await;
        let page = match asked {
            Ok(page) => page,
            Err(error) => return self.refused(error).await,
        };
        let next = if page.next_cursor.is_empty() { self.cursor.clone() } else { page.next_cursor.clone() };
        let (more, stuck) = (page.has_more, next == self.cursor);
        if !self.store(page, &next).await? {
            // Another reader has moved the cursor: what it has not read is left to the next run.
            tracing::info!(task.id = self.task.id, "the cursor was moved by another reader");
            return Ok(Some(Went::Again(Duration::ZERO)));
        }
        self.stored.clone_from(&next);
        self.cursor = next;
        Ok(match (more, stuck) {
            (false, _) => Some(Went::Done),
            (true, true) => Some(Went::Again(STUCK_AGAIN)),
            (true, false) => None,
        })
    }

    /// WeCom refused a page: decides whether it is asked again in another way.
    async fn refused(&mut self, error: ApiError) -> Result<Option<Went>, Failure> {
        if error.is(TOKEN_EXPIRED) && self.token.take().is_some() {
            return Ok(None);
        }
        let cursor = !self.cursor.is_empty() && !self.anew;
        if cursor && error.errcode.is_some_and(|code| CURSOR_REFUSED.contains(&code)) {
            self.begin_anew(None, "WeCom does not know the cursor any more").await?;
            return Ok(None);
        }
        // The next poll, or the next callback's token, goes on. The task does not wait here: it would keep the token of a
        // new callback waiting.
        if self.token.is_none() && error.errcode.is_none() && error.retry_after.is_some() {
            tracing::debug!(task.id = self.task.id, error = %error, "our own budget rests after a limit");
            return Ok(Some(Went::Done));
        }
        if self.token.is_none() && error.is(TOO_OFTEN) {
            let mut conn = self.context.pool.acquire().await?;
            kf_account::rest(&mut conn, &self.task.corpid, &self.task.subject, self.context.kf.poll).await?;
            metrics::counter!("wecomd_kf_limited_total").increment(1);
            tracing::warn!(
                corpid = %self.task.corpid, open_kfid = self.task.subject, error = %error,
                "pulling without a token is limited; the next poll is later"
            );
            return Ok(Some(Went::Done));
        }
        Err(error.into())
    }

    /// Begins with the oldest message that WeCom keeps: what is stored already is recognised. What was said between `from`
    /// and that message is lost.
    async fn begin_anew(&mut self, from: Option<DateTime<Utc>>, why: &str) -> Result<(), Failure> {
        tracing::warn!(
            corpid = %self.task.corpid, open_kfid = self.task.subject, cause = why, lost_from = ?from,
            "messages may be missing; pulling begins anew"
        );
        let mut conn = self.context.pool.acquire().await?;
        let since = match from {
            Some(from) => Some(from),
            None => {
                kf_account::open(&mut conn, &self.task.corpid, &self.task.subject, self.task.app_id).await?.pulled_at
            }
        };
        kf_account::lost(&mut conn, &self.task.corpid, &self.task.subject, since).await?;
        self.cursor = String::new();
        self.anew = true;
        Ok(())
    }

    /// Stores a page and moves the cursor; `false`, with nothing stored, if the cursor is elsewhere by now.
    async fn store(&self, page: KfPage, next: &str) -> Result<bool, Failure> {
        let messages = page.messages.len() as u64;
        let deposit = |it: KfItem| Deposit {
            app_id: self.task.app_id,
            origin: Origin::Kf,
            event_at: it.sent_at.unwrap_or_default(),
            plaintext: it.bytes,
        };
        let items = page.messages.into_iter().map(deposit).collect();
        let mut transaction = self.context.pool.begin().await?;
        let (corpid, open_kfid) = (&self.task.corpid, self.task.subject.as_str());
        let pause = self.context.kf.poll;
        if !kf_account::advance(&mut transaction, corpid, open_kfid, (&self.stored, next), pause).await? {
            return Ok(false);
        }
        let new = inbox::deposit(&mut transaction, items).await?;
        transaction.commit().await?;
        metrics::counter!("wecomd_kf_messages_total", "outcome" => "stored").increment(new);
        metrics::counter!("wecomd_kf_messages_total", "outcome" => "duplicate").increment(messages.saturating_sub(new));
        Ok(true)
    }
}

/// Reads the names of the corp's accounts, and which of them the app manages. An app without that right pulls all the same.
async fn list(context: &Context, task: &Taken, api: &Api, read_at: DateTime<Utc>) -> Result<(), Failure> {
    let mut named = Vec::new();
    loop {
        let page = match api.kf_accounts(named.len()).await {
            Ok(page) => page,
            Err(error) if error.class == Class::Refused => {
                tracing::warn!(corpid = %task.corpid, error = %error, "the accounts of 微信客服 cannot be listed");
                let mut conn = context.pool.acquire().await?;
                return Ok(kf_account::not_listed(&mut conn, &task.corpid, &task.subject, read_at).await?);
            }
            Err(error) => return Err(error.into()),
        };
        let (rows, left_out) = (page.rows.len(), page.unreadable.len());
        named.extend(page.rows.into_iter().map(|it| Named {
            open_kfid: it.open_kfid,
            name: it.name,
            managed: it.manage_privilege,
        }));
        if rows + left_out < ACCOUNTS_PAGE || rows == 0 || named.len() >= ACCOUNTS_MAX {
            break;
        }
    }
    let mut transaction = context.pool.begin().await?;
    kf_account::listed(&mut transaction, &task.corpid, task.app_id, &named, read_at).await?;
    Ok(transaction.commit().await?)
}
