//! What a text is found by: its pairs of neighbouring characters.
//!
//! Two characters of Chinese are often a word, and nothing separates words. A text contains another only if it has all of
//! the other's pairs, so the pairs find candidates and [`contains`] decides. Case, and how much space is between two
//! words, does not count.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Timelike, Utc};

/// A text as it is compared: in lower case, and with one space for spaces, line ends and control characters.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars().flat_map(char::to_lowercase) {
        if !character.is_whitespace() && !character.is_control() {
            plain.push(character);
        } else if !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// The pairs of neighbouring characters of a text, without those that hold a space. None for a text of one character.
pub fn pairs(text: &str) -> BTreeSet<String> {
    let plain = plain(text);
    let pairs = plain.chars().zip(plain.chars().skip(1));
    pairs.filter(|(one, next)| *one != ' ' && *next != ' ').map(|(one, next)| String::from_iter([one, next])).collect()
}

/// Whether a text contains another.
pub fn contains(text: &str, wanted: &str) -> bool {
    plain(text).contains(&plain(wanted))
}

/// The term of a day of the month, in UTC.
pub fn day(at: DateTime<Utc>) -> String {
    format!("@{:02}", at.day())
}

/// The term of an hour of the month, in UTC.
pub fn hour(at: DateTime<Utc>) -> String {
    format!("@{:02}{:02}", at.day(), at.hour())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Vec<String> {
        pairs(text).into_iter().collect()
    }

    #[test]
    fn a_text_is_found_by_two_characters_in_any_case_and_spacing() {
        assert_eq!(of("厨房漏水"), ["厨房", "房漏", "漏水"]);
        assert_eq!(of("A4  纸\n袋子"), ["a4", "袋子"]);
        assert_eq!(of("水"), Vec::<String>::new());
        assert!(contains("请看 IMG\t7.jpg", "img 7"));
        assert!(!contains("厨房漏 水", "漏水"));
    }

    #[test]
    fn a_time_is_found_by_its_day_and_its_hour() {
        let at = "2026-03-07T23:59:59Z".parse().expect("a time");
        assert_eq!((day(at), hour(at)), ("@07".to_owned(), "@0723".to_owned()));
    }

    proptest! {
        #[test]
        fn whatever_contains_a_text_has_all_of_its_pairs(before in ".{0,12}", text in ".{2,8}", after in ".{0,12}") {
            let whole = format!("{before}{text}{after}");
            prop_assert!(contains(&whole, &text));
            let (all, wanted) = (pairs(&whole), pairs(&text));
            prop_assert!(wanted.is_subset(&all), "{wanted:?} of {all:?}");
        }

        #[test]
        fn no_pair_is_taken_for_a_time(text in ".{0,40}") {
            prop_assert!(pairs(&text).iter().all(|pair| pair.chars().count() == 2));
        }
    }
}
