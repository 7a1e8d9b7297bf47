//! `session`: logs in to the console, by WeCom or with a token; shows the caller; logs out.
//!
//! A login by WeCom stores nothing until it succeeds: its state, which nobody else can make, is sent with the
//! redirect and, as a cookie, to the browser, and must come back by both ways. WeCom's code works once. The login's
//! pages belong to the console.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::{Role, Scoped},
            browser::{self, Cookie},
            call::{About, Answer, Asked, Call, Refused},
            guard::Share,
            login_state::{self, Login},
            reply::Body,
        },
        reading::{
            corp,
            cursor::{Page, Paging},
            visit::{self, Refusal},
        },
        spec::{
            language::{Text, say},
            operation::{Content, Operation, Response, Tag},
            parameter::{Allowed, CORPID, CURSOR, LIMIT, path, query},
            problem::{Code, Problem},
            route::{ADMIN, Access, Entry, Route, VIEWER, ask_first, by_path},
        },
    },
    ids::{CorpId, StaffId},
    staff::binding::KnownMember,
    tables::{
        access::{
            console_session::{self, LIFE_S, Made, New, Of},
            console_user,
        },
        staff::{member_alias, staff_wechat_bind},
    },
    vault,
};

/// Where somebody who logged in goes on.
const CONSOLE_PATH: &str = "/console";

/// The path of WeCom's redirect, below `wecom.public_url`.
const CALLBACK_PATH: &str = "/api/enterprise-wechat/session/login/callback";

/// Who is calling.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WhoCalls")]
pub(super) struct CallerView {
    /// The member's userid, or the token's name.
    who: String,
    /// What they may do.
    role: Role,
    /// The staff member whose customers and orders they see alone; null if they see everything.
    own_staff_id: Option<StaffId>,
    /// The session's number; null for a token.
    session_id: Option<i64>,
    /// When the session ends at the latest; an hour without use ends it, too.
    expires_at: Option<DateTime<Utc>>,
    /// What to send as `X-CSRF-Token` with whatever changes something; null for a token, which needs none.
    csrf_token: Option<String>,
}

/// A member whom WeCom's login has identified.
pub(super) struct Visitor {
    corpid: CorpId,
    known: KnownMember,
}

/// A redirect with cookies.
const ONWARD: &[(&str, Text)] = &[
    ("location", say("Where the browser goes on.", "浏览器跳转地址。")),
    ("set-cookie", say("A cookie.", "Cookie。")),
];

/// Headers that set or delete a cookie.
const COOKIE: &[(&str, Text)] = &[("set-cookie", say("The session's cookie.", "会话 Cookie。"))];

pub(super) const SHOW: Route = Route {
    id: "sessionShow",
    method: "GET",
    path: "/api/enterprise-wechat/session",
    access: VIEWER,
    scoped: Scoped::Caller,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        about: say(
            "A page learns here what to send as `X-CSRF-Token`. A token needs none.",
            "页面由此取得需随改动请求发送的 `X-CSRF-Token`；使用令牌时不需要。",
        ),
        answers: &[Response::json::<CallerView>(200, "Who it is.", "当前身份。")],
        ..Operation::new(Tag::Access, "Show who is calling", "查看当前身份")
    },
};

/// Shows who is calling, and what a page must send along.
pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let caller = call.caller.ok_or_else(nobody)?;
    let expires_at = match caller.session_id {
        Some(id) => console_session::find(conn, id).await?.map(|it| it.expires_at),
        None => None,
    };
    let cookie = caller.session_id.and_then(|_| call.session_cookie());
    let csrf_token = cookie.map(|it| browser::csrf_token(it).expose_secret().to_owned());
    let (who, session_id, own_staff_id) = (caller.name.clone(), caller.session_id, own_staff_id(call));
    Answer::ok(CallerView { who, role: caller.role, own_staff_id, session_id, expires_at, csrf_token })
}

