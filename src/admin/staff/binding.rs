//! `staff-bind`: which staff member of the business is which WeCom user.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Outcome, Refused},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging},
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CORPID, CURSOR, LIMIT, Parameter, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, ask_first, by_path, now},
        },
    },
    check,
    ids::UserId,
    staff::binding::{self, AVATAR_CHARS_MAX, KnownMember, MemberToBind, NotBoundNow, NotVerified, inactive, is_web},
    states::BindingStatus,
    tables::{
        apply,
        staff::staff_wechat_bind::{self, Binding},
    },
};

/// How long a name may be; WeCom's have at most 64 characters.
const NAME_BYTES_MAX: usize = 256;

/// A binding to make.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewBinding")]
pub(super) struct BindingBody {
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

/// A binding that was made.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "NewlyBound")]
pub(super) struct Bound {
    #[serde(flatten)]
    binding: Binding,
    /// Whether WeCom was asked that the member exists; without an app's secret it cannot be.
    verified: bool,
}

pub(super) const LIST: Route = Route {
    id: "staffBindList",
    method: "GET",
    path: "/api/enterprise-wechat/staff-bind",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say("Which staff member of the business is which WeCom user.", "业务员工与企业微信成员的对应关系。"),
        query: &[
            CORPID,
            query(
                "status",
                Allowed::OneOf(|| BindingStatus::WORDS.to_vec()),
                "Only those that stand so.",
                "绑定状态。",
            ),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<Binding>>(200, "A page of bindings.", "一页绑定。")],
        ..Operation::new(Tag::Staff, "List bindings", "列出员工绑定")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (corpid, status) = (params.take("corpid"), params.take_word("status")?);
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = staff_wechat_bind::list(conn, call.own(), corpid.as_deref(), status, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const BIND: Route = Route {
    id: "staffBindAdd",
    method: "POST",
    path: "/api/enterprise-wechat/staff-bind",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(bind_member),
    operation: Operation {
        about: say(
            "WeCom is asked whether the member exists, is in sight and active. Without an app's secret it cannot be: then \
             `verified` is false.",
            "向企业微信核实成员存在、可见且在用；没有可用密钥时无法核实，`verified` 为 false。",
        ),
        body: Some(RequestBody::of::<BindingBody>()),
        answers: &[Response::json::<Bound>(201, "They are bound.", "已绑定。")],
        codes: &[Code::AlreadyBound, Code::MemberUnknown, Code::MemberInactive],
        asks_wecom: true,
        ..Operation::new(Tag::Staff, "Bind a staff member to a WeCom user", "绑定员工与企业微信成员")
    },
};

async fn bind_member(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let wanted: BindingBody = body::parse(&call.request.body)?;
    let about = About::thing(&wanted.staff_id);
    about.then(ask(call, wanted).await, |to_bind, _, conn| Box::pin(add(to_bind, conn)))
}

/// Asks WeCom whether the member is there and can be bound, if it can be asked.
async fn ask(call: &Call<'_>, wanted: BindingBody) -> Result<MemberToBind, Problem> {
    wanted.check()?;
    let corpid = {
        let mut conn = call.admin.pool.acquire().await?;
        corp::of_field(&mut conn, wanted.corpid.as_deref()).await?
    };
    let given = KnownMember {
        user: UserId(wanted.wechat_userid),
        name: wanted.wechat_name,
        avatar: wanted.wechat_avatar,
        verified: false,
    };
    let member = match call.admin.wecom.corp_if_able(&corpid).await? {
        Some(api) => {
            let verified = binding::verify(&api, &given.user).await;
            let verified = verified.map_err(|it| Problem::from(it).at("wechat_userid"))?;
            // New apps are shown no pictures; a name is always there.
            KnownMember { avatar: verified.avatar.or(given.avatar), name: verified.name.or(given.name), ..verified }
        }
        None => given,
    };
    Ok(MemberToBind { corpid, staff_id: wanted.staff_id, member })
}

async fn add(to_bind: MemberToBind, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let verified = to_bind.member.verified;
    let binding = binding::bind(conn, &to_bind).await?;
    Answer::new(201, Bound { binding, verified })
}

pub(super) const REMOVE: Route = Route {
    id: "staffBindRemove",
    method: "DELETE",
    path: "/api/enterprise-wechat/staff-bind",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(remove),
    operation: Operation {
        query: &[
            Parameter {
                required: true,
                ..query("staff_id", Allowed::Text("E-001"), "The staff member.", "业务员工编号。")
            },
            CORPID,
        ],
        answers: &[Response::json::<Binding>(200, "The binding that ended.", "已解除的绑定。")],
        codes: &[Code::NotBound],
        ..Operation::new(Tag::Staff, "Unbind a staff member", "解除绑定")
    },
};

pub(super) async fn remove(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let (given, staff_id) = (params.take("corpid"), params.take("staff_id"));
    params.finish()?;
    let staff_id = staff_id.ok_or_else(|| {
        Problem::parameter("staff_id", ("says whom to unbind, and is required", "为必填项：要解除绑定的员工编号"))
    })?;
    let about = About::thing(&staff_id);
    let answer = async {
        let corpid = corp::of_parameter(conn, given.as_deref()).await?;

        apply::lock(conn, [&corpid], true).await?;
        match staff_wechat_bind::unbind(conn, &corpid, &staff_id).await? {
            Some(binding) => Answer::ok(binding),
            None => Err(Problem::new(
                Code::NotBound,
                ("list the bindings with status=bound to see who is", "可用 status=bound 查询当前绑定"),
            )
            .at("staff_id")),
        }
    };
    about.answers(answer.await)
}

impl BindingBody {
    fn check(&self) -> Result<(), Problem> {
        check::id("staff_id", &self.staff_id)?;
        check::id("wechat_userid", &self.wechat_userid)?;
        if let Some(name) = &self.wechat_name {
            check::prose("wechat_name", name, NAME_BYTES_MAX)?;
        }
        if let Some(avatar) = &self.wechat_avatar {
            check::visible("wechat_avatar", avatar, AVATAR_CHARS_MAX)?;
            // The console displays the picture, so no scheme that runs code is allowed.
            if !is_web(avatar) {
                return Err(Problem::field(
                    "wechat_avatar",
                    ("must begin with https:// or http://", "须以 https:// 或 http:// 开头"),
                ));
            }
        }
        Ok(())
    }
}

impl From<NotVerified> for Problem {
    fn from(error: NotVerified) -> Self {
        match error {
            NotVerified::Unknown(error) => Self::from(error).coded(Code::MemberUnknown),
            NotVerified::Inactive { status } => {
                let (en, zh) = inactive(status);
                let detail = (format!("the member {en} (status {status})"), format!("该成员{zh}（状态 {status}）"));
                Self::new(Code::MemberInactive, detail)
            }
            NotVerified::Wecom(error) => error.into(),
        }
    }
}

impl From<NotBoundNow> for Problem {
    fn from(error: NotBoundNow) -> Self {
        let field = match error {
            NotBoundNow::StaffBound => "staff_id",
            NotBoundNow::MemberBound => "wechat_userid",
            NotBoundNow::Database(error) => return error.into(),
        };
        let detail =
            (format!("the {field} has a binding: unbind that first"), format!("该 {field} 已有绑定，请先解除"));
        Self::new(Code::AlreadyBound, detail).at(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        let checked = body::parse::<BindingBody>(body.as_bytes()).and_then(|wanted| wanted.check());
        checked.expect_err(body).to_string()
    }

    #[test]
    fn an_invalid_binding_is_refused_with_the_name_of_the_field() {
        insta::assert_snapshot!(refused(r#"{"staff_id": " 7", "wechat_userid": "zhangsan"}"#), @"staff_id: must have 1 to 64 bytes, with no control characters and no blanks around it");
        insta::assert_snapshot!(refused(r#"{"staff_id": "7", "wechat_userid": ""}"#), @"wechat_userid: must have 1 to 64 bytes, with no control characters and no blanks around it");
        insta::assert_snapshot!(refused(r#"{"staff_id": "7"}"#), @"missing field `wechat_userid`");
        insta::assert_snapshot!(
            refused(r#"{"staff_id": "7", "wechat_userid": "a", "wechat_avatar": "javascript:alert(1)"}"#),
            @"wechat_avatar: must begin with https:// or http://"
        );
    }
}
