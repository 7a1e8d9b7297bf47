//! `refresh_tags`: reads the company's customer tags again, all of them: deleting a group of tags deletes its tags without
//! an event.
//!
//! Safe to repeat: a reading counts as of its own time.

use super::{Context, Failure};
use crate::{
    answers,
    changes::Changes,
    tables::{self, task::Taken},
};

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let api = context.wecom.app(task.app_id).await?;
    // Taken before the call: the answer is at least as new as this time.
    let read_at = tables::now(&mut *context.pool.acquire().await?).await?;
    let tags = api.corp_tags().await?;
    if let Some(first) = tags.unreadable.first() {
        return Err(Failure::park(format!(
            "a row of the list of tags cannot be read, so none counts as deleted: {}",
            first.why
        )));
    }
    let mut changes = Changes::default();
    answers::tag::learn(&mut changes, &task.corpid, &tags, read_at);
    context.write(changes).await
}
