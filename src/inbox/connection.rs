//! One connection for storing, which is given up if a statement takes too long, and what is left of it then in the
//! database.
//!
//! A statement that we no longer wait for may wait in the database for ever: a commit that waits for a synchronous
//! standby is ended neither by a time limit nor by its client's end. So each given-up backend is remembered, and
//! terminated with the next connection. That answers nobody, so it does no harm.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::is_refusal;
use crate::time_limit::{DatabaseFailure, within};

/// How many given-up backends are remembered; more than a server has connections.
const ABANDONED_MAX: usize = 1_000;

/// A connection that is opened when it is needed.
pub(super) struct StoreConnection {
    options: PgConnectOptions,
    conn: Option<Lent>,
    abandoned: Abandoned,
}

/// A connection in use. If it is dropped instead of being given back, its backend is remembered as given up.
pub(super) struct Lent {
    pub(super) conn: PgConnection,
    watched: Watched,
}

/// Remembers a backend as given up when it is dropped while in use.
struct Watched {
    backend: Option<Backend>,
    in_use: bool,
    abandoned: Abandoned,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.in_use {
            self.abandoned.add(self.backend);
        }
    }
}

/// The backends that were given up, of all connections that share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Abandoned(Arc<Mutex<Vec<Backend>>>);

/// One server process. Its id alone may belong to another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Backend {
    pid: i32,
    started: DateTime<Utc>,
}

impl StoreConnection {
    /// A connection with these options, opened at the first use.
    pub(super) fn new(options: PgConnectOptions, abandoned: Abandoned) -> Self {
        Self { options, conn: None, abandoned }
    }

    /// Whether it is open, as far as we know.
    pub(super) fn is_open(&self) -> bool {
        self.conn.is_some()
    }

    /// The connection, opened within this limit if it is not open.
    pub(super) async fn lend(&mut self, limit: Duration) -> Result<Lent, DatabaseFailure> {
        let mut lent = match self.conn.take() {
            Some(lent) => lent,
            None => within(limit, "connecting to the database", self.connect()).await?,
        };
        lent.watched.in_use = true;
        Ok(lent)
    }

    /// Takes it back after use. After anything but a clear refusal the connection's state is unknown, so it is closed.
    pub(super) fn give_back<T>(&mut self, mut lent: Lent, result: &Result<T, DatabaseFailure>) {
        if result.as_ref().err().is_none_or(|error| error.is(is_refusal)) {
            lent.watched.in_use = false;
            self.conn = Some(lent);
        }
    }

    /// Closes it.
    pub(super) async fn close(&mut self) {
        if let Some(lent) = self.conn.take() {
            let _ = lent.conn.close().await;
        }
    }

    async fn connect(&self) -> sqlx::Result<Lent> {
        let mut conn = PgConnection::connect_with(&self.options).await?;
        let backend = own_backend(&mut conn).await?;
        let abandoned = self.abandoned.all();
        if !abandoned.is_empty() {
            terminate(&mut conn, &abandoned).await?;
            self.abandoned.forget(&abandoned);
        }
        let watched = Watched { backend, in_use: false, abandoned: self.abandoned.clone() };
        Ok(Lent { conn, watched })
    }
}

impl Abandoned {
    fn add(&self, backend: Option<Backend>) {
        let mut backends = self.backends();
        if backends.len() < ABANDONED_MAX {
            backends.extend(backend);
        }
    }

    fn forget(&self, gone: &[Backend]) {
        self.backends().retain(|it| !gone.contains(it));
    }

    fn all(&self) -> Vec<Backend> {
        self.backends().clone()
    }

    fn backends(&self) -> MutexGuard<'_, Vec<Backend>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server process of this connection; none if its start is not ours to see, because the role was switched.
async fn own_backend(conn: &mut PgConnection) -> sqlx::Result<Option<Backend>> {
    let row = sqlx::query!(
        r#"
        select pid as "pid!", backend_start as "started?"
        from pg_stat_activity
        where pid = pg_backend_pid()
        "#,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.started.map(|started| Backend { pid: row.pid, started }))
}

/// Terminates these server processes; those that ended by themselves are passed over.
async fn terminate(conn: &mut PgConnection, backends: &[Backend]) -> sqlx::Result<()> {
    let pids: Vec<_> = backends.iter().map(|it| it.pid).collect();
    let started: Vec<_> = backends.iter().map(|it| it.started).collect();
    let ended = sqlx::query_scalar!(
        r#"
        select count(pg_terminate_backend(pid)) as "count!"
        from pg_stat_activity
        join unnest($1::integer[], $2::timestamptz[]) as given_up (pid, backend_start) using (pid, backend_start)
        "#,
        &pids,
        &started,
    )
    .fetch_one(conn)
    .await?;
    if ended > 0 {
        tracing::warn!(
            backends = ended,
            "statements that we had given up were still running in the database; ended them"
        );
    }
    Ok(())
}
