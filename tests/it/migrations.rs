//! A migration that was merged never changes: databases have run it as it was. `migrations/checksums` holds the SHA-256 of
//! each, as `sha256sum` writes it.

use std::{collections::BTreeMap, fs, path::Path};

use sha2::{Digest, Sha256};

#[test]
fn no_merged_migration_changes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_some_and(|it| it == "sql") {
            let name = path.file_name().and_then(|it| it.to_str()).expect("our names are UTF-8");
            files.insert(name.to_owned(), fs::read(&path).expect("a migration can be read"));
        }
    }
    assert!(files.len() > 25, "only {} migrations were found", files.len());
    let listed = fs::read_to_string(folder.join("checksums")).expect("migrations/checksums is there");
    let broken = differences(&listed, &files);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_migration_that_changed_is_missing_or_is_new_is_reported_with_what_to_do() {
    let sum = |text: &str| hex::encode(Sha256::digest(text));
    let listed = format!("{}  0001_a.sql\n{}  0002_b.sql\n{}  0003_c.sql\n", sum("a"), sum("b"), sum("c"));
    let files = |all: &[(&str, &str)]| {
        all.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect::<BTreeMap<_, _>>()
    };
    let same = [("0001_a.sql", "a"), ("0002_b.sql", "b"), ("0003_c.sql", "c")];
    assert_eq!(differences(&listed, &files(&same)), [""; 0]);
    let found = differences(&listed, &files(&[("0001_a.sql", "a"), ("0002_b.sql", "B"), ("0004_d.sql", "d")]));
    assert_eq!(
        found,
        [
            "migrations/0002_b.sql changed. Databases have run it as it was: undo the change and write a new migration. \
             If it was never merged, replace its line in migrations/checksums.",
            "migrations/0004_d.sql has no line in migrations/checksums. Add it before the merge: \
             (cd migrations && sha256sum 0004_d.sql >> checksums)",
            "migrations/0003_c.sql is missing. Databases have run it: bring it back.",
        ]
    );
    let twice = format!("{listed}{}  0002_b.sql\nnonsense\n", sum("B"));
    let found = differences(&twice, &files(&same));
    assert_eq!(found.len(), 2, "{found:#?}");
}

/// What is wrong with the list or the migrations, and what to do about it.
fn differences(listed: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut found = Vec::new();
    let mut sums = BTreeMap::new();
    for line in listed.lines() {
        match line.split_once("  ") {
            Some((_, name)) if sums.contains_key(name) => {
                found.push(format!("migrations/checksums has two lines for {name}: keep the first."));
            }
            Some((sum, name)) => {
                sums.insert(name, sum);
            }
            None => found.push(format!("migrations/checksums: `{line}` is not as sha256sum writes it.")),
        }
    }
    for (name, bytes) in files {
        match sums.remove(name.as_str()) {
            Some(sum) if sum == hex::encode(Sha256::digest(bytes)) => {}
            Some(_) => found.push(format!(
                "migrations/{name} changed. Databases have run it as it was: undo the change and write a new migration. \
                 If it was never merged, replace its line in migrations/checksums."
            )),
            None => found.push(format!(
                "migrations/{name} has no line in migrations/checksums. Add it before the merge: \
                 (cd migrations && sha256sum {name} >> checksums)"
            )),
        }
    }
    let missing =
        sums.keys().map(|name| format!("migrations/{name} is missing. Databases have run it: bring it back."));
    found.extend(missing);
    found
}
