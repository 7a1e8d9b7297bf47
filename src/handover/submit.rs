//! Asking WeCom to move customers and groups, a chunk at a time. The attempt is committed before each call.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    code::{self, Said},
    drive::{Driver, Trouble, flow},
    item::Fact,
    transition::{By, WECOM, WECOMD, settle, transition, transition_all},
};
use crate::{
    ids::ExternalUserId,
    states::{CallKind, CallOutcome, TransferFlow},
    tables::{
        self,
        handover::{self, Handover, Heard, NewCall, Taken},
    },
    wecom::{ApiError, Class, Meaning, group_chat, transfer},
};

/// How often WeCom is asked to move one item, a minute apart, before the item is given up: WeCom's directory may notice
/// late that a member left. A person may plan the item anew.
const ATTEMPTS_MAX: i32 = 100;

/// How many groups WeCom lets one member be given in a day.
const GROUPS_A_DAY: i64 = 300;

/// Items that one call moves, as they were committed before it.
struct Chunk {
    kind: CallKind,
    call: i64,
    flow: TransferFlow,
    items: Vec<Taken>,
}

impl Driver<'_> {
    /// Sends every planned customer. Returns whether some are left for later.
    pub(super) async fn submit_customers(&self, handover: &Handover) -> Result<bool, Trouble> {
        let mut tried = Vec::new();
        let mut left = false;
        while let Some(chunk) = self.begin_chunk(CallKind::Customer, transfer::CUSTOMERS_MAX, &tried).await? {
            tried.extend(chunk.items.iter().map(|it| it.id));
            let Some(to) = chunk.items.first().map(|it| it.successor_userid.clone()) else { break };
            let customers: Vec<_> = chunk.items.iter().map(|it| ExternalUserId(it.subject.clone())).collect();
            let message = handover.message.as_deref();
            let asked = async {
                let api = self.wecom.corp(&handover.corpid).await?;
                api.transfer(chunk.flow, &handover.wechat_userid, &to, &customers, message).await
            };
            match asked.await {
                Ok(answer) => {
                    let said: BTreeMap<_, _> =
                        answer.into_iter().map(|it| (it.external_userid.0, it.errcode)).collect();
                    left |= self.answered(handover, &chunk, &said, None, code::of_customer).await?;
                }
                Err(error) => self.not_answered(&chunk, error).await?,
            }
        }
        Ok(left)
    }

    /// Sends every planned group. Returns whether some are left for later.
    pub(super) async fn submit_groups(&self, handover: &Handover) -> Result<bool, Trouble> {
        let mut tried = Vec::new();
        let mut left = false;
        while let Some(chunk) = self.begin_chunk(CallKind::Group, group_chat::GROUPS_MAX, &tried).await? {
            tried.extend(chunk.items.iter().map(|it| it.id));
            let Some(to) = chunk.items.first().map(|it| it.successor_userid.clone()) else { break };
            let groups: Vec<_> = chunk.items.iter().map(|it| it.subject.clone()).collect();
            let asked = async {
                let api = self.wecom.corp(&handover.corpid).await?;
                api.transfer_groups(chunk.flow, &groups, &to).await
            };
            match asked.await {
                Ok(failed) => {
                    // Groups that are not named were moved, unless a named one cannot be read.
                    let otherwise = failed.is_complete().then_some(0);
                    let said: BTreeMap<_, _> = failed.into_iter().map(|it| (it.chat_id, it.errcode)).collect();
                    left |= self.answered(handover, &chunk, &said, otherwise, code::of_group).await?;
                }
                Err(error) => self.not_answered(&chunk, error).await?,
            }
        }
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(false) };
        let waits = !handover::planned(&mut transaction, self.id, CallKind::Group.into(), &[], 1).await?.is_empty();
        Ok(left || waits)
    }

    /// Commits that WeCom is being asked about the next chunk; none if all that is left was tried.
    async fn begin_chunk(&self, kind: CallKind, max: usize, tried: &[i64]) -> Result<Option<Chunk>, Trouble> {
        let Some((mut transaction, handover)) = self.begin().await? else { return Ok(None) };
        // A plan that was changed meanwhile waits until somebody submits it.
        if handover.cancelled_at.is_some() || handover.submitted_at.is_none() {
            return Ok(None);
        }
        let conn = &mut *transaction;
        let mut tried = tried.to_vec();
        let items = loop {
            let max = i64::try_from(max).unwrap_or(i64::MAX);
            let mut items = handover::planned(conn, self.id, kind.into(), &tried, max).await?;
            let Some(first) = items.first() else { return Ok(None) };
            if kind == CallKind::Group {
                let room = GROUPS_A_DAY - given_today(conn, &handover, first).await?;
                let skipped = items.split_off(items.len().min(usize::try_from(room).unwrap_or(0)));
                tried.extend(skipped.iter().map(|it| it.id));
            }
            if !items.is_empty() {
                break items;
            }
        };
        let Some(first) = items.first() else { return Ok(None) };
        let flow = flow(conn, &handover).await?;
        let ids: Vec<_> = items.iter().map(|it| it.id).collect();
        let new = NewCall {
            handover: self.id,
            kind,
            flow,
            from: &handover.wechat_userid,
            to: &first.successor_userid,
            items: &ids,
        };
        let call = handover::begin_call(conn, &new).await?;
        let by = By { actor: handover.submitted_by.as_deref().unwrap_or(WECOMD), cause: "提交企业微信" };
        transition_all(conn, Fact::Called, &ids, by).await?;
        handover::poll_afresh(conn, self.id).await?;
        settle(conn, self.id, by).await?;
        transaction.commit().await?;
        Ok(Some(Chunk { kind, call, flow, items }))
    }

    /// Takes in WeCom's answer for the items that it names. The others get the code `otherwise`; without one, theirs is
    /// unknown. Returns whether some are left for later.
    async fn answered(
        &self,
        handover: &Handover,
        chunk: &Chunk,
        said: &BTreeMap<String, i64>,
        otherwise: Option<i64>,
        meaning: fn(i64) -> Said,
    ) -> Result<bool, Trouble> {
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(false) };
        let conn = &mut *transaction;
        let mut heard: BTreeMap<Fact, Vec<Heard>> = BTreeMap::new();
        let (mut left, mut gone) = (false, Vec::new());
        for item in &chunk.items {
            let Some(code) = said.get(&item.subject).copied().or(otherwise) else { continue };
            let fact = match meaning(code) {
                Said::Told(fact) => fact,
                Said::Later if item.attempts + 1 >= ATTEMPTS_MAX => Fact::GivenUp,
                Said::Later => {
                    left = true;
                    Fact::NotDone
                }
            };
            if fact == Fact::NoLongerTheirs {
                gone.push(item.clone());
            }
            heard.entry(fact).or_default().push(Heard {
                item: item.id,
                errcode: Some(code),
                reason: Meaning::of(code).map(|it| it.zh.to_owned()),
                ..Heard::default()
            });
        }
        let by = By { actor: WECOM, cause: "提交结果" };
        for (fact, heard) in heard {
            transition(conn, fact, &heard, by).await?;
        }
        if chunk.kind == CallKind::Customer {
            self.let_go(conn, handover, &gone).await?;
        }
        handover::answer(conn, chunk.call, CallOutcome::Answered, Some(0)).await?;
        settle(conn, self.id, by).await?;
        transaction.commit().await?;
        Ok(left)
    }

    /// Takes in that WeCom refused the whole chunk, or did not answer.
    async fn not_answered(&self, chunk: &Chunk, error: ApiError) -> Result<(), Trouble> {
        let (fact, outcome) = match error.class {
            // WeCom is asked what became of it before it is sent again.
            Class::Unknown => return Err(error.into()),
            Class::Refused if error.needs_operator() || self.is_too_early(&error) => {
                (Fact::NotDone, CallOutcome::NotSent)
            }
            Class::Transient | Class::Token => (Fact::NotDone, CallOutcome::NotSent),
            Class::Refused => (Fact::GivenUp, CallOutcome::Refused),
        };
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(()) };
        let conn = &mut *transaction;
        let why = error.meaning().map_or_else(|| error.message.to_string(), |it| it.zh.to_owned());
        let hear = |item: &Taken| Heard {
            item: item.id,
            errcode: error.errcode,
            reason: Some(why.clone()),
            ..Heard::default()
        };
        let heard: Vec<_> = chunk.items.iter().map(hear).collect();
        let by = By { actor: WECOM, cause: "企业微信拒绝了请求" };
        transition(conn, fact, &heard, by).await?;
        handover::answer(conn, chunk.call, outcome, error.errcode).await?;
        settle(conn, self.id, by).await?;
        transaction.commit().await?;
        if fact == Fact::NotDone { Err(error.into()) } else { Ok(()) }
    }

    /// Whether WeCom's directory has not noticed yet that the member left.
    fn is_too_early(&self, error: &ApiError) -> bool {
        error.is(40097) || error.is(90500)
    }
}

/// How many groups the successor was given since midnight, by the company's clock.
async fn given_today(conn: &mut PgConnection, handover: &Handover, first: &Taken) -> sqlx::Result<i64> {
    let now = tables::now(conn).await?;
    handover::submitted_since(conn, &handover.corpid, &first.successor_userid, midnight(now)).await
}

/// WeCom counts days in Chinese time.
fn midnight(now: DateTime<Utc>) -> DateTime<Utc> {
    let china = chrono::TimeDelta::hours(8);
    let day = (now + china).date_naive();
    day.and_time(chrono::NaiveTime::MIN).and_utc() - china
}
