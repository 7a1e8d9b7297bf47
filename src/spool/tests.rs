//! What is written is read again, past damage, by whoever comes later; and what is on disk tells nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::{
    Found, Holding, ReadError, Reader, Record, Settings, Spool, SpoolError, folder_views, left_waiting,
    segment::{COPY_AT, HEADER_BYTES, RECORDS_AT, record_bytes},
};
use crate::vault::Vault;

/// The smallest spool: segments of 256 KiB.
const BYTES_MAX: u64 = 1 << 20;

/// A folder that is deleted with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wecomd-spool-{}-{number}", std::process::id()));
        Self(path)
    }

    fn open(&self, vault: &Arc<Vault>) -> Spool {
        let settings = Settings { location: self.0.clone(), bytes_max: BYTES_MAX };
        Spool::open(&settings, vault.clone()).expect("it opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(number: usize, length: usize) -> Record {
    let plaintext = format!("{number}:{}", "x".repeat(length)).into_bytes();
    let received_at = DateTime::<Utc>::from_timestamp_micros(1_700_000_000_000_000).expect("a time");
    Record { app_id: 1, app_name: "service".to_owned(), received_at, plaintext }
}

fn read(path: &Path, vault: &Vault) -> (Vec<Record>, Found) {
    let mut reader = Reader::open(path, vault).expect("a header is whole");
    let records = reader.batch(usize::MAX, usize::MAX);
    (records, reader.found())
}

/// A segment with these groups, up to its last record, and what is in it.
async fn segment(folder: &Folder, vault: &Arc<Vault>, groups: &[Vec<usize>]) -> (PathBuf, Vec<Record>) {
    let spool = folder.open(vault);
    let mut records = Vec::new();
    for group in groups {
        let from = records.len();
        records.extend((from..).zip(group).map(|(number, length)| record(number, *length)));
        spool.append(records[from..].to_vec()).await.expect("on disk");
    }
    spool.close_segment().await.expect("closed");
    let path = spool.closed().remove(0);
    let length = RECORDS_AT + records.iter().map(record_bytes).sum::<u64>();
    // Less to read again and again; some zeros remain.
    fs::File::options().write(true).open(&path).expect("there").set_len(length + 100).expect("shortened");
    (path, records)
}

#[tokio::test]
async fn cut_or_flipped_at_any_byte_a_segment_loses_nothing_answered_before() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let (path, records) = segment(&folder, &vault, &[vec![3, 40, 7], vec![1], vec![90, 20]]).await;
    assert_eq!(read(&path, &vault), (records.clone(), Found { records: 6, ..Found::default() }));
    let last_group_from = 4;
    let whole = fs::read(&path).expect("read");
    let mut at = RECORDS_AT;
    let mut ends = Vec::new();
    for record in &records {
        at += record_bytes(record);
        ends.push(usize::try_from(at).expect("small"));
    }

    let from = usize::try_from(RECORDS_AT).expect("small");
    let copy = usize::try_from(COPY_AT).expect("small");
    let bytes = (0..HEADER_BYTES).chain(copy..copy + HEADER_BYTES).chain(from..whole.len());
    for at in bytes {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&path, &flipped).expect("written");
        let (found, counts) = read(&path, &vault);
        let hit = if at < from { None } else { ends.iter().position(|end| at < *end) };
        let left: Vec<_> =
            records.iter().enumerate().filter(|(number, _)| Some(*number) != hit).map(|(_, it)| it.clone()).collect();
        assert_eq!(found, left, "flipped at {at}");
        // Whether the last group was synced cannot be told from the file.
        let damaged = u64::from(hit.is_some_and(|it| it < last_group_from));
        assert_eq!(counts.damaged, damaged, "flipped at {at}");
    }
    for at in from..whole.len() {
        fs::write(&path, &whole[..at]).expect("written");
        let (found, counts) = read(&path, &vault);
        let left = ends.iter().filter(|end| **end <= at).count();
        assert_eq!((found.as_slice(), counts.damaged), (&records[..left], 0), "cut at {at}");
    }
    let headless = [&[0; 8_192][..], &whole[from..]].concat();
    fs::write(&path, headless).expect("written");
    assert!(matches!(Reader::open(&path, &vault), Err(ReadError::NoHeader(_))), "both copies are gone");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_zeroed_stretch_of_a_segment_costs_no_record_outside_of_it(
        groups in prop::collection::vec(prop::collection::vec(0..3_000_usize, 1..6), 1..8),
        begin in any::<prop::sample::Index>(),
        length in 1..9_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
        let (path, records) = runtime.block_on(segment(&folder, &vault, &groups));
        let mut bytes = fs::read(&path).expect("read");
        let from = usize::try_from(RECORDS_AT).expect("small");
        let begin = from + begin.index(bytes.len() - from);
        let end = (begin + length).min(bytes.len());
        bytes[begin..end].fill(0);
        fs::write(&path, &bytes).expect("written");
        let (found, _) = read(&path, &vault);
        let mut at = from;
        for record in &records {
            let next = at + usize::try_from(record_bytes(record)).expect("small");
            if next <= begin || at >= end {
                prop_assert!(found.contains(record), "{}..{} outside of {}..{}", at, next, begin, end);
            }
            at = next;
        }
    }
}

