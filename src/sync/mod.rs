//! Reconciling: compares WeCom's lists with what callbacks told us.
//!
//! Callbacks get lost, and changes made through the API cause none. A run reads WeCom's departments, members,
//! customers and leavers, writes the results by the same rules as callbacks, and reports the differences. Each step
//! is one call and one transaction that also stores the run's progress, so a run may be killed between any two steps
//! and continues from there, in this process or another.
//!
//! A reading's results get times that let every callback of the same moment win. Nothing ends because a part of a
//! list did not name it; only a complete reading of a member's customers can show that one is gone. It knows no HTTP
//! and SQL: it calls `wecom`, and writes through `tables`.

mod reading;

mod permission;

mod members;

mod customers;

mod leavers;

mod group_chats;

mod run;

mod stepping;

mod refused;

mod schedule;

mod work;

use std::time::Duration;

use sqlx::PgPool;

pub use run::{Over, Run, Step};
pub use schedule::{Schedule, begin_due, begin_due_now, last_turn};
pub use work::{CONNECTIONS, Settings, work};

use crate::{
    ids::CorpId,
    tables::sync::sync_run,
    wecom::{ApiError, Wecom},
};

/// How long one run is worked at before the due runs of other corps.
pub const SLICE: Duration = Duration::from_secs(30);

/// The dependencies of runs. Cheap to clone.
#[derive(Clone)]
pub struct Sync {
    /// The database.
    pub pool: PgPool,
    /// The client for WeCom.
    pub wecom: Wecom,
}

/// The result of a request for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A new run began.
    Begun(i64),
    /// The corp's last run had failed and was resumed.
    Resumed(i64),
    /// A run was running already.
    Running(i64),
}

impl Asked {
    /// The run.
    pub fn run(self) -> i64 {
        match self {
            Self::Begun(run) | Self::Resumed(run) | Self::Running(run) => run,
        }
    }

    /// Its name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun(_) => "begun",
            Self::Resumed(_) => "resumed",
            Self::Running(_) => "running",
        }
    }
}

/// Asks for a run of this corp: the running one, the one that failed a moment ago, or a new one.
pub async fn ask(conn: &mut sqlx::PgConnection, corpid: &CorpId) -> sqlx::Result<Asked> {
    loop {
        if let Some(run) = sync_run::running(conn, corpid).await? {
            return Ok(Asked::Running(run));
        }
        if let Some(run) = sync_run::resume_failed(conn, corpid).await? {
            return Ok(Asked::Resumed(run));
        }
        if let Some(run) = sync_run::begin(conn, corpid).await? {
            return Ok(Asked::Begun(run));
        }
        // Another process began one at the same moment, and it may have ended since.
    }
}

/// Why a step failed.
#[derive(Debug)]
enum Halt {
    /// WeCom did not answer, or refused.
    Api(ApiError),
    /// WeCom's answer makes no sense.
    Odd(String),
    /// The run has ended, or another worker holds it.
    Lost,
    /// The database did not answer.
    Database(sqlx::Error),
}

impl From<ApiError> for Halt {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<sqlx::Error> for Halt {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
