//! Handles changes of the company's customer tags.
//!
//! Deleting a group of tags deletes its tags without an event, and reordering changes any number of them, so the whole
//! list is read again whatever happened.

use chrono::TimeDelta;

use crate::changes::{Changes, Source, Task, TaskKind};

/// How long reading the list waits: whoever edits tags edits several.
const REFRESH_DELAY: TimeDelta = TimeDelta::seconds(10);

/// The subject of the task: a corp has one list of tags.
const SUBJECT: &str = "tags";

/// Tags or groups of tags were made, renamed, reordered or deleted.
pub fn changed(source: &Source, changes: &mut Changes) {
    let task = Task {
        app_id: source.key.app_id,
        payload: None,
        due_at: source.counts_from() + REFRESH_DELAY,
        deadline: None,
        marks: 1,
    };
    changes.task(source, TaskKind::RefreshTags, SUBJECT, task);
}