pub(super) const MAKE: Route = Route {
    id: "sessionMake",
    method: "POST",
    path: "/api/enterprise-wechat/session",
    access: VIEWER,
    scoped: Scoped::Caller,
    secret_answer: true,
    run: by_path!(make),
    operation: Operation {
        about: say(
            "The token is shown as `Authorization`; the session ends with it. A token begins at most 20 a minute and has 50 \
             open ones: with another the oldest ends. An `Idempotency-Key` is refused.",
            "令牌通过 `Authorization` 提供，令牌失效会话即失效。每个令牌每分钟最多建立 20 个会话，同时最多 50 个，再多则最早的失效。\
             不支持 `Idempotency-Key`。",
        ),
        answers: &[Response::json::<CallerView>(201, "The session.", "新会话。").with(COOKIE)],
        codes: &[Code::Forbidden],
        ..Operation::new(Tag::Access, "Log a browser in with a token", "用令牌登录")
    },
};

/// Logs a browser in with the token that it shows. The session ends with the token.
pub(super) async fn make(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let caller = call.caller.ok_or_else(nobody)?;
    let (Some(token), None) = (caller.token_id, caller.session_id) else {
        let detail = (
            "a session is made with a token: send one as `Authorization: Bearer wcd_…`",
            "会话须用令牌建立，请通过 `Authorization: Bearer wcd_…` 提供",
        );
        return Err(Problem::new(Code::Forbidden, detail));
    };
    let (cookie, id) = begin(call, conn, Of::Token(token)).await?;
    let session = console_session::find(conn, id).await?;
    let value = cookie.expose_secret();
    let shown = CallerView {
        who: caller.name.clone(),
        role: caller.role,
        own_staff_id: own_staff_id(call),
        session_id: Some(id),
        expires_at: session.map(|it| it.expires_at),
        csrf_token: Some(browser::csrf_token(value).expose_secret().to_owned()),
    };
    let mut answer = Answer::new(201, shown)?;
    answer.headers.push(Cookie::Session.set(call.secure(), value, life()));
    Ok(answer)
}

pub(super) const END: Route = Route {
    id: "sessionEnd",
    method: "DELETE",
    path: "/api/enterprise-wechat/session",
    access: VIEWER,
    scoped: Scoped::Caller,
    secret_answer: false,
    run: by_path!(end),
    operation: Operation {
        answers: &[Response::new(204, "The session has ended.", "会话已结束。", Content::Nothing).with(COOKIE)],
        codes: &[Code::SessionUnknown],
        ..Operation::new(Tag::Access, "Log out", "退出登录")
    },
};

/// Logs out.
pub(super) async fn end(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let Some(id) = call.caller.and_then(|it| it.session_id) else {
        let detail = (
            "a token has none to end: it ends by `DELETE api-tokens/{id}`",
            "令牌没有会话可结束，请用 `DELETE api-tokens/{id}` 吊销令牌",
        );
        return Err(Problem::new(Code::SessionUnknown, detail));
    };
    console_session::end(conn, id).await?;
    let mut answer = Answer::new(204, Value::Null)?;
    answer.headers.push(Cookie::Session.clear(call.secure()));
    Ok(answer)
}

pub(super) const LIST: Route = Route {
    id: "sessionList",
    method: "GET",
    path: "/api/enterprise-wechat/sessions",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<Page<console_session::SessionRow>>(200, "A page of sessions.", "一页会话。")],
        ..Operation::new(Tag::Access, "List who is logged in", "列出登录会话")
    },
};

