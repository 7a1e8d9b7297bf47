//! `wecomd audit`: verifies that the access log was not changed.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{database::with_pool, say};
use crate::{
    access::audit::{self, End, Verdict},
    config::Config,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify the access log's hash chains; print the first line that does not match
    Verify {
        /// The output of an earlier run, kept elsewhere: also detects a log that was rewritten as a whole since then
        #[arg(long, value_name = "FILE")]
        noted: Option<PathBuf>,
    },
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    let Command::Verify { noted } = arguments.command;
    let noted = match noted {
        Some(path) => read(&path)?,
        None => Vec::new(),
    };
    with_pool(config, async |pool| match audit::verify(pool, &noted).await? {
        Verdict::Broken(found) => anyhow::bail!("the access log is not as it was written: {found}"),
        verdict @ Verdict::Whole { .. } => {
            say(&format!("OK: {} lines are as they were written", verdict.lines()));
            if let Verdict::Whole { ends, dropped } = verdict {
                for it in dropped {
                    let (until, at) = (it.until_at.format("%F"), it.dropped_at.format("%F"));
                    say(&format!(
                        "dropped from chain {}: lines up to {}, of {until} and before, on {at}",
                        it.chain, it.position
                    ));
                }
                for end in ends {
                    say(&end.to_string());
                }
            }
            Ok(())
        }
    })
    .await
}

/// The chain ends in an earlier run's output.
fn read(path: &PathBuf) -> anyhow::Result<Vec<End>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with("chain"));
    lines.map(|(number, line)| line.parse().with_context(|| format!("{}:{number}", path.display()))).collect()
}
