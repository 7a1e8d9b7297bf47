//! Drives one handover: takes in what callbacks said, sends what is to be sent, and asks WeCom for results.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::{
    Settings, code,
    item::Fact,
    schedule,
    transition::{By, WECOM, WECOMD, settle, transition, transition_all},
};
use crate::{
    changes::{Changes, ContactStatus, Task, TaskKind},
    ids::{ExternalUserId, StaffId, UserId},
    states::{HandoverCause, HandoverState, ItemKind, ItemState, TransferFlow},
    tables::{
        self, apply,
        handover::{self, Handover, Heard, Taken},
        orders::work_order,
        records::wechat_contact_record::KnownMonths,
        staff::member,
    },
    wecom::{ApiError, Wecom},
};

/// When an item is tried again that WeCom could not accept just now.
const LATER: Duration = Duration::from_secs(60);

/// How many orders change hands in one transaction.
const ORDERS_MAX: i64 = 50;

/// Said of contacts that ended, and of orders that are over or belong to somebody else.
const GONE: By<'_> = By { actor: WECOMD, cause: "已不属于原员工" };

/// What the task that drives the handover does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until somebody plans or a callback hints at something.
    Over,
    /// It looks again after so long.
    Again(Duration),
}

/// Why driving stopped. Nothing is lost: the next run goes on where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// WeCom refused, or did not answer.
    #[error(transparent)]
    Wecom(#[from] ApiError),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Drives one handover.
pub struct Driver<'a> {
    pub(super) pool: &'a PgPool,
    pub(super) wecom: &'a Wecom,
    pub(super) settings: &'a Settings,
    pub(super) id: i64,
}

impl<'a> Driver<'a> {
    /// For the handover of that number.
    pub fn new(pool: &'a PgPool, wecom: &'a Wecom, settings: &'a Settings, id: i64) -> Self {
        Self { pool, wecom, settings, id }
    }

    /// Does everything that can be done now.
    pub async fn run(&self) -> Result<Next, Trouble> {
        let Some(handover) = self.look().await? else { return Ok(Next::Over) };
        // A failure with one kind does not stop the others: an app may have no right to groups.
        let found = self.find_outcomes(&handover).await;
        let (mut customers, mut groups, mut sessions) = (Ok(false), Ok(false), Ok(false));
        if handover.submitted_at.is_some() && handover.cancelled_at.is_none() {
            self.hand_orders(&handover).await?;
            sessions = self.hand_sessions(&handover).await;
            customers = self.submit_customers(&handover).await;
            groups = self.submit_groups(&handover).await;
        }
        let polled = self.poll(&handover).await;
        let left = [&customers, &groups, &sessions].iter().any(|it| matches!(it, Ok(true)));
        let next = self.finish(left).await?;
        for done in [found, sessions.map(drop), customers.map(drop), groups.map(drop), polled] {
            done?;
        }
        Ok(next)
    }

    /// Takes in what changed since the last look: contacts and orders, events, a handover that was called off.
    async fn look(&self) -> Result<Option<Handover>, Trouble> {
        let Some((mut transaction, handover)) = self.begin().await? else { return Ok(None) };
        let conn = &mut *transaction;
        let off = handover.cancelled_at.is_some();
        if handover.cause != HandoverCause::Transfer && !off && !self.is_followed(conn, &handover).await? {
            handover::collect_contacts(conn, self.id).await?;
            handover::collect_orders(conn, self.id).await?;
            handover::collect_sessions(conn, self.id).await?;
        }
        if off {
            let items = handover::in_states(conn, self.id, &[ItemState::Open, ItemState::Planned]).await?;
            let actor = handover.cancelled_by.as_deref().unwrap_or(WECOMD);
            transition_all(conn, Fact::CalledOff, &items, By { actor, cause: "交接已取消" }).await?;
        }
        let gone = handover::no_longer_theirs(conn, self.id).await?;
        transition_all(conn, Fact::NoLongerTheirs, &gone, GONE).await?;
        self.fold_events(conn).await?;
        let came = handover::taken_over(conn, self.id).await?;
        let by = By { actor: WECOM, cause: "客户已添加接替员工(企业分配)" };
        let came: Vec<_> = came.into_iter().map(|item| Heard { item, ..Heard::default() }).collect();
        self.hand_over(conn, &handover, &came, by).await?;
        settle(conn, self.id, By { actor: WECOMD, cause: "状态更新" }).await?;
        transaction.commit().await?;
        Ok(Some(handover))
    }

