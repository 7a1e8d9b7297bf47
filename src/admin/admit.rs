//! Who gets as far as the database: decided from a request's head, before its body is read.

use std::time::{Duration, Instant};

use bytes::Bytes;
use secrecy::ExposeSecret;
use sqlx::PgConnection;

use super::{
    Admin, Reply, Request,
    auth::{Caller, NotARole},
    guard::{Guard, Shown},
    line::Line,
    problem::{Code, Problem},
    route::{self, Access, Found},
};
use crate::{tables::api_token, vault};

/// What stands in the access log for the method and route of somebody who was turned away before it was looked for.
const NO_ROUTE: &str = "-";

/// A request that may be read to its end: there is such a route, and its token is worth looking up.
pub struct Admitted {
    pub(super) request: Request,
    pub(super) found: Found,
    /// The token's hash; none on a route that needs no token.
    pub(super) token: Option<[u8; 32]>,
}

impl Admitted {
    /// The same with its body.
    pub fn with_body(mut self, body: Bytes) -> Self {
        self.request.body = body;
        self
    }
}

/// Admits a request by its head, or says why not. It asks no database.
pub fn admit(admin: &Admin, request: Request) -> Result<Admitted, Reply> {
    let (guard, now, id) = (&admin.guard, Instant::now(), request.request_id);
    if let Err(wait) = guard.admit_address(&request.address, now) {
        // The route was not looked for, so the method may be anything at all.
        let request = Request { method: NO_ROUTE.to_owned(), ..request };
        let line = Line { guard, request: &request, route: NO_ROUTE };
        return Err(line.refused(too_many(wait, "this address makes too many requests")).reply(id));
    }
    let found = route::find(&request.method, &request.path).map_err(|problem| problem.reply(id))?;
    let token = match found.route.access {
        Access::Public => None,
        Access::Role(_) => {
            let line = Line { guard, request: &request, route: found.route.path };
            let token = shown(guard, &request, now);
            Some(token.map_err(|problem| line.refused(problem).reply(id))?)
        }
    };
    Ok(Admitted { request, found, token })
}

/// Finds out who is calling, and remembers whether the token counts.
///
/// A token is looked up by its SHA-256, so how long the search takes tells at most about hashes, which nobody can
/// choose: it is as good as a comparison in constant time. It is looked up for every request; so a token that was
/// revoked has ended in every process at once.
pub(super) async fn authenticate(
    conn: &mut PgConnection,
    guard: &Guard,
    address: &str,
    token: &[u8; 32],
) -> Result<Caller, Problem> {
    let Some(live) = api_token::find_live(conn, token).await? else {
        guard.unknown(address, token);
        return Err(not_known());
    };
    guard.known(address, token, Instant::now());
    if live.unused_lately {
        api_token::used(conn, live.id).await?;
    }
    let role = live.role.parse().map_err(|error: NotARole| Problem::internal(error))?;
    Ok(Caller { token_id: live.id, name: live.name, role, own: live.own })
}

/// The hash of the token that a request shows, if it is worth looking up.
fn shown(guard: &Guard, request: &Request, now: Instant) -> Result<[u8; 32], Problem> {
    let Some(token) = request.bearer.as_ref().map(ExposeSecret::expose_secret) else {
        return Err(unauthenticated("send a token of the admin API: `Authorization: Bearer wcd_…`"));
    };
    if !vault::is_token(token) {
        return Err(not_known());
    }
    let hash = vault::token_hash(token);
    match guard.show(&request.address, &hash, now) {
        Shown::Maybe => {}
        Shown::Refused => return Err(not_known()),
        Shown::TooMany(wait) => return Err(too_many(wait, "too many tokens from this address do not count")),
    }
    let admitted = guard.admit_token(&hash, now);
    admitted.map_err(|wait| too_many(wait, "too many requests are made with this token"))?;
    Ok(hash)
}

fn not_known() -> Problem {
    unauthenticated("the token is not known here, or it ended or was revoked: ask for a new one")
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail).with_header("www-authenticate", "Bearer")
}

fn too_many(wait: Duration, why: &str) -> Problem {
    let seconds = wait.as_secs().saturating_add(1);
    let problem = Problem::new(Code::TooManyRequests, format!("{why}: wait {seconds} s"));
    problem.with_header("retry-after", seconds.to_string())
}
