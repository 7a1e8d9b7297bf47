//! A task: one call or more that must still be made to WeCom.

use chrono::{DateTime, Utc};

use crate::states::TaskKind;

impl TaskKind {
    /// Whether it is retried without end, because nothing else would complete it.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Handover | Self::PullArchive | Self::CheckConsent)
    }

    /// Whether somebody waits for it, so that executors are notified at once. Executors find the others by polling.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Welcome | Self::WelcomeKf | Self::NotifyStaff | Self::PullKf)
    }
}

/// A row of `task`, but for its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The app whose callback asked for it; of several, the one with the smallest id.
    pub app_id: i32,
    /// The executor's input besides the subject, as JSON text.
    pub payload: Option<String>,
    /// The earliest time to run it.
    pub due_at: DateTime<Utc>,
    /// The time after which it is useless.
    pub deadline: Option<DateTime<Utc>>,
    /// How many deliveries asked for it.
    pub marks: i64,
}

impl Task {
    /// Folds in another request for the same task.
    pub fn absorb(&mut self, other: Task) {
        self.app_id = self.app_id.min(other.app_id);
        self.due_at = self.due_at.max(other.due_at);
        self.deadline = self.deadline.max(other.deadline);
        self.marks += other.marks;
        self.payload = self.payload.take().max(other.payload);
    }
}
