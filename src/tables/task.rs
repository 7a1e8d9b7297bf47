//! `task`: what must still be done with WeCom. Recording only adds to it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{
    changes::{Task, TaskKind},
    ids::CorpId,
};

/// Adds the batch's tasks; one that is there already is marked again.
pub async fn upsert(conn: &mut PgConnection, tasks: &BTreeMap<(CorpId, TaskKind, String), Task>) -> sqlx::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = tasks.keys().map(|(corp, ..)| corp.0.clone()).collect();
    let kinds: Vec<_> = tasks.keys().map(|(_, kind, _)| kind.as_str().to_owned()).collect();
    let subjects: Vec<_> = tasks.keys().map(|(.., subject)| subject.clone()).collect();
    let priorities: Vec<_> = tasks.keys().map(|(_, kind, _)| kind.priority()).collect();
    let rows = || tasks.values();
    let apps: Vec<_> = rows().map(|it| it.app_id).collect();
    let payloads: Vec<_> = rows().map(|it| it.payload.clone()).collect();
    let due: Vec<_> = rows().map(|it| it.due_at).collect();
    let deadlines: Vec<_> = rows().map(|it| it.deadline).collect();
    let marks: Vec<_> = rows().map(|it| it.marks).collect();
    sqlx::query!(
        r#"
        insert into task as own (corpid, kind, subject, priority, app_id, payload, due_at, deadline, version)
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::smallint[], $5::integer[], $6::text[], $7::timestamptz[],
            $8::timestamptz[], $9::bigint[]
        )
        on conflict on constraint task_key do update set
            app_id = least(own.app_id, excluded.app_id),
            payload = greatest(own.payload, excluded.payload),
            due_at = greatest(own.due_at, excluded.due_at),
            deadline = greatest(own.deadline, excluded.deadline),
            version = own.version + excluded.version
        "#,
        &corps,
        &kinds,
        &subjects,
        &priorities,
        &apps,
        &payloads as _,
        &due,
        &deadlines as _,
        &marks,
    )
    .execute(conn)
    .await?;
    Ok(())
}
