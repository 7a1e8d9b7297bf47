//! The demo's fifth part: a leaver's customers go to colleagues, and a day passes by the pretend WeCom's clock.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use super::office::{Office, text};
use crate::{cli::say, ids::ExternalUserId, sandbox::Platform, states::HandoverState};

/// How many colleagues take over.
const SUCCESSORS: usize = 3;

/// How many of the customers refuse.
const REFUSERS: usize = 2;

/// How far the clock is moved: WeCom hands over after a day.
const DAY: Duration = Duration::from_secs(25 * 3600);

/// The results of the steps.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    handover: i64,
    leaver: String,
    successors: Vec<String>,
    /// The state after each step.
    states: Vec<String>,
    /// How many items reached each final state.
    ended: BTreeMap<String, i64>,
    refused_because: Option<String>,
    turns: usize,
}

/// Runs the steps: find the leaver, plan, notify, submit, and a day later done.
pub(super) async fn play(office: &Office<'_>, platform: &Platform) -> anyhow::Result<Story> {
    let found = office.ask("GET", "/handovers?state=detected", None).await?;
    let left = found["items"].as_array().and_then(|it| it.first()).context("somebody left during the day")?;
    let id = left["id"].as_i64().context("the handover has a number")?;
    let leaver = text(left, "wechat_userid")?;
    let successors = colleagues(office, &leaver).await?;
    let customers = office.ask("GET", &format!("/handovers/{id}/items?kind=customer&limit=100"), None).await?;
    platform.with(|world| {
        let rows = customers["items"].as_array().into_iter().flatten();
        let names = rows.filter_map(|it| it["subject"].as_str()).map(ExternalUserId::from);
        world.transfer_rules.refusers.extend(names.take(REFUSERS));
    });

    let version = office.ask("GET", &format!("/handovers/{id}"), None).await?["version"].clone();
    let rules = json!([{ "rule": "round_robin", "staff_ids": successors }]);
    let plan = json!({ "version": version, "rules": rules, "message": "您好,后续由我的同事为您服务" });
    let mut states = vec![text(left, "state")?];
    for (method, act, body) in [("PUT", "plan", plan), ("POST", "notify", json!({})), ("POST", "submit", json!({}))] {
        let answer = office.ask(method, &format!("/handovers/{id}/{act}"), Some(body)).await?;
        states.push(text(&answer, "state")?);
    }
    let stands = format!("/handovers/{id}");
    let waiting =
        office.until("WeCom took them on", &stands, |it| it["state"] == HandoverState::Waiting.as_str()).await?;
    states.push(text(&waiting, "state")?);
    platform.advance(DAY);
    platform.pushed().await;
    let done = office.until("the handover is done", &stands, |it| it["state"] == HandoverState::Done.as_str()).await?;
    states.push(text(&done, "state")?);
    states.dedup();

    let mut ended = BTreeMap::new();
    for it in done["counts"].as_array().into_iter().flatten() {
        let kind = format!("{} {}", text(it, "kind")?, text(it, "state")?);
        ended.insert(kind, it["items"].as_i64().unwrap_or_default());
    }
    let refused = office.ask("GET", &format!("/handovers/{id}/items?state=refused&limit=1"), None).await?;
    let turns = office.ask("GET", &format!("/handovers/{id}/log?limit=200"), None).await?;
    Ok(Story {
        handover: id,
        leaver,
        successors,
        states,
        ended,
        refused_because: refused["items"][0]["reason"].as_str().map(str::to_owned),
        turns: turns["items"].as_array().map_or(0, Vec::len),
    })
}

/// Some staff members who are bound and active.
async fn colleagues(office: &Office<'_>, leaver: &str) -> anyhow::Result<Vec<String>> {
    let bound = office.ask("GET", "/staff-bind?status=bound&limit=200", None).await?;
    let rows = bound["items"].as_array().context("the bindings are a list")?.iter();
    let others = rows.filter(|it| it["wechat_userid"] != *leaver).filter_map(|it| it["staff_id"].as_str());
    Ok(others.take(SUCCESSORS).map(str::to_owned).collect())
}

impl Story {
    /// Prints the results for people.
    pub(super) fn print(&self) {
        say("\nAn employee leaves, and the customers stay:");
        say(&format!("  handover    {} of {}, to {}", self.handover, self.leaver, self.successors.join(", ")));
        say(&format!("  states      {} (a day passed by the pretend WeCom's clock)", self.states.join(" → ")));
        for (what, items) in &self.ended {
            say(&format!("  {what:<18} {items:>4}"));
        }
        if let Some(why) = &self.refused_because {
            say(&format!("  refused because of {why}; `PUT handovers/{}/plan` plans those anew", self.handover));
        }
        say(&format!("  on record   {} turns, each with who and why", self.turns));
    }
}
