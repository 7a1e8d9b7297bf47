//! The reference under docs/reference/: that it is what the program writes, and that nothing is undescribed.
//!
//! Texts are held against what they describe: the metrics that sources count, the endpoints of WeCom that sources call,
//! the tables and columns that a migrated database has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret;
use wecomd::{
    telemetry::METRICS,
    wecom::permissions::{ENDPOINTS, Needs},
};

use crate::support::{TestDb, daemon::program, folder::Folder};

/// The separator between the English and the Chinese half of a comment.
const BETWEEN_LANGUAGES: &str = " | ";

/// Media types that look like an endpoint's path.
const MEDIA_TYPES: [&str; 5] = ["application/", "audio/", "image/", "text/", "video/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder whose name ends so, by its path within the folder.
fn files(folder: &Path, ending: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(folder).expect("it is in there").to_owned();
                found.insert(name, fs::read_to_string(&path).expect("text"));
            }
        }
    }
    found
}

/// The first line in which two texts differ.
fn difference(one: &str, other: &str) -> String {
    let mut lines = one.lines().zip(other.lines()).enumerate();
    match lines.find(|(_, (one, other))| one != other) {
        Some((at, (one, other))) => format!("line {}: `{one}`, but it should be `{other}`", at + 1),
        None => "one ends before the other".to_owned(),
    }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|it| ('一'..='龥').contains(&it))
}

#[tokio::test]
async fn the_committed_reference_matches_the_generated_one() {
    let db = TestDb::new().await;
    let folder = Folder::new("reference");
    let mut command = tokio::process::Command::from(program(folder.path()));
    let output = command.env("DATABASE_URL", db.url.expose_secret()).arg("docs").arg("written").output();
    let output = output.await.expect("wecomd runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = files(&folder.path().join("written"), ".md");
    let kept = files(&root().join("docs/reference"), ".md");
    let mut stale = Vec::new();
    for name in written.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
        match (kept.get(name), written.get(name)) {
            (Some(kept), Some(written)) if kept == written => {}
            (Some(kept), Some(written)) => stale.push(format!("{}: {}", name.display(), difference(kept, written))),
            (None, _) => stale.push(format!("{}: is missing", name.display())),
            (_, None) => stale.push(format!("{}: the program does not write it", name.display())),
        }
    }
    assert!(stale.is_empty(), "docs/reference is stale: run `make docs` and commit it\n{}", stale.join("\n"));
    db.close().await;
}

#[tokio::test]
async fn every_table_view_and_column_is_explained_in_both_languages() {
    let db = TestDb::new().await;
    let comments = db
        .texts(
            "select nspname || '.' || relname || coalesce('.' || attname, '') || '=' || coalesce(description, '')
             from pg_class
             join pg_namespace on pg_namespace.oid = relnamespace
             cross join lateral (
                select 0::smallint as attnum, null::name as attname
                union all
                select attnum, attname from pg_attribute
                where attrelid = pg_class.oid and attnum > 0 and not attisdropped
             ) part
             left join pg_description on objoid = pg_class.oid and objsubid = attnum and classoid = 'pg_class'::regclass
             where nspname in ('public', 'reporting') and relkind in ('r', 'p', 'v', 'm') and not relispartition
                and relname <> '_sqlx_migrations'
             order by 1",
        )
        .await;
    assert!(comments.len() > 500, "only {} were found", comments.len());
    let unexplained: Vec<_> = comments.iter().filter_map(|it| unexplained(it)).collect();
    assert!(unexplained.is_empty(), "say `comment on … is 'English. | 中文。'`:\n{}", unexplained.join("\n"));
    db.close().await;
}

/// What is wrong with a comment, written as the name, an equals sign and what it says.
fn unexplained(comment: &str) -> Option<String> {
    let (name, said) = comment.split_once('=').expect("a name");
    let (english, chinese) = said.split_once(BETWEEN_LANGUAGES).unwrap_or((said, ""));
    let is_english = english.ends_with('.') && !is_chinese(english);
    let is_both = is_english && chinese.ends_with('。') && is_chinese(chinese);
    (!is_both).then(|| format!("{name}: {said}"))
}

#[test]
fn a_comment_without_one_of_its_languages_is_reported() {
    assert_eq!(unexplained("a.b=When it ended. | 结束时间。"), None);
    for said in ["", "When it ended.", "结束时间。", "When it ended. | ", "结束时间。 | When it ended."] {
        assert!(unexplained(&format!("a.b={said}")).is_some(), "{said}");
    }
}

