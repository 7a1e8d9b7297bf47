//! The spool of real processes: killed, stopped, started without a database, several on one disk, and how much memory
//! it takes.

use std::{
    collections::BTreeSet,
    fs,
    process::Output,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use wecomd::{
    sandbox::{AppKind, Push, Report, work_day},
    spool::folder_views,
};

use crate::support::{
    Company, Daemon, TestDb, daemon::program, folder::Folder, link::Link, plaintext::contact, proof::watch_settling,
    wait::until,
};

/// Callbacks under way at once.
const CONCURRENCY: usize = 16;

/// Half a minute of callbacks at 500 a second.
const HALF_A_MINUTE: usize = 15_000;

/// How much memory that may take, without the program's own code, in kilobytes. A debug build needs no less.
const MEMORY_KB_MAX: u64 = 40_000;

/// How long a stop may take, whatever is away.
const STOPS_WITHIN: Duration = Duration::from_secs(25);

const STORED: &str = "select count(*) from inbox";
const SETTLED: &str = "select count(*) from settled";

fn met(customer: &str) -> Push {
    Push::genuine(AppKind::App, contact(1_700_000_000, "add_external_contact", "zhangsan", customer, &[]))
}

fn all_met(range: std::ops::Range<usize>) -> Vec<Push> {
    range.map(|it| met(&format!("wm{it}"))).collect()
}

/// A database that can be cut off, and a folder for the spools of those who use it.
struct Outage {
    db: TestDb,
    link: Link,
    company: Company,
    folder: Folder,
}

impl Outage {
    async fn new() -> Self {
        let (db, company) = (TestDb::new().await, Company::new());
        company.save(&db.pool).await;
        watch_settling(&db.pool).await;
        Self { link: Link::to(&db).await, db, company, folder: Folder::new("spools") }
    }

    fn location(&self) -> String {
        self.folder.path().join("spool").to_str().expect("a text").to_owned()
    }

    async fn daemon(&self, arguments: &[&str]) -> Daemon {
        let (url, location) = (self.link.url.expose_secret(), self.location());
        let settings = [("DATABASE_URL", url), ("WECOMD_SPOOL__LOCATION", &location)];
        Daemon::start(&self.company.key, &settings, arguments).await
    }

    async fn deliver(&self, wecomd: &Daemon, pushes: Vec<Push>) -> Report {
        let count = pushes.len() as u64;
        let report = self.company.sender(wecomd.public).deliver_all(pushes, CONCURRENCY, |_| ()).await;
        assert_eq!((report.genuine.answered, report.genuine.failed), (count, 0), "{:?}", report.genuine);
        report
    }

    /// So many are stored and recorded, each once, and nothing waits.
    async fn assert_stored_once(&self, count: usize) {
        let count = i64::try_from(count).expect("small");
        until("all are stored", async || self.db.count(STORED).await == count).await;
        until("all are recorded", async || self.db.count("select count(*) from pending_delivery").await == 0).await;
        assert_eq!(self.db.count(SETTLED).await, count, "each once");
        until("no segment waits", async || self.waiting() == 0).await;
    }

    fn waiting(&self) -> usize {
        let folders = folder_views(self.location().as_ref()).expect("listed");
        folders.iter().map(|it| it.segments.len()).sum()
    }

    /// `wecomd …` with these master keys.
    fn run(&self, key: &str, arguments: &[&str]) -> Output {
        self.run_with(key, arguments, &[])
    }

    fn run_with(&self, key: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        let mut command = program(self.folder.path());
        command.envs(settings.iter().copied());
        command.args(arguments).env("WECOMD_MASTER_KEY", key).env("WECOMD_SPOOL__LOCATION", self.location());
        command.env("DATABASE_URL", self.db.url.expose_secret()).output().expect("it runs")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_and_an_orphan_drain_each_record_once() {
    let outage = Outage::new().await;
    let (mut orphan, one, other) =
        (outage.daemon(&[]).await, outage.daemon(&[]).await, outage.daemon(&["--no-worker"]).await);
    outage.link.cut();
    // Every callback goes to two of them.
    outage.deliver(&orphan, all_met(0..200)).await;
    outage.deliver(&one, all_met(100..300)).await;
    outage.deliver(&other, [all_met(200..300), all_met(0..100)].concat()).await;
    assert_eq!(outage.waiting(), 3, "each has a folder of its own");
    orphan.kill();
    outage.link.mend();
    outage.assert_stored_once(300).await;
    let mut drained = [0.0, 0.0];
    for (sum, process) in drained.iter_mut().zip([&one, &other]) {
        for outcome in ["stored", "duplicate"] {
            *sum += process.metric("wecomd_spool_drained_total", &format!("outcome=\"{outcome}\"")).await;
        }
    }
    assert!(drained.iter().all(|it| *it >= 200.0), "{drained:?}");
    assert!((drained.iter().sum::<f64>() - 600.0).abs() < 0.5, "each record was drained once: {drained:?}");
    drop((orphan, one, other));
    outage.db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_start_without_a_database_takes_callbacks() {
    let outage = Outage::new().await;
    let mut wecomd = outage.daemon(&[]).await;
    outage.deliver(&wecomd, all_met(0..1)).await;
    wecomd.terminate();
    wecomd.ended().await;

    outage.link.cut();
    wecomd.again();
    wecomd.ready().await;
    outage.deliver(&wecomd, all_met(0..50)).await;
    let ready = wecomd.probe("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &"spooling".into()), "{}", ready.text());
    let refused = wecomd.ask("Bearer wcd_none", "GET", "/api/enterprise-wechat/config", "").await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &"database_unavailable".into()), "{}", refused.text());
    assert!(wecomd.probe("/metrics").await.text().contains("wecomd_spool_bytes"));

    outage.link.mend();
    outage.assert_stored_once(50).await;
    let ready = async || wecomd.probe("/readyz").await.json()["status"] == "ready";
    until("it is ready", ready).await;
    let answer = wecomd.ask("Bearer wcd_none", "GET", "/api/enterprise-wechat/config", "").await;
    assert_eq!(answer.status, 401, "the admin API works");
    drop(wecomd);
    outage.db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wecomd_killed_while_it_spools_loses_nothing_that_it_answered() {
    let outage = Outage::new().await;
    let mut wecomd = outage.daemon(&[]).await;
    outage.deliver(&wecomd, all_met(0..1)).await;
    outage.link.cut();
    let (progress, mut answered) = tokio::sync::watch::channel(0);
    let sender = outage.company.sender(wecomd.public);
    let note = move |report: &Report| {
        progress.send_replace(report.genuine.answered);
    };
    let delivering = tokio::spawn(async move { sender.deliver_all(all_met(0..1_200), CONCURRENCY, note).await });
    for moment in [150, 600, 1_000] {
        answered.wait_for(|it| *it >= moment).await.expect("the stream goes on");
        wecomd.kill();
        wecomd.again();
    }
    let report = delivering.await.expect("delivered");
    assert_eq!((report.genuine.answered, report.genuine.failed), (1_200, 0), "{:?}", report.genuine);
    assert!(report.attempts > 1_200, "no kill cut off a callback");
    assert_eq!(outage.db.count(STORED).await, 1, "nothing reached the database");
    wecomd.kill();
    outage.link.mend();
    wecomd.again();
    outage.assert_stored_once(1_200).await;
    drop(wecomd);
    outage.db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_while_it_spools_ends_in_time_and_the_next_start_stores_everything() {
    let outage = Outage::new().await;
    let mut wecomd = outage.daemon(&[]).await;
    outage.deliver(&wecomd, all_met(0..1)).await;
    outage.link.cut();
    outage.deliver(&wecomd, all_met(0..60)).await;
    let told = Instant::now();
    wecomd.terminate();
    assert_eq!(wecomd.ended().await.code(), Some(0));
    assert!(told.elapsed() < STOPS_WITHIN, "it took {:?}", told.elapsed());
    assert!(outage.waiting() > 0);
    outage.link.mend();
    wecomd.again();
    outage.assert_stored_once(60).await;
    drop(wecomd);
    outage.db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_minute_of_callbacks_is_spooled_in_little_memory_and_stored_once() {
    let outage = Outage::new().await;
    let wecomd = outage.daemon(&[]).await;
    outage.deliver(&wecomd, all_met(0..1)).await;
    outage.link.cut();
    let date = chrono::NaiveDate::from_ymd_opt(2026, 5, 29).expect("a date");
    let day = work_day(&outage.company.corp, 3, date, HALF_A_MINUTE).pushes;
    let distinct: BTreeSet<_> = day.iter().map(|it| Sha256::digest(&it.plaintext)).collect();
    let count = day.len() as u64;
    // As fast as they are taken, which is faster than 500 a second: that half a minute would only be longer.
    let report = outage.deliver(&wecomd, day).await;
    assert_eq!(report.attempts, count, "each was answered the first time");
    let rate = f64::from(u32::try_from(count).expect("small")) / report.elapsed.as_secs_f64();
    assert!(rate > 500.0, "{rate} a second");
    let spooling_kb = memory_kb(&wecomd);
    outage.link.mend();
    outage.assert_stored_once(distinct.len() + 1).await;
    let (spooling, peak) = (spooling_kb, memory_kb(&wecomd));
    assert!(spooling.max(peak) <= MEMORY_KB_MAX, "{spooling} kB while spooling, {peak} kB after draining");
    drop(wecomd);
    outage.db.close().await;
}

/// A process's memory, without what it only maps from files.
fn memory_kb(wecomd: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", wecomd.pid())).expect("it runs");
    let line = status.lines().find_map(|it| it.strip_prefix("RssAnon:")).expect("Linux says so");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_shows_and_verifies_the_spool_and_counts_its_keys() {
    let outage = Outage::new().await;
    let key = &outage.company.key;
    let nothing = outage.run(key, &["spool", "status"]);
    assert!(
        nothing.status.success() && said(&nothing).contains(": 0 segments wait for the database (0.0 MiB)"),
        "{}",
        said(&nothing)
    );
    for looking in [&["key", "status"][..], &["key", "rotate"], &["check"]] {
        let looked = outage.run(key, looking);
        assert!(looked.status.success(), "{}", said(&looked));
    }
    assert!(!fs::exists(outage.location()).expect("looked"), "what root makes, the service could not use");
    let mut wecomd = outage.daemon(&[]).await;
    outage.link.cut();
    outage.deliver(&wecomd, all_met(0..25)).await;
    let status = said(&outage.run(key, &["spool", "status"]));
    assert!(status.contains(": 1 segments wait for the database (16.0 MiB)"), "{status}");
    assert!(status.contains("0: used by a running wecomd") && status.contains("waiting  16.0 MiB  key 1"), "{status}");
    wecomd.kill();
    let status = said(&outage.run(key, &["spool", "status"]));
    assert!(status.contains("0: free"), "{status}");

    let verified = outage.run(key, &["spool", "verify"]);
    assert!(
        verified.status.success() && said(&verified).contains("25 callbacks, all of them whole"),
        "{}",
        said(&verified)
    );
    let without = outage.run("2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=", &["spool", "verify"]);
    assert_eq!(without.status.code(), Some(1));
    assert!(said(&without).contains("sealed with master key 1, which is missing"), "{}", said(&without));
    let keys = said(&outage.run(key, &["key", "status"]));
    assert!(keys.contains("0 backups, 1 spool segments"), "{keys}");
    let checked = said(&outage.run(key, &["check"]));
    assert!(checked.contains(&format!("ok    spool: {}, up to 1024.0 MiB; ", outage.location())), "{checked}");

    let off = said(&outage.run_with(key, &["check"], &[("WECOMD_SPOOL__ENABLED", "false")]));
    assert!(off.contains(&format!("WARN  spool: 1 segments wait in {}, and nobody", outage.location())), "{off}");
    let both = format!("{key},2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
    let rotated = said(&outage.run(&both, &["key", "rotate"]));
    assert!(
        rotated.contains(&format!("keep key 1: 1 spool segments and apps.sealed in {}", outage.location())),
        "{rotated}"
    );

    let segment = folder_views(outage.location().as_ref()).expect("listed").remove(0).segments.remove(0).path;
    let mut bytes = fs::read(&segment).expect("read");
    bytes[8_192 + 40] ^= 1;
    fs::write(&segment, bytes).expect("written");
    let damaged = outage.run(key, &["spool", "verify"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(said(&damaged).contains(": 24 callbacks, 1 damaged"), "{}", said(&damaged));
    drop(wecomd);
    outage.db.close().await;
}
