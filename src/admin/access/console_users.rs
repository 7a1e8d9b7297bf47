//! `console-users`: which members may log in to the console, and as what.

use schemars::JsonSchema;
use serde::Deserialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::{Role, Scoped},
            call::{Answer, Call},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging},
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CORPID, CURSOR, LIMIT, Parameter, path},
            problem::{Code, Problem},
            route::{ADMIN, Route, by_path},
        },
    },
    check,
    ids::{CorpId, UserId},
    tables::{access::console_user, apply, staff::member_alias},
};

/// As what somebody may log in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewConsoleUser")]
pub(super) struct ConsoleUserBody {
    /// What they may do.
    role: Role,
    /// Whether they see nothing but their own customers and orders; false if this is left out. Not for an admin.
    #[serde(default)]
    own_only: bool,
}

const USERID: Parameter = path("userid", Allowed::Text("zhangsan"), "The member's userid.", "企业微信 userid。");

pub(super) const LIST: Route = Route {
    id: "consoleUserList",
    method: "GET",
    path: "/api/enterprise-wechat/console-users",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<Page<console_user::ConsoleUserRow>>(200, "A page of members.", "一页成员。")],
        ..Operation::new(Tag::Access, "List who may log in", "列出可登录的成员")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.split_once('\n').map(|(corp, user)| (corp.to_owned(), user.to_owned())))?;
    let rows = console_user::page(conn, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| format!("{}\n{}", row.corpid.as_str(), row.wechat_userid.as_str())))
}

pub(super) const PUT: Route = Route {
    id: "consoleUserPut",
    method: "PUT",
    path: "/api/enterprise-wechat/console-users/{userid}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(put),
    operation: Operation {
        about: say("Sessions that there are take the new role at once.", "已有会话立即采用新角色。"),
        path: Some(USERID),
        query: &[CORPID],
        body: Some(RequestBody::of::<ConsoleUserBody>()),
        answers: &[Response::json::<console_user::ConsoleUserRow>(200, "How it is now.", "当前设置。")],
        ..Operation::new(Tag::Access, "Let a member log in, or change as what", "允许成员登录或更改角色")
    },
};

/// Lets a member log in, or changes as what.
pub(super) async fn put(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (corpid, user) = named(call, conn).await?;
    let wanted: ConsoleUserBody = body::parse(&call.request.body)?;
    if wanted.own_only && wanted.role == Role::Admin {
        return Err(Problem::field(
            "own_only",
            (
                "is for a viewer or an operator: an admin sees everything",
                "仅适用于 viewer 或 operator：admin 可查看全部",
            ),
        ));
    }
    // Stored under the current userid, so that later changes in any spelling find it.
    let user = apply::know(conn, &corpid, &user, false).await?;
    console_user::put(conn, &corpid, &user, wanted.role, wanted.own_only, call.who()).await?;
    let listed = console_user::find(conn, &corpid, &user).await?;
    Answer::ok(listed.ok_or_else(|| Problem::internal("somebody who was just allowed is not there"))?)
}

pub(super) const REMOVE: Route = Route {
    id: "consoleUserRemove",
    method: "DELETE",
    path: "/api/enterprise-wechat/console-users/{userid}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(remove),
    operation: Operation {
        about: say("Their sessions end at once.", "其会话立即结束。"),
        path: Some(USERID),
        query: &[CORPID],
        answers: &[Response::json::<console_user::ConsoleUserRow>(200, "Who may log in no longer.", "已取消的成员。")],
        codes: &[Code::ConsoleUserUnknown],
        ..Operation::new(Tag::Access, "Let a member log in no longer", "取消成员的登录权限")
    },
};

/// Lets a member log in no longer.
pub(super) async fn remove(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (corpid, user) = named(call, conn).await?;
    let unknown = || {
        Problem::new(Code::ConsoleUserUnknown, ("list them with `GET console-users`", "可用 `GET console-users` 查看"))
            .at("userid")
    };
    let user = member_alias::current(conn, &corpid, &user).await?;
    let listed = console_user::find(conn, &corpid, &user).await?.ok_or_else(unknown)?;
    console_user::remove(conn, &corpid, &user).await?;
    Answer::ok(listed)
}

/// The member that the path names, and their corp.
async fn named(call: &Call<'_>, conn: &mut PgConnection) -> Result<(CorpId, UserId), Problem> {
    let mut params = call.params()?;
    let corpid = params.take("corpid");
    params.finish()?;
    check::id("userid", call.id).map_err(|it| Problem::parameter("userid", it.why))?;
    let corpid = corp::of_parameter(conn, corpid.as_deref()).await?;
    Ok((corpid, UserId(call.id.to_owned())))
}
