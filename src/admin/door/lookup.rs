//! Looks up tokens and sessions that this process does not remember, many requests in one query.
//!
//! Guessed tokens must all be looked up, since the next one may be valid and new to this process. So all waiting ones
//! are looked up by one query, and the next query begins when it is answered: however many callers guess, they use
//! one connection, and nobody is refused because of them. Who a caller is is not known here: that is read again when
//! the request is carried out.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use sqlx::PgPool;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::auth::Shows;
use crate::{
    admin::spec::problem::{Code, Problem},
    tables::access::{api_token, console_session},
};

/// How many are looked up by one query.
const TOGETHER_MAX: usize = 1_000;

/// Looks up credentials that are not remembered.
#[derive(Debug, Default)]
pub struct Lookups {
    /// The waiting look-ups in order of arrival.
    waiting: Mutex<Vec<Waiting>>,
    /// Locked by the request that queries for all.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    shows: Shows,
    answer: oneshot::Sender<Found>,
}

/// The database's answer.
#[derive(Debug, Clone, Copy)]
enum Found {
    Counts,
    DoesNot,
    Failed,
}

impl Lookups {
    /// Whether the token or session is valid.
    pub async fn counts(&self, pool: &PgPool, shows: Shows) -> Result<bool, Problem> {
        let mut answer = self.wait(shows);
        loop {
            let _asking = self.asking.lock().await;
            match answer.try_recv() {
                Ok(Found::Counts) => return Ok(true),
                Ok(Found::DoesNot) => return Ok(false),
                Ok(Found::Failed) => return Err(unavailable()),
                // The request that queried for this one was dropped before the answer came.
                Err(TryRecvError::Closed) => answer = self.wait(shows),
                Err(TryRecvError::Empty) => {}
            }
            self.ask(pool).await?;
        }
    }

    fn wait(&self, shows: Shows) -> oneshot::Receiver<Found> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(Waiting { shows, answer: sender });
        answer
    }

    /// Queries for those that have waited longest, and answers each.
    async fn ask(&self, pool: &PgPool) -> Result<(), Problem> {
        let batch: Vec<_> = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let many = waiting.len().min(TOGETHER_MAX);
            waiting.drain(..many).filter(|it| !it.answer.is_closed()).collect()
        };
        let live = look(pool, &batch).await;
        for Waiting { shows, answer } in batch {
            let found = match &live {
                Ok(live) if live.contains(shows.hash().as_slice()) => Found::Counts,
                Ok(_) => Found::DoesNot,
                Err(_) => Found::Failed,
            };
            // Sending fails if the caller is gone, which needs no answer.
            let _ = answer.send(found);
        }
        Ok(live.map(|_| ())?)
    }
}

async fn look(pool: &PgPool, batch: &[Waiting]) -> sqlx::Result<HashSet<Vec<u8>>> {
    let (mut tokens, mut sessions) = (Vec::new(), Vec::new());
    for it in batch {
        match &it.shows {
            Shows::Token(hash) => tokens.push(hash.to_vec()),
            Shows::Session(hash) => sessions.push(hash.to_vec()),
        }
    }
    let mut conn = pool.acquire().await?;
    let mut live = HashSet::new();
    if !tokens.is_empty() {
        live.extend(api_token::live_among(&mut conn, &tokens).await?);
    }
    if !sessions.is_empty() {
        live.extend(console_session::live_among(&mut conn, &sessions).await?);
    }
    Ok(live)
}

fn unavailable() -> Problem {
    let detail = ("try again in a moment; /readyz says when it is back", "请稍后重试；/readyz 会显示何时恢复");
    Problem::new(Code::DatabaseUnavailable, detail).because("tokens could not be looked up")
}
