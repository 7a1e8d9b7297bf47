//! `member`: the members of a corp, as the directory callbacks describe them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    changes::Member,
    ids::{CorpId, UserId},
    tables::{customers::customer_wechat_contact::register, plans},
};

/// Folds the batch's members into the table, by the same rule as [`Member::absorb`].
pub async fn upsert(conn: &mut PgConnection, members: &BTreeMap<(CorpId, UserId), Member>) -> sqlx::Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let (corps, users): (Vec<_>, Vec<_>) = members.keys().map(|(corp, user)| (corp.0.clone(), user.0.clone())).unzip();
    let rows = || members.values();
    let name: Vec<_> = rows().map(|it| it.name.as_ref().map(|it| it.value.clone())).collect();
    let name_at: Vec<_> = rows().map(|it| it.name.as_ref().map(|it| it.at)).collect();
    let avatar: Vec<_> = rows().map(|it| it.avatar.as_ref().map(|it| it.value.clone())).collect();
    let avatar_at: Vec<_> = rows().map(|it| it.avatar.as_ref().map(|it| it.at)).collect();
    let department: Vec<_> = rows().map(|it| it.department.as_ref().map(|it| it.value.clone())).collect();
    let department_at: Vec<_> = rows().map(|it| it.department.as_ref().map(|it| it.at)).collect();
    let status: Vec<_> = rows().map(|it| it.status.as_ref().map(|it| it.value)).collect();
    let status_at: Vec<_> = rows().map(|it| it.status.as_ref().map(|it| it.at)).collect();
    let joined: Vec<_> = rows().map(|it| it.joined_at).collect();
    let left: Vec<_> = rows().map(|it| it.left_at).collect();
    let hinted: Vec<_> = rows().map(|it| it.hinted_at).collect();
    let subscribed: Vec<_> = rows().map(|it| it.subscribed_at).collect();
    sqlx::query!(
        r#"
        insert into member as own (
            corpid, wechat_userid, name, name_at, avatar, avatar_at, department, department_at, status, status_at,
            joined_at, left_at, hinted_at, subscribed_at
        )
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::text[],
            $8::timestamptz[], $9::integer[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[],
            $13::timestamptz[], $14::timestamptz[]
        )
        on conflict on constraint member_key do update set
            name = case when own.name_at is null or (excluded.name_at, excluded.name) > (own.name_at, own.name)
                then excluded.name else own.name end,
            name_at = greatest(excluded.name_at, own.name_at),
            avatar = case
                when own.avatar_at is null or (excluded.avatar_at, excluded.avatar) > (own.avatar_at, own.avatar)
                then excluded.avatar else own.avatar end,
            avatar_at = greatest(excluded.avatar_at, own.avatar_at),
            department = case
                when own.department_at is null
                    or (excluded.department_at, excluded.department) > (own.department_at, own.department)
                then excluded.department else own.department end,
            department_at = greatest(excluded.department_at, own.department_at),
            status = case
                when own.status_at is null or (excluded.status_at, excluded.status) > (own.status_at, own.status)
                then excluded.status else own.status end,
            status_at = greatest(excluded.status_at, own.status_at),
            joined_at = greatest(excluded.joined_at, own.joined_at),
            left_at = greatest(excluded.left_at, own.left_at),
            hinted_at = greatest(excluded.hinted_at, own.hinted_at),
            subscribed_at = greatest(excluded.subscribed_at, own.subscribed_at)
        "#,
        &corps,
        &users,
        &name as _,
        &name_at as _,
        &avatar as _,
        &avatar_at as _,
        &department as _,
        &department_at as _,
        &status as _,
        &status_at as _,
        &joined as _,
        &left as _,
        &hinted as _,
        &subscribed as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a member out of the table, to be folded in again under another userid.
pub async fn take(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<Option<Member>> {
    let row = sqlx::query!(
        r#"
        delete from member where corpid = $1 and wechat_userid = $2
        returning name, name_at, avatar, avatar_at, department, department_at, status, status_at,
            joined_at, left_at, hinted_at, subscribed_at
        "#,
        corpid.as_str(),
        user.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Member {
        name: register(row.name, row.name_at),
        avatar: register(row.avatar, row.avatar_at),
        department: register(row.department, row.department_at),
        status: register(row.status, row.status_at),
        joined_at: row.joined_at,
        left_at: row.left_at,
        hinted_at: row.hinted_at,
        subscribed_at: row.subscribed_at,
    }))
}

/// The stored part of a member that a reading is compared with.
#[derive(Debug, Clone)]
pub struct Held {
    /// The member.
    pub user: UserId,
    /// Their name.
    pub name: Option<String>,
    /// Whether they have left, and not joined again since.
    pub left: bool,
}

/// The stored members among these.
pub async fn held(conn: &mut PgConnection, corpid: &CorpId, users: &[String]) -> sqlx::Result<BTreeMap<UserId, Held>> {
    let rows = sqlx::query_as!(
        Held,
        r#"
        select held.wechat_userid as "user!: UserId", held.name,
            held.left_at is not null and (held.joined_at is null or held.joined_at <= held.left_at) as "left!"
        from (select distinct it as wechat_userid from unnest($2::text[]) it) named
        cross join lateral (
            select member.* from member where member.corpid = $1 and member.wechat_userid = named.wechat_userid
            offset 0
        ) held
        "#,
        corpid.as_str(),
        users,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.user.clone(), it)).collect())
}

/// Members who have not left and whose departments were last confirmed before `since`, without those in `others`.
pub async fn not_named_since(
    conn: &mut PgConnection,
    corpid: &CorpId,
    since: DateTime<Utc>,
    others: &[String],
) -> sqlx::Result<Vec<Held>> {
    plans::whole(conn).await?;
    let members = sqlx::query_as!(
        Held,
        r#"
        select wechat_userid as "user: UserId", name, false as "left!"
        from member
        where corpid = $1 and (department_at is null or department_at < $2) and wechat_userid <> all($3)
            and (left_at is null or joined_at > left_at)
        order by wechat_userid
        "#,
        corpid.as_str(),
        since,
        others,
    )
    .fetch_all(&mut *conn)
    .await?;
    plans::keyed(conn).await?;
    Ok(members)
}
