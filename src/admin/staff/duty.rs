//! `staff-duty`: who takes new orders, and how many they have.

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
            cursor::{Page, Paging},
            own::{not_bound, sees},
        },
        spec::{
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{CURSOR, LIMIT},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, by_path, now},
        },
    },
    check,
    ids::{CorpId, StaffId, UserId},
    tables::{apply, staff::staff_wechat_bind},
};

/// Who comes on duty or goes off.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DutyWanted")]
pub(super) struct Duty {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// The staff member.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: String,
    /// Whether they take new orders from now on.
    on_duty: bool,
}

/// How it is now.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "DutySet")]
pub(super) struct Set {
    /// The corp.
    corpid: CorpId,
    /// The staff member.
    staff_id: StaffId,
    /// The same, as WeCom names them.
    wechat_userid: UserId,
    /// Whether they take new orders.
    on_duty: bool,
}

pub(super) const LIST: Route = Route {
    id: "staffDutyList",
    method: "GET",
    path: "/api/enterprise-wechat/staff-duty",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<Page<staff_wechat_bind::Duty>>(
            200,
            "A page of bound staff members.",
            "一页已绑定的员工。",
        )],
        ..Operation::new(Tag::Staff, "List who takes new orders", "列出值班情况")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = staff_wechat_bind::duties(conn, call.own(), after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const SET: Route = Route {
    id: "staffDutySet",
    method: "POST",
    path: "/api/enterprise-wechat/staff-duty",
    access: OPERATOR,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(set),
    operation: Operation {
        body: Some(RequestBody::of::<Duty>()),
        answers: &[Response::json::<Set>(200, "How it is now.", "当前状态。")],
        codes: &[Code::NotBound],
        ..Operation::new(Tag::Staff, "Say whether a staff member takes new orders", "设置是否接单")
    },
};

pub(super) async fn set(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let duty: Duty = body::parse(&call.request.body)?;
    let about = About::thing(&duty.staff_id);
    let answer = async {
        check::id("staff_id", &duty.staff_id)?;
        let corpid = corp::of_field_for(call, conn, duty.corpid.as_deref()).await?;
        let staff = StaffId(duty.staff_id);
        sees(call, &corpid, &staff)?;
        apply::lock_alone(conn, &corpid).await?;
        match staff_wechat_bind::set_on_duty(conn, &corpid, &staff, duty.on_duty).await? {
            Some(user) => Answer::ok(Set { corpid, staff_id: staff, wechat_userid: user, on_duty: duty.on_duty }),
            None => Err(not_bound()),
        }
    };
    about.answers(answer.await)
}
