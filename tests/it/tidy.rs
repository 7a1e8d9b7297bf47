//! The architecture as a test: who may import whom, where SQL and HTTP may stand, how long a file may be.
//!
//! It reads sources as text, without comments and literals, so it knows paths but no types. Each rule is also held
//! against a made-up source that breaks it: a checker that cannot fail checks nothing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::source::{code_of, imports, line_of, places_of};

/// The modules that each module of `src/` may import, beside itself. The accepting half does not know how a callback is
/// recorded, and the other way round: the two halves meet in `inbox`.
const IMPORTS: &[(&str, &[&str])] = &[
    // The accepting half.
    ("server", &["apps", "crypto", "inbox", "document", "admin"]),
    ("apps", &["crypto", "ids", "states", "tables", "time_limit", "vault"]),
    ("crypto", &["document"]),
    // Where the two halves meet.
    ("inbox", &["ids", "spool", "states", "document", "tables::upkeep::partitions", "time_limit"]),
    // Knows files and keys, and nothing of what is in them.
    ("spool", &["embedded::make_folder", "vault"]),
    // The recording half.
    ("worker", &["inbox", "event", "handlers", "changes", "tables", "time_limit", "ids"]),
    ("event", &["ids", "document", "repair", "states"]),
    ("handlers", &["event", "ids", "changes"]),
    ("changes", &["ids", "states"]),
    ("tables", &["changes", "ids", "states"]),
    // The other direction.
    ("answers", &["changes", "ids", "states", "wecom"]),
    (
        "tasks",
        &[
            "answers",
            "archive",
            "changes",
            "handover",
            "ids",
            "inbox",
            "media",
            "states",
            "tables",
            "wecom",
            "worker::backoff",
        ],
    ),
    ("wecom", &["ids", "repair", "states", "tables", "vault"]),
    ("archive", &["embedded::child", "ids", "repair", "vault"]),
    ("media", &["ids"]),
    ("orders", &["ids", "states", "tables"]),
    ("contact_way", &["ids", "tables", "wecom"]),
    ("handover", &["changes", "check", "ids", "states", "tables", "wecom"]),
    ("sync", &["answers", "changes", "ids", "states", "tables", "wecom"]),
    ("backup", &["embedded", "media", "states", "tables", "vault"]),
    ("privacy", &["handover", "ids", "inbox", "media", "states", "tables"]),
    ("housekeeping", &["contact_way", "orders", "tables", "time_limit", "wecom"]),
    // The interfaces for people.
    (
        "admin",
        &[
            "access",
            "app_config",
            "apps",
            "bilingual",
            "check",
            "contact_way",
            "handover",
            "ids",
            "inbox",
            "media",
            "orders",
            "privacy",
            "staff",
            "states",
            "sync",
            "tables",
            "tasks::template",
            "vault",
            "wecom",
        ],
    ),
    // What connects the parts. Only the command line imports everything.
    (
        "app",
        &[
            "admin",
            "apps",
            "archive",
            "backup",
            "config",
            "handover",
            "housekeeping",
            "ids",
            "inbox",
            "media",
            "orders",
            "privacy",
            "server",
            "spool",
            "sync",
            "tables",
            "tasks",
            "telemetry",
            "vault",
            "wecom",
            "worker",
        ],
    ),
    ("cli", ANYTHING),
    ("config", &["backup::Schedule", "embedded", "states", "telemetry"]),
    ("vault", &[]),
    ("telemetry", &[]),
    ("embedded", &[]),
    // The simulated WeCom knows the wire format and nothing of our modules.
    ("sandbox", &["crypto", "ids"]),
    ("document", &["repair"]),
    ("repair", &[]),
    (
        "app_config",
        &["apps", "check", "crypto", "ids", "states", "tables", "tasks::template", "vault", "wecom::welcome"],
    ),
    ("access", &["check", "states", "tables"]),
    ("staff", &["ids", "tables", "wecom"]),
    ("check", &["bilingual"]),
    ("bilingual", &[]),
    ("time_limit", &[]),
    ("states", &[]),
    ("ids", &[]),
];

const ANYTHING: &[&str] = &[""];

/// What is forbidden to those who may import anything: the command line works with the domains, not with their HTTP.
const NEVER: &[(&str, &str)] = &[("cli", "admin")];

