//! Files of the message archive: fetched piece by piece, stored like other files, and given up when WeCom has them no
//! more.

use md5::{Digest, Md5};
use serde_json::json;
use wecomd::{
    archive::{Archive, Settings},
    changes::{ArchiveFile, TaskKind},
};

use crate::support::archive::{Archived, CUSTOMER, archived, begin_ms, message, reading};

/// The file's id: longer than any index holds.
fn long_id() -> String {
    "F".repeat(200) + "1"
}

/// Bytes of which no two pieces are alike.
fn film(length: usize) -> Vec<u8> {
    (0..length).map(|it| u8::try_from((it / 8_192 + it) % 251).expect("small")).collect()
}

impl Archived {
    /// A customer sends a file.
    async fn sent(&self, seq: u64, sdkfileid: &str, md5: &str, at_ms: i64) -> String {
        let inside = json!({ "sdkfileid": sdkfileid, "md5sum": md5, "filename": "film.mp4" });
        self.arrive(seq, &message(&format!("m{seq}"), CUSTOMER, &["ann"], "", at_ms, "video", inside));
        self.settle().await;
        ArchiveFile::media_id(sdkfileid)
    }

    /// The status and the bytes that a caller gets.
    async fn shown(&self, media_id: &str) -> (u16, Vec<u8>) {
        let answer = self.acting.app.ask("GET", &format!("/api/enterprise-wechat/media/{media_id}"), None).await;
        (answer.status, answer.body.to_vec())
    }

    async fn media_rows(&self) -> Vec<String> {
        self.texts("select concat_ws(' ', state, bytes::text, content_type, filename, reason) from media").await
    }
}

#[tokio::test]
async fn media_in_chunks_survives_a_restart() {
    let mut it = archived!(Archived::start());
    let bytes = film(9 << 20);
    it.standin.add_media(&long_id(), &bytes);
    let media_id = it.sent(1, &long_id(), &hex::encode(Md5::digest(&bytes)), begin_ms()).await;
    // The first part and some pieces come; then the network is away.
    let mut faults = vec!["ok"; 11];
    faults.push("10001");
    it.standin.set_faults("media", &faults);
    it.act(TaskKind::FetchMedia).await;
    assert_eq!(it.media_rows().await, [""; 0]);
    assert_eq!(
        it.texts("select parts || ' ' || next_index from archive_media").await,
        ["1 Range:bytes=4194304-4718591"]
    );
    assert_eq!(it.acting.left(TaskKind::FetchMedia).await.len(), 1);
    // Another process goes on where it was.
    it.archive = Archive::new(reading(&it.standin), it.acting.app.app.admin_half.vault.clone());
    it.act(TaskKind::FetchMedia).await;
    assert_eq!(it.media_rows().await, [format!("fetched {} video/mp4 film.mp4", bytes.len())]);
    assert_eq!(it.shown(&media_id).await, (200, bytes));
    let begun = it.standin.log().iter().filter(|line| line.starts_with("media - ")).count();
    assert_eq!(begun, 1, "the beginning is not fetched twice");
    assert_eq!(it.texts("select coalesce(found_md5, '-') from archive_media").await, ["-"]);
    it.finish().await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_file_costs_one_piece() {
    let it = archived!(Archived::start());
    it.standin.add_media("F1", b"0123456789");
    it.standin.set_chunk(4);
    it.standin.set_faults("media", &["ok", "crash", "hang", "ok"]);
    let media_id = it.sent(1, "F1", "", begin_ms()).await;
    it.act(TaskKind::FetchMedia).await;
    assert_eq!(it.shown(&media_id).await, (200, b"0123456789".to_vec()));
    it.finish().await;
}

#[tokio::test]
async fn a_file_with_another_md5_is_kept_and_the_difference_noted() {
    let it = archived!(Archived::start());
    it.standin.add_media("F1", b"a film");
    it.sent(1, "F1", "00112233", begin_ms()).await;
    it.act(TaskKind::FetchMedia).await;
    assert_eq!(it.media_rows().await, ["fetched 6 video/mp4 film.mp4"]);
    let found = it.texts("select found_md5 from archive_media").await;
    assert_eq!(found, [hex::encode(Md5::digest(b"a film"))]);
    it.finish().await;
}

#[tokio::test]
async fn a_file_that_wecom_has_no_more_or_that_is_too_large_is_given_up_with_the_reason() {
    let it = archived!(Archived::start_with(|config| config.media.bytes_max = 1_024, |_| ()));
    it.standin.add_media("LARGE", &film(2_000));
    it.standin.add_media("OLD", b"old");
    let week_ago = begin_ms() - 7 * 86_400_000;
    for (seq, id, at) in [(1, "LARGE", begin_ms()), (2, "MISSING", begin_ms()), (3, "OLD", week_ago)] {
        it.sent(seq, id, "", at).await;
    }
    it.act(TaskKind::FetchMedia).await;
    let mut rows = it.media_rows().await;
    rows.sort();
    assert!(rows[0].starts_with("gone 10005: "), "{rows:?}");
    assert!(rows[1].starts_with("gone the message is older than five days"), "{rows:?}");
    assert!(rows[2].starts_with("too_large it has more than 2000 bytes"), "{rows:?}");
    assert_eq!(it.acting.left(TaskKind::FetchMedia).await, [""; 0], "nothing is left for a person");
    it.finish().await;
}

#[tokio::test]
async fn without_archive_media_no_file_is_fetched_and_without_an_archive_it_waits() {
    let no_media = |settings: &mut Settings| settings.media = false;
    let it = archived!(Archived::start_with(|_| (), no_media));
    it.standin.add_media("F1", b"a film");
    it.sent(1, "F1", "", begin_ms()).await;
    // A process that reads no archive leaves it to one that does.
    it.acting.act(TaskKind::FetchMedia).await;
    assert_eq!(
        it.texts("select attempts || ' ' || coalesce(reason, '-') from task where kind = 'fetch_media'").await,
        ["0 -"]
    );
    it.act(TaskKind::FetchMedia).await;
    let rows = it.media_rows().await;
    assert!(rows.len() == 1 && rows[0].starts_with("failed archive.media is off"), "{rows:?}");
    assert!(!it.standin.log().iter().any(|line| line.starts_with("media ")));
    it.finish().await;
}

#[tokio::test]
async fn a_part_that_the_store_lost_is_fetched_anew() {
    let it = archived!(Archived::start());
    let bytes = film(5 << 20);
    it.standin.add_media("F1", &bytes);
    let media_id = it.sent(1, "F1", "", begin_ms()).await;
    it.acting.app.db.execute("update archive_media set parts = 1, next_index = 'Range:bytes=4194304-4718591'").await;
    it.act(TaskKind::FetchMedia).await;
    assert_eq!(it.media_rows().await, [""; 0]);
    it.act(TaskKind::FetchMedia).await;
    assert_eq!(it.shown(&media_id).await, (200, bytes));
    it.finish().await;
}
