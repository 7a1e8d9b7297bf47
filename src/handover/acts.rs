//! What people do with a planned handover: tell the successors, note their answers, submit it, have WeCom asked again,
//! call it off, give items up.
//!
//! Each is a part of the caller's transaction and takes the corp's lock alone. `who` does it, by the name that the log
//! keeps.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{
    item::Fact,
    note::Note,
    transition::{By, settle, transition, transition_all},
};
use crate::{
    changes::{Notice, TaskKind},
    check::{self, Invalid},
    ids::StaffId,
    states::{HandoverState, ItemState},
    tables::{
        self,
        access::own::Own,
        apply,
        apps::enterprise_wechat_config,
        handover::{self, Handover, Heard, Part},
        staff::member,
        task,
    },
};

/// How many names of customers a successor is told.
const NAMES_MAX: i32 = 3;

/// How many items may be given up at once.
pub const CLOSED_MAX: usize = 1_000;

/// What a successor answered, checked.
#[derive(Debug)]
pub struct SuccessorAnswer {
    staff_id: StaffId,
    accepted: bool,
    note: Option<Note>,
}

/// What is given up, checked.
#[derive(Debug)]
pub struct GivenUp {
    subjects: Vec<String>,
    items: Vec<i64>,
    reason: Note,
}

/// How many items were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedItems {
    /// How many were.
    pub closed: usize,
    /// How many had come to an end before.
    pub unchanged: usize,
}

/// What a handover needs before it is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubmitRules {
    /// It may be submitted although items have no successor.
    pub partly: bool,
    /// Every successor must have agreed.
    pub acceptance: bool,
}

