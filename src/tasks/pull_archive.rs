//! `pull_archive`: reads new messages of a corp's message archive (会话内容存档), page by page, until nothing is left.
//!
//! Safe to repeat: a page's deliveries, the messages that did not open, and the cursor are one transaction, and the cursor
//! moves only from where this reader found it. So a page that was read twice is stored once, and whoever comes second
//! undoes everything. Nothing blocks the cursor: what does not open is kept sealed, and opened when its key comes.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{Context, Failure, Went};
use crate::{
    archive::{
        self, Archive, Corp, Envelope, Key, Keyring, Opening, Outcome, PAGE_MAX, Page, Sealed, TOO_LARGE, TOO_OLD,
        Trouble,
    },
    ids::CorpId,
    inbox::{self, Deposit},
    states::Origin,
    tables::{
        archive::{
            archive_account::{self, Account, Gap},
            archive_key::{self, KeyRow},
            archive_sealed::{self, SealedRow},
        },
        task::Taken,
    },
};

/// When a task is looked at again that only another process can do, because the archive is not enabled here.
pub(super) const ELSEWHERE: Duration = Duration::from_secs(60);

/// After so long the task makes room for another corp, and goes on later.
const TURN_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The pause after what a person must mend: the library, the IP list, a licence.
const OPERATOR_AFTER: Duration = Duration::from_secs(10 * 60);

/// How often a page is asked for if the reader fails. A new one begins each time.
const PAGE_TRIES: u32 = 3;

/// How many sealed messages are tried at once with a new key.
const SEALED_MAX: i64 = 500;

/// After so much silence WeCom may have dropped messages that were never read: it keeps them for five days.
const SILENCE_MAX: TimeDelta = TimeDelta::days(4);

/// An older message is stored under the time of its pull: the day of its own may be dropped already.
const OWN_DAY_MAX: TimeDelta = TimeDelta::days(6);

/// Why a pull ends before nothing is left.
enum Stop {
    /// The archive cannot be read.
    Trouble(Trouble),
    /// Another reader of the corp moved the cursor.
    Overtaken,
    /// Something else.
    Failure(Failure),
}

pub(super) async fn run(context: &Context, task: &Taken) -> Result<Went, Failure> {
    let Some(archive) = &context.archive else { return Ok(Went::Again(ELSEWHERE)) };
    let Some(mut pull) = Pull::begin(context, archive, &task.corpid).await? else { return Ok(Went::Done) };
    match pull.work().await {
        Ok(went) => Ok(went),
        Err(Stop::Overtaken) => Ok(Went::Again(Duration::ZERO)),
        Err(Stop::Failure(failure)) => Err(failure),
        Err(Stop::Trouble(trouble)) => {
            let mut conn = context.pool.acquire().await?;
            archive_account::trouble(&mut conn, &task.corpid, &trouble.to_string()).await?;
            Err(trouble.into())
        }
    }
}

/// One corp's archive while it is read.
struct Pull<'a> {
    context: &'a Context,
    archive: &'a Archive,
    corp: Corp,
    account: Account,
    keys: Keyring,
    /// When the latest key was added.
    newest_key: Option<DateTime<Utc>>,
    limit: u32,
    /// Whether the next page is asked for from the beginning of what WeCom keeps.
    from_start: bool,
}

impl<'a> Pull<'a> {
    /// None if the corp has no archive any more.
    async fn begin(context: &'a Context, archive: &'a Archive, corpid: &CorpId) -> Result<Option<Self>, Failure> {
        let (account, rows) = {
            let mut conn = context.pool.acquire().await?;
            let Some(account) = archive_account::find(&mut conn, corpid).await? else { return Ok(None) };
            (account, archive_key::all(&mut conn, Some(corpid)).await?)
        };
        let Some(found) = context.wecom.archive_secret(corpid).await? else { return Ok(None) };
        let newest_key = rows.iter().map(|it| it.added_at).max();
        let keys = keyring(archive, rows);
        let corp = Corp { corpid: corpid.clone(), secret: found.secret };
        Ok(Some(Self { context, archive, corp, account, keys, newest_key, limit: PAGE_MAX, from_start: false }))
    }

    async fn work(&mut self) -> Result<Went, Stop> {
        self.open_sealed().await?;
        let began = Instant::now();
        while began.elapsed() < TURN_LIMIT {
            let page = match self.page().await {
                Ok(page) => page,
                Err(Trouble::Refused(TOO_LARGE)) if self.limit > 1 => {
                    self.limit /= 2;
                    continue;
                }
                Err(Trouble::Refused(TOO_LARGE)) => {
                    self.skip_one().await?;
                    continue;
                }
                Err(Trouble::Refused(TOO_OLD)) if !self.from_start => {
                    self.from_start = true;
                    continue;
                }
                Err(trouble) => return Err(trouble.into()),
            };
            let last = page.last().filter(|it| *it > self.account.seq);
            let Some(last) = last else {
                let mut conn = self.context.pool.acquire().await?;
                archive_account::caught_up(&mut conn, &self.corp.corpid).await?;
                return Ok(Went::Done);
            };
            self.store(page, last).await?;
        }
        Ok(Went::Again(Duration::ZERO))
    }

