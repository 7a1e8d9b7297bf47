//! Plaintexts: arbitrary bytes, and the platform's own documents bent out of shape, all the way to what is recorded.

use std::{
    fs,
    ops::Range,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use bolero::{TypeGenerator, check};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use wecomd::{
    changes::{Changes, Origin, Source},
    document::Element,
    event::{self, Callback, Event, Message, MessageBody, NAME_BYTES_MAX},
    handlers,
    ids::{CorpId, DeliveryKey},
    inbox,
};

use crate::{ITERATIONS, SHRINK_LIMIT, TIME_LIMIT};

/// How much longer than the plaintext a recorded text may be: our own words, and two numbers written out.
const WORDS_BYTES_MAX: usize = 1_024;

/// The year 2200: event times end here.
const SECONDS_END: i64 = 7_258_118_400;

/// One plaintext for each event of the platform's reference.
static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/callbacks");
    let entries = fs::read_dir(folder).expect("the fixtures are there");
    let mut paths: Vec<_> = entries.map(|it| it.expect("the folder can be read").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).expect("a fixture can be read")).collect()
});

#[test]
fn a_plaintext_of_any_bytes_is_understood_the_same_every_time_or_refused() {
    check!()
        .with_iterations(ITERATIONS)
        .with_test_time(TIME_LIMIT)
        .with_shrink_time(SHRINK_LIMIT)
        .for_each(|plaintext: &[u8]| drop(obeys_the_laws(plaintext)));
}

#[test]
fn a_mutated_callback_is_recorded_within_bounds_ignored_by_name_or_refused() {
    static UNDERSTOOD: AtomicUsize = AtomicUsize::new(0);
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    check!()
        .with_type::<Bent>()
        .with_iterations(ITERATIONS)
        .with_test_time(TIME_LIMIT)
        .with_shrink_time(SHRINK_LIMIT)
        .for_each(|bent: &Bent| {
            let counter = if obeys_the_laws(&bent.plaintext()).is_some() { &UNDERSTOOD } else { &REFUSED };
            counter.fetch_add(1, Ordering::Relaxed);
        });
    // The test must fail if no input reaches the checks.
    let (understood, refused) = (UNDERSTOOD.load(Ordering::Relaxed), REFUSED.load(Ordering::Relaxed));
    assert!(understood > 0 && refused > 0, "{understood} understood, {refused} refused");
}

#[test]
fn every_fixture_obeys_the_laws_as_it_is() {
    for plaintext in FIXTURES.iter() {
        obeys_the_laws(plaintext).expect("a fixture is understood");
    }
}

/// Text that somebody types into a message. WeCom passes it on unescaped.
#[derive(Debug, TypeGenerator)]
struct Typed(Vec<u8>);

/// The pieces that a typed text is made of.
const WORDS: [&str; 20] = [
    "a",
    "]]>",
    "]]",
    ">",
    "<",
    "&",
    "<![CDATA[",
    "</Content>",
    "<Content>",
    "<Content><![CDATA[",
    "</xml>",
    "<xml>",
    "<FromUserName><![CDATA[boss]]></FromUserName>",
    "<InfoType>change_contact</InfoType>",
    "<CreateTime>1</CreateTime>",
    "<MsgId>9</MsgId>",
    "<!--",
    "-->",
    "<X a=\"",
    "\">",
];

#[test]
fn any_text_typed_into_a_message_changes_no_other_field() {
    check!()
        .with_type::<Typed>()
        .with_iterations(ITERATIONS)
        .with_test_time(TIME_LIMIT)
        .with_shrink_time(SHRINK_LIMIT)
        .for_each(|Typed(words): &Typed| {
            let typed: String = words.iter().map(|which| WORDS[usize::from(*which) % WORDS.len()]).collect();
            let plaintext = format!(
                "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[ann]]></FromUserName>\
                 <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
                 <Content><![CDATA[{typed}]]></Content><MsgId>7</MsgId></xml>"
            );
            let callback = obeys_the_laws(plaintext.as_bytes()).expect("it is read");
            // An end mark that is split over two sections stands for itself.
            let content = typed.replace("]]]]><![CDATA[>", "]]>");
            let body = MessageBody::Text { content };
            let message = Message { from: "ann".to_owned(), msg_id: Some(7), agentid: None, body };
            assert_eq!(callback.event, Event::Message(message));
            assert_eq!(callback.head.at.map(|it| it.timestamp()), Some(1_700_000_000));
        });
}

