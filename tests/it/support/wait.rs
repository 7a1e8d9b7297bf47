//! Waiting for something that will be so in a moment, and no longer than that takes.

use std::time::{Duration, Instant};

/// A test that waits longer than this waits in vain.
const LIMIT: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Returns as soon as `so` is; `what` completes "waited in vain until …".
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < LIMIT, "timed out waiting until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
