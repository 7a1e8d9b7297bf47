//! `Idempotency-Key`: a repeated POST gets the first one's answer, and nothing is done twice.
//!
//! Every POST takes one, except those whose answer is a secret that is not stored. What a POST does is not known
//! here.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    call::{About, Answer, Call},
    reply::Body,
};
use crate::{
    admin::spec::{
        problem::{Code, Problem},
        route::Route,
    },
    check,
    tables::access::idempotency_key::{self, Known, Request},
};

/// The header's name, in problems.
const FIELD: &str = "Idempotency-Key";

/// How long a key may be.
pub const KEY_CHARS_MAX: usize = 128;

/// A request with an idempotency key.
pub struct Key {
    request: Request,
}

/// Whether a route takes a key: a POST does, unless its answer is a secret that is not stored.
pub fn is_taken(route: &Route) -> bool {
    route.method == "POST" && !route.secret_answer
}

impl Key {
    /// The key of a POST; none if the caller gave none.
    pub fn of(call: &Call<'_>, route: &Route) -> Result<Option<Self>, Problem> {
        let (Some(key), Some(caller)) = (&call.request.idempotency_key, call.caller) else { return Ok(None) };
        if route.method != "POST" {
            return Ok(None);
        }
        if !is_taken(route) {
            let detail = (
                "is not taken here, because the answer is a secret and not kept: ask for another one",
                "此处不支持：返回内容为密钥且不保存，请重新申请",
            );
            return Err(Problem::parameter(FIELD, detail));
        }
        check::visible(FIELD, key, KEY_CHARS_MAX).map_err(|it| Problem::parameter(it.field, it.why))?;
        if key.is_empty() {
            return Err(Problem::parameter(FIELD, ("must not be empty", "不得为空")));
        }
        let mut hash = Sha256::new();
        for part in [call.request.method.as_bytes(), call.request.path.as_bytes(), &call.request.body] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let request = Request { caller: caller.key(), key: key.clone(), hash: hash.finalize().into() };
        Ok(Some(Self { request }))
    }

    /// The stored answer to the request, if there is one; it does not wait for a request in progress.
    ///
    /// So a repetition is answered even while WeCom, which the first one had to ask, is away.
    pub async fn known(&self, conn: &mut PgConnection) -> Result<Option<(Answer, About)>, Problem> {
        match idempotency_key::find(conn, &self.request).await? {
            Some(known) => answer(known),
            None => Ok(None),
        }
    }

    /// Records that the request is in progress, or returns its stored answer.
    ///
    /// The record is committed with the request's changes, so a failed request may be sent again.
    pub async fn begin(&self, conn: &mut PgConnection) -> Result<Option<(Answer, About)>, Problem> {
        answer(idempotency_key::begin(conn, &self.request).await?)
    }

    /// Stores the answer for a repetition.
    pub async fn finish(&self, about: &About, conn: &mut PgConnection, answer: &Answer) -> sqlx::Result<()> {
        let Body::Json(body) = &answer.body else { return Ok(()) };
        idempotency_key::finish(conn, &self.request, answer.status, body, &about.subject, &about.customer).await
    }
}

fn answer(known: Known) -> Result<Option<(Answer, About)>, Problem> {
    match known {
        Known::New => Ok(None),
        Known::Answered { status, answer, subject, customer } => {
            Ok(Some((Answer::json(status, answer), About { subject, customer })))
        }
        Known::Other => {
            let detail = (
                "another request was sent under this key: give each request a key of its own",
                "该幂等键已用于其他请求，请为每个请求使用不同的键",
            );
            Err(Problem::new(Code::IdempotencyKeyReused, detail).at(FIELD))
        }
    }
}
