//! The documents: their length limits, and that their links and the sources they name exist.
//!
//! Whether the tests that they name exist is checked in `tidy`; whether the READMEs' commands do, in `scripts/check-docs`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Documents that people read from beginning to end, and their length limits in bytes.
const BYTES_MAX: &[(&str, usize)] =
    &[("ARCHITECTURE.md", 14 * 1024), ("README.md", 8 * 1024), ("README.zh-CN.md", 8 * 1024)];

/// The documents for people who change the program: files, and folders of files.
const FOR_DEVELOPERS: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/internals", "docs/decisions"];

#[test]
fn documents_that_people_read_whole_are_short() {
    let long: Vec<_> = BYTES_MAX.iter().filter_map(|(path, limit)| too_long(path, read(path).len(), *limit)).collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_source_named_in_the_developer_documents_exists() {
    let documents = for_developers();
    let named: Vec<_> = documents.iter().flat_map(|(path, text)| sources_named(path, text)).collect();
    assert!(named.len() > 100, "only {} are named", named.len());
    let missing = named.iter().filter(|(_, named)| !is_there(named));
    let missing: Vec<_> = missing.map(|(document, named)| format!("{document}: there is no {named}")).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_link_in_the_documents_for_developers_leads_somewhere() {
    let documents = for_developers();
    let links: Vec<_> = documents.iter().flat_map(|(path, text)| links(path, text)).collect();
    assert!(links.len() > 20, "only {} links were found", links.len());
    let broken: Vec<_> = links.into_iter().filter_map(|(path, link)| broken_link(&path, &link)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_document_that_is_too_long_is_reported_with_both_numbers() {
    assert_eq!(too_long("README.md", 8192, 8192), None);
    assert_eq!(too_long("README.md", 8193, 8192).as_deref(), Some("README.md: has 8193 bytes, and may have 8192"));
}

#[test]
fn a_source_path_is_distinguished_from_routes_names_and_patterns() {
    let text =
        "`inbox/accept.rs`, `docs/`, `tables/`, `/readyz`, `app-seconds-hash`, `src/<noun>.rs`, `GET media/{id}`";
    let named: Vec<_> = sources_named("A.md", text).into_iter().map(|(_, named)| named).collect();
    assert_eq!(named, ["inbox/accept.rs", "docs/", "tables/"]);
    assert!(is_there("tests/it/") && is_there("inbox/accept.rs"));
    assert!(!is_there("inbox/nothing.rs") && !is_there("nothing/"));
}

#[test]
fn a_link_that_leads_nowhere_is_reported() {
    let text = "[a](https://example.com) [b](#decisions) [c](../../README.md) [d](nowhere.md) [e](README.md#nothing)";
    let found: Vec<_> = links("docs/decisions/README.md", text);
    let broken: Vec<_> = found.iter().filter_map(|(path, link)| broken_link(path, link)).collect();
    assert_eq!(
        broken,
        [
            "docs/decisions/README.md: the link to nowhere.md leads nowhere",
            "docs/decisions/README.md: the link to README.md#nothing names no heading",
        ]
    );
    assert_eq!(anchor("Which member is it? (userids)"), "which-member-is-it-userids");
}

fn too_long(path: &str, bytes: usize, limit: usize) -> Option<String> {
    (bytes > limit).then(|| format!("{path}: has {bytes} bytes, and may have {limit}"))
}

/// The documents for developers, each with its path from the root.
fn for_developers() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in FOR_DEVELOPERS {
        if !root().join(entry).is_dir() {
            found.push((*entry).to_owned());
            continue;
        }
        let files = fs::read_dir(root().join(entry)).expect("the folder can be read");
        let names = files.map(|it| it.expect("the folder can be read").file_name());
        found.extend(names.map(|name| format!("{entry}/{}", name.to_str().expect("our names are UTF-8"))));
    }
    found.sort();
    found.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// Texts between backticks that are paths of sources or folders: from the root, or from `src/`.
fn sources_named(document: &str, text: &str) -> Vec<(String, String)> {
    let letter = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
    let is_path = |it: &&str| {
        !it.starts_with('/') && it.contains('/') && (it.ends_with('/') || it.ends_with(".rs")) && it.chars().all(letter)
    };
    let named = text.split('`').skip(1).step_by(2).filter(is_path);
    named.map(|named| (document.to_owned(), named.to_owned())).collect()
}

fn is_there(named: &str) -> bool {
    ["", "src"].iter().any(|folder| root().join(folder).join(named).exists())
}

/// Every inline link to a place in this repository, with the document that it stands in.
fn links(document: &str, text: &str) -> Vec<(String, String)> {
    let ours = |it: &&str| !it.starts_with("https:") && !it.starts_with("http:");
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(link, _)| link).filter(ours).map(|link| (document.to_owned(), link.to_owned())).collect()
}

fn broken_link(document: &str, link: &str) -> Option<String> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let target = if path.is_empty() { root().join(document) } else { root().join(folder).join(path) };
    if !target.exists() {
        return Some(format!("{document}: the link to {link} leads nowhere"));
    }
    if heading.is_empty() {
        return None;
    }
    let text = fs::read_to_string(target).expect("a document is text");
    let mut headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#')));
    (!headings.any(|it| it == heading)).then(|| format!("{document}: the link to {link} names no heading"))
}

/// The anchor of a heading: small letters, digits and hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).flat_map(char::to_lowercase).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
