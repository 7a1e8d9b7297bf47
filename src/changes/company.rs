//! What events and lists say about the company itself: departments, customer tags, approvals, and alerts.

use chrono::{DateTime, Utc};

use super::register::{Register, latest};
use crate::{ids::UserId, states::TagKind};

/// Changes to one department.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Department {
    /// Its name.
    pub name: Option<Register<String>>,
    /// The department above it.
    pub parent: Option<Register<i64>>,
    /// When an event or a list last said that it exists.
    pub named_at: Option<DateTime<Utc>>,
    /// When an event last said that it was removed.
    pub removed_at: Option<DateTime<Utc>>,
}

/// The company's customer tags and their groups, as one reading named all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagList {
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// The tags and groups.
    pub tags: Vec<CorpTag>,
}

/// A customer tag, or a group of such tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorpTag {
    /// WeCom's id.
    pub id: String,
    /// Which of both it is.
    pub kind: TagKind,
    /// The group of a tag.
    pub group_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its sort order; greater ones come first.
    pub position: i64,
}

/// Changes to one form of the approval engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    /// The template's id.
    pub template_id: Option<String>,
    /// The template's name.
    pub name: Option<String>,
    /// Who applies, as the event spelled them. Not resolved to a current userid: of several the greatest spelling wins,
    /// whatever is known of renames.
    pub applicant: Option<UserId>,
    /// When they applied.
    pub applied_at: Option<DateTime<Utc>>,
    /// Its status, as WeCom numbers it.
    pub status: Option<Register<i32>>,
}

/// Changes to one kind of alert of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alert {
    /// The latest warning.
    pub said: Option<Register<Warning>>,
    /// When WeCom last said that it is over.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What a warning says beside its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// When what is announced takes effect.
    pub takes_effect_at: Option<DateTime<Utc>>,
    /// The link, or how much quota expires.
    pub detail: Option<String>,
}

impl Department {
    /// Something said at `at` that it exists.
    pub fn exists(&mut self, at: DateTime<Utc>) {
        latest(&mut self.named_at, Some(at));
    }

    /// It was removed.
    pub fn removed(&mut self, at: DateTime<Utc>) {
        latest(&mut self.removed_at, Some(at));
    }

    /// Folds in other changes to the same department.
    pub fn absorb(&mut self, other: Self) {
        Register::absorb(&mut self.name, other.name);
        Register::absorb(&mut self.parent, other.parent);
        latest(&mut self.named_at, other.named_at);
        latest(&mut self.removed_at, other.removed_at);
    }
}

impl Approval {
    /// Folds in other events of the same form. What does not change in a form is the same in all of them; if WeCom
    /// says otherwise, the greater value counts.
    pub fn absorb(&mut self, other: Self) {
        self.template_id = self.template_id.take().max(other.template_id);
        self.name = self.name.take().max(other.name);
        self.applicant = self.applicant.take().max(other.applicant);
        self.applied_at = self.applied_at.max(other.applied_at);
        Register::absorb(&mut self.status, other.status);
    }
}

impl Alert {
    /// WeCom warned of it.
    pub fn said(&mut self, warning: Warning, at: DateTime<Utc>) {
        Register::set(&mut self.said, warning, at);
    }

    /// WeCom said that it is over.
    pub fn ended(&mut self, at: DateTime<Utc>) {
        latest(&mut self.ended_at, Some(at));
    }

    /// Folds in other changes to the same kind of alert.
    pub fn absorb(&mut self, other: Self) {
        Register::absorb(&mut self.said, other.said);
        latest(&mut self.ended_at, other.ended_at);
    }
}
