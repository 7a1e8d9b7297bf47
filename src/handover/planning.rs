//! Planning a handover: what belongs to it is collected, rules choose successors, and the plan is saved or only shown.
//!
//! WeCom is asked first ([`ask`]), while no transaction is open. The rest ([`make`]) is one part of the caller's
//! transaction; a preview takes that part back, so it leaves nothing behind. Which successor an item gets is decided in
//! `plan`.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sqlx::{Acquire, PgConnection, PgPool};

use super::{
    item::Fact,
    note::CustomerMessage,
    plan::{self, Candidate, Item, Leaver, Plan, Refusal, Rule},
    successors::{self, Unverified, Verdicts, departments},
    transition::{By, WECOMD, settle, transition_all},
};
use crate::{
    check::{self, Invalid},
    ids::UserId,
    states::{HandoverCause, HandoverState, ItemKind, ItemState},
    tables::{
        self, apply,
        groups::group_chat,
        handover::{self, Handover, ToPlan},
        staff::member,
    },
    wecom::{Api, ApiError, Class, Pages, Wecom, group_chat::LIST},
};

/// How many rules a plan may have.
pub const RULES_MAX: usize = 50;

/// How many successors may be named: WeCom is asked about each.
const NAMED_MAX: usize = 100;

/// How many others a rule that names nobody looks at, those with the fewest contacts first.
const POOL_MAX: i64 = 40;

/// How many pages of groups are read; a thousand groups are on each.
const GROUP_PAGES_MAX: usize = 100;

/// WeCom hands over what a leaver left for that long.
const GONE_MAX: TimeDelta = TimeDelta::days(365);

/// A plan as somebody asks for it.
#[derive(Debug)]
pub struct PlanInput {
    /// Whether it is only looked at.
    pub preview: bool,
    /// The version that the caller saw; it may be left out of a preview.
    pub version: Option<i64>,
    /// Who shall have which items; there are either rules or one `successor`.
    pub rules: Vec<Rule>,
    /// The same as one rule that names one successor for all.
    pub successor: Option<String>,
    /// What customers are told once a transfer is done.
    pub message: Option<String>,
    /// Which kinds are planned; empty for all.
    pub kinds: Vec<ItemKind>,
    /// What was refused, found its successor full, failed or is overdue, and shall be planned anew.
    pub again: NextRound,
}

/// Which items get another round.
#[derive(Debug, PartialEq, Eq)]
pub enum NextRound {
    /// None.
    Nothing,
    /// All.
    All,
    /// Those of these subjects.
    Subjects(Vec<String>),
}

/// A plan as somebody asks for it, checked.
#[derive(Debug)]
pub struct NewPlan {
    preview: bool,
    version: Option<i64>,
    rules: Vec<Rule>,
    message: Option<CustomerMessage>,
    kinds: Vec<ItemKind>,
    again: NextRound,
}

/// A plan to make, and what WeCom said beforehand.
#[derive(Debug)]
pub struct PlanRequest {
    new: NewPlan,
    verdicts: Verdicts,
    groups: Vec<String>,
}

/// A plan that was made.
#[derive(Debug)]
pub struct PlanMade {
    /// The handover as it is now.
    pub handover: Handover,
    /// Who gets what.
    pub plan: Plan,
    /// Whether it was saved.
    pub saved: bool,
    /// Whether WeCom was asked about the successors.
    pub verified: bool,
    /// What could not be found out.
    pub unverified: Vec<Unverified>,
}