/// Why nobody is told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// There is no such handover.
    #[error("there is no such handover")]
    Unknown,
    /// It was called off.
    #[error("the handover was called off")]
    CalledOff,
    /// Nothing is planned, so there is nobody to tell.
    #[error("nothing is planned")]
    NothingPlanned,
    /// No app of the corp is enabled to send the notice.
    #[error("no app of the corp is enabled to send by")]
    NoApp,
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why an answer is not noted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There is no such handover.
    #[error("there is no such handover")]
    Unknown,
    /// It was called off.
    #[error("the handover was called off")]
    CalledOff,
    /// They are no successor in this handover, or none for whom the caller may answer.
    #[error("not a successor in this handover")]
    NoSuccessor,
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why a handover is not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// There is no such handover.
    #[error("there is no such handover")]
    Unknown,
    /// It was called off.
    #[error("the handover was called off")]
    CalledOff,
    /// Some items have no successor.
    #[error("{items} items have no successor")]
    ItemsOpen {
        /// How many.
        items: usize,
    },
    /// Some successors have not agreed yet.
    #[error("{successors} successors have not agreed yet")]
    NotAgreed {
        /// How many.
        successors: i64,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why a handover is not called off.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such handover.
    #[error("there is no such handover")]
    Unknown,
    /// It is done: nothing is left to call off.
    #[error("the handover is done")]
    Done,
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why WeCom is not asked again, or items are not given up.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// There is no such handover.
    #[error("there is no such handover")]
    Unknown,
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Asks for a notice to each successor who was not told of this version of the plan. `url` leads to the handover.
pub async fn notify(conn: &mut PgConnection, id: i64, url: &str, who: &str) -> Result<(), NotifyError> {
    let handover = lock(conn, id).await?.ok_or(NotifyError::Unknown)?;
    if handover.cancelled_at.is_some() {
        return Err(NotifyError::CalledOff);
    }
    let parts = handover::parts(conn, id, NAMES_MAX).await?;
    if parts.is_empty() {
        return Err(NotifyError::NothingPlanned);
    }
    let app = enterprise_wechat_config::speaker(conn, &handover.corpid).await?.ok_or(NotifyError::NoApp)?;
    // Who was told of this version is not told again.
    let parts: Vec<_> = parts.into_iter().filter(|it| !it.notified).collect();
    if parts.is_empty() {
        return Ok(());
    }
    let user = &handover.wechat_userid;
    let held = member::held(conn, &handover.corpid, std::slice::from_ref(&user.0)).await?;
    let name = held.get(user).and_then(|it| it.name.as_deref()).filter(|it| !it.is_empty());
    let from = name.or(handover.staff_id.as_deref()).unwrap_or(user.as_str());
    let now = tables::now(conn).await?;
    let tasks = parts.iter().map(|part| {
        let subject = format!("handover:{}:{}:{}", handover.id, handover.version, part.wechat_userid);
        let key = (handover.corpid.clone(), TaskKind::NotifyStaff, subject);
        (key, card(&handover, from, part, url.to_owned()).task(app, now))
    });
    task::upsert(conn, &tasks.collect::<BTreeMap<_, _>>()).await?;
    let users: Vec<_> = parts.iter().map(|it| it.wechat_userid.0.clone()).collect();
    handover::told(conn, id, &users).await?;
    settle(conn, id, By { actor: who, cause: "已通知接替员工" }).await?;
    Ok(())
}

/// Notes what a successor answered. Items of one who does not agree have no successor any more. A caller who sees their
/// `own` alone answers for themselves only.
pub async fn accept(
    conn: &mut PgConnection,
    id: i64,
    answer: &SuccessorAnswer,
    own: Option<&Own>,
    who: &str,
) -> Result<(), AcceptError> {
    let handover = lock(conn, id).await?.ok_or(AcceptError::Unknown)?;
    if handover.cancelled_at.is_some() {
        return Err(AcceptError::CalledOff);
    }
    let SuccessorAnswer { staff_id, accepted, note } = answer;
    if own.is_some_and(|own| own.staff_id != *staff_id) {
        return Err(AcceptError::NoSuccessor);
    }
    let note = note.as_ref().map(Note::as_str);
    let user = handover::answered(conn, id, staff_id.as_str(), *accepted, who, note).await?;
    let user = user.ok_or(AcceptError::NoSuccessor)?;
    if !accepted {
        let items = handover::planned_for(conn, id, &user).await?;
        let by = By { actor: who, cause: "接替员工不同意接收" };
        transition_all(conn, Fact::Dropped, &items, by).await?;
        handover::take_back(conn, &items).await?;
        settle(conn, id, by).await?;
    }
    Ok(())
}

/// Submits a handover: from now on WeCom is asked to carry it out.
pub async fn submit(conn: &mut PgConnection, id: i64, rules: SubmitRules, who: &str) -> Result<(), SubmitError> {
    let handover = lock(conn, id).await?.ok_or(SubmitError::Unknown)?;
    if handover.cancelled_at.is_some() {
        return Err(SubmitError::CalledOff);
    }
    let items = handover::in_states(conn, id, &[ItemState::Open]).await?.len();
    if items > 0 && !rules.partly {
        return Err(SubmitError::ItemsOpen { items });
    }
    let successors = handover::not_agreed(conn, id).await?;
    if rules.acceptance && successors > 0 {
        return Err(SubmitError::NotAgreed { successors });
    }
    handover::submit(conn, id, who).await?;
    settle(conn, id, By { actor: who, cause: "提交交接" }).await?;
    Ok(handover::wake_now(conn, &handover.corpid, id).await?)
}

/// Calls a handover off. One that was called off already stays as it is.
pub async fn cancel(conn: &mut PgConnection, id: i64, reason: Option<&Note>, who: &str) -> Result<(), CancelError> {
    let handover = lock(conn, id).await?.ok_or(CancelError::Unknown)?;
    if handover.cancelled_at.is_some() {
        return Ok(());
    }
    if handover.state == HandoverState::Done {
        return Err(CancelError::Done);
    }
    Ok(call_off(conn, &handover, who, reason.map_or("取消交接", Note::as_str)).await?)
}

/// Has WeCom asked for results now.
pub async fn poll(conn: &mut PgConnection, id: i64) -> Result<(), ActError> {
    let handover = lock(conn, id).await?.ok_or(ActError::Unknown)?;
    handover::poll_afresh(conn, id).await?;
    Ok(handover::wake_now(conn, &handover.corpid, id).await?)
}

/// Gives items up. Those that have ended stay as they are.
pub async fn close(conn: &mut PgConnection, id: i64, given_up: &GivenUp, who: &str) -> Result<ClosedItems, ActError> {
    lock(conn, id).await?.ok_or(ActError::Unknown)?;
    let reason = given_up.reason.as_str();
    let items = handover::named(conn, id, &given_up.subjects, &given_up.items).await?;
    let heard = |item: &i64| Heard { item: *item, reason: Some(reason.to_owned()), ..Heard::default() };
    let heard: Vec<_> = items.iter().map(heard).collect();
    let by = By { actor: who, cause: reason };
    let closed = transition(conn, Fact::GivenUp, &heard, by).await?.len();
    settle(conn, id, by).await?;
    Ok(ClosedItems { closed, unchanged: items.len().saturating_sub(closed) })
}

/// Calls a handover off that the caller has locked: what WeCom was not asked for yet is not asked for any more.
pub(super) async fn call_off(conn: &mut PgConnection, handover: &Handover, who: &str, cause: &str) -> sqlx::Result<()> {
    handover::call_off(conn, handover.id, who).await?;
    let items = handover::in_states(conn, handover.id, &[ItemState::Open, ItemState::Planned]).await?;
    let by = By { actor: who, cause };
    transition_all(conn, Fact::CalledOff, &items, by).await?;
    settle(conn, handover.id, by).await?;
    // WeCom is still asked about what it has in hand.
    handover::wake_now(conn, &handover.corpid, handover.id).await
}

/// The handover of that number, if there is one; nobody else changes it until the transaction ends.
async fn lock(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<Handover>> {
    let Some(found) = handover::find(conn, id).await? else { return Ok(None) };
    apply::lock_alone(conn, &found.corpid).await?;
    handover::lock(conn, id).await
}

fn card(handover: &Handover, from: &str, part: &Part, url: String) -> Notice {
    let count = |items: i64, unit: &str| (items > 0).then(|| format!("{items} {unit}"));
    let customers = count(part.customers, "位").map(|it| match part.names.is_empty() {
        true => it,
        false => format!("{it}:{}", part.names.join("、")),
    });
    // WeCom sends the same card once in four hours, so each says which plan it is about.
    let desc = format!("交接 {} 第 {} 版", handover.id, handover.version);
    Notice::new(part.wechat_userid.clone(), "工作交接,请准备接收", &desc, url)
        .line("原员工", Some(from))
        .line("客户", customers.as_deref())
        .line("工单", count(part.orders, "个").as_deref())
        .line("客户群", count(part.groups, "个").as_deref())
        .line("客服会话", count(part.sessions, "个").as_deref())
}

impl SuccessorAnswer {
    /// What this staff member answered.
    pub fn new(staff_id: String, accepted: bool, note: Option<String>) -> Result<Self, Invalid> {
        check::id("staff_id", &staff_id)?;
        Ok(Self { staff_id: StaffId(staff_id), accepted, note: Note::optional("note", note)? })
    }
}

impl GivenUp {
    /// These items, by their subjects and by their numbers, for this reason.
    pub fn new(subjects: Vec<String>, items: Vec<i64>, reason: String) -> Result<Self, Invalid> {
        let reason = Note::new("reason", reason)?;
        if !(1..=CLOSED_MAX).contains(&(subjects.len() + items.len())) {
            let en = format!("give 1 to {CLOSED_MAX} subjects or items");
            return Err(Invalid::new("items", (en, format!("请给出 1 至 {CLOSED_MAX} 个对象或交接项"))));
        }
        Ok(Self { subjects, items, reason })
    }
}
