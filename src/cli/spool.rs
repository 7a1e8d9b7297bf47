//! `wecomd spool`: shows the callbacks on disk that wait for the database, and verifies them. It needs no database, and
//! changes nothing.

use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};

use super::say;
use crate::{
    config::Config,
    spool::{FolderView, Found, Holding, Reader, SegmentView, folder_views},
    vault::Vault,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what waits for the database, what it refused, and what was damaged
    Status,
    /// Decrypt every callback in it, and count what is damaged; exit 1 if anything is
    Verify,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    let location = config.spool_location();
    let folders = folder_views(&location).with_context(|| location.display().to_string())?;
    match arguments.command {
        Command::Status => {
            status(&location, &folders);
            Ok(())
        }
        Command::Verify => verify(&location, &folders, &Vault::from_env_or_file(config.master_key_file())?),
    }
}

fn status(location: &Path, folders: &[FolderView]) {
    let all = || folders.iter().flat_map(|it| &it.segments);
    let count = |holding| all().filter(|it| it.holding == holding).count();
    let (waiting, refused, damaged) = (count(Holding::Waiting), count(Holding::Refused), count(Holding::Damaged));
    let bytes = all().filter(|it| it.holding == Holding::Waiting).map(|it| it.bytes).sum();
    say(&format!(
        "{}: {waiting} segments wait for the database ({}), {refused} hold refused callbacks, {damaged} had damage",
        location.display(),
        mebibytes(bytes)
    ));
    for folder in folders {
        let held = if folder.held { "used by a running wecomd" } else { "free" };
        say(&format!("{}: {held}", name(&folder.path)));
        for segment in &folder.segments {
            let SegmentView { holding, bytes, written_at, key_id, .. } = segment;
            let holding = match holding {
                Holding::Waiting => "waiting",
                Holding::Refused => "refused",
                Holding::Damaged => "damaged",
            };
            let key = key_id.map_or_else(|| "no readable header".to_owned(), |id| format!("key {id}"));
            let written_at = DateTime::<Utc>::from(*written_at).to_rfc3339_opts(SecondsFormat::Secs, true);
            let bytes = mebibytes(*bytes);
            say(&format!("  {}  {holding}  {bytes}  {key}  written {written_at}", name(&segment.path)));
        }
    }
}

fn verify(location: &Path, folders: &[FolderView], vault: &Vault) -> anyhow::Result<()> {
    let (mut callbacks, mut wrong) = (0, 0);
    for segment in folders.iter().flat_map(|it| &it.segments) {
        let path = segment.path.strip_prefix(location).unwrap_or(&segment.path).display();
        let mut reader = match Reader::open(&segment.path, vault) {
            Ok(reader) => reader,
            Err(error) => {
                wrong += 1;
                say(&format!("FAIL  {error}"));
                continue;
            }
        };
        while reader.next_record().is_some() {}
        let Found { records, damaged, torn } = reader.found();
        callbacks += records;
        wrong += u64::from(damaged > 0);
        let verdict = if damaged > 0 { "FAIL" } else { "ok  " };
        let torn = if torn { "; the last write was cut off, and never answered" } else { "" };
        say(&format!("{verdict}  {path}: {records} callbacks, {damaged} damaged{torn}"));
    }
    anyhow::ensure!(wrong == 0, "{wrong} segments are damaged or cannot be opened; {callbacks} callbacks are whole");
    say(&format!("{callbacks} callbacks, all of them whole"));
    Ok(())
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().map_or_else(Default::default, |it| it.to_string_lossy())
}

/// A size for people.
pub(super) fn mebibytes(bytes: u64) -> String {
    let mebibytes = bytes >> 20;
    let tenths = ((bytes & ((1 << 20) - 1)) * 10) >> 20;
    format!("{mebibytes}.{tenths} MiB")
}
