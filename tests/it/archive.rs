//! The message archive: pages, keys, crashes of WeCom's library, and what its messages become.

use std::process::Command;

use serde_json::json;
use wecomd::{
    archive::{Archive, Settings},
    changes::TaskKind,
    sandbox::archive::{
        Library,
        library::{COMPILER, SOURCE},
    },
    tables::archive::archive_account::{self, Gap},
};

use crate::support::archive::{
    Archived, CUSTOMER, ROOM, TestKey, archived, begin_ms, message, reading, standin::StandIn, text,
};
use crate::support::folder::Folder;

/// The library's tries are short here, so that a hanging one is noticed soon.
fn little_memory(settings: &mut Settings) {
    settings.memory_max = 128 << 20;
}

#[tokio::test]
async fn a_reader_that_crashes_hangs_or_leaks_is_replaced_and_nothing_is_lost_or_doubled() {
    let it = archived!(Archived::start_with(|_| (), little_memory));
    let begin = begin_ms();
    let expected: Vec<_> = (1..=30).map(|seq| format!("message {seq}")).collect();
    for (seq, content) in (1..).zip(&expected) {
        let at = begin + i64::try_from(seq).expect("small") * 1_000;
        it.arrive(seq, &text(&format!("m{seq}"), CUSTOMER, "ann", at, content));
    }
    it.standin.set_faults("pull", &["crash", "301058", "hang", "leak", "noise", "10001"]);
    it.standin.set_faults("decrypt", &["ok", "ok", "10008", "ok"]);
    it.settle().await;
    assert_eq!(it.contents().await, expected);
    assert_eq!((it.count("select count(*) from inbox").await, it.trouble().await), (30, None));
    assert_eq!(it.count("select seq from archive_account").await, 30);
    it.settle().await;
    let trouble = it.trouble().await.unwrap_or_default();
    assert!(trouble.starts_with("10001: "), "{trouble}");
    it.settle().await;
    assert_eq!((it.contents().await.len(), it.trouble().await), (30, None));
    let starts = it.standin.log().iter().filter(|line| *line == "init").count();
    assert!(starts >= 4, "a crash, a hang and a leak each cost a reader: {:?}", it.standin.log());
    it.finish().await;
}

#[tokio::test]
async fn a_message_that_crashes_the_library_stays_sealed_and_the_rest_opens() {
    let it = archived!(Archived::start());
    for seq in 1..=5 {
        let at = begin_ms() + i64::try_from(seq).expect("small") * 1_000;
        it.arrive(seq, &text(&format!("m{seq}"), CUSTOMER, "ann", at, &format!("message {seq}")));
    }
    // Five at once crash, then two, then the first of these two.
    it.standin.set_faults("decrypt", &["crash", "crash", "crash"]);
    it.settle().await;
    assert_eq!(it.contents().await, ["message 2", "message 3", "message 4", "message 5"]);
    let sealed = it.texts("select seq || ' ' || reason from archive_sealed").await;
    assert!(sealed.len() == 1 && sealed[0].starts_with("1 the reader ended: signal: 11"), "{sealed:?}");
    // Adding the key again tries it again.
    it.add_key(&it.key, Some(1)).await;
    it.settle().await;
    assert_eq!(it.contents().await.len(), 5);
    assert_eq!(it.count("select count(*) from archive_sealed").await, 0);
    it.finish().await;
}

