//! The results of the demo's day, counted in the database and compared with the pretend WeCom's.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::{
    cli::say,
    event,
    ids::DeliveryKey,
    inbox,
    sandbox::{AppKind, Corp, Report},
    tables::{apps::enterprise_wechat_config, customers::customer_wechat_contact, handover, records::conversation},
};

/// The figures of the JSON line.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Requests that reached us, repeats and forgeries included.
    received: u64,
    /// Deliveries in the inbox.
    stored: i64,
    /// Answered repeats.
    duplicates: i64,
    /// Refused requests.
    refused: u64,
    /// Recorded deliveries by kind of event.
    recorded: BTreeMap<&'static str, u64>,
    /// Stored and counted, with nothing to record.
    ignored: u64,
    /// Parked for a person.
    parked: i64,
    /// Answered 200, but not in the inbox.
    lost: i64,
    /// Answer times as the pretend WeCom measured them, in milliseconds.
    ack_ms: AckMs,
}

#[derive(Debug, Serialize)]
struct AckMs {
    p50: f64,
    p99: f64,
}

/// The results of the day.
pub(super) struct Summary {
    pub(super) figures: Figures,
    seconds: f64,
    per_second: f64,
}

impl Summary {
    /// Counts the results. `acked` are the callbacks that were answered 200.
    pub(super) async fn read(
        conn: &mut PgConnection,
        corp: &Corp,
        report: &Report,
        acked: Vec<(AppKind, &[u8])>,
    ) -> anyhow::Result<Self> {
        let keys = keys(conn, corp, &acked).await?;
        let stored = inbox::count_stored(conn, &keys).await?;
        let distinct = keys.iter().collect::<std::collections::HashSet<_>>().len();
        let mut recorded: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (plaintext, origin) in inbox::recorded_plaintexts(conn).await? {
            *recorded.entry(event::parse(&plaintext, origin)?.event.kind()).or_default() += 1;
        }
        let answered = i64::try_from(report.genuine.answered + report.forged.answered)?;
        let (_, parked) = inbox::depth(conn).await?;
        let all = inbox::count(conn).await?;
        let recorded_all: u64 = recorded.values().sum();
        let ms = |percent| (report.latency_within(percent).unwrap_or_default().as_secs_f64() * 1e5).round() / 1e2;
        Ok(Self {
            figures: Figures {
                received: report.attempts,
                stored: all,
                duplicates: answered - all,
                refused: report.genuine.refused + report.forged.refused,
                recorded,
                ignored: u64::try_from(all - parked)?.saturating_sub(recorded_all),
                parked,
                lost: i64::try_from(distinct)? - stored,
                ack_ms: AckMs { p50: ms(50.0), p99: ms(99.0) },
            },
            seconds: report.elapsed.as_secs_f64(),
            per_second: report.per_second(),
        })
    }

    /// Prints the results for people.
    pub(super) fn print(&self) {
        let it = &self.figures;
        say(&format!(
            "  received    {:>6} requests in {:.1} s ({:.0} acknowledged a second)",
            it.received, self.seconds, self.per_second
        ));
        say(&format!("  stored      {:>6} deliveries, each before it was answered", it.stored));
        say(&format!("  duplicates  {:>6} acknowledged, stored once", it.duplicates));
        say(&format!("  refused     {:>6} forgeries", it.refused));
        say(&format!("  lost        {:>6}", it.lost));
        say(&format!("  answered in {:>6.1} ms (p50), {:.1} ms (p99)", it.ack_ms.p50, it.ack_ms.p99));
        say("  recorded");
        for (kind, count) in &it.recorded {
            say(&format!("              {count:>6} {kind}"));
        }
        say(&format!("  ignored     {:>6} kept and counted, nothing to record", it.ignored));
        say(&format!("  parked      {:>6} for a person to look at", it.parked));
    }
}

/// The keys under which the answered callbacks must be stored.
async fn keys(conn: &mut PgConnection, corp: &Corp, acked: &[(AppKind, &[u8])]) -> anyhow::Result<Vec<DeliveryKey>> {
    let apps = enterprise_wechat_config::all(conn).await?;
    let id = |kind| {
        let name = &corp.app(kind)?.name;
        apps.iter().find(|it| it.name == *name).map(|it| it.id)
    };
    let key = |(kind, plaintext): &(AppKind, &[u8])| {
        Some(DeliveryKey {
            event_at: inbox::event_time(plaintext),
            app_id: id(*kind)?,
            hash: Sha256::digest(plaintext).into(),
        })
    };
    acked.iter().map(|it| key(it).ok_or_else(|| anyhow::anyhow!("an app of the demo is gone"))).collect()
}

/// Prints three rows, as an analyst would query them: of this customer, and of a handover.
pub(super) async fn print_rows(conn: &mut PgConnection, customer: &str) -> anyhow::Result<()> {
    say("\nThree rows:");
    if let Some(it) = customer_wechat_contact::of_customer(conn, None, customer, 1).await?.pop() {
        say(&format!("  customer_wechat_contact  {}", row(&it)?));
    }
    let talk = conversation::Talk::Customer(customer.to_owned());
    if let Some(it) = conversation::list(conn, &talk, &conversation::Filter::default(), 1).await?.pop() {
        say(&format!("  wechat_contact_record    {}", row(&it)?));
    }
    if let Some(it) = handover::list(conn, &handover::Filter::default(), 1).await?.pop() {
        say(&format!("  handover                 {}", row(&it)?));
    }
    Ok(())
}

/// A row as JSON, without the columns that are empty.
fn row(row: &impl Serialize) -> anyhow::Result<Value> {
    let mut row = serde_json::to_value(row)?;
    if let Value::Object(columns) = &mut row {
        columns.retain(|_, value| !value.is_null());
    }
    Ok(row)
}

/// The time at which the staff were bound: before the demo's day.
pub(super) fn morning() -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(30)
}
