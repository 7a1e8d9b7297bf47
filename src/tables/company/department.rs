//! `department`: the departments of the directory, as far as an app sees them.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;

use crate::{changes::Department, ids::CorpId};

/// Folds these departments into the table, by the same rule as [`Department::absorb`].
pub async fn upsert(conn: &mut PgConnection, departments: &BTreeMap<(CorpId, i64), Department>) -> sqlx::Result<()> {
    if departments.is_empty() {
        return Ok(());
    }
    let (corps, ids): (Vec<_>, Vec<_>) = departments.keys().map(|(corp, id)| (corp.0.clone(), *id)).unzip();
    let rows = || departments.values();
    let name: Vec<_> = rows().map(|it| it.name.as_ref().map(|it| it.value.clone())).collect();
    let name_at: Vec<_> = rows().map(|it| it.name.as_ref().map(|it| it.at)).collect();
    let parent: Vec<_> = rows().map(|it| it.parent.as_ref().map(|it| it.value)).collect();
    let parent_at: Vec<_> = rows().map(|it| it.parent.as_ref().map(|it| it.at)).collect();
    let named: Vec<_> = rows().map(|it| it.named_at).collect();
    let removed: Vec<_> = rows().map(|it| it.removed_at).collect();
    sqlx::query!(
        r#"
        insert into department as own (corpid, id, name, name_at, parent_id, parent_at, named_at, removed_at)
        select * from unnest(
            $1::text[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::timestamptz[], $7::timestamptz[],
            $8::timestamptz[]
        )
        on conflict on constraint department_key do update set
            name = case when own.name_at is null
                    or (excluded.name_at, excluded.name collate "C") > (own.name_at, own.name collate "C")
                then excluded.name else own.name end,
            name_at = greatest(excluded.name_at, own.name_at),
            parent_id = case
                when own.parent_at is null or (excluded.parent_at, excluded.parent_id) > (own.parent_at, own.parent_id)
                then excluded.parent_id else own.parent_id end,
            parent_at = greatest(excluded.parent_at, own.parent_at),
            named_at = greatest(excluded.named_at, own.named_at),
            removed_at = greatest(excluded.removed_at, own.removed_at)
        "#,
        &corps,
        &ids,
        &name as _,
        &name_at as _,
        &parent as _,
        &parent_at as _,
        &named as _,
        &removed as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The position of the first of these departments, from `from` on, whose name is not known.
pub async fn first_nameless(
    conn: &mut PgConnection,
    corpid: &CorpId,
    ids: &[i64],
    from: i32,
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        r#"
        select (listed.place - 1)::integer as "place!"
        from unnest($2::bigint[]) with ordinality listed (id, place)
        left join department held on held.corpid = $1 and held.id = listed.id
        where listed.place > $3 and held.name is null
        order by listed.place
        limit 1
        "#,
        corpid.as_str(),
        ids,
        i64::from(from),
    )
    .fetch_optional(conn)
    .await
}

/// A department as the admin API shows it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Department")]
pub struct DepartmentView {
    /// The corp.
    pub corpid: String,
    /// WeCom's number; 1 is the whole company.
    pub id: i64,
    /// Its name; null until it is read.
    pub name: Option<String>,
    /// The department above it; it may not be among the others.
    pub parent_id: Option<i64>,
    /// How many members are in it itself, without those of the departments below.
    pub members: i64,
}

/// Up to `limit` departments that exist, by corp and number, after the given one.
pub async fn list(
    conn: &mut PgConnection,
    corpid: Option<&str>,
    after: Option<(String, i64)>,
    limit: i64,
) -> sqlx::Result<Vec<DepartmentView>> {
    let (after_corp, after_id) = after.unzip();
    sqlx::query_as!(
        DepartmentView,
        r#"
        with page as (
            select corpid, id, name, parent_id from department
            where ($1::text is null or corpid = $1) and named_at > coalesce(removed_at, '-infinity')
                and ($2::text is null or (corpid, id) > ($2, $3))
            order by corpid, id
            limit $4
        ),
        sizes as (
            select member.corpid, own.id, count(*) as members
            from member cross join lateral unnest(string_to_array(member.department, ',')) own (id)
            where member.corpid in (select corpid from page)
                and (member.left_at is null or member.joined_at > member.left_at)
            group by member.corpid, own.id
        )
        select page.corpid, page.id, page.name, page.parent_id, coalesce(sizes.members, 0) as "members!"
        from page
        left join sizes on sizes.corpid = page.corpid and sizes.id = page.id::text
        order by page.corpid, page.id
        "#,
        corpid,
        after_corp,
        after_id,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The departments with this number and all below them, each as `corpid/number`; of one corp if it is given. A department
/// that nobody named counts as well: its members name it.
pub async fn below(conn: &mut PgConnection, corpid: Option<&str>, id: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        with recursive below (corpid, id) as (
            select corpid, $2::bigint from (select distinct corpid from enterprise_wechat_config) corp
            where $1::text is null or corpid = $1
            union
            select department.corpid, department.id from department
            join below on below.corpid = department.corpid and below.id = department.parent_id
            where department.named_at > coalesce(department.removed_at, '-infinity')
        )
        select corpid || '/' || id as "name!" from below
        "#,
        corpid,
        id,
    )
    .fetch_all(conn)
    .await
}