/// Checks a plaintext against every law, from parsing to the rows that it writes.
fn obeys_the_laws(plaintext: &[u8]) -> Option<Callback> {
    let at = inbox::event_time(plaintext);
    assert_eq!(at, inbox::event_time(plaintext));
    assert!((0..SECONDS_END).contains(&at.timestamp()) && at.timestamp_subsec_nanos() == 0, "{at}");

    let parsed = event::parse(plaintext, Origin::Callback);
    assert_eq!(parsed, event::parse(plaintext, Origin::Callback));
    let callback = parsed.ok()?;
    let name = &callback.head.name;
    if callback.repaired {
        let strict = str::from_utf8(plaintext).ok().and_then(|text| Element::parse(text).ok());
        assert!(strict.is_none() || holds_end_mark(plaintext), "a well-formed document needs no repair");
    }
    let printable = name.bytes().all(|it| it == b' ' || it.is_ascii_graphic());
    assert!(printable && (1..=NAME_BYTES_MAX).contains(&name.len()), "{name:?}");
    if !callback.repaired && !time_is_nested(plaintext) {
        let understood = callback.head.at.unwrap_or_default();
        assert!(
            understood == at || (at == DateTime::UNIX_EPOCH && is_in_milliseconds(plaintext, understood)),
            "stored under another time than understood:\n{}",
            String::from_utf8_lossy(plaintext)
        );
    }
    recording_obeys_the_laws(plaintext, at, &callback);
    Some(callback)
}

fn recording_obeys_the_laws(plaintext: &[u8], at: DateTime<Utc>, callback: &Callback) {
    let key = DeliveryKey { event_at: at, app_id: 1, hash: Sha256::digest(plaintext).into() };
    let received_at = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
    let source = Source {
        key,
        corpid: CorpId::from("ww1"),
        happened_at: callback.head.at,
        received_at,
        origin: Origin::Callback,
        msgid: None,
        repaired: callback.repaired,
    };
    let recorded = || {
        let mut changes = Changes::default();
        handlers::record(&source, callback, &mut changes);
        changes
    };
    let (once, again) = (recorded(), recorded());
    assert_eq!(format!("{once:?}"), format!("{again:?}"));

    // Either something follows from it, or it is kept under its name: nothing is dropped without a trace.
    let follows = !once.contacts.is_empty()
        || !once.members.is_empty()
        || !once.records.is_empty()
        || !once.groups.is_empty()
        || !once.departments.is_empty()
        || !once.approvals.is_empty()
        || !once.alerts.is_empty()
        || !once.kf_accounts.is_empty()
        || !once.tasks.is_empty();
    assert_eq!(once.ignored.len(), usize::from(!follows), "{:?}", callback.event);

    // A byte that is not UTF-8 is replaced by a character of three bytes.
    let limit = 3 * plaintext.len() + WORDS_BYTES_MAX;
    for text in texts(&once) {
        assert!(text.len() <= limit && !text.contains('\0'), "{} bytes of {limit}: {text:?}", text.len());
    }

    // Recorded once more into the same batch it changes no row.
    let mut twice = recorded();
    handlers::record(&source, callback, &mut twice);
    assert_eq!((&once.contacts, &once.members, &once.records), (&twice.contacts, &twice.members, &twice.records));
    assert_eq!((&once.activity, once.tasks.len()), (&twice.activity, twice.tasks.len()));
    assert_eq!(once.named, twice.named);
}

/// Every text that would be written to the database.
fn texts(changes: &Changes) -> Vec<&str> {
    let mut texts = Vec::new();
    for ((_, customer, user), contact) in &changes.contacts {
        texts.extend([customer.as_str(), user.as_str()]);
        texts.extend(contact.state.as_ref().map(|it| it.value.as_str()));
        texts.extend(contact.customer_id.as_ref().map(|it| it.value.as_str()));
    }
    for ((_, user), member) in &changes.members {
        texts.push(user.as_str());
        texts.extend(
            [&member.name, &member.avatar, &member.department].into_iter().flatten().map(|it| it.value.as_str()),
        );
    }
    texts.extend(changes.named.keys().map(|(_, user)| user.as_str()));
    for record in changes.records.values() {
        texts.extend([record.sender.as_str(), record.content.as_str()]);
        texts.extend(record.event.as_deref().into_iter().chain(record.media_id.as_deref()));
    }
    for ((_, _, subject), task) in &changes.tasks {
        texts.extend([Some(subject.as_str()), task.payload.as_deref()].into_iter().flatten());
    }
    for rename in &changes.renames {
        texts.extend([rename.old.as_str(), rename.new.as_str()]);
    }
    texts.extend(changes.ignored.iter().map(|(_, name)| name.as_str()));
    texts
}

/// Whether the plaintext holds this time as a number of milliseconds: then it is no time for the key, which is older than
/// that reading.
fn is_in_milliseconds(plaintext: &[u8], at: DateTime<Utc>) -> bool {
    let seconds = at.timestamp().to_string();
    let length = seconds.len() + 3;
    plaintext.windows(length).any(|it| it.starts_with(seconds.as_bytes()) && it.iter().all(u8::is_ascii_digit))
}

/// Whether it holds an end mark, which somebody may have typed.
fn holds_end_mark(plaintext: &[u8]) -> bool {
    plaintext.windows(3).any(|it| it == b"]]>")
}

