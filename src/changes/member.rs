//! What directory events say about a member of a corp.

use chrono::{DateTime, Utc};

use super::register::{Register, earliest, latest};
use crate::ids::{CorpId, UserId};

/// A batch's changes to one member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Their name.
    pub name: Option<Register<String>>,
    /// The URL of their picture.
    pub avatar: Option<Register<String>>,
    /// Their departments, joined by commas.
    pub department: Option<Register<String>>,
    /// 1 active, 2 disabled, 4 not activated, 5 left the corp.
    pub status: Option<Register<i32>>,
    /// When an event last said that they joined.
    pub joined_at: Option<DateTime<Utc>>,
    /// When an event last said that they left.
    pub left_at: Option<DateTime<Utc>>,
    /// When an app last reported that they left its visible range.
    pub hinted_at: Option<DateTime<Utc>>,
    /// When an app last reported that they came into its visible range: it takes back an earlier hint.
    pub subscribed_at: Option<DateTime<Utc>>,
}

/// A use of a userid in a batch, in one spelling.
///
/// Userids ignore case. Of several spellings the directory's latest counts; else the one that events used first most
/// recently; else one from other lists only, since WeCom returns some of those in lower case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Named {
    /// The earliest event with this spelling.
    pub said_at: Option<DateTime<Utc>>,
    /// When the directory last used this spelling.
    pub directory_at: Option<DateTime<Utc>>,
}

impl Named {
    /// Folds in other uses of the same spelling.
    pub fn absorb(&mut self, other: Self) {
        earliest(&mut self.said_at, other.said_at);
        latest(&mut self.directory_at, other.directory_at);
    }
}

/// A member's userid changed from `old` to `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The corp they belong to.
    pub corpid: CorpId,
    /// The id until then.
    pub old: UserId,
    /// The id since then.
    pub new: UserId,
    /// When, by the event's own time.
    pub at: DateTime<Utc>,
}

impl Member {
    /// They joined the corp.
    pub fn joined(&mut self, at: DateTime<Utc>) {
        latest(&mut self.joined_at, Some(at));
    }

    /// They left the corp.
    pub fn left(&mut self, at: DateTime<Utc>) {
        latest(&mut self.left_at, Some(at));
    }

    /// An app reported that they left its visible range; they may or may not have left the corp.
    pub fn perhaps_left(&mut self, at: DateTime<Utc>) {
        latest(&mut self.hinted_at, Some(at));
    }

    /// An app reported that they came into its visible range.
    pub fn subscribed(&mut self, at: DateTime<Utc>) {
        latest(&mut self.subscribed_at, Some(at));
    }

    /// Folds in another batch's changes to the same member.
    pub fn absorb(&mut self, other: Member) {
        Register::absorb(&mut self.name, other.name);
        Register::absorb(&mut self.avatar, other.avatar);
        Register::absorb(&mut self.department, other.department);
        Register::absorb(&mut self.status, other.status);
        latest(&mut self.joined_at, other.joined_at);
        latest(&mut self.left_at, other.left_at);
        latest(&mut self.hinted_at, other.hinted_at);
        latest(&mut self.subscribed_at, other.subscribed_at);
    }
}
