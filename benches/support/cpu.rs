//! Processor time, from `/proc`.

use std::fs;

use anyhow::Context;

/// `/proc` counts processor time in these; the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor time that a process has used so far.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    stat(pid).map(|stat| stat.cpu_seconds).with_context(|| format!("process {pid} is gone"))
}

/// The same of a PostgreSQL server: of all its processes that live.
pub(crate) fn cpu_seconds_of_server(pid: u32) -> anyhow::Result<f64> {
    let mut sum = cpu_seconds(pid)?;
    for entry in fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Whoever ended since the folder was read is no error.
        sum += stat(child).filter(|it| it.parent == pid).map_or(0.0, |it| it.cpu_seconds);
    }
    Ok(sum)
}

struct Stat {
    parent: u32,
    cpu_seconds: f64,
}

/// The second field is the program's name in brackets, which may hold blanks; the parent is the fourth, user and
/// system time are the fourteenth and fifteenth.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND })
}