    /// Whether the member has a later handover that is open: that one then collects new contacts and orders.
    async fn is_followed(&self, conn: &mut PgConnection, handover: &Handover) -> sqlx::Result<bool> {
        let open = handover::open_of(conn, &handover.corpid, &handover.wechat_userid).await?;
        Ok(open.is_some_and(|(open, _)| open != self.id))
    }

    /// Takes in what `transfer_fail` events say.
    async fn fold_events(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        for fail in handover::fails(conn, self.id).await? {
            let Some(fact) = code::of_event(&fail.reason) else { continue };
            let reason = code::reason(fact).map(str::to_owned);
            let heard = Heard { item: fail.item, reason, ..Heard::default() };
            transition(conn, fact, &[heard], By { actor: WECOM, cause: "transfer_fail" }).await?;
        }
        Ok(())
    }

    /// Notes that these customers have reached their successors, and changes their contacts without waiting for callbacks.
    pub(super) async fn hand_over(
        &self,
        conn: &mut PgConnection,
        handover: &Handover,
        heard: &[Heard],
        by: By<'_>,
    ) -> sqlx::Result<()> {
        let done = transition(conn, Fact::HandedOver, heard, by).await?;
        let moved = handover::moved(conn, &done).await?;
        let now = tables::now(conn).await?;
        let mut changes = Changes::default();
        for it in moved {
            let at = it.takeover_at.unwrap_or(now);
            let customer = ExternalUserId(it.subject);
            let mut contact = |user: &UserId, status| {
                let key = (handover.corpid.clone(), customer.clone(), user.clone());
                changes.contacts.entry(key).or_default().became(status, at);
            };
            contact(&handover.wechat_userid, ContactStatus::TransferredOut);
            contact(&it.successor_userid, ContactStatus::Contacted);
            // Their details are read again as the new owner sees them; any app may read them, not only the one that moved
            // them.
            let task = Task { app_id: it.app_id, payload: None, due_at: now, deadline: None, marks: 1 };
            changes.tasks.insert((handover.corpid.clone(), TaskKind::RefreshContact, customer.0), task);
        }
        apply::apply(conn, changes, &mut KnownMonths::default()).await.map(drop)
    }

    /// WeCom does not list these customers as the leaver's, so their contacts end here too.
    pub(super) async fn let_go(
        &self,
        conn: &mut PgConnection,
        handover: &Handover,
        items: &[Taken],
    ) -> sqlx::Result<()> {
        let now = tables::now(conn).await?;
        let mut changes = Changes::default();
        for item in items {
            let key = (handover.corpid.clone(), ExternalUserId(item.subject.clone()), handover.wechat_userid.clone());
            changes.contacts.entry(key).or_default().became(ContactStatus::Gone, now);
        }
        apply::apply(conn, changes, &mut KnownMonths::default()).await.map(drop)
    }