#[tokio::test]
async fn a_segment_tells_nothing() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let spool = folder.open(&vault);
    let words = b"<xml>wmAlice says hello</xml>".to_vec();
    let told = Record { plaintext: words.clone(), ..record(0, 0) };
    spool.append(vec![told.clone(), told.clone()]).await.expect("on disk");
    spool.close_segment().await.expect("closed");
    let path = spool.closed().remove(0);
    let bytes = fs::read(&path).expect("read");
    for secret in [&words[..], b"wmAlice", b"service"] {
        assert!(!bytes.windows(secret.len()).any(|it| it == secret), "{}", String::from_utf8_lossy(secret));
    }
    let from = usize::try_from(RECORDS_AT).expect("small") + super::segment::FRAME_BYTES;
    let length = usize::try_from(record_bytes(&told)).expect("small");
    assert_ne!(bytes[from..from + 40], bytes[from + length..from + length + 40], "equal callbacks look different");
    let other = Reader::open(&path, &Vault::random()).expect("the header is not secret").next_record();
    assert_eq!(other, None, "another key opens nothing");
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_full_spool_says_so_and_takes_again_what_fits_after_a_segment_is_gone() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let spool = folder.open(&vault);
    let mut taken = 0;
    let full = loop {
        match spool.append(vec![record(taken, 50_000)]).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SpoolError::Full { bytes_max: BYTES_MAX, .. }), "{full}");
    assert_eq!(spool.bytes(), BYTES_MAX, "four segments of 256 KiB");
    assert_eq!(spool.problem(), Some(full.to_string()));
    spool.close_segment().await.expect("closed");
    let oldest = spool.closed().remove(0);
    let (records, found) = read(&oldest, &vault);
    assert!(!records.is_empty() && taken >= 16, "{taken}");
    spool.finish(&oldest, found).expect("deleted");
    assert_eq!(spool.problem(), None);
    spool.append(vec![record(taken, 50_000)]).await.expect("there is room");
}

#[tokio::test]
async fn a_record_longer_than_a_segment_gets_one_of_its_own() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let spool = folder.open(&vault);
    let group = vec![record(0, 10), record(1, 400_000), record(2, 10)];
    spool.append(group.clone()).await.expect("on disk");
    spool.close_segment().await.expect("closed");
    let found: Vec<_> = spool.closed().iter().flat_map(|it| read(it, &vault).0).collect();
    assert_eq!(found.len(), 3);
    assert!(group.iter().all(|it| found.contains(it)));
}

#[tokio::test]
async fn a_free_folder_is_adopted_and_a_held_one_is_left_alone() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let (one, other) = (folder.open(&vault), folder.open(&vault));
    one.append(vec![record(1, 1)]).await.expect("on disk");
    other.append(vec![record(2, 2)]).await.expect("on disk");
    other.adopt().expect("it looks");
    assert_eq!(other.closed().len(), 0, "one is alive, and other's own segment is being written");
    let held: Vec<_> = folder_views(&folder.0).expect("listed").iter().map(|it| (it.held, it.segments.len())).collect();
    assert_eq!(held, [(true, 1), (true, 1)]);

    drop(one);
    // Its thread ends in a moment, and with it the lock.
    while other.closed().is_empty() {
        other.adopt().expect("it looks");
        tokio::task::yield_now().await;
    }
    let adopted = other.closed().remove(0);
    let (records, found) = read(&adopted, &vault);
    assert_eq!(records, [record(1, 1)]);
    other.finish(&adopted, found).expect("deleted");
    other.adopt().expect("it looks");
    let held: Vec<_> = folder_views(&folder.0).expect("listed").iter().map(|it| (it.held, it.segments.len())).collect();
    assert_eq!(held, [(false, 0), (true, 1)], "it is free again");
}

