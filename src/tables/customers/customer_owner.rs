//! `customer_owner`: the view of who held a customer from when to when, and why.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::tables::access::own::Own;

/// A stretch of time in which a customer was a member's.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CustomerOwner")]
pub struct OwnerView {
    /// The corp.
    pub corpid: String,
    /// The customer, as WeCom names them.
    pub external_userid: String,
    /// The member, as WeCom names them.
    pub wechat_userid: String,
    /// The staff member last bound to that userid.
    pub staff_id: Option<String>,
    /// Since when; null if it began before anything was recorded.
    pub since: Option<DateTime<Utc>>,
    /// Why it began: added, handed_over (by a handover of ours) or transferred (by another one); null if that is not known.
    pub began_by: Option<String>,
    /// Until when; null if they still are.
    pub until: Option<DateTime<Utc>>,
    /// Why it ended: lost (the customer deleted the member), deleted_by_member, handed_over, transferred, or gone (WeCom does
    /// not name them any more); null if they still are.
    pub ended_by: Option<String>,
}

/// Up to `limit` owners of a customer, by the business's id or WeCom's, earliest first; with `as_of` only those who held
/// them at that moment. A caller who sees their own alone gets all owners of a customer whom they know.
pub async fn of_customer(
    conn: &mut PgConnection,
    own: Option<&Own>,
    id: &str,
    as_of: Option<DateTime<Utc>>,
    limit: i64,
) -> sqlx::Result<Vec<OwnerView>> {
    if let Some(own) = own
        && !own.knows(conn, id).await?
    {
        return Ok(Vec::new());
    }
    let (own_corp, _) = Own::parts(own);
    sqlx::query_as!(
        OwnerView,
        r#"
        with person as materialized (
            select corpid, external_userid from customer_wechat_contact where customer_id = $1
            union
            select corpid, $1 from (select distinct corpid from enterprise_wechat_config) corp
        )
        select
            owner.corpid as "corpid!", owner.external_userid as "external_userid!", owner.wechat_userid as "wechat_userid!",
            (
                select bind.staff_id from staff_wechat_bind bind
                where bind.corpid = owner.corpid and bind.wechat_userid = owner.wechat_userid
                order by bind.bound_at desc, bind.staff_id desc limit 1
            ) as staff_id,
            owner.since, owner.began_by, owner.until, owner.ended_by
        from person
        cross join lateral (
            select * from customer_owner it
            where it.corpid = person.corpid and it.external_userid = person.external_userid
        ) owner
        where ($2::text is null or owner.corpid = $2)
            and ($3::timestamptz is null
                or (coalesce(owner.since, '-infinity') <= $3 and coalesce(owner.until, 'infinity') > $3))
        order by owner.since nulls first, owner.until nulls last, owner.corpid, owner.wechat_userid
        limit $4
        "#,
        id,
        own_corp,
        as_of,
        limit,
    )
    .fetch_all(conn)
    .await
}