/// What may stand only in some places of `src/`: how it begins, where, and why.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("sqlx::query", &["src/inbox/", "src/tables/"], "SQL belongs to inbox and tables"),
    ("QueryBuilder", &["src/inbox/", "src/tables/"], "SQL belongs to inbox and tables"),
    ("raw_sql", &[], "SQL belongs to inbox and tables, and is prepared there"),
    ("AssertSqlSafe", &["src/tables/upkeep/partitions.rs"], "SQL is put together from names in one place only"),
    ("hyper", &["src/server/", "src/sandbox/"], "HTTP belongs to server, and to the pretend WeCom"),
    ("reqwest", &["src/wecom/"], "only wecom calls WeCom"),
    ("Command::new", &["src/embedded/child.rs"], "a child begins where its environment is cleared"),
    ("object_store", &["src/media.rs"], "only media knows where bytes are kept"),
    ("PoolTimedOut", &["src/admin/"], "only a pool says that: `time_limit::within` says what took too long"),
];

/// What no source may hold.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// The longest file, in lines.
const LINES_MAX: usize = 500;

#[test]
fn every_module_imports_only_allowed_modules() {
    let files = sources(&["src"]);
    let broken: Vec<_> = files.iter().flat_map(|(path, source)| forbidden_imports(path, source)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_has_a_rule_and_every_rule_a_module() {
    let mut modules: Vec<_> = sources(&["src"]).iter().filter_map(|(path, _)| Some(module(path)?.0)).collect();
    modules.dedup();
    let mut ruled: Vec<_> = IMPORTS.iter().map(|(module, _)| (*module).to_owned()).collect();
    ruled.sort();
    assert_eq!(modules, ruled);
}

#[test]
fn every_allowance_is_used() {
    let unused = unused_allowances(&sources(&["src"]));
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}

#[test]
fn an_allowance_that_no_source_uses_is_reported() {
    let files = [("src/handlers/a.rs".to_owned(), "use crate::{event::Event, changes};".to_owned())];
    let unused = unused_allowances(&files);
    assert!(unused.contains(&"handlers may import ids, but does not".to_owned()), "{unused:#?}");
    assert!(!unused.iter().any(|it| it.starts_with("handlers may import event")), "{unused:#?}");
    assert!(unused.contains(&"src/wecom/ may hold `reqwest`, but does not".to_owned()), "{unused:#?}");
}

#[test]
fn sql_and_http_occur_only_in_allowed_modules() {
    let files = sources(&["src"]);
    let broken: Vec<_> = files.iter().flat_map(|(path, source)| misplaced_words(path, source)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_source_is_short_finished_and_says_what_it_is() {
    let files = sources(&["src", "tests", "benches", "archive-reader"]);
    assert!(files.len() > 100, "only {} sources were found", files.len());
    let broken: Vec<_> = files.iter().flat_map(|(path, source)| untidy(path, source)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_file_contains_a_path_of_a_developer_machine() {
    let files = everything();
    assert!(files.len() > 100, "only {} files were found", files.len());
    let texts = files.iter().filter_map(|path| Some((path, fs::read_to_string(root().join(path)).ok()?)));
    let broken: Vec<_> = texts.flat_map(|(path, text)| machine_paths(path, &text)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_test_named_in_the_documents_exists() {
    let mut documents = vec!["ARCHITECTURE.md".to_owned()];
    for folder in ["docs/internals", "docs/decisions"] {
        walk(Path::new(folder), &mut documents);
    }
    let files = sources(&["src", "tests", "archive-reader"]);
    let exists = |name: &str| files.iter().any(|(_, source)| source.contains(&format!("fn {name}(")));
    let (mut count, mut missing) = (0, Vec::new());
    for path in documents {
        let text = fs::read_to_string(root().join(&path)).expect("it is there");
        let named = tests_named_in(&text);
        count += named.len();
        missing.extend(named.into_iter().filter(|name| !exists(name)).map(|name| format!("{path}: {name}")));
    }
    assert!(count > 250, "only {count} tests are named");
    assert!(missing.is_empty(), "the documents name tests that are not there: {missing:#?}");
}

#[test]
fn test_names_in_documents_are_distinguished_from_other_code() {
    let text = "`every_thing_has_its_limit`, `src/a_b_c_d_e.rs`, `wechat_contact_record` and a_b_c_d_e";
    assert_eq!(tests_named_in(text), ["every_thing_has_its_limit"]);
}

#[test]
fn an_import_between_the_two_halves_is_reported_with_line_and_rule() {
    let across = "//! Accepts.\nuse crate::{\n    inbox,\n    worker::Step,\n};\n";
    assert_eq!(
        forbidden_imports("src/server/callback.rs", across),
        [
            "src/server/callback.rs:4: server imports worker::Step, but may import only apps, crypto, inbox, document, admin"
        ]
    );
    assert_eq!(forbidden_imports("src/worker/batch.rs", "use crate::inbox::Ticket;"), [""; 0]);
    assert_eq!(
        forbidden_imports("src/vault.rs", "use super::ids;"),
        ["src/vault.rs:1: vault imports ids, but may import nothing of ours"]
    );
    assert_eq!(forbidden_imports("src/inbox/accept.rs", "use crate::tables::upkeep::partitions::make;"), [""; 0]);
    assert_eq!(forbidden_imports("src/inbox/accept.rs", "use crate::tables::staff::member;").len(), 1);
    assert_eq!(forbidden_imports("src/handlers/mod.rs", "use crate::*;").len(), 1);
    assert_eq!(forbidden_imports("src/cli/mod.rs", "use crate::app::App;"), [""; 0]);
    assert_eq!(forbidden_imports("src/app.rs", "use crate::cli;").len(), 1);
    assert_eq!(
        forbidden_imports("src/cli/token.rs", "use crate::admin::door::auth::Role;"),
        ["src/cli/token.rs:1: cli imports admin::door::auth::Role, but may import anything else"]
    );
}

#[test]
fn forbidden_sql_and_http_are_reported_in_code_and_not_in_texts() {
    let asks = "\nlet rows = sqlx::query_as!(Row, \"select 1\");\nlet hyperbole = \"hyper\"; // reqwest\n";
    assert_eq!(
        misplaced_words("src/worker/batch.rs", asks),
        [
            "src/worker/batch.rs:2: `sqlx::query`: SQL belongs to inbox and tables",
            "src/worker/batch.rs:3: `hyper`: HTTP belongs to server, and to the pretend WeCom"
        ]
    );
    assert_eq!(misplaced_words("src/tables/member.rs", "sqlx::query!()"), [""; 0]);
    assert_eq!(misplaced_words("src/tables/member.rs", "AssertSqlSafe(sql)").len(), 1);
    assert_eq!(misplaced_words("src/tables/upkeep/partitions.rs", "AssertSqlSafe(sql)"), [""; 0]);
    assert_eq!(misplaced_words("src/apps.rs", "use reqwest::Client;").len(), 1);
}

#[test]
fn a_source_that_is_too_long_undocumented_or_unfinished_is_reported() {
    let long = format!("//! Long.\n{}", "\n".repeat(LINES_MAX));
    assert_eq!(untidy("src/a.rs", &long), ["src/a.rs: has 501 lines, and 500 are enough"]);
    assert_eq!(
        untidy("src/a.rs", "use std::fs;\n"),
        ["src/a.rs:1: must open with `//!`: what it does, what it refuses"]
    );
    let unfinished = "//! Soon.\nfn soon() {\n    todo!(\"later\")\n}\n";
    assert_eq!(untidy("tests/a.rs", unfinished), ["tests/a.rs:3: `todo!` is for drafts"]);
    assert_eq!(untidy("src/a.rs", "//! Done: no todo! here.\n"), [""; 0]);
}

#[test]
fn a_machine_path_is_reported_wherever_it_occurs() {
    let path = format!("cd {}home\n", machine_marks()[0]);
    assert_eq!(machine_paths("README.md", &format!("one\n{path}")).len(), 1);
    assert_eq!(machine_paths("README.md", "at work / at home"), [""; 0]);
}

/// What a file imports that it may not, each with its place and the rule.
fn forbidden_imports(path: &str, source: &str) -> Vec<String> {
    let Some((module, depth)) = module(path) else { return Vec::new() };
    let allowed = IMPORTS.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, allowed)| allowed);
    let may = |import: &str| {
        let first = import.split("::").next().unwrap_or_default();
        let never = NEVER.contains(&(module.as_str(), first));
        !never && (first == module || allowed.iter().any(|it| covers(it, import)))
    };
    let only = match allowed {
        [] => "nothing of ours".to_owned(),
        ANYTHING => "anything else".to_owned(),
        _ => format!("only {}", allowed.join(", ")),
    };
    let forbidden = imports(&code_of(source), depth).into_iter().filter(|(_, import)| !may(import));
    forbidden.map(|(line, import)| format!("{path}:{line}: {module} imports {import}, but may import {only}")).collect()
}

/// Whether an allowance is for this import.
fn covers(allowed: &str, import: &str) -> bool {
    import.strip_prefix(allowed).is_some_and(|rest| allowed.is_empty() || is_end(rest))
}

/// What [`IMPORTS`] and [`WORDS`] allow and no source makes use of.
fn unused_allowances(files: &[(String, String)]) -> Vec<String> {
    let codes: Vec<_> = files.iter().map(|(path, source)| (path.as_str(), code_of(source))).collect();
    let mut unused = Vec::new();
    for (name, allowed) in IMPORTS.iter().filter(|(_, allowed)| *allowed != ANYTHING) {
        let own = codes.iter().filter_map(|(path, code)| {
            let (module, depth) = module(path)?;
            (module == *name).then(|| imports(code, depth))
        });
        let imported: BTreeSet<_> = own.flatten().map(|(_, import)| import).collect();
        let idle = allowed.iter().filter(|it| !imported.iter().any(|import| covers(it, import)));
        unused.extend(idle.map(|it| format!("{name} may import {it}, but does not")));
    }
    for (word, places, _) in WORDS {
        let holds = |place: &str| {
            codes.iter().any(|(path, code)| path.starts_with(place) && places_of(code, word).next().is_some())
        };
        unused.extend(places.iter().filter(|it| !holds(it)).map(|it| format!("{it} may hold `{word}`, but does not")));
    }
    unused
}

/// Whether a path's first segment ends here.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with("::")
}

fn misplaced_words(path: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let mut found = Vec::new();
    for (word, places, why) in WORDS {
        if places.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        found.extend(places_of(&code, word).map(|at| format!("{path}:{}: `{word}`: {why}", line_of(&code, at))));
    }
    found
}

fn untidy(path: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{path}: has {lines} lines, and {LINES_MAX} are enough"));
    }
    if !source.starts_with("//!") {
        found.push(format!("{path}:1: must open with `//!`: what it does, what it refuses"));
    }
    let code = code_of(source);
    for word in UNFINISHED {
        found.extend(places_of(&code, word).map(|at| format!("{path}:{}: `{word}` is for drafts", line_of(&code, at))));
    }
    found
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let marks = machine_marks();
    let lines = (1..).zip(text.lines());
    let marked = lines.filter(|(_, line)| marks.iter().any(|mark| line.contains(mark.as_str())));
    marked.map(|(line, _)| format!("{path}:{line}: names a path of somebody's machine")).collect()
}

/// Put together here, so that this file does not report itself.
fn machine_marks() -> [String; 3] {
    [["/wo", "rk/"], ["bash_", "jobs"], ["/ro", "ot/"]].map(|halves| halves.concat())
}

/// What stands between backticks and is named like a test: a sentence of at least five words.
fn tests_named_in(text: &str) -> Vec<&str> {
    let letter = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    let sentence = |it: &&str| it.chars().all(letter) && it.split('_').count() >= 5;
    text.split('`').skip(1).step_by(2).filter(sentence).collect()
}

/// The top-level module that a source belongs to, and how deep it lies: one `super` for each level leads to the root.
fn module(path: &str) -> Option<(String, usize)> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    let first = inside.split('/').next()?;
    // The crate's own roots and the build script belong to no module.
    (!["lib", "main", "build"].contains(&first)).then(|| (first.to_owned(), inside.split('/').count()))
}

/// Whether a source of `src/` may call WeCom, or belongs to those who do.
pub(crate) fn may_call_wecom(path: &str) -> bool {
    let named = module(path).and_then(|(module, _)| IMPORTS.iter().find(|(name, _)| *name == module));
    named.is_some_and(|(name, allowed)| *name == "wecom" || *allowed == ANYTHING || allowed.contains(&"wecom"))
}

/// Every Rust source in these folders by its path from the root, in order.
pub(crate) fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        walk(Path::new(folder), &mut found);
    }
    found.sort();
    let rust = found.into_iter().filter(|path| path.ends_with(".rs"));
    rust.map(|path| (fs::read_to_string(root().join(&path)).expect("a source is text"), path))
        .map(|(source, path)| (path, source))
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten();
    for entry in entries.map(|it| it.expect("the folder can be read")) {
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("it has a type").is_dir() {
            walk(&path, found);
        } else {
            found.push(path.to_str().expect("our names are UTF-8").to_owned());
        }
    }
}

/// Every file that is under version control; where there is none, everything in the folders that we know.
fn everything() -> Vec<String> {
    let listed = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output();
    if let Some(listed) = listed.ok().filter(|it| it.status.success()) {
        let names = String::from_utf8(listed.stdout).expect("our names are UTF-8");
        return names.split_terminator('\0').map(str::to_owned).collect();
    }
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches", "migrations", "fixtures", "scripts", "deploy"] {
        walk(Path::new(folder), &mut found);
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
