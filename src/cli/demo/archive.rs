//! The demo's fourth part: the customer and the staff member write to each other in WeChat, and the message archive
//! (会话内容存档) has both sides of it, a recall included.
//!
//! WeCom's library is closed, so a stand-in is built from C. Everything else is real: the reader program, a key of 2048
//! bits, the cursor. Where there is no C compiler or no reader program, the part is left out, and says why.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    flow::{self, CUSTOMER},
    office::{LOOK, STEP_LIMIT},
};
use crate::{
    archive::Key,
    cli::{self, say},
    config::{self, Config},
    embedded::child,
    sandbox::{
        Corp, Platform,
        archive::{
            ArchiveSeal, Library,
            library::{COMPILER, SOURCE},
            message,
        },
    },
    tables::archive::archive_account,
    vault::Vault,
};

/// The version that the pretend WeCom gives the key.
const VERSION: i32 = 1;

/// What they write: whether the customer does, and the words.
const WORDS: [(bool, &str); 4] = [
    (true, "师傅，下午几点能到？"),
    (false, "三点到四点之间，麻烦先把总阀关上"),
    (true, "好的，门禁密码是 4821"),
    (true, "发错了，到楼下给您开门"),
];

/// The place in [`WORDS`] of what is recalled.
const RECALLED: usize = 2;

/// Between two messages.
const PAUSE_MS: i64 = 1_000;

/// The stand-in and the key, ready before the program starts.
pub(super) struct Stage {
    library: Library,
    key: Key,
}

/// What became of this part.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Act {
    /// It was played.
    Played(Talk),
    /// It was left out, and why.
    LeftOut {
        /// The reason.
        left_out: String,
    },
}

/// The results of the steps.
#[derive(Debug, Serialize)]
pub(super) struct Talk {
    messages: usize,
    recalled: String,
    member: String,
    key_bits: usize,
}

/// Builds the stand-in into a folder and makes a key. The reason if that cannot be done.
pub(super) async fn prepare(folder: PathBuf) -> anyhow::Result<Result<Stage, String>> {
    let reader = std::env::current_exe()?.with_file_name(config::READER);
    if !reader.is_file() {
        return Ok(Err(format!("{} is not beside wecomd", config::READER)));
    }
    let build = move || -> anyhow::Result<Result<Stage, String>> {
        match Library::build(&folder, child::command(Path::new(COMPILER)), SOURCE) {
            Ok(library) => Ok(Ok(Stage { library, key: Key::generate()? })),
            Err(error) => Ok(Err(error.to_string())),
        }
    };
    tokio::task::spawn_blocking(build).await?
}

impl Stage {
    /// What the configuration needs for it.
    pub(super) fn configure(&self, config: &mut Config) {
        config.archive.enabled = true;
        config.archive.library = self.library.path().display().to_string();
    }

    /// What an administrator does: the key's public half stands in WeCom's console, and the archive is read.
    pub(super) async fn set_up(
        &self,
        conn: &mut PgConnection,
        vault: &Vault,
        corp: &Corp,
        config: &Config,
    ) -> anyhow::Result<()> {
        cli::archive::keep(conn, vault, &self.key, Some(VERSION), corp.corpid.clone()).await?;
        archive_account::keep_going(conn, std::time::Duration::from_secs(config.archive.poll_seconds.into())).await?;
        Ok(())
    }

