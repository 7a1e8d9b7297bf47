//! Callbacks of two kinds, numbered, in any number: half are adds of customers who are all different, half are texts
//! that members write to the app.
//!
//! Each leads to one record. Adds and texts are the most frequent callbacks there are; a working day's other kinds come
//! from `supply`.

use std::{fmt::Write as _, sync::Arc};

use anyhow::Context;
use chrono::{NaiveDate, NaiveTime};
use wecomd::sandbox::AppKind;

use super::{
    callback::seal,
    load::Requests,
    supply::{FIRST_DAY, Supply},
};

/// Who adds and writes.
const MEMBERS: u64 = 40;

/// More callbacks than a day gets: the days' numbers do not overlap.
const A_DAY_MAX: u64 = 100_000_000;

/// The day's last second.
const DAY_S: u64 = 86_399;

/// What members write.
const CONTENT: &str = "已到现场，准备进场，客户家空调不制冷，已断电检查";

/// Seals so many callbacks of the supply's next day, evenly spread over it.
pub(crate) fn requests(supply: &mut Supply, callbacks: usize) -> anyhow::Result<Arc<Requests>> {
    let day = Day::next(supply, callbacks)?;
    let app = supply.corp.app(AppKind::App).context("the company has no app")?;
    let (keys, mut requests) = (app.keys()?, Requests::default());
    for number in 0..callbacks {
        requests.push(&seal(&supply.corp, app, &keys, number, &day.plaintext(u64::try_from(number)?)));
        if number == 0 {
            requests.reserve_alike(callbacks);
        }
    }
    Ok(Arc::new(requests))
}

/// The plaintexts of a day.
pub(crate) struct Day {
    midnight: u64,
    first: u64,
    callbacks: u64,
}

impl Day {
    /// The supply's next day, with so many callbacks.
    pub(crate) fn next(supply: &mut Supply, callbacks: usize) -> anyhow::Result<Self> {
        let date: NaiveDate = supply.next_day();
        let days = u64::try_from((date - FIRST_DAY).num_days())?;
        let midnight = u64::try_from(date.and_time(NaiveTime::MIN).and_utc().timestamp())?;
        Ok(Self { midnight, first: days * A_DAY_MAX, callbacks: u64::try_from(callbacks)?.max(1) })
    }

    /// Its callback number `n`: an add, then a text, then an add.
    pub(crate) fn plaintext(&self, n: u64) -> String {
        if n.is_multiple_of(2) { added(self.first + n, self.at(n)) } else { self.text(n, CONTENT) }
    }

    /// A text in the place of its callback number `n`.
    pub(crate) fn text(&self, n: u64, content: &str) -> String {
        let number = self.first + n;
        let mut xml = head(&format!("member{}", number % MEMBERS), self.at(n), "text");
        let _ = write!(
            xml,
            "<Content><![CDATA[{content}]]></Content><MsgId>{}</MsgId><AgentID>1000002</AgentID></xml>",
            number + 1
        );
        xml
    }

    fn at(&self, n: u64) -> u64 {
        self.midnight + n * DAY_S / self.callbacks
    }
}

/// The customer with this number is added.
pub(crate) fn added(number: u64, at: u64) -> String {
    let mut xml = head("sys", at, "event");
    // Real ids are in no order either.
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let _ = write!(
        xml,
        "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>\
         <UserID><![CDATA[member{}]]></UserID><ExternalUserID><![CDATA[wm{scattered:08x}{number:022}]]></ExternalUserID>\
         </xml>",
        number % MEMBERS,
    );
    xml
}

fn head(from: &str, at: u64, kind: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[corp]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName>\
         <CreateTime>{at}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>"
    )
}
