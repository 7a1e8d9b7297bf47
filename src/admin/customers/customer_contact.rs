//! `customer-contact`: who of us knows a customer, and the code that brings the customer to one of us.
//!
//! A code's `qr_code` is WeCom's own URL of its picture. `qr_png`, `qr_svg` and `GET customer-contact-qr/{state}` are
//! codes that contain that URL, for paper or a page: scanning them leads to WeCom's picture.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::customer_owners::AS_OF;
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Outcome, Refused},
        },
        orders::work_orders,
        reading::{
            body, corp,
            cursor::fetch,
            own::{not_bound, sees},
            time::take_moment,
        },
        spec::{
            language::say,
            operation::{Content, Operation, RequestBody, Response, Tag},
            parameter::{Allowed, LIMIT_MAX, Parameter, path},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, ask_first, now},
        },
    },
    check,
    contact_way::{
        making::{NotMade, obtain, with_picture},
        qr,
    },
    ids::{CorpId, CustomerId, StaffId},
    tables::{
        self,
        customers::{
            customer_match,
            customer_owner::{self, OwnerView},
            customer_wechat_contact,
        },
        orders::{
            contact_way::{self, ContactWay, Purpose},
            work_order::{self, Order},
        },
        staff::staff_wechat_bind,
    },
};

/// What is known of a customer.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CustomerContacts")]
pub(super) struct Contacts {
    /// The business's id; null if the customer is known by WeCom's alone.
    customer_id: Option<String>,
    /// Who holds them now, or held them at the moment that `as_of` names; `GET customer-owners/{customerId}` has all.
    owners: Vec<OwnerView>,
    /// One for each member who knows them, latest contact first.
    items: Vec<customer_wechat_contact::ContactView>,
    /// Whether there are more contacts, orders or ways than are shown.
    more: bool,
    /// Their orders, latest first.
    work_orders: Vec<Order>,
    /// The codes that were made for them, latest first.
    contact_ways: Vec<ContactWay>,
    /// People who may be this customer, and nobody has decided yet.
    customer_matches: Vec<customer_match::MatchRow>,
}

/// A code that is wanted.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ContactWayWanted")]
pub(super) struct ContactWayBody {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// Who shall scan it.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    customer_id: String,
    /// Whom the customer shall meet; may be left out where the order says who is in charge.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: Option<String>,
    /// The order it is about.
    work_order_id: Option<i64>,
}

/// A code, as row and picture.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ContactWayMade")]
pub(super) struct Made {
    #[serde(flatten)]
    way: ContactWay,
    /// A PNG of a code that holds `qr_code`, in base64.
    qr_png: String,
    /// The same as an SVG document.
    qr_svg: String,
}

const CUSTOMER: Parameter = path(
    "customerId",
    Allowed::Text("C-9001"),
    "The business's id of a matched customer, or WeCom's external_userid.",
    "已匹配客户的业务编号，或企业微信的 external_userid。",
);

