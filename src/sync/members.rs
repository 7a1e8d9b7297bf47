//! Reads departments and their members.

use super::{Halt, Run, permission, reading};
use crate::{
    answers,
    changes::Changes,
    states::SyncPhase,
    tables::{
        company::department,
        staff::member,
        sync::sync_run::{self, Counts, RunProgress},
    },
    wecom::Rows,
};

/// WeCom's codes for a department that no longer exists.
const NO_DEPARTMENT: &[i64] = &[60003, 60123];

/// The department is not visible to the app; others may be.
const OUT_OF_SIGHT: i64 = 60011;

/// Reads which departments there are.
pub(super) async fn departments(run: &mut Run, standing: &RunProgress) -> Result<(), Halt> {
    let listed = run.api().await?.departments().await?;
    let mut departments: Vec<_> = listed.iter().map(|it| it.id).collect();
    departments.sort_unstable();
    departments.dedup();
    let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
    run.name_unreadable(&mut transaction, &listed.unreadable).await?;
    let mut changes = Changes::default();
    answers::department::listed(&mut changes, &run.lease.corpid, &listed, reading::said_at(standing.now));
    run.write(&mut transaction, changes, &[]).await?;
    sync_run::set_departments(&mut transaction, run.lease.run, &departments, standing.now).await?;
    Ok(transaction.commit().await?)
}

/// Reads the members of the next department. A member of several is returned with each, with the same data.
pub(super) async fn members(run: &mut Run, standing: &RunProgress) -> Result<(), Halt> {
    let done = usize::try_from(standing.position).unwrap_or(usize::MAX);
    let Some(&department) = standing.departments.get(done) else {
        let mut transaction = run.begin(&Counts::default()).await?;
        sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::Staff, 0, "").await?;
        return Ok(transaction.commit().await?);
    };
    let Rows { rows: members, unreadable } = match run.api().await?.members_of(department).await {
        Err(error) if error.errcode.is_some_and(|code| NO_DEPARTMENT.contains(&code)) => {
            Rows { rows: Vec::new(), unreadable: Vec::new() }
        }
        Err(error) if error.is(OUT_OF_SIGHT) => {
            let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
            sync_run::skip(&mut transaction, run.lease.run, &permission::skipped(SyncPhase::Members.as_str(), &error))
                .await?;
            sync_run::judge_no_members(&mut transaction, run.lease.run).await?;
            sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::Members, standing.position + 1, "").await?;
            return Ok(transaction.commit().await?);
        }
        members => members?,
    };
    let counts = Counts { calls: 1, members: i32::try_from(members.len()).unwrap_or(i32::MAX), ..Counts::default() };
    let mut transaction = run.begin(&counts).await?;
    let users = members.iter().map(|it| it.user.clone()).collect();
    let users = run.current(&mut transaction, users).await?;
    let ids: Vec<_> = users.iter().map(|user| user.0.clone()).collect();
    let corpid = run.lease.corpid.clone();
    let held = member::held(&mut transaction, &corpid, &ids).await?;
    let (mut changes, at) = (Changes::default(), reading::said_at(standing.now));
    let read = users.iter().zip(&members);
    let found: Vec<_> =
        read.filter_map(|(user, it)| reading::member(&mut changes, &corpid, user, it, at, held.get(user))).collect();
    run.write(&mut transaction, changes, &found).await?;
    run.name_unreadable(&mut transaction, &unreadable).await?;
    sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::Members, standing.position + 1, "").await?;
    Ok(transaction.commit().await?)
}

/// Reads the name of the next department whose name is not known. A department that is gone or out of sight has none.
pub(super) async fn department_names(run: &mut Run, standing: &RunProgress) -> Result<(), Halt> {
    let (corpid, departments) = (run.lease.corpid.clone(), &standing.departments);
    let next = {
        let mut conn = run.sync.pool.acquire().await?;
        department::first_nameless(&mut conn, &corpid, departments, standing.position).await?
    };
    let place = next.and_then(|it| Some((it, departments.get(usize::try_from(it).ok()?).copied()?)));
    let Some((place, id)) = place else {
        let mut transaction = run.begin(&Counts::default()).await?;
        sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::Compare, 0, "").await?;
        return Ok(transaction.commit().await?);
    };
    let mut changes = Changes::default();
    match run.api().await?.department(id).await {
        Ok(read) => {
            answers::department::named(&mut changes, &corpid, id, &read, reading::said_at(standing.now));
        }
        Err(error) if error.is(OUT_OF_SIGHT) || error.errcode.is_some_and(|it| NO_DEPARTMENT.contains(&it)) => {}
        Err(error) => return Err(error.into()),
    }
    let mut transaction = run.begin(&Counts { calls: 1, ..Counts::default() }).await?;
    run.write(&mut transaction, changes, &[]).await?;
    sync_run::go_on(&mut transaction, run.lease.run, SyncPhase::DepartmentNames, place + 1, "").await?;
    Ok(transaction.commit().await?)
}
