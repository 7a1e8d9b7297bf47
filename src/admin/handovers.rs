//! `handovers`: who left or leaves, and how far the handover of what they leave behind is.

use sqlx::PgConnection;

use super::{
    call::{Answer, Call},
    page::Paging,
    problem::Problem,
};
use crate::tables::handover::{self, Filter};

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (state, staff_id, wechat_userid) =
        (params.take("state"), params.take("staff_id"), params.take("wechat_userid"));
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = Filter { state, staff_id, wechat_userid, before: paging.after(|key| key.parse().ok())? };
    let rows = handover::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}