#[tokio::test]
async fn what_was_refused_or_damaged_is_kept_and_not_read_again() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let spool = folder.open(&vault);
    spool.append(vec![record(0, 0)]).await.expect("on disk");
    spool.close_segment().await.expect("closed");
    let damaged = spool.closed().remove(0);
    spool.refuse(&damaged, &[record(1, 1)]).expect("kept");
    spool.refuse(&damaged, &[record(2, 2), record(3, 3)]).expect("kept instead");
    spool.finish(&damaged, Found { records: 0, damaged: 1, torn: false }).expect("set aside");
    drop(spool);
    let views = || folder_views(&folder.0).expect("listed").remove(0);
    while views().held {
        tokio::task::yield_now().await;
    }
    let holding: Vec<_> = views().segments.iter().map(|it| (it.holding, it.key_id)).collect();
    assert_eq!(holding, [(Holding::Damaged, Some(1)), (Holding::Refused, Some(1))]);
    assert_eq!(read(&views().segments[1].path, &vault).0, [record(2, 2), record(3, 3)]);

    let again = folder.open(&vault);
    assert!(again.closed().is_empty() && !again.is_writing(), "neither is read again");
    again.append(vec![record(4, 4)]).await.expect("on disk");
    assert_eq!(views().segments.len(), 3, "and neither is overwritten");
}

#[tokio::test]
async fn a_spare_segment_that_cannot_be_made_shows_before_it_is_needed() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    // A disk without room refuses in the same way.
    let blocked = folder.0.join("0/spare");
    fs::create_dir_all(&blocked).expect("a folder");
    let spool = folder.open(&vault);
    while spool.problem().is_none() {
        let _ = spool.tend().await;
    }
    let refused = spool.append(vec![record(0, 0)]).await.expect_err("there is no segment");
    assert!(matches!(refused, SpoolError::Disk(_)), "{refused}");
    fs::remove_dir(&blocked).expect("removed");
    // No callback need arrive for that.
    let began = Instant::now();
    while spool.problem().is_some() {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", spool.problem());
        let _ = spool.tend().await;
    }
    spool.append(vec![record(0, 0)]).await.expect("on disk");
}

#[tokio::test]
async fn a_full_spool_is_not_ready_until_a_segment_of_its_own_is_gone() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let spool = folder.open(&vault);
    let mut number = 0;
    while spool.append(vec![record(number, 100_000)]).await.is_ok() {
        number += 1;
    }
    for _ in 0..50 {
        let _ = spool.tend().await;
        tokio::task::yield_now().await;
    }
    assert!(spool.problem().is_some_and(|it| it.starts_with("the spool is full")), "{:?}", spool.problem());
    let first = spool.closed().remove(0);
    spool.finish(&first, Found::default()).expect("deleted");
    assert_eq!(spool.problem(), None);
    spool.append(vec![record(number, 100_000)]).await.expect("there is room");
}

#[tokio::test]
async fn looking_at_a_spool_makes_nothing_in_it() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    assert!(folder_views(&folder.0).expect("nothing").is_empty() && left_waiting(&folder.0).expect("nothing") == 0);
    assert!(!folder.0.exists());
    let spool = folder.open(&vault);
    spool.append(vec![record(0, 0)]).await.expect("on disk");
    assert_eq!(left_waiting(&folder.0).expect("counted"), 0, "a process reads it");
    fs::remove_file(folder.0.join("0/lock")).expect("removed");
    assert_eq!(left_waiting(&folder.0).expect("counted"), 1);
    assert!(!folder.0.join("0/lock").exists());
}

#[tokio::test]
async fn what_another_process_left_takes_no_room_from_the_own_folder() {
    let (folder, vault) = (Folder::new(), Arc::new(Vault::random()));
    let (gone, spool) = (folder.open(&vault), folder.open(&vault));
    let mut left = 0;
    while gone.append(vec![record(left, 100_000)]).await.is_ok() {
        left += 1;
    }
    let full = gone.bytes();
    drop(gone);
    let began = Instant::now();
    while spool.bytes() < full {
        assert!(began.elapsed() < Duration::from_secs(20), "{} of {full} bytes are adopted", spool.bytes());
        spool.adopt().expect("it looks");
        tokio::task::yield_now().await;
    }
    for number in 0..left {
        spool.append(vec![record(number, 100_000)]).await.expect("there is as much room as in the other one");
    }
}
