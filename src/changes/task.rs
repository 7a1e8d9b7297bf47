//! One thing that must still be done with WeCom.

use chrono::{DateTime, Utc};

/// What is to be done. The order is the order of their names in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// Download a picture, sound or film; the subject is the media id.
    FetchMedia,
    /// Read whose customers WeCom lists as left behind; the subject is the corp.
    FindLeavers,
    /// Drive a handover on; the subject is its number.
    Handover,
    /// Tell a staff member something; the subject is what it is about.
    NotifyStaff,
    /// Read a customer's card again; the subject is the external userid.
    RefreshContact,
    /// Read a member again; the subject is the userid's key, the same for every spelling.
    RefreshMember,
    /// Greet a new customer; the subject is the welcome code.
    Welcome,
}

impl TaskKind {
    /// Every kind, in the order of their names.
    pub const ALL: &[Self] = &[
        Self::FetchMedia,
        Self::FindLeavers,
        Self::Handover,
        Self::NotifyStaff,
        Self::RefreshContact,
        Self::RefreshMember,
        Self::Welcome,
    ];

    /// Its name in `task.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FetchMedia => "fetch_media",
            Self::FindLeavers => "find_leavers",
            Self::Handover => "handover",
            Self::NotifyStaff => "notify_staff",
            Self::RefreshContact => "refresh_contact",
            Self::RefreshMember => "refresh_member",
            Self::Welcome => "welcome",
        }
    }

    /// Which goes first: smaller is sooner.
    pub fn priority(self) -> i16 {
        match self {
            Self::Welcome => 0,
            Self::NotifyStaff => 20,
            Self::Handover => 30,
            Self::FindLeavers => 40,
            Self::RefreshMember => 50,
            Self::RefreshContact => 100,
            Self::FetchMedia => 150,
        }
    }

    /// Whether it is tried for as long as it takes: nobody else would bring it to its end.
    pub fn is_lasting(self) -> bool {
        self == Self::Handover
    }

    /// Whether somebody waits for it, so that executors are told at once. The others are found by looking.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Welcome | Self::NotifyStaff)
    }
}

impl std::str::FromStr for TaskKind {
    type Err = NotATaskKind;

    fn from_str(text: &str) -> Result<Self, NotATaskKind> {
        Self::ALL.iter().copied().find(|it| it.as_str() == text).ok_or(NotATaskKind)
    }
}

/// The text names no kind of task.
#[derive(Debug, thiserror::Error)]
#[error(
    "a task's kind is fetch_media, find_leavers, handover, notify_staff, refresh_contact, refresh_member or welcome"
)]
pub struct NotATaskKind;

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
