//! `staff-bind`: which staff member of the business is which WeCom user.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    body,
    call::{Answer, Call},
    check,
    page::Paging,
    problem::{Code, Problem},
};
use crate::{
    ids::{CorpId, StaffId, UserId},
    tables::{
        apply,
        apps::enterprise_wechat_config,
        customers::customer_wechat_contact,
        staff::staff_wechat_bind::{self, Binding, NewBinding},
    },
    wecom::{Api, member},
};

/// How long a name may be; WeCom's have at most 64 characters.
const NAME_BYTES_MAX: usize = 256;

/// How long a picture's address may be.
const AVATAR_CHARS_MAX: usize = 1_024;

/// A binding to make.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewBinding")]
pub(super) struct Wanted {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// The business's id of the staff member.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: String,
    /// The member, as WeCom names them.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    wechat_userid: String,
    /// The member's name, where WeCom cannot be asked.
    #[schemars(length(min = 1, max = NAME_BYTES_MAX))]
    wechat_name: Option<String>,
    /// The address of the member's picture, likewise.
    #[schemars(length(max = AVATAR_CHARS_MAX), regex(pattern = "^https?://"))]
    wechat_avatar: Option<String>,
}

/// A member to bind, and to whom.
pub(super) struct Found {
    /// The corp.
    pub(super) corpid: CorpId,
    /// The business's id of the staff member.
    pub(super) staff_id: String,
    /// The member.
    pub(super) known: Known,
}

/// What is known of a member.
#[derive(Clone)]
pub(super) struct Known {
    /// The userid, as WeCom writes it.
    pub(super) user: UserId,
    /// The name.
    pub(super) name: Option<String>,
    /// The picture's URL.
    pub(super) avatar: Option<String>,
    /// Whether WeCom said so.
    verified: bool,
}

/// A binding that was made.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "NewlyBound")]
pub(super) struct Bound {
    #[serde(flatten)]
    binding: Binding,
    /// Whether WeCom was asked that the member exists; without an app's secret it cannot be.
    verified: bool,
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (corpid, status) = (params.take("corpid"), params.take_word("status")?);
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = staff_wechat_bind::list(conn, call.own(), corpid.as_deref(), status, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

/// Asks WeCom whether the member is there and can be bound, if it can be asked.
pub(super) async fn ask(call: &mut Call<'_>) -> Result<Found, Problem> {
    call.no_params()?;
    let wanted: Wanted = body::parse(&call.request.body)?;
    call.subject.clone_from(&wanted.staff_id);
    wanted.check()?;
    let corpid = {
        let mut conn = call.admin.pool.acquire().await?;
        corp(&mut conn, wanted.corpid.as_deref()).await?.map_err(|why| Problem::field("corpid", why))?
    };
    let given = Known {
        user: UserId(wanted.wechat_userid),
        name: wanted.wechat_name,
        avatar: wanted.wechat_avatar,
        verified: false,
    };
    let known = match call.admin.wecom.corp_if_able(&corpid).await? {
        Some(api) => {
            let verified = verify(&api, &given.user).await.map_err(|it| it.at("wechat_userid"))?;
            // New apps are shown no pictures; a name is always there.
            Known { avatar: verified.avatar.or(given.avatar), name: verified.name.or(given.name), ..verified }
        }
        None => given,
    };
    Ok(Found { corpid, staff_id: wanted.staff_id, known })
}

pub(super) async fn add(found: Found, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let verified = found.known.verified;
    let binding = bind(conn, &found).await?;
    Answer::new(201, Bound { binding, verified })
}

/// Binds whom WeCom, or the caller where WeCom cannot be asked, described.
pub(super) async fn bind(conn: &mut PgConnection, found: &Found) -> Result<Binding, Problem> {
    let Found { corpid, staff_id, known } = found;
    // A rename or leaver that is being recorded must see this binding, or be seen by it.
    let user = apply::know(conn, corpid, &known.user, known.verified).await?;
    let new =
        NewBinding { corpid, staff_id, user: &user, name: known.name.as_deref(), avatar: known.avatar.as_deref() };
    let binding = staff_wechat_bind::bind(conn, &new).await.map_err(taken)?;
    customer_wechat_contact::assign_staff(conn, std::slice::from_ref(&corpid.0), &[user.0]).await?;
    Ok(binding)
}

/// The member as WeCom describes them, if they are in sight and use WeCom.
pub(super) async fn verify(api: &Api, user: &UserId) -> Result<Known, Problem> {
    let member = api.member(user).await.map_err(|error| {
        let unknown = error.is(member::UNKNOWN_OR_OUT_OF_SIGHT);
        let problem = Problem::from(error);
        if unknown { problem.coded(Code::MemberUnknown) } else { problem }
    })?;
    let why = match member.status {
        2 => Some(("is disabled", "已被禁用")),
        4 => Some(("has not activated WeCom yet", "尚未激活企业微信")),
        5 => Some(("has left the corp", "已退出企业")),
        // 1 is active, and some apps are not told.
        _ => None,
    };
    if let Some((en, zh)) = why {
        let detail = format!("the member {en} (status {}). 该成员{zh}。", member.status);
        return Err(Problem::new(Code::MemberInactive, detail));
    }
    let avatar = member.avatar.filter(|it| it.len() <= AVATAR_CHARS_MAX && is_web(it));
    Ok(Known { user: member.user, name: Some(member.name).filter(|it| !it.is_empty()), avatar, verified: true })
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
            if !is_web(avatar) {
                return Err(Problem::field("wechat_avatar", "must begin with https:// or http://"));
            }
        }
        Ok(())
    }
}

fn is_web(url: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
}

/// The corp that is meant: the given one if an app belongs to it, or the only one there is. Else why not, in words.
pub(super) async fn corp(conn: &mut PgConnection, given: Option<&str>) -> sqlx::Result<Result<CorpId, &'static str>> {
    let corps = enterprise_wechat_config::corps(conn).await?;
    Ok(choose(corps, given))
}

/// The same for a caller who may see their own alone: to them there is one corp.
pub(super) async fn corp_for(
    call: &Call<'_>,
    conn: &mut PgConnection,
    given: Option<&str>,
) -> sqlx::Result<Result<CorpId, &'static str>> {
    match call.own() {
        Some(own) => Ok(choose(vec![own.corpid.clone()], given)),
        None => corp(conn, given).await,
    }
}

/// Whether the caller sees this staff member; one they do not see answers as one who is not bound.
pub(super) fn sees(call: &Call<'_>, corpid: &CorpId, staff: &StaffId) -> Result<(), Problem> {
    match call.own() {
        Some(own) if !own.has(corpid, Some(staff)) => Err(not_bound()),
        _ => Ok(()),
    }
}

pub(super) fn not_bound() -> Problem {
    Problem::new(Code::NotBound, "bind the staff member first").at("staff_id")
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
