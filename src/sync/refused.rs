//! Rows that cannot be read or written are left out and named in the report; they never stop a run.
//!
//! `wecom` leaves out rows that WeCom spoils; rows that the database refuses are found by writing a page's rows one
//! by one. Code that concludes something from a missing row must check whether rows were left out.

use sqlx::{Acquire, PgConnection};

use super::{Run, Step, run::pause};
use crate::{
    changes::Changes,
    ids::{ExternalUserId, UserId},
    states::DriftKind,
    tables::{
        apply, refusal,
        sync::{
            sync_drift::{self, Drift},
            sync_run::{self, Lease, RunProgress},
        },
    },
    wecom::Unreadable,
};

/// How often the database may refuse a whole step before the run fails.
const REFUSALS_MAX: i32 = 5;

impl Run {
    /// Writes the results. Returns how many rows the database refused because of a value; the report names them.
    pub(super) async fn write(
        &mut self,
        conn: &mut PgConnection,
        changes: Changes,
        found: &[Drift],
    ) -> sqlx::Result<usize> {
        let refused = match self.try_write(conn, changes.clone()).await {
            Ok(()) => Vec::new(),
            Err(error) if refusal::is_about_a_value(&error) => self.write_one_by_one(conn, changes).await?,
            Err(error) => return Err(error),
        };
        self.report(conn, found).await?;
        self.name_unreadable(conn, &refused).await?;
        Ok(refused.len())
    }

    /// Reports rows that could not be read or written.
    pub(super) async fn name_unreadable(&self, conn: &mut PgConnection, rows: &[Unreadable]) -> sqlx::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        sync_run::count_unreadable(conn, self.lease.run, i64::try_from(rows.len()).unwrap_or(i64::MAX)).await?;
        let line = |it: &Unreadable| Drift {
            kind: DriftKind::Unreadable,
            customer: it.customer.clone(),
            user: it.user.clone(),
            held: None,
            found: Some(it.why.clone()),
        };
        let lines: Vec<_> = rows.iter().map(line).collect();
        self.report(conn, &lines).await
    }

    async fn try_write(&mut self, conn: &mut PgConnection, changes: Changes) -> sqlx::Result<()> {
        let mut inner = conn.begin().await?;
        apply::apply(&mut inner, changes, &mut self.months).await?;
        inner.commit().await
    }

    async fn write_one_by_one(&mut self, conn: &mut PgConnection, changes: Changes) -> sqlx::Result<Vec<Unreadable>> {
        let mut refused = Vec::new();
        for (user, customer, part) in parts(changes) {
            match self.try_write(conn, part).await {
                Ok(()) => {}
                Err(error) if refusal::is_about_a_value(&error) => {
                    refused.push(Unreadable { user, customer, why: refusal::words(&error) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    /// Adds lines to the report; a line that the database refuses is left out.
    async fn report(&self, conn: &mut PgConnection, lines: &[Drift]) -> sqlx::Result<()> {
        let mut inner = conn.begin().await?;
        match sync_drift::add(&mut inner, self.lease.run, lines).await {
            Ok(()) => return inner.commit().await,
            Err(error) if refusal::is_about_a_value(&error) => inner.rollback().await?,
            Err(error) => return Err(error),
        }
        for line in lines {
            let mut inner = conn.begin().await?;
            match sync_drift::add(&mut inner, self.lease.run, std::slice::from_ref(line)).await {
                Ok(()) => inner.commit().await?,
                Err(error) if refusal::is_about_a_value(&error) => {
                    inner.rollback().await?;
                    let why = refusal::words(&error);
                    tracing::warn!(sync.run = self.lease.run, why, "a line of the report cannot be kept");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Handles a database error in a step: the run reports it and waits; after repeated refusals it fails.
    pub(super) async fn database_trouble(&mut self, standing: &RunProgress, error: sqlx::Error) -> sqlx::Result<Step> {
        if error.as_database_error().is_none() {
            return Err(error);
        }
        let words = refusal::words(&error);
        let refused = refusal::is_lasting(&error);
        if refused && standing.refusals + 1 >= REFUSALS_MAX {
            return self.fail(&format!("a step was tried {REFUSALS_MAX} times, and {words}")).await;
        }
        let pause = pause(standing.troubles, rand::random());
        let Lease { run, corpid, .. } = &self.lease;
        tracing::warn!(sync.run = run, corpid = %corpid, words, pause_s = pause.as_secs(), "a run waits for the database");
        self.wait_because(&words, pause, refused).await
    }
}

/// Splits the changes by member and customer; what is about neither is one part.
fn parts(mut changes: Changes) -> Vec<(Option<UserId>, Option<ExternalUserId>, Changes)> {
    let mut parts = Vec::new();
    for (key, member) in std::mem::take(&mut changes.members) {
        let user = key.1.clone();
        let part = Changes { members: [(key, member)].into(), ..Changes::default() };
        parts.push((Some(user), None, part));
    }
    for (key, contact) in std::mem::take(&mut changes.contacts) {
        let (user, customer) = (key.2.clone(), key.1.clone());
        let part = Changes { contacts: [(key, contact)].into(), ..Changes::default() };
        parts.push((Some(user), Some(customer), part));
    }
    parts.push((None, None, changes));
    parts
}
