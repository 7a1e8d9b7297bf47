//! How fast the message archive (会话内容存档) is read, beside the RSA decryptions that it takes, and how much memory that
//! needs.
//!
//! The daemon reads through the real reader program from the stand-in for WeCom's library, which makes messages when it is
//! asked for them. Each is sealed for a key of 2048 bits. A round begins when WeCom's notice is sent, with so many messages
//! waiting, and ends when the last is recorded. Before and after it, threads of this process decrypt short keys with the
//! same key on all cores, and do nothing else: no reader of the archive can be faster.

mod support;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use chrono::Utc;
use sqlx::{Connection, PgConnection};
use support::{
    cpu::{cpu_seconds, cpu_seconds_of_server},
    database::Database,
    figures::{Series, grouped, judge},
    flood::drained,
    options::{Options, Standard},
    process::{Process, children, peak_mb},
    run::run,
    supply::Supply,
};
use wecomd::{
    archive::{Key, sealed_at},
    sandbox::{
        AppKind, Corp, Patience, Platform, Sender, Size, World,
        archive::{
            ArchiveSeal, BuildError, Library,
            library::{COMPILER, SOURCE},
        },
    },
    tables::archive::archive_key::{self, KeyRow},
};

/// How long decryptions are measured alone, before a round and after it.
const SECONDS: f64 = 2.0;

/// How many rounds there are.
const ROUNDS: usize = 3;

/// How many messages wait in each round, and in a smoke test.
const MESSAGES: u64 = 5_000;
const MESSAGES_QUICK: u64 = 500;

/// The longest short windows are those of smoke tests.
const QUICK_SECONDS: f64 = 0.5;

/// How many short keys the messages take in turns.
const SHORT_KEYS: usize = 64;

/// Between two messages, in milliseconds.
const STEP_MS: i64 = 10;

/// The version of the key.
const VERSION: i32 = 1;

/// Between two looks how far it is.
const LOOK: Duration = Duration::from_millis(50);

/// Within this time the daemon has looked into the archive for the first time.
const FIRST_LIMIT: Duration = Duration::from_secs(30);

/// For so long reading may stand still.
const STILL_LIMIT: Duration = Duration::from_secs(60);

/// The reader's program, beside ours.
const READER: &str = "wecomd-archive";

fn main() -> anyhow::Result<()> {
    let standard = Standard { seconds: SECONDS, quick_seconds: QUICK_SECONDS, rounds: ROUNDS };
    let Some(options) = Options::read_standard("archive", standard)? else { return Ok(()) };
    let quick = options.window < Duration::from_secs_f64(SECONDS);
    let messages = options.messages.unwrap_or(if quick { MESSAGES_QUICK } else { MESSAGES });
    run(measure(&options, messages))
}

async fn measure(options: &Options, messages: u64) -> anyhow::Result<()> {
    let reader = reader()?;
    let database = Database::start().await?;
    let library = match Library::build(&database.folder().join("archive"), Command::new(COMPILER), SOURCE) {
        Ok(library) => library,
        Err(why @ BuildError::NoCompiler) => {
            println!("archive: skipped: {why}");
            return database.stop().await;
        }
        Err(why) => return Err(why.into()),
    };
    let corp = Supply::new().corp.with_archive(1);
    let mut conn = database.prepare("wecomd", &corp).await?;
    let app = corp.app(AppKind::Archive).context("the company has no archive")?;
    database.entrust(&mut conn, app, None).await?;
    let key = Key::generate()?;
    keep(&mut conn, &database, &corp, &key).await?;
    let shorts = short_keys(&key)?;
    let platform = Platform::start(world(&corp), ([127, 0, 0, 1], 0).into()).await?;
    let (base_url, path) = (platform.base_url(), library.path().display().to_string());
    let settings = [
        ("WECOMD_TASKS__ENABLED", "true"),
        ("WECOMD_WECOM__BASE_URL", base_url.as_str()),
        ("WECOMD_ARCHIVE__ENABLED", "true"),
        ("WECOMD_ARCHIVE__LIBRARY", path.as_str()),
        ("WECOMD_ARCHIVE__READER", reader.to_str().context("the reader's path is no text")?),
    ];
    let wecomd = Process::wecomd_with(&database, "wecomd", &[], &settings).await?;
    let sender = Sender::new(&format!("http://{}", wecomd.address), &corp, Patience::default())?;
    looked(&mut conn).await?;

    let mut site =
        Site { database: &database, conn, wecomd, library, shorts, key, read: 0, readers: Readers::default() };
    let mut results = Results::default();
    for _ in 0..options.rounds {
        let notice = platform.with(|world| world.archive_notice());
        site.round(options, messages, &mut results, async {
            let delivered = sender.deliver(&notice).await;
            ensure!(delivered.answered_200, "the notice was not answered");
            Ok(())
        })
        .await?;
    }
    let Site { conn, wecomd, readers, .. } = site;
    let daemon_mb = peak_mb(wecomd.pid())?;
    drop(wecomd);
    platform.stop().await;
    conn.close().await?;
    database.stop().await?;
    results.print(options, messages, [daemon_mb, readers.peak_mb]);
    Ok(())
}

