//! The archive's keys and secrets: where they are, where they never are, and what the command line, the probes and the
//! admin API say.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::traits::PrivateKeyParts;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::{archive::Key, tables::apps::sealed};

use crate::support::{
    Company, TestDb,
    archive::{Archived, CUSTOMER, archived, begin_ms, reading, standin::seal, text},
    daemon::program,
    folder::Folder,
    wait::until,
};

/// The readable memory of a process; none if we may not look.
fn memory(pid: u32) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut file = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut whole = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|it| it.starts_with('r'))) {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut part = vec![0; usize::try_from(to - from).ok()?];
        // Some of the kernel's own pages cannot be read.
        if file.seek(SeekFrom::Start(from)).is_ok() && file.read_exact(&mut part).is_ok() {
            whole.extend(part);
        }
    }
    Some(whole)
}

fn holds(memory: &[u8], bytes: &[u8]) -> bool {
    memory.windows(bytes.len()).any(|it| it == bytes)
}

#[tokio::test]
async fn no_private_key_is_in_the_reader_s_memory() {
    let it = archived!(Archived::start());
    it.arrive(1, &text("m1", CUSTOMER, "ann", begin_ms(), "a message to be found"));
    it.settle().await;
    let readers = it.archive.readers().await;
    assert_eq!(readers.len(), 1);
    let Some(memory) = memory(readers[0]) else {
        eprintln!("no_private_key_is_in_the_reader_s_memory: skipped: this user may not look into the reader");
        return it.finish().await;
    };
    let pem = it.key.key.private_pem().expect("text");
    let pem = pem.expose_secret();
    let private = <rsa::PrivateKey as rsa::pkcs8::DecodePrivateKey>::from_pkcs8_pem(pem).expect("a key");
    assert!(holds(&memory, it.acting.app.corp.corpid.as_str().as_bytes()), "the search finds what is there");
    for prime in private.primes() {
        let bytes = prime.to_be_bytes();
        let reversed: Vec<_> = bytes.iter().rev().copied().collect();
        assert!(!holds(&memory, &bytes) && !holds(&memory, &reversed));
    }
    for line in pem.lines().filter(|line| !line.starts_with('-')) {
        assert!(!holds(&memory, line.as_bytes()));
    }
    it.finish().await;
}

#[tokio::test]
async fn no_secret_is_in_the_reader_s_arguments_or_environment() {
    let it = archived!(Archived::start());
    it.pull().await;
    let pid = it.archive.readers().await[0];
    let secret = &it.acting.app.corp.apps.iter().find(|it| it.name == "archive").expect("the archive").secret;
    // The environment of a process whose memory is closed can be read by root alone.
    for file in ["cmdline", "environ"] {
        let Ok(text) = fs::read(format!("/proc/{pid}/{file}")) else { continue };
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(secret.as_str()) && !text.contains("MASTER_KEY"), "{file}");
    }
    it.finish().await;
}

#[tokio::test]
async fn a_new_secret_is_used_with_the_next_call() {
    let it = archived!(Archived::start());
    it.arrive(1, &text("m1", CUSTOMER, "ann", begin_ms(), "before"));
    it.settle().await;
    it.standin.set_secret("another-secret-of-the-archive-00000000000000");
    it.arrive(2, &text("m2", CUSTOMER, "ann", begin_ms() + 1_000, "after"));
    let body = json!({ "name": "archive", "secret": "another-secret-of-the-archive-00000000000000" });
    let saved = it.acting.app.ask("POST", "/api/enterprise-wechat/config", Some(body)).await;
    assert!(saved.status < 300, "{}", saved.text());
    it.settle().await;
    assert_eq!(it.contents().await, ["before", "after"]);
    it.finish().await;
}