    /// Gives orders to their successors at once: WeCom knows nothing of orders.
    async fn hand_orders(&self, handover: &Handover) -> Result<(), Trouble> {
        let mut tried = Vec::new();
        loop {
            let Some((mut transaction, current)) = self.begin().await? else { return Ok(()) };
            if current.cancelled_at.is_some() || current.submitted_at.is_none() {
                return Ok(());
            }
            let conn = &mut *transaction;
            // Somebody else may have taken an order since the look.
            let gone = handover::no_longer_theirs(conn, self.id).await?;
            transition_all(conn, Fact::NoLongerTheirs, &gone, GONE).await?;
            let items = handover::planned(conn, self.id, ItemKind::Order, &tried, ORDERS_MAX).await?;
            if items.is_empty() {
                return Ok(transaction.commit().await?);
            }
            for item in &items {
                tried.push(item.id);
                let order = match item.subject.parse() {
                    Ok(number) => work_order::find(conn, number).await?,
                    Err(_) => None,
                };
                let staff = handover::successor_staff(conn, item.id).await?.map(StaffId);
                let (Some(order), Some(staff)) = (order, staff) else {
                    let heard =
                        Heard { item: item.id, reason: Some("接替员工未绑定".to_owned()), ..Heard::default() };
                    transition(conn, Fact::GivenUp, &[heard], By { actor: WECOMD, cause: "工单无法交接" }).await?;
                    continue;
                };
                let actor = handover.submitted_by.as_deref().unwrap_or(WECOMD);
                work_order::assign(conn, &order, &staff, actor, Some("工作交接")).await?;
                transition_all(conn, Fact::HandedOver, &[item.id], By { actor, cause: "工单已转给接替员工" }).await?;
            }
            settle(conn, self.id, By { actor: WECOMD, cause: "工单交接" }).await?;
            transaction.commit().await?;
        }
    }

    /// Writes the handover's new state, and says when to look again.
    async fn finish(&self, left: bool) -> Result<Next, Trouble> {
        let Some((mut transaction, handover)) = self.begin().await? else { return Ok(Next::Over) };
        let conn = &mut *transaction;
        let state = settle(conn, self.id, By { actor: WECOMD, cause: "状态更新" }).await?;
        let takeover_at = handover::next_takeover(conn, self.id).await?;
        let mut has = BTreeSet::new();
        for state in [ItemState::Calling, ItemState::Waiting, ItemState::Overdue] {
            if !handover::in_states(conn, self.id, &[state]).await?.is_empty() {
                has.insert(state);
            }
        }
        let now = tables::now(conn).await?;
        transaction.commit().await?;
        let polling = schedule::pause(self.settings, handover.polls, takeover_at, now);
        // If everything left is overdue, WeCom is asked once a day.
        let daily = schedule::overdue_pause(handover.overdue_polled_at, now).max(LATER);
        let polling = match (has.contains(&ItemState::Waiting), has.contains(&ItemState::Overdue)) {
            (false, true) => daily,
            (true, true) => polling.min(daily),
            (_, false) => polling,
        };
        Ok(match state {
            _ if has.contains(&ItemState::Calling) => Next::Again(self.settings.outcome_after),
            Some(HandoverState::Submitted) if left => Next::Again(LATER),
            Some(HandoverState::Submitted | HandoverState::Waiting) => Next::Again(polling),
            _ => Next::Over,
        })
    }

    /// A transaction that has the corp and the handover to itself; `None` if the handover is gone.
    pub(super) async fn begin(&self) -> sqlx::Result<Option<(Transaction<'static, Postgres>, Handover)>> {
        let mut transaction = self.pool.begin().await?;
        let Some(found) = handover::find(&mut transaction, self.id).await? else { return Ok(None) };
        apply::lock_alone(&mut transaction, &found.corpid).await?;
        let handover = handover::lock(&mut transaction, self.id).await?;
        Ok(handover.map(|it| (transaction, it)))
    }
}

/// Which of WeCom's endpoints fits: there is one for members who have left, and one for members who are here.
pub(super) async fn flow(conn: &mut PgConnection, handover: &Handover) -> sqlx::Result<TransferFlow> {
    let user = &handover.wechat_userid;
    let held = member::held(conn, &handover.corpid, std::slice::from_ref(&user.0)).await?;
    Ok(if held.get(user).is_some_and(|it| it.left) { TransferFlow::Resigned } else { TransferFlow::InService })
}

/// These items by their successor and the flow of their last call.
pub(super) fn by_pair(items: Vec<Taken>) -> BTreeMap<(UserId, TransferFlow), Vec<Taken>> {
    let mut pairs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for item in items {
        // An item without a call has no flow: its leaver counts as here.
        let flow = item.flow.unwrap_or(TransferFlow::InService);
        pairs.entry((item.successor_userid.clone(), flow)).or_default().push(item);
    }
    pairs
}