/// The daemon with its archive.
struct Site<'a> {
    database: &'a Database,
    conn: PgConnection,
    wecomd: Process,
    library: Library,
    /// Short keys, and what RSA made of them.
    shorts: Vec<(String, String)>,
    key: Key,
    /// How many messages are recorded.
    read: u64,
    readers: Readers,
}

impl Site<'_> {
    /// Decrypts alone, then lets so many messages wait, sends the notice, and waits until all are recorded.
    async fn round(
        &mut self,
        options: &Options,
        messages: u64,
        results: &mut Results,
        notice: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let before = self.decryptions(options.window).await?;
        let all = self.read + messages;
        // The stand-in counts from its first message; the last one was sent a moment ago.
        let begin_ms = Utc::now().timestamp_millis() - STEP_MS * i64::try_from(all)?;
        self.library.flood(all, (begin_ms, STEP_MS), &self.shorts)?;
        let (began, cpu) = (Instant::now(), self.cpu()?);
        notice.await?;
        self.recorded(all).await?;
        let took = began.elapsed();
        let used = self.cpu()?;
        let after = self.decryptions(options.window).await?;
        self.read = all;
        results.rate.push(messages as f64 / took.as_secs_f64());
        results.decryptions.push((before + after) / 2.0);
        for (series, (before, after)) in results.cpu_us.iter_mut().zip(cpu.iter().zip(used)) {
            series.push((after - before) / messages as f64 * 1e6);
        }
        Ok(())
    }

    /// Waits until all messages up to this number are recorded, and watches the reader meanwhile.
    async fn recorded(&mut self, all: u64) -> anyhow::Result<()> {
        let all = i64::try_from(all)?;
        let (mut last, mut moved) = (-1, Instant::now());
        while last < all {
            self.readers.look(self.wecomd.pid());
            let seq: i64 = sqlx::query_scalar("select seq from archive_account").fetch_one(&mut self.conn).await?;
            if seq != last {
                (last, moved) = (seq, Instant::now());
            }
            ensure!(moved.elapsed() < STILL_LIMIT, "reading stands still at message {last}");
            tokio::time::sleep(LOOK).await;
        }
        drained(&mut self.conn).await?;
        let count = "select count(*) from wechat_contact_record where source = 'archive'";
        let records: i64 = sqlx::query_scalar(count).fetch_one(&mut self.conn).await?;
        ensure!(records == all, "{records} of {all} messages are recorded");
        Ok(())
    }

    /// How many short keys a second all cores decrypt if they do nothing else.
    async fn decryptions(&self, window: Duration) -> anyhow::Result<f64> {
        let (key, sealed) = (self.key.clone(), self.shorts.iter().map(|it| it.1.clone()).collect::<Vec<_>>());
        let decrypting = move || {
            let (cores, done, began) = (thread::available_parallelism()?.get(), AtomicUsize::new(0), Instant::now());
            thread::scope(|scope| {
                for _ in 0..cores {
                    scope.spawn(|| {
                        for random in sealed.iter().cycle().take_while(|_| began.elapsed() < window) {
                            done.fetch_add(usize::from(key.short_key(random).is_some()), Ordering::Relaxed);
                        }
                    });
                }
            });
            anyhow::Ok(done.into_inner() as f64 / began.elapsed().as_secs_f64())
        };
        tokio::task::spawn_blocking(decrypting).await?
    }

    /// Seconds of processor time so far: of the daemon, the readers, and PostgreSQL.
    fn cpu(&mut self) -> anyhow::Result<[f64; 3]> {
        let pid = self.wecomd.pid();
        self.readers.look(pid);
        Ok([cpu_seconds(pid)?, self.readers.cpu_seconds(), cpu_seconds_of_server(self.database.pid())?])
    }
}

