//! Accepting and recording at once, as fast as both go, until nothing is left to record.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use sqlx::PgConnection;
use wecomd::inbox::depth;

use super::load::{self, Load, Requests};

/// How long recording may lag behind after a load.
const DRAIN_LIMIT: Duration = Duration::from_secs(180);

/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(10);

/// Callbacks per second, from the first that is sent until the last is recorded.
pub(crate) async fn flood(
    address: SocketAddr,
    conn: &mut PgConnection,
    requests: Arc<Requests>,
    load: Load,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let outcome = load::run(address, requests, load).await?;
    drained(conn).await?;
    Ok(outcome.acks as f64 / began.elapsed().as_secs_f64())
}

/// Waits until nothing is pending.
pub(crate) async fn drained(conn: &mut PgConnection) -> anyhow::Result<()> {
    let began = Instant::now();
    while depth(conn).await?.0 > 0 {
        ensure!(began.elapsed() < DRAIN_LIMIT, "recording does not come to an end");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
