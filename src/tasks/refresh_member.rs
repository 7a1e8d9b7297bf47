//! `refresh_member`: reads a member again: name, picture, departments, status.
//!
//! Safe to repeat: the fields go into registers under the time of the reading. It never concludes that a member left:
//! a member whom WeCom does not return may merely be outside the app's visible range, and status 5 alone does not
//! decide either. Either is a reason to read the list of unassigned customers, which decides, as does the directory's
//! callback.

use std::iter::once;

use chrono::{DateTime, Utc};

use super::{Context, Failure};
use crate::{
    changes::{Changes, Member as Known, Register, Task, TaskKind},
    ids::UserId,
    tables::{self, staff::member_alias, task::Taken},
    wecom::member::{Member, UNKNOWN_OR_OUT_OF_SIGHT},
};

/// A member's status once they are out of the company.
const LEFT: i32 = 5;

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let api = context.wecom.app(task.app_id).await?;
    let named = UserId(task.subject.clone());
    let (read_at, user) = {
        let mut conn = context.pool.acquire().await?;
        let mut current = member_alias::resolve(&mut conn, once((&task.corpid, &named))).await?;
        let user = current.remove(&(task.corpid.clone(), named.clone())).unwrap_or(named);
        // Taken before the call: the answer is at least as new as this time.
        (tables::now(&mut conn).await?, user)
    };
    let (mut changes, mut known) = (Changes::default(), Known::default());
    let perhaps_left = match api.member(&user).await {
        Ok(member) => {
            if member.user.is(&user) {
                changes.directory_says(&task.corpid, &member.user, read_at);
            }
            learn(&mut known, &member, read_at);
            member.status == LEFT
        }
        Err(error) if error.is(UNKNOWN_OR_OUT_OF_SIGHT) => true,
        Err(error) => return Err(error.into()),
    };
    if perhaps_left {
        known.perhaps_left(read_at);
        let look = Task { app_id: task.app_id, payload: None, due_at: read_at, deadline: None, marks: 1 };
        changes.tasks.insert((task.corpid.clone(), TaskKind::FindLeavers, task.corpid.0.clone()), look);
    }
    changes.members.insert((task.corpid.clone(), user), known);
    context.write(changes).await
}

/// Turns WeCom's answer of `read_at` into the member's registers. Withheld fields stay as they were.
pub fn learn(known: &mut Known, member: &Member, read_at: DateTime<Utc>) {
    if !member.name.is_empty() {
        Register::set(&mut known.name, member.name.clone(), read_at);
    }
    if let Some(avatar) = member.avatar.as_deref().filter(|it| !it.is_empty()) {
        Register::set(&mut known.avatar, avatar.to_owned(), read_at);
    }
    if let Some(departments) = member.departments() {
        Register::set(&mut known.department, departments, read_at);
    }
    if member.status != 0 {
        Register::set(&mut known.status, member.status, read_at);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_fields_from_wecom_do_not_change_a_member() {
        let member = serde_json::from_value(json!({ "userid": "ann", "name": "", "avatar": "" })).expect("a member");
        let mut known = Known::default();
        learn(&mut known, &member, DateTime::UNIX_EPOCH);
        assert_eq!(known, Known::default());
    }

    #[test]
    fn a_status_of_five_from_wecom_does_not_mark_a_member_as_left() {
        let said = json!({ "userid": "ann", "name": "安", "department": [3, 8], "status": 5 });
        let mut known = Known::default();
        learn(&mut known, &serde_json::from_value(said).expect("a member"), DateTime::UNIX_EPOCH);
        assert_eq!(known.status.as_ref().map(|it| it.value), Some(5));
        assert_eq!(known.department.as_ref().map(|it| it.value.as_str()), Some("3,8"));
        assert_eq!((known.left_at, known.joined_at), (None, None));
    }
}
