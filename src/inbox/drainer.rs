//! Takes callbacks out of the spool and stores them in the inbox, when the database is back.
//!
//! While callbacks go to the spool it asks once a second whether the database takes writes. Its first commit sends new
//! callbacks to the database again. Segments are read oldest first, its own and those of processes that are gone; one
//! is deleted when all of it is committed. If this process is killed before, it is read again, and the key of the
//! inbox makes repeats one. It answers nobody.

use std::{
    collections::{HashMap, HashSet},
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
    is_crossing, is_refusal,
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

/// If so many different deliveries of one group are refused and none is stored, they are not the cause.
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
    limit: Duration,
    spool: Spool,
    mode: Mode,
    commit_status: CommitStatus,
    wake: Wake,
    /// Segments that this process does not read again: none of its master keys opens them, or they cannot be deleted.
    passed_over: HashSet<PathBuf>,
    looked_for_orphans: Option<Instant>,
}

impl Drainer {
    /// Drains this spool. A group may take `limit`.
    pub(super) fn new(connection: StoreConnection, limit: Duration, spool: Spool, shared: Shared, wake: Wake) -> Self {
        let Shared { mode, commit_status, .. } = shared;
        let (passed_over, looked_for_orphans) = (HashSet::new(), None);
        Self { connection, limit, spool, mode, commit_status, wake, passed_over, looked_for_orphans }
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
        let mut lent = self.connection.lend(self.limit).await?;
        let looked = within(self.limit, "looking at the database", database_standing(&mut lent.conn)).await;
        self.connection.give_back(lent, &looked);
        let (_, writes) = looked?;
        if !writes {
            return Ok(());
        }
        // A disk that fails must keep no callback from a database that is back.
        let mut failed = self.spool.close_segment().await.err().map(Stopped::from);
        for segment in self.waiting() {
            match self.drain(&segment).await {
                Err(Stopped::Database(error)) => return Err(error.into()),
                Err(error) => failed = Some(error),
                Ok(()) => {}
            }
        }
        if self.mode.is_spooling() {
            self.try_storing().await?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// The segments to read.
    fn waiting(&self) -> Vec<PathBuf> {
        self.spool.closed().into_iter().filter(|it| !self.passed_over.contains(it)).collect()
    }

    /// Nothing was taken out of the spool, so a trial tells whether the database stores callbacks.
    async fn try_storing(&mut self) -> Result<(), Stopped> {
        let mut lent = self.connection.lend(self.limit).await?;
        let tried = within(self.limit, "storing a trial", try_storing(&mut lent.conn)).await;
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
        let apps = self.apps().await?;
        loop {
            let records;
            (reader, records) = blocking(move || Ok(next_group(reader))).await?;
            if records.is_empty() {
                break;
            }
            self.store(records, &apps).await?;
        }
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

    /// The ids of the apps that the database has, by name.
    async fn apps(&mut self) -> Result<HashMap<String, i32>, DatabaseFailure> {
        let mut lent = self.connection.lend(self.limit).await?;
        let apps = within(self.limit, "reading the apps", app_ids(&mut lent.conn)).await;
        self.connection.give_back(lent, &apps);
        apps
    }

    /// Stores the next callbacks. One whose app the database does not have under its id and name is kept as refused.
    async fn store(&mut self, records: Vec<Record>, apps: &HashMap<String, i32>) -> Result<(), Stopped> {
        let (known, strange): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|it| apps.get(&it.app_name) == Some(&it.app_id));
        if !strange.is_empty() {
            self.refuse(strange, "their app is not in the database under its id and name").await?;
        }
        if known.is_empty() {
            return Ok(());
        }
        let mut group: Vec<_> = known.into_iter().map(Arrival::from).collect();
        group.sort_unstable_by_key(Arrival::key);
        match self.write(&group).await {
            Ok(()) => {}
            Err(error) if error.is(is_refusal) && !error.is(is_of_all) => match self.store_singly(group).await? {
                Stored::All => {}
                Stored::Nothing(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
        self.wake.ring();
        // What a given-up statement left behind may be committed here and not yet at a synchronous standby. A group of
        // such repeats writes nothing and so waits for nothing, but this commit waits for everything before it.
        let mut lent = self.connection.lend(self.limit).await?;
        let told = within(self.limit, "telling the other processes", wake::tell_others(&mut lent.conn)).await;
        self.connection.give_back(lent, &told);
        told?;
        self.back_to_the_database();
        Ok(())
    }

    async fn store_singly(&mut self, group: Vec<Arrival>) -> Result<Stored, Stopped> {
        let (mut refused, mut reason, total) = (Vec::new(), None, group.len());
        for one in group {
            match self.write(std::slice::from_ref(&one)).await {
                Ok(()) => {}
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
        self.refuse(refused.into_iter().map(Record::from).collect(), &why).await?;
        Ok(Stored::All)
    }

    async fn refuse(&self, records: Vec<Record>, why: &str) -> Result<(), Stopped> {
        let total = records.len() as u64;
        self.spool.refuse(records).await?;
        metrics::counter!("wecomd_spool_drained_total", "outcome" => "refused").increment(total);
        tracing::error!(
            size = total,
            cause = why,
            "callbacks of the spool cannot be stored; they are kept in refused-*.seg"
        );
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
        let mut lent = self.connection.lend(self.limit).await?;
        let written = within(self.limit, "storing a group of the spool", write_group(&mut lent.conn, group)).await;
        self.connection.give_back(lent, &written);
        written
    }
}

/// The next records, by the same limits as a group of new callbacks.
fn next_group(mut reader: Reader) -> (Reader, Vec<Record>) {
    let records = reader.batch(GROUP_MAX, GROUP_BYTES_MAX);
    (reader, records)
}

async fn app_ids(conn: &mut PgConnection) -> sqlx::Result<HashMap<String, i32>> {
    let rows = sqlx::query!("select id, name from enterprise_wechat_config").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|it| (it.name, it.id)).collect())
}

/// Does blocking work on a thread for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    spawn_blocking(work).await.map_err(std::io::Error::other)?
}