#[tokio::test]
async fn a_late_key_opens_what_waited() {
    let it = archived!(Archived::start());
    let late = TestKey::new();
    let old = chrono::Utc::now().timestamp_millis() - 400 * 86_400_000;
    it.arrive(1, &text("m1", CUSTOMER, "ann", begin_ms(), "with the first key"));
    let waiting = text("m2", CUSTOMER, "ann", old, "with a late key");
    it.standin.add(2, &late.entry(2, "m2", 7, &waiting.to_string()));
    it.settle().await;
    assert_eq!(it.contents().await, ["with the first key"]);
    assert_eq!(it.count("select seq from archive_account").await, 2, "nothing blocks the cursor");
    let sealed = it.texts("select msgid || ' ' || publickey_ver || ' ' || reason from archive_sealed").await;
    assert!(sealed[0].starts_with("m2 7 there is no key of version 7"), "{sealed:?}");
    // Its version need not be said: whichever key opens it gets it.
    it.add_key(&late, None).await;
    it.settle().await;
    assert_eq!(it.contents().await, ["with a late key", "with the first key"]);
    assert_eq!(it.count("select count(*) from archive_sealed").await, 0);
    assert_eq!(it.texts("select version::text from archive_key order by 1").await, ["1", "7"]);
    it.finish().await;
}

#[tokio::test]
async fn two_key_versions_in_one_page_open() {
    let it = archived!(Archived::start());
    let (second, unused) = (TestKey::new(), TestKey::new());
    it.add_key(&unused, None).await;
    it.add_key(&second, None).await;
    for seq in 1..=6 {
        let (key, version) = if seq % 2 == 0 { (&second, 2) } else { (&it.key, 1) };
        let at = begin_ms() + i64::try_from(seq).expect("small") * 1_000;
        let said = text(&format!("m{seq}"), CUSTOMER, "ann", at, &format!("version {version}"));
        it.standin.add(seq, &key.entry(seq, &format!("m{seq}"), version, &said.to_string()));
    }
    it.settle().await;
    assert_eq!(it.contents().await, ["version 1", "version 2", "version 1", "version 2", "version 1", "version 2"]);
    let versions = "select coalesce(version::text, '-') from archive_key order by 1";
    assert_eq!(it.texts(versions).await, ["-", "1", "2"]);
    it.finish().await;
}

#[tokio::test]
async fn killed_between_page_and_commit_the_page_is_read_again() {
    let it = archived!(Archived::start());
    for seq in 1..=3 {
        it.arrive(seq, &text(&format!("m{seq}"), CUSTOMER, "ann", begin_ms(), &format!("message {seq}")));
    }
    // A database that refuses the page's commit: what was read of it is undone.
    it.acting
        .app
        .db
        .execute(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'cut off'; end $$;
             create constraint trigger refused after update on archive_account deferrable initially deferred
                for each row when (new.seq <> old.seq) execute function refuse()",
        )
        .await;
    it.pull().await;
    assert_eq!(it.count("select seq from archive_account").await, 0);
    assert_eq!(it.count("select count(*) from inbox").await, 0);
    it.acting.app.db.execute("drop trigger refused on archive_account").await;
    it.settle().await;
    assert_eq!(it.count("select seq from archive_account").await, 3);
    assert_eq!(it.contents().await.len(), 3);
    assert_eq!(it.standin.log().iter().filter(|line| *line == "pull 0 1000").count(), 2, "it was read again");
    it.finish().await;
}

