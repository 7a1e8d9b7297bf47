//! `wecomd demo`: its figures, and what it plays with and without a C compiler.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{cli::Shell, support::archive::reader};

#[tokio::test]
async fn the_figures_of_the_demo_add_up_and_nothing_is_lost() {
    // The demo finds it beside the program.
    reader();
    let figures = demo(&Shell::bare(), "600").await;
    let keys: Vec<_> = figures.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected =
        "ack_ms archive duplicates handover ignored lost order parked received recorded refused stored talk".split(' ');
    assert_eq!(keys, expected.collect::<Vec<_>>());
    let handover = &figures["handover"];
    let states = json!(["detected", "planned", "notified", "submitted", "waiting", "done"]);
    assert_eq!(handover["states"], states, "{handover}");
    assert!(handover["ended"]["customer done"].as_u64() > Some(0), "{handover}");
    assert_eq!(handover["ended"]["customer refused"], 2, "{handover}");
    let order = &figures["order"];
    assert_eq!(order["order_state"], "contacted", "{order}");
    assert!(order["welcome"].as_str().is_some_and(|it| it.contains("您好")), "{order}");
    assert!(order["photo_bytes"].as_u64().is_some_and(|it| it > 0), "{order}");

    let talk = &figures["talk"];
    assert_eq!((&talk["messages"], &talk["order"]), (&json!(2), &order["order"]), "{talk}");
    assert_eq!(talk["servicer"], order["wechat_userid"], "the member whose contact they are");
    assert!(talk["greeting"].as_str().is_some_and(|it| it.contains("您好")), "{talk}");

    let archive = &figures["archive"];
    if Command::new("cc").arg("--version").output().await.is_ok() {
        assert_eq!((&archive["messages"], &archive["key_bits"]), (&json!(4), &json!(2048)), "{archive}");
        assert_eq!(archive["member"], order["wechat_userid"], "{archive}");
        assert!(archive["recalled"].as_str().is_some_and(|it| it.contains("密码")), "{archive}");
    } else {
        assert_eq!(archive, &json!({ "left_out": "there is no C compiler (cc)" }));
    }

    let figure = |key: &str| figures[key].as_u64().unwrap_or_else(|| panic!("{key} in {figures}"));
    let recorded: u64 = figures["recorded"].as_object().expect("by kind").values().filter_map(Value::as_u64).sum();
    assert_eq!(figure("lost"), 0);
    assert_eq!(figure("stored"), 600);
    assert_eq!(figure("stored"), recorded + figure("ignored") + figure("parked"));
    assert_eq!(figure("received"), figure("stored") + figure("duplicates") + figure("refused"));
    assert!(figure("duplicates") > 0 && figure("refused") > 0 && recorded > 0, "a day without mischief: {figures}");
    let [p50, p99] = ["p50", "p99"].map(|it| figures["ack_ms"][it].as_f64().expect("milliseconds"));
    assert!(0.0 < p50 && p50 <= p99, "{figures}");
}

#[tokio::test]
async fn without_a_c_compiler_the_demo_leaves_the_archive_out_and_plays_the_rest() {
    reader();
    let shell = Shell::bare();
    let nothing = shell.folder.path().join("nothing");
    std::fs::create_dir(&nothing).expect("made");
    let figures = demo(&shell.and("PATH", nothing.to_str().expect("UTF-8")), "200").await;
    assert_eq!(figures["archive"], json!({ "left_out": "there is no C compiler (cc)" }));
    assert_eq!((&figures["talk"]["messages"], &figures["lost"]), (&json!(2), &json!(0)));
}

/// Plays the demo and returns its figures.
async fn demo(shell: &Shell, count: &str) -> Value {
    let listen = ["--public-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let said = shell.ok(&[&["demo", "--exit", "--json", "--count", count][..], &listen].concat()).await;
    serde_json::from_str(&said).expect("one JSON object and nothing else")
}