    /// The next page. A reader that crashes or hangs is replaced, and asked again.
    async fn page(&self) -> Result<Page, Trouble> {
        let seq = if self.from_start { 0 } else { u64::try_from(self.account.seq).unwrap_or(0) };
        let mut tries = 1;
        loop {
            match self.archive.pull(&self.corp, seq, self.limit).await {
                Err(Trouble::Reader(why)) if tries < PAGE_TRIES => {
                    tracing::warn!(corpid = %self.corp.corpid, cause = why, "the archive's reader is replaced");
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Stores a page whose last message has the number `last`.
    async fn store(&mut self, page: Page, last: i64) -> Result<(), Stop> {
        let gap = self.gap(&page, last);
        let opening = archive::open(self.archive, &self.corp, &self.keys, page.messages).await?;
        let learned = opening.learned.clone();
        let stored = Stored::of(opening, self.account.app_id, self.archive.settings().internal_chats, self.account.now);
        let (corpid, moved) = (&self.corp.corpid, (self.account.seq, last));
        let mut transaction = self.context.pool.begin().await?;
        if !archive_account::advance(&mut transaction, corpid, moved, stored.last_sent_at, gap).await? {
            return Err(Stop::Overtaken);
        }
        archive_sealed::insert(&mut transaction, corpid, &stored.sealed).await?;
        self.note_versions(&mut transaction, &learned).await?;
        let counts = stored.counts();
        inbox::deposit(&mut transaction, stored.deposits).await?;
        transaction.commit().await?;
        count(counts);
        count([("unreadable", page.unreadable)]);
        if let Some(gap) = gap {
            tracing::error!(corpid = %self.corp.corpid, from = gap.from, to = gap.to, "messages of the archive were lost");
        }
        self.account.seq = last;
        self.from_start = false;
        self.account.pulled_at = Some(self.account.now);
        for (version, hash) in learned {
            self.keys.assign(&hash, version);
        }
        Ok(())
    }

    /// What is missing before this page, or in it.
    fn gap(&self, page: &Page, last: i64) -> Option<Gap> {
        let (from, first) = (self.account.seq, page.messages.iter().map(|it| it.seq).min()?);
        let silent = self.account.pulled_at.is_some_and(|at| at < self.account.now - SILENCE_MAX);
        if self.from_start || silent && from > 0 && first > from + 1 {
            return Some(Gap { from, to: first });
        }
        (page.unreadable > 0).then_some(Gap { from, to: last })
    }

    /// A single message is larger than WeCom gives away: it is left out, and the gap is noted.
    async fn skip_one(&mut self) -> Result<(), Stop> {
        let (old, new) = (self.account.seq, self.account.seq + 1);
        let gap = Gap { from: old, to: new + 1 };
        let mut conn = self.context.pool.acquire().await?;
        if !archive_account::advance(&mut conn, &self.corp.corpid, (old, new), None, Some(gap)).await? {
            return Err(Stop::Overtaken);
        }
        tracing::error!(corpid = %self.corp.corpid, from = old, to = new + 1, "a message of the archive is too large");
        self.account.seq = new;
        Ok(())
    }

    /// Tries what is sealed with keys that came since.
    async fn open_sealed(&mut self) -> Result<(), Stop> {
        let Some(newest) = self.newest_key.filter(|it| self.account.keys_tried_at.is_none_or(|tried| tried < *it))
        else {
            return Ok(());
        };
        let mut after = i64::MIN;
        loop {
            let rows = {
                let mut conn = self.context.pool.acquire().await?;
                archive_sealed::after(&mut conn, &self.corp.corpid, after, SEALED_MAX).await?
            };
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let messages = rows.into_iter().map(Sealed::from).collect();
            let mut opening = archive::open(self.archive, &self.corp, &self.keys, messages).await?;
            opening.messages.retain(|(_, outcome)| matches!(outcome, Outcome::Opened(_)));
            self.store_opened(opening).await?;
        }
        let mut conn = self.context.pool.acquire().await?;
        Ok(archive_account::keys_tried(&mut conn, &self.corp.corpid, newest).await?)
    }

    /// Stores messages that were sealed until now.
    async fn store_opened(&mut self, opening: Opening) -> Result<(), Stop> {
        let learned = opening.learned.clone();
        let seqs: Vec<_> = opening.messages.iter().map(|(message, _)| message.seq).collect();
        let stored = Stored::of(opening, self.account.app_id, self.archive.settings().internal_chats, self.account.now);
        let mut transaction = self.context.pool.begin().await?;
        if archive_sealed::opened(&mut transaction, &self.corp.corpid, &seqs).await? != seqs.len() as u64 {
            return Err(Stop::Overtaken);
        }
        self.note_versions(&mut transaction, &learned).await?;
        let counts = stored.counts();
        inbox::deposit(&mut transaction, stored.deposits).await?;
        transaction.commit().await?;
        count(counts);
        for (version, hash) in learned {
            self.keys.assign(&hash, version);
        }
        Ok(())
    }

    async fn note_versions(&self, conn: &mut PgConnection, learned: &BTreeMap<i32, [u8; 32]>) -> sqlx::Result<()> {
        for (version, hash) in learned {
            archive_key::seen(conn, &self.corp.corpid, hash, *version).await?;
        }
        Ok(())
    }
}

/// What becomes of the messages of a page.
struct Stored {
    deposits: Vec<Deposit>,
    sealed: Vec<SealedRow>,
    /// How many were among members alone, and are not kept.
    internal: usize,
    /// When the last one was sent.
    last_sent_at: Option<DateTime<Utc>>,
}

impl Stored {
    fn of(opening: Opening, app_id: i32, internal_chats: bool, now: DateTime<Utc>) -> Self {
        let mut stored = Self { deposits: Vec::new(), sealed: Vec::new(), internal: 0, last_sent_at: None };
        for (message, outcome) in opening.messages {
            let text = match outcome {
                Outcome::Opened(text) => text,
                Outcome::Closed(reason) => {
                    stored.sealed.push(sealed_row(message, reason));
                    continue;
                }
            };
            let envelope = Envelope::read(&text, &message.msgid);
            stored.last_sent_at = stored.last_sent_at.max(envelope.sent_at);
            if envelope.is_internal && !internal_chats {
                stored.internal += 1;
                continue;
            }
            let event_at = envelope.sent_at.filter(|at| *at > now - OWN_DAY_MAX && *at < now + OWN_DAY_MAX);
            let event_at = event_at.unwrap_or(now);
            stored.deposits.push(Deposit { app_id, origin: Origin::Archive, event_at, plaintext: text.into_bytes() });
        }
        stored
    }

    fn counts(&self) -> [(&'static str, usize); 3] {
        [("opened", self.deposits.len()), ("sealed", self.sealed.len()), ("internal", self.internal)]
    }
}

fn count<const N: usize>(counts: [(&'static str, usize); N]) {
    for (outcome, count) in counts {
        if count > 0 {
            metrics::counter!("wecomd_archive_messages_total", "outcome" => outcome).increment(count as u64);
        }
    }
}

/// A corp's keys, opened. One that does not open is left out: the others may still serve.
fn keyring(archive: &Archive, rows: Vec<KeyRow>) -> Keyring {
    let mut keys = Vec::new();
    for row in rows {
        let place = archive::sealed_at(&row.corpid, &row.public_hash);
        let opened = archive.vault().open(&place, &row.private_key).map_err(anyhow::Error::from);
        match opened.and_then(|pem| Ok(Key::parse(&pem)?)) {
            Ok(key) => keys.push((row.version, key)),
            Err(error) => {
                let corpid = row.corpid.as_str();
                tracing::error!(corpid, error = format!("{error:#}"), "a private key of the archive cannot be used");
            }
        }
    }
    Keyring(keys)
}

/// PostgreSQL's texts hold no NUL.
fn sealed_row(message: Sealed, reason: String) -> SealedRow {
    let clean = |text: String| if text.contains('\0') { text.replace('\0', "") } else { text };
    SealedRow {
        seq: message.seq,
        msgid: clean(message.msgid),
        publickey_ver: message.version,
        random_key: clean(message.random_key),
        message: clean(message.message),
        reason: clean(reason),
    }
}

impl From<SealedRow> for Sealed {
    fn from(row: SealedRow) -> Self {
        Self {
            seq: row.seq,
            msgid: row.msgid,
            version: row.publickey_ver,
            random_key: row.random_key,
            message: row.message,
        }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let after = match &trouble {
            Trouble::Refused(code) if archive::meaning(*code).is_transient => None,
            Trouble::Refused(_) | Trouble::Library(_) => Some(OPERATOR_AFTER),
            Trouble::Reader(_) | Trouble::Odd(_) => None,
        };
        Self::Retry { why: trouble.into(), after }
    }
}
