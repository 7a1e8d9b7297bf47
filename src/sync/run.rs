//! One run: step after step, each one call to WeCom and one transaction.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use sqlx::{PgConnection, Postgres, Transaction};
use tokio::time::sleep;

use super::{Halt, Sync, customers, leavers, members, permission, reading::Tags};
use crate::states::SyncPhase;
use crate::{
    ids::UserId,
    tables::{
        apply,
        records::wechat_contact_record::KnownMonths,
        staff::member_alias,
        sync::{
            sync_drift,
            sync_run::{self, Counts, Lease, RunProgress, Which},
        },
    },
    wecom::{Api, ApiError, Class, Pages},
};

/// Between two signs of life while a call takes long: a third of the lease.
const BEAT: Duration = Duration::from_secs(20);

/// The first pause after trouble; it doubles with each further trouble.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

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
    standing: Option<RunProgress>,
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

    /// Works until the run is over, waits, has been worked at for as long as `slice`, or `stop` comes; `progress` hears
    /// where it stands after each step.
    ///
    /// A run that waits is not held meanwhile: what it waits for, and until when, stand in its row.
    pub async fn drive(
        mut self,
        slice: Duration,
        stop: impl Future<Output = ()>,
        mut progress: impl FnMut(&RunProgress),
    ) -> Over {
        let mut stop = pin!(stop);
        let (sync, lease, began) = (self.sync.clone(), self.lease.clone(), Instant::now());
        let over = loop {
            let step = tokio::select! {
                step = alive(sync.clone(), lease.clone(), Box::pin(self.step())) => step,
                () = &mut stop => break Over::Stopped,
            };
            if let Some(standing) = &self.standing {
                progress(standing);
            }
            match step {
                Ok(Step::Went) if began.elapsed() < slice => {}
                Ok(Step::Went | Step::Waits(_)) => break Over::PutDown,
                Ok(Step::Over(over)) => return over,
                Err(error) => {
                    tracing::warn!(sync.run = lease.run, error = %error, "the database did not answer a run's step");
                    tokio::select! {
                        () = sleep(PAUSE_FIRST) => {}
                        () = &mut stop => break Over::Stopped,
                    }
                }
            }
        };
        if let Err(error) = release(sync, lease).await {
            tracing::warn!(error = %error, "a run's lease will end by itself");
        }
        over
    }

    /// Takes one step. Whatever the database refuses is undone, and the next step is the same one again.
    pub async fn step(&mut self) -> sqlx::Result<Step> {
        let standing = {
            let mut conn = self.sync.pool.acquire().await?;
            sync_run::look(&mut conn, &self.lease).await?
        };
        let Some(standing) = standing else { return Ok(Step::Over(Over::Lost)) };
        self.standing = Some(standing.clone());
        let done = match standing.phase {
            SyncPhase::Departments => members::departments(self, &standing).await,
            SyncPhase::Members => members::members(self, &standing).await,
            SyncPhase::Staff => customers::staff(self, &standing).await,
            SyncPhase::Customers => customers::customers(self, &standing).await,
            SyncPhase::Unassigned => leavers::unassigned(self, &standing).await,
            SyncPhase::Compare | SyncPhase::End => match self.compare(&standing).await {
                Ok(step) => return Ok(step),
                Err(error) => Err(error.into()),
            },
        };
        let done = match done {
            Err(Halt::Api(error)) if error.is_not_permitted() => permission::skip(self, &standing, &error).await,
            done => done,
        };
        match done {
            Ok(()) => Ok(Step::Went),
            Err(Halt::Api(error)) if is_passing(&error) => self.wait(&standing, &error).await,
            Err(Halt::Api(error)) if error.errcode.is_none() => self.fail(&error.message).await,
            Err(Halt::Api(error)) => self.fail(&format!("WeCom refused {error}")).await,
            Err(Halt::Odd(reason)) => self.fail(&reason).await,
            Err(Halt::Lost) => Ok(Step::Over(Over::Lost)),
            Err(Halt::Database(error)) => self.database_trouble(&standing, error).await,
        }
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

    /// Draws the conclusions that only the whole allows, and ends the run.
    async fn compare(&mut self, standing: &RunProgress) -> sqlx::Result<Step> {
        let mut transaction = match self.begin(&Counts::default()).await {
            Ok(transaction) => transaction,
            Err(Halt::Database(error)) => return Err(error),
            Err(_) => return Ok(Step::Over(Over::Lost)),
        };
        let Lease { run, corpid, .. } = &self.lease;
        if let Some(reason) = permission::nothing_was_permitted(standing) {
            // Taken up again, it asks for everything anew.
            sync_run::go_on(&mut transaction, *run, SyncPhase::Departments, 0, "").await?;
            transaction.commit().await?;
            return self.fail(&reason).await;
        }
        sync_drift::join_moves(&mut transaction, *run, corpid).await?;
        if !permission::is_left_out(standing, SyncPhase::Staff) {
            sync_drift::find_not_serving(&mut transaction, *run, corpid).await?;
        }
        sync_run::finish(&mut transaction, &self.lease).await?;
        transaction.commit().await?;
        let unreadable = self.standing.as_ref().map_or(0, |it| it.unreadable);
        if unreadable > 0 {
            tracing::warn!(sync.run = run, unreadable, "rows of WeCom's lists cannot be used; the report names them");
        }
        tracing::info!(sync.run = run, corpid = %corpid, "everything that WeCom lists is reconciled");
        Ok(Step::Over(Over::Done))
    }

    async fn wait(&mut self, standing: &RunProgress, error: &ApiError) -> sqlx::Result<Step> {
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

/// Whether the same call may succeed later. A token that is refused twice in a row has been revoked twice; a wrong
/// secret is refused where tokens are made.
fn is_passing(error: &ApiError) -> bool {
    error.is_transient() || error.class == Class::Token
}

/// Doubles with each trouble, and is shortened by up to a quarter, so that runs do not come back together.
pub(super) fn pause(troubles: i32, jitter: f64) -> Duration {
    let pause = PAUSE_FIRST.saturating_mul(1 << troubles.clamp(0, 10)).min(PAUSE_LONGEST);
    pause.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0)
}

/// Does something that may take long, and says meanwhile that we are alive. That the run is no longer ours is noticed
/// by its next step.
async fn alive<T>(sync: Sync, lease: Lease, long: impl Future<Output = T>) -> T {
    let mut long = pin!(long);
    loop {
        tokio::select! {
            done = &mut long => return done,
            () = sleep(BEAT) => {}
        }
        // The call goes on while we say so; both wait for nobody but the database.
        let beaten = tokio::select! {
            done = &mut long => return done,
            beaten = beat(sync.clone(), lease.clone()) => beaten,
        };
        if let Err(error) = beaten {
            tracing::warn!(sync.run = lease.run, error = %error, "a run could not say that it is alive");
        }
    }
}

async fn beat(sync: Sync, lease: Lease) -> sqlx::Result<bool> {
    let mut conn = sync.pool.acquire().await?;
    sync_run::beat(&mut conn, &lease).await
}

async fn release(sync: Sync, lease: Lease) -> sqlx::Result<()> {
    let mut conn = sync.pool.acquire().await?;
    sync_run::release(&mut conn, &lease).await
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
