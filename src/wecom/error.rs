//! Errors of API calls: the one place that turns the platform's `errcode` into a [`Class`], which says what to do
//! next.

use std::{fmt, time::Duration};

use super::{
    meaning::{self, Meaning},
    paths::GET_TOKEN,
    unreached::Unreached,
};

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing happened, and it may work later: WeCom is busy, limits us, or cannot be reached.
    Transient,
    /// The access_token was rejected, and so was a new one.
    Token,
    /// WeCom understood and refused. Retrying changes nothing until somebody changes something.
    Refused,
    /// It is unknown whether the call took effect: the connection broke after the request was sent, or the answer
    /// makes no sense. A call that is not safe to repeat must first look for its effect.
    Unknown,
}

/// A failed call. Printing it shows neither token nor secret.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// What the caller does next.
    pub class: Class,
    /// The endpoint below `/cgi-bin/`.
    pub path: &'static str,
    /// WeCom's code; none if there was no answer.
    pub errcode: Option<i64>,
    /// Why no valid answer was received; none if there was one, or if no request was sent.
    pub unreached: Option<Unreached>,
    /// WeCom's errmsg without hint and address, or a description of the failure.
    pub message: Box<str>,
    /// WeCom's trace id (`hint: […]`), for its support.
    pub hint: Option<Box<str>>,
    /// The address from which WeCom received the call, for its allow list.
    pub from_ip: Option<Box<str>>,
    /// The minimum pause before a retry.
    pub retry_after: Option<Duration>,
}

/// Codes after which nothing happened and a retry may succeed.
const TRANSIENT: &[i64] = &[-1, 6000, 41063, 41079, 41096, 45033, 45035, 81026, 2_000_111, 2_000_141];

/// Codes for too many calls per minute, hour or day.
const THROTTLED: &[i64] = &[45009, 45036, 41094];

/// Codes that require a new token. 40001 counts as one on all calls except `gettoken`.
const TOKEN: &[i64] = &[40001, 40014, 41001, 42001];

/// Codes that an administrator must fix in WeCom's console, for all calls of the kind: a wrong secret, an address
/// that is not on the allow list, a missing right. All of them work again after that, so nothing is given up yet.
const OPERATOR: &[i64] = &[
    40001, 40013, 40091, 45031, 48002, 48007, 48009, 48011, 50001, 50003, 60020, 60031, 301007, 301042, 301052, 301053,
    610023, 610024,
];

/// Codes for a missing right to this API, or to the requested object. Other APIs may work.
const NOT_PERMITTED: &[i64] = &[48002, 48009, 48011, 50002, 60011, 60030, 60031, 92000, 610_023, 610_024];

/// How long an API is paused after WeCom said that we call it too often: its shortest window is a minute.
const THROTTLED_FOR: Duration = Duration::from_secs(60);

/// How long a call is paused after WeCom said that too many of its kind run at once.
const CROWDED_FOR: Duration = Duration::from_secs(5);

impl ApiError {
    /// Turns an answer's `errcode` and `errmsg` into an error. 0 is an error, too, if required data is missing.
    pub(super) fn answered(path: &'static str, errcode: i64, errmsg: &str) -> Self {
        let class = match errcode {
            40001 if path == GET_TOKEN => Class::Refused,
            code if TOKEN.contains(&code) => Class::Token,
            // WeCom reports success, but the required data is missing.
            0 => Class::Transient,
            code if TRANSIENT.contains(&code) || THROTTLED.contains(&code) => Class::Transient,
            _ => Class::Refused,
        };
        let retry_after = match errcode {
            code if THROTTLED.contains(&code) => Some(THROTTLED_FOR),
            45033 => Some(CROWDED_FOR),
            _ => None,
        };
        let message = errmsg.split(", hint:").next().unwrap_or(errmsg).trim().into();
        Self {
            class,
            path,
            errcode: Some(errcode),
            unreached: None,
            message,
            hint: between(errmsg, "hint: [", "]"),
            from_ip: between(errmsg, "from ip: ", ","),
            retry_after,
        }
    }

    /// No valid answer was received.
    pub(super) fn unanswered(path: &'static str, class: Class, message: impl Into<Box<str>>) -> Self {
        let message = message.into();
        Self { class, path, errcode: None, unreached: None, message, hint: None, from_ip: None, retry_after: None }
    }

    /// WeCom answered, but the result cannot be derived from the answer. A later answer may be complete.
    pub fn odd(path: &'static str, message: impl Into<Box<str>>) -> Self {
        Self::unanswered(path, Class::Unknown, message)
    }

    /// Rebuilds the answer's `errmsg` as [`Self::answered`] reads it.
    pub(super) fn errmsg(&self) -> String {
        let mut text = self.message.to_string();
        if let Some(hint) = &self.hint {
            text.push_str(&format!(", hint: [{hint}]"));
        }
        if let Some(from_ip) = &self.from_ip {
            text.push_str(&format!(", from ip: {from_ip}, "));
        }
        text
    }

