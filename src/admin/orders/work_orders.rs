//! `work-orders`: bookings and repair requests, who is in charge of each, and how far it is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging, fetch},
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, LIMIT_MAX, Parameter, path, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, now},
        },
    },
    check,
    ids::{CustomerId, StaffId},
    orders::assignment,
    states::{NotAWord, OrderState},
    tables::{
        apply,
        customers::matching,
        orders::work_order::{self, Change, Filter, NewOrder, Order},
        staff::staff_wechat_bind,
    },
};

/// How long a name, phone number, address or source may be.
const LINE_BYTES_MAX: usize = 512;

/// How long a description or note may be.
const TEXT_BYTES_MAX: usize = 8_192;

/// An order to add.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewWorkOrder")]
pub(super) struct OrderBody {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// Whose order it is.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    customer_id: String,
    /// The customer's name.
    #[schemars(length(min = 1, max = LINE_BYTES_MAX))]
    customer_name: Option<String>,
    /// The customer's phone number: it may match a contact.
    #[schemars(length(min = 1, max = LINE_BYTES_MAX))]
    phone: Option<String>,
    /// Where to go.
    #[schemars(length(min = 1, max = LINE_BYTES_MAX))]
    address: Option<String>,
    /// What is wanted.
    #[schemars(length(min = 1, max = TEXT_BYTES_MAX))]
    description: String,
    /// Where the order came from.
    #[schemars(length(min = 1, max = LINE_BYTES_MAX))]
    source: Option<String>,
}

/// What shall be different.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WorkOrderEdit")]
pub(super) struct Edit {
    /// How far it is from now on.
    state: Option<String>,
    /// What is written down with it.
    #[schemars(length(min = 1, max = TEXT_BYTES_MAX))]
    note: Option<String>,
    /// Who is in charge from now on.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: Option<String>,
    /// The version that the caller saw.
    version: Option<i64>,
}

/// An order with its story.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WorkOrderStory")]
pub(super) struct Story {
    #[serde(flatten)]
    order: Order,
    /// The states that may follow.
    next_states: Vec<OrderState>,
    /// What became of it, earliest first.
    changes: Vec<Change>,
}

pub(super) const ADD: Route = Route {
    id: "workOrderAdd",
    method: "POST",
    path: "/api/enterprise-wechat/work-orders",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(add),
    operation: Operation {
        body: Some(RequestBody::of::<OrderBody>()),
        answers: &[Response::json::<Story>(201, "The order.", "新建的工单。")],
        ..Operation::new(Tag::WorkOrders, "Add a work order", "新建工单")
    },
};

pub(super) async fn add(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let wanted: OrderBody = body::parse(&call.request.body)?;
    let about = About::customer(&wanted.customer_id);
    let answer = async {
        wanted.check()?;
        let corpid = corp::of_field(conn, wanted.corpid.as_deref()).await?;

        apply::lock_alone(conn, &corpid).await?;
        let new = NewOrder {
            corpid: &corpid,
            customer_id: &CustomerId(wanted.customer_id),
            customer_name: wanted.customer_name.as_deref(),
            phone: wanted.phone.as_deref(),
            address: wanted.address.as_deref(),
            description: &wanted.description,
            source: wanted.source.as_deref(),
        };
        let id = work_order::insert(conn, &new, call.who()).await?;
        if let Some(phone) = new.phone {
            // The phone number may be in a contact's remark, which then matches the customer.
            let people = matching::with_phone(conn, &corpid, phone).await?;
            apply::follow_scans(conn, &BTreeSet::new(), people).await?;
        }
        if call.admin.rules.automatic {
            let order = find(conn, id).await?;
            assignment::assign(conn, &order).await?;
        }
        let order = find(conn, id).await?;
        Answer::new(201, story(conn, order).await?)
    };
    about.answers(answer.await)
}

const ID: Parameter = path("id", Allowed::Number, "The order's number.", "工单编号。");

