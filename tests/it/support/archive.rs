//! wecomd with a message archive: the stand-in of WeCom's library, the real reader, keys, and messages.

use std::{path::PathBuf, process::Command, time::Duration};

use rsa::{PrivateKey, pkcs8::EncodePrivateKey};
use serde_json::{Value, json};
use wecomd::{
    archive::{Archive, Key, Settings, sealed_at},
    changes::TaskKind,
    config::Config,
    sandbox::{Corp, archive::ArchiveSeal},
    tables::archive::{archive_account, archive_key},
    tasks::{Context, Executor, Step, WorkerPool},
};

use super::{
    Acting,
    acting::context,
    company::{enlist, entrust},
};
use standin::StandIn;

#[expect(dead_code, reason = "the reader's own tests and the bench need the rest")]
#[path = "../../../archive-reader/tests/standin/mod.rs"]
pub(crate) mod standin;

/// A customer.
pub(crate) const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

/// A group of members and customers.
pub(crate) const ROOM: &str = "wrEXAMPLE00000000000000000000001";

/// The time of the first message, in milliseconds: an hour ago.
pub(crate) fn begin_ms() -> i64 {
    chrono::Utc::now().timestamp_millis() / 1_000 * 1_000 - 3_600_000
}

/// A key, and its public half for whoever seals messages.
pub(crate) struct TestKey {
    pub(crate) key: Key,
    seal: ArchiveSeal,
}

impl TestKey {
    /// A small key: a test makes one within a moment.
    pub(crate) fn new() -> Self {
        let private = PrivateKey::new(&mut rand::rng(), 1_024).expect("a key");
        let pem = private.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF).expect("text");
        let key = Key::parse(&pem.as_str().into()).expect("a key");
        Self { seal: ArchiveSeal::new(key.public_pem()).expect("a public key"), key }
    }

    /// The entry of `chatdata` for a message, sealed with this key under a version.
    pub(crate) fn entry(&self, seq: u64, msgid: &str, version: i32, text: &str) -> String {
        self.seal.entry(seq, msgid, version, text).expect("sealed")
    }
}

/// wecomd with an archive of one corp.
pub(crate) struct Archived {
    pub(crate) acting: Acting,
    pub(crate) standin: StandIn,
    pub(crate) archive: Archive,
    /// The key of version 1.
    pub(crate) key: TestKey,
}