/// Lists who is logged in.
pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = console_session::page(conn, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const END_OTHER: Route = Route {
    id: "sessionEndOther",
    method: "DELETE",
    path: "/api/enterprise-wechat/sessions/{id}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(end_other),
    operation: Operation {
        path: Some(path("id", Allowed::Number, "The session's number.", "会话编号。")),
        answers: &[Response::json::<console_session::SessionRow>(200, "The session that ended.", "已结束的会话。")],
        codes: &[Code::SessionUnknown],
        ..Operation::new(Tag::Access, "Log somebody out", "结束会话")
    },
};

/// Logs somebody out.
pub(super) async fn end_other(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let wrong =
        |_| Problem::parameter("id", ("must be a number, as the list of sessions shows it", "须为数字，见会话列表"));
    let id: i64 = call.id.parse().map_err(wrong)?;
    let unknown = || {
        Problem::new(
            Code::SessionUnknown,
            ("list them with `GET sessions`; it may have ended", "可用 `GET sessions` 查看；该会话可能已结束"),
        )
        .at("id")
    };
    let session = console_session::find(conn, id).await?.ok_or_else(unknown)?;
    console_session::end(conn, id).await?;
    Answer::ok(session)
}

// A browser without a session has nothing but the redirect's parameters to show.
pub(super) const LOGIN: Route = Route {
    id: "sessionLogin",
    method: "GET",
    path: "/api/enterprise-wechat/session/login",
    access: Access::Public(Entry::SetsOut),
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(log_in),
    operation: Operation {
        about: say("For browsers.", "供浏览器访问。"),
        query: &[CORPID],
        answers: &[Response::new(303, "To WeCom.", "跳转到企业微信。", Content::Nothing).with(ONWARD)],
        asks_wecom: true,
        ..Operation::new(Tag::Access, "Send a browser to WeCom to log in", "跳转到企业微信登录")
    },
};

/// Sends a browser to WeCom to log in.
async fn log_in(call: &Call<'_>) -> Result<Asked, Refused> {
    Ok(Asked::Done { about: About::nothing(), answer: set_out(call).await? })
}

async fn set_out(call: &Call<'_>) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let corpid = params.take("corpid");
    params.finish()?;
    let public_url = &call.admin.settings.public_url;
    if public_url.is_empty() {
        let detail = (
            "set wecom.public_url to where browsers reach this program",
            "请先配置 wecom.public_url（浏览器可访问的地址）",
        );
        return Err(Problem::new(Code::SettingMissing, detail));
    }
    let corpid = {
        let mut conn = call.admin.pool.acquire().await?;
        corp::of_parameter(&mut conn, corpid.as_deref()).await?
    };
    let api = call.admin.wecom.corp(&corpid).await?;
    if api.agentid() == 0 {
        let detail = (
            "a login goes through an app: save its agentid with `POST config`",
            "登录须经由应用，请先用 `POST config` 保存其 AgentId",
        );
        return Err(Problem::new(Code::SettingMissing, detail));
    }
    let state = login_state::make(&call.admin.vault, Login::Console, api.app_id())?;
    let redirect = format!("{public_url}{CALLBACK_PATH}");
    let location = match call.request.browser.is_wecom() {
        true => api.in_client_url(&redirect, &state),
        false => api.scan_url(&redirect, &state),
    };
    let cookie = Cookie::Login.set(call.secure(), &state, login_state::LIFE_S);
    Ok(redirected(location, vec![cookie]))
}

pub(super) const CALLBACK: Route = Route {
    id: "sessionLoginCallback",
    method: "GET",
    path: "/api/enterprise-wechat/session/login/callback",
    access: Access::Public(Entry::ComesBack(Login::Console)),
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(come_back),
    operation: Operation {
        about: say(
            "A browser comes here from WeCom. The state must be the one that it set out with.",
            "浏览器由企业微信跳转至此，state 必须与出发时一致。",
        ),
        query: &[
            query("code", Allowed::Text(""), "WeCom's code of the login.", "企业微信返回的 code。"),
            query("state", Allowed::Text(""), "The state that it set out with.", "出发时的 state。"),
        ],
        answers: &[
            Response::new(303, "Logged in, on to the console.", "已登录，跳转到控制台。", Content::Nothing)
                .with(ONWARD),
            Response::new(
                400,
                "The login is too old, or began elsewhere.",
                "登录已过期或不在此浏览器发起。",
                Content::Page,
            ),
            Response::new(403, "They may not log in.", "没有登录权限。", Content::Page),
            Response::new(502, "WeCom did not confirm the login.", "企业微信未确认登录。", Content::Page),
        ],
        asks_wecom: true,
        ..Operation::new(Tag::Access, "Where that login leads back to", "登录回跳地址")
    },
};

/// Finds out who returned from WeCom's login.
async fn come_back(call: &Call<'_>) -> Result<Asked, Refused> {
    let mut params = call.params()?;
    let (code, state) = (params.take("code"), params.take("state"));
    let own_state = call.request.browser.cookie(Cookie::Login, call.secure());
    let (Some(code), Some(state), Some(own_state)) = (code, state, own_state) else {
        return Ok(not_logged_in(call, 400, "登录已过期,或不是在此浏览器中发起的。请重新登录。"));
    };
    // The browser that returns must be the one that began the login: otherwise somebody could be logged in as
    // somebody else.
    if vault::token_hash(own_state) != vault::token_hash(&state) {
        return Ok(not_logged_in(call, 403, "登录不是在此浏览器中发起的。请重新登录。"));
    }
    // A browser can set its own cookie, so WeCom is asked only for states that were made here.
    let Some(state) = login_state::read(&call.admin.vault, Login::Console, &state) else {
        return Ok(not_logged_in(call, 400, "登录已过期或无效。请重新登录。"));
    };
    let admitted = call.admin.guard.admit(Share::Codes, &call.request.address, Instant::now());
    admitted.map_err(|wait| Problem::too_many(wait, ("too many logins are under way", "登录请求过多")))?;
    let api = call.admin.wecom.app(state.app_id).await?;
    Ok(match visit::ask(&api, &code).await {
        Ok(known) => {
            let about = About::thing(known.user.as_str());
            let visitor = Visitor { corpid: api.corpid().clone(), known };
            about.then(Ok(visitor), |visitor, call, conn| Box::pin(finish(call, visitor, conn)))?
        }
        Err(Refusal { status, why, again }) => {
            not_logged_in(call, status, &format!("{why}。{}", if again { "请重新登录。" } else { "" }))
        }
    })
}

/// Logs them in, if they may.
async fn finish(call: &Call<'_>, visitor: Visitor, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let over = Cookie::Login.clear(call.secure());
    let Visitor { corpid, known } = visitor;
    let renamed = member_alias::resolve(conn, [(&corpid, &known.user)].into_iter()).await?;
    let user = renamed.into_values().next().unwrap_or(known.user);
    let Some(allowed) = console_user::find(conn, &corpid, &user).await? else {
        return Ok(refused(call, 403, "您没有登录控制台的权限。请联系管理员(PUT console-users)。"));
    };
    if allowed.own_only && staff_wechat_bind::staff_of(conn, &corpid, &user).await?.is_none() {
        return Ok(refused(call, 403, "您尚未绑定员工编号,没有可查看的客户。请联系管理员。"));
    }
    let (cookie, _) = begin(call, conn, Of::Member(&corpid, &user)).await?;
    let session = Cookie::Session.set(call.secure(), cookie.expose_secret(), life());
    Ok(redirected(CONSOLE_PATH.to_owned(), vec![session, over]))
}

/// The page after a login that ended without an error.
fn not_logged_in(call: &Call<'_>, status: u16, text: &str) -> Asked {
    Asked::Done { about: About::nothing(), answer: refused(call, status, text) }
}

/// The page of a failed login; it deletes the login's cookie.
fn refused(call: &Call<'_>, status: u16, text: &str) -> Answer {
    let mut page = visit::page(status, "未能登录", text);
    page.headers.push(Cookie::Login.clear(call.secure()));
    page
}

/// Stores a new session; returns its cookie and its number.
async fn begin(call: &Call<'_>, conn: &mut PgConnection, of: Of<'_>) -> Result<(secrecy::SecretString, i64), Problem> {
    let cookie = browser::random();
    let hash = vault::token_hash(cookie.expose_secret());
    let user_agent = call.request.browser.name();
    let new = New { hash: &hash, of, address: &call.request.address, user_agent: &user_agent };
    match console_session::make(conn, &new).await? {
        Made::Session(id) => Ok((cookie, id)),
        Made::TooMany(seconds) => {
            let why = ("too many logins of the same token or member within a minute", "登录过于频繁");
            Err(Problem::too_many(Duration::from_secs(seconds.saturating_sub(1).into()), why))
        }
    }
}

fn redirected(location: String, cookies: Vec<(&'static str, String)>) -> Answer {
    let mut headers = vec![("location", location)];
    headers.extend(cookies);
    Answer { status: 303, body: Body::Json("null".to_owned()), headers, apps_changed: false }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "half a day in seconds")]
fn life() -> u32 {
    LIFE_S as u32
}

fn own_staff_id(call: &Call<'_>) -> Option<StaffId> {
    call.own().map(|it| it.staff_id.clone())
}

fn nobody() -> Problem {
    Problem::internal("a session was asked for by nobody")
}