/// Why no plan is made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is no such handover.
    #[error("there is no such handover")]
    Unknown,
    /// The caller saw another version.
    #[error("the handover is at version {version}")]
    Changed {
        /// The version that it is at.
        version: i64,
    },
    /// It was called off.
    #[error("the handover was called off")]
    CalledOff,
    /// It is done, and nothing shall get another round.
    #[error("the handover is done")]
    Done,
    /// It is done, and the same member has an open one.
    #[error("handover {handover} of the same member is open")]
    OtherOpen {
        /// The open one.
        handover: i64,
    },
    /// These rules stand against saving it.
    #[error("{} rules stand against the plan", .0.len())]
    Broken(Vec<Refusal>),
    /// WeCom refused, or did not answer.
    #[error(transparent)]
    Wecom(#[from] ApiError),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Asks WeCom about those who may take over, and for the leaver's groups unless all of them are known. No connection is held
/// meanwhile.
pub async fn ask(pool: &PgPool, wecom: &Wecom, id: i64, new: NewPlan) -> Result<PlanRequest, PlanError> {
    let mut conn = pool.acquire().await?;
    let handover = handover::find(&mut conn, id).await?.ok_or(PlanError::Unknown)?;
    let (candidates, _) = candidates(&mut conn, &handover, &new.rules).await?;
    let wants_groups = handover.cause != HandoverCause::Transfer && new.kinds.contains(&ItemKind::Group);
    let known = match wants_groups {
        true => group_chat::known_of(&mut conn, &handover.corpid, &handover.wechat_userid).await?,
        false => Some(Vec::new()),
    };
    drop(conn);
    let api = wecom.corp_if_able(&handover.corpid).await?;
    let users: Vec<_> = candidates.into_iter().map(|it| it.user).collect();
    let mut verdicts = successors::ask(api.as_ref(), &users).await?;
    let groups = match (known, &api) {
        (Some(known), _) => known,
        (None, Some(api)) => groups(api, &handover.wechat_userid, &mut verdicts.unverified).await?,
        (None, None) => Vec::new(),
    };
    Ok(PlanRequest { new, verdicts, groups })
}

/// Makes the plan, and saves it unless it is only looked at. `who` asks for it.
pub async fn make(conn: &mut PgConnection, id: i64, request: PlanRequest, who: &str) -> Result<PlanMade, PlanError> {
    let corpid = handover::find(conn, id).await?.ok_or(PlanError::Unknown)?.corpid;
    apply::lock_alone(conn, &corpid).await?;
    let mut attempt = conn.begin().await?;
    let handover = handover::lock(&mut attempt, id).await?.ok_or(PlanError::Unknown)?;
    may_be_planned(&mut attempt, &handover, &request.new).await?;
    gather(&mut attempt, &handover, &request, who).await?;
    let (plan, planned) = choose(&mut attempt, &handover, &request).await?;
    let saved = !request.new.preview;
    if saved {
        if !plan.refusals.is_empty() {
            return Err(PlanError::Broken(plan.refusals));
        }
        save(&mut attempt, &handover, &plan, &planned, request.new.message.as_ref(), who).await?;
        attempt.commit().await?;
    } else {
        attempt.rollback().await?;
    }
    let handover = handover::find(conn, id).await?.ok_or(PlanError::Unknown)?;
    let Verdicts { verified, unverified, .. } = request.verdicts;
    Ok(PlanMade { handover, plan, saved, verified, unverified })
}

async fn may_be_planned(conn: &mut PgConnection, handover: &Handover, new: &NewPlan) -> Result<(), PlanError> {
    if new.version.is_some_and(|it| it != handover.version) {
        return Err(PlanError::Changed { version: handover.version });
    }
    if handover.cancelled_at.is_some() {
        return Err(PlanError::CalledOff);
    }
    if handover.state == HandoverState::Done {
        if new.again == NextRound::Nothing {
            return Err(PlanError::Done);
        }
        let open = handover::open_of(conn, &handover.corpid, &handover.wechat_userid).await?;
        if let Some((other, _)) = open.filter(|_| handover.cause != HandoverCause::Transfer) {
            return Err(PlanError::OtherOpen { handover: other });
        }
    }
    Ok(())
}

/// Takes in what belongs to the handover now, and what shall have another round.
async fn gather(conn: &mut PgConnection, handover: &Handover, request: &PlanRequest, who: &str) -> sqlx::Result<()> {
    let NewPlan { kinds, again, .. } = &request.new;
    if *again != NextRound::Nothing {
        let states = [ItemState::Refused, ItemState::Full, ItemState::Failed];
        // What is overdue ends here: of two rounds the later one counts.
        let overdue = handover::overdue(conn, handover.id, kinds, again.subjects()).await?;
        transition_all(conn, Fact::GivenUp, &overdue, By { actor: who, cause: "超时未有结果,重新安排" }).await?;
        handover::reopen(conn, handover.id, &states, kinds, again.subjects()).await?;
    }
    if handover.cause != HandoverCause::Transfer {
        handover::collect_contacts(conn, handover.id).await?;
        handover::collect_orders(conn, handover.id).await?;
        handover::collect_groups(conn, handover.id, &request.groups).await?;
        handover::collect_sessions(conn, handover.id).await?;
    }
    let gone = handover::no_longer_theirs(conn, handover.id).await?;
    transition_all(conn, Fact::NoLongerTheirs, &gone, By { actor: WECOMD, cause: "已不属于原员工" }).await?;
    settle(conn, handover.id, By { actor: who, cause: "修改计划" }).await?;
    Ok(())
}

/// The plan, and the items that have a successor already.
async fn choose(
    conn: &mut PgConnection,
    handover: &Handover,
    request: &PlanRequest,
) -> sqlx::Result<(Plan, BTreeSet<i64>)> {
    let PlanRequest { new, verdicts, .. } = request;
    let rows = handover::to_plan(conn, handover.id, &new.kinds).await?;
    let planned = rows.iter().filter(|it| it.planned).map(|it| it.id).collect();
    let user = &handover.wechat_userid;
    let held = member::held(conn, &handover.corpid, std::slice::from_ref(&user.0)).await?;
    let left = held.get(user).is_some_and(|it| it.left);
    let moved = match left {
        true => BTreeSet::new(),
        false => {
            let customers = rows.iter().filter(|it| it.kind == ItemKind::Customer);
            let customers: Vec<_> = customers.map(|it| it.subject.clone()).collect();
            handover::moved_lately(conn, &handover.corpid, &customers).await?.into_iter().collect()
        }
    };
    let now = tables::now(conn).await?;
    let gone_too_long = left && handover.left_at.is_some_and(|at| at + GONE_MAX < now);
    let mut placed = handover::placed(conn, handover.id).await?;
    let items: Vec<_> = rows.into_iter().map(|row| item(row, &moved)).collect();
    for item in items.iter().filter(|it| it.kind == ItemKind::Customer) {
        placed.remove(&item.subject);
    }
    let names = plan::named(&new.rules);
    let (found, departments) = candidates(conn, handover, &new.rules).await?;
    // Leave out whoever became a candidate after WeCom was asked: they may be out of sight.
    let asked = found.into_iter().filter(|it| names.contains(&it.staff_id) || verdicts.know(&it.user));
    let candidates: Vec<Candidate> = asked.map(|it| verdicts.judge(it)).collect();
    let leaver = Leaver { user: user.clone(), departments, gone_too_long };
    Ok((plan::plan(&leaver, &items, &candidates, &placed, &new.rules), planned))
}

fn item(row: ToPlan, moved: &BTreeSet<String>) -> Item {
    let moved_lately = row.kind == ItemKind::Customer && moved.contains(&row.subject);
    Item { id: row.id, kind: row.kind, subject: row.subject, customers: row.customers, moved_lately }
}

/// Who may take over by these rules, and the leaver's departments.
async fn candidates(
    conn: &mut PgConnection,
    handover: &Handover,
    rules: &[Rule],
) -> sqlx::Result<(Vec<handover::Candidate>, BTreeSet<String>)> {
    let joined = handover::departments(conn, &handover.corpid, &handover.wechat_userid).await?;
    let departments = departments(joined.as_deref());
    let (colleagues, everybody) = plan::searches(rules);
    let search = handover::CandidateSearch {
        staff_ids: Vec::from_iter(plan::named(rules)),
        departments: if colleagues { Vec::from_iter(departments.iter().cloned()) } else { Vec::new() },
        everybody,
    };
    let found = handover::candidates(conn, &handover.corpid, &search, POOL_MAX).await?;
    Ok((found, departments))
}

async fn save(
    conn: &mut PgConnection,
    handover: &Handover,
    plan: &Plan,
    planned: &BTreeSet<i64>,
    message: Option<&CustomerMessage>,
    who: &str,
) -> sqlx::Result<()> {
    let id = handover.id;
    let cause = format!("交接计划第 {} 版", handover.version + 1);
    let by = By { actor: who, cause: &cause };
    let items: Vec<_> = plan.given.iter().map(|it| it.item).collect();
    let users: Vec<_> = plan.given.iter().map(|it| it.user.0.clone()).collect();
    let staff: Vec<_> = plan.given.iter().map(|it| it.staff_id.clone()).collect();
    handover::give(conn, &items, &users, &staff).await?;
    transition_all(conn, Fact::Chosen, &items, by).await?;
    let dropped: Vec<_> = plan.left.iter().map(|it| it.item).filter(|it| planned.contains(it)).collect();
    transition_all(conn, Fact::Dropped, &dropped, by).await?;
    handover::take_back(conn, &dropped).await?;
    handover::follow_plan(conn, id).await?;
    handover::replanned(conn, id, message.map(CustomerMessage::as_str)).await?;
    let state = settle(conn, id, by).await?;
    if state == Some(handover.state) {
        // An item with another successor stays planned, and so does the handover: `settle` wrote no line about it.
        handover::log(conn, id, Some(handover.state), handover.state, who, &cause).await?;
    }
    Ok(())
}

/// The groups that the leaver owns. If the app has no right to see them, the rest is planned without them.
async fn groups(api: &Api, owner: &UserId, unverified: &mut Vec<Unverified>) -> Result<Vec<String>, ApiError> {
    let (mut pages, mut cursor) = (Pages::new(LIST, GROUP_PAGES_MAX), String::new());
    let (mut groups, mut unreadable) = (Vec::new(), 0);
    loop {
        let page = match api.groups_of(owner, &cursor).await {
            Ok(page) => page,
            Err(error) if error.class == Class::Refused => {
                unverified.push(Unverified::Groups(error));
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        // 2 and 3: somebody else is taking it over, or has.
        groups.extend(page.groups.into_iter().filter(|it| it.status < 2).map(|it| it.chat_id));
        unreadable += page.unreadable.len();
        match pages.follow(&cursor, page.next_cursor) {
            Ok(Some(next)) => cursor = next,
            Ok(None) => break,
            Err(error) => {
                unverified.push(Unverified::RestOfGroups(error));
                break;
            }
        }
    }
    if unreadable > 0 {
        unverified.push(Unverified::SomeGroups(unreadable));
    }
    Ok(groups)
}

impl PlanInput {
    /// The plan, if each field can be meant.
    pub fn check(self) -> Result<NewPlan, Invalid> {
        let Self { preview, version, mut rules, successor, message, kinds, again } = self;
        if version.is_none() && !preview {
            let why = ("is required: the version of the handover that you saw", "为必填项：您所见的交接版本");
            return Err(Invalid::new("version", why));
        }
        if rules.is_empty() == successor.is_none() {
            let why = ("give either rules or one successor", "请给出规则，或一名接替员工");
            return Err(Invalid::new("rules", why));
        }
        if rules.len() > RULES_MAX {
            let why = (format!("must be at most {RULES_MAX}"), format!("最多 {RULES_MAX} 条"));
            return Err(Invalid::new("rules", why));
        }
        rules.extend(successor.map(|staff_id| Rule::Successor { staff_id, kinds: Vec::new() }));
        let names = plan::named(&rules);
        if names.len() > NAMED_MAX {
            let why = (format!("must name at most {NAMED_MAX} staff members"), format!("最多指定 {NAMED_MAX} 名员工"));
            return Err(Invalid::new("rules", why));
        }
        for staff in &names {
            check::id("staff_id", staff)?;
        }
        let message = message.map(CustomerMessage::new).transpose()?;
        let planned = |it: &ItemKind| kinds.is_empty() || kinds.contains(it);
        let kinds = ItemKind::ALL.into_iter().filter(planned).collect();
        Ok(NewPlan { preview, version, rules, message, kinds, again })
    }
}

impl NextRound {
    /// The subjects that it is limited to; none if it is not.
    fn subjects(&self) -> Option<&[String]> {
        match self {
            Self::Nothing | Self::All => None,
            Self::Subjects(subjects) => Some(subjects),
        }
    }
}
