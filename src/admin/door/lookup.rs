//! Whether tokens and sessions count that this process does not remember, found out for many requests at once.
//!
//! Whoever guesses sends tokens that nobody made, and each has to be looked up, since the next one may be somebody's
//! whom we have not seen yet. So all that wait are looked up by one question to the database, and the next question is
//! asked when it is answered: however many guess, they hold one connection, and nobody is refused because of them. It
//! refuses to know who a caller is: that is asked anew when the request is carried out.

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

/// How many are looked up by one question.
const TOGETHER_MAX: usize = 1_000;

/// Looks up what is not remembered.
#[derive(Debug, Default)]
pub struct Lookups {
    /// Those who wait, in the order in which they came.
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever asks for all.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    shows: Shows,
    answer: oneshot::Sender<Found>,
}

/// What the database said.
#[derive(Debug, Clone, Copy)]
enum Found {
    Counts,
    DoesNot,
    Failed,
}

impl Lookups {
    /// Whether the token or session counts.
    pub async fn counts(&self, pool: &PgPool, shows: Shows) -> Result<bool, Problem> {
        let mut answer = self.wait(shows);
        loop {
            let _asking = self.asking.lock().await;
            match answer.try_recv() {
                Ok(Found::Counts) => return Ok(true),
                Ok(Found::DoesNot) => return Ok(false),
                Ok(Found::Failed) => return Err(unavailable()),
                // Whoever asked for this one went away before the answer came.
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

    /// Asks for those who have waited longest, and tells each.
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
            // Whoever is gone needs no answer.
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