#[test]
fn every_metric_that_is_counted_is_described_with_its_type_and_labels() {
    let mut counted: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for (path, source) in files(&root().join("src"), ".rs") {
        for (kind, name, labels) in counts(&source) {
            let known = counted.entry(name.clone()).or_insert_with(|| (kind.clone(), labels.clone()));
            assert_eq!(*known, (kind, labels), "{name} in {} has the same type as elsewhere", path.display());
        }
    }
    assert!(counted.len() > 25, "only {counted:?}");
    let described: BTreeMap<_, _> = METRICS
        .iter()
        .map(|it| {
            let labels = it.labels.iter().map(|it| (*it).to_owned()).collect();
            (it.name.to_owned(), (it.kind.as_str().to_owned(), labels))
        })
        .collect();
    assert_eq!(described.len(), METRICS.len(), "each once");
    assert_eq!(counted, described, "what is counted on the left, what is described on the right");
    for it in METRICS {
        assert!(!is_chinese(it.english) && is_chinese(it.chinese), "{}", it.name);
    }
}

/// Every use of a `metrics` macro: the type, the name, and the labels.
fn counts(source: &str) -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    for kind in ["counter", "gauge", "histogram"] {
        for (at, mark) in source.match_indices(&format!("metrics::{kind}!(")) {
            let arguments = within(&source[at + mark.len()..]).trim_start();
            let Some((name, rest)) = arguments.strip_prefix('"').and_then(|it| it.split_once('"')) else { continue };
            // What follows the last arrow is a value.
            let before_arrows = rest.rsplit_once("=>").map_or("", |(before, _)| before).split("=>");
            let labels = before_arrows.filter_map(|it| it.trim_end().strip_suffix('"')?.rsplit('"').next());
            found.push((kind.to_owned(), name.to_owned(), labels.map(str::to_owned).collect()));
        }
    }
    found
}

/// The text before the bracket that closes one that was opened before.
fn within(source: &str) -> &str {
    let mut open = 1_usize;
    for (at, it) in source.char_indices() {
        match it {
            '(' => open += 1,
            ')' if open == 1 => return &source[..at],
            ')' => open -= 1,
            _ => {}
        }
    }
    source
}

#[test]
fn a_metric_is_read_with_its_labels() {
    let source = "metrics::counter!(\n\"a_total\", \"x\" => it.to().name(), \"y\" => \"z\").increment(1);";
    assert_eq!(counts(source), [("counter".to_owned(), "a_total".to_owned(), vec!["x".to_owned(), "y".to_owned()])]);
    assert_eq!(counts("metrics::gauge!(\"a\").set(0.0)"), [("gauge".to_owned(), "a".to_owned(), Vec::new())]);
}

#[test]
fn every_endpoint_of_wecom_that_is_called_has_its_permission() {
    let mut called = BTreeSet::new();
    for (path, source) in files(&root().join("src/wecom"), ".rs") {
        if path != Path::new("permissions.rs") && !path.starts_with("tests") {
            called.extend(endpoints(&source));
        }
    }
    let described: BTreeSet<_> = ENDPOINTS.iter().map(|it| it.path.to_owned()).collect();
    assert_eq!(described.len(), ENDPOINTS.len(), "each once");
    assert_eq!(called, described, "what is called on the left, what is described on the right");
    for it in ENDPOINTS {
        assert!(!is_chinese(it.english) && is_chinese(it.chinese), "{}", it.path);
    }
    for it in Needs::ALL {
        let permission = it.permission();
        assert!(ENDPOINTS.iter().any(|endpoint| endpoint.needs == *it), "{it:?} is needed somewhere");
        assert!(is_chinese(permission.chinese) && is_chinese(permission.console_chinese), "{it:?}");
    }
}

/// The endpoints that a source names: texts with a slash between words, and the whole path of a call without one.
fn endpoints(source: &str) -> Vec<String> {
    let is_word = |it: &str| !it.is_empty() && it.chars().all(|it| it.is_ascii_lowercase() || it == '_');
    let texts = source.split('"').enumerate().filter(|(at, _)| at % 2 == 1).map(|(_, text)| text);
    let with_slash = texts.filter(|it| {
        it.contains('/') && it.split('/').all(is_word) && !MEDIA_TYPES.iter().any(|kind| it.starts_with(kind))
    });
    let marks = ["self.get(\"", "self.post(\"", "const GET_TOKEN: &str = \""];
    let given = marks.iter().flat_map(|mark| source.match_indices(mark).map(|(at, mark)| &source[at + mark.len()..]));
    let given = given.filter_map(|it| Some(it.split_once('"')?.0)).filter(|it| it.split('/').all(is_word));
    with_slash.chain(given).map(str::to_owned).collect()
}

#[test]
fn an_endpoint_is_distinguished_from_other_texts() {
    let source =
        "self.get(\"getcallbackip\", &[]); const LIST: &str = \"group/list\"; let kind = \"image/jpeg\"; \"a b/c\"";
    assert_eq!(endpoints(source), ["group/list", "getcallbackip"]);
}
