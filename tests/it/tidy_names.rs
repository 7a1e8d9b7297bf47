//! Names as a test: `mod.rs` for folders, vague names, and payload fields that SQL spells a second time.
//!
//! It reads sources as text, as `tidy` does.

use std::{fs, path::Path};

use crate::{
    support::source::{code_of, line_of, places_of},
    tidy::sources,
};

/// Names of types that many things could have. Say what it is: `NewOrder`, `OrderView`, `CommitStatus`, `OrderRow`,
/// `QueuePosition`.
const VAGUE_TYPES: &[&str] = &["Wanted", "Shown", "Standing", "Listed", "Place"];

/// The same for functions. A state machine has a `transition`.
const VAGUE_FUNCTIONS: &[&str] = &["turn"];

#[test]
fn no_module_file_lies_beside_a_folder_of_the_same_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let has_sources = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.into_iter().any(|it| it.path().extension().is_some_and(|it| it == "rs"))
    };
    let beside = sources(&["src", "tests", "benches"]).into_iter().map(|(path, _)| path).filter(|path| {
        let folder = path.strip_suffix(".rs").unwrap_or(path);
        has_sources(&root.join(folder))
    });
    let broken: Vec<_> = beside.map(|path| format!("{path}: move it to mod.rs in the folder of its name")).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_type_and_no_function_has_a_vague_name() {
    let files = sources(&["src"]);
    let broken: Vec<_> = files.iter().flat_map(|(path, source)| vague_names(path, source)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_vague_name_is_reported_only_as_a_whole_declared_name() {
    let source =
        "pub struct Shown;\nenum Standing {}\nstruct ShownOrder;\nasync fn turn() {}\nfn turn_all() {}\n// fn turn()\n";
    assert_eq!(
        vague_names("src/a.rs", source),
        [
            "src/a.rs:1: `struct Shown` says too little: name what it is",
            "src/a.rs:2: `enum Standing` says too little: name what it is",
            "src/a.rs:4: `fn turn` says too little: name what it is",
        ]
    );
}

#[test]
fn no_sql_statement_spells_a_payload_field_name_literally() {
    for (path, source) in sources(&["src"]) {
        let spelled = source.contains("payload::jsonb->>'") || source.contains("payload::jsonb ->> '");
        assert!(!spelled, "{path}: take the field's name from its type in src/changes/");
    }
}

fn vague_names(path: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let types = ["struct", "enum", "type", "trait", "union"].into_iter().map(|it| (it, VAGUE_TYPES));
    let mut found = Vec::new();
    for (keyword, vague) in types.chain([("fn", VAGUE_FUNCTIONS)]) {
        for at in places_of(&code, keyword) {
            let Some(rest) = code[at + keyword.len()..].strip_prefix(' ') else { continue };
            let name: String = rest.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
            if vague.contains(&name.as_str()) {
                found.push((line_of(&code, at), format!("`{keyword} {name}` says too little: name what it is")));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(line, what)| format!("{path}:{line}: {what}")).collect()
}
