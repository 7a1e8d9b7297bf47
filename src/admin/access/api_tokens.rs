//! `api-tokens`: the API's tokens. A token is shown once, to its creator, and stored only as its hash.

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    access::token::{self, EXPIRES_DAYS_MAX},
    admin::{
        door::{
            auth::{Role, Scoped},
            call::{About, Answer, Call, Outcome},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging},
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path},
            problem::{Code, Problem},
            route::{ADMIN, Route, by_path, now},
        },
    },
    check,
    tables::{
        self,
        access::api_token::{self, TokenRow},
    },
    vault::ApiToken,
};

/// A token that is wanted.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewToken")]
pub(super) struct TokenBody {
    /// Whose it is.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    name: String,
    /// How far it reaches.
    role: Role,
    /// After how many days it ends by itself; never, if this is left out.
    #[schemars(range(min = 1, max = EXPIRES_DAYS_MAX))]
    expires_days: Option<u32>,
    /// The staff member whose own it is: it ends when they leave.
    staff_id: Option<String>,
    /// Their corp; may be left out where there is only one.
    corpid: Option<String>,
    /// Whether it sees nothing but their own customers and orders.
    #[serde(default)]
    own_only: bool,
}

/// A new token.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "TokenMade")]
pub(super) struct Made {
    #[serde(flatten)]
    listed: TokenRow,
    /// The token itself, this once.
    token: String,
}

/// A token in a list.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "TokenShown")]
pub(super) struct TokenView {
    #[serde(flatten)]
    listed: TokenRow,
    /// `live`, `expired` or `revoked`.
    state: &'static str,
}

const ID: Parameter = path("id", Allowed::Number, "The token's number.", "令牌编号。");

pub(super) const LIST: Route = Route {
    id: "apiTokenList",
    method: "GET",
    path: "/api/enterprise-wechat/api-tokens",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say("What they begin with, never the whole.", "仅显示令牌开头，不显示完整令牌。"),
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<Page<TokenView>>(200, "A page of tokens.", "一页令牌。")],
        ..Operation::new(Tag::Access, "List tokens", "列出令牌")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = api_token::page(conn, after, paging.fetch()).await?;
    let now = tables::now(conn).await?;
    let rows = rows.into_iter().map(|listed| TokenView { state: token::state(&listed, now), listed }).collect();
    Answer::ok(paging.page(rows, |row| row.listed.id.to_string()))
}

pub(super) const ADD: Route = Route {
    id: "apiTokenAdd",
    method: "POST",
    path: "/api/enterprise-wechat/api-tokens",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: true,
    run: now!(add),
    operation: Operation {
        about: say(
            "It is shown this once. An `Idempotency-Key` is refused: to repeat the answer, the token would have to be kept.",
            "令牌只在此时显示一次。不支持 `Idempotency-Key`，因为令牌本身不会保存。",
        ),
        body: Some(RequestBody::of::<TokenBody>()),
        answers: &[Response::json::<Made>(201, "The token.", "新令牌。")],
        ..Operation::new(Tag::Access, "Make a token", "创建令牌")
    },
};

/// Makes a token.
pub(super) async fn add(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let wanted: TokenBody = body::parse(&call.request.body)?;
    let about = About::thing(&wanted.name);
    let answer = async {
        check::id("name", &wanted.name)?;
        if wanted.expires_days.is_some_and(|days| !(1..=EXPIRES_DAYS_MAX).contains(&days)) {
            return Err(Problem::field(
                "expires_days",
                (
                    format!("must be a number from 1 to {EXPIRES_DAYS_MAX}"),
                    format!("须为 1 至 {EXPIRES_DAYS_MAX} 的数字"),
                ),
            ));
        }
        let owner = match &wanted.staff_id {
            Some(staff) => {
                check::id("staff_id", staff)?;
                let corpid = corp::of_field(conn, wanted.corpid.as_deref()).await?;
                Some((corpid, staff))
            }
            None if wanted.corpid.is_some() => {
                return Err(Problem::field(
                    "corpid",
                    ("says whose staff member it is: give staff_id, too", "须同时给出 staff_id"),
                ));
            }
            None => None,
        };
        token::check_own_only(wanted.own_only, owner.is_some(), wanted.role)?;
        let made = ApiToken::new();
        let id = api_token::create(conn, &wanted.name, wanted.role, &made.hash, &made.prefix).await?;
        if let Some(days) = wanted.expires_days {
            api_token::expire_in(conn, id, i32::try_from(days).map_err(Problem::internal)?).await?;
        }
        if let Some((corpid, staff)) = owner {
            api_token::belong(conn, id, &corpid, staff).await?;
        }
        if wanted.own_only {
            api_token::limit_to_own(conn, id).await?;
        }
        let listed = api_token::find(conn, id).await?;
        let listed = listed.ok_or_else(|| Problem::internal("a token that was just made is not there"))?;
        Answer::new(201, Made { listed, token: made.secret.expose_secret().to_owned() })
    };
    about.answers(answer.await)
}

pub(super) const SHOW: Route = Route {
    id: "apiTokenShow",
    method: "GET",
    path: "/api/enterprise-wechat/api-tokens/{id}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        about: say("Also one that has ended.", "已失效的令牌也可查看。"),
        path: Some(ID),
        answers: &[Response::json::<TokenView>(200, "The token.", "令牌。")],
        codes: &[Code::TokenUnknown],
        ..Operation::new(Tag::Access, "Show a token", "查看令牌")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let listed = api_token::find(conn, number(call.id)?).await?.ok_or_else(unknown)?;
    Answer::ok(TokenView { state: token::state(&listed, tables::now(conn).await?), listed })
}

pub(super) const REVOKE: Route = Route {
    id: "apiTokenRevoke",
    method: "DELETE",
    path: "/api/enterprise-wechat/api-tokens/{id}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(revoke),
    operation: Operation {
        about: say("It ends in every process at once.", "在所有进程中立即失效。"),
        path: Some(ID),
        answers: &[Response::json::<TokenView>(200, "The token that ended.", "已吊销的令牌。")],
        codes: &[Code::TokenUnknown],
        ..Operation::new(Tag::Access, "End a token", "吊销令牌")
    },
};

pub(super) async fn revoke(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = number(call.id)?;
    if !api_token::revoke(conn, id).await? {
        return Err(unknown());
    }
    let listed = api_token::find(conn, id).await?;
    let listed = listed.ok_or_else(|| Problem::internal("a token that was just revoked is not there"))?;
    Answer::ok(TokenView { state: token::state(&listed, tables::now(conn).await?), listed })
}

/// A path's id as a token's number.
fn number(id: &str) -> Result<i32, Problem> {
    let wrong = ("must be a number, as the list of tokens shows it", "须为数字，见令牌列表");
    id.parse().map_err(|_| Problem::parameter("id", wrong))
}

fn unknown() -> Problem {
    let detail =
        ("list them with `GET api-tokens`; it may have ended before", "可用 `GET api-tokens` 查看；该令牌可能已失效");
    Problem::new(Code::TokenUnknown, detail).at("id")
}
