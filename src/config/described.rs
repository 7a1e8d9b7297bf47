//! The settings for the reference: texts from `texts.rs`, types and defaults from the default configuration.
//!
//! A test compares the texts with the existing settings. What the settings do is not known here.

use std::ops::RangeInclusive;

use toml::{Table, Value};

use super::{
    Config,
    environment::variable,
    texts::{TEXTS, Text},
};

/// A setting in the reference.
#[derive(Debug)]
pub struct Setting {
    /// Its section in the file; empty for a setting outside of sections.
    pub section: String,
    /// Its path in the file: the section, a dot and its name.
    pub path: String,
    /// Its environment variable.
    pub variable: String,
    /// Its type.
    pub kind: ValueKind,
    /// Its default as TOML.
    pub default: String,
    /// The allowed range of a number.
    pub range: Option<RangeInclusive<u64>>,
    /// Its meaning, in English.
    pub english: &'static str,
    /// The same in Chinese.
    pub chinese: &'static str,
}

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// A text.
    Text,
    /// A list of texts; in the environment separated by commas.
    List,
}

/// An environment variable that is not a setting.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its meaning, in English.
    pub english: &'static str,
    /// The same in Chinese.
    pub chinese: &'static str,
}

/// Every setting: first those outside of sections, then section by section, in the order of the texts. A setting
/// without texts is missing here, which a test reports.
pub fn settings() -> Vec<Setting> {
    let defaults = Table::try_from(Config::default()).unwrap_or_default();
    TEXTS.iter().filter_map(|text| shown(text, &defaults)).collect()
}

fn shown(text: &Text, defaults: &Table) -> Option<Setting> {
    let (section, name) = text.path.rsplit_once('.').unwrap_or(("", text.path));
    let default = match section {
        "" => defaults.get(name),
        _ => defaults.get(section)?.as_table()?.get(name),
    }?;
    let kind = match default {
        Value::Integer(_) => ValueKind::Number,
        Value::Boolean(_) => ValueKind::Switch,
        Value::Array(_) => ValueKind::List,
        _ => ValueKind::Text,
    };
    Some(Setting {
        section: section.to_owned(),
        path: text.path.to_owned(),
        variable: variable(text.path),
        kind,
        default: default.to_string(),
        range: text.range.clone(),
        english: text.english,
        chinese: text.chinese,
    })
}

/// Variables that are not settings: secrets, variables needed before the settings are read, and an alias.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "DATABASE_URL",
        english: "The same as `WECOMD_DATABASE_URL`, which wins.",
        chinese: "与 `WECOMD_DATABASE_URL` 相同,后者优先。",
    },
    Variable {
        name: "WECOMD_MASTER_KEY",
        english: "The master keys themselves, instead of a file. systemd's credential `master.key` is the third way.",
        chinese: "主密钥本身,代替文件。第三种办法是 systemd 的凭据 `master.key`。",
    },
    Variable {
        name: "WECOMD_CONFIG",
        english: "The configuration file; the same as `--config`.",
        chinese: "配置文件,与 `--config` 相同。",
    },
    Variable {
        name: "WECOMD_PG_BIN",
        english: "The folder with PostgreSQL's programs, for a private PostgreSQL and for backups.",
        chinese: "PostgreSQL 程序所在的文件夹,用于私有 PostgreSQL 和备份。",
    },
    Variable {
        name: "AWS_ACCESS_KEY_ID",
        english: "The key for S3, and what speaks like it, if `media.location` names a bucket.",
        chinese: "`media.location` 为存储桶时,S3 或兼容存储的密钥。",
    },
    Variable { name: "AWS_SECRET_ACCESS_KEY", english: "The key's secret.", chinese: "该密钥的 Secret。" },
    Variable { name: "AWS_REGION", english: "The bucket's region.", chinese: "存储桶所在的区域。" },
    Variable {
        name: "AWS_ENDPOINT_URL",
        english: "The address of a storage that is not Amazon's.",
        chinese: "非亚马逊存储的地址。",
    },
    Variable {
        name: "AWS_ALLOW_HTTP",
        english: "`true` for a storage without TLS.",
        chinese: "存储不使用 TLS 时为 `true`。",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::environment::names;

    /// Loads the configuration from the environment alone, with one setting changed.
    fn load(variable: &str, value: u64) -> Result<(), String> {
        let mut environment = BTreeMap::from([("HOME".to_owned(), "/home/li".to_owned())]);
        environment.insert(variable.to_owned(), value.to_string());
        let file = std::env::temp_dir().join(format!("wecomd-described-{}.toml", std::process::id()));
        std::fs::write(&file, "").expect("a file");
        Config::load(Some(&file), environment.into_iter()).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_has_a_description_and_every_description_a_setting() {
        let described: Vec<_> = settings().into_iter().map(|it| it.variable).collect();
        assert_eq!(described.len(), TEXTS.len(), "a text has no setting");
        let mut sorted = described.clone();
        sorted.sort();
        assert_eq!(sorted, names(), "the texts on the left, the settings on the right");
        for it in settings() {
            assert!(it.english.is_ascii() && !it.chinese.is_ascii(), "{}", it.path);
            assert_eq!(it.kind == ValueKind::Number, it.range.is_some(), "{} is a number, or it has no range", it.path);
        }
    }

    #[test]
    fn every_described_range_is_the_range_that_is_enforced() {
        for it in settings() {
            let Some(range) = it.range else { continue };
            load(&it.variable, *range.end()).expect("the greatest number is taken");
            let error = load(&it.variable, range.end() + 1).expect_err(&it.path);
            assert!(error.starts_with(&it.path), "{error}");
            if *range.start() > 0 {
                let error = load(&it.variable, range.start() - 1).expect_err(&it.path);
                assert!(error.starts_with(&it.path), "{error}");
            }
        }
    }

    #[test]
    fn environment_variables_outside_the_settings_are_described() {
        for name in crate::config::environment::RESERVED {
            assert!(VARIABLES.iter().any(|it| it.name == name), "{name}");
        }
    }
}
