//! A request's line in the access log. Callers have one each; strangers have one a minute, with their number, so that
//! nobody fills the log by knocking.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::{
    auth::Caller,
    call::{About, Answer},
    guard::{Guard, Refused, Share, Tally, WINDOW},
    request::Request,
    state::Admin,
};
use crate::{admin::spec::problem::Problem, tables::access::access_log};

/// How much of a subject the access log keeps.
const SUBJECT_CHARS_MAX: usize = 128;

/// How often strangers are written down.
const NOTE_EVERY: Duration = WINDOW;

/// Placeholder for unauthenticated callers.
const NOBODY: &str = "-";

/// A request's line, as far as it is known before its outcome.
pub struct Line<'a> {
    pub guard: &'a Guard,
    pub request: &'a Request,
    pub route: &'static str,
}

impl Line<'_> {
    /// Writes down what was carried out. This has to be the last thing in its transaction.
    pub async fn append(
        &self,
        conn: &mut PgConnection,
        caller: Option<&Caller>,
        about: &About,
        status: u16,
    ) -> sqlx::Result<()> {
        if caller.is_none() && about.subject.is_empty() {
            // An answer about nobody, for nobody: a stranger's guess at somebody else's link, or somebody who sets out
            // to log in, of whom nothing is known yet.
            if status >= 400 {
                self.count(status);
            }
            return Ok(());
        }
        let entry = access_log::Entry {
            token_id: caller.and_then(|it| it.token_id),
            who: caller.map_or(NOBODY, |it| &it.name),
            role: caller.map_or(NOBODY, |it| it.role.as_str()),
            method: &self.request.method,
            route: self.route,
            subject: &kept(&about.subject),
            customer: &kept(&about.customer),
            status: i16::try_from(status).unwrap_or(i16::MAX),
            times: 1,
            request_id: self.request.request_id,
            address: &self.request.address,
        };
        access_log::append(conn, &entry).await
    }

    /// Writes down that a request was not carried out. If even that fails, the caller still learns the first reason.
    pub async fn turned_away(
        &self,
        conn: &mut PgConnection,
        caller: Option<&Caller>,
        about: &About,
        problem: Problem,
    ) -> Problem {
        let status = problem.code().status();
        if let Err(error) = self.append(conn, caller, about, status).await {
            let id = self.request.request_id;
            tracing::error!(request.id = %id, status, error = %error, "a refused request is missing in the access log");
        }
        problem
    }

    /// Counts a stranger who was refused.
    pub fn refused(&self, problem: Problem) -> Problem {
        self.count(problem.code().status());
        problem
    }

    /// Counts a stranger who is answered, if that is a refusal: a guess at somebody else's link, a login that is too old.
    pub fn answered_nobody(&self, answer: Answer) -> Answer {
        if answer.status >= 400 {
            self.count(answer.status);
        }
        answer
    }

    /// Counts a stranger whose request fails. Whoever fails too often is told to wait instead.
    pub fn failed(&self, problem: Problem, now: Instant) -> Problem {
        let admitted = self.guard.admit(Share::Failures, &self.request.address, now);
        let many = |wait| Problem::too_many(wait, ("too many requests from this address fail", "该地址的失败请求过多"));
        self.refused(admitted.map_err(many).err().unwrap_or(problem))
    }

    fn count(&self, status: u16) {
        let Request { method, address, request_id, .. } = self.request;
        let refused = Refused { method: method.clone(), route: self.route, status, address: address.clone() };
        self.guard.refuse(refused, *request_id);
    }
}

/// Writes down every minute which strangers were refused, for as long as the program runs.
pub async fn note(admin: std::sync::Arc<Admin>) {
    loop {
        tokio::time::sleep(NOTE_EVERY).await;
        note_refused(&admin).await;
    }
}

/// Writes down which strangers were refused since the last time; what cannot be written is kept for the next.
pub async fn note_refused(admin: &Admin) {
    let refused = admin.guard.take_refused();
    if refused.is_empty() {
        return;
    }
    let mut conn = match admin.pool.acquire().await {
        Ok(conn) => conn,
        Err(error) => {
            tracing::warn!(error = %error, "refused strangers cannot be written to the access log yet");
            return refused.into_iter().for_each(|(refused, tally)| admin.guard.add(refused, tally));
        }
    };
    for (refused, tally) in refused {
        if let Err(error) = append_sum(&mut conn, &refused, &tally).await {
            tracing::warn!(error = %error, "refused strangers cannot be written to the access log yet");
            admin.guard.add(refused, tally);
        }
    }
}

async fn append_sum(conn: &mut PgConnection, refused: &Refused, tally: &Tally) -> sqlx::Result<()> {
    let entry = access_log::Entry {
        token_id: None,
        who: NOBODY,
        role: NOBODY,
        method: &refused.method,
        route: refused.route,
        subject: "",
        customer: "",
        status: i16::try_from(refused.status).unwrap_or(i16::MAX),
        times: i32::try_from(tally.times).unwrap_or(i32::MAX),
        request_id: tally.request_id,
        address: &refused.address,
    };
    access_log::append(conn, &entry).await
}

fn kept(text: &str) -> String {
    text.chars().filter(|it| *it != '\0').take(SUBJECT_CHARS_MAX).collect()
}
