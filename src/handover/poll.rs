//! What became of what WeCom was asked: its results, page by page, and whose groups are whose.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    code,
    drive::{Driver, STUCK_AFTER, Trouble, by_pair, flow},
    item::Fact,
    turn::{By, WECOM, WECOMD, settle, turn, turn_all},
};
use crate::{
    ids::UserId,
    tables::{
        self,
        handover::{self, Handover, Heard, Taken},
    },
    wecom::{
        ApiError, Class,
        transfer::{Flow, TransferResult},
    },
};

/// How many pages of results one pair of members may have: a thousand customers are on each.
const PAGES_MAX: usize = 1_000;

/// A transfer of this customer was under way already (40129), or another of the member's (40100): perhaps not ours.
const UNDER_WAY: [i64; 2] = [40129, 40100];

/// Codes of a group that is none any more.
const NO_GROUP: [i64; 5] = [49008, 86003, 40050, 90501, 90509];

impl Driver<'_> {
    /// Finds out what became of calls whose answer nobody saw: what WeCom's results do not name was not done.
    pub(super) async fn find_outcomes(&self, handover: &Handover) -> Result<(), Trouble> {
        let mut conn = self.pool.acquire().await?;
        let before = tables::now(&mut conn).await? - self.settings.outcome_after;
        let customers = handover::calling(&mut conn, self.id, "customer", before).await?;
        let groups = handover::calling(&mut conn, self.id, "group", before).await?;
        drop(conn);
        if customers.is_empty() && groups.is_empty() {
            return Ok(());
        }
        for ((to, flow), items) in by_pair(customers) {
            let results = self.results(handover, flow_named(&flow), &to).await?;
            self.fold(handover, items, &results, Asked::Unanswered).await?;
        }
        self.look_at_groups(handover, groups, Asked::Unanswered).await?;
        let mut conn = self.pool.acquire().await?;
        Ok(handover::found_calls(&mut conn, self.id, before).await?)
    }

    /// Asks for the results of everything that waits.
    pub(super) async fn poll(&self, handover: &Handover) -> Result<(), Trouble> {
        let mut conn = self.pool.acquire().await?;
        let customers = handover::waiting(&mut conn, self.id, "customer").await?;
        let groups = handover::waiting(&mut conn, self.id, "group").await?;
        if customers.is_empty() && groups.is_empty() {
            return Ok(());
        }
        handover::polled(&mut conn, self.id).await?;
        drop(conn);
        for ((to, flow), items) in by_pair(customers) {
            let results = self.results(handover, flow_named(&flow), &to).await?;
            self.fold(handover, items, &results, Asked::Waiting).await?;
        }
        self.look_at_groups(handover, groups, Asked::Waiting).await
    }

    /// All pages of a pair's results; the last word on each customer counts. None if WeCom knows of no transfer between
    /// these two: one of them is not there in the way that this endpoint is for.
    async fn results(
        &self,
        handover: &Handover,
        flow: Flow,
        to: &UserId,
    ) -> Result<BTreeMap<String, TransferResult>, Trouble> {
        let api = self.wecom.corp(&handover.corpid).await?;
        let (mut results, mut cursor) = (BTreeMap::new(), String::new());
        for _ in 0..PAGES_MAX {
            let page = match api.transfer_results(flow, &handover.wechat_userid, to, &cursor).await {
                Err(error) if is_none_known(&error) => break,
                page => page?,
            };
            results.extend(page.customers.into_iter().map(|it| (it.external_userid.0.clone(), it)));
            if page.next_cursor.is_empty() || page.next_cursor == cursor {
                break;
            }
            cursor = page.next_cursor;
        }
        Ok(results)
    }

    /// Tells each item what the results say of it.
    async fn fold(
        &self,
        handover: &Handover,
        items: Vec<Taken>,
        results: &BTreeMap<String, TransferResult>,
        asked: Asked,
    ) -> Result<(), Trouble> {
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(()) };
        let conn = &mut *transaction;
        let now = tables::now(conn).await?;
        let current = flow(conn, handover).await?;
        let mut heard: BTreeMap<Fact, Vec<Heard>> = BTreeMap::new();
        for item in items {
            let result = results.get(&item.subject);
            let said = result.and_then(|it| code::of_result(it.status));
            // An end that an earlier round came to says nothing of this one.
            let said = said.filter(|fact| {
                !(asked == Asked::Unanswered
                    && item.again
                    && matches!(fact, Fact::CustomerRefused | Fact::SuccessorFull))
            });
            let fact = match (said, asked) {
                (Some(fact), _) => fact,
                (None, Asked::Unanswered) => Fact::NotDone,
                (None, Asked::Waiting) if is_lost(&item, current, now) => Fact::NotDone,
                (None, Asked::Waiting) => continue,
            };
            let takeover_at =
                result.and_then(|it| DateTime::from_timestamp(it.takeover_time, 0)).filter(|it| it.timestamp() > 0);
            let reason = code::reason(fact).map(str::to_owned);
            heard.entry(fact).or_default().push(Heard { item: item.id, takeover_at, reason, ..Heard::default() });
        }
        let by = By { actor: WECOM, cause: "transfer_result" };
        for (fact, heard) in heard {
            match fact {
                Fact::HandedOver => self.hand_over(conn, handover, &heard, by).await?,
                Fact::Accepted => {
                    turn(conn, fact, &heard, by).await?;
                    handover::expect(conn, &heard).await?;
                }
                _ => drop(turn(conn, fact, &heard, by).await?),
            }
        }
        settle(conn, self.id, by).await?;
        Ok(transaction.commit().await?)
    }

    /// Asks whose each of these groups is.
    async fn look_at_groups(&self, handover: &Handover, groups: Vec<Taken>, asked: Asked) -> Result<(), Trouble> {
        if groups.is_empty() {
            return Ok(());
        }
        let api = self.wecom.corp(&handover.corpid).await?;
        let mut facts: BTreeMap<Fact, Vec<i64>> = BTreeMap::new();
        let mut trouble = None;
        for item in groups {
            let fact = match api.group(&item.subject).await {
                Ok(group) if group.owner.is(&item.successor_userid) => Fact::HandedOver,
                Ok(_) if asked == Asked::Unanswered => Fact::NotDone,
                Ok(_) => continue,
                Err(error) if error.errcode.is_some_and(|code| NO_GROUP.contains(&code)) => Fact::NoLongerTheirs,
                // One that cannot be read keeps no other from its end; where none can be, the rest is not tried.
                Err(error) => {
                    let all_alike = error.class != Class::Refused || error.needs_operator();
                    trouble.get_or_insert(error);
                    if all_alike {
                        break;
                    }
                    continue;
                }
            };
            facts.entry(fact).or_default().push(item.id);
        }
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(()) };
        let conn = &mut *transaction;
        let by = By { actor: if asked == Asked::Waiting { WECOM } else { WECOMD }, cause: "groupchat/get" };
        for (fact, items) in facts {
            turn_all(conn, fact, &items, by).await?;
        }
        settle(conn, self.id, by).await?;
        transaction.commit().await?;
        trouble.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Why results are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nobody saw the answer to the call.
    Unanswered,
    /// WeCom took it on, and has not said yet what became of it.
    Waiting,
}

/// Whether what waits is waited for in vain: the member has left since, and with them what was asked while they were
/// here; or the transfer that was under way was somebody else's, and is over.
fn is_lost(item: &Taken, current: Flow, now: DateTime<Utc>) -> bool {
    let other_flow = current == Flow::Resigned && item.flow.as_deref() == Some(Flow::InService.as_str());
    let over = item.submitted_at.is_some_and(|at| now - at > STUCK_AFTER);
    other_flow || over && item.errcode.is_some_and(|code| UNDER_WAY.contains(&code))
}

/// WeCom has no results for such a pair: a userid that is unknown by now, or a member who is not, or no longer, here.
fn is_none_known(error: &ApiError) -> bool {
    error.class == Class::Refused && !error.needs_operator()
}

fn flow_named(name: &str) -> Flow {
    if name == Flow::Resigned.as_str() { Flow::Resigned } else { Flow::InService }
}
