//! A service that the pretend WeCom pushes to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::crypto::{Query, Receivers, envelope, open};
use crate::sandbox::deliver::{Patience, Sender};

/// A service that takes callbacks, answers 200 and remembers what they said.
pub(super) struct Receiver {
    said: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    pub(super) async fn of(platform: &Platform) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let (log, mut tasks) = (Arc::clone(&said), JoinSet::new());
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let plaintext = take(stream).await;
                log.lock().expect("not poisoned").push(plaintext);
            }
        });
        platform.push_to(Sender::new(&url, &corp(), Patience::default()).expect("a valid company"));
        Self { said, _tasks: tasks }
    }

    /// What they said, in the order of arrival.
    pub(super) fn said(&self) -> Vec<String> {
        self.said.lock().expect("not poisoned").clone()
    }
}

/// Reads one callback, opens it as a service does, and answers.
async fn take(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let body = loop {
        stream.read_buf(&mut bytes).await.expect("a request");
        let text = String::from_utf8(bytes.clone()).expect("text");
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.ends_with("</xml>")
        {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (head, body) = body;
    let target = head.split(' ').nth(1).expect("a target");
    let (path, query) = target.split_once('?').expect("a query");
    let kind = if path.ends_with("directory") { AppKind::Directory } else { AppKind::App };
    let corp = corp();
    let keys = corp.app(kind).expect("an app").keys().expect("valid keys");
    let receivers = Receivers::Exactly(vec![corp.corpid.to_string()]);
    let query = Query::parse(query).expect("a WeCom query");
    let opened = open(&[keys], &receivers, &query, &envelope(body.as_bytes()).expect("an envelope"));
    // The answer goes out after it is remembered, as with any service that keeps its promises.
    let plaintext = String::from_utf8(opened.expect("it opens").plaintext).expect("text");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.expect("written");
    plaintext
}
