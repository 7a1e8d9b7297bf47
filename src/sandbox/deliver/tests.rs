//! Tests the sender against a small server that answers, refuses, hangs up or stays silent as scripted.

use std::collections::VecDeque;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::push::Forgery;
use super::*;
use crate::crypto::{Query, Receivers, envelope, open};

/// Long enough for a local answer on a busy machine, short enough to wait for.
const HASTY: Duration = Duration::from_millis(500);

/// What the server does with a request.
#[derive(Debug, Clone, Copy)]
enum Act {
    Answer(u16, &'static str),
    /// Answers the decrypted echo.
    Echo,
    HangUp,
    StaySilent,
}

use Act::*;

/// What the server saw: a connection's number and the request's first line and body.
type Seen = Arc<Mutex<Vec<(usize, String, Vec<u8>)>>>;

struct Server {
    base_url: String,
    seen: Seen,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Follows `script` request by request, then answers 200 to everything.
    async fn start(script: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Seen::default();
        let script = Arc::new(Mutex::new(VecDeque::from(script.to_vec())));
        let mut tasks = JoinSet::new();
        let log = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.expect("a connection");
                connections.spawn(serve(number, stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { base_url, seen, _tasks: tasks }
    }

    fn sender(&self) -> Sender {
        self.sender_with(Patience::default())
    }

    fn sender_with(&self, patience: Patience) -> Sender {
        Sender::new(&self.base_url, &corp(), patience).expect("a valid company")
    }

    fn requests(&self) -> Vec<(usize, String, Vec<u8>)> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

async fn serve(number: usize, mut stream: TcpStream, script: Arc<Mutex<VecDeque<Act>>>, seen: Seen) {
    while let Some((line, body)) = request(&mut stream).await {
        let act = script.lock().expect("not poisoned").pop_front().unwrap_or(Answer(200, ""));
        let answer = match act {
            Answer(status, body) => (status, body.to_owned()),
            Echo => (200, echo_of(&line)),
            HangUp | StaySilent => (0, String::new()),
        };
        seen.lock().expect("not poisoned").push((number, line, body));
        match act {
            HangUp => return,
            StaySilent => std::future::pending().await,
            _ => {}
        }
        let text = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n\r\n{}", answer.0, answer.1.len(), answer.1);
        stream.write_all(text.as_bytes()).await.expect("written");
    }
}

/// Reads one request: its first line and its body.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_bytes = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_bytes].to_vec()).expect("a text head");
    let length = head
        .to_ascii_lowercase()
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.split("\r\n").next().and_then(|text| text.parse().ok()).expect("a length"));
    while bytes.len() < head_bytes + length {
        stream.read_buf(&mut bytes).await.expect("the body");
    }
    Some((head.lines().next().expect("a first line").to_owned(), bytes[head_bytes..].to_vec()))
}

fn corp() -> Corp {
    Corp::from_seed(1)
}

fn push() -> Push {
    Push::genuine(AppKind::App, "<xml>你好</xml>")
}

fn query_of(line: &str) -> Query {
    let target = line.split(' ').nth(1).expect("a target");
    Query::parse(target.split_once('?').expect("a query").1).expect("a WeCom query")
}

fn echo_of(line: &str) -> String {
    let (corp, query) = (corp(), query_of(line));
    let keys = [corp.apps[0].keys().expect("valid")];
    let receivers = Receivers::Exactly(vec![corp.corpid.0]);
    let opened = open(&keys, &receivers, &query, query.echostr.as_deref().expect("an echo")).expect("opens");
    String::from_utf8(opened.plaintext).expect("digits")
}

#[tokio::test]
async fn a_push_arrives_sealed_and_can_be_opened() {
    let server = Server::start(&[]).await;
    let delivered = server.sender().deliver(&push()).await;
    assert!(delivered.answered_200);
    assert_eq!((delivered.attempts, delivered.status), (1, Some(200)));

    let (_, line, body) = server.requests().pop().expect("a request");
    assert!(line.starts_with("POST /callback/service?msg_signature="), "{line}");
    let corp = corp();
    let receivers = Receivers::Exactly(vec![corp.corpid.0]);
    let encrypt = envelope(&body).expect("an envelope");
    let opened = open(&[corp.apps[0].keys().expect("valid")], &receivers, &query_of(&line), &encrypt).expect("opens");
    assert_eq!(opened.plaintext, push().plaintext.as_bytes());
}

#[tokio::test]
async fn a_directory_event_goes_to_the_directory_app_below_the_base_path() {
    let server = Server::start(&[]).await;
    let base_url = format!("{}/wecom/", server.base_url);
    let sender = Sender::new(&base_url, &corp(), Patience::default()).expect("valid");
    sender.deliver(&Push { app: AppKind::Directory, ..push() }).await;
    let (_, line, _) = server.requests().pop().expect("a request");
    assert!(line.starts_with("POST /wecom/callback/directory?"), "{line}");
}

#[tokio::test]
async fn a_closed_connection_without_an_answer_is_retried_with_a_new_seal() {
    let server = Server::start(&[HangUp, HangUp, HangUp, Answer(200, "")]).await;
    let delivered = server.sender().deliver(&push()).await;
    assert_eq!((delivered.answered_200, delivered.attempts), (true, 4));
    let requests = server.requests();
    let distinct: std::collections::HashSet<_> = requests.iter().map(|(_, line, body)| (line, body)).collect();
    assert_eq!(distinct.len(), 4, "each attempt is sealed anew");
}

#[tokio::test]
async fn after_three_retries_it_is_lost() {
    let server = Server::start(&[HangUp; 8]).await;
    let delivered = server.sender().deliver(&push()).await;
    assert_eq!((delivered.answered_200, delivered.attempts, delivered.status), (false, 4, None));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn an_answer_that_is_not_200_is_final() {
    for status in [400, 403, 404, 500, 503] {
        let server = Server::start(&[Answer(status, "no")]).await;
        let delivered = server.sender().deliver(&push()).await;
        assert!(!delivered.answered_200);
        assert_eq!((delivered.attempts, delivered.status), (1, Some(status)));
        assert_eq!(delivered.body, b"no");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_after_the_time_limit_causes_a_retry() {
    let server = Server::start(&[StaySilent]).await;
    let sender = server.sender_with(Patience { answer_limit: HASTY, ..Patience::default() });
    let started = Instant::now();
    let delivered = sender.deliver(&push()).await;
    assert_eq!((delivered.answered_200, delivered.attempts), (true, 2));
    assert!(started.elapsed() >= HASTY);
    assert!(delivered.latency < HASTY, "the latency is the last attempt's");
}

#[tokio::test]
async fn every_attempt_at_a_closed_port_fails_after_its_pause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let patience = Patience { retries: 2, pause: Duration::from_millis(20), ..Patience::default() };
    let sender = Sender::new(&base_url, &corp(), patience).expect("valid");
    let started = Instant::now();
    let delivered = sender.deliver(&push()).await;
    assert_eq!((delivered.attempts, delivered.status), (3, None));
    assert!(started.elapsed() >= Duration::from_millis(60), "20 ms, then 40 ms");
}

#[tokio::test]
async fn a_worker_keeps_its_connection() {
    let server = Server::start(&[]).await;
    let report = server.sender().deliver_all(vec![push(); 50], 2, |_| {}).await;
    assert_eq!(report.genuine, Tally { sent: 50, answered: 50, refused: 0, failed: 0 });
    assert_eq!((report.attempts, report.latencies.len()), (50, 50));
    let connections: std::collections::HashSet<usize> = server.requests().iter().map(|(number, ..)| *number).collect();
    assert!(connections.len() <= 2, "{connections:?}");
}

#[tokio::test]
async fn a_report_counts_forged_pushes_separately_and_lists_acknowledged_ones() {
    let server = Server::start(&[Answer(200, ""), Answer(403, ""), HangUp, HangUp, HangUp, HangUp]).await;
    let forged = Push { forgery: Some(Forgery::WrongToken), ..push() };
    let mut seen = Vec::new();
    let pushes = vec![push(), forged, push()];
    let report = server.sender().deliver_all(pushes, 1, |report| seen.push(report.attempts)).await;
    assert_eq!(report.genuine, Tally { sent: 2, answered: 1, refused: 0, failed: 1 });
    assert_eq!(report.forged, Tally { sent: 1, answered: 0, refused: 1, failed: 0 });
    assert_eq!(seen, [1, 2, 6]);
    use sha2::Digest;
    let sha256 = sha2::Sha256::digest(push().plaintext).into();
    assert_eq!(report.acked, [Acked { index: 0, app: AppKind::App, sha256 }]);
}

#[tokio::test]
async fn each_forgery_is_refused_at_its_own_step() {
    let server = Server::start(&[]).await;
    for forgery in Forgery::ALL {
        server.sender().deliver(&Push { forgery: Some(forgery), ..push() }).await;
    }
    let corp = corp();
    let keys = [corp.apps[0].keys().expect("valid")];
    let receivers = Receivers::Exactly(vec![corp.corpid.0.clone()]);
    let steps: Vec<&str> = server
        .requests()
        .iter()
        .map(|(_, line, body)| {
            let opened = envelope(body).and_then(|encrypt| open(&keys, &receivers, &query_of(line), &encrypt));
            opened.expect_err("forged").step()
        })
        .collect();
    // Under a wrong key the padding looks valid once in about two hundred times; the frame is wrong even then.
    let expected: [&[&str]; 5] =
        [&["signature"], &["padding", "frame", "receiveid"], &["receiveid"], &["signature"], &["envelope"]];
    assert_eq!(steps.len(), expected.len());
    for (step, expected) in steps.iter().zip(expected) {
        assert!(expected.contains(step), "{steps:?}");
    }
}

#[tokio::test]
async fn url_verification_accepts_only_the_exact_echo() {
    let server = Server::start(&[Echo, Answer(403, ""), Answer(200, "42"), StaySilent]).await;
    let sender = server.sender_with(Patience { verify_limit: HASTY, ..Patience::default() });
    assert!(sender.verify_url(AppKind::App).await.expect("verified") < HASTY);
    assert_eq!(sender.verify_url(AppKind::App).await, Err(VerifyError::Status(403)));
    assert_eq!(sender.verify_url(AppKind::App).await, Err(VerifyError::Echo));
    assert_eq!(sender.verify_url(AppKind::App).await, Err(VerifyError::Unanswered(Unanswered::Late)));
    let (_, line, _) = server.requests().swap_remove(0);
    assert!(line.starts_with("GET /callback/service?"), "{line}");
    assert_eq!(echo_of(&line).len(), ECHO_DIGITS);
}

#[tokio::test]
async fn a_closed_port_is_reported_as_not_connected_and_not_as_slow() {
    // Bound and not listening: the port is nobody's, and stays so.
    let bound = tokio::net::TcpSocket::new_v4().expect("a socket");
    bound.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = format!("http://{}", bound.local_addr().expect("bound"));
    let sender = Sender::new(&address, &corp(), Patience::default()).expect("prepared");
    let refused = Unanswered::NotConnected(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(sender.verify_url(AppKind::App).await, Err(VerifyError::Unanswered(refused)));
    assert_eq!(refused.to_string(), "no connection to the service: connection refused");
    let delivered = sender.deliver(&push()).await;
    assert_eq!((delivered.status, delivered.unanswered), (None, Some(refused)));
}

#[test]
fn a_sender_needs_an_address_an_app_and_valid_keys() {
    let new = |base_url: &str, corp: &Corp| Sender::new(base_url, corp, Patience::default());
    for wrong in ["", "127.0.0.1:8080", "https://example.com", "http://", "http://example.com/?a=b", "http://a b"] {
        assert!(matches!(new(wrong, &corp()), Err(SenderError::Address(_))), "{wrong}");
    }
    assert!(matches!(new("http://localhost", &Corp { apps: Vec::new(), ..corp() }), Err(SenderError::NoApp)));
    let mut bad = corp();
    bad.apps[0].token = "?".to_owned();
    assert!(matches!(new("http://localhost", &bad), Err(SenderError::Keys { .. })));
}
