//! Customers' messages as they are pulled, from 微信客服 and from the message archive, and stored as a pull stores them.
//!
//! A day's callbacks say which members and customers meet; what these write to each other is made up here.

use anyhow::Context;
use chrono::DateTime;
use serde_json::json;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use wecomd::{
    inbox::{Deposit, deposit},
    sandbox::{AppKind, Day},
    states::Origin,
};

use super::{
    inbox::{app_ids, store},
    supply::Supply,
};

/// How many of ten deliveries are customers' messages.
const OF_TEN: usize = 9;

/// How many messages a page has, as WeCom's have at most.
const PAGE: usize = 1_000;

/// The accounts of 微信客服.
const ACCOUNTS: usize = 3;

/// What is written.
const CONTENT: &str = "师傅您好，厨房水管还在漏水，请问今天下午几点可以上门？";

/// Stores so many deliveries of the supply's next day: of ten, nine are customers' messages, in pages that come from
/// 微信客服 and from the archive in turns, and one is a callback.
pub(crate) async fn fill(options: &PgConnectOptions, supply: &mut Supply, deliveries: usize) -> anyhow::Result<()> {
    let apps = app_ids(options).await?;
    let callbacks = deliveries / (OF_TEN + 1);
    let day = supply.whole_day(callbacks);
    let app = supply.corp.app(AppKind::App).context("the company has no app")?;
    let talk = Talk { app_id: *apps.get(&app.name).context("an app that is not configured")?, day: &day };
    let mut plaintexts = Vec::with_capacity(day.pushes.len());
    for push in &day.pushes {
        let id = apps.get(&supply.app(push)?.name).context("an app that is not configured")?;
        plaintexts.push((*id, push.plaintext.clone().into_bytes()));
    }
    let mut conn = PgConnection::connect_with(options).await?;
    let (mut begin, mut page) = (0, 0);
    let messages = deliveries - callbacks;
    while begin < messages {
        let end = (begin + PAGE).min(messages);
        let origin = if page % 2 == 0 { Origin::Kf } else { Origin::Archive };
        let items = (begin..end).map(|number| talk.message(number, messages, origin)).collect::<anyhow::Result<_>>()?;
        let mut transaction = conn.begin().await?;
        deposit(&mut transaction, items).await?;
        transaction.commit().await?;
        // The callbacks of the same time.
        let rest = plaintexts.split_off((PAGE / OF_TEN).min(plaintexts.len()));
        store(options, std::mem::replace(&mut plaintexts, rest)).await?;
        (begin, page) = (end, page + 1);
    }
    store(options, plaintexts).await?;
    Ok(conn.close().await?)
}

/// What the members and customers of a day write to each other.
struct Talk<'a> {
    app_id: i32,
    day: &'a Day,
}

impl Talk<'_> {
    /// The message with this number of so many.
    fn message(&self, number: usize, messages: usize, origin: Origin) -> anyhow::Result<Deposit> {
        let contacts = &self.day.contacts;
        let contact = contacts.get(number % contacts.len().max(1)).context("nobody met on that day")?;
        let first = contacts.iter().map(|it| it.since).min().unwrap_or_default();
        let last = contacts.iter().map(|it| it.since).max().unwrap_or_default();
        let at = first + (last - first) * i64::try_from(number)? / i64::try_from(messages.max(1))?;
        let (customer, member) = (contact.external_userid.as_str(), contact.userid.as_str());
        let msgid = format!("bench-{first}-{number}");
        let plaintext = match origin {
            Origin::Kf => json!({
                "msgid": msgid, "open_kfid": format!("wkBench{:022}", number % ACCOUNTS), "external_userid": customer,
                "send_time": at, "origin": 3, "msgtype": "text", "text": { "content": CONTENT },
            }),
            _ => json!({
                "msgid": msgid, "action": "send", "from": customer, "tolist": [member], "roomid": "",
                "msgtime": at * 1_000, "msgtype": "text", "text": { "content": CONTENT },
            }),
        };
        let event_at = DateTime::from_timestamp(at, 0).context("a time")?;
        Ok(Deposit { app_id: self.app_id, origin, event_at, plaintext: plaintext.to_string().into_bytes() })
    }
}
