//! Filling the inbox without HTTP, and emptying it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio::task::JoinSet;
use wecomd::{
    inbox::{Inbox, Wake, depth},
    worker::{Settings, Step, Worker},
};

use super::supply::Supply;

/// How many callbacks are being stored at once.
const CONCURRENCY: usize = 512;

/// As `serve` has it.
const ATTEMPTS_MAX: u32 = 10;

/// Stores a new day's callbacks, as the public door does once it has opened them.
pub(crate) async fn fill(options: &PgConnectOptions, supply: &mut Supply, callbacks: usize) -> anyhow::Result<()> {
    let apps = app_ids(options).await?;
    let mut plaintexts = Vec::new();
    for push in supply.day(callbacks) {
        let id = apps.get(&supply.app(&push)?.name).context("an app that is not configured")?;
        plaintexts.push((*id, push.plaintext.into_bytes()));
    }
    store(options, plaintexts).await
}

/// Stores plaintexts, each for the app of that id.
pub(crate) async fn store(options: &PgConnectOptions, plaintexts: Vec<(i32, Vec<u8>)>) -> anyhow::Result<()> {
    let (inbox, committer) = Inbox::start(options.clone(), Wake::default());
    let (plaintexts, next) = (Arc::new(plaintexts), Arc::new(AtomicUsize::new(0)));
    let mut storing = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (inbox, plaintexts, next) = (inbox.clone(), plaintexts.clone(), next.clone());
        storing.spawn(async move {
            while let Some((app, plaintext)) = plaintexts.get(next.fetch_add(1, Ordering::Relaxed)) {
                inbox.accept(*app, "any", plaintext.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    drop(inbox);
    while let Some(done) = storing.join_next().await {
        done??;
    }
    Ok(committer.await?)
}

/// The ids of the apps by their names.
pub(crate) async fn app_ids(options: &PgConnectOptions) -> anyhow::Result<HashMap<String, i32>> {
    use sqlx::Connection;
    let mut conn = PgConnection::connect_with(options).await?;
    let rows: Vec<(String, i32)> =
        sqlx::query_as("select name, id from enterprise_wechat_config").fetch_all(&mut conn).await?;
    conn.close().await?;
    Ok(rows.into_iter().collect())
}

/// Removes the dead rows that an earlier contender left in the queue: they must not slow the next one down.
pub(crate) async fn tidy(conn: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query("vacuum pending, pending_group").execute(conn).await?;
    Ok(())
}

/// Lets each delivery wait alone: a worker takes committed groups whole, whatever its batches may have at most.
pub(crate) async fn ungroup(conn: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(
        "with gone as (delete from pending_group returning due_at, event_ats, app_ids, hashes)
         insert into pending (due_at, event_at, app_id, hash)
         select due_at, it.event_at, it.app_id, it.hash
         from gone, unnest(event_ats, app_ids, hashes) it (event_at, app_id, hash)",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Workers that keep their connections from one round to the next.
pub(crate) struct Crew {
    workers: Vec<Worker>,
}

impl Crew {
    /// So many workers that take so many deliveries at a time.
    pub(crate) fn new(options: &PgConnectOptions, workers: usize, batch_max: u32) -> Self {
        Self::with_attempts(options, workers, batch_max, ATTEMPTS_MAX)
    }

    /// The same, where a delivery that is refused so often is parked.
    pub(crate) fn with_attempts(options: &PgConnectOptions, workers: usize, batch_max: u32, attempts_max: u32) -> Self {
        let worker = |_| Worker::new(options.clone(), Settings { batch_max, attempts_max });
        Self { workers: (0..workers).map(worker).collect() }
    }

    /// Records everything that is pending; returns how much that was, and how long it took.
    pub(crate) async fn drain(&mut self, conn: &mut PgConnection) -> anyhow::Result<(usize, Duration)> {
        tidy(conn).await?;
        let drained = self.work().await?;
        ensure!(depth(conn).await? == (0, 0), "something was left over, or parked");
        Ok(drained)
    }

    /// Works until nothing is due, without looking at what is left.
    pub(crate) async fn work(&mut self) -> anyhow::Result<(usize, Duration)> {
        let began = Instant::now();
        let mut working = JoinSet::new();
        for mut worker in self.workers.drain(..) {
            working.spawn(async move {
                let mut recorded = 0;
                while let Step::Worked(size) = worker.step().await? {
                    recorded += size;
                }
                anyhow::Ok((worker, recorded))
            });
        }
        let mut recorded = 0;
        while let Some(done) = working.join_next().await {
            let (worker, size) = done??;
            self.workers.push(worker);
            recorded += size;
        }
        Ok((recorded, began.elapsed()))
    }
}
