//! Handles forms of the approval engine.
//!
//! Which templates are resignations is not known here: a form of the 审批 app that was approved, or withdrawn after that,
//! becomes a task, and its executor knows the settings.

use crate::{
    changes::{ApprovalEngine, Changes, Payload, ReadApprovalPayload, Register, Source, Task, TaskKind},
    event::{Approval, ApprovalEngine as Engine},
};

/// The statuses of a form that was approved, and of one that was withdrawn after that.
const DECIDED: [i32; 2] = [2, 6];

/// A form progressed. An event without the form's number or status is kept and counted only.
pub fn progressed(source: &Source, name: &str, it: &Approval, changes: &mut Changes) {
    let (Some(number), Some(status)) = (&it.number, it.status) else { return changes.ignore(source, name) };
    let engine = match it.engine {
        Engine::Own => ApprovalEngine::Own,
        Engine::System => ApprovalEngine::System,
    };
    if let Some(applicant) = &it.applicant {
        changes.says(source, applicant);
    }
    let at = source.at();
    let form = changes.approval(source, engine, number);
    form.template_id = form.template_id.take().max(it.template_id.clone());
    form.name = form.name.take().max(it.name.clone());
    form.applicant = form.applicant.take().max(it.applicant.clone());
    form.applied_at = form.applied_at.max(it.applied_at);
    Register::set(&mut form.status, status, at);
    if let (Engine::System, Some(template_id)) = (it.engine, &it.template_id)
        && DECIDED.contains(&status)
    {
        let task = Task {
            app_id: source.key.app_id,
            payload: Some(ReadApprovalPayload { template_id: template_id.clone() }.to_text()),
            due_at: source.counts_from(),
            deadline: None,
            marks: 1,
        };
        changes.task(source, TaskKind::ReadApproval, number, task);
    }
}
