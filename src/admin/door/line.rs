//! Writes requests to the access log. An authenticated request gets a line of its own; unauthenticated ones are
//! summed up once a minute, so that nobody can fill the log.

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

/// How many bytes of a subject the access log keeps.
const SUBJECT_CHARS_MAX: usize = 128;

/// How often refusals of unauthenticated callers are logged.
const NOTE_EVERY: Duration = WINDOW;

/// Placeholder for unauthenticated callers.
const NOBODY: &str = "-";

/// A request's line before its outcome is known.
pub struct Line<'a> {
    pub guard: &'a Guard,
    pub request: &'a Request,
    pub route: &'static str,
}

impl Line<'_> {
    /// Logs a request that was carried out. This must be the last statement of its transaction.
    pub async fn append(
        &self,
        conn: &mut PgConnection,
        caller: Option<&Caller>,
        about: &About,
        status: u16,
    ) -> sqlx::Result<()> {
        if caller.is_none() && about.subject.is_empty() {
            // An answer without caller and subject: a guess at somebody else's link, or the beginning of a login, of
            // which nothing is known yet.
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

    /// Logs a request that was refused. If even that fails, the caller still learns the first reason.
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

    /// Counts a refused unauthenticated request.
    pub fn refused(&self, problem: Problem) -> Problem {
        self.count(problem.code().status());
        problem
    }

    /// Counts the answer to an unauthenticated caller if it is a refusal: a guess at somebody else's link, a login
    /// that is too old.
    pub fn answered_nobody(&self, answer: Answer) -> Answer {
        if answer.status >= 400 {
            self.count(answer.status);
        }
        answer
    }

    /// Counts a failed unauthenticated request. A caller who fails too often is told to wait instead.
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

/// Logs the refusals of unauthenticated callers every minute, for as long as the program runs.
pub async fn note(admin: std::sync::Arc<Admin>) {
    loop {
        tokio::time::sleep(NOTE_EVERY).await;
        note_refused(&admin).await;
    }
}

/// Logs the refusals since the last time; those that cannot be written are kept for the next.
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
