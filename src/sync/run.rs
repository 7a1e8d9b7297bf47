//! One run: step after step, each one call to WeCom and one transaction.

use std::{pin::pin, time::Duration};

use sqlx::{PgConnection, Postgres, Transaction};
use tokio::time::sleep;

use super::{Halt, Sync, customers, leavers, members, reading::Tags};
use crate::{
    changes::Changes,
    ids::UserId,
    tables::{
        apply, member_alias,
        sync_drift::{self, Drift},
        sync_run::{self, Counts, Lease, Phase, Standing},
        wechat_contact_record::KnownMonths,
    },
    wecom::{Api, ApiError, Class},
};

/// Between two signs of life while a call or a pause takes long: a third of the lease.
const BEAT: Duration = Duration::from_secs(20);

/// The first pause after trouble; it doubles with each further trouble.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// The longest pause that we choose ourselves. WeCom may ask for a longer one.
const PAUSE_LONGEST: Duration = Duration::from_secs(60);

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It went well.
    Went,
    /// It came to nothing, and the next one should wait so long.
    Waits(Duration),
    /// There is nothing more to do here.
    Over(Over),
}

/// Why there is nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All is read.
    Done,
    /// WeCom refused something; the run says what.
    Failed,
    /// It was cancelled, or another worker has taken it over.
    Lost,
    /// We were asked to stop.
    Stopped,
}

/// A run that we work at. Dropping it at any moment loses nothing but the step in hand.
pub struct Run {
    pub(super) sync: Sync,
    pub(super) lease: Lease,
    api: Option<Api>,
    pub(super) tags: Option<Tags>,
    months: KnownMonths,
    troubles: u32,
    standing: Option<Standing>,
}

impl Sync {
    /// Takes a run that nobody works at, that one if it is named.
    pub async fn take(&self, run: Option<i64>) -> sqlx::Result<Option<Run>> {
        let mut conn = self.pool.acquire().await?;
        let lease = sync_run::take(&mut conn, run).await?;
        Ok(lease.map(|lease| Run {
            sync: self.clone(),
            lease,
            api: None,
            tags: None,
            months: KnownMonths::default(),
            troubles: 0,
            standing: None,
        }))
    }
}

impl Run {
    /// The run's number.
    pub fn id(&self) -> i64 {
        self.lease.run
    }

    /// Works until the run is over or `stop` comes; `progress` hears where it stands after each step.
    pub async fn drive(mut self, stop: impl Future<Output = ()>, mut progress: impl FnMut(&Standing)) -> Over {
        let mut stop = pin!(stop);
        let (sync, lease) = (self.sync.clone(), self.lease.clone());
        loop {
            let step = tokio::select! {
                step = alive(sync.clone(), lease.clone(), Box::pin(self.step())) => step,
                () = &mut stop => break,
            };
            if let Some(standing) = &self.standing {
                progress(standing);
            }
            let pause = match step {
                Ok(Step::Went) => continue,
                Ok(Step::Waits(pause)) => pause,
                Ok(Step::Over(over)) => return over,
                Err(error) => {
                    tracing::warn!(sync.run = lease.run, error = %error, "the database did not answer a run's step");
                    PAUSE_FIRST
                }
            };
            tokio::select! {
                () = alive(sync.clone(), lease.clone(), sleep(pause)) => {}
                () = &mut stop => break,
            }
        }
        if let Err(error) = release(sync, lease).await {
            tracing::warn!(error = %error, "a run's lease will end by itself");
        }
        Over::Stopped
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
            Phase::Departments => members::departments(self, &standing).await,
            Phase::Members => members::members(self, &standing).await,
            Phase::Staff => customers::staff(self, &standing).await,
            Phase::Customers => customers::customers(self, &standing).await,
            Phase::Unassigned => leavers::unassigned(self, &standing).await,
            Phase::Compare | Phase::End => return self.compare().await,
        };
        match done {
            Ok(()) => {
                self.troubles = 0;
                Ok(Step::Went)
            }
            Err(Halt::Api(error)) if is_passing(&error) => self.wait(&error).await,
            Err(Halt::Api(error)) if error.errcode.is_none() => self.fail(&error.message).await,
            Err(Halt::Api(error)) => self.fail(&format!("WeCom refused {error}")).await,
            Err(Halt::Odd(reason)) => self.fail(&reason).await,
            Err(Halt::Lost) => Ok(Step::Over(Over::Lost)),
            Err(Halt::Database(error)) => Err(error),
        }
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

