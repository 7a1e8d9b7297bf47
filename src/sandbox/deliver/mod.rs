//! Delivers pushes as the platform would: sealed, over HTTP/1.1, with a time limit and retries.
//!
//! Input is a running service's address and a [`Corp`]. Each worker keeps one connection open and delivers one push
//! at a time; nothing is queued. A connection that fails, closes or stays silent causes a retry, sealed anew; any
//! answer ends the push, and only 200 counts as accepted.

mod line;

mod report;

mod request;

#[cfg(test)]
mod tests;

pub use line::Unanswered;
pub use report::{Acked, Delivered, Report, Tally};

use std::iter::Enumerate;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Uri;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::line::Line;
use self::request::Target;
use super::corp::Corp;
use super::push::{AppKind, Push};
use crate::crypto::KeyError;

/// WeCom hangs up after this long without an answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// WeCom's console expects the echo within this long.
pub const VERIFY_LIMIT: Duration = Duration::from_secs(1);

/// How often WeCom repeats a push without an answer.
pub const RETRIES: u32 = 3;

/// The longest pause between two attempts.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The most pushes delivered at once, each on a connection of its own.
pub const CONCURRENCY_MAX: usize = 1024;

/// The echo of a verification has this many digits, too many for any integer type in common use.
const ECHO_DIGITS: usize = 23;

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the answer to a push, connecting included.
    pub answer_limit: Duration,
    /// For the answer to a URL verification.
    pub verify_limit: Duration,
    /// Attempts after the first.
    pub retries: u32,
    /// The pause before the first retry; each further one is twice as long, up to [`PAUSE_MAX`]. Zero by default, as
    /// with WeCom; for a service that is being restarted, use some hundred milliseconds.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer_limit: ANSWER_LIMIT, verify_limit: VERIFY_LIMIT, retries: RETRIES, pause: Duration::ZERO }
    }
}

/// Why nothing can be delivered.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The base address is not one that we can reach.
    #[error("{0:?} is no address like http://127.0.0.1:8080")]
    Address(String),
    /// The company has no app to send to.
    #[error("the company has no app")]
    NoApp,
    /// An app's keys are not valid.
    #[error("the keys of app {app} are not valid")]
    Keys {
        /// Which app.
        app: String,
        /// What is wrong.
        source: KeyError,
    },
}

/// Why a URL verification failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The service refused.
    #[error("the service answered {0} instead of 200")]
    Status(u16),
    /// The body is not the echo, byte for byte.
    #[error("the service answered something other than the decrypted echo")]
    Echo,
}

/// Delivers to one service. A clone shares the configuration, but no connection.
#[derive(Debug, Clone)]
pub struct Sender {
    address: Arc<str>,
    app: Arc<Target>,
    directory: Arc<Target>,
    archive: Arc<Target>,
    patience: Patience,
}

impl Sender {
    /// Prepares to deliver to `base_url`, such as `http://127.0.0.1:8080`, for the apps of `corp`.
    pub fn new(base_url: &str, corp: &Corp, patience: Patience) -> Result<Self, SenderError> {
        let wrong = || SenderError::Address(base_url.to_owned());
        let base: Uri = base_url.parse().map_err(|_| wrong())?;
        if base.scheme_str() != Some("http") || base.query().is_some() {
            return Err(wrong());
        }
        let host = base.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let address = format!("{host}:{}", base.port_u16().unwrap_or(80));
        let target = |kind| {
            let app = corp.app(kind).ok_or(SenderError::NoApp)?;
            Target::new(base.path(), &corp.corpid, app)
                .map(Arc::new)
                .map_err(|source| SenderError::Keys { app: app.name.clone(), source })
        };
        Ok(Self {
            address: address.into(),
            app: target(AppKind::App)?,
            directory: target(AppKind::Directory)?,
            archive: target(AppKind::Archive)?,
            patience,
        })
    }

    /// Verifies an app's URL as WeCom's console does when an administrator saves it; returns how long it took.
    pub async fn verify_url(&self, kind: AppKind) -> Result<Duration, VerifyError> {
        let digits: String = (0..ECHO_DIGITS).map(|_| char::from(b'0' + rand::random::<u8>() % 10)).collect();
        let started = Instant::now();
        let request = self.target(kind).verification(&digits);
        let answer = self.line().ask(request, self.patience.verify_limit).await?;
        if answer.status != 200 {
            return Err(VerifyError::Status(answer.status));
        }
        if answer.body != digits.as_bytes() { Err(VerifyError::Echo) } else { Ok(started.elapsed()) }
    }

    /// Delivers one push, on a connection of its own.
    pub async fn deliver(&self, push: &Push) -> Delivered {
        self.deliver_on(&mut self.line(), push).await
    }

    /// Delivers all pushes, `concurrency` at a time, taken from `pushes` in order.
    ///
    /// `progress` is called with the growing report after each push.
    pub async fn deliver_all<I>(&self, pushes: I, concurrency: usize, mut progress: impl FnMut(&Report)) -> Report
    where
        I: IntoIterator<Item = Push>,
        I::IntoIter: Send + 'static,
    {
        let concurrency = concurrency.clamp(1, CONCURRENCY_MAX);
        let started = Instant::now();
        let source = Arc::new(Mutex::new(pushes.into_iter().enumerate()));
        let (results, mut finished) = mpsc::channel(concurrency);
        let mut workers = JoinSet::new();
        for _ in 0..concurrency {
            workers.spawn(work(self.clone(), Arc::clone(&source), results.clone()));
        }
        drop(results);
        let mut report = Report::default();
        while let Some((index, push, delivered)) = finished.recv().await {
            report.add(index, &push, &delivered);
            report.elapsed = started.elapsed();
            progress(&report);
        }
        report
    }

    async fn deliver_on(&self, line: &mut Line, push: &Push) -> Delivered {
        let target = self.target(push.app);
        let mut pause = self.patience.pause;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let started = Instant::now();
            let outcome = line.ask(target.push(push), self.patience.answer_limit).await;
            let latency = started.elapsed();
            match outcome {
                Ok(answer) => {
                    let (status, body) = (Some(answer.status), answer.body);
                    let answered_200 = answer.status == 200;
                    return Delivered { answered_200, attempts, status, body, latency, unanswered: None };
                }
                Err(why) if attempts > self.patience.retries => {
                    let (answered_200, status, body, unanswered) = (false, None, Vec::new(), Some(why));
                    return Delivered { answered_200, attempts, status, body, latency, unanswered };
                }
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(PAUSE_MAX);
                }
            }
        }
    }

    fn target(&self, kind: AppKind) -> &Target {
        match kind {
            AppKind::App => &self.app,
            AppKind::Directory => &self.directory,
            AppKind::Archive => &self.archive,
        }
    }

    fn line(&self) -> Line {
        Line::new(Arc::clone(&self.address))
    }
}

type Source<I> = Arc<Mutex<Enumerate<I>>>;

/// Delivers one push after the other on one connection until there are no more.
async fn work<I: Iterator<Item = Push>>(
    sender: Sender,
    source: Source<I>,
    results: mpsc::Sender<(usize, Push, Delivered)>,
) {
    let mut line = sender.line();
    loop {
        // Another worker's panic leaves the iterator between two pushes, so it can still be used.
        let next = source.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((index, push)) = next else { return };
        let delivered = sender.deliver_on(&mut line, &push).await;
        if results.send((index, push, delivered)).await.is_err() {
            return;
        }
    }
}
