//! `refresh_group`: reads a customer group again: its name, its owner, and who is in it.
//!
//! Safe to repeat: the card goes into registers under the time of the reading. If the latest event that asked for it names
//! a version of the list of members that a later reading has already, WeCom is not asked.

use super::{Context, Failure};
use crate::{
    answers,
    changes::{Changes, Payload, RefreshGroupPayload},
    ids::ChatId,
    tables::{self, groups::group_chat, task::Taken},
    wecom::group_chat::{DISSOLVED, NO_GROUP_IN_SIGHT},
};

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let chat = ChatId(task.subject.clone());
    let read_at = {
        let mut conn = context.pool.acquire().await?;
        let held = group_chat::version(&mut conn, &task.corpid, &chat).await?;
        let said = RefreshGroupPayload::read(task.payload.as_deref()).ok();
        if let (Some((held, held_at)), Some(said)) = (held, said)
            && said.version.is_some()
            && said.version == held
            && held_at.timestamp() >= said.event_s
        {
            return Ok(());
        }
        // Taken before the call: the answer is at least as new as this time.
        tables::now(&mut conn).await?
    };
    let api = context.wecom.app(task.app_id).await?;
    let mut changes = Changes::default();
    match api.group(chat.as_str()).await {
        Ok(group) => {
            if let Some(first) = group.unreadable.first() {
                tracing::warn!(
                    task.id = task.id,
                    first = first.why,
                    "rows of a group cannot be used, so nobody counts as gone"
                );
            }
            answers::group::learn(&mut changes, &task.corpid, &chat, &group, read_at);
        }
        Err(error) if error.is(DISSOLVED) => changes.group(&task.corpid, &chat).dismissed(read_at),
        Err(error) if error.errcode.is_some_and(|it| NO_GROUP_IN_SIGHT.contains(&it)) => {
            tracing::debug!(task.id = task.id, "no such group, or none in sight of the app");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    context.write(changes).await
}
