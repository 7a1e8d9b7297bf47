//! One thing that must still be done with WeCom.

use chrono::{DateTime, Utc};

use crate::states::TaskKind;

impl TaskKind {
    /// Whether it is tried for as long as it takes: nobody else would bring it to its end.
    pub fn is_lasting(self) -> bool {
        self == Self::Handover
    }

    /// Whether somebody waits for it, so that executors are told at once. The others are found by looking.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Welcome | Self::NotifyStaff)
    }
}

/// A row of `task`, but for its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The app through which the hint came; of several, the one with the smallest id.
    pub app_id: i32,
    /// What an executor needs beyond the subject, as JSON text.
    pub payload: Option<String>,
    /// Not before.
    pub due_at: DateTime<Utc>,
    /// Of no use after.
    pub deadline: Option<DateTime<Utc>>,
    /// How many deliveries asked for it.
    pub marks: i64,
}

impl Task {
    /// Folds another wish for the same thing.
    pub fn absorb(&mut self, other: Task) {
        self.app_id = self.app_id.min(other.app_id);
        self.due_at = self.due_at.max(other.due_at);
        self.deadline = self.deadline.max(other.deadline);
        self.marks += other.marks;
        self.payload = self.payload.take().max(other.payload);
    }
}
