//! Takes callbacks out of the spool and stores them in the inbox, when the database is back.
//!
//! While callbacks go to the spool it asks once a second whether the database takes writes. Its first commit sends new
//! callbacks to the database again. Segments are read oldest first, its own and those of processes that are gone; one
//! is deleted when all of it is committed. If this process is killed before, it is read again, and the key of the
//! inbox makes repeats one. It answers nobody.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sqlx::PgConnection;
use tokio::{sync::watch, task::spawn_blocking};

use super::{
    CommitStatus, Wake,
    accept::{Arrival, GROUP_BYTES_MAX, GROUP_MAX, Written, try_storing, write_group},
    claim::database_standing,
    connection::{Abandoned, StoreConnection},
    is_crossing, is_refusal, is_too_slow,
    mode::Mode,
    trouble::{is_of_all, sqlstate},
    wake,
};
use crate::{
    spool::{Found, ReadError, Reader, Record, Spool, SpoolError},
    time_limit::{DatabaseFailure, within},
};

/// Time between two looks at the database while callbacks go to the spool, and at the spool otherwise.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time between two looks for folders whose process is gone.
const ADOPT_EVERY: Duration = Duration::from_secs(5);

/// How long the database may take for anything of it. PostgreSQL itself gives up a statement a little earlier.
const LIMIT: Duration = Duration::from_millis(4_500);

/// A group that was stored in this time could have been twice as large.
const QUICK: Duration = Duration::from_millis(1_000);

/// If so many different deliveries of one group or segment are refused and none is stored, they are not the cause.
const REFUSED_MIN: usize = 3;

