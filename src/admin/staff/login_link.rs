//! `staff-bind/login`: staff members bind themselves by logging in to WeCom.
//!
//! An operator requests a link for one staff id. The member who logs in with it returns from WeCom with a code and
//! the link's one-time state, and is bound to that staff id; a small page tells them so. The state is the proof, so
//! this route needs no token. How the link reaches its staff member is not known here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Refused},
            login_state as state,
            login_state::Login,
        },
        reading::{
            body, corp,
            visit::{self, Refusal, page},
        },
        spec::{
            language::say,
            operation::{Content, Operation, RequestBody, Response, Tag},
            parameter::{Allowed, query},
            problem::{Code, Problem},
            route::{Access, Entry, OPERATOR, Route, ask_first},
        },
    },
    check,
    staff::binding::{self, MemberToBind, NotBoundNow},
    tables::{
        access::login_state::{self, Made},
        staff::staff_wechat_bind,
    },
    vault,
    wecom::Api,
};

/// How long a link can be used.
const LINK_LIFE_S: f64 = state::LIFE_S as f64;

/// The path of WeCom's redirect, below `wecom.public_url`.
const CALLBACK_PATH: &str = "/api/enterprise-wechat/staff-bind/login/callback";

/// Whom a link is for.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LoginLinkWanted")]
pub(super) struct LoginLinkBody {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// The staff member who shall log in.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: String,
}

/// A link to be made, and the app through which its login goes.
pub(super) struct Way {
    staff_id: String,
    api: Api,
}

/// A link as it goes out.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "LoginLink")]
pub(super) struct Link {
    /// Whom it is for.
    staff_id: String,
    /// The corp.
    corpid: String,
    /// For a browser: a QR code to scan.
    scan_url: String,
    /// For WeCom's own client.
    in_client_url: String,
    /// Until when it can be used.
    expires_at: DateTime<Utc>,
}

// Making a link stores its one-time state, so it is not a GET: those may be repeated or prefetched.
pub(super) const LINK: Route = Route {
    id: "staffBindLogin",
    method: "POST",
    path: "/api/enterprise-wechat/staff-bind/login",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: true,
    run: ask_first!(make_link),
    operation: Operation {
        about: say(
            "Whoever logs in to WeCom with it is bound to that staff id. It works once, for five minutes.",
            "员工通过该链接登录企业微信后即与该员工编号绑定。链接五分钟内有效，仅可使用一次。",
        ),
        body: Some(RequestBody::of::<LoginLinkBody>()),
        answers: &[Response::json::<Link>(201, "The link.", "链接。")],
        codes: &[Code::SettingMissing],
        asks_wecom: true,
        ..Operation::new(Tag::Staff, "Make a link by which a staff member binds themselves", "生成员工自助绑定链接")
    },
};

async fn make_link(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let wanted: LoginLinkBody = body::parse(&call.request.body)?;
    let about = About::thing(&wanted.staff_id);
    about.then(ask_way(call, wanted).await, |way, call, conn| Box::pin(make(call, way, conn)))
}

/// Finds the app through which a login goes.
async fn ask_way(call: &Call<'_>, wanted: LoginLinkBody) -> Result<Way, Problem> {
    check::id("staff_id", &wanted.staff_id)?;
    if call.admin.settings.public_url.is_empty() {
        let detail = (
            "set wecom.public_url to where staff members' browsers reach this program",
            "请先配置 wecom.public_url（员工浏览器可访问的地址）",
        );
        return Err(Problem::new(Code::SettingMissing, detail));
    }
    let corpid = {
        let mut conn = call.admin.pool.acquire().await?;
        corp::of_field(&mut conn, wanted.corpid.as_deref()).await?
    };
    let api = call.admin.wecom.corp(&corpid).await?;
    if api.agentid() == 0 {
        let detail = (
            "a login goes through an app: save its agentid with `POST config`",
            "登录须经由应用，请先用 `POST config` 保存其 AgentId",
        );
        return Err(Problem::new(Code::SettingMissing, detail));
    }
    Ok(Way { staff_id: wanted.staff_id, api })
}

/// Makes a link. It stores a state, so it is not safe to repeat, and a POST.
async fn make(call: &Call<'_>, way: Way, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let Way { staff_id, api } = way;
    let state = state::make(&call.admin.vault, Login::Link, api.app_id())?;
    let made = Made { corpid: api.corpid().clone(), app_id: api.app_id(), staff_id };
    let expires_at = login_state::make(conn, &vault::token_hash(&state), &made, LINK_LIFE_S).await?;
    let redirect = format!("{}{CALLBACK_PATH}", call.admin.settings.public_url);
    Answer::new(
        201,
        Link {
            staff_id: made.staff_id,
            corpid: made.corpid.0,
            scan_url: api.scan_url(&redirect, &state),
            in_client_url: api.in_client_url(&redirect, &state),
            expires_at,
        },
    )
}

