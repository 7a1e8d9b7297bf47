//! `approval`: forms of the approval engine, as far as callbacks describe them.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{changes::Approval, ids::CorpId, states::ApprovalEngine};

/// Folds these forms into the table, by the same rule as [`Approval::absorb`]. A form without a status is not stored:
/// no event of WeCom's lacks it.
pub async fn upsert(
    conn: &mut PgConnection,
    approvals: &BTreeMap<(CorpId, ApprovalEngine, String), Approval>,
) -> sqlx::Result<()> {
    let told: Vec<_> = approvals.iter().filter_map(|(key, it)| Some((key, it, it.status.as_ref()?))).collect();
    if told.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = told.iter().map(|((corp, ..), ..)| corp.0.clone()).collect();
    let engines: Vec<_> = told.iter().map(|((_, engine, _), ..)| engine.as_str().to_owned()).collect();
    let numbers: Vec<_> = told.iter().map(|((.., number), ..)| number.clone()).collect();
    let templates: Vec<_> = told.iter().map(|(_, it, _)| it.template_id.clone()).collect();
    let names: Vec<_> = told.iter().map(|(_, it, _)| it.name.clone()).collect();
    let applicants: Vec<_> = told.iter().map(|(_, it, _)| it.applicant.as_ref().map(|it| it.0.clone())).collect();
    let applied: Vec<_> = told.iter().map(|(_, it, _)| it.applied_at).collect();
    let status: Vec<_> = told.iter().map(|(.., status)| status.value).collect();
    let status_at: Vec<_> = told.iter().map(|(.., status)| status.at).collect();
    sqlx::query!(
        r#"
        insert into approval as own (
            corpid, engine, number, template_id, name, applicant_userid, applied_at, status, status_at
        )
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::integer[],
            $9::timestamptz[]
        )
        on conflict on constraint approval_key do update set
            template_id = greatest(excluded.template_id collate "C", own.template_id collate "C"),
            name = greatest(excluded.name collate "C", own.name collate "C"),
            applicant_userid = greatest(excluded.applicant_userid collate "C", own.applicant_userid collate "C"),
            applied_at = greatest(excluded.applied_at, own.applied_at),
            status = case when (excluded.status_at, excluded.status) > (own.status_at, own.status)
                then excluded.status else own.status end,
            status_at = greatest(excluded.status_at, own.status_at)
        "#,
        &corps,
        &engines,
        &numbers,
        &templates as _,
        &names as _,
        &applicants as _,
        &applied as _,
        &status,
        &status_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
