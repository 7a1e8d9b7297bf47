//! `wecomd docs`: the reference as Markdown, in English and in Chinese, generated from the program itself.
//!
//! Each page has one source: the settings' texts, the API's description, the metrics' descriptions, the command line,
//! the comments in the database, the table of WeCom's endpoints. The same program and schema produce the same bytes.
//! It knows nothing that is in none of these sources.

mod markdown;

mod configuration;

mod routes;

mod body;

mod problems;

mod advice;

mod metrics;

mod commands;

mod abouts;

mod tables;

mod permissions;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;

use super::{database::with_pool, say};
use crate::{
    app::api::Language,
    config::Config,
    tables::dictionary::{self, Relation},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the English pages go; the Chinese ones go to the folder `zh` in it
    folder: PathBuf,
}

/// The folder of the Chinese pages.
const CHINESE_FOLDER: &str = "zh";

/// The function that makes a page.
type Maker = fn(&Sources) -> anyhow::Result<String>;

/// The pages by name, with the functions that make them.
const PAGES: &[(&str, Maker)] = &[
    ("configuration.md", configuration::page),
    ("routes.md", routes::page),
    ("problems.md", problems::page),
    ("metrics.md", metrics::page),
    ("cli.md", commands::page),
    ("tables.md", tables::page),
    ("permissions.md", permissions::page),
];

/// The sources of the pages, besides the program's own texts.
struct Sources<'a> {
    language: Language,
    relations: &'a [Relation],
}

impl Sources<'_> {
    /// The text in the language of the page.
    fn say<'t>(&self, english: &'t str, chinese: &'t str) -> &'t str {
        match self.language {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    let relations = with_pool(config, async |pool| {
        let mut conn = pool.acquire().await?;
        Ok(dictionary::list(&mut conn).await?)
    })
    .await?;
    let chinese = arguments.folder.join(CHINESE_FOLDER);
    for (folder, language) in [(&arguments.folder, Language::English), (&chinese, Language::Chinese)] {
        let sources = Sources { language, relations: &relations };
        fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        for (name, page) in PAGES {
            write(&folder.join(name), &page(&sources)?)?;
        }
    }
    say(&format!("{} pages are written to {}", PAGES.len() * 2, arguments.folder.display()));
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
