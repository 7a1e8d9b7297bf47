//! The steps of a run, one after the other: each is one call to WeCom and one transaction.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    Halt, Sync, customers, group_chats, leavers, members, permission,
    run::{Over, PAUSE_FIRST, Run, Step},
};
use crate::{
    states::SyncPhase,
    tables::sync::{
        sync_drift,
        sync_run::{self, Counts, Lease, RunProgress},
    },
    wecom::{ApiError, Class},
};

/// Between two signs of life while a call takes long: a third of the lease.
const BEAT: Duration = Duration::from_secs(20);

impl Run {
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
            SyncPhase::GroupChats => group_chats::group_chats(self, &standing).await,
            SyncPhase::DepartmentNames => members::department_names(self, &standing).await,
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
}

/// Whether the same call may succeed later. A token that is refused twice in a row has been revoked twice; a wrong
/// secret is refused where tokens are made.
fn is_passing(error: &ApiError) -> bool {
    error.is_transient() || error.class == Class::Token
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
