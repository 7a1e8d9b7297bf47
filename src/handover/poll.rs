//! Asks WeCom what became of submitted items: reads its results page by page, and the owners of groups.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    code,
    drive::{Driver, Trouble, by_pair, flow},
    item::Fact,
    schedule::{OVERDUE_AFTER, is_overdue, overdue_pause},
    transition::{By, WECOM, WECOMD, settle, transition, transition_all},
};
use crate::{
    changes::{Payload, RefreshGroupPayload, Task, TaskKind},
    ids::{CorpId, UserId},
    states::{ItemKind, ItemState, TransferFlow},
    tables::{
        self,
        apps::enterprise_wechat_config,
        handover::{self, Handover, Heard, Taken},
        task,
    },
    wecom::{ApiError, Class, Pages, transfer::TransferResult},
};

/// How many pages of results one pair of members may have: a thousand customers are on each.
const PAGES_MAX: usize = 1_000;

/// A transfer of this customer (40129) or another of the member's (40100) was under way already. It need not be ours.
const UNDER_WAY: [i64; 2] = [40129, 40100];

/// Codes for a group that no longer exists.
const NO_GROUP: [i64; 5] = [49008, 86003, 40050, 90501, 90509];

impl Driver<'_> {
    /// Finds out what became of calls without a known answer: what WeCom's results do not name was not done.
    pub(super) async fn find_outcomes(&self, handover: &Handover) -> Result<(), Trouble> {
        let mut conn = self.pool.acquire().await?;
        let before = tables::now(&mut conn).await? - self.settings.outcome_after;
        let customers = handover::calling(&mut conn, self.id, ItemKind::Customer, before).await?;
        let groups = handover::calling(&mut conn, self.id, ItemKind::Group, before).await?;
        drop(conn);
        if customers.is_empty() && groups.is_empty() {
            return Ok(());
        }
        for ((to, flow), items) in by_pair(customers) {
            let results = self.results(handover, flow, &to).await?;
            self.fold(handover, items, &results, Asked::Unanswered).await?;
        }
        self.look_at_groups(handover, groups, Asked::Unanswered).await?;
        let mut conn = self.pool.acquire().await?;
        Ok(handover::found_calls(&mut conn, self.id, before).await?)
    }

    /// Asks for the results of all waiting items, and once a day of overdue ones.
    pub(super) async fn poll(&self, handover: &Handover) -> Result<(), Trouble> {
        let mut conn = self.pool.acquire().await?;
        let daily = overdue_pause(handover.overdue_polled_at, tables::now(&mut conn).await?).is_zero();
        let mut states = vec![ItemState::Waiting];
        states.extend(daily.then_some(ItemState::Overdue));
        let customers = handover::taken_on(&mut conn, self.id, ItemKind::Customer, &states).await?;
        let groups = handover::taken_on(&mut conn, self.id, ItemKind::Group, &states).await?;
        if customers.is_empty() && groups.is_empty() {
            return Ok(());
        }
        handover::polled(&mut conn, self.id).await?;
        if daily && customers.iter().chain(&groups).any(|it| it.state == ItemState::Overdue) {
            handover::polled_overdue(&mut conn, self.id).await?;
        }
        drop(conn);
        let mut trouble: Option<ApiError> = None;
        for ((to, flow), items) in by_pair(customers) {
            // If WeCom cannot be asked about one pair, the other pairs are left for later.
            let asked = match &trouble {
                Some(error) => Err(error.clone().into()),
                None => self.results(handover, flow, &to).await,
            };
            match asked {
                Ok(results) => self.fold(handover, items, &results, Asked::Waiting).await?,
                Err(Trouble::Wecom(error)) => {
                    self.unanswered(&items, |_| error.to_string(), "transfer_result").await?;
                    trouble.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        let looked = self.look_at_groups(handover, groups, Asked::Waiting).await;
        trouble.map_or(Ok(()), |error| Err(error.into())).and(looked)
    }

    /// Notes that WeCom has not decided these. Those that it should have decided by now become overdue, with its last
    /// words.
    async fn unanswered(
        &self,
        items: &[Taken],
        words: impl Fn(&Taken) -> String,
        cause: &'static str,
    ) -> Result<(), Trouble> {
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(()) };
        let conn = &mut *transaction;
        let now = tables::now(conn).await?;
        let late = items.iter().filter(|it| is_overdue(it.takeover_at, it.called_at, now));
        let late: Vec<_> = late.map(|it| Heard { item: it.id, reason: Some(words(it)), ..Heard::default() }).collect();
        overdue(conn, &late, cause).await?;
        settle(conn, self.id, By { actor: WECOMD, cause }).await?;
        Ok(transaction.commit().await?)
    }

    /// All pages of a pair's results; the last row about each customer counts. They are empty if WeCom knows of no transfer
    /// between these two, because one of them is unknown to it or not in the state that the endpoint is for.
    async fn results(&self, handover: &Handover, flow: TransferFlow, to: &UserId) -> Result<Results, Trouble> {
        let api = self.wecom.corp(&handover.corpid).await?;
        let (mut pages, mut cursor) = (Pages::new(flow.results_path(), PAGES_MAX), String::new());
        let mut results = Results { by_customer: BTreeMap::new(), complete: true };
        loop {
            let page = match api.transfer_results(flow, &handover.wechat_userid, to, &cursor).await {
                Err(error) if is_none_known(&error) => return Ok(results),
                page => page?,
            };
            results.complete &= page.unreadable.is_empty();
            results.by_customer.extend(page.customers.into_iter().map(|it| (it.external_userid.0.clone(), it)));
            match pages.follow(&cursor, page.next_cursor)? {
                Some(next) => cursor = next,
                None => break,
            }
        }
        if !results.complete {
            tracing::warn!(handover = self.id, "rows of WeCom's results cannot be used; whoever is not named waits");
        }
        Ok(results)
    }

    /// Tells each item what the results say of it.
    async fn fold(
        &self,
        handover: &Handover,
        items: Vec<Taken>,
        results: &Results,
        asked: Asked,
    ) -> Result<(), Trouble> {
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(()) };
        let conn = &mut *transaction;
        let now = tables::now(conn).await?;
        let current = flow(conn, handover).await?;
        let mut heard: BTreeMap<Fact, Vec<Heard>> = BTreeMap::new();
        let mut late = Vec::new();
        for item in items {
            let result = results.by_customer.get(&item.subject);
            let said = result.and_then(|it| code::of_result(it.status));
            // The result of an earlier round says nothing of this one.
            let said = said.filter(|fact| {
                !(asked == Asked::Unanswered
                    && item.again
                    && matches!(fact, Fact::CustomerRefused | Fact::SuccessorFull))
            });
            let takeover_at = result.and_then(TransferResult::takeover_at);
            let is_late = asked == Asked::Waiting && is_overdue(takeover_at.or(item.takeover_at), item.called_at, now);
            let fact = match (said, asked) {
                (Some(Fact::Accepted), _) if is_late => Fact::Unanswered,
                (Some(fact), _) => fact,
                // A row that could not be read may have named it.
                (None, _) if result.is_none() && !results.complete => continue,
                (None, Asked::Unanswered) => Fact::NotDone,
                (None, Asked::Waiting) if is_lost(&item, current, now) => Fact::NotDone,
                (None, Asked::Waiting) if is_late => Fact::Unanswered,
                (None, Asked::Waiting) => continue,
            };
            if fact == Fact::Unanswered {
                let reason = Some(code::undecided(result.map(|it| it.status)));
                late.push(Heard { item: item.id, takeover_at, reason, ..Heard::default() });
                continue;
            }
            let reason = code::reason(fact).map(str::to_owned);
            heard.entry(fact).or_default().push(Heard { item: item.id, takeover_at, reason, ..Heard::default() });
        }
        let by = By { actor: WECOM, cause: "transfer_result" };
        for (fact, heard) in heard {
            match fact {
                Fact::HandedOver => self.hand_over(conn, handover, &heard, by).await?,
                Fact::Accepted => {
                    transition(conn, fact, &heard, by).await?;
                    handover::expect(conn, &heard).await?;
                }
                _ => drop(transition(conn, fact, &heard, by).await?),
            }
        }
        overdue(conn, &late, by.cause).await?;
        settle(conn, self.id, by).await?;
        Ok(transaction.commit().await?)
    }

    /// Asks who owns each of these groups.
    async fn look_at_groups(&self, handover: &Handover, groups: Vec<Taken>, asked: Asked) -> Result<(), Trouble> {
        if groups.is_empty() {
            return Ok(());
        }
        let api = self.wecom.corp(&handover.corpid).await?;
        let mut facts: BTreeMap<Fact, Vec<i64>> = BTreeMap::new();
        let (mut trouble, mut undecided, mut handed_over) = (None, Vec::new(), Vec::new());
        let mut groups = groups.into_iter();
        while let Some(item) = groups.next() {
            let fact = match api.group(&item.subject).await {
                Ok(group) if group.owner.is_none() => continue,
                Ok(group) if group.owner.as_ref().is_some_and(|it| it.is(&item.successor_userid)) => {
                    handed_over.push(item.subject.clone());
                    Fact::HandedOver
                }
                Ok(_) if asked == Asked::Unanswered => Fact::NotDone,
                Ok(_) => {
                    undecided.push((item, code::GROUP_UNDECIDED.to_owned()));
                    continue;
                }
                Err(error) if error.errcode.is_some_and(|code| NO_GROUP.contains(&code)) => Fact::NoLongerTheirs,
                // A group that cannot be read does not stop the others, unless the error would be the same for all.
                Err(error) => {
                    let all_alike = error.class != Class::Refused || error.needs_operator();
                    undecided.push((item, error.to_string()));
                    if all_alike {
                        undecided.extend(groups.by_ref().map(|it| (it, error.to_string())));
                    }
                    trouble.get_or_insert(error);
                    continue;
                }
            };
            facts.entry(fact).or_default().push(item.id);
        }
        let Some((mut transaction, _)) = self.begin().await? else { return Ok(()) };
        let conn = &mut *transaction;
        let by = By { actor: if asked == Asked::Waiting { WECOM } else { WECOMD }, cause: "groupchat/get" };
        for (fact, items) in facts {
            transition_all(conn, fact, &items, by).await?;
        }
        settle(conn, self.id, by).await?;
        read_again(conn, &handover.corpid, &handed_over).await?;
        transaction.commit().await?;
        if asked == Asked::Waiting {
            let words: BTreeMap<_, _> = undecided.iter().map(|(item, words)| (item.id, words.clone())).collect();
            let items: Vec<_> = undecided.into_iter().map(|(item, _)| item).collect();
            self.unanswered(&items, |it| words.get(&it.id).cloned().unwrap_or_default(), "groupchat/get").await?;
        }
        trouble.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Has these groups read again: they have another owner, and what is done through the API causes no callback.
async fn read_again(conn: &mut PgConnection, corpid: &CorpId, groups: &[String]) -> sqlx::Result<()> {
    let Some(app_id) = enterprise_wechat_config::speaker(conn, corpid).await? else { return Ok(()) };
    let now = tables::now(conn).await?;
    for chat in groups {
        let payload = RefreshGroupPayload { event_s: now.timestamp(), version: None };
        let task = Task { app_id, payload: Some(payload.to_text()), due_at: now, deadline: None, marks: 1 };
        task::enqueue(conn, corpid, TaskKind::RefreshGroup, chat, task).await?;
    }
    Ok(())
}

/// All pages of a pair's results.
struct Results {
    by_customer: BTreeMap<String, TransferResult>,
    /// Whether every row could be read. If not, a missing customer means nothing.
    complete: bool,
}

/// Why results are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The answer to the call is unknown.
    Unanswered,
    /// WeCom accepted it, and has not decided yet.
    Waiting,
}

/// Makes these overdue. Those that were overdue already keep what WeCom said last.
async fn overdue(conn: &mut PgConnection, late: &[Heard], cause: &str) -> sqlx::Result<()> {
    transition(conn, Fact::Unanswered, late, By { actor: WECOMD, cause }).await?;
    handover::note(conn, late).await
}

/// Whether waiting for an item is useless: the member has left since the call, which ended transfers in service; or the
/// transfer that was under way was not ours, and is over.
fn is_lost(item: &Taken, current: TransferFlow, now: DateTime<Utc>) -> bool {
    let other_flow = current == TransferFlow::Resigned && item.flow == Some(TransferFlow::InService);
    let over = item.submitted_at.is_some_and(|at| now - at > OVERDUE_AFTER);
    other_flow || over && item.errcode.is_some_and(|code| UNDER_WAY.contains(&code))
}

/// Whether WeCom has no results for such a pair: a userid is unknown by now, or a member has left or has not.
fn is_none_known(error: &ApiError) -> bool {
    error.class == Class::Refused && !error.needs_operator()
}
