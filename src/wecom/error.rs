//! What a call may end with, understood once: the platform's `errcode` becomes a [`Class`], which says what to do next.

use std::{fmt, time::Duration};

use super::{
    meaning::{self, Meaning},
    paths::GET_TOKEN,
    unreached::Unreached,
};

/// What the caller does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing happened, and it may work later: WeCom is busy, limits us, or cannot be reached.
    Transient,
    /// The access token was not accepted, and neither was the one after it.
    Token,
    /// WeCom understood and said no. Asking again changes nothing until somebody changes something.
    Refused,
    /// Nobody knows whether it happened: the connection broke after the request was on its way, or the answer is none
    /// that we understand. A call that is not safe to repeat must first look for its effect.
    Unknown,
}

/// A call that did not succeed. Printing it shows neither token nor secret.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// What the caller does about it.
    pub class: Class,
    /// The endpoint below `/cgi-bin/`.
    pub path: &'static str,
    /// WeCom's code; none if there was no answer.
    pub errcode: Option<i64>,
    /// Why there was no answer that could be understood; none if there was one, or if nothing was asked.
    pub unreached: Option<Unreached>,
    /// WeCom's words, without hint and address; or what went wrong on the way.
    pub message: Box<str>,
    /// WeCom's trace id (`hint: […]`), for its support.
    pub hint: Option<Box<str>>,
    /// The address that WeCom saw us come from, for its allow list.
    pub from_ip: Option<Box<str>>,
    /// Not before so long.
    pub retry_after: Option<Duration>,
}

/// Codes after which nothing happened and a later call may succeed.
const TRANSIENT: &[i64] = &[-1, 6000, 41063, 41079, 41096, 45033, 45035, 81026, 2_000_111, 2_000_141];

/// Codes that mean too many calls, of a minute, an hour or a day.
const THROTTLED: &[i64] = &[45009, 45036, 41094];

/// Codes that mean another token is needed. 40001 is among them only on calls other than `gettoken`.
const TOKEN: &[i64] = &[40001, 40014, 41001, 42001];

/// Codes that somebody must do something about in WeCom's console, for all calls of the kind: a wrong secret, an address
/// that is not on the allow list, a right that is missing. Then all of them work again, so nothing is given up for it yet.
const OPERATOR: &[i64] = &[
    40001, 40013, 40091, 45031, 48002, 48007, 48009, 48011, 50001, 50003, 60020, 60031, 301007, 301042, 301052, 301053,
    610023, 610024,
];

/// Codes that mean the app lacks a right to this API, or to what it was asked about. Other APIs may well work.
const NOT_PERMITTED: &[i64] = &[48002, 48009, 48011, 50002, 60011, 60030, 60031, 92000, 610_023, 610_024];

/// How long an API rests after WeCom said that we call it too often: its shortest window is a minute.
const THROTTLED_FOR: Duration = Duration::from_secs(60);

/// How long a call rests after WeCom said that too many of its kind run at once.
const CROWDED_FOR: Duration = Duration::from_secs(5);

impl ApiError {
    /// Understands an answer's `errcode` and `errmsg`. 0 is one, too, if what the answer must hold is not there.
    pub(super) fn answered(path: &'static str, errcode: i64, errmsg: &str) -> Self {
        let class = match errcode {
            40001 if path == GET_TOKEN => Class::Refused,
            code if TOKEN.contains(&code) => Class::Token,
            // What WeCom should have given is not there, although it says that all is well.
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

    /// There was no answer that could be understood.
    pub(super) fn unanswered(path: &'static str, class: Class, message: impl Into<Box<str>>) -> Self {
        let message = message.into();
        Self { class, path, errcode: None, unreached: None, message, hint: None, from_ip: None, retry_after: None }
    }

    /// WeCom answered, and what follows from the answer cannot be known. It may be able to say so later.
    pub fn odd(path: &'static str, message: impl Into<Box<str>>) -> Self {
        Self::unanswered(path, Class::Unknown, message)
    }

    /// The answer's `errmsg` again, as [`Self::answered`] reads it.
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

    /// What it means and what to do about it, in words; none for codes without a meaning of their own.
    pub fn meaning(&self) -> Option<&'static Meaning> {
        match (self.errcode, self.path) {
            (Some(40001), GET_TOKEN) => Some(&meaning::WRONG_SECRET),
            (Some(errcode), _) => meaning::of(errcode),
            (None, _) => self.unreached.map(Unreached::meaning),
        }
    }

    /// What is the same about all calls that fail alike, in a few words.
    pub fn cause(&self) -> String {
        match (self.errcode, self.unreached) {
            (Some(errcode), _) => format!("{}: {errcode}", self.path),
            (None, Some(unreached)) => format!("{}: {}", self.path, unreached.as_str()),
            (None, None) => format!("{}: {}", self.path, self.message),
        }
    }

    /// Whether it may work later without anybody doing anything, if the call is safe to repeat.
    pub fn is_transient(&self) -> bool {
        matches!(self.class, Class::Transient | Class::Unknown)
    }

    /// Whether all calls of the kind fail until somebody does something in WeCom's console, or in our configuration: an
    /// app without a secret is refused without a code.
    pub fn needs_operator(&self) -> bool {
        self.class == Class::Refused && self.errcode.is_none_or(|code| OPERATOR.contains(&code))
    }

    /// Whether the app lacks a right, so that this API is closed to it while others may be open.
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

    /// The platform's classes of codes, and what each makes us do.
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
        // Already so, and too late: whoever calls compares with the code.
        (Class::Refused, &[41051, 40129, 40100, 86215, 95033, 41093, 95013]),
        (Class::Refused, &[41050, 42003, 40029, 42022, 42052, 60140, 84014, 95001, 95002, 95007, 95018, 10010]),
        // Of single customers and groups that are handed over.
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