pub(super) const SHOW: Route = Route {
    id: "customerContactShow",
    method: "GET",
    path: "/api/enterprise-wechat/customer-contact/{customerId}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(show),
    operation: Operation {
        about: say(
            "Contacts, work orders, codes, and people who may be this customer; at most 200 of each.",
            "返回联系人、工单、联系二维码以及待确认的匹配，各最多 200 条。",
        ),
        path: Some(CUSTOMER),
        query: &[AS_OF],
        answers: &[Response::json::<Contacts>(200, "What is known.", "已知信息。")],
        codes: &[Code::CustomerUnknown],
        ..Operation::new(Tag::Customers, "Show who knows a customer", "查询客户的联系情况")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let as_of = take_moment(&mut params, "as_of")?;
    params.finish()?;
    let about = About::customer(call.id);
    let answer = async {
        let own = call.own();
        let mut items = customer_wechat_contact::of_customer(conn, own, call.id, fetch(LIMIT_MAX)).await?;
        // If WeCom's id was given, the business's id comes from the contact.
        let customer_id = items.iter().find_map(|it| it.customer_id.clone());
        let business_id = customer_id.as_deref().unwrap_or(call.id);
        let filter = work_order::Filter {
            customer_id: Some(business_id.to_owned()),
            own: own.cloned(),
            ..work_order::Filter::default()
        };
        let mut work_orders = work_order::list(conn, &filter, fetch(LIMIT_MAX)).await?;
        let mut contact_ways = contact_way::of_customer(conn, own, business_id, fetch(LIMIT_MAX)).await?;
        // Candidate matches may belong to other staff, so scoped callers do not see them.
        let mut customer_matches = match own {
            Some(_) => Vec::new(),
            None => customer_match::of_customer(conn, business_id, fetch(LIMIT_MAX)).await?,
        };
        if items.is_empty() && work_orders.is_empty() && contact_ways.is_empty() && customer_matches.is_empty() {
            return Err(unknown().at("customerId"));
        }
        let known_here = customer_id.is_some() || !work_orders.is_empty() || !contact_ways.is_empty();
        let customer_id = known_here.then(|| business_id.to_owned());
        let as_of = match as_of {
            Some(moment) => moment,
            None => tables::now(conn).await?,
        };
        let mut owners = customer_owner::of_customer(conn, own, call.id, Some(as_of), fetch(LIMIT_MAX)).await?;
        let more = cut(&mut owners)
            | cut(&mut items)
            | cut(&mut work_orders)
            | cut(&mut contact_ways)
            | cut(&mut customer_matches);
        Answer::ok(Contacts { customer_id, owners, items, more, work_orders, contact_ways, customer_matches })
    };
    about.answers(answer.await)
}

pub(super) const MAKE: Route = Route {
    id: "customerContactMake",
    method: "POST",
    path: "/api/enterprise-wechat/customer-contact",
    access: OPERATOR,
    scoped: Scoped::Own,
    secret_answer: false,
    run: ask_first!(make),
    operation: Operation {
        about: say(
            "Asked again for the same purpose, it gives out the same code while that can be used.",
            "同一用途重复请求时，在有效期内返回同一个二维码。",
        ),
        body: Some(RequestBody::of::<ContactWayBody>()),
        answers: &[Response::json::<Made>(200, "The code.", "二维码。")],
        codes: &[Code::CustomerUnknown, Code::NotBound, Code::WorkOrderUnknown, Code::ContactWayUnknown],
        asks_wecom: true,
        ..Operation::new(
            Tag::Customers,
            "Give out the code that brings a customer to a staff member",
            "生成客户联系二维码",
        )
    },
};

async fn make(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let wanted: ContactWayBody = body::parse(&call.request.body)?;
    let about = About::customer(&wanted.customer_id);
    about.then(way_for(call, wanted).await, |way, _, _| Box::pin(async { made(way) }))
}

/// Has the code made, or finds the one there is. WeCom is asked here, outside any transaction.
async fn way_for(call: &Call<'_>, wanted: ContactWayBody) -> Result<ContactWay, Problem> {
    check::id("customer_id", &wanted.customer_id)?;
    let admin = call.admin;
    let purpose = purpose(call, &mut *admin.pool.acquire().await?, wanted).await?;
    obtain(&admin.pool, &admin.wecom, &purpose, admin.contact_way_life).await.map_err(not_made)
}

fn not_made(error: NotMade) -> Problem {
    match error {
        NotMade::Wecom(error) => error.into(),
        NotMade::Database(error) => error.into(),
        NotMade::UnderWay => {
            Problem::new(Code::WecomUnavailable, (NotMade::UnderWay.to_string(), "正在生成联系方式，请一分钟后重试"))
        }
    }
}

/// Answers with the code that was made.
fn made(way: ContactWay) -> Result<Answer, Problem> {
    let text = address(&way)?;
    let qr_png = STANDARD.encode(qr::png(text).map_err(Problem::internal)?);
    let qr_svg = qr::svg(text).map_err(Problem::internal)?;
    Answer::ok(Made { way, qr_png, qr_svg })
}

pub(super) const PICTURE: Route = Route {
    id: "customerContactQr",
    method: "GET",
    path: "/api/enterprise-wechat/customer-contact-qr/{state}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: ask_first!(show_picture),
    operation: Operation {
        about: say(
            "WeCom is asked for the code where it did not say the picture's address when it made it.",
            "企业微信创建时未返回图片地址的，会再次向企业微信查询。",
        ),
        path: Some(path("state", Allowed::Text("way_8QFqFbGzR0mYV1xN3pTt2w"), "The code's state.", "二维码的 state。")),
        answers: &[Response::new(200, "A code that leads to WeCom's.", "二维码图片。", Content::Png)],
        codes: &[Code::ContactWayUnknown],
        asks_wecom: true,
        ..Operation::new(Tag::Customers, "Show such a code as a picture", "以图片返回二维码")
    },
};

/// Finds the code of that state. WeCom is asked for its picture's URL if it did not return one at first.
async fn show_picture(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let admin = call.admin;
    let way = contact_way::find(&mut *admin.pool.acquire().await?, call.id).await?.ok_or_else(no_code)?;
    if call.own().is_some_and(|own| !own.has(&way.corpid, Some(&way.staff_id))) {
        return Err(no_code().into());
    }
    let about = call.about_path().of_customer(&way.customer_id.0);
    let with_picture =
        async { with_picture(&admin.pool, &admin.wecom, way).await.map_err(not_made)?.ok_or_else(no_code) };
    about.then(with_picture.await, |way, _, _| Box::pin(async move { picture(&way) }))
}

/// Answers with the code's picture.
fn picture(way: &ContactWay) -> Result<Answer, Problem> {
    let file = qr::png(address(way)?).map_err(Problem::internal)?;
    Ok(Answer::file(200, "image/png".to_owned(), file.into()))
}

/// Who shall meet whom, and about what.
async fn purpose(call: &Call<'_>, conn: &mut PgConnection, wanted: ContactWayBody) -> Result<Purpose, Problem> {
    let (corpid, staff) = match wanted.work_order_id {
        Some(id) => of_order(call, conn, id, &wanted).await?,
        None => {
            let corpid = corp::of_field_for(call, conn, wanted.corpid.as_deref()).await?;
            check_known(call, conn, &wanted.customer_id).await?;
            (corpid, call.own().map(|it| it.staff_id.clone()))
        }
    };
    let given = match &wanted.staff_id {
        Some(staff) => {
            check::id("staff_id", staff)?;
            Some(StaffId(staff.clone()))
        }
        None => staff,
    };
    let needed = (
        "says whom the customer shall meet, and is required unless the work order has somebody in charge",
        "为必填项（工单已有负责人时除外）：客户要联系的员工",
    );
    let staff = given.ok_or_else(|| Problem::field("staff_id", needed))?;
    sees(call, &corpid, &staff)?;
    let user = staff_wechat_bind::user_of(conn, &corpid, &staff).await?.ok_or_else(not_bound)?;
    let customer = CustomerId(wanted.customer_id);
    Ok(Purpose { corpid, customer, staff, user, work_order_id: wanted.work_order_id })
}

/// The order's corp and the staff member in charge; an order of another customer is an error.
async fn of_order(
    call: &Call<'_>,
    conn: &mut PgConnection,
    id: i64,
    wanted: &ContactWayBody,
) -> Result<(CorpId, Option<StaffId>), Problem> {
    let order = work_orders::find_for(call, conn, id).await.map_err(|it| it.at("work_order_id"))?;
    if order.customer_id.as_str() != wanted.customer_id {
        return Err(Problem::field("customer_id", ("is not the customer of this work order", "不是该工单的客户")));
    }
    if wanted.corpid.as_ref().is_some_and(|corpid| *corpid != order.corpid.0) {
        return Err(Problem::field("corpid", ("is not the corp of this work order", "不是该工单所属的企业")));
    }
    Ok((order.corpid, order.staff_id))
}

/// Refuses a scoped caller any customer who is not theirs, known or not, with the same answer.
pub(super) async fn check_known(call: &Call<'_>, conn: &mut PgConnection, customer: &str) -> Result<(), Problem> {
    match call.own() {
        Some(own) if !own.knows(conn, customer).await? => Err(unknown().at("customer_id")),
        _ => Ok(()),
    }
}

fn unknown() -> Problem {
    let detail = (
        "give the business's id of a matched customer, or WeCom's external_userid",
        "请给出已匹配客户的业务编号，或企业微信的 external_userid",
    );
    Problem::new(Code::CustomerUnknown, detail)
}

fn address(way: &ContactWay) -> Result<&str, Problem> {
    way.qr_code.as_deref().filter(|it| !it.is_empty()).ok_or_else(|| match way.config_id {
        // WeCom was asked just now, so a missing picture is not asked for again.
        Some(_) if way.deleted_at.is_none() => Problem::new(
            Code::WecomUnavailable,
            (
                "WeCom has this code and shows no picture of it; ask again later",
                "企业微信中有该联系方式但未返回二维码，请稍后重试",
            ),
        ),
        _ => no_code(),
    })
}

fn no_code() -> Problem {
    Problem::new(
        Code::ContactWayUnknown,
        ("ask for one with `POST customer-contact`", "请用 `POST customer-contact` 生成"),
    )
}

/// Cuts a list to its shown length; returns whether it was longer.
fn cut<T>(items: &mut Vec<T>) -> bool {
    let more = items.len() > LIMIT_MAX;
    items.truncate(LIMIT_MAX);
    more
}