impl Archived {
    /// Starts it, with one key of version 1. None where no C compiler is.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(|_| (), |_| ()).await
    }

    pub(crate) async fn start_with(
        config: impl FnOnce(&mut Config),
        settings: impl FnOnce(&mut Settings),
    ) -> Option<Self> {
        let standin = StandIn::build()?;
        let mut acting = Acting::start_with(config).await;
        acting.app.corp = Corp::from_seed(1).with_archive(1);
        let mut only = acting.app.corp.clone();
        only.apps.retain(|it| it.name == "archive");
        let mut conn = acting.app.db.pool.acquire().await.expect("connects");
        enlist(&mut conn, &acting.app.app.admin_half.vault, &only).await;
        entrust(&mut conn, &acting.app.app.admin_half.vault, &only).await;
        archive_account::keep_going(&mut conn, Duration::from_secs(60)).await.expect("registered");
        drop(conn);
        acting.app.app.admin_half.apps.refresh().await.expect("the apps are read");
        acting.app.sender = acting.app.sender_of(&acting.app.corp);
        let mut wanted = reading(&standin);
        settings(&mut wanted);
        let archive = Archive::new(wanted, acting.app.app.admin_half.vault.clone());
        let key = TestKey::new();
        let it = Self { acting, standin, archive, key };
        it.add_key(&it.key, Some(1)).await;
        Some(it)
    }

    /// Adds a key, as `wecomd archive key add` does.
    pub(crate) async fn add_key(&self, key: &TestKey, version: Option<i32>) {
        let (app, corpid) = (&self.acting.app, self.acting.app.corp.corpid.clone());
        let hash = key.key.public_hash().to_vec();
        let vault = &app.app.admin_half.vault;
        let sealed = vault.seal(&sealed_at(&corpid, &hash), &key.key.private_pem().expect("text")).expect("sealed");
        let row = archive_key::KeyRow {
            corpid,
            public_hash: hash,
            version,
            private_key: sealed,
            public_key: key.key.public_pem().to_owned(),
            added_at: chrono::Utc::now(),
        };
        let mut conn = app.db.pool.acquire().await.expect("connects");
        assert!(archive_key::add(&mut conn, &row).await.expect("added"), "its version is free");
    }

    /// A message arrives at WeCom, sealed with the key of version 1.
    pub(crate) fn arrive(&self, seq: u64, message: &Value) {
        self.arrive_raw(seq, message["msgid"].as_str().expect("an id"), &message.to_string());
    }

    /// The same with any text.
    pub(crate) fn arrive_raw(&self, seq: u64, msgid: &str, text: &str) {
        self.standin.add(seq, &self.key.entry(seq, msgid, 1, text));
    }

    /// What tasks work with.
    pub(crate) fn context(&self) -> Context {
        Context { archive: Some(self.archive.clone()), ..context(&self.acting.app) }
    }

    /// Pulls until nothing is left, or once if it fails.
    pub(crate) async fn pull(&self) {
        self.wake().await;
        self.act(TaskKind::PullArchive).await;
    }

    /// Adds the task that a notice would add.
    pub(crate) async fn wake(&self) {
        let corpid = self.acting.app.corp.corpid.clone();
        self.acting.enqueue(TaskKind::PullArchive, corpid.as_str(), None).await;
    }

    /// Tries each task of a kind once, whenever it is due.
    pub(crate) async fn act(&self, kind: TaskKind) {
        self.acting.app.db.execute("update task set due_at = now() where parked_at is null").await;
        let mut executor = Executor::new(self.context(), WorkerPool::of(kind, 1));
        while executor.step().await.expect("the database answers") != Step::Idle {}
    }

    /// Pulls and records.
    pub(crate) async fn settle(&self) {
        self.pull().await;
        self.acting.app.drain().await;
    }

    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        self.acting.app.db.texts(sql).await
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.acting.app.db.count(sql).await
    }

    /// What the records say, in order.
    pub(crate) async fn contents(&self) -> Vec<String> {
        self.texts("select content from wechat_contact_record order by contact_time, id").await
    }

    /// The archive's trouble, if there is any.
    pub(crate) async fn trouble(&self) -> Option<String> {
        self.texts("select trouble from archive_account where trouble is not null").await.pop()
    }

    pub(crate) async fn finish(self) {
        self.acting.finish().await;
    }
}

/// How the stand-in is read.
pub(crate) fn reading(standin: &StandIn) -> Settings {
    Settings {
        program: reader(),
        library: standin.library(),
        proxy: None,
        timeout: Duration::from_secs(1),
        patience: Duration::from_secs(1),
        calls_max: 1_000,
        memory_max: 512 << 20,
        internal_chats: false,
        media: true,
        poll: Duration::from_secs(60),
    }
}

/// The reader's program, beside ours. It is built if only a part of the workspace was.
pub(crate) fn reader() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_wecomd")).with_file_name("wecomd-archive");
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "wecomd-archive", "--manifest-path"]);
        cargo.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        cargo.arg("--target-dir").arg(path.parent().and_then(|it| it.parent()).expect("beside ours"));
        assert!(cargo.status().expect("cargo runs").success(), "wecomd-archive is built");
    }
    path
}

/// A text between a customer and a member.
pub(crate) fn text(msgid: &str, from: &str, to: &str, at_ms: i64, content: &str) -> Value {
    message(msgid, from, &[to], "", at_ms, "text", json!({ "content": content }))
}

/// Ends a test where no C compiler is, and says so.
macro_rules! archived {
    ($start:expr) => {
        match $start.await {
            Some(it) => it,
            None => {
                return eprintln!("{}: skipped: no C compiler", std::thread::current().name().unwrap_or_default());
            }
        }
    };
}

pub(crate) use archived;
pub(crate) use wecomd::sandbox::archive::message;