/// Whether a field with a time's name has elements inside it. No callback has; then the two readers may differ,
/// because the quick one passes over fields that are not plain text.
fn time_is_nested(plaintext: &[u8]) -> bool {
    let document = str::from_utf8(plaintext).ok().and_then(|text| Element::parse(text).ok());
    let times = ["CreateTime", "TimeStamp"];
    document.is_some_and(|it| {
        it.children.iter().any(|field| {
            !field.children.is_empty()
                && (times.iter().any(|name| name.eq_ignore_ascii_case(&field.name))
                    || field.name.eq_ignore_ascii_case("create_time"))
        })
    })
}

/// A fixture with a few changes; the first leaves it a document.
#[derive(Debug, TypeGenerator)]
struct Bent {
    fixture: u16,
    value: (u8, u8),
    other_value: (u8, u8),
    breaks: bool,
    at: u16,
    change: Change,
}

#[derive(Debug, TypeGenerator)]
enum Change {
    /// Bytes are removed.
    Cut(u8),
    /// Bytes are inserted.
    Insert(Vec<u8>),
    /// A piece of the document is repeated.
    Repeat(u8),
    /// One bit is flipped.
    Flip(u8),
    /// A piece of another fixture is inserted.
    Splice { fixture: u16, from: u16, bytes: u8 },
    /// A markup token is inserted.
    Mark(u8),
}

/// The markup tokens that [`Change::Mark`] inserts.
const MARKS: [&str; 10] = [
    "<CreateTime>1</CreateTime>",
    "<![CDATA[",
    "]]>",
    "&#0;",
    "&lt;",
    "<!DOCTYPE x>",
    "\0",
    "\u{feff}",
    "<x><y/></x>",
    "\\u0000",
];

/// What a field may hold instead of its value.
const VALUES: [&str; 19] = [
    "",
    " ",
    "0",
    "-1",
    "5",
    "1700000000",
    "9223372036854775807",
    "1700000000123",
    "a]]>b",
    "]]></Content><UserID><![CDATA[boss]]></UserID><Content><![CDATA[x",
    "1e308",
    "NaN",
    "\u{3000}1700000000",
    "wmXZpBDAAAexample000000000000001",
    "cust:C-1001",
    "cust:",
    "event",
    "location",
    "&#0;&amp;\u{10ffff}",
];

impl Bent {
    fn plaintext(&self) -> Vec<u8> {
        let mut plaintext = fixture(self.fixture).to_vec();
        for (which, value) in [self.value, self.other_value] {
            let fields = fields(&plaintext);
            if let Some(field) = fields.get(usize::from(which) % (fields.len() + 1)) {
                plaintext.splice(field.clone(), VALUES[usize::from(value) % VALUES.len()].bytes());
            }
        }
        if self.breaks {
            self.change.apply(usize::from(self.at) % (plaintext.len() + 1), &mut plaintext);
        }
        plaintext
    }
}

impl Change {
    fn apply(&self, at: usize, plaintext: &mut Vec<u8>) {
        let end = |count: &u8| (at + usize::from(*count)).min(plaintext.len());
        match self {
            Self::Cut(count) => drop(plaintext.drain(at..end(count))),
            Self::Insert(bytes) => drop(plaintext.splice(at..at, bytes.iter().copied())),
            Self::Repeat(count) => {
                let piece = plaintext[at..end(count)].to_vec();
                plaintext.splice(at..at, piece);
            }
            Self::Flip(bit) => plaintext.iter_mut().skip(at).take(1).for_each(|it| *it ^= 1 << (bit % 8)),
            Self::Splice { fixture: other, from, bytes } => {
                let other = fixture(*other);
                let from = usize::from(*from) % other.len();
                let piece = &other[from..(from + usize::from(*bytes)).min(other.len())];
                plaintext.splice(at..at, piece.iter().copied());
            }
            Self::Mark(which) => {
                let mark = MARKS[usize::from(*which) % MARKS.len()];
                plaintext.splice(at..at, mark.bytes());
            }
        }
    }
}

/// Where the values of a document stand: in CDATA sections, between tags, or in quotes behind a colon.
fn fields(plaintext: &[u8]) -> Vec<Range<usize>> {
    let mut fields = Vec::new();
    for (open, close) in [("[CDATA[", "]]>"), (">", "</"), ("\": \"", "\"")] {
        let begins = plaintext.windows(open.len()).enumerate().filter(|(_, it)| *it == open.as_bytes());
        for begin in begins.map(|(at, _)| at + open.len()) {
            let rest = plaintext[begin..].windows(close.len());
            fields.extend(rest.clone().position(|it| it == close.as_bytes()).map(|length| begin..begin + length));
        }
    }
    // The text between two distant tags is more than one value.
    fields.retain(|field| !plaintext[field.clone()].contains(&b'<'));
    fields
}

fn fixture(index: u16) -> &'static [u8] {
    &FIXTURES[usize::from(index) % FIXTURES.len()]
}