#[tokio::test]
async fn a_reader_that_was_overtaken_stores_nothing() {
    let it = archived!(Archived::start());
    let corpid = it.acting.app.corp.corpid.clone();
    let mut conn = it.acting.app.db.pool.acquire().await.expect("connects");
    let gap = Some(Gap { from: 2, to: 9 });
    assert!(archive_account::advance(&mut conn, &corpid, (0, 5), None, gap).await.expect("asked"));
    assert!(!archive_account::advance(&mut conn, &corpid, (0, 7), None, None).await.expect("asked"));
    drop(conn);
    assert_eq!(it.texts("select seq || ' ' || jsonb_array_length(gaps) from archive_account").await, ["5 1"]);
    it.finish().await;
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_halves_and_a_message_that_is_too_large_is_left_out() {
    let it = archived!(Archived::start());
    it.arrive(1, &text("m1", CUSTOMER, "ann", begin_ms(), "too large"));
    it.arrive(2, &text("m2", CUSTOMER, "ann", begin_ms(), "small"));
    // 1000, 500, 250, 125, 62, 31, 15, 7, 3, 1: then it is one message.
    it.standin.set_faults("pull", &["301058"; 10]);
    it.settle().await;
    assert_eq!(it.contents().await, ["small"]);
    assert_eq!(it.standin.log().get(10).map(String::as_str), Some("pull 0 1"));
    assert_eq!(it.standin.log().get(11).map(String::as_str), Some("pull 1 1"));
    let gaps = "select (gaps->0->>'from') || ' ' || (gaps->0->>'to') from archive_account";
    assert_eq!(it.texts(gaps).await, ["0 2"]);
    it.finish().await;
}

#[tokio::test]
async fn what_five_days_took_is_noted_as_a_gap() {
    let it = archived!(Archived::start());
    it.arrive(10, &text("m10", CUSTOMER, "ann", begin_ms(), "ten"));
    it.settle().await;
    // A hole in the numbers means nothing while the archive is read regularly.
    it.arrive(20, &text("m20", CUSTOMER, "ann", begin_ms(), "twenty"));
    it.settle().await;
    let gaps = "select (gap->>'from') || ' ' || (gap->>'to') from archive_account, jsonb_array_elements(gaps) gap";
    assert_eq!(it.texts(gaps).await, [""; 0]);
    it.acting.app.db.execute("update archive_account set pulled_at = now() - interval '6 days'").await;
    it.standin.forget();
    it.arrive(30, &text("m30", CUSTOMER, "ann", begin_ms(), "thirty"));
    it.settle().await;
    assert_eq!(it.texts(gaps).await, ["20 30"]);
    // WeCom may also say so: then reading begins with what it still has.
    it.standin.set_faults("pull", &["10010"]);
    it.standin.forget();
    it.arrive(40, &text("m40", CUSTOMER, "ann", begin_ms(), "forty"));
    it.settle().await;
    assert_eq!(it.texts(gaps).await, ["20 30", "30 40"]);
    assert_eq!(it.count("select count(*) from wechat_contact_record").await, 4);
    it.finish().await;
}

#[tokio::test]
async fn talks_among_members_are_not_kept_unless_they_are_wanted() {
    for (wanted, expected) in [(false, 1), (true, 2)] {
        let it = archived!(Archived::start_with(|_| (), |settings| settings.internal_chats = wanted));
        it.arrive(1, &text("m1", "ann", "bob", begin_ms(), "among us"));
        it.arrive(2, &text("m2", "ann", CUSTOMER, begin_ms(), "with a customer"));
        it.settle().await;
        assert_eq!(it.count("select count(*) from inbox").await, expected);
        let among =
            "select count(*) from wechat_contact_record where wechat_userid = 'ann' and external_userid is null";
        assert_eq!(it.count(among).await, i64::from(wanted));
        it.finish().await;
    }
}

#[tokio::test]
async fn a_message_is_whose_it_is_and_a_group_s_is_its_sender_s() {
    let it = archived!(Archived::start());
    let (begin, robot) = (begin_ms(), "wbROBOT0000000000000000000000001");
    it.arrive(1, &text("m1", CUSTOMER, "ann", begin, "from a customer"));
    it.arrive(2, &text("m2", "ann", CUSTOMER, begin + 1_000, "to a customer"));
    let said = |content: &str| json!({ "content": content });
    let all = [CUSTOMER, "ann", "bob"];
    it.arrive(3, &message("m3", CUSTOMER, &all, ROOM, begin + 2_000, "text", said("a customer in a group")));
    it.arrive(4, &message("m4", "bob", &all, ROOM, begin + 3_000, "text", said("a member in a group")));
    it.arrive(5, &message("m5_external", robot, &["ann"], ROOM, begin + 4_000, "text", said("a robot")));
    it.settle().await;
    let rows = it
        .texts(
            "select concat_ws(' ', coalesce(external_userid, '-'), coalesce(wechat_userid, '-'), sender,
                coalesce(chat_id, '-'), source) from wechat_contact_record order by contact_time",
        )
        .await;
    assert_eq!(
        rows,
        [
            format!("{CUSTOMER} ann {CUSTOMER} - archive"),
            format!("{CUSTOMER} ann ann - archive"),
            format!("{CUSTOMER} - {CUSTOMER} {ROOM} archive"),
            format!("- bob bob {ROOM} archive"),
            format!("- - {robot} {ROOM} archive"),
        ]
    );
    let heard = "select external_userid from customer_activity";
    assert_eq!(it.texts(heard).await, [CUSTOMER], "who wrote is known to have written");
    it.finish().await;
}

