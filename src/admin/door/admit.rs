//! Admission: decides from a request's head, before its body is read.

use std::time::{Duration, Instant};

use bytes::Bytes;
use secrecy::ExposeSecret;
use sqlx::{PgConnection, Postgres, pool::PoolConnection};
use uuid::Uuid;

use super::{
    auth::{Caller, Shows},
    browser::{self, Cookie},
    call::About,
    guard::{Memory, Refused, Share},
    line::Line,
    login_state,
    reply::Reply,
    request::Request,
    state::Admin,
};
use crate::{
    admin::{
        routes::{self, Found},
        spec::{
            problem::{Code, Problem},
            route::{Access, Entry},
        },
    },
    tables::access::{api_token, console_session},
    vault,
};

/// The logged method of requests for the description, since callers may send any.
const ANY_METHOD: &str = "-";

/// The answer to unauthenticated callers whose share is used up.
const MANY_FROM_ADDRESS: (&str, &str) =
    ("this address makes too many requests without a token that counts", "该地址未带有效令牌的请求过多");

/// A request whose body may be read: its route exists, and its token is valid.
pub struct Admitted {
    pub request: Request,
    pub found: Found,
    /// The caller's credential; none on a route that needs none.
    pub shows: Option<Shows>,
}

impl Admitted {
    /// The same with its body.
    pub fn with_body(mut self, body: Bytes) -> Self {
        self.request.body = body;
        self
    }
}

/// Admits a request by its head, or says why not.
///
/// The route is checked first. Requests without a valid token, and failing ones, use up shares of their own, never
/// those of authenticated callers. The database is asked only about what this process does not remember.
pub async fn admit(admin: &Admin, request: Request) -> Result<Admitted, Reply> {
    let (guard, now, id) = (&admin.guard, Instant::now(), request.request_id);
    // An unknown path is answered from memory and leaves no line.
    let found = routes::find(&request.method, &request.path).map_err(|problem| problem.reply(id))?;
    let line = Line { guard, request: &request, route: found.route.path };
    let shows = match found.route.access {
        Access::Public(entry) => {
            let admitted = admit_login(admin, &request, entry, now);
            admitted.map_err(|wait| line.refused(Problem::too_many(wait, MANY_FROM_ADDRESS)).reply(id))?;
            None
        }
        Access::Role(_) => {
            let shows = shown(&request, &admin.settings.public_url);
            let shows = shows.map_err(|problem| line.failed(problem, now).reply(id))?;
            looked_up(admin, &line, shows, now).await.map_err(|problem| {
                problem.log(id);
                problem.reply(id)
            })?;
            Some(shows)
        }
    };
    Ok(Admitted { request, found, shows })
}

/// Admits a login. One that returns with a state of ours took its share when it began, or was sent by an operator;
/// with any other state it counts as failed.
fn admit_login(admin: &Admin, request: &Request, entry: Entry, now: Instant) -> Result<(), Duration> {
    let Entry::ComesBack(login) = entry else {
        return admin.guard.admit(Share::Logins, &request.address, now);
    };
    let text = form_urlencoded::parse(request.query.as_bytes()).find(|(name, _)| name == "state");
    match text.and_then(|(_, text)| login_state::read(&admin.vault, login, &text)) {
        Some(state) => admin.guard.admit_state(&state.nonce, now),
        None => admin.guard.admit(Share::Failures, &request.address, now),
    }
}

/// Admits a request for the API's description at `route`, or says why not.
pub fn admit_reader(admin: &Admin, address: &str, route: &'static str, request_id: Uuid) -> Result<(), Reply> {
    let admitted = admin.guard.admit(Share::Documents, address, Instant::now());
    admitted.map_err(|wait| {
        let problem = Problem::too_many(wait, MANY_FROM_ADDRESS);
        let (method, address, status) = (ANY_METHOD.to_owned(), address.to_owned(), problem.code().status());
        admin.guard.refuse(Refused { method, route, status, address }, request_id);
        problem.reply(request_id)
    })
}

/// Authenticates the caller and checks the route's access; the connection is kept for the request. On a route without
/// a token there is no caller: an unauthenticated request costs no connection until something must be looked up or
/// stored.
pub async fn identify(
    admin: &Admin,
    admitted: &Admitted,
    line: &Line<'_>,
) -> Result<Option<(PoolConnection<Postgres>, Caller)>, Problem> {
    let (route, id) = (admitted.found.route, &admitted.found.id);
    let (needed, shows) = match (route.access, &admitted.shows) {
        (Access::Public(_), _) => return Ok(None),
        (Access::Role(needed), Some(shows)) => (needed, shows),
        (Access::Role(_), None) => return Err(Problem::internal("a caller who shows nothing was admitted")),
    };
    let mut conn = admin.pool.acquire().await?;
    let Some(caller) = caller(&mut conn, shows).await? else {
        // The token or session ended a moment ago, so it was not a guess.
        let _ = admin.guard.unknown(&admitted.request.address, shows.hash(), Instant::now());
        return Err(line.refused(not_known(shows)));
    };
    admin.guard.known(shows.hash(), Instant::now());
    if let Err(problem) = caller.reaches(route.scoped).and_then(|()| caller.may(needed)) {
        return Err(line.turned_away(&mut conn, Some(&caller), &About::thing(id.clone()), problem).await);
    }
    Ok(Some((conn, caller)))
}

