//! The environment as a source of settings: the variables, and the setting of each.
//!
//! The names come from the default configuration, so they always match it. What a value means beyond its type is not
//! known here.

use super::{Config, ConfigError, setting};
use std::{collections::BTreeMap, env};
use toml::{Table, Value};

/// The process's environment. Variables that are not UTF-8 are skipped, because `std::env::vars` would panic on them.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Overrides the file's settings by the environment's, each value parsed as its setting's type.
pub(super) fn overlay(settings: &mut Table, env: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let known = variables();
    if let Some(url) = env.get("DATABASE_URL") {
        settings.insert("database_url".to_owned(), url.clone().into());
    }
    for (name, text) in env.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let Some(variable) = known.get(name) else {
            let names = known.keys().map(String::as_str).chain(RESERVED);
            let nearest = names.min_by_key(|known| distance(known, name)).unwrap_or_default().to_owned();
            return Err(ConfigError::UnknownVariable { name: name.clone(), nearest });
        };
        let wrong = |wanted| ConfigError::Variable { name: name.clone(), wanted };
        let value = match variable.standard {
            Value::Integer(_) => text.parse::<i64>().map_err(|_| wrong("a whole number"))?.into(),
            Value::Array(_) => text.split(',').map(|it| Value::from(it.trim())).collect::<Vec<_>>().into(),
            Value::Boolean(_) => text.parse::<bool>().map_err(|_| wrong("`true` or `false`"))?.into(),
            _ => Value::from(text.as_str()),
        };
        let place = match &variable.section {
            None => &mut *settings,
            Some(section) => settings
                .entry(section.as_str())
                .or_insert_with(|| Table::new().into())
                .as_table_mut()
                .ok_or_else(|| setting(section, "must be a section"))?,
        };
        place.insert(variable.key.clone(), value);
    }
    Ok(())
}

/// The prefix of all our variables.
const PREFIX: &str = "WECOMD_";

/// Variables that are not settings: a secret, and variables needed before the settings are read.
pub(super) const RESERVED: [&str; 3] = ["WECOMD_MASTER_KEY", "WECOMD_CONFIG", "WECOMD_PG_BIN"];

/// Prefixes that are ignored: the first belongs to our tests; the others come from Kubernetes for a service named
/// wecomd.
const RESERVED_PREFIXES: [&str; 3] = ["WECOMD_TEST_", "WECOMD_SERVICE_", "WECOMD_PORT"];

/// A setting's variable.
struct Variable {
    section: Option<String>,
    key: String,
    standard: Value,
}

/// The variable of a setting, by its path in the file.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// The variables of all settings, by name.
#[cfg(test)]
pub(super) fn names() -> Vec<String> {
    variables().into_keys().collect()
}

/// All allowed variables. They come from the defaults, so they always match them.
fn variables() -> BTreeMap<String, Variable> {
    let mut known = BTreeMap::new();
    let mut add = |section: Option<String>, key: String, standard: Value| {
        let path = section.as_ref().map_or_else(|| key.clone(), |section| format!("{section}.{key}"));
        known.insert(variable(&path), Variable { section, key, standard });
    };
    for (name, value) in Table::try_from(Config::default()).unwrap_or_default() {
        match value {
            Value::Table(section) => {
                section.into_iter().for_each(|(key, value)| add(Some(name.clone()), key, value));
            }
            value => add(None, name, value),
        }
    }
    known
}

/// The edit distance of two names (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            let change = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = change.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_two_names_is_the_number_of_changed_letters() {
        assert_eq!(distance("LOG", "LOG"), 0);
        assert_eq!(distance("LOGS", "LOG"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_setting_has_a_variable_under_its_section_and_name() {
        let known = variables();
        for name in ["WECOMD_LOG", "WECOMD_HTTP__BODY_BYTES_MAX", "WECOMD_DATABASE__POOL_MAX"] {
            assert!(known.contains_key(name), "{name}");
        }
    }
}
