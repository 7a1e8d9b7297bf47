//! The inputs and the result of a plan: the items to hand over, the possible successors, and the assignment.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{
    ids::{CorpId, UserId},
    states::{ItemKind, ItemState},
};

/// WeCom transfers a customer between active members at most [`MOVES_MAX`] times within this many days.
const MOVES_DAYS: i32 = 90;

/// See [`MOVES_DAYS`].
const MOVES_MAX: i64 = 2;

/// An item that needs a successor.
#[derive(Debug, Clone)]
pub struct ToPlan {
    /// The item's number.
    pub id: i64,
    /// customer, order or group.
    pub kind: ItemKind,
    /// Which one.
    pub subject: String,
    /// Whether it has a successor at present.
    pub planned: bool,
    /// Of an order: its customer, among the leaver's contacts.
    pub customers: Vec<String>,
}

/// A staff member who may take over.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The staff member.
    pub staff_id: String,
    /// The member.
    pub user: UserId,
    /// What they are called.
    pub name: Option<String>,
    /// Their departments, joined by commas.
    pub department: Option<String>,
    /// Whether they are active in WeCom.
    pub active: bool,
    /// How many contacts they have.
    pub contacts: i64,
    /// How many orders they have that are not over.
    pub orders: i64,
}

/// Which staff members may take over.
#[derive(Debug, Clone, Default)]
pub struct CandidateSearch {
    /// These, if they are bound.
    pub staff_ids: Vec<String>,
    /// Everybody in one of these departments.
    pub departments: Vec<String>,
    /// Everybody.
    pub everybody: bool,
}

/// The items of these kinds that are open or planned.
pub async fn to_plan(conn: &mut PgConnection, handover: i64, kinds: &[ItemKind]) -> sqlx::Result<Vec<ToPlan>> {
    sqlx::query_as!(
        ToPlan,
        r#"
        select item.id, item.kind as "kind: ItemKind", item.subject, item.state = 'planned' as "planned!",
            array(
                select contact.external_userid
                from handover
                join work_order on work_order.id = case when item.kind = 'order' then item.subject::bigint end
                join customer_wechat_contact contact
                    on contact.customer_id = work_order.customer_id and contact.corpid = work_order.corpid
                    and contact.wechat_userid = handover.wechat_userid
                where handover.id = $1
                order by contact.external_userid
            ) as "customers!"
        from handover_item item
        where item.handover_id = $1 and item.state in ('open', 'planned') and item.kind = any($2)
        order by item.id
        "#,
        handover,
        kinds as _,
    )
    .fetch_all(conn)
    .await
}

/// The present or planned owner of each customer of a handover.
pub async fn placed(conn: &mut PgConnection, handover: i64) -> sqlx::Result<BTreeMap<String, String>> {
    let rows = sqlx::query!(
        r#"
        select distinct on (subject) subject, successor_staff_id, state as "state: ItemState"
        from handover_item
        where handover_id = $1 and kind = 'customer'
        order by subject, round desc
        "#,
        handover,
    )
    .fetch_all(conn)
    .await?;
    let has_successor = |state| {
        use ItemState::{Calling, Done, Overdue, Planned, Waiting};
        matches!(state, Planned | Calling | Waiting | Overdue | Done)
    };
    Ok(rows
        .into_iter()
        .filter(|it| has_successor(it.state))
        .filter_map(|it| Some((it.subject, it.successor_staff_id?)))
        .collect())
}

/// The customers among these who may not be transferred within the corp again for some time.
pub async fn moved_lately(conn: &mut PgConnection, corpid: &CorpId, customers: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select item.subject
        from handover_item item
        join handover on handover.id = item.handover_id
        join handover_call call on call.id = item.call_id
        where item.subject = any($2) and item.kind = 'customer' and item.state = 'done'
            and item.finished_at > now() - make_interval(days => $3)
            and handover.corpid = $1 and call.flow = 'in_service'
        group by item.subject
        having count(*) >= $4
        "#,
        corpid.as_str(),
        customers,
        MOVES_DAYS,
        MOVES_MAX,
    )
    .fetch_all(conn)
    .await
}

/// The bound staff members who may take over: all who are named, and up to `limit` others, active ones with the
/// fewest contacts first.
pub async fn candidates(
    conn: &mut PgConnection,
    corpid: &CorpId,
    wanted: &CandidateSearch,
    limit: i64,
) -> sqlx::Result<Vec<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"
        with found as (
            select bind.corpid, bind.staff_id, bind.wechat_userid, coalesce(bind.wechat_name, member.name) as name,
                member.department, bind.staff_id = any($2) as named,
                coalesce(member.status, 1) = 1
                    and (member.left_at is null or coalesce(member.joined_at > member.left_at, false)) as active,
                (
                    select count(*) from customer_wechat_contact contact
                    where contact.wechat_userid = bind.wechat_userid and contact.corpid = bind.corpid
                        and contact.status in ('assumed', 'contacted')
                ) as contacts
            from staff_wechat_bind bind
            left join member on member.corpid = bind.corpid and member.wechat_userid = bind.wechat_userid
            where bind.corpid = $1 and bind.status = 'bound'
                and (bind.staff_id = any($2) or $4 or string_to_array(member.department, ',') && $3)
        )
        (select staff_id as "staff_id!", wechat_userid as "user!: UserId", name, department, active as "active!",
            contacts as "contacts!",
            (
                select count(*) from work_order
                where work_order.staff_id = found.staff_id and work_order.corpid = found.corpid
                    and work_order.state not in ('done', 'cancelled')
            ) as "orders!"
        from found
        order by named desc, active desc, contacts, staff_id collate "C"
        limit $5::bigint + cardinality($2::text[]))
        "#,
        corpid.as_str(),
        &wanted.staff_ids,
        &wanted.departments,
        wanted.everybody,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The departments of a member, joined by commas.
pub async fn departments(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select department from member where corpid = $1 and wechat_userid = $2",
        corpid.as_str(),
        user.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}

/// Stores the successors of these items. The caller changes the items' states afterwards.
pub async fn give(conn: &mut PgConnection, items: &[i64], users: &[String], staff_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update handover_item item set successor_userid = given.wechat_userid, successor_staff_id = given.staff_id
        from unnest($1::bigint[], $2::text[], $3::text[]) given (item, wechat_userid, staff_id)
        where item.id = given.item and item.state in ('open', 'planned')
        "#,
        items,
        users,
        staff_ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the successors of these items. Only for open items, whose plan was dropped before.
pub async fn take_back(conn: &mut PgConnection, items: &[i64]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update handover_item set successor_userid = null, successor_staff_id = null
        where id = any($1) and state = 'open'
        "#,
        items,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds another round for items that ended in one of these states; all of them, or only these subjects. Returns how
/// many.
pub async fn reopen(
    conn: &mut PgConnection,
    handover: i64,
    states: &[ItemState],
    kinds: &[ItemKind],
    subjects: Option<&[String]>,
) -> sqlx::Result<u64> {
    let result = sqlx::query!(
        r#"
        insert into handover_item (handover_id, kind, subject, round)
        select $1, kind, subject, round + 1
        from (
            select distinct on (kind, subject) kind, subject, round, state, id from handover_item
            where handover_id = $1 and kind = any($3)
            order by kind, subject, round desc
        ) last
        where state = any($2) and ($4::text[] is null or subject = any($4))
        order by id
        "#,
        handover,
        states as _,
        kinds as _,
        subjects,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}
