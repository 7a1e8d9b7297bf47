//! `read_approval`: reads a form of the 审批 app that was approved, or withdrawn after that. If its template is one of
//! `handover.resignation_templates`, the form becomes a resignation, or withdraws it.
//!
//! Safe to repeat: a form makes one resignation at most, whose number names the form.

use super::{Context, Failure};
use crate::{
    changes::{Payload, ReadApprovalPayload},
    handover::by_approval::{self, NotEntered},
    tables::task::Taken,
};

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let payload = ReadApprovalPayload::read(task.payload.as_deref())
        .map_err(|error| Failure::park(format!("the task's payload cannot be read: {error}")))?;
    let templates = &context.handover.resignation_templates;
    let Some(template) = templates.iter().find(|it| it.template_id == payload.template_id) else { return Ok(()) };
    let form = context.wecom.app(task.app_id).await?.approval(&task.subject).await?;
    let mut transaction = context.pool.begin().await?;
    match by_approval::take_in(&mut transaction, &task.corpid, &task.subject, template, &form).await {
        Ok(()) => Ok(transaction.commit().await?),
        Err(NotEntered::Database(error)) => Err(error.into()),
        Err(error) => Err(Failure::park(error.to_string())),
    }
}
