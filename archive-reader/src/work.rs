//! Answers one request after the other. Requests come from the thread that reads standard input; all calls of the
//! library are made here, in the process's first thread, because a handle belongs to one thread.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::Path,
    sync::mpsc::Receiver,
};

use crate::{
    frame::{self, Frame, PAYLOAD_BYTES_MAX},
    protocol::{Answer, Item, Opened, Request, TOO_LARGE},
    sdk::Sdk,
};

/// Serves until the requests end. An error means that the two sides no longer understand each other.
pub(crate) fn serve(requests: &Receiver<Frame>, mut answers: impl Write) -> io::Result<()> {
    let mut sdk = None;
    while let Ok(frame) = requests.recv() {
        let request = read(&frame)?;
        let (answer, bytes) = answer(request, &mut sdk);
        let answer = serde_json::to_vec(&answer)?;
        frame::write(&mut answers, frame::JSON, &answer)?;
        if let Some(bytes) = bytes {
            frame::write(&mut answers, frame::BYTES, &bytes)?;
        }
    }
    Ok(())
}

fn read(frame: &Frame) -> io::Result<Request> {
    if frame.kind != frame::JSON {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a request of kind {}", frame.kind)));
    }
    // The error's place would be enough, but its text may quote the request, and that may hold the secret.
    serde_json::from_slice(&frame.payload)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "a request that cannot be read"))
}

fn answer(request: Request, sdk: &mut Option<Sdk>) -> (Answer, Option<Vec<u8>>) {
    let closed = || (failed(0, "no library is open".to_owned()), None);
    match request {
        Request::Open { lib, corpid, secret, proxy, passwd } => {
            match Sdk::open(Path::new(&lib), &corpid, &secret, &proxy, &passwd) {
                Ok(opened) => {
                    *sdk = Some(opened);
                    (said(0), None)
                }
                Err(error) => (failed(error.code(), error.to_string()), None),
            }
        }
        Request::Pull { seq, limit, timeout_s } => {
            let Some(sdk) = sdk else { return closed() };
            match sdk.pull(seq, limit, timeout_s) {
                Ok(page) if page.len() > PAYLOAD_BYTES_MAX => (said(TOO_LARGE), Some(Vec::new())),
                Ok(page) => (said(0), Some(page)),
                Err(code) => (said(code), Some(Vec::new())),
            }
        }
        Request::Decrypt { items } => {
            let Some(sdk) = sdk else { return closed() };
            let items = items.iter().map(|item| open(sdk, item)).collect();
            (Answer { items, ..said(0) }, None)
        }
        Request::Media { index, file, timeout_s } => {
            let Some(sdk) = sdk else { return closed() };
            match sdk.media(&index, &file, timeout_s) {
                Ok(piece) => {
                    let answer = Answer { index: Some(piece.next), finish: Some(piece.is_last), ..said(0) };
                    (answer, Some(piece.bytes))
                }
                Err(code) => (said(code), Some(Vec::new())),
            }
        }
    }
}

fn open(sdk: &Sdk, item: &Item) -> Opened {
    match sdk.decrypt(&item.key, &item.msg) {
        Ok(text) => Opened { code: 0, text: String::from_utf8_lossy(&text).into_owned() },
        Err(code) => Opened { code, text: String::new() },
    }
}

fn said(code: i32) -> Answer {
    Answer { code, rss: memory(), trouble: None, items: Vec::new(), index: None, finish: None }
}

fn failed(code: i32, trouble: String) -> Answer {
    Answer { trouble: Some(trouble), ..said(code) }
}

/// How much memory this process has in use, in bytes. wecomd cannot look for itself where the system hides processes
/// whose memory is protected.
fn memory() -> u64 {
    let resident = fs::read_to_string("/proc/self/statm").ok();
    let pages = resident.as_deref().and_then(|it| it.split(' ').nth(1)).and_then(|it| it.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}