/// Why draining stopped for now. It goes on with the next look.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    /// The database is away, or in trouble.
    #[error(transparent)]
    Database(#[from] DatabaseFailure),
    /// The disk refuses.
    #[error("the spool cannot be read or deleted: {0}")]
    Disk(#[from] std::io::Error),
    /// A segment cannot be ended, or what the database refused cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// The callbacks of a segment that the database does not take, kept in memory until all others of it are stored: a
/// segment that is read again because the database went away leaves no trace. It has at most what a segment has.
#[derive(Default)]
struct Refused {
    records: Vec<Record>,
    /// How many, by cause.
    causes: BTreeMap<String, u64>,
    /// Whether any other of the segment is stored.
    any_stored: bool,
    /// How many of them the database itself refused, and why the last one.
    by_database: (usize, Option<DatabaseFailure>),
}

impl Refused {
    /// What the database says if it refused so much and stored nothing, so that the callbacks are not the cause.
    fn cause_of_all(&mut self) -> Option<DatabaseFailure> {
        self.by_database.1.take_if(|_| !self.any_stored && self.by_database.0 >= REFUSED_MIN)
    }

    fn add(&mut self, records: Vec<Record>, cause: String) {
        *self.causes.entry(cause).or_default() += records.len() as u64;
        self.records.extend(records);
    }
}

/// How many callbacks are stored at once: fewer while the database is too slow for so many.
#[derive(Debug, Clone, Copy)]
struct GroupSize(usize);

impl GroupSize {
    /// Limits of the next group: records, and bytes of plaintext.
    fn limits(self) -> (usize, usize) {
        (self.0, GROUP_BYTES_MAX / GROUP_MAX * self.0)
    }

    /// A group of so many took too long.
    fn was_too_slow(&mut self, size: usize) {
        self.0 = (size / 2).max(1);
    }

    /// Callbacks were stored in this time. What was there already says nothing: it takes no time.
    fn was_stored(&mut self, new: u64, took: Duration) {
        if new > 0 && took <= QUICK {
            self.0 = (self.0 * 2).min(GROUP_MAX);
        }
    }
}

/// The result of storing one group.
enum Stored {
    /// All of it was stored, or kept as refused.
    All,
    /// The database refused every one of them, so it is the cause.
    Nothing(DatabaseFailure),
}

/// What committer and drainer share.
#[derive(Clone, Default)]
pub(super) struct Shared {
    pub(super) mode: Mode,
    pub(super) abandoned: Abandoned,
    pub(super) commit_status: CommitStatus,
}

/// Empties the spool.
pub(super) struct Drainer {
    connection: StoreConnection,
    group_size: GroupSize,
    spool: Spool,
    mode: Mode,
    commit_status: CommitStatus,
    wake: Wake,
    /// Segments that this process does not read again: none of its master keys opens them, or they cannot be deleted.
    passed_over: HashSet<PathBuf>,
    looked_for_orphans: Option<Instant>,
}

impl Drainer {
    /// Drains this spool.
    pub(super) fn new(connection: StoreConnection, spool: Spool, shared: Shared, wake: Wake) -> Self {
        let Shared { mode, commit_status, .. } = shared;
        let (group_size, passed_over) = (GroupSize(GROUP_MAX), HashSet::new());
        Self { connection, group_size, spool, mode, commit_status, wake, passed_over, looked_for_orphans: None }
    }

    /// Drains from when the database has this program's schema until `stopping` becomes true. A group that is under
    /// way then may be stored or not: it is read again with the next start.
    pub(super) async fn run(mut self, mut migrated: watch::Receiver<bool>, mut stopping: watch::Receiver<bool>) {
        let work = async {
            loop {
                self.tend().await;
                if *migrated.borrow_and_update()
                    && let Err(error) = self.step().await
                {
                    tracing::warn!(error = %error, "callbacks wait in the spool: it cannot be emptied yet");
                }
                self.mode.begun_or(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = stopping.wait_for(|it| *it) => {}
        }
    }

    /// Sees to the spare segment, and to what other processes left.
    async fn tend(&mut self) {
        // A failure is noted in the spool's status, and shown by `/readyz`.
        if let Err(error) = self.spool.tend().await {
            tracing::error!(error = %error, "the spool cannot prepare a segment; callbacks may go unanswered");
        }
        if self.looked_for_orphans.is_some_and(|it| it.elapsed() < ADOPT_EVERY) {
            return;
        }
        self.looked_for_orphans = Some(Instant::now());
        let spool = self.spool.clone();
        if let Err(error) = blocking(move || spool.adopt()).await {
            tracing::warn!(error = %error, "cannot look for spools of processes that are gone");
        }
    }

    async fn step(&mut self) -> Result<(), Stopped> {
        if !self.mode.is_spooling() && !self.spool.is_writing() && self.waiting().is_empty() {
            self.connection.close().await;
            return Ok(());
        }
        let mut lent = self.connection.lend(LIMIT).await?;
        let looked = within(LIMIT, "looking at the database", database_standing(&mut lent.conn)).await;
        self.connection.give_back(lent, &looked);
        let (_, writes) = looked?;
        if !writes {
            return Ok(());
        }
        let earlier = self.waiting();
        let mut failed = self.drain_all(&earlier).await?;
        // Only now, because the database stores: otherwise each look would leave an almost empty segment behind.
        failed = self.spool.close_segment().await.err().map(Stopped::from).or(failed);
        let last: Vec<_> = self.waiting().into_iter().filter(|it| !earlier.contains(it)).collect();
        failed = self.drain_all(&last).await?.or(failed);
        if self.mode.is_spooling() {
            self.try_storing().await?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Drains these segments as long as the database stores. A disk that fails must keep no callback from a database
    /// that is back, so what it did last is returned, and the next segment is read.
    async fn drain_all(&mut self, segments: &[PathBuf]) -> Result<Option<Stopped>, Stopped> {
        let mut failed = None;
        for segment in segments {
            match self.drain(segment).await {
                Err(Stopped::Database(error)) => return Err(error.into()),
                Err(error) => failed = Some(error),
                Ok(()) => {}
            }
        }
        Ok(failed)
    }

    /// The segments to read.
    fn waiting(&self) -> Vec<PathBuf> {
        self.spool.closed().into_iter().filter(|it| !self.passed_over.contains(it)).collect()
    }

    /// Nothing was taken out of the spool, so a trial tells whether the database stores callbacks.
    async fn try_storing(&mut self) -> Result<(), Stopped> {
        let mut lent = self.connection.lend(LIMIT).await?;
        let tried = within(LIMIT, "storing a trial", try_storing(&mut lent.conn)).await;
        self.connection.give_back(lent, &tried);
        tried?;
        self.back_to_the_database();
        Ok(())
    }

    fn back_to_the_database(&self) {
        self.commit_status.stored();
        if self.mode.direct() {
            tracing::info!("the database stores callbacks again");
        }
    }

    /// Stores a segment's callbacks, and deletes it.
    async fn drain(&mut self, segment: &Path) -> Result<(), Stopped> {
        let (spool, path) = (self.spool.clone(), segment.to_owned());
        let mut reader = match blocking(move || Ok(spool.read(&path))).await? {
            Ok(reader) => reader,
            Err(error) => return self.pass_over(segment, error).await,
        };
        let (apps, mut refused) = (self.apps().await?, Refused::default());
        loop {
            let limits = self.group_size.limits();
            let records;
            (reader, records) = blocking(move || Ok(next_group(reader, limits))).await?;
            if records.is_empty() {
                break;
            }
            self.store(records, &apps, &mut refused).await?;
        }
        self.keep_refused(segment, refused).await?;
        let (found, spool, path) = (reader.found(), self.spool.clone(), segment.to_owned());
        self.note(segment, found);
        if let Err(error) = blocking(move || spool.finish(&path, found)).await {
            self.passed_over.insert(segment.to_owned());
            return Err(error.into());
        }
        Ok(())
    }

    fn note(&self, segment: &Path, found: Found) {
        metrics::counter!("wecomd_spool_damaged_total").increment(found.damaged);
        if found.damaged > 0 {
            tracing::error!(
                segment = %segment.display(), damaged = found.damaged,
                "callbacks in the spool are damaged and lost; the segment is kept with the ending .bad"
            );
        }
        tracing::info!(segment = %segment.display(), callbacks = found.records, "stored callbacks from the spool");
    }

    /// A segment that cannot be opened: for want of a key it stays, without a header it is set aside, and if somebody
    /// deleted it, it is forgotten.
    async fn pass_over(&mut self, segment: &Path, error: ReadError) -> Result<(), Stopped> {
        tracing::error!(error = %error, "a segment of the spool cannot be read");
        match error {
            ReadError::File { source, .. } if source.kind() != ErrorKind::NotFound => {
                return Err(Stopped::Disk(source));
            }
            ReadError::Key { .. } => {
                self.passed_over.insert(segment.to_owned());
            }
            ReadError::NoHeader(_) | ReadError::File { .. } => {
                metrics::counter!("wecomd_spool_damaged_total").increment(1);
                let (spool, path) = (self.spool.clone(), segment.to_owned());
                blocking(move || spool.give_up(&path)).await?;
            }
        }
        Ok(())
    }

    /// The ids of the enabled apps that the database has, by name.
    async fn apps(&mut self) -> Result<HashMap<String, i32>, DatabaseFailure> {
        let mut lent = self.connection.lend(LIMIT).await?;
        let apps = within(LIMIT, "reading the apps", app_ids(&mut lent.conn)).await;
        self.connection.give_back(lent, &apps);
        apps
    }

    /// Stores the next callbacks. One whose app the database does not have enabled under its id and name is refused.
    async fn store(
        &mut self,
        records: Vec<Record>,
        apps: &HashMap<String, i32>,
        refused: &mut Refused,
    ) -> Result<(), Stopped> {
        let (known, strange): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|it| apps.get(&it.app_name) == Some(&it.app_id));
        if !strange.is_empty() {
            refused.add(strange, "their app is not in the database under its id and name, or is disabled".to_owned());
        }
        if known.is_empty() {
            return Ok(());
        }
        let mut group: Vec<_> = known.into_iter().map(Arrival::from).collect();
        group.sort_unstable_by_key(Arrival::key);
        match self.write(&group).await {
            Ok(()) => refused.any_stored = true,
            Err(error) if error.is(is_refusal) && !error.is(is_of_all) => {
                match self.store_singly(group, refused).await? {
                    Stored::All => {}
                    Stored::Nothing(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.wake.ring();
        let mut lent = self.connection.lend(LIMIT).await?;
        let confirmed = within(LIMIT, "confirming what is stored", confirm(&mut lent.conn)).await;
        self.connection.give_back(lent, &confirmed);
        confirmed?;
        let mut lent = self.connection.lend(LIMIT).await?;
        let told = within(LIMIT, "telling the other processes", wake::tell_others(&mut lent.conn)).await;
        self.connection.give_back(lent, &told);
        told?;
        self.back_to_the_database();
        Ok(())
    }

    async fn store_singly(&mut self, group: Vec<Arrival>, kept: &mut Refused) -> Result<Stored, Stopped> {
        let (mut refused, mut reason, total) = (Vec::new(), None, group.len());
        for one in group {
            match self.write(std::slice::from_ref(&one)).await {
                Ok(()) => kept.any_stored = true,
                Err(error) if error.is(is_refusal) => {
                    refused.push(one);
                    reason = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Some(error) = reason else { return Ok(Stored::All) };
        if refused.len() == total && total >= REFUSED_MIN {
            return Ok(Stored::Nothing(error));
        }
        let why = format!("{}: the database refused them", sqlstate(&error));
        kept.by_database = (kept.by_database.0 + refused.len(), Some(error));
        kept.add(refused.into_iter().map(Record::from).collect(), why);
        Ok(Stored::All)
    }

    /// Keeps what was refused of a segment, before that is deleted.
    async fn keep_refused(&self, segment: &Path, mut refused: Refused) -> Result<(), Stopped> {
        if let Some(error) = refused.cause_of_all() {
            return Err(error.into());
        }
        let Refused { records, causes, .. } = refused;
        if records.is_empty() {
            return Ok(());
        }
        let (spool, path) = (self.spool.clone(), segment.to_owned());
        blocking(move || Ok(spool.refuse(&path, &records))).await??;
        for (cause, total) in causes {
            metrics::counter!("wecomd_spool_drained_total", "outcome" => "refused").increment(total);
            tracing::error!(
                size = total,
                cause,
                "callbacks of the spool cannot be stored; they are kept in refused-*.seg"
            );
        }
        Ok(())
    }

    /// Writes a group, and once more if it only met another transaction.
    async fn write(&mut self, group: &[Arrival]) -> Result<(), DatabaseFailure> {
        let group: Vec<_> = group.iter().collect();
        let written = match self.try_write(&group).await {
            Err(error) if error.is(is_crossing) => self.try_write(&group).await?,
            written => written?,
        };
        let Written { new, dropped } = written;
        let duplicates = (group.len() as u64).saturating_sub(new + dropped);
        metrics::counter!("wecomd_spool_drained_total", "outcome" => "stored").increment(new);
        metrics::counter!("wecomd_spool_drained_total", "outcome" => "duplicate").increment(duplicates);
        metrics::counter!("wecomd_spool_drained_total", "outcome" => "dropped_day").increment(dropped);
        Ok(())
    }

    async fn try_write(&mut self, group: &[&Arrival]) -> Result<Written, DatabaseFailure> {
        let mut lent = self.connection.lend(LIMIT).await?;
        let began = Instant::now();
        let written = within(LIMIT, "storing a group of the spool", write_group(&mut lent.conn, group)).await;
        self.connection.give_back(lent, &written);
        match &written {
            Ok(written) => self.group_size.was_stored(written.new, began.elapsed()),
            Err(error) if matches!(error, DatabaseFailure::TimedOut { .. }) || error.is(is_too_slow) => {
                self.group_size.was_too_slow(group.len());
            }
            Err(_) => {}
        }
        written
    }
}

/// The next records, at most so many with so many bytes.
fn next_group(mut reader: Reader, (records_max, bytes_max): (usize, usize)) -> (Reader, Vec<Record>) {
    let records = reader.batch(records_max, bytes_max);
    (reader, records)
}

/// Waits until all that is committed is on disk, and at a synchronous standby if there is one.
///
/// What a given-up statement left behind may be committed here and not yet there. A group of such repeats writes
/// nothing, and so its commit waits for nothing. This one writes, so it waits for everything before it; a NOTIFY alone
/// would not.
async fn confirm(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_logical_emit_message(true, 'wecomd', '') is not null as done").fetch_one(conn).await?;
    Ok(())
}

async fn app_ids(conn: &mut PgConnection) -> sqlx::Result<HashMap<String, i32>> {
    let rows =
        sqlx::query!("select id, name from enterprise_wechat_config where status = 'enabled'").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|it| (it.name, it.id)).collect())
}

/// Does blocking work on a thread for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    spawn_blocking(work).await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_shrink_while_the_database_is_too_slow_and_grow_when_it_is_quick_again() {
        let mut size = GroupSize(GROUP_MAX);
        assert_eq!(size.limits(), (GROUP_MAX, GROUP_BYTES_MAX));
        size.was_too_slow(300);
        assert_eq!(size.limits(), (150, 150 * 8 * 1024));
        size.was_stored(150, QUICK * 2);
        size.was_stored(0, Duration::ZERO);
        assert_eq!(size.limits().0, 150, "neither a slow group nor repeats make it grow");
        size.was_stored(150, QUICK);
        assert_eq!(size.limits().0, 300);
        for group in [2, 1, 1] {
            size.was_too_slow(group);
            assert_eq!(size.limits().0, 1, "a single one is always tried");
        }
        for _ in 0..20 {
            size.was_stored(1, QUICK);
        }
        assert_eq!(size.limits().0, GROUP_MAX);
    }

    #[test]
    fn a_database_that_refuses_everything_one_by_one_is_itself_the_cause() {
        let refused = |by_database, any_stored| {
            let error = Some(DatabaseFailure::Sqlx(sqlx::Error::RowNotFound));
            Refused { by_database: (by_database, error), any_stored, ..Refused::default() }.cause_of_all().is_some()
        };
        assert!(refused(REFUSED_MIN, false) && !refused(REFUSED_MIN - 1, false) && !refused(REFUSED_MIN, true));
    }
}
