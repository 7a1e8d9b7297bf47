//! The process as wecomd meets it: frames on its standard input and output, with the stand-in library behind it.

#[expect(dead_code, reason = "wecomd's own tests need more of it")]
mod standin;

use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};
use standin::{StandIn, seal};

/// The stand-in, or the end of the test where no C compiler is.
macro_rules! standin {
    ($build:expr) => {
        match $build {
            Some(it) => it,
            None => {
                return eprintln!("{}: skipped: there is no C compiler", std::thread::current().name().unwrap_or(""))
            }
        }
    };
}

#[test]
fn messages_are_pulled_and_decrypted_by_the_library() {
    let standin = standin!(StandIn::build());
    standin.add(7, r#"{"seq":7,"msgid":"m7"}"#);
    standin.add(9, r#"{"seq":9,"msgid":"m9"}"#);
    let mut reader = Reader::open(&standin);
    let (answer, page) = reader.ask_for_bytes(&json!({"do": "pull", "seq": 7, "limit": 10, "timeout_s": 5}));
    assert_eq!(answer["code"], 0);
    assert!(answer["rss"].as_u64().is_some_and(|it| it > 100_000), "{answer}");
    let page: Value = serde_json::from_slice(&page).expect("JSON");
    assert_eq!(page["chatdata"], json!([{"seq": 9, "msgid": "m9"}]));

    let raw = "{\"content\":\"a\u{1}b\n水\"}";
    let items = json!([
        {"key": "k1", "msg": seal("k1", raw.as_bytes())},
        {"key": "k2", "msg": seal("k1", raw.as_bytes())},
        {"key": "k1\u{0}", "msg": "00"},
    ]);
    let answer = reader.ask(&json!({"do": "decrypt", "items": items}));
    assert_eq!(
        answer["items"],
        json!([{"code": 0, "text": raw}, {"code": 10006, "text": ""}, {"code": 10000, "text": ""}])
    );
    assert_eq!(standin.log(), ["init", "pull 7 10"], "the handle is kept");
}

#[test]
fn messages_that_are_made_when_they_are_asked_for_open_like_the_others() {
    let standin = standin!(StandIn::build());
    let keys = [("k0", "r0"), ("k1", "r1")].map(|(short, random)| (short.to_owned(), random.to_owned()));
    standin.flood(4, (1_760_000_000_000, 250), &keys);
    let mut reader = Reader::open(&standin);
    let pull = |seq: u64| json!({"do": "pull", "seq": seq, "limit": 2, "timeout_s": 5});
    let (_, page) = reader.ask_for_bytes(&pull(1));
    let page: Value = serde_json::from_slice(&page).expect("JSON");
    let numbers: Vec<_> = page["chatdata"].as_array().expect("a list").iter().map(|it| it["seq"].clone()).collect();
    assert_eq!(numbers, [json!(2), json!(3)]);
    let entry = &page["chatdata"][1];
    assert_eq!((&entry["msgid"], &entry["encrypt_random_key"]), (&json!("flood3"), &json!("r1")));
    let items = json!([{"key": "k1", "msg": entry["encrypt_chat_msg"]}]);
    let opened = reader.ask(&json!({"do": "decrypt", "items": items}))["items"][0].clone();
    let text: Value = serde_json::from_str(opened["text"].as_str().expect("opened")).expect("JSON");
    assert_eq!((&text["msgid"], &text["msgtime"]), (&json!("flood3"), &json!(1_760_000_000_500_i64)));
    for (seq, left) in [(3, 1), (4, 0), (9, 0)] {
        let page: Value = serde_json::from_slice(&reader.ask_for_bytes(&pull(seq)).1).expect("JSON");
        assert_eq!(page["chatdata"].as_array().map(Vec::len), Some(left), "after {seq}");
    }
}

#[test]
fn a_file_comes_in_pieces_with_the_place_of_the_next() {
    let standin = standin!(StandIn::build());
    standin.add_media("F1", b"0123456789");
    standin.set_chunk(4);
    let mut reader = Reader::open(&standin);
    let (mut index, mut pieces) = (String::new(), Vec::new());
    loop {
        let (answer, bytes) =
            reader.ask_for_bytes(&json!({"do": "media", "index": index, "file": "F1", "timeout_s": 5}));
        assert_eq!(answer["code"], 0);
        pieces.push(String::from_utf8(bytes).expect("text"));
        if answer["finish"] == true {
            break;
        }
        index = answer["index"].as_str().expect("a place").to_owned();
    }
    assert_eq!(pieces, ["0123", "4567", "89"]);
    assert_eq!(index, "Range:bytes=8-11");
    let (answer, bytes) = reader.ask_for_bytes(&json!({"do": "media", "index": "", "file": "F2", "timeout_s": 5}));
    assert_eq!((&answer["code"], bytes.len()), (&json!(10005), 0));
}

#[test]
fn return_codes_are_passed_on_and_what_the_library_prints_disturbs_nothing() {
    let standin = standin!(StandIn::build());
    standin.set_faults("pull", &["10001", "noise", "301058"]);
    let mut reader = Reader::open(&standin);
    let pull = json!({"do": "pull", "seq": 0, "limit": 1000, "timeout_s": 5});
    let codes: Vec<_> = (0..3).map(|_| reader.ask_for_bytes(&pull).0["code"].clone()).collect();
    assert_eq!(codes, [json!(10001), json!(0), json!(301_058)]);
}

#[test]
fn a_library_that_cannot_be_used_is_told_with_the_reason() {
    let mut reader = Reader::start();
    let nowhere =
        json!({"do": "open", "lib": "/nowhere/lib.so", "corpid": "ww1", "secret": "s", "proxy": "", "passwd": ""});
    let answer = reader.ask(&nowhere);
    let trouble = answer["trouble"].as_str().expect("a reason");
    assert!(trouble.starts_with("the library does not load: ") && trouble.contains("/nowhere/lib.so"), "{trouble}");
    let answer = reader.ask(&json!({"do": "pull", "seq": 0, "limit": 1, "timeout_s": 1}));
    assert_eq!(answer["trouble"], "no library is open");

    let standin = standin!(StandIn::build_without("GetSliceLen"));
    let answer = Reader::start().ask(&open(&standin, "s"));
    assert_eq!(answer["trouble"], "the library has no symbol GetSliceLen");

    let standin = standin!(StandIn::build());
    standin.set_secret("right");
    let answer = Reader::start().ask(&open(&standin, "wrong"));
    assert_eq!((&answer["code"], &answer["trouble"]), (&json!(10000), &json!("Init of the library failed with 10000")));
    assert_eq!(Reader::start().ask(&open(&standin, "right")).get("trouble"), None);
}

#[test]
fn a_crash_of_the_library_ends_the_process() {
    let standin = standin!(StandIn::build());
    standin.set_faults("pull", &["crash"]);
    let mut reader = Reader::open(&standin);
    reader.send(1, &json!({"do": "pull", "seq": 0, "limit": 1, "timeout_s": 1}).to_string().into_bytes());
    let mut rest = Vec::new();
    reader.output.read_to_end(&mut rest).expect("ended");
    assert_eq!(rest, b"");
    assert!(!reader.child.wait().expect("ended").success());
}

#[test]
fn the_end_of_standard_input_ends_the_process_even_while_the_library_hangs() {
    let standin = standin!(StandIn::build());
    standin.set_faults("pull", &["hang"]);
    let Reader { mut child, mut input, .. } = Reader::open(&standin);
    write_frame(&mut input, 1, &json!({"do": "pull", "seq": 0, "limit": 1, "timeout_s": 1}).to_string().into_bytes());
    drop(input);
    assert!(child.wait().expect("ended").success());
}

#[test]
fn a_request_that_cannot_be_read_ends_the_process_and_is_not_quoted() {
    for (kind, request) in [(1, &br#"{"do":"open","secret":"s3cret"}"#[..]), (2, b"bytes")] {
        let mut reader = Reader::start();
        reader.send(kind, request);
        // Its standard input stays open: it ends by itself.
        let mut said = String::new();
        let errors = reader.child.stderr.as_mut().expect("piped");
        errors.read_to_string(&mut said).expect("ended");
        assert!(said.starts_with("wecomd-archive: a request "), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

/// The process with its streams.
struct Reader {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Reader {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wecomd-archive"));
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    fn open(standin: &StandIn) -> Self {
        let mut reader = Self::start();
        let answer = reader.ask(&open(standin, "s"));
        assert_eq!((&answer["code"], answer.get("trouble")), (&json!(0), None));
        reader
    }

    fn send(&mut self, kind: u8, payload: &[u8]) {
        write_frame(&mut self.input, kind, payload);
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.send(1, request.to_string().as_bytes());
        let (kind, payload) = self.receive();
        assert_eq!(kind, 1);
        serde_json::from_slice(&payload).expect("JSON")
    }

    fn ask_for_bytes(&mut self, request: &Value) -> (Value, Vec<u8>) {
        let answer = self.ask(request);
        let (kind, payload) = self.receive();
        assert_eq!(kind, 2);
        (answer, payload)
    }

    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 5];
        self.output.read_exact(&mut head).expect("an answer");
        let [a, b, c, d, kind] = head;
        let mut payload = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        self.output.read_exact(&mut payload).expect("its payload");
        (kind, payload)
    }
}

fn open(standin: &StandIn, secret: &str) -> Value {
    json!({"do": "open", "lib": standin.library(), "corpid": "ww1", "secret": secret, "proxy": "", "passwd": ""})
}

fn write_frame(to: &mut impl Write, kind: u8, payload: &[u8]) {
    to.write_all(&(payload.len() as u32).to_le_bytes()).expect("sent");
    to.write_all(&[kind]).expect("sent");
    to.write_all(payload).expect("sent");
    to.flush().expect("sent");
}
