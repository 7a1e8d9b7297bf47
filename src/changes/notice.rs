//! A work order notice to a staff member in WeCom: the payload of a `notify_staff` task.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Payload, Task};
use crate::ids::UserId;

/// How many characters of a title WeCom shows.
const TITLE_CHARS_MAX: usize = 26;

/// How many characters of the description WeCom shows.
const DESC_CHARS_MAX: usize = 30;

/// How many characters of a line's value WeCom shows.
const VALUE_CHARS_MAX: usize = 26;

/// A card for a staff member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The description below the title.
    #[serde(default)]
    pub desc: String,
    /// The lines: names and values.
    #[serde(default)]
    pub lines: Vec<(String, String)>,
    /// The title.
    pub title: String,
    /// The URL of the page that it opens; empty if there is none.
    pub url: String,
    /// The receiver.
    pub wechat_userid: UserId,
}

impl Payload for Notice {}

impl Notice {
    /// The field that holds the receiver, for SQL that searches by it.
    pub const TOLD: &str = "wechat_userid";

    /// A notice, each text cut to what WeCom shows.
    pub fn new(user: UserId, title: &str, desc: &str, url: String) -> Self {
        let (title, desc) = (shortened(title, TITLE_CHARS_MAX), shortened(desc, DESC_CHARS_MAX));
        Self { wechat_userid: user, title, desc, lines: Vec::new(), url }
    }

    /// Adds a line, if there is a value.
    #[must_use]
    pub fn line(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value.filter(|it| !it.is_empty()) {
            self.lines.push((name.to_owned(), shortened(value, VALUE_CHARS_MAX)));
        }
        self
    }

    /// The task that sends it through this app.
    pub fn task(&self, app_id: i32, due_at: DateTime<Utc>) -> Task {
        Task { app_id, payload: Some(self.to_text()), due_at, deadline: None, marks: 1 }
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_cut_to_the_length_that_wecom_shows() {
        let long = "水".repeat(40);
        let notice = Notice::new("li".into(), &long, "短", String::new()).line("客户", Some(&long)).line("电话", None);
        assert_eq!((notice.title.chars().count(), notice.desc.as_str()), (26, "短"));
        assert!(notice.title.ends_with('…'));
        assert_eq!(notice.lines.len(), 1);
    }
}