// A staff member's browser comes here from WeCom: it has no token, but the state of a link that was made for it.
pub(super) const VISIT: Route = Route {
    id: "staffBindLoginCallback",
    method: "GET",
    path: "/api/enterprise-wechat/staff-bind/login/callback",
    access: Access::Public(Entry::ComesBack(Login::Link)),
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(come_back),
    operation: Operation {
        about: say(
            "A staff member's browser comes here from WeCom. The link's one-time state is the proof, so it needs no token. \
             Each answer is a page for that person.",
            "员工浏览器由企业微信跳转至此，凭链接中的一次性 state，无需令牌。返回给员工看的页面。",
        ),
        query: &[
            query("code", Allowed::Text(""), "WeCom's code of the login.", "企业微信返回的 code。"),
            query("state", Allowed::Text(""), "The link's one-time state.", "链接中的一次性 state。"),
        ],
        answers: &[
            Response::new(200, "They are bound now, or were before.", "已绑定。", Content::Page),
            Response::new(400, "The address is not whole.", "链接不完整。", Content::Page),
            Response::new(403, "They may not be bound.", "不可绑定。", Content::Page),
            Response::new(
                409,
                "They, or the staff id, are bound to somebody else.",
                "已绑定到其他账号。",
                Content::Page,
            ),
            Response::new(410, "The link was used, or is too old.", "链接已使用或已过期。", Content::Page),
            Response::new(502, "WeCom did not confirm the login.", "企业微信未确认登录。", Content::Page),
        ],
        asks_wecom: true,
        ..Operation::new(Tag::Staff, "Where that link's login leads back to", "登录回跳地址")
    },
};

/// Redeems a link's state, then WeCom's code, and identifies the member. The state is used up in any case: otherwise
/// somebody else could try a link that failed half-way. A state that was not made here causes no query.
async fn come_back(call: &Call<'_>) -> Result<Asked, Refused> {
    let mut params = call.params()?;
    let (code, state) = (params.take("code"), params.take("state"));
    let (Some(code), Some(state)) = (code, state) else {
        return Ok(not_bound(About::nothing(), 400, "链接不完整。请重新打开管理员发给您的链接。"));
    };
    let made = match state::read(&call.admin.vault, Login::Link, &state) {
        Some(_) => {
            let mut conn = call.admin.pool.acquire().await?;
            login_state::redeem(&mut conn, &vault::token_hash(&state)).await?
        }
        None => None,
    };
    let Some(made) = made else {
        let text = "链接已使用、已过期或不存在（有效期 5 分钟）。请向管理员索取新的链接。";
        return Ok(not_bound(About::nothing(), 410, text));
    };
    let about = About::thing(&made.staff_id);
    let api = match call.admin.wecom.app(made.app_id).await {
        Ok(api) => api,
        Err(error) => return Err(about.refused(error.into())),
    };
    Ok(match visit::ask(&api, &code).await {
        Ok(member) => {
            let found = MemberToBind { corpid: made.corpid, staff_id: made.staff_id, member };
            about.then(Ok(found), |found, _, conn| Box::pin(finish(found, conn)))?
        }
        Err(Refusal { status, why, again }) => {
            let hint = if again { "请向管理员索取新的链接。" } else { "" };
            not_bound(about, status, &format!("{why}。{hint}"))
        }
    })
}

/// The page of a login that binds nobody.
fn not_bound(about: About, status: u16, text: &str) -> Asked {
    Asked::Done { about, answer: page(status, "未能绑定", text) }
}

/// Binds who came, and tells them.
async fn finish(found: MemberToBind, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let who = found.member.name.as_deref().unwrap_or(found.member.user.as_str()).to_owned();
    // A refused insert would spoil the transaction that the access log's line is in.
    let mut inner = conn.begin().await?;
    match binding::bind(&mut inner, &found).await {
        Ok(binding) => {
            inner.commit().await?;
            Ok(page(200, "绑定成功", &format!("{who}，您的企业微信已绑定到员工编号 {}。", binding.staff_id)))
        }
        Err(NotBoundNow::Database(error)) => Err(error.into()),
        Err(taken) => {
            inner.rollback().await?;
            if staff_wechat_bind::is_bound(conn, &found.corpid, &found.staff_id, &found.member.user).await? {
                return Ok(page(
                    200,
                    "已绑定",
                    &format!("{who}，您的企业微信此前已绑定到员工编号 {}。", found.staff_id),
                ));
            }
            let text = match taken {
                NotBoundNow::StaffBound => format!("员工编号 {} 已绑定了其他企业微信账号。", found.staff_id),
                _ => "您的企业微信已绑定到其他员工编号。".to_owned(),
            };
            Ok(page(409, "未能绑定", &format!("{text}请联系管理员先解除原绑定。")))
        }
    }
}
