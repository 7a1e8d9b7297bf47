//! The content of a greeting: a text with placeholders, attachments, other texts for some channels, and quiet hours.
//! Pure: the caller passes the time and the names.

use std::{fmt, str::FromStr};

use chrono::{DateTime, FixedOffset, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::wecom::welcome::Attachment;

/// How long a greeting may be: WeCom takes 4,000 bytes.
pub const TEXT_BYTES_MAX: usize = 4_000;

/// Shanghai is eight hours ahead of UTC, all year.
const SHANGHAI_S: i32 = 8 * 3_600;

/// Replaces the member's name if it is unknown. Their userid would mean nothing to a customer.
const NAMELESS_STAFF: &str = "客服";

/// Characters next to a name that are removed together with it.
const SEPARATORS: &[char] = &[' ', ',', '，', '、', ':', '：'];

/// What stands beside the app's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "WelcomeRules")]
pub struct Rules {
    /// What goes with the words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Greetings of customers who came through these channels, instead of the usual one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<ForState>,
    /// When to be quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
}

/// The greeting of customers who came through a channel; without words and attachments, none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WelcomeForState")]
pub struct ForState {
    /// The contact way's `state`.
    pub state: String,
    /// The words.
    #[serde(default)]
    pub text: Option<String>,
    /// What goes with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Hours in which nobody is greeted, or with other words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WelcomeQuiet")]
pub struct Quiet {
    /// Which, in Shanghai.
    pub hours: Hours,
    /// The words for them; none, and nothing is sent.
    #[serde(default)]
    pub text: Option<String>,
}

/// A part of the day, such as `22:00-08:00`: from the first minute until just before the second, over midnight if need
/// be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from: NaiveTime,
    to: NaiveTime,
}

/// The text is no part of a day.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be two times of the day such as 22:00-08:00")]
pub struct NotHours;

/// What to do about a new customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Send this.
    Send {
        /// The words; may be empty if there are attachments.
        text: String,
        /// What goes with them.
        attachments: Vec<Attachment>,
    },
    /// It is an hour in which to be quiet.
    Quiet,
    /// There is nothing to send.
    NoTemplate,
}

/// The names of the two people, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The customer's nickname.
    pub customer: Option<String>,
    /// The member's name.
    pub staff: Option<String>,
}

/// Chooses the greeting at `now` for a customer who came through `state`.
pub fn greeting(
    message: Option<&str>,
    rules: &Rules,
    state: Option<&str>,
    now: DateTime<Utc>,
    names: &Names,
) -> Greeting {
    let own = rules.states.iter().find(|it| Some(it.state.as_str()) == state);
    let (text, attachments) = match own {
        Some(own) => (own.text.as_deref(), &own.attachments),
        None => (message, &rules.attachments),
    };
    if text.is_none_or(str::is_empty) && attachments.is_empty() {
        return Greeting::NoTemplate;
    }
    match rules.quiet.as_ref().filter(|it| it.hours.contain(now)) {
        None => Greeting::Send { text: fill(text.unwrap_or_default(), names), attachments: attachments.clone() },
        Some(Quiet { text: Some(text), .. }) => Greeting::Send { text: fill(text, names), attachments: Vec::new() },
        Some(_) => Greeting::Quiet,
    }
}

/// The first unknown placeholder. `{customer}` and `{staff}` are known, also with a text to use if the name is
/// unknown: `{customer|朋友}`.
pub fn unknown_name(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((before, name, _, after)) = placeholder(rest) {
        if before.is_none() {
            return Some(name);
        }
        rest = after;
    }
    None
}

impl Hours {
    /// Whether `now` is within these hours in Shanghai.
    pub fn contain(&self, now: DateTime<Utc>) -> bool {
        let Some(shanghai) = FixedOffset::east_opt(SHANGHAI_S) else { return false };
        let time = now.with_timezone(&shanghai).time();
        match self.from < self.to {
            true => self.from <= time && time < self.to,
            false => self.from <= time || time < self.to,
        }
    }
}

impl FromStr for Hours {
    type Err = NotHours;

    fn from_str(text: &str) -> Result<Self, NotHours> {
        let (from, to) = text.split_once('-').ok_or(NotHours)?;
        let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|_| NotHours);
        let hours = Self { from: time(from)?, to: time(to)? };
        if hours.from == hours.to { Err(NotHours) } else { Ok(hours) }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.format("%H:%M"), self.to.format("%H:%M"))
    }
}

impl TryFrom<String> for Hours {
    type Error = NotHours;

    fn try_from(text: String) -> Result<Self, NotHours> {
        text.parse()
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.to_string()
    }
}

/// Fills in the names. An unknown customer name is left out together with the character next to it, so that
/// `您好，{customer}！` becomes `您好！`. Text within a name is never read as a placeholder.
fn fill(text: &str, names: &Names) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, name, otherwise, after)) = placeholder(rest) {
        rest = after;
        let known = if name == "staff" { &names.staff } else { &names.customer };
        filled.push_str(before.unwrap_or_default());
        match (known.as_deref().or(otherwise), name) {
            (Some(name), _) => filled.push_str(name),
            (None, "staff") => filled.push_str(NAMELESS_STAFF),
            (None, _) => {
                filled.truncate(filled.trim_end_matches(SEPARATORS).len());
                if filled.is_empty() || filled.ends_with('\n') {
                    rest = rest.trim_start_matches(SEPARATORS);
                }
            }
        }
    }
    filled.push_str(rest);
    // The names may make the text longer than what was checked.
    let end = (0..=TEXT_BYTES_MAX.min(filled.len())).rev().find(|at| filled.is_char_boundary(*at));
    filled.truncate(end.unwrap_or(0));
    filled
}

