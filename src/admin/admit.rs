//! Who gets as far as the database: decided from a request's head, before its body is read.

use std::time::{Duration, Instant};

use bytes::Bytes;
use secrecy::ExposeSecret;
use sqlx::PgConnection;

use super::{
    Admin, Reply, Request,
    auth::{Caller, NotARole, Role},
    browser::{self, Cookie},
    guard::{self, Guard},
    line::Line,
    problem::{Code, Problem},
    route::{self, Access, Found},
};
use crate::{
    tables::{api_token, console_session},
    vault,
};

/// What stands in the access log for the method and route of somebody who was turned away before it was looked for.
const NO_ROUTE: &str = "-";

/// A request that may be read to its end: there is such a route, and its token is worth looking up.
pub struct Admitted {
    pub(super) request: Request,
    pub(super) found: Found,
    /// What the caller shows; none on a route that needs nothing.
    pub(super) shows: Option<Shows>,
}

/// What a caller shows to be let in: the hash of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shows {
    /// A token.
    Token([u8; 32]),
    /// The cookie of a session.
    Session([u8; 32]),
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
    let shows = match found.route.access {
        Access::Public => None,
        Access::Role(_) => {
            let line = Line { guard, request: &request, route: found.route.path };
            let shows = shown(guard, &request, &admin.settings.public_url, now);
            Some(shows.map_err(|problem| line.refused(problem).reply(id))?)
        }
    };
    Ok(Admitted { request, found, shows })
}

/// Finds out who is calling, and remembers whether what they show counts.
///
/// Tokens and sessions are looked up by their SHA-256, so how long the search takes tells at most about hashes, which
/// nobody can choose: it is as good as a comparison in constant time. They are looked up for every request; so one that
/// was revoked has ended in every process at once.
pub(super) async fn authenticate(
    conn: &mut PgConnection,
    guard: &Guard,
    address: &str,
    shows: &Shows,
) -> Result<Caller, Problem> {
    let (hash, caller) = match shows {
        Shows::Token(hash) => (hash, by_token(conn, hash).await?),
        Shows::Session(hash) => (hash, by_session(conn, hash).await?),
    };
    match caller {
        Some(caller) => {
            guard.known(address, hash, Instant::now());
            Ok(caller)
        }
        None => {
            guard.unknown(address, hash);
            Err(not_known(shows))
        }
    }
}

async fn by_token(conn: &mut PgConnection, hash: &[u8; 32]) -> Result<Option<Caller>, Problem> {
    let Some(live) = api_token::find_live(conn, hash).await? else { return Ok(None) };
    if live.unused_lately {
        api_token::used(conn, live.id).await?;
    }
    let role = role(&live.role)?;
    Ok(Some(Caller { token_id: Some(live.id), session_id: None, name: live.name, role, own: live.own }))
}

async fn by_session(conn: &mut PgConnection, hash: &[u8; 32]) -> Result<Option<Caller>, Problem> {
    let Some(live) = console_session::find_live(conn, hash).await? else { return Ok(None) };
    if live.unused_lately {
        console_session::used(conn, live.id).await?;
    }
    let role = role(&live.role)?;
    Ok(Some(Caller { token_id: live.token_id, session_id: Some(live.id), name: live.name, role, own: live.own }))
}

fn role(name: &str) -> Result<Role, Problem> {
    name.parse().map_err(|error: NotARole| Problem::internal(error))
}

/// The hash of what a request shows, if it is worth looking up. A token counts before a cookie.
fn shown(guard: &Guard, request: &Request, public_url: &str, now: Instant) -> Result<Shows, Problem> {
    let cookie = request.browser.cookie(Cookie::Session, browser::secure(public_url));
    let (shows, hash) = match (request.bearer.as_ref().map(ExposeSecret::expose_secret), cookie) {
        (Some(token), _) => {
            let hash = vault::token_hash(token);
            if !vault::is_token(token) {
                return Err(not_known(&Shows::Token(hash)));
            }
            (Shows::Token(hash), hash)
        }
        (None, Some(session)) => {
            let hash = vault::token_hash(session);
            if !browser::is_random(session) {
                return Err(not_known(&Shows::Session(hash)));
            }
            if request.method != "GET" {
                request.browser.check_own(session, public_url)?;
            }
            (Shows::Session(hash), hash)
        }
        (None, None) => {
            return Err(unauthenticated("send a token of the admin API: `Authorization: Bearer wcd_…`, or log in"));
        }
    };
    match guard.show(&request.address, &hash, now) {
        guard::Shown::Maybe => {}
        guard::Shown::Refused => return Err(not_known(&shows)),
        guard::Shown::TooMany(wait) => return Err(too_many(wait, "too many tokens from this address do not count")),
    }
    let admitted = guard.admit_token(&hash, now);
    admitted.map_err(|wait| too_many(wait, "too many requests are made with this token"))?;
    Ok(shows)
}

fn not_known(shows: &Shows) -> Problem {
    unauthenticated(match shows {
        Shows::Token(_) => "the token is not known here, or it ended or was revoked: ask for a new one",
        Shows::Session(_) => "the session has ended: log in again. 登录已失效,请重新登录。",
    })
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail).with_header("www-authenticate", "Bearer")
}

fn too_many(wait: Duration, why: &str) -> Problem {
    let seconds = wait.as_secs().saturating_add(1);
    let problem = Problem::new(Code::TooManyRequests, format!("{why}: wait {seconds} s"));
    problem.with_header("retry-after", seconds.to_string())
}
