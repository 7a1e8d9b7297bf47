//! What a person at a terminal is shown of other people's words, and of a command's settings.

use std::process::{Command, Output};

use secrecy::ExposeSecret;
use wecomd::sandbox::{AppKind, Push};

use crate::support::{TestApp, daemon::program, folder::Folder, plaintext::event};

/// What makes a terminal ring, sets its title, clears it, and goes back to the line's beginning.
const STEERING: &str = "\u{7}\u{1b}]0;owned\u{7}\u{1b}[2J\r";

/// Runs a command with these settings into a pipe.
fn piped(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = Folder::new("piped");
    program(folder.path()).args(arguments).envs(settings.iter().copied()).output().expect("it runs")
}

/// What the same command shows at a terminal.
fn at_a_terminal(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let folder = Folder::new("terminal");
    let itself = program(folder.path());
    let line: Vec<_> = [itself.get_program().to_str().expect("a path")].iter().chain(arguments).copied().collect();
    // util-linux's `script` gives it a terminal of its own and writes down what it prints there.
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]).current_dir(folder.path());
    command.env_clear().envs(itself.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.envs(settings.iter().copied()).output().expect("`script` of util-linux runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_escaped_for_a_terminal_and_unchanged_in_a_pipe() {
    let app = TestApp::start().await;
    let unread = format!("not a document {STEERING} or is it");
    app.deliver(vec![Push::genuine(AppKind::App, unread.clone())]).await;
    app.drain().await;
    let settings = [("DATABASE_URL", app.db.url.expose_secret())];
    let id = app.db.texts("select to_json(event_at)::text from inbox").await;
    assert_eq!(id.len(), 1);

    let listed = at_a_terminal(&["inbox", "list"], &settings);
    let id = listed.split_whitespace().next().expect("an id");
    let shown = at_a_terminal(&["inbox", "show", id], &settings);
    assert!(shown.contains(r"not a document \u{7}\u{1b}]0;owned\u{7}\u{1b}[2J\u{d} or is it"), "{shown:?}");
    for printed in [&listed, &shown] {
        // The terminal itself ends each line with a carriage return and a newline.
        let steers = |it: char| it.is_control() && it != '\n' && it != '\r';
        assert!(!printed.replace("\r\n", "\n").contains(|it| steers(it) || it == '\r'), "{printed:?}");
    }

    let text = |output: Output| String::from_utf8(output.stdout).expect("text");
    assert!(text(piped(&["inbox", "show", id], &settings)).ends_with(&format!("{unread}\n")));
    let json: serde_json::Value =
        serde_json::from_str(&text(piped(&["inbox", "show", "--json", id], &settings))).expect("one object");
    assert_eq!(json["plaintext"], unread);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newline_in_a_name_starts_no_new_output_line() {
    let app = TestApp::start().await;
    app.deliver(vec![Push::genuine(AppKind::App, event(1_700_000_001, "tomorrow\nfake", &[]))]).await;
    app.drain().await;
    let settings = [("DATABASE_URL", app.db.url.expose_secret())];
    assert_eq!(at_a_terminal(&["inbox", "list"], &settings).lines().count(), 1);
    let made = ["token", "create", "--role", "viewer", "--name", "one\n   2  admin"];
    assert!(piped(&made, &settings).status.success());
    let tokens = piped(&["token", "list"], &settings).stdout;
    let tokens = String::from_utf8(tokens).expect("text");
    assert_eq!(tokens.lines().count(), 2, "the test's own and this one: {tokens}");
    assert!(tokens.contains(r"one\u{a}   2  admin"), "{tokens}");
    app.finish().await;
}

#[test]
fn a_command_shows_and_takes_only_the_settings_that_it_reads() {
    let help = |command: &str| String::from_utf8(piped(&[command, "--help"], &[]).stdout).expect("text");
    let serve = help("serve");
    for setting in
        ["--config", "--database-url", "--data-dir", "--master-key-file", "--public-listen", "--admin-listen"]
    {
        assert!(serve.contains(setting), "{serve}");
        assert!(!help("sandbox").contains(setting), "sandbox does not read {setting}");
        assert!(!help("completions").contains(setting), "completions does not read {setting}");
    }
    assert!(help("inbox").contains("--database-url") && !help("inbox").contains("--public-listen"));
    let refused = piped(&["openapi", "--database-url", "postgres://nowhere/x"], &[]);
    assert_eq!(refused.status.code(), Some(2));
    let words = String::from_utf8(refused.stderr).expect("text");
    assert!(words.contains("`wecomd openapi` does not read --database-url: leave it out"), "{words}");
    // A configuration that nobody reads need not be right.
    assert_eq!(piped(&["openapi"], &[("WECOMD_NO_SUCH_SETTING", "1")]).status.code(), Some(0));
}
