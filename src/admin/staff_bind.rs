//! `staff-bind`: which staff member of the business is which WeCom user.

use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    body,
    call::{Answer, Call},
    check,
    page::Paging,
    problem::{Code, Problem},
};
use crate::{
    ids::{CorpId, UserId},
    tables::{
        apply, customer_wechat_contact, enterprise_wechat_config, member_alias,
        staff_wechat_bind::{self, NewBinding},
    },
};

/// How long a name may be; WeCom's have at most 64 characters.
const NAME_BYTES_MAX: usize = 256;

/// How long a picture's address may be.
const AVATAR_CHARS_MAX: usize = 1_024;

/// A binding to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    staff_id: String,
    wechat_userid: String,
    wechat_name: Option<String>,
    wechat_avatar: Option<String>,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (corpid, status) = (params.take("corpid"), params.take("status"));
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    if status.as_deref().is_some_and(|it| !["bound", "unbound"].contains(&it)) {
        return Err(Problem::parameter("status", "must be bound or unbound"));
    }
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = staff_wechat_bind::list(conn, corpid.as_deref(), status.as_deref(), after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) async fn add(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let wanted: Wanted = body::parse(&call.request.body)?;
    call.subject.clone_from(&wanted.staff_id);
    wanted.check()?;
    let corpid = corp(conn, wanted.corpid.as_deref()).await?.map_err(|why| Problem::field("corpid", why))?;

    // A rename or leaver that is being recorded must see this binding, or be seen by it.
    apply::lock(conn, [&corpid], true).await?;
    let given = UserId(wanted.wechat_userid);
    let renamed = member_alias::resolve(conn, [(&corpid, &given)].into_iter()).await?;
    let user = renamed.into_values().next().unwrap_or(given);
    let new = NewBinding {
        corpid: &corpid,
        staff_id: &wanted.staff_id,
        user: &user,
        name: wanted.wechat_name.as_deref(),
        avatar: wanted.wechat_avatar.as_deref(),
    };
    let binding = staff_wechat_bind::bind(conn, &new).await.map_err(taken)?;
    customer_wechat_contact::assign_staff(conn, &[corpid.0], &[user.0]).await?;
    Answer::new(201, binding)
}

pub(super) async fn remove(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (given, staff_id) = (params.take("corpid"), params.take("staff_id"));
    params.finish()?;
    let staff_id = staff_id.ok_or_else(|| Problem::parameter("staff_id", "says whom to unbind, and is required"))?;
    call.subject.clone_from(&staff_id);
    let corpid = corp(conn, given.as_deref()).await?.map_err(|why| Problem::parameter("corpid", why))?;

    apply::lock(conn, [&corpid], true).await?;
    match staff_wechat_bind::unbind(conn, &corpid, &staff_id).await? {
        Some(binding) => Answer::ok(binding),
        None => Err(Problem::new(Code::NotBound, "list the bindings with status=bound to see who is").at("staff_id")),
    }
}

impl Wanted {
    fn check(&self) -> Result<(), Problem> {
        check::id("staff_id", &self.staff_id)?;
        check::id("wechat_userid", &self.wechat_userid)?;
        if let Some(name) = &self.wechat_name {
            check::prose("wechat_name", name, NAME_BYTES_MAX)?;
        }
        if let Some(avatar) = &self.wechat_avatar {
            check::visible("wechat_avatar", avatar, AVATAR_CHARS_MAX)?;
            // The console shows it: no other scheme may run there.
            if !["https://", "http://"].iter().any(|scheme| avatar.starts_with(scheme)) {
                return Err(Problem::field("wechat_avatar", "must begin with https:// or http://"));
            }
        }
        Ok(())
    }
}

/// The corp that is meant: the given one if an app belongs to it, or the only one there is. Else why not, in words.
pub(super) async fn corp(conn: &mut PgConnection, given: Option<&str>) -> sqlx::Result<Result<CorpId, &'static str>> {
    let corps = enterprise_wechat_config::corps(conn).await?;
    Ok(choose(corps, given))
}

fn choose(mut corps: Vec<CorpId>, given: Option<&str>) -> Result<CorpId, &'static str> {
    match given {
        Some(given) => corps.into_iter().find(|it| it.0 == given).ok_or("is the corpid of no app: add its app first"),
        None if corps.len() > 1 => Err("is required, because there are apps of several corps"),
        None => corps.pop().ok_or("cannot be filled in, because there is no app yet: add one first"),
    }
}

/// Says which of the two is bound already.
fn taken(error: sqlx::Error) -> Problem {
    let constraint = error.as_database_error().and_then(|it| it.constraint());
    let field = match constraint {
        Some("staff_wechat_bind_staff_bound") => "staff_id",
        Some("staff_wechat_bind_user_bound") => "wechat_userid",
        _ => return error.into(),
    };
    Problem::new(Code::AlreadyBound, format!("the {field} has a binding: unbind that first")).at(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        let checked = body::parse::<Wanted>(body.as_bytes()).and_then(|wanted| wanted.check());
        checked.expect_err(body).to_string()
    }

    #[test]
    fn a_binding_that_cannot_be_meant_is_refused_by_the_field() {
        insta::assert_snapshot!(refused(r#"{"staff_id": " 7", "wechat_userid": "zhangsan"}"#), @"staff_id: must have 1 to 64 bytes, with no control characters and no blanks around it");
        insta::assert_snapshot!(refused(r#"{"staff_id": "7", "wechat_userid": ""}"#), @"wechat_userid: must have 1 to 64 bytes, with no control characters and no blanks around it");
        insta::assert_snapshot!(refused(r#"{"staff_id": "7"}"#), @"missing field `wechat_userid`");
        insta::assert_snapshot!(
            refused(r#"{"staff_id": "7", "wechat_userid": "a", "wechat_avatar": "javascript:alert(1)"}"#),
            @"wechat_avatar: must begin with https:// or http://"
        );
    }

    #[test]
    fn a_corp_may_be_left_out_only_where_there_is_one() {
        let corps = |names: &[&str]| names.iter().map(|name| CorpId::from(*name)).collect::<Vec<_>>();
        assert_eq!(choose(corps(&["ww1"]), None), Ok("ww1".into()));
        assert_eq!(choose(corps(&["ww1", "ww2"]), Some("ww2")), Ok("ww2".into()));
        assert!(choose(corps(&["ww1", "ww2"]), None).is_err());
        assert!(choose(corps(&["ww1"]), Some("ww3")).is_err());
        assert!(choose(corps(&[]), None).is_err());
    }
}