/// The next `{name}` or `{name|otherwise}`: the text before it (none if the name is unknown), the name, the
/// replacement, and the text after it. Braces around anything but a word are plain text.
fn placeholder(text: &str) -> Option<(Option<&str>, &str, Option<&str>, &str)> {
    for (at, _) in text.match_indices('{') {
        let Some((before, rest)) = text.split_at_checked(at) else { continue };
        let Some((inside, after)) = rest.get(1..).and_then(|rest| rest.split_once('}')) else { continue };
        let (name, otherwise) = inside.split_once('|').map_or((inside, None), |(name, words)| (name, Some(words)));
        if !name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_') {
            let ours = matches!(name, "customer" | "staff");
            return Some((ours.then_some(before), name, otherwise, after));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(customer: &str, staff: &str) -> Names {
        let known = |name: &str| Some(name.to_owned()).filter(|it| !it.is_empty());
        Names { customer: known(customer), staff: known(staff) }
    }

    fn shanghai(time: &str) -> DateTime<Utc> {
        format!("2026-05-29T{time}:00+08:00").parse().expect("a time")
    }

    #[test]
    fn placeholders_are_replaced_by_names() {
        let text = "{customer}，您好！我是{staff}，{customer|朋友}有事请说。";
        assert_eq!(fill(text, &names("王小明", "李工")), "王小明，您好！我是李工，王小明有事请说。");
    }

    #[test]
    fn an_unknown_customer_name_is_omitted_with_its_comma() {
        let nobody = Names::default();
        for (text, expected) in [
            ("{customer}，您好！", "您好！"),
            ("您好，{customer}！", "您好！"),
            ("您好 {customer}，我是{staff}。", "您好，我是客服。"),
            ("欢迎{customer}加入", "欢迎加入"),
            ("欢迎\n{customer}, hello", "欢迎\nhello"),
            ("{customer|朋友}，您好", "朋友，您好"),
            ("我是{staff|您的顾问}", "我是您的顾问"),
            ("{ customer } {} {Customer} {", "{ customer } {} {Customer} {"),
        ] {
            assert_eq!(fill(text, &nobody), expected, "{text}");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_placeholder_is_a_name() {
        assert_eq!(fill("{customer}，{staff}", &names("{staff}", "{customer}")), "{staff}，{customer}");
    }

    #[test]
    fn a_greeting_that_names_made_too_long_is_cut_between_characters() {
        let text = format!("{}{{customer}}", "字".repeat(1_333));
        let filled = fill(&text, &names("王小明", ""));
        assert_eq!((filled.len(), filled.ends_with('字')), (3_999, true));
    }

    #[test]
    fn a_misspelt_placeholder_is_reported() {
        assert_eq!(unknown_name("您好 {customer}，{stuff}"), Some("stuff"));
        assert_eq!(unknown_name("您好 {customer|朋友}，{staff}，{\"a\": 1}"), None);
    }

    #[test]
    fn quiet_hours_may_go_over_midnight_and_end_before_their_last_minute() {
        let night: Hours = "22:00-08:00".parse().expect("hours");
        let noon: Hours = "12:00-13:30".parse().expect("hours");
        let within = |hours: Hours| {
            ["21:59", "22:00", "00:00", "07:59", "08:00", "12:00", "13:30"].map(|it| hours.contain(shanghai(it)))
        };
        assert_eq!(within(night), [false, true, true, true, false, false, false]);
        assert_eq!(within(noon), [false, false, false, false, false, true, false]);
        assert_eq!(night.to_string(), "22:00-08:00");
        for wrong in ["22:00", "22-8", "24:00-08:00", "08:00-08:00", ""] {
            assert_eq!(wrong.parse::<Hours>(), Err(NotHours), "{wrong}");
        }
    }

    #[test]
    fn channels_and_quiet_hours_have_their_own_greetings() {
        let rules: Rules = serde_json::from_value(serde_json::json!({
            "states": [{ "state": "booth-3", "text": "展位三" }, { "state": "silent" }],
            "quiet": { "hours": "22:00-08:00", "text": "明早回复您" },
        }))
        .expect("rules");
        let text = |state: &str, time: &str| match greeting(
            Some("您好"),
            &rules,
            Some(state),
            shanghai(time),
            &Names::default(),
        ) {
            Greeting::Send { text, .. } => text,
            other => format!("{other:?}"),
        };
        assert_eq!(text("other", "10:00"), "您好");
        assert_eq!(text("booth-3", "10:00"), "展位三");
        assert_eq!(text("silent", "10:00"), "NoTemplate");
        assert_eq!(text("silent", "23:00"), "NoTemplate");
        assert_eq!(text("booth-3", "23:00"), "明早回复您");
        let quiet = Rules { quiet: Some(Quiet { text: None, ..rules.quiet.clone().expect("quiet") }), ..rules };
        assert_eq!(greeting(Some("您好"), &quiet, None, shanghai("23:00"), &Names::default()), Greeting::Quiet);
        assert_eq!(greeting(None, &quiet, None, shanghai("10:00"), &Names::default()), Greeting::NoTemplate);
    }
}
