//! One run that we work at: what its steps have in common. `stepping` takes the steps.

use std::time::Duration;

use sqlx::{PgConnection, Postgres, Transaction};

use super::{Halt, Sync, reading::Tags};
use crate::{
    ids::UserId,
    tables::{
        apply,
        records::wechat_contact_record::KnownMonths,
        staff::member_alias,
        sync::sync_run::{self, Counts, Lease, RunProgress, Which},
    },
    wecom::{Api, ApiError, Pages},
};

/// The first pause after trouble; it doubles with each further trouble.
pub(super) const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// The longest pause that we choose ourselves. WeCom may ask for a longer one.
const PAUSE_LONGEST: Duration = Duration::from_secs(60);

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It succeeded.
    Went,
    /// It failed. The run is due again after this pause; until then no worker holds it.
    Waits(Duration),
    /// The worker has nothing more to do here.
    Over(Over),
}

/// Why the worker has nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All is read.
    Done,
    /// WeCom refused something; the run says what.
    Failed,
    /// It was cancelled, or another worker has taken it over.
    Lost,
    /// It waits for WeCom, or other runs are due: it was released, and continues later.
    PutDown,
    /// We were asked to stop.
    Stopped,
}

/// A claimed run. Dropping it at any moment loses only the current step.
pub struct Run {
    pub(super) sync: Sync,
    pub(super) lease: Lease,
    api: Option<Api>,
    pub(super) tags: Option<Tags>,
    pub(super) months: KnownMonths,
    /// How often the list of unassigned customers was restarted since the run was claimed.
    pub(super) restarts: u32,
    /// The pages of the current list; the number is the group's, 0 for leavers.
    walk: Option<(i64, Pages)>,
    pub(super) standing: Option<RunProgress>,
}

impl Sync {
    /// Claims a due run without a worker.
    pub async fn take(&self, which: Which) -> sqlx::Result<Option<Run>> {
        let mut conn = self.pool.acquire().await?;
        let lease = sync_run::take(&mut conn, which).await?;
        Ok(lease.map(|lease| Run {
            sync: self.clone(),
            lease,
            api: None,
            tags: None,
            months: KnownMonths::default(),
            restarts: 0,
            walk: None,
            standing: None,
        }))
    }
}

impl Run {
    /// The run's number.
    pub fn id(&self) -> i64 {
        self.lease.run
    }

    /// Whether its last step before the claim failed.
    pub(super) fn is_troubled(&self) -> bool {
        self.lease.troubled
    }

    /// The walk through this list, whose cursors it knows since the process took the run. `of` is the group's number.
    pub(super) fn walk(&mut self, of: i64, path: &'static str, pages_max: usize) -> &mut Pages {
        if self.walk.as_ref().is_none_or(|(it, _)| *it != of) {
            self.walk = None;
        }
        &mut self.walk.get_or_insert_with(|| (of, Pages::new(path, pages_max))).1
    }

    /// Restarts the current list.
    pub(super) fn walk_anew(&mut self) {
        self.walk = None;
    }

    /// WeCom's endpoints for this corp.
    pub(super) async fn api(&mut self) -> Result<Api, Halt> {
        if let Some(api) = &self.api {
            return Ok(api.clone());
        }
        let api = self.sync.wecom.corp(&self.lease.corpid).await?;
        self.api = Some(api.clone());
        Ok(api)
    }

    /// Opens a step's transaction, which locks the run's row until it ends.
    pub(super) async fn begin(&self, counts: &Counts) -> Result<Transaction<'static, Postgres>, Halt> {
        let mut transaction = self.sync.pool.begin().await?;
        if !sync_run::count(&mut transaction, &self.lease, counts).await? {
            return Err(Halt::Lost);
        }
        Ok(transaction)
    }

    /// Locks the corp as writing will, and replaces userids by their owners' current ones.
    pub(super) async fn current(&self, conn: &mut PgConnection, users: Vec<UserId>) -> sqlx::Result<Vec<UserId>> {
        let corpid = &self.lease.corpid;
        apply::lock_alone(conn, corpid).await?;
        let ids: Vec<_> = users.iter().map(|user| (corpid, user)).collect();
        let renamed = member_alias::resolve(conn, ids.into_iter()).await?;
        let now = |user: UserId| renamed.get(&(corpid.clone(), user.clone())).cloned().unwrap_or(user);
        Ok(users.into_iter().map(now).collect())
    }

    pub(super) async fn wait(&mut self, standing: &RunProgress, error: &ApiError) -> sqlx::Result<Step> {
        // The app may have been changed meanwhile.
        self.api = None;
        let pause = error.retry_after.unwrap_or_default().max(pause(standing.troubles, rand::random()));
        let Lease { run, corpid, .. } = &self.lease;
        let cause = error.cause();
        tracing::warn!(sync.run = run, corpid = %corpid, cause, error = %error, pause_s = pause.as_secs(), "a run waits for WeCom");
        self.wait_because(&error.to_string(), pause, false).await
    }

    /// Records why the run waits, and whether the database refused the step.
    pub(super) async fn wait_because(&mut self, trouble: &str, pause: Duration, refused: bool) -> sqlx::Result<Step> {
        let mut conn = self.sync.pool.acquire().await?;
        match sync_run::wait(&mut conn, &self.lease, trouble, pause, refused).await? {
            true => Ok(Step::Waits(pause)),
            false => Ok(Step::Over(Over::Lost)),
        }
    }

    pub(super) async fn fail(&mut self, reason: &str) -> sqlx::Result<Step> {
        tracing::error!(sync.run = self.lease.run, corpid = %self.lease.corpid, reason, "a run failed; it can be resumed");
        let mut conn = self.sync.pool.acquire().await?;
        sync_run::fail(&mut conn, &self.lease, reason).await?;
        Ok(Step::Over(Over::Failed))
    }
}

/// Doubles with each trouble, and is shortened by up to a quarter, so that runs do not come back together.
pub(super) fn pause(troubles: i32, jitter: f64) -> Duration {
    let pause = PAUSE_FIRST.saturating_mul(1 << troubles.clamp(0, 10)).min(PAUSE_LONGEST);
    pause.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_jitter_only_shortens() {
        let pauses: Vec<_> = [0, 1, 2, 6, i32::MAX].map(|it| pause(it, 0.0).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 60, 60]);
        assert_eq!(pause(0, 1.0), Duration::from_millis(750));
    }
}
