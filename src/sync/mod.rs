//! Reconciling: what WeCom's lists say, against what callbacks told us.
//!
//! Callbacks get lost, and changes made through the API never call back. A run walks through WeCom's departments,
//! members, customers and leavers, writes what it reads by the same rules as callbacks, and keeps a report of what was
//! otherwise. Each step is one call and one transaction that also says how far the run is, so it may be killed between
//! any two and goes on from there, in this process or another.
//!
//! What is read is old news: it stands under times that let every callback of the same moment win. Nothing ends
//! because a part of a list did not name it; only a complete reading of a member's customers can say that one is gone.
//! It refuses to know HTTP and SQL: it asks `wecom`, and writes through `tables`.

mod reading;

mod permission;

mod members;

mod customers;

mod leavers;

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

/// How long a run is worked at before those of other corps that are due have their turn.
pub const SLICE: Duration = Duration::from_secs(30);

/// What runs work with. Cheap to clone.
#[derive(Clone)]
pub struct Sync {
    /// The database.
    pub pool: PgPool,
    /// The way to WeCom.
    pub wecom: Wecom,
}

/// How a run that somebody asked for came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is new.
    Begun(i64),
    /// The corp's last one had failed, and goes on where it stopped.
    Resumed(i64),
    /// There is one running.
    Running(i64),
}

impl Asked {
    /// The run.
    pub fn run(self) -> i64 {
        match self {
            Self::Begun(run) | Self::Resumed(run) | Self::Running(run) => run,
        }
    }

    /// What it is called in answers.
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
        // Somebody else began one at this moment, and it may even have ended since.
    }
}

/// Why a step did not succeed.
#[derive(Debug)]
enum Halt {
    /// WeCom did not answer, or said no.
    Api(ApiError),
    /// WeCom answers what makes no sense.
    Odd(String),
    /// The run is over, or somebody else's.
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