pub(super) const LIST: Route = Route {
    id: "workOrderList",
    method: "GET",
    path: "/api/enterprise-wechat/work-orders",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(list),
    operation: Operation {
        about: say("Latest first.", "按时间倒序。"),
        query: &[
            query("state", Allowed::OneOf(|| OrderState::WORDS.to_vec()), "Only those in this state.", "工单状态。"),
            query(
                "staff_id",
                Allowed::Text("E-001"),
                "Only those that this staff member is in charge of.",
                "负责员工。",
            ),
            query("customer_id", Allowed::Text("C-9001"), "Only those of this customer.", "客户编号。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<Order>>(200, "A page of orders.", "一页工单。")],
        ..Operation::new(Tag::WorkOrders, "List work orders", "列出工单")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let state = params.take_word("state")?;
    let (staff_id, customer_id) = (params.take("staff_id"), params.take("customer_id"));
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let about = About::thing(customer_id.as_ref().or(staff_id.as_ref()).cloned().unwrap_or_default())
        .of_customer(customer_id.clone().unwrap_or_default());
    let answer = async {
        let before = paging.after(|key| key.parse().ok())?;
        let filter = Filter { state, staff_id, customer_id, before, own: call.own().cloned() };
        let rows = work_order::list(conn, &filter, paging.fetch()).await?;
        Answer::ok(paging.page(rows, |row| row.id.to_string()))
    };
    about.answers(answer.await)
}

pub(super) const SHOW: Route = Route {
    id: "workOrderShow",
    method: "GET",
    path: "/api/enterprise-wechat/work-orders/{id}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(show),
    operation: Operation {
        path: Some(ID),
        answers: &[Response::json::<Story>(200, "The order.", "工单。")],
        codes: &[Code::WorkOrderUnknown],
        ..Operation::new(Tag::WorkOrders, "Show a work order and what became of it", "查看工单及其经过")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let order = find_for(call, conn, number(call.id)?).await?;
    let about = call.about_path().of_customer(&order.customer_id.0);
    let answer = async { Answer::ok(story(conn, order).await?) };
    about.answers(answer.await)
}

pub(super) const CHANGE: Route = Route {
    id: "workOrderChange",
    method: "PATCH",
    path: "/api/enterprise-wechat/work-orders/{id}",
    access: OPERATOR,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(change),
    operation: Operation {
        about: say(
            "`version` is the one that you saw: if somebody else changed the order since, nothing happens.",
            "`version` 为您所见的版本；若他人已修改，则不执行。",
        ),
        path: Some(ID),
        body: Some(RequestBody::of::<Edit>()),
        answers: &[Response::json::<Story>(200, "The order as it is now.", "变更后的工单。")],
        codes: &[Code::WorkOrderUnknown, Code::NotBound, Code::MoveNotAllowed, Code::VersionConflict],
        ..Operation::new(
            Tag::WorkOrders,
            "Change who is in charge of a work order, or how far it is",
            "改派工单或变更状态",
        )
    },
};

pub(super) async fn change(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let edit: Edit = body::parse(&call.request.body)?;
    let id = number(call.id)?;
    if let Some(note) = &edit.note {
        check::prose("note", note, TEXT_BYTES_MAX)?;
    }
    let Order { corpid, customer_id, .. } = find_for(call, conn, id).await?;
    let about = call.about_path().of_customer(customer_id.0);
    let answer = async {
        apply::lock_alone(conn, &corpid).await?;
        // The previous holder of the lock may have changed it.
        let order = find_for(call, conn, id).await?;
        if edit.version.is_some_and(|version| version != order.version) {
            let detail = (
                format!("the order is at version {}: look at it again", order.version),
                format!("工单当前版本为 {}，请重新查看", order.version),
            );
            return Err(Problem::new(Code::VersionConflict, detail).at("version"));
        }
        change_order(call, conn, order, &edit).await?;
        let order = find(conn, id).await?;
        Answer::ok(story(conn, order).await?)
    };
    about.answers(answer.await)
}

/// Does what an edit says: who is in charge first, then how far it is; a note alone is a turn without a move.
async fn change_order(call: &Call<'_>, conn: &mut PgConnection, order: Order, edit: &Edit) -> Result<(), Problem> {
    let who = call.who();
    let mut note = edit.note.as_deref();
    let mut order = order;
    let mut state = edit.state.as_deref();
    if let Some(staff_id) = &edit.staff_id {
        check::id("staff_id", staff_id)?;
        let staff = StaffId(staff_id.clone());
        if order.state.is_final() {
            return Err(cannot(&order, ("be given to anybody", "再指派")));
        }
        if staff_wechat_bind::user_of(conn, &order.corpid, &staff).await?.is_none() {
            return Err(Problem::new(Code::NotBound, ("bind the staff member first", "请先绑定该员工")).at("staff_id"));
        }
        work_order::assign(conn, &order, &staff, who, note.take()).await?;
        order = find(conn, order.id).await?;
        // Naming the state that the assignment leads to is not a second change.
        state = state.filter(|it| *it != order.state.as_str());
    }
    let Some(state) = state else {
        if let Some(note) = note {
            work_order::change_state(conn, &order, order.state, who, Some(note)).await?;
        }
        return Ok(());
    };
    let wanted: OrderState = state.parse().map_err(|error: NotAWord| {
        let zh = format!("须为以下之一：{}", error.known().join("、"));
        Problem::field("state", (error.to_string(), zh))
    })?;
    if !order.state.may_become(wanted) {
        return Err(cannot(&order, (&format!("become {state}"), &format!("变为 {state}"))));
    }
    Ok(work_order::change_state(conn, &order, wanted, who, note).await?)
}

impl OrderBody {
    fn check(&self) -> Result<(), Problem> {
        check::id("customer_id", &self.customer_id)?;
        check::prose("description", &self.description, TEXT_BYTES_MAX)?;
        let lines = [
            ("customer_name", &self.customer_name),
            ("phone", &self.phone),
            ("address", &self.address),
            ("source", &self.source),
        ];
        for (field, value) in lines {
            if let Some(value) = value {
                check::prose(field, value, LINE_BYTES_MAX)?;
            }
        }
        Ok(())
    }
}

async fn story(conn: &mut PgConnection, order: Order) -> Result<Story, Problem> {
    let changes = work_order::changes(conn, order.id, fetch(LIMIT_MAX)).await?;
    let next_states = order.state.next().to_vec();
    Ok(Story { order, next_states, changes })
}

async fn find(conn: &mut PgConnection, id: i64) -> Result<Order, Problem> {
    work_order::find(conn, id).await?.ok_or_else(unknown)
}

/// The order, if the caller may see it.
pub(in crate::admin) async fn find_for(call: &Call<'_>, conn: &mut PgConnection, id: i64) -> Result<Order, Problem> {
    let order = find(conn, id).await?;
    match call.own() {
        Some(own) if !own.has(&order.corpid, order.staff_id.as_ref()) => Err(unknown()),
        _ => Ok(order),
    }
}

/// A path's id as a number; a text that is not one belongs to no order.
fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| unknown())
}

pub(super) fn unknown() -> Problem {
    Problem::new(
        Code::WorkOrderUnknown,
        ("list them with `GET work-orders` to see which there are", "可用 `GET work-orders` 查看已有工单"),
    )
}

fn cannot(order: &Order, what: (&str, &str)) -> Problem {
    Problem::new(
        Code::MoveNotAllowed,
        (
            format!("an order that is {} cannot {}", order.state, what.0),
            format!("状态为 {} 的工单不能{}", order.state, what.1),
        ),
    )
    .at("state")
}