#[tokio::test]
async fn a_short_key_that_openssl_sealed_opens() {
    if Command::new("openssl").arg("version").output().is_err() {
        return eprintln!("a_short_key_that_openssl_sealed_opens: skipped: no openssl");
    }
    let it = archived!(Archived::start());
    let folder = Folder::new("openssl");
    let public = folder.path().join("public.pem");
    fs::write(&public, it.key.key.public_pem()).expect("written");
    let mut openssl = Command::new("openssl");
    openssl.args(["pkeyutl", "-encrypt", "-pubin", "-pkeyopt", "rsa_padding_mode:pkcs1", "-inkey"]).arg(&public);
    fs::write(folder.path().join("short"), "0123456789abcdef").expect("written");
    let output = openssl.arg("-in").arg(folder.path().join("short")).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = text("m1", CUSTOMER, "ann", begin_ms(), "sealed by openssl").to_string();
    let entry = json!({ "seq": 1, "msgid": "m1", "publickey_ver": 1,
        "encrypt_random_key": STANDARD.encode(output.stdout), "encrypt_chat_msg": seal("0123456789abcdef", said.as_bytes()) });
    it.standin.add(1, &entry.to_string());
    it.settle().await;
    assert_eq!(it.contents().await, ["sealed by openssl"]);
    it.finish().await;
}

#[tokio::test]
async fn the_archive_s_keys_are_sealed_and_a_damaged_one_costs_only_itself() {
    let it = archived!(Archived::start());
    let mut conn = it.acting.app.db.pool.acquire().await.expect("connects");
    let values = sealed::values(&mut conn, "", None, 1_000).await.expect("listed");
    let ours: Vec<_> = values.iter().filter(|it| it.table == "archive_key").collect();
    assert_eq!(ours.len(), 1);
    let vault = &it.acting.app.app.admin_half.vault;
    let opened = vault.open(&ours[0].place, &ours[0].sealed).expect("it opens at its place");
    assert!(
        sealed::replace(&mut conn, ours[0], &vault.seal(&ours[0].place, &opened).expect("sealed"))
            .await
            .expect("replaced")
    );
    drop(conn);
    let damaged = "insert into archive_key (corpid, public_hash, version, private_key, public_key)
        select corpid, '\\x00', 9, '\\x01', '' from archive_key";
    it.acting.app.db.execute(damaged).await;
    it.arrive(1, &text("m1", CUSTOMER, "ann", begin_ms(), "still readable"));
    it.settle().await;
    assert_eq!(it.contents().await, ["still readable"]);
    it.finish().await;
}

#[tokio::test]
async fn the_archive_s_secret_serves_nothing_but_the_archive() {
    let it = archived!(Archived::start());
    let (wecom, corpid) = (&it.acting.app.app.admin_half.wecom, &it.acting.app.corp.corpid);
    let archive = wecom.archive(corpid).await.expect("asked").expect("an archive");
    assert_eq!(archive.agentid(), 2_000_004);
    assert_ne!(wecom.corp(corpid).await.expect("an app").app_id(), archive.app_id());
    // A callback that came through the archive's app asks for a card, which another app must read.
    assert_ne!(wecom.app(archive.app_id()).await.expect("an app").app_id(), archive.app_id());
    let others: BTreeSet<_> = it.acting.platform.calls().iter().map(|call| call.path.clone()).collect();
    assert!(others.iter().all(|path| path == "gettoken"), "{others:?}");
    it.finish().await;
}

