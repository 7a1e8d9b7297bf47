//! Makes partitions ahead, on a connection of its own that nobody waits for.
//!
//! Every process does it, since one that only accepts may be alone; a lock lets one at a time.

use std::{collections::BTreeSet, time::Duration};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::watch;

use crate::{
    tables::upkeep::partition_upkeep::{self, Calendar, INBOX, RECORDS, Reach, Upkeep},
    time_limit::{DatabaseFailure, within},
};

/// How often to look.
const EVERY: Duration = Duration::from_secs(60);

/// How soon to look again after a partition could not be made.
const AGAIN: Duration = Duration::from_secs(10);

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Makes the partitions ahead before the first callback arrives; rows in default partitions are moved later. A
/// partition that cannot be made does not prevent the start.
pub async fn prepare(options: &PgConnectOptions) {
    if let Err(error) = look(options, Reach::Ahead, &mut BTreeSet::new()).await {
        tracing::warn!(error = %error, "partitions could not be made yet; their rows go to the default ones");
    }
}

/// Looks periodically until told to stop.
pub async fn work(options: PgConnectOptions, mut stopping: watch::Receiver<bool>) {
    let mut put_off = BTreeSet::new();
    let mut pause = EVERY;
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            looked = look(&options, Reach::All, &mut put_off) => match looked {
                Ok(()) => pause = if put_off.is_empty() { EVERY } else { AGAIN },
                Err(error) => {
                    pause = EVERY;
                    tracing::warn!(error = %error, "partitions could not be made; tried again in a minute");
                }
            }
        }
    }
}

/// `put_off` holds the partitions that are already known to be put off: each is logged once.
async fn look(options: &PgConnectOptions, reach: Reach, put_off: &mut BTreeSet<String>) -> Result<(), DatabaseFailure> {
    let connect = PgConnection::connect_with(options);
    let mut conn = within(CONNECT_LIMIT, "connecting to the database", connect).await?;
    let mut still = BTreeSet::new();
    for calendar in [&INBOX, &RECORDS] {
        let Some(upkeep) = partition_upkeep::look(&mut conn, calendar, reach).await? else { continue };
        report(calendar, &upkeep, put_off);
        still.extend(upkeep.put_off);
    }
    *put_off = still;
    Ok(conn.close().await?)
}

fn report(calendar: &Calendar, upkeep: &Upkeep, known: &BTreeSet<String>) {
    let table = calendar.parent;
    if !upkeep.made.is_empty() {
        tracing::debug!(table, partitions = ?upkeep.made, "partitions were made");
    }
    let new: Vec<_> = upkeep.put_off.iter().filter(|it| !known.contains(*it)).collect();
    if !new.is_empty() {
        tracing::warn!(table, partitions = ?new, "the table is locked: these partitions are made later");
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    {
        metrics::gauge!("wecomd_partitions", "table" => table).set(upkeep.count as f64);
        metrics::gauge!("wecomd_partitions_put_off", "table" => table).set(upkeep.put_off.len() as f64);
    }
}
