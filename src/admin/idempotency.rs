//! `Idempotency-Key`: a POST that is sent again is answered as the first was, and nothing is done twice.
//!
//! Every POST takes one, but those whose answer is a secret that we do not keep. It refuses to know what a POST does.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    Body,
    call::{Answer, Call},
    check,
    line::About,
    problem::{Code, Problem},
    route::{Endpoint, Route},
};
use crate::tables::access::idempotency_key::{self, Known, Request};

/// The header's name, in problems.
const FIELD: &str = "Idempotency-Key";

/// How long a key may be.
pub(super) const KEY_CHARS_MAX: usize = 128;

/// A request that its caller gave a key.
pub(super) struct Key {
    request: Request,
}

/// Whether a route takes a key: a POST does, unless its answer is a secret that we do not keep.
pub(super) fn is_taken(route: &Route) -> bool {
    let secret = [Endpoint::ApiTokenAdd, Endpoint::StaffBindLogin, Endpoint::SessionMake];
    route.method == "POST" && !secret.contains(&route.endpoint)
}

impl Key {
    /// The key of a POST; none if the caller gave none.
    pub(super) fn of(call: &Call<'_>, route: &Route) -> Result<Option<Self>, Problem> {
        let (Some(key), Some(caller)) = (&call.request.idempotency_key, call.caller) else { return Ok(None) };
        if route.method != "POST" {
            return Ok(None);
        }
        if !is_taken(route) {
            let detail = "is not taken here, because the answer is a secret and not kept: ask for another one";
            return Err(Problem::parameter(FIELD, detail));
        }
        check::visible(FIELD, key, KEY_CHARS_MAX).map_err(|it| it.coded(Code::InvalidParameter))?;
        if key.is_empty() {
            return Err(Problem::parameter(FIELD, "must not be empty"));
        }
        let mut hash = Sha256::new();
        for part in [call.request.method.as_bytes(), call.request.path.as_bytes(), &call.request.body] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let request = Request { caller: caller.key(), key: key.clone(), hash: hash.finalize().into() };
        Ok(Some(Self { request }))
    }

    /// What the request was answered before, if it was; nobody is waited for.
    ///
    /// So a repetition is answered even while WeCom, which the first had to ask, is away.
    pub(super) async fn known(&self, call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Option<Answer>, Problem> {
        match idempotency_key::find(conn, &self.request).await? {
            Some(known) => answer(known, call),
            None => Ok(None),
        }
    }

    /// Notes that the request is being carried out, or says what it was answered.
    ///
    /// The note is committed with what the request does, so a request that failed may be sent again.
    pub(super) async fn begin(&self, call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Option<Answer>, Problem> {
        answer(idempotency_key::begin(conn, &self.request).await?, call)
    }

    /// Keeps the answer for a repetition.
    pub(super) async fn finish(&self, about: About<'_>, conn: &mut PgConnection, answer: &Answer) -> sqlx::Result<()> {
        let Body::Json(body) = &answer.body else { return Ok(()) };
        idempotency_key::finish(conn, &self.request, answer.status, body, about.subject, about.customer).await
    }
}

fn answer(known: Known, call: &mut Call<'_>) -> Result<Option<Answer>, Problem> {
    match known {
        Known::New => Ok(None),
        Known::Answered { status, answer, subject, customer } => {
            (call.subject, call.customer) = (subject, customer);
            Answer::new(status, answer).map(Some)
        }
        Known::Other => {
            let detail = "another request was sent under this key: give each request a key of its own";
            Err(Problem::new(Code::IdempotencyKeyReused, detail).at(FIELD))
        }
    }
}
