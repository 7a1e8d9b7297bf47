//! Backups: made while callbacks arrive, restored into a new database and compared; and their failures.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use wecomd::{
    backup::{Backups, Manifest, Restore, Schedule, Settings, run_due},
    ids::CorpId,
    media::{MediaStore, Name},
    sandbox::{Push, work_day},
    tables::upkeep::backup,
    vault::Vault,
    worker::{self, Step, Worker},
};

use crate::support::{
    Company, Daemon, TestApp, TestDb,
    daemon::program,
    folder::Folder,
    http::request,
    plaintext::contact,
    proof::recorded_in_peace,
    tables::{assert_same, tables},
    wait::until,
};

/// A file of the media store, longer than one part.
const FILM_BYTES: usize = (1 << 20) + 7;

/// A database to be saved, and where its backups go.
struct Site {
    db: TestDb,
    folder: Folder,
    media: MediaStore,
    vault: Arc<Vault>,
}

impl Site {
    async fn new() -> Self {
        let folder = Folder::new("backups");
        let media = MediaStore::new(&folder.path().join("media"), 1 << 30).expect("a folder");
        Self { db: TestDb::new().await, folder, media, vault: Arc::new(Vault::random()) }
    }

    fn location(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    fn backups(&self) -> Backups {
        backups(&self.db, &self.vault, &self.media, &self.location())
    }

    /// Makes a backup and returns where it is.
    async fn make(&self) -> PathBuf {
        self.backups().make(Utc::now(), &|_| ()).await.expect("a backup").file
    }

    fn restore(&self, file: &Path) -> Restore {
        Restore { file: file.to_owned(), vault: self.vault.clone(), programs: None }
    }

    /// What is in the folder of backups.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.location()).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|it| it.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    /// A fetched file in the media store.
    async fn film(&self, media_id: &str, bytes: &[u8]) {
        let name = Name::new(&CorpId::from("ww1"), DateTime::UNIX_EPOCH, media_id);
        let kept = self.media.complete(&name, 0, Bytes::copy_from_slice(bytes)).await.expect("kept");
        self.db
            .execute(&format!(
                "insert into media (corpid, media_id, state, location, content_type, bytes, sha256, fetched_at)
                 values ('ww1', '{media_id}', 'fetched', '{}', 'video/mp4', {}, '\\x{}', now())",
                kept.location,
                kept.bytes,
                hex::encode(kept.sha256)
            ))
            .await;
    }
}

fn backups(db: &TestDb, vault: &Arc<Vault>, media: &MediaStore, location: &Path) -> Backups {
    let settings = Settings { location: location.to_owned(), keep: 2, media: true, programs: None };
    Backups { database: db.url.clone(), vault: vault.clone(), media: media.clone(), settings }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// A folder with a pg_dump that writes something and then fails.
fn broken_programs(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 99.1' && exit\n\
                  echo PGDMP; echo 'pg_dump: error: the disk is on fire' >&2; exit 1\n";
    let file = folder.join("pg_dump");
    fs::write(&file, script).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// Every delivery's hash.
async fn hashes(db: &TestDb) -> Vec<String> {
    db.texts("select encode(hash, 'hex') from inbox order by 1").await
}

#[tokio::test]
async fn a_backup_under_load_holds_every_callback_that_was_answered_before_it_began() {
    let (folder, app) = (Folder::new("backups"), TestApp::start_with(|config| config.worker.enabled = true).await);
    let admin = app.app.admin_half.clone();
    let date = chrono::NaiveDate::from_ymd_opt(2026, 5, 29).expect("a date");
    let mut pushes = work_day(&app.corp, 1, date, 4_000).pushes;
    let day = pushes.clone();
    let later = pushes.split_off(400);
    let before = app.deliver(pushes).await;
    assert!(before.acked.len() >= 400, "{}", before.acked.len());

    let records = "select count(*) from wechat_contact_record";
    until("recording has begun", async || app.db.count(records).await > 0).await;

    // The day goes on until the backup is made.
    let made = AtomicBool::new(false);
    let load = async {
        let mut delivered = 0;
        for some in later.chunks(50) {
            delivered += app.deliver(some.to_vec()).await.acked.len();
            if made.load(Ordering::Relaxed) {
                break;
            }
        }
        delivered
    };
    let backups = backups(&app.db, &admin.vault, &admin.media, folder.path());
    let backup = async {
        let backup = backups.make(Utc::now(), &|_| ()).await.expect("a backup");
        made.store(true, Ordering::Relaxed);
        backup
    };
    let (meanwhile, backup) = tokio::join!(load, backup);
    assert!(meanwhile > 0, "nothing arrived while the backup was made");
    app.deliver(vec![Push::of_plaintext(contact(1_780_000_000, "del_follow_user", "ann", "wmX", &[]))]).await;

    let restored = TestDb::empty().await;
    let restore = Restore { file: backup.file.clone(), vault: admin.vault.clone(), programs: None };
    let found = restore.restore_into(&restored.url, None, true, &|_| ()).await.expect("restored");
    assert_eq!(found.manifest.tables.values().sum::<i64>(), backup.rows);
    let there = hashes(&restored).await;
    let missing: Vec<_> =
        before.acked.iter().map(|it| hex::encode(it.sha256)).filter(|it| !there.contains(it)).collect();
    assert!(missing.is_empty(), "answered before the backup but missing in it: {missing:?}");
    assert!(there.len() < hashes(&app.db).await.len(), "later callbacks are not in it");

    let orphans = [
        "select count(*) from wechat_contact_record record
         where not exists (select from inbox where substring(hash for 16) = uuid_send(record.id))",
        "select count(*) from pending_delivery where not exists (select from inbox where inbox.hash = pending_delivery.hash)",
    ];
    for orphans in orphans {
        assert_eq!(restored.count(orphans).await, 0, "{orphans}");
    }
    assert!(restored.count(records).await > 0);

    wecomd::app::migrate(&restored.options()).await.expect("it migrates");
    // After recording, the restored database equals one in which the same callbacks were recorded without a backup.
    let mut worker = Worker::new(restored.options(), worker::Settings { batch_max: 500, attempts_max: 1 });
    while worker.step().await.expect("records") != Step::Idle {}
    let inside = |it: &Push| there.contains(&hex::encode(Sha256::digest(&it.plaintext)));
    let inside: Vec<_> = day.into_iter().filter(inside).collect();
    let expected = recorded_in_peace(&Company::new(), &inside).await;
    assert_same(&tables(&restored.pool, app.corp.corpid.as_str()).await, &expected, "restored");

    let verified = restore.verify(&app.db.url, &|_| ()).await.expect("verified");
    assert_eq!(verified.manifest, found.manifest);
    let scratch = "select count(*) from pg_database where datname like current_database() || '\\_verify\\_%'";
    assert_eq!(app.db.count(scratch).await, 0, "the scratch database is gone");
    restored.close().await;
    app.finish().await;
}

#[tokio::test]
async fn old_backups_are_deleted_and_foreign_files_are_kept() {
    let site = Site::new().await;
    fs::create_dir_all(site.location()).expect("a folder");
    fs::write(site.location().join("wecomd-20200101T000000000Z.backup"), "somebody else's").expect("written");
    for day in 1..=4 {
        let now = at(&format!("2026-05-0{day}T02:30:00Z"));
        site.backups().make(now, &|_| ()).await.expect("a backup");
    }
    let kept = ["20200101T000000000Z", "20260503T023000000Z", "20260504T023000000Z"];
    assert_eq!(site.files(), kept.map(|it| format!("wecomd-{it}.backup")));
    assert_eq!(site.db.count("select count(*) from backup where removed_at is not null").await, 2);
    let mode = fs::metadata(site.location().join(&site.files()[1])).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    site.db.close().await;
}

#[tokio::test]
async fn an_altered_file_is_refused_by_its_name_and_a_wrong_key_by_its_id() {
    let site = Site::new().await;
    let file = site.make().await;
    let whole = fs::read(&file).expect("read");
    let empty = TestDb::empty().await;
    for position in [9, 40, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[position] ^= 0x10;
        fs::write(&file, altered).expect("written");
        let error = site.restore(&file).restore_into(&empty.url, None, true, &|_| ()).await.expect_err("altered");
        let expected = format!("{}: was altered or is incomplete (its checksum differs)", file.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    fs::write(&file, &whole[..whole.len() - 100]).expect("written");
    let error = site.restore(&file).verify(&site.db.url, &|_| ()).await.expect_err("cut short").to_string();
    assert!(error.contains("was altered or is incomplete"), "{error}");

    fs::write(&file, &whole).expect("written");
    let other = Restore { vault: Arc::new(Vault::random()), ..site.restore(&file) };
    let error = other.verify(&site.db.url, &|_| ()).await.expect_err("another key").to_string();
    assert!(error.contains("master key 1 is not the one it was made with"), "{error}");
    let keys = site.folder.path().join("keys");
    fs::write(&keys, format!("7:{}\n", "A".repeat(43))).expect("written");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).expect("closed");
    let other = Restore { vault: Arc::new(Vault::from_env_or_file(Some(&keys)).expect("a key")), ..other };
    let error = other.verify(&site.db.url, &|_| ()).await.expect_err("no such key").to_string();
    assert!(error.contains("master key 1, which is missing (there is [7])"), "{error}");
    assert_eq!(
        empty.texts("select relname::text from pg_class where relnamespace = 'public'::regnamespace").await,
        [""; 0]
    );
    empty.close().await;
    site.db.close().await;
}

#[tokio::test]
async fn a_backup_is_not_restored_over_a_database_in_use() {
    let site = Site::new().await;
    let file = site.make().await;
    let error = site.restore(&file).restore_into(&site.db.url, None, true, &|_| ()).await.expect_err("not empty");
    assert!(error.to_string().starts_with("the database is not empty"), "{error}");
    site.db.close().await;
}

#[tokio::test]
async fn a_backup_of_a_later_version_is_refused_before_anything_is_written() {
    let site = Site::new().await;
    site.db.execute("insert into _sqlx_migrations values (9999, 'later', now(), true, '', 0)").await;
    let file = site.make().await;
    let empty = TestDb::empty().await;
    let error = site.restore(&file).restore_into(&empty.url, None, true, &|_| ()).await.expect_err("too new");
    assert!(error.to_string().starts_with("the backup has migration 9999, which this wecomd does not know"), "{error}");
    empty.close().await;
    site.db.close().await;
}

#[tokio::test]
async fn permissions_for_roles_that_are_missing_are_refused_by_name_or_left_out() {
    let site = Site::new().await;
    let role = format!("r_{}", uuid::Uuid::now_v7().simple());
    site.db.execute(&format!("create role {role}; grant select on member to {role}")).await;
    let file = site.make().await;
    site.db.execute(&format!("drop owned by {role}; drop role {role}")).await;

    let empty = TestDb::empty().await;
    let error = site.restore(&file).restore_into(&empty.url, None, true, &|_| ()).await.expect_err("no such role");
    assert!(error.to_string().contains(&role), "{error}");
    site.restore(&file).restore_into(&empty.url, None, false, &|_| ()).await.expect("without permissions");
    empty.close().await;
    site.db.close().await;
}

#[tokio::test]
async fn media_files_are_restored_byte_for_byte() {
    let site = Site::new().await;
    let film: Vec<u8> = (0..FILM_BYTES).map(|it| u8::try_from(it % 251).expect("small")).collect();
    site.film("film", &film).await;
    site.film("empty", b"").await;
    let file = site.make().await;

    let (empty, folder) = (TestDb::empty().await, Folder::new("media"));
    let media = MediaStore::new(folder.path(), 1 << 30).expect("a folder");
    let restored = site.restore(&file).restore_into(&empty.url, Some(&media), true, &|_| ()).await.expect("restored");
    assert_eq!((restored.media, restored.elsewhere, restored.damaged.len()), (2, 0, 0));
    let location = empty.texts("select location from media where media_id = 'film'").await.remove(0);
    assert_eq!(media.read(&location, 0..FILM_BYTES as u64).await.expect("reads"), film);
    let location = empty.texts("select location from media where media_id = 'empty'").await.remove(0);
    assert_eq!(media.read(&location, 0..0).await.expect("reads"), "");

    let without = Backups { settings: Settings { media: false, ..site.backups().settings }, ..site.backups() };
    let without = without.make(Utc::now(), &|_| ()).await.expect("a backup");
    let verified = site.restore(&without.file).verify(&site.db.url, &|_| ()).await.expect("verified");
    assert_eq!((verified.media, verified.elsewhere), (0, 2));
    empty.close().await;
    site.db.close().await;
}

#[tokio::test]
async fn a_missing_or_altered_media_file_is_reported_and_the_backup_is_made_anyway() {
    let site = Site::new().await;
    for media_id in ["a", "b", "c"] {
        site.film(media_id, b"a picture").await;
    }
    let locations = site.db.texts("select location from media order by media_id").await;
    let path = |index: usize| site.folder.path().join("media").join(&locations[index]);
    fs::remove_file(path(0)).expect("removed");
    fs::write(path(1), "a pikture").expect("written");

    let made = site.backups().make(Utc::now(), &|_| ()).await.expect("the backup is made");
    let lacking = format!("2 files of the media store could not be saved, the first is {}", locations[0]);
    assert_eq!((made.media, made.lacking), (1, Some(lacking)));
    let standing = backup::standing(&mut site.db.pool.acquire().await.expect("connects")).await.expect("one");
    assert_eq!(wecomd::backup::said(&standing, None, Utc::now())["state"], "incomplete");
    let verified = site.restore(&made.file).verify(&site.db.url, &|_| ()).await.expect("verified");
    assert_eq!((verified.media, verified.elsewhere, verified.damaged), (1, 1, vec![locations[1].clone()]));
    site.db.close().await;
}

#[tokio::test]
async fn one_process_at_a_time_makes_a_backup_and_remains_of_a_killed_one_are_removed() {
    let site = Site::new().await;
    let mut other = site.db.pool.acquire().await.expect("connects");
    assert!(backup::try_lock(&mut other).await.expect("locks"));
    let error = site.backups().make(Utc::now(), &|_| ()).await.expect_err("somebody makes one").to_string();
    assert_eq!(error, "another process makes a backup of this database right now");
    assert_eq!(site.db.count("select count(*) from backup").await, 0);
    backup::unlock(&mut other).await.expect("unlocks");

    fs::create_dir_all(site.location()).expect("a folder");
    let left = site.location().join("wecomd-20260501T023000000Z.backup");
    let file = left.to_str().expect("UTF-8");
    backup::begin(&mut other, at("2026-05-01T02:30:00Z"), file, 1).await.expect("begun");
    fs::write(left.with_extension("backup.part"), "half").expect("written");
    fs::write(&left, "whole, but nobody noted it").expect("written");
    let standing = backup::standing(&mut other).await.expect("one");
    assert_eq!(
        wecomd::backup::said(&standing, None, Utc::now())["state"],
        "failed",
        "nobody is making a backup any more"
    );
    site.make().await;
    assert_eq!(site.files().len(), 1, "{:?}", site.files());
    let rows = site.db.texts("select outcome || coalesce(': ' || reason, '') from backup order by started_at").await;
    assert_eq!(rows, ["failed: its process ended before the backup did", "done"]);
    drop(other);
    site.db.close().await;
}

#[tokio::test]
async fn a_backup_is_made_once_per_scheduled_time_and_retried_after_a_failure() {
    let site = Site::new().await;
    let schedule = Schedule::parse("30 2 * * *").expect("a schedule");
    let mut backups = site.backups();
    let made = async |backups: &Backups, now: &str| {
        run_due(backups, &schedule, at(now)).await.map(|made| made.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(made(&backups, "2026-05-29T18:29:00Z").await, Ok(true), "there was none yet");
    assert_eq!(made(&backups, "2026-05-29T18:29:59Z").await, Ok(false));
    assert_eq!(made(&backups, "2026-05-29T18:30:00Z").await, Ok(true), "half past two in Shanghai");
    assert_eq!(made(&backups, "2026-05-30T18:29:59Z").await, Ok(false));

    let broken = site.folder.path().join("broken");
    broken_programs(&broken);
    backups.settings.programs = Some(broken);
    let failed = Err("pg_dump failed: pg_dump: error: the disk is on fire".to_owned());
    assert_eq!(made(&backups, "2026-05-30T18:30:00Z").await, failed);
    let rests = made(&backups, "2026-05-30T18:39:59Z").await;
    assert_eq!(rests, Ok(false), "it pauses for ten minutes");
    assert_eq!(made(&backups, "2026-05-30T18:40:00Z").await, failed);
    backups.settings.programs = None;
    let again = at("2026-05-30T18:40:00Z") + TimeDelta::minutes(10);
    assert!(run_due(&backups, &schedule, again).await.expect("it works again").is_some());
    assert_eq!(site.files().len(), 2, "no half file is left: {:?}", site.files());
    site.db.close().await;
}

#[tokio::test]
async fn a_failing_pg_dump_turns_readyz_and_the_metric_red_until_a_backup_is_made() {
    let (site, company) = (Site::new().await, Company::new());
    let broken = site.folder.path().join("broken");
    broken_programs(&broken);
    let location = site.location();
    let settings = [
        ("DATABASE_URL", site.db.url.expose_secret()),
        ("WECOMD_BACKUP__ENABLED", "true"),
        ("WECOMD_BACKUP__LOCATION", location.to_str().expect("UTF-8")),
        ("WECOMD_PG_BIN", broken.to_str().expect("UTF-8")),
    ];
    let daemon = Daemon::start(&company.key, &settings, &[]).await;
    let ready = async || request(daemon.admin, "GET", "/readyz", &[], b"").await.expect("an answer");
    until("the backup has failed", async || ready().await.json()["backup"]["state"] == "failed").await;
    assert_eq!(ready().await.status, 200, "callbacks are stored all the same");
    until("the metric is red", async || (daemon.metric("wecomd_backup_failed ", "").await - 1.0).abs() < 0.1).await;
    assert_eq!(site.files(), [""; 0]);
    let reason = site.db.texts("select reason from backup").await;
    assert_eq!(reason, ["pg_dump failed: pg_dump: error: the disk is on fire"]);

    fs::remove_file(broken.join("pg_dump")).expect("mended");
    let mut command = Command::from(program(site.folder.path()));
    let made = command.arg("backup").env("WECOMD_MASTER_KEY", &company.key).envs(settings).status().await;
    assert!(made.expect("it runs").success());
    until("all is well", async || ready().await.json()["backup"]["state"] == "ok").await;
    until("the metric is green", async || daemon.metric("wecomd_backup_failed ", "").await < 0.1).await;
    drop(daemon);
    site.db.close().await;
}

#[tokio::test]
async fn a_private_postgresql_is_saved_verified_and_restored_on_the_command_line() {
    let (folder, company) = (Folder::new("private"), Company::new());
    let run = async |data: &str, arguments: &[&str]| {
        let mut command = Command::from(program(folder.path()));
        command.args(arguments).env("WECOMD_MASTER_KEY", &company.key);
        let output = command.env("WECOMD_DATA_DIR", folder.path().join(data)).output().await.expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).expect("text"))
    };
    let (well, said) = run("old", &["backup"]).await;
    assert!(well, "{said}");
    let file = said.lines().next().expect("a line").to_owned();
    assert!(file.ends_with(".backup") && said.contains("opens with master key 1"), "{said}");
    let (well, listed) = run("old", &["backup", "--list"]).await;
    assert!(well && listed.contains(&file) && listed.contains("done"), "{listed}");
    let (well, said) = run("old", &["restore", &file, "--verify"]).await;
    assert!(well && said.contains("rows are as they were"), "{said}");
    let (well, said) = run("new", &["restore", &file, "--into"]).await;
    assert!(well && said.contains("wecomd serve"), "{said}");
    let (well, said) = run("new", &["restore", &file, "--into"]).await;
    assert!(!well && said.contains("the database is not empty"), "{said}");
    let (well, said) = run("new", &["restore", &file]).await;
    assert!(!well && said.contains("--verify"), "{said}");
}

#[tokio::test]
async fn the_manifest_counts_every_table_except_backup_attempts() {
    let site = Site::new().await;
    let verified = site.restore(&site.make().await).verify(&site.db.url, &|_| ()).await.expect("verified");
    let Manifest { tables, .. } = verified.manifest;
    let expected = "select 'public.' || relname from pg_class where relnamespace = 'public'::regnamespace
         and relkind in ('r', 'p') and not relispartition and relname <> 'backup' order by relname collate \"C\"";
    assert_eq!(tables.into_keys().collect::<Vec<_>>(), site.db.texts(expected).await);
    site.db.close().await;
}
