//! `Idempotency-Key`: a request that is sent again is answered as the first was, and nothing is done twice.

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    Body,
    call::{Answer, Call},
    check,
    problem::{Code, Problem},
};
use crate::tables::idempotency_key::{self, Known};

/// The header's name, in problems.
const FIELD: &str = "Idempotency-Key";

/// How long a key may be.
pub(super) const KEY_CHARS_MAX: usize = 128;

/// Looks whether this request was carried out before; if so, what it was answered.
///
/// The note of it is committed with what the request does, so a request that failed may be sent again.
pub(super) async fn begin(call: &Call<'_>, conn: &mut PgConnection) -> Result<Option<Answer>, Problem> {
    let (Some(key), Some(caller)) = (&call.request.idempotency_key, call.caller) else { return Ok(None) };
    check::visible(FIELD, key, KEY_CHARS_MAX)?;
    if key.is_empty() {
        return Err(Problem::parameter(FIELD, "must not be empty"));
    }
    let mut hash = Sha256::new();
    for part in [call.request.method.as_bytes(), call.request.path.as_bytes(), &call.request.body] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    match idempotency_key::begin(conn, caller.token_id, key, &hash.finalize()).await? {
        Known::New => Ok(None),
        Known::Answered(status, answer) => Answer::new(status, answer).map(Some),
        Known::Other => {
            let detail = "another request was sent under this key: give each request a key of its own";
            Err(Problem::new(Code::IdempotencyKeyReused, detail).at(FIELD))
        }
    }
}

/// Keeps the answer for a repetition.
pub(super) async fn finish(call: &Call<'_>, conn: &mut PgConnection, answer: Answer) -> Result<Answer, Problem> {
    let known_by = call.request.idempotency_key.as_ref().zip(call.caller);
    if let (Some((key, caller)), Body::Json(body)) = (known_by, &answer.body) {
        let body: &Value = body;
        idempotency_key::finish(conn, caller.token_id, key, answer.status, body).await?;
    }
    Ok(answer)
}
