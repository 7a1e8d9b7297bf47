//! `staff-duty`: who takes new orders, and how many they have.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    body,
    call::{Answer, Call},
    check,
    page::Paging,
    problem::Problem,
    staff_bind::{corp_for, not_bound, sees},
};
use crate::{
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

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = staff_wechat_bind::duties(conn, call.own(), after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) async fn set(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let duty: Duty = body::parse(&call.request.body)?;
    call.subject.clone_from(&duty.staff_id);
    check::id("staff_id", &duty.staff_id)?;
    let corpid = corp_for(call, conn, duty.corpid.as_deref()).await?.map_err(|why| Problem::field("corpid", why))?;
    let staff = StaffId(duty.staff_id);
    sees(call, &corpid, &staff)?;
    apply::lock_alone(conn, &corpid).await?;
    match staff_wechat_bind::set_on_duty(conn, &corpid, &staff, duty.on_duty).await? {
        Some(user) => Answer::ok(Set { corpid, staff_id: staff, wechat_userid: user, on_duty: duty.on_duty }),
        None => Err(not_bound()),
    }
}