#[tokio::test]
async fn raw_control_characters_in_a_message_are_kept() {
    let it = archived!(Archived::start());
    let raw = text("m1", CUSTOMER, "ann", begin_ms(), "one|two").to_string().replace('|', "\u{1}\n");
    it.arrive_raw(1, "m1", &raw);
    it.arrive_raw(2, "m2", "no JSON at all");
    it.settle().await;
    assert_eq!(it.contents().await, ["one\u{1}\ntwo"]);
    let parked = it.texts("select reason from parked").await;
    assert_eq!(
        parked,
        ["cannot be read: the pulled message is no JSON object"],
        "what cannot be read waits for a person"
    );
    it.finish().await;
}

#[tokio::test]
async fn a_repeat_that_is_serialised_anew_is_one_record() {
    let it = archived!(Archived::start());
    let said = text("m1", CUSTOMER, "ann", begin_ms(), "once");
    it.arrive(1, &said);
    it.arrive_raw(2, "m1", &serde_json::to_string_pretty(&said).expect("text").replace('\n', " "));
    it.settle().await;
    assert_eq!(it.count("select count(*) from inbox").await, 2);
    assert_eq!(it.contents().await, ["once"]);
    it.finish().await;
}

#[tokio::test]
async fn a_missing_library_and_a_missing_symbol_are_named_and_tried_again_later() {
    let mut it = archived!(Archived::start());
    let vault = it.acting.app.app.admin_half.vault.clone();
    let without = StandIn::build_without("GetSliceLen").expect("a compiler");
    let gone = Settings { library: "/nowhere/lib.so".into(), ..reading(&it.standin) };
    let no_reader = Settings { program: "/nowhere/wecomd-archive".into(), ..reading(&it.standin) };
    for (settings, words) in [
        (reading(&without), "the library has no symbol GetSliceLen"),
        (gone, "the library does not load: /nowhere/lib.so"),
        (no_reader, "/nowhere/wecomd-archive does not start"),
    ] {
        it.archive = Archive::new(settings, vault.clone());
        it.pull().await;
        let trouble = it.trouble().await.unwrap_or_default();
        assert!(trouble.starts_with(words), "{trouble}");
        let left = it.acting.left(TaskKind::PullArchive).await;
        assert!(left.len() == 1 && left[0].contains(words) && left[0].contains(" due: "), "{left:?}");
    }
    it.archive = Archive::new(reading(&it.standin), vault);
    it.pull().await;
    assert_eq!((it.trouble().await, it.acting.left(TaskKind::PullArchive).await.len()), (None, 0));
    it.finish().await;
}

#[test]
fn a_compiler_that_is_missing_or_fails_is_told_in_a_line() {
    let folder = Folder::new("no-library");
    let build = |compiler: &str, source: &str| {
        Library::build(&folder.path().join("it"), Command::new(compiler), source).expect_err("no library").to_string()
    };
    assert_eq!(build("/nowhere/cc", SOURCE), "there is no C compiler (cc)");
    assert_eq!(build("false", SOURCE), "the C compiler (cc) failed: it said nothing");
    if Command::new(COMPILER).arg("--version").output().is_ok() {
        let said = build(COMPILER, "this is no C");
        assert!(said.starts_with("the C compiler (cc) failed: ") && !said.contains('\n'), "{said}");
    }
}