/// The caller with this credential, if it is valid.
///
/// Tokens and sessions are looked up by their SHA-256, so the time of the look-up reveals at most something about
/// hashes, which nobody can choose: it is as good as a comparison in constant time. They are looked up for every
/// request, so a revoked one ends in every process at once.
async fn caller(conn: &mut PgConnection, shows: &Shows) -> Result<Option<Caller>, Problem> {
    match shows {
        Shows::Token(hash) => by_token(conn, hash).await,
        Shows::Session(hash) => by_session(conn, hash).await,
    }
}

async fn by_token(conn: &mut PgConnection, hash: &[u8; 32]) -> Result<Option<Caller>, Problem> {
    let Some(live) = api_token::find_live(conn, hash).await? else { return Ok(None) };
    if live.unused_lately {
        api_token::used(conn, live.id).await?;
    }
    Ok(Some(Caller { token_id: Some(live.id), session_id: None, name: live.name, role: live.role, own: live.own }))
}

async fn by_session(conn: &mut PgConnection, hash: &[u8; 32]) -> Result<Option<Caller>, Problem> {
    let Some(live) = console_session::find_live(conn, hash).await? else { return Ok(None) };
    if live.unused_lately {
        console_session::used(conn, live.id).await?;
    }
    Ok(Some(Caller {
        token_id: live.token_id,
        session_id: Some(live.id),
        name: live.name,
        role: live.role,
        own: live.own,
    }))
}

/// A request's credential, if it has the form of a token or a session. A token takes precedence over a cookie.
fn shown(request: &Request, public_url: &str) -> Result<Shows, Problem> {
    let cookie = request.browser.cookie(Cookie::Session, browser::secure(public_url));
    match (request.bearer.as_ref().map(ExposeSecret::expose_secret), cookie) {
        (Some(token), _) => {
            let shows = Shows::Token(vault::token_hash(token));
            if vault::is_token(token) { Ok(shows) } else { Err(not_known(&shows)) }
        }
        (None, Some(session)) => {
            let shows = Shows::Session(vault::token_hash(session));
            if !browser::is_random(session) {
                return Err(not_known(&shows));
            }
            if request.method != "GET" {
                request.browser.check_own(session, public_url)?;
            }
            Ok(shows)
        }
        (None, None) => Err(unauthenticated((
            "send a token of the admin API: `Authorization: Bearer wcd_…`, or log in",
            "请提供管理 API 的令牌 `Authorization: Bearer wcd_…`，或先登录",
        ))),
    }
}

/// Refuses invalid credentials, and valid ones that are used too often.
async fn looked_up(admin: &Admin, line: &Line<'_>, shows: Shows, now: Instant) -> Result<(), Problem> {
    let (guard, address, hash) = (&admin.guard, &line.request.address, shows.hash());
    let memory = guard.recall(address, hash, now);
    if memory == Memory::Refused {
        return Err(line.failed(not_known(&shows), now));
    }
    if memory == Memory::Nothing {
        if !admin.lookups.counts(&admin.pool, shows).await? {
            let why = ("too many tokens from this address do not count", "该地址提供的无效令牌过多");
            let guessed = guard.unknown(address, hash, now).map_err(|wait| Problem::too_many(wait, why));
            return Err(line.failed(guessed.err().unwrap_or_else(|| not_known(&shows)), now));
        }
        guard.known(hash, now);
    }
    let admitted = guard.admit_token(hash, now);
    admitted.map_err(|wait| {
        line.refused(Problem::too_many(wait, ("too many requests are made with this token", "该令牌的请求过于频繁")))
    })
}

fn not_known(shows: &Shows) -> Problem {
    unauthenticated(match shows {
        Shows::Token(_) => (
            "the token is not known here, or it ended or was revoked: ask for a new one",
            "令牌不存在、已过期或已吊销，请申请新令牌",
        ),
        Shows::Session(_) => ("the session has ended: log in again", "登录已失效，请重新登录"),
    })
}

fn unauthenticated(detail: (&'static str, &'static str)) -> Problem {
    Problem::new(Code::Unauthenticated, detail).with_header("www-authenticate", "Bearer")
}