    /// The error's meaning and remedy in words; none for codes without special ones.
    pub fn meaning(&self) -> Option<&'static Meaning> {
        match (self.errcode, self.path) {
            (Some(40001), GET_TOKEN) => Some(&meaning::WRONG_SECRET),
            (Some(errcode), _) => meaning::of(errcode),
            (None, _) => self.unreached.map(Unreached::meaning),
        }
    }

    /// A short text that all calls with the same cause share.
    pub fn cause(&self) -> String {
        match (self.errcode, self.unreached) {
            (Some(errcode), _) => format!("{}: {errcode}", self.path),
            (None, Some(unreached)) => format!("{}: {}", self.path, unreached.as_str()),
            (None, None) => format!("{}: {}", self.path, self.message),
        }
    }

    /// Whether a retry may succeed without anybody's help, if the call is safe to repeat.
    pub fn is_transient(&self) -> bool {
        matches!(self.class, Class::Transient | Class::Unknown)
    }

    /// Whether all calls of the kind fail until somebody changes WeCom's console or our configuration. An app without
    /// a secret is refused without a code.
    pub fn needs_operator(&self) -> bool {
        self.class == Class::Refused && self.errcode.is_none_or(|code| OPERATOR.contains(&code))
    }

    /// Whether the app lacks a right to this API; others may work.
    pub fn is_not_permitted(&self) -> bool {
        self.errcode.is_some_and(|code| NOT_PERMITTED.contains(&code))
    }

    /// Whether WeCom answered with this code.
    pub fn is(&self, errcode: i64) -> bool {
        self.errcode == Some(errcode)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        if let Some(errcode) = self.errcode {
            write!(f, "{errcode} ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " (hint {hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

fn between(text: &str, before: &str, after: &str) -> Option<Box<str>> {
    let (_, rest) = text.split_once(before)?;
    let found = rest.split(after).next().unwrap_or(rest).trim();
    (!found.is_empty()).then(|| found.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERRMSG: &str = "not allow to access from your ip, hint: [1790000000_12_a1b2], from ip: 203.0.113.9, \
                          more info at https://open.work.weixin.qq.com/devtool/query?e=60020";

    #[test]
    fn an_errmsg_is_taken_apart() {
        let error = ApiError::answered("user/get", 60020, ERRMSG);
        assert_eq!(error.class, Class::Refused);
        assert_eq!(error.hint.as_deref(), Some("1790000000_12_a1b2"));
        assert_eq!(error.from_ip.as_deref(), Some("203.0.113.9"));
        let again = ApiError::answered("user/get", 60020, &error.errmsg());
        assert_eq!((&again.message, &again.hint, &again.from_ip), (&error.message, &error.hint, &error.from_ip));
        assert_eq!(error.to_string(), "user/get: 60020 not allow to access from your ip (hint 1790000000_12_a1b2)");
    }

    #[test]
    fn a_wrong_secret_errcode_is_final_for_gettoken_and_means_a_stale_token_elsewhere() {
        assert_eq!(ApiError::answered("gettoken", 40001, "").class, Class::Refused);
        assert_eq!(ApiError::answered("user/get", 40001, "").class, Class::Token);
    }

    /// The platform's codes by the class that we give them.
    const CLASSES: &[(Class, &[i64])] = &[
        // Retry soon, or after the window.
        (Class::Transient, &[-1, 6000, 41063, 41079, 45033, 45035, 41096, 81026, 2_000_111, 2_000_141]),
        (Class::Transient, &[45009, 45036, 41094]),
        (Class::Token, &[40014, 42001, 41001, 40001]),
        // For the operator.
        (Class::Refused, &[40091, 45031, 48002, 48007, 48009, 48011, 50001, 50003, 60020, 60031, 95011, 95012, 95017]),
        (Class::Refused, &[95023, 301_042, 301_052, 301_053, 301_007, 610_023, 610_024]),
        // Out of scope, or not related.
        (Class::Refused, &[60011, 60030, 60021, 60111, 50002, 84061, 84074, 84083, 84084, 40096, 40131, 92000]),
        // Our own mistakes.
        (Class::Refused, &[40008, 40032, 40033, 40035, 40039, 40056, 40058, 40063, 40206, 41009, 44004, 45002, 82001]),
        // Done already, or too late: callers compare with the code.
        (Class::Refused, &[41051, 40129, 40100, 86215, 95033, 41093, 95013]),
        (Class::Refused, &[41050, 42003, 40029, 42022, 42052, 60140, 84014, 95001, 95002, 95007, 95018, 10010]),
        // About single customers and groups of a transfer.
        (Class::Refused, &[40097, 40098, 40099, 40128, 40130, 40132, 40143, 40205]),
        (Class::Refused, &[90500, 90501, 90502, 90503, 90504, 90507, 90508, 90509, 49008, 40050, 86003]),
    ];

    #[test]
    fn every_code_that_needs_special_handling_has_its_class_and_a_meaning_in_words() {
        for (class, codes) in CLASSES {
            for code in *codes {
                let error = ApiError::answered("user/get", *code, "");
                assert_eq!(error.class, *class, "{code}");
                let meaning = error.meaning().unwrap_or_else(|| panic!("{code} has no meaning"));
                for text in [meaning.zh, meaning.remedy_zh] {
                    assert!(!text.is_empty() && !text.is_ascii(), "{code}: {text}");
                }
                assert!(!meaning.en.is_empty() && !meaning.remedy_en.is_empty(), "{code}");
            }
        }
        let wrong_secret = ApiError::answered("gettoken", 40001, "").meaning().expect("a meaning");
        assert_ne!(wrong_secret.en, ApiError::answered("user/get", 40001, "").meaning().expect("a meaning").en);
    }

    #[test]
    fn rate_limit_errors_say_when_to_retry() {
        for (code, seconds) in [(45009, 60), (45036, 60), (41094, 60), (45033, 5)] {
            assert_eq!(
                ApiError::answered("user/get", code, "").retry_after,
                Some(Duration::from_secs(seconds)),
                "{code}"
            );
        }
        assert_eq!(ApiError::answered("user/get", -1, "").retry_after, None);
    }
}
