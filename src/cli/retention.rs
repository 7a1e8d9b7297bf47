//! `wecomd retention`: deletes data past its retention period, or shows what would be deleted.

use clap::Args;

use super::{database::with_pool, say};
use crate::{
    app,
    config::Config,
    media::MediaStore,
    privacy::{Age, Outcome},
    states::RetentionKind,
    tables::privacy::retention,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show what would be deleted, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    with_pool(config, async |pool| {
        let media = MediaStore::new(&config.media_location(), config.media.bytes_max)?;
        let keep = app::retention(config, pool.clone(), media);
        let mut lock = pool.acquire().await?.detach();
        anyhow::ensure!(retention::lock(&mut lock).await?, "another process is deleting old data; try again later");
        let mut failed = 0;
        for kind in RetentionKind::ALL {
            let name = kind.as_str();
            let Some(age) = keep.settings.age(kind) else {
                say(&format!("{name}: kept for ever"));
                continue;
            };
            match keep.run(kind, arguments.dry_run).await {
                Ok(outcome) => tell(name, age, &outcome, arguments.dry_run),
                Err(error) => {
                    failed += 1;
                    say(&format!("{name}: failed: {error}"));
                }
            }
        }
        retention::unlock(&mut lock).await?;
        anyhow::ensure!(failed == 0, "{failed} kinds could not be processed");
        Ok(())
    })
    .await
}

fn tell(name: &str, age: Age, it: &Outcome, dry: bool) {
    let kept = match age {
        Age::Days(days) => format!("{days} days"),
        Age::Months(months) => format!("{months} months"),
    };
    let before = it.before.map(|day| day.to_string()).unwrap_or_default();
    let verb = if dry { "would go" } else { "went" };
    let count = it.partitions.len();
    say(&format!(
        "{name}: kept for {kept}; from before {before} {verb} {count} partitions, {} rows, {} files, {} bytes",
        it.rows, it.files, it.bytes
    ));
    for partition in &it.partitions {
        say(&format!("  {partition}"));
    }
    for partition in &it.waiting {
        say(&format!("  {partition} waits: something in it is still to be recorded, or parked"));
    }
}
