//! `console-users`: which members may log in to the console, and as what.

use schemars::JsonSchema;
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    auth::Role,
    body,
    call::{Answer, Call},
    check,
    page::Paging,
    problem::{Code, Problem},
    staff_bind::corp,
};
use crate::{
    ids::{CorpId, UserId},
    tables::{access::console_user, apply, staff::member_alias},
};

/// As what somebody may log in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewConsoleUser")]
pub(super) struct Wanted {
    /// What they may do.
    role: Role,
    /// Whether they see nothing but their own customers and orders; false if this is left out. Not for an admin.
    #[serde(default)]
    own_only: bool,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.split_once('\n').map(|(corp, user)| (corp.to_owned(), user.to_owned())))?;
    let rows = console_user::page(conn, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| format!("{}\n{}", row.corpid.as_str(), row.wechat_userid.as_str())))
}

/// Lets a member log in, or changes as what.
pub(super) async fn put(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (corpid, user) = named(call, conn).await?;
    let wanted: Wanted = body::parse(&call.request.body)?;
    if wanted.own_only && wanted.role == Role::Admin {
        return Err(Problem::field("own_only", "is for a viewer or an operator: an admin sees everything"));
    }
    // Whatever is said of them later, in whichever spelling, finds them.
    let user = apply::know(conn, &corpid, &user, false).await?;
    console_user::put(conn, &corpid, &user, wanted.role, wanted.own_only, call.who()).await?;
    let listed = console_user::find(conn, &corpid, &user).await?;
    Answer::ok(listed.ok_or_else(|| Problem::internal("somebody who was just allowed is not there"))?)
}

/// Lets a member log in no longer.
pub(super) async fn remove(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (corpid, user) = named(call, conn).await?;
    let unknown = || Problem::new(Code::ConsoleUserUnknown, "list them with `GET console-users`").at("userid");
    let user = member_alias::current(conn, &corpid, &user).await?;
    let listed = console_user::find(conn, &corpid, &user).await?.ok_or_else(unknown)?;
    console_user::remove(conn, &corpid, &user).await?;
    Answer::ok(listed)
}

/// The member that the path names, and their corp.
async fn named(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<(CorpId, UserId), Problem> {
    let mut params = call.params()?;
    let corpid = params.take("corpid");
    params.finish()?;
    check::id("userid", call.id).map_err(|it| Problem::parameter("userid", it.to_string()))?;
    let corpid = corp(conn, corpid.as_deref()).await?.map_err(|why| Problem::parameter("corpid", why))?;
    Ok((corpid, UserId(call.id.to_owned())))
}
