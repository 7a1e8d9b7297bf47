//! `tags`: the company's tags for customers; and giving them to a contact of one member.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Refused},
        },
        reading::{body, corp, cursor::fetch},
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, Parameter, path, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, ask_first, by_path},
        },
    },
    check,
    ids::{CorpId, ExternalUserId, UserId},
    tables::{
        company::corp_tag::{self, TagView},
        staff::{member_alias, staff_wechat_bind},
        task,
    },
    wecom::{ApiError, customer::NOBODY_IN_SIGHT},
};

/// How many tags are listed: WeCom allows 10,000 in a company.
const TAGS_MAX: usize = 20_000;

/// How many tags one request gives or takes away.
const MARKED_MAX: usize = 100;

/// The company's tags.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CorpTags")]
pub(super) struct Tags {
    /// The tags, in the order in which WeCom shows them: by group, and by their order within it.
    items: Vec<TagView>,
    /// Whether there are more than are shown.
    more: bool,
}

/// The tags to give and to take away.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TagMarks")]
pub(super) struct Marks {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// The member whose contact it is: tags belong to a member's contact, not to the customer.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    wechat_userid: String,
    /// The ids of the tags to give.
    #[serde(default)]
    #[schemars(length(max = MARKED_MAX))]
    add: Vec<String>,
    /// The ids of the tags to take away.
    #[serde(default)]
    #[schemars(length(max = MARKED_MAX))]
    remove: Vec<String>,
}

/// What was done at WeCom.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "TagsMarked")]
pub(super) struct Marked {
    /// The customer.
    external_userid: ExternalUserId,
    /// The member whose contact it is.
    wechat_userid: UserId,
    /// The tags that the contact has now, whether it had them before or not.
    added: Vec<String>,
    /// The tags that it has no more.
    removed: Vec<String>,
}

const EXTERNAL_USERID: Parameter = path(
    "customerId",
    Allowed::Text("wmEXAMPLE000000000000000000002"),
    "The customer's external_userid.",
    "客户的 external_userid。",
);

pub(super) const LIST: Route = Route {
    id: "tagList",
    method: "GET",
    path: "/api/enterprise-wechat/tags",
    access: VIEWER,
    scoped: Scoped::Corp,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say(
            "Read from WeCom when a callback says that tags changed, and when reconciling. `contacts` counts the contacts that the \
             caller sees.",
            "在回调提示标签变更及对账时从企业微信读取。`contacts` 统计调用者可见的联系人。",
        ),
        query: &[
            query("corpid", Allowed::Text("ww5a8ad9d513d80a5b"), "Only those of this corp.", "企业 ID。"),
            query(
                "deleted",
                Allowed::OneOf(|| vec!["true", "false"]),
                "Whether deleted tags are listed, too.",
                "是否包含已删除的标签。",
            ),
        ],
        answers: &[Response::json::<Tags>(200, "The tags.", "企业标签。")],
        ..Operation::new(Tag::Customers, "List the company's tags for customers", "列出企业客户标签")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (corpid, deleted) = (params.take("corpid"), params.take("deleted"));
    params.finish()?;
    let corpid = match call.own() {
        Some(own) if corpid.as_ref().is_some_and(|it| *it != own.corpid.0) => {
            return Answer::ok(Tags { items: Vec::new(), more: false });
        }
        Some(own) => Some(own.corpid.0.clone()),
        None => corpid,
    };
    let deleted = deleted.as_deref() == Some("true");
    let mut items = corp_tag::list(conn, corpid.as_deref(), deleted, call.own(), fetch(TAGS_MAX)).await?;
    let more = items.len() > TAGS_MAX;
    items.truncate(TAGS_MAX);
    Answer::ok(Tags { items, more })
}

pub(super) const MARK: Route = Route {
    id: "customerTagsMark",
    method: "PUT",
    path: "/api/enterprise-wechat/customer-contact/{customerId}/tags",
    access: OPERATOR,
    scoped: Scoped::Own,
    secret_answer: false,
    run: ask_first!(mark),
    operation: Operation {
        about: say(
            "Done at WeCom first; the contact's card is read again right after. Doing it twice changes nothing more.",
            "先在企业微信中执行，随后重新读取该联系人的资料。重复执行无副作用。",
        ),
        path: Some(EXTERNAL_USERID),
        body: Some(RequestBody::of::<Marks>()),
        answers: &[Response::json::<Marked>(200, "What was done.", "执行结果。")],
        codes: &[Code::CustomerUnknown],
        asks_wecom: true,
        ..Operation::new(
            Tag::Customers,
            "Give a member's contact tags of the company, and take them away",
            "为员工的客户打上或移除企业标签",
        )
    },
};

async fn mark(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let wanted: Marks = body::parse(&call.request.body)?;
    let about = About::customer(call.id);
    about.then(mark_at_wecom(call, wanted).await, |(corpid, marked), _, conn| {
        Box::pin(async move {
            // What was marked shows in the card only after it is read.
            task::read_card_again(conn, &corpid, &marked.external_userid).await?;
            Answer::ok(marked)
        })
    })
}

/// Checks the request and marks the contact at WeCom, outside any transaction.
async fn mark_at_wecom(call: &Call<'_>, wanted: Marks) -> Result<(CorpId, Marked), Problem> {
    check::id("customerId", call.id)?;
    check::id("wechat_userid", &wanted.wechat_userid)?;
    for (field, ids) in [("add", &wanted.add), ("remove", &wanted.remove)] {
        if ids.len() > MARKED_MAX {
            let why = (format!("must be at most {MARKED_MAX}"), format!("最多 {MARKED_MAX} 个"));
            return Err(Problem::field(field, why));
        }
        for id in ids {
            check::id(field, id)?;
        }
    }
    if wanted.add.is_empty() && wanted.remove.is_empty() {
        return Err(Problem::field("add", ("name a tag here or in `remove`", "请在此处或 `remove` 中给出标签 ID")));
    }
    let admin = call.admin;
    let mut conn = admin.pool.acquire().await?;
    let corpid = corp::of_field_for(call, &mut conn, wanted.corpid.as_deref()).await?;
    let user = member_alias::current(&mut conn, &corpid, &UserId(wanted.wechat_userid)).await?;
    if let Some(own) = call.own()
        && staff_wechat_bind::user_of(&mut conn, &corpid, &own.staff_id).await?.as_ref() != Some(&user)
    {
        return Err(no_contact());
    }
    drop(conn);
    let external_userid = ExternalUserId::from(call.id);
    let api = admin.wecom.corp(&corpid).await?;
    api.mark_tags(&user, &external_userid, &wanted.add, &wanted.remove).await.map_err(refused)?;
    let marked = Marked { external_userid, wechat_userid: user, added: wanted.add, removed: wanted.remove };
    Ok((corpid, marked))
}

/// WeCom's words for it, but for the code that says that the two are no contacts.
fn refused(error: ApiError) -> Problem {
    if error.is(NOBODY_IN_SIGHT) { no_contact() } else { error.into() }
}

fn no_contact() -> Problem {
    let detail = (
        "the customer is no contact of this member: `GET customer-contact/{customerId}` lists whose they are",
        "该客户不是该员工的联系人：`GET customer-contact/{customerId}` 可查其联系人",
    );
    Problem::new(Code::CustomerUnknown, detail)
}