/// The readers that were seen, one after the other.
#[derive(Default)]
struct Readers {
    /// The most memory that one of them had, in MB.
    peak_mb: f64,
    /// Each one's processor time when it was last seen, in seconds.
    cpu: Vec<(u32, f64)>,
}

impl Readers {
    fn look(&mut self, daemon: u32) {
        for pid in children(daemon) {
            // One that ends meanwhile is no error.
            let (Ok(mb), Ok(seconds)) = (peak_mb(pid), cpu_seconds(pid)) else { continue };
            self.peak_mb = self.peak_mb.max(mb);
            match self.cpu.iter_mut().find(|(it, _)| *it == pid) {
                Some((_, known)) => *known = seconds,
                None => self.cpu.push((pid, seconds)),
            }
        }
    }

    fn cpu_seconds(&self) -> f64 {
        self.cpu.iter().map(|(_, seconds)| seconds).sum()
    }
}

/// What was measured in all rounds.
#[derive(Default)]
struct Results {
    rate: Series,
    decryptions: Series,
    /// Processor time of a message in the daemon, the reader and PostgreSQL, in µs.
    cpu_us: [Series; 3],
}

impl Results {
    fn print(&self, options: &Options, messages: u64, [daemon_mb, reader_mb]: [f64; 2]) {
        let messages = grouped(messages as f64);
        println!("archive: medians of {} rounds with {messages} messages that wait; 2048-bit keys", options.rounds);
        println!("  everything shares this machine: trust the ratios, not the rates.\n");
        println!("  {:<36} {:>8}/s", "RSA decryptions alone, all cores", grouped(self.decryptions.median()));
        println!("  {:<36} {:>8}/s", "messages, from the notice to the record", grouped(self.rate.median()));
        let [daemon, reader, postgres] = self.cpu_us.each_ref().map(Series::median);
        println!(
            "  µs of processor per message: {} wecomd, RSA included + {} reader + {} PostgreSQL\n",
            grouped(daemon),
            grouped(reader),
            grouped(postgres)
        );
        judge(self.rate.over(&self.decryptions), "×", 0.75.., "messages/s, against RSA decryptions alone");
        judge(daemon_mb, "MB", ..=64.0, "resident memory of wecomd at its peak");
        judge(reader_mb, "MB", ..=64.0, "resident memory of the reader at its peak");
    }
}

/// The pretend WeCom, which is asked about seats and consents.
fn world(corp: &Corp) -> World {
    World::of(corp, Size { members: 0, customers: 0, departments: 1 }, 1)
}

/// Keeps the key, as `wecomd archive key add` does.
async fn keep(conn: &mut PgConnection, database: &Database, corp: &Corp, key: &Key) -> anyhow::Result<()> {
    let public_hash = key.public_hash().to_vec();
    let row = KeyRow {
        corpid: corp.corpid.clone(),
        version: Some(VERSION),
        private_key: database.vault()?.seal(&sealed_at(&corp.corpid, &public_hash), &key.private_pem()?)?,
        public_key: key.public_pem().to_owned(),
        added_at: Utc::now(),
        public_hash,
    };
    ensure!(archive_key::add(conn, &row).await?, "the key's version is taken");
    Ok(())
}

fn short_keys(key: &Key) -> anyhow::Result<Vec<(String, String)>> {
    let seal = ArchiveSeal::new(key.public_pem())?;
    let mut keys = Vec::with_capacity(SHORT_KEYS);
    for number in 0..SHORT_KEYS {
        let short = format!("short-key-{number:02}-0123456789abcdefghij");
        let random = seal.short(&short)?;
        keys.push((short, random));
    }
    Ok(keys)
}

/// Waits until the daemon has found the archive empty.
async fn looked(conn: &mut PgConnection) -> anyhow::Result<()> {
    let began = Instant::now();
    let looked = "select exists (select from archive_account where caught_up_at is not null)";
    while !sqlx::query_scalar::<_, bool>(looked).fetch_one(&mut *conn).await? {
        ensure!(began.elapsed() < FIRST_LIMIT, "the daemon does not look into the archive");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The reader's program beside ours, built as ours was: cargo does not build it for a benchmark.
fn reader() -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_wecomd")).with_file_name(READER);
    let folder = path.parent().context("a program without a folder")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", READER, "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(folder.parent().context("a program outside of a target folder")?);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    ensure!(cargo.status()?.success(), "{READER} is not built");
    Ok(path)
}