    /// Runs the steps: both write, the customer recalls a message, WeCom says that there is something to pull.
    async fn play(&self, scene: &flow::Scene<'_>, story: &flow::Story) -> anyhow::Result<Act> {
        self.write(scene.platform, story)?;
        let notice = scene.platform.with(|world| world.archive_notice());
        let sent = scene.sender.deliver(&notice).await;
        ensure!(sent.answered_200, "the archive's notice was not answered");
        let read = async {
            loop {
                let page =
                    scene.office.ask("GET", &format!("/contact-records/{CUSTOMER}?source=archive"), None).await?;
                let items = page["items"].as_array().cloned().unwrap_or_default();
                if items.len() == WORDS.len() && items.iter().any(|it| !it["revoked_at"].is_null()) {
                    return Ok(Act::Played(self.talk(&items, story)));
                }
                let archives = scene.office.ask("GET", "/archive", None).await?;
                if let Some(trouble) = archives["items"][0]["trouble"].as_str() {
                    return Ok(Act::LeftOut { left_out: trouble.to_owned() });
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(STEP_LIMIT, read).await.context("the archived talk was not read in time")?
    }

    /// What they write arrives at WeCom.
    fn write(&self, platform: &Platform, story: &flow::Story) -> anyhow::Result<()> {
        let seal = ArchiveSeal::new(self.key.public_pem())?;
        // The last of it is said now.
        let begin = platform.clock().now().timestamp_millis() - PAUSE_MS * i64::try_from(WORDS.len())?;
        let mut messages = Vec::new();
        let says = |number: usize, by_customer: bool, msgtype: &str, inside: Value| {
            let (from, to) = match by_customer {
                true => (story.customer(), story.member()),
                false => (story.member(), story.customer()),
            };
            let at_ms = begin + PAUSE_MS * i64::try_from(number)?;
            anyhow::Ok(message(&format!("demo-{number}"), from, &[to], "", at_ms, msgtype, inside))
        };
        for (number, (by_customer, words)) in WORDS.into_iter().enumerate() {
            messages.push(says(number, by_customer, "text", json!({ "content": words }))?);
        }
        let mut recall = says(WORDS.len(), true, "revoke", json!({ "pre_msgid": format!("demo-{RECALLED}") }))?;
        recall["action"] = "recall".into();
        messages.push(recall);
        let mut entries = Vec::new();
        for (seq, message) in (1..).zip(messages) {
            let msgid = message["msgid"].as_str().unwrap_or_default();
            entries.push((seq, seal.entry(seq, msgid, VERSION, &message.to_string())?));
        }
        Ok(self.library.add(entries)?)
    }

    fn talk(&self, items: &[Value], story: &flow::Story) -> Talk {
        let recalled = items.iter().find(|it| !it["revoked_at"].is_null()).and_then(|it| it["content"].as_str());
        Talk {
            messages: items.len(),
            recalled: recalled.unwrap_or_default().to_owned(),
            member: story.member().to_owned(),
            key_bits: self.key.bits(),
        }
    }
}

/// Plays the part, or says why it is left out.
pub(super) async fn play(
    stage: &Result<Stage, String>,
    scene: &flow::Scene<'_>,
    story: &flow::Story,
) -> anyhow::Result<Act> {
    match stage {
        Ok(stage) => stage.play(scene, story).await,
        Err(why) => Ok(Act::LeftOut { left_out: why.clone() }),
    }
}

impl Act {
    /// Prints the results for people.
    pub(super) fn print(&self) {
        say("\nThe message archive (会话内容存档) has both sides of their talk:");
        match self {
            Self::Played(it) => {
                let Talk { messages, recalled, member, key_bits } = it;
                say("  library     a stand-in for WeCom's, which is closed, built from C; the real reader called it");
                say(&format!(
                    "  opened      {messages} messages of the customer and {member}, with an RSA key of {key_bits} bits"
                ));
                say(&format!("  recalled    {recalled} (kept, and shown as recalled)"));
                say(&format!("  timeline    in {CUSTOMER}'s, beside what was said in 微信客服"));
            }
            Self::LeftOut { left_out } => say(&format!("  left out    {left_out}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_the_reader_beside_the_program_the_part_is_left_out() {
        // The tests' program stands alone in its folder.
        let prepared = prepare(std::env::temp_dir().join("wecomd-demo-never-made")).await.expect("looked");
        assert_eq!(prepared.map(|_| "a stage"), Err("wecomd-archive is not beside wecomd".to_owned()));
    }
}
