//! `staff-duty`: who takes new orders, and how many they have.

use serde::Deserialize;
use serde_json::json;
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
    ids::StaffId,
    tables::{apply, staff_wechat_bind},
};

/// Who comes on duty or goes off.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Duty {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    staff_id: String,
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
        Some(user) => {
            Answer::ok(json!({ "corpid": corpid, "staff_id": staff, "wechat_userid": user, "on_duty": duty.on_duty }))
        }
        None => Err(not_bound()),
    }
}
