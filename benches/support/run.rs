//! Running a benchmark until it is done or told to stop; either way its servers and folders go.

use tokio::signal::unix::{SignalKind, signal};

/// Runs it on a runtime of its own. An interrupted one fails.
pub(crate) fn run(measure: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            measured = measure => measured,
            _ = terminate.recv() => anyhow::bail!("told to stop"),
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    })
}