    /// Opens the transaction of a step, which holds the run's row until it ends.
    pub(super) async fn begin(&self, counts: &Counts) -> Result<Transaction<'static, Postgres>, Halt> {
        let mut transaction = self.sync.pool.begin().await?;
        if !sync_run::count(&mut transaction, &self.lease, counts).await? {
            return Err(Halt::Lost);
        }
        Ok(transaction)
    }

    /// Writes what was read and found.
    pub(super) async fn write(
        &mut self,
        conn: &mut PgConnection,
        changes: Changes,
        found: &[Drift],
    ) -> sqlx::Result<()> {
        apply::apply(conn, changes, &mut self.months).await?;
        sync_drift::add(conn, self.lease.run, found).await
    }

    /// Locks the corp as writing will, and replaces userids by those their owners go by now.
    pub(super) async fn current(&self, conn: &mut PgConnection, users: Vec<UserId>) -> sqlx::Result<Vec<UserId>> {
        let corpid = &self.lease.corpid;
        apply::lock_alone(conn, corpid).await?;
        let ids: Vec<_> = users.iter().map(|user| (corpid, user)).collect();
        let renamed = member_alias::resolve(conn, ids.into_iter()).await?;
        let now = |user: UserId| renamed.get(&(corpid.clone(), user.clone())).cloned().unwrap_or(user);
        Ok(users.into_iter().map(now).collect())
    }

    /// Draws the conclusions that only the whole allows, and ends the run.
    async fn compare(&mut self) -> sqlx::Result<Step> {
        let mut transaction = match self.begin(&Counts::default()).await {
            Ok(transaction) => transaction,
            Err(Halt::Database(error)) => return Err(error),
            Err(_) => return Ok(Step::Over(Over::Lost)),
        };
        let Lease { run, corpid, .. } = &self.lease;
        sync_drift::join_moves(&mut transaction, *run, corpid).await?;
        sync_drift::find_not_serving(&mut transaction, *run, corpid).await?;
        sync_run::finish(&mut transaction, &self.lease).await?;
        transaction.commit().await?;
        tracing::info!(sync.run = run, corpid = %corpid, "everything that WeCom lists is reconciled");
        Ok(Step::Over(Over::Done))
    }

    async fn wait(&mut self, error: &ApiError) -> sqlx::Result<Step> {
        // The app may have been changed meanwhile.
        self.api = None;
        let pause = error.retry_after.unwrap_or_default().max(pause(self.troubles, rand::random()));
        self.troubles = self.troubles.saturating_add(1);
        tracing::warn!(sync.run = self.lease.run, error = %error, pause_s = pause.as_secs(), "a run waits for WeCom");
        let mut conn = self.sync.pool.acquire().await?;
        match sync_run::wait(&mut conn, &self.lease, &error.to_string()).await? {
            true => Ok(Step::Waits(pause)),
            false => Ok(Step::Over(Over::Lost)),
        }
    }

    async fn fail(&mut self, reason: &str) -> sqlx::Result<Step> {
        tracing::error!(sync.run = self.lease.run, reason, "a run failed; it can be resumed");
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
fn pause(troubles: u32, jitter: f64) -> Duration {
    let pause = PAUSE_FIRST.saturating_mul(1 << troubles.min(10)).min(PAUSE_LONGEST);
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
        let pauses: Vec<_> = [0, 1, 2, 6, u32::MAX].map(|it| pause(it, 0.0).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 60, 60]);
        assert_eq!(pause(0, 1.0), Duration::from_millis(750));
    }
}