#[tokio::test]
async fn the_probe_and_the_admin_api_say_what_is_wrong_with_the_archive() {
    let standin = match crate::support::archive::standin::StandIn::build_without("FreeSlice") {
        Some(it) => it,
        None => return eprintln!("the_probe_and_the_admin_api_say_…: skipped: no C compiler"),
    };
    let library = standin.library().to_str().expect("UTF-8").to_owned();
    let enable = |config: &mut wecomd::config::Config| {
        config.archive.enabled = true;
        config.archive.library = library;
    };
    let mut it = archived!(Archived::start_with(enable, |_| ()));
    it.archive = wecomd::archive::Archive::new(reading(&standin), it.acting.app.app.admin_half.vault.clone());
    it.pull().await;
    let ready = async || it.acting.app.ask("GET", "/readyz", None).await.json()["archive"].clone();
    until("the probe names the symbol", async || ready().await["state"] == "trouble").await;
    let told = ready().await;
    assert_eq!(told["corps"][0]["trouble"], "the library has no symbol FreeSlice");
    let shown = it.acting.app.ask("GET", "/api/enterprise-wechat/archive", None).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let shown = shown.json()["items"][0].clone();
    assert_eq!((&shown["seq"], &shown["trouble"]), (&json!(0), &told["corps"][0]["trouble"]));
    assert_eq!(shown["gaps"], Value::Array(Vec::new()));
    it.finish().await;
}

/// Runs `wecomd archive …` with something on its standard input: whether it succeeded, and what it printed.
fn archive(db: &TestDb, key: &str, folder: &Folder, arguments: &[&str], input: &str) -> (bool, String) {
    let mut program = program(folder.path());
    program.arg("archive").args(arguments).env("DATABASE_URL", db.url.expose_secret());
    program.env("WECOMD_MASTER_KEY", key).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("it starts");
    // A command that reads nothing may have ended already.
    let _ = std::io::Write::write_all(&mut child.stdin.take().expect("piped"), input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).expect("text"))
}

#[tokio::test]
async fn keys_are_made_added_and_listed_on_the_command_line_and_never_printed() {
    let (db, company, folder) = (TestDb::new().await, Company::new(), Folder::new("keys"));
    let run = |arguments: &[&str], input: &str| archive(&db, &company.key, &folder, arguments, input);
    assert!(run(&["key", "list"], "").1.starts_with("there is no key yet"));
    let (well, said) = run(&["key", "new"], "");
    assert!(!well && said.contains("there is no app yet"), "{said}");
    company.save(&db.pool).await;
    let (well, public) = run(&["key", "new"], "");
    assert!(well && public.starts_with("-----BEGIN PUBLIC KEY-----") && !public.contains("PRIVATE"), "{public}");

    let key = Key::generate().expect("a key");
    let pem = key.private_pem().expect("text");
    let (well, said) = run(&["key", "add", "--version", "3"], pem.expose_secret());
    let short: String = hex::encode(key.public_hash()).chars().take(16).collect();
    assert!(well && said == format!("added the key {short}\n"), "{said}");
    let file = folder.path().join("key.pem");
    fs::write(&file, Key::generate().expect("a key").private_pem().expect("text").expose_secret()).expect("written");
    let (well, said) = run(&["key", "add", "--version", "3", file.to_str().expect("UTF-8")], "");
    assert!(!well && said.contains("another key of the corp has this version"), "{said}");
    let (well, said) = run(&["key", "add"], "-----BEGIN PRIVATE KEY-----\ns3cret\n");
    assert!(!well && said.contains("no RSA private key") && !said.contains("s3cret"), "{said}");
    let (well, said) = run(&["key", "add", "--corpid", "wwNOBODY"], pem.expose_secret());
    assert!(!well && said.contains("no app belongs to the corp wwNOBODY"), "{said}");

    let listed = run(&["key", "list"], "").1;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("not seen in use yet") && listed.contains(&format!("{short}  version 3")), "{listed}");
    assert!(run(&["status"], "").1.starts_with("no archive is read"));
    db.execute(&format!(
        "insert into archive_account (corpid, app_id, seq, trouble, gaps) values
            ('{}', 1, 7, 'no network', '[{{\"from\": 3, \"to\": 5}}]')",
        company.corp.corpid
    ))
    .await;
    let status = run(&["status"], "").1;
    for words in
        ["read up to 7, caught up never", "sealed: 0; agreed: 0", "lost: between 3 and 5", "trouble: no network"]
    {
        assert!(status.contains(words), "{status}");
    }
    db.close().await;
}
