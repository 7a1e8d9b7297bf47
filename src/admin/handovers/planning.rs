//! `handovers/{id}/plan`: who shall have what, with the load that results and every rule that stands against it. What
//! is only looked at leaves nothing behind.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sqlx::{Acquire, PgConnection};

use super::{
    handover::{ID, number, unknown},
    successors::{self, ListedBroken, Verdicts, departments, listed},
};
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Asked, Call, Refused},
        },
        reading::body,
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{FLAG, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, ask_first},
        },
    },
    check,
    handover::{
        item::Fact,
        plan::{self, Broken, Candidate, Item, Kind, Leaver, Load, Plan, Rule, Said, Tally},
        transition::{By, WECOMD, settle, transition_all},
    },
    ids::UserId,
    states::{HandoverCause, HandoverState, ItemState},
    tables::{
        self, apply,
        handover::{self, Handover, ToPlan},
        staff::member,
    },
    wecom::{Api, Class, Pages, group_chat::LIST, transfer::MESSAGE_CHARS_MAX},
};

/// How many rules a plan may have.
const RULES_MAX: usize = 50;

/// How many successors may be named: WeCom is asked about each.
const NAMED_MAX: usize = 100;

/// How many others a rule that names nobody looks at, those with the fewest contacts first.
const POOL_MAX: i64 = 40;

/// How many items without a successor an answer names.
const UNASSIGNED_MAX: usize = 100;

/// How many pages of groups are read; a thousand groups are on each.
const GROUP_PAGES_MAX: usize = 100;

/// WeCom hands over what a leaver left for that long.
const GONE_MAX: TimeDelta = TimeDelta::days(365);

/// The body.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PlanWanted")]
pub(super) struct Wish {
    /// The version that the caller saw; it may be left out of a preview.
    version: Option<i64>,
    /// Who shall have which items; give either rules or one `successor`.
    #[serde(default)]
    #[schemars(length(max = RULES_MAX))]
    rules: Vec<Rule>,
    /// The same as one rule that names one successor for all.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    successor: Option<String>,
    /// What customers are told once a transfer is done.
    #[schemars(length(min = 1, max = MESSAGE_CHARS_MAX))]
    message: Option<String>,
    /// Which kinds are planned; the others stay as they are.
    #[serde(default)]
    kinds: Vec<Kind>,
    /// What was refused, found its successor full, failed or is overdue, and shall be planned anew.
    #[serde(default)]
    again: Again,
}

/// All of it, or these subjects.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub(super) enum Again {
    All(bool),
    Subjects(Vec<String>),
}

/// What is wanted, and what WeCom said beforehand.
pub(super) struct Wanted {
    wish: Wish,
    preview: bool,
    verdicts: Verdicts,
    groups: Vec<String>,
}

/// A plan as it is shown.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PlanReport")]
pub(super) struct Report {
    /// The handover's number.
    handover_id: i64,
    /// How far it is.
    state: HandoverState,
    /// The version of its plan.
    version: i64,
    /// Whether it stands now.
    saved: bool,
    /// Whether WeCom was asked about the successors.
    verified: bool,
    /// How many items there are.
    totals: Totals,
    /// Who gets what, and the load that results.
    successors: Vec<Part>,
    /// What nobody gets.
    unassigned: Unassigned,
    /// What stands against the plan.
    broken_rules: Vec<ListedBroken>,
    /// What could not be found out.
    warnings: Vec<String>,
}

/// How many items there are.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PlanTotals")]
pub(super) struct Totals {
    /// How many were to be planned.
    items: usize,
    /// How many of each kind have a successor.
    given: Tally,
    /// How many have none.
    unassigned: usize,
}

/// What nobody gets.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Unassigned {
    /// How many.
    count: usize,
    /// The first of them.
    items: Vec<UnassignedItem>,
}

/// An item without a successor.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct UnassignedItem {
    /// The item's number.
    item: i64,
    /// What it is.
    kind: Kind,
    /// Which one.
    subject: String,
    /// Why nobody gets it.
    reason: Said,
}

/// A successor's part.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PlanPart")]
pub(super) struct Part {
    /// The staff member.
    staff_id: String,
    /// The same, as WeCom names them; null if they are not bound.
    wechat_userid: Option<UserId>,
    /// What they are called.
    name: Option<String>,
    /// What they get.
    given: Tally,
    /// How many contacts they have and will have.
    contacts: Load,
    /// How many orders that are not over.
    open_orders: Load,
    /// What stands against them.
    broken: Vec<Said>,
}

pub(super) const PLAN: Route = Route {
    id: "handoverPlan",
    method: "PUT",
    path: "/api/enterprise-wechat/handovers/{id}/plan",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(plan),
    operation: Operation {
        about: say(
            "Shows the load that results and every rule that stands against it. What is only looked at leaves nothing \
             behind. To save, give the `version` that you saw.",
            "返回接替后的负载以及所有不符合的规则。预览不留下任何数据；保存时须给出您所见的 `version`。",
        ),
        path: Some(ID),
        query: &[query("preview", FLAG, "Only look at it.", "仅预览。")],
        body: Some(RequestBody::of::<Wish>()),
        answers: &[Response::json::<Report>(200, "The plan.", "交接计划。")],
        codes: &[
            Code::HandoverUnknown,
            Code::HandoverState,
            Code::VersionConflict,
            Code::AlreadyOpen,
            Code::PlanBroken,
        ],
        asks_wecom: true,
        ..Operation::new(Tag::Handovers, "Plan a handover, or show what a plan would be", "制定或预览交接计划")
    },
};

async fn plan(call: &Call<'_>) -> Result<Asked, Refused> {
    call.about_path().then(ask(call).await, |wanted, call, conn| Box::pin(put(call, wanted, conn)))
}

/// Reads the request, and asks WeCom about the successors and the leaver's groups.
async fn ask(call: &Call<'_>) -> Result<Wanted, Problem> {
    let mut params = call.params()?;
    let preview = params.take("preview").as_deref() == Some("true");
    params.finish()?;
    let mut wish: Wish = body::parse(&call.request.body)?;
    wish.check(preview)?;
    if let Some(staff_id) = wish.successor.take() {
        wish.rules.push(Rule::Successor { staff_id, kinds: Vec::new() });
    }
    let mut conn = call.admin.pool.acquire().await?;
    let handover = handover::find(&mut conn, number(call.id)?).await?.ok_or_else(unknown)?;
    let (candidates, _) = candidates(&mut conn, &handover, &wish.rules).await?;
    drop(conn);
    let api = call.admin.wecom.corp_if_able(&handover.corpid).await?;
    let users: Vec<_> = candidates.into_iter().map(|it| it.user).collect();
    let mut verdicts = successors::ask(api.as_ref(), &users).await?;
    let groups = match &api {
        Some(api) if handover.cause != HandoverCause::Transfer && wish.plans(Kind::Group) => {
            groups(api, &handover.wechat_userid, &mut verdicts.warnings).await?
        }
        _ => Vec::new(),
    };
    Ok(Wanted { wish, preview, verdicts, groups })
}

/// Plans; keeps the plan unless it is only looked at.
async fn put(call: &Call<'_>, wanted: Wanted, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let id = number(call.id)?;
    let corpid = handover::find(conn, id).await?.ok_or_else(unknown)?.corpid;
    apply::lock_alone(conn, &corpid).await?;
    let mut attempt = conn.begin().await?;
    let handover = handover::lock(&mut attempt, id).await?.ok_or_else(unknown)?;
    may_be_planned(&mut attempt, &handover, &wanted.wish).await?;
    gather(&mut attempt, &handover, &wanted, call.who()).await?;
    let (plan, planned) = make(&mut attempt, &handover, &wanted).await?;
    if !wanted.preview {
        if !plan.refusals.is_empty() {
            let detail = (
                "nothing was saved: choose other successors, or mend what `errors` lists",
                "未保存：请更换接替员工，或处理 `errors` 所列问题",
            );
            return Err(Problem::new(Code::PlanBroken, detail).listing(&listed(&plan.refusals)));
        }
        save(&mut attempt, &handover, &plan, &planned, wanted.wish.message.as_deref(), call.who()).await?;
    }
    if wanted.preview {
        attempt.rollback().await?;
    } else {
        attempt.commit().await?;
    }
    let handover = handover::find(conn, id).await?.ok_or_else(unknown)?;
    Answer::ok(report(&handover, plan, wanted))
}

async fn may_be_planned(conn: &mut PgConnection, handover: &Handover, wish: &Wish) -> Result<(), Problem> {
    if wish.version.is_some_and(|it| it != handover.version) {
        let detail = (
            format!("the handover is at version {}: look at it again", handover.version),
            format!("交接当前版本为 {}，请重新查看", handover.version),
        );
        return Err(Problem::new(Code::VersionConflict, detail).at("version"));
    }
    if handover.cancelled_at.is_some() {
        return Err(Problem::new(Code::HandoverState, ("it was called off", "交接已取消")));
    }
    if handover.state == HandoverState::Done {
        if !wish.again.is_wanted() {
            let detail = (
                "it is done: say `again` to plan what was refused or failed once more",
                "交接已完成；如需重新安排被拒绝或失败的交接项，请给出 `again`",
            );
            return Err(Problem::new(Code::HandoverState, detail));
        }
        let open = handover::open_of(conn, &handover.corpid, &handover.wechat_userid).await?;
        if let Some((other, _)) = open.filter(|_| handover.cause != HandoverCause::Transfer) {
            let detail = (
                format!("handover {other} of the same member is open: plan that one"),
                format!("该员工已有进行中的交接 {other}，请在其中安排"),
            );
            return Err(Problem::new(Code::AlreadyOpen, detail));
        }
    }
    Ok(())
}

/// Takes in what belongs to the handover now, and what shall have another round.
async fn gather(conn: &mut PgConnection, handover: &Handover, wanted: &Wanted, who: &str) -> Result<(), Problem> {
    if wanted.wish.again.is_wanted() {
        let states = [ItemState::Refused, ItemState::Full, ItemState::Failed];
        let subjects = wanted.wish.again.subjects();
        // What is overdue ends here: of two rounds the later one counts.
        let overdue = handover::overdue(conn, handover.id, &wanted.wish.kinds(), subjects).await?;
        transition_all(conn, Fact::GivenUp, &overdue, By { actor: who, cause: "超时未有结果,重新安排" }).await?;
        handover::reopen(conn, handover.id, &states, &wanted.wish.kinds(), subjects).await?;
    }
    if handover.cause != HandoverCause::Transfer {
        handover::collect_contacts(conn, handover.id).await?;
        handover::collect_orders(conn, handover.id).await?;
        handover::collect_groups(conn, handover.id, &wanted.groups).await?;
    }
    let gone = handover::no_longer_theirs(conn, handover.id).await?;
    transition_all(conn, Fact::NoLongerTheirs, &gone, By { actor: WECOMD, cause: "已不属于原员工" }).await?;
    settle(conn, handover.id, By { actor: who, cause: "修改计划" }).await?;
    Ok(())
}

/// The plan, and the items that have a successor already.
async fn make(conn: &mut PgConnection, handover: &Handover, wanted: &Wanted) -> Result<(Plan, BTreeSet<i64>), Problem> {
    let wish = &wanted.wish;
    let rows = handover::to_plan(conn, handover.id, &wish.kinds()).await?;
    let planned = rows.iter().filter(|it| it.planned).map(|it| it.id).collect();
    let user = &handover.wechat_userid;
    let held = member::held(conn, &handover.corpid, std::slice::from_ref(&user.0)).await?;
    let left = held.get(user).is_some_and(|it| it.left);
    let moved = match left {
        true => BTreeSet::new(),
        false => {
            let customers = rows.iter().filter(|it| it.kind == Kind::Customer);
            let customers: Vec<_> = customers.map(|it| it.subject.clone()).collect();
            handover::moved_lately(conn, &handover.corpid, &customers).await?.into_iter().collect()
        }
    };
    let now = tables::now(conn).await?;
    let gone_too_long = left && handover.left_at.is_some_and(|at| at + GONE_MAX < now);
    let mut placed = handover::placed(conn, handover.id).await?;
    let items: Vec<_> = rows.into_iter().map(|row| item(row, &moved)).collect();
    for item in items.iter().filter(|it| it.kind == Kind::Customer) {
        placed.remove(&item.subject);
    }
    let names = plan::named(&wish.rules);
    let (found, departments) = candidates(conn, handover, &wish.rules).await?;
    // Who came to be looked at since WeCom was asked is not: they may be out of sight.
    let asked = found.into_iter().filter(|it| names.contains(&it.staff_id) || wanted.verdicts.know(&it.user));
    let candidates: Vec<Candidate> = asked.map(|it| wanted.verdicts.judge(it)).collect();
    let leaver = Leaver { user: user.clone(), departments, gone_too_long };
    Ok((plan::plan(&leaver, &items, &candidates, &placed, &wish.rules), planned))
}

fn item(row: ToPlan, moved: &BTreeSet<String>) -> Item {
    let moved_lately = row.kind == Kind::Customer && moved.contains(&row.subject);
    Item { id: row.id, kind: row.kind, subject: row.subject, customers: row.customers, moved_lately }
}

/// Who may take over by these rules, and the leaver's departments.
async fn candidates(
    conn: &mut PgConnection,
    handover: &Handover,
    rules: &[Rule],
) -> Result<(Vec<handover::Candidate>, BTreeSet<String>), Problem> {
    let joined = handover::departments(conn, &handover.corpid, &handover.wechat_userid).await?;
    let departments = departments(joined.as_deref());
    let (colleagues, everybody) = plan::searches(rules);
    let wanted = handover::CandidateSearch {
        staff_ids: Vec::from_iter(plan::named(rules)),
        departments: if colleagues { Vec::from_iter(departments.iter().cloned()) } else { Vec::new() },
        everybody,
    };
    let found = handover::candidates(conn, &handover.corpid, &wanted, POOL_MAX).await?;
    Ok((found, departments))
}

async fn save(
    conn: &mut PgConnection,
    handover: &Handover,
    plan: &Plan,
    planned: &BTreeSet<i64>,
    message: Option<&str>,
    who: &str,
) -> Result<(), Problem> {
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
    handover::replanned(conn, id, message).await?;
    let state = settle(conn, id, by).await?;
    if state == Some(handover.state) {
        // Whoever gets another successor stays planned, and so does the whole: no turn tells of it.
        handover::log(conn, id, Some(handover.state), handover.state, who, &cause).await?;
    }
    Ok(())
}

fn report(handover: &Handover, plan: Plan, wanted: Wanted) -> Report {
    let mut given = Tally::default();
    for it in &plan.given {
        given.count(it.kind, 1);
    }
    let unassigned = plan.left.iter().take(UNASSIGNED_MAX);
    let unassigned: Vec<_> = unassigned
        .map(|it| UnassignedItem {
            item: it.item,
            kind: it.kind,
            subject: it.subject.clone(),
            reason: it.reason.said(),
        })
        .collect();
    let part = |it: plan::Share| Part {
        staff_id: it.staff_id,
        wechat_userid: it.user,
        name: it.name,
        given: it.given,
        contacts: it.contacts,
        open_orders: it.open_orders,
        broken: it.broken.into_iter().map(Broken::said).collect(),
    };
    Report {
        handover_id: handover.id,
        state: handover.state,
        version: handover.version,
        saved: !wanted.preview,
        verified: wanted.verdicts.verified,
        totals: Totals { items: plan.given.len() + plan.left.len(), given, unassigned: plan.left.len() },
        broken_rules: listed(&plan.refusals),
        successors: plan.shares.into_iter().map(part).collect(),
        unassigned: Unassigned { count: plan.left.len(), items: unassigned },
        warnings: wanted.verdicts.warnings,
    }
}

/// The groups that are the leaver's to give away. An app without the right to see them is no reason not to plan the rest.
async fn groups(api: &Api, owner: &UserId, warnings: &mut Vec<String>) -> Result<Vec<String>, Problem> {
    let (mut pages, mut cursor) = (Pages::new(LIST, GROUP_PAGES_MAX), String::new());
    let (mut groups, mut unreadable) = (Vec::new(), 0);
    loop {
        let page = match api.groups_of(owner, &cursor).await {
            Ok(page) => page,
            Err(error) if error.class == Class::Refused => {
                let why = Problem::from(error);
                warnings.push(format!("the groups are left out 未包含客户群: {why}"));
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.into()),
        };
        // 2 and 3: somebody else is taking it over, or has.
        groups.extend(page.groups.into_iter().filter(|it| it.status < 2).map(|it| it.chat_id));
        unreadable += page.unreadable.len();
        match pages.follow(&cursor, page.next_cursor) {
            Ok(Some(next)) => cursor = next,
            Ok(None) => break,
            Err(error) => {
                warnings.push(format!("not all groups could be read 客户群列表未能读完: {}", error.message));
                break;
            }
        }
    }
    if unreadable > 0 {
        warnings
            .push(format!("{unreadable} groups could not be read and are left out 有 {unreadable} 个客户群无法读取"));
    }
    Ok(groups)
}

impl Wish {
    fn check(&self, preview: bool) -> Result<(), Problem> {
        if self.version.is_none() && !preview {
            return Err(Problem::field(
                "version",
                ("is required: the version of the handover that you saw", "为必填项：您所见的交接版本"),
            ));
        }
        if self.rules.is_empty() == self.successor.is_none() {
            return Err(Problem::field("rules", ("give either rules or one successor", "请给出规则，或一名接替员工")));
        }
        if self.rules.len() > RULES_MAX {
            return Err(Problem::field(
                "rules",
                (format!("must be at most {RULES_MAX}"), format!("最多 {RULES_MAX} 条")),
            ));
        }
        let names = plan::named(&self.rules);
        if names.len() > NAMED_MAX {
            return Err(Problem::field(
                "rules",
                (format!("must name at most {NAMED_MAX} staff members"), format!("最多指定 {NAMED_MAX} 名员工")),
            ));
        }
        for staff in names.iter().chain(&self.successor) {
            check::id("staff_id", staff)?;
        }
        message("message", self.message.as_deref())
    }

    fn kinds(&self) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|it| self.plans(*it)).collect()
    }

    fn plans(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

impl Again {
    fn is_wanted(&self) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Subjects(subjects) => !subjects.is_empty(),
        }
    }

    fn subjects(&self) -> Option<&[String]> {
        match self {
            Self::All(_) => None,
            Self::Subjects(subjects) => Some(subjects),
        }
    }
}

impl Default for Again {
    fn default() -> Self {
        Self::All(false)
    }
}

/// What customers are told: short, and printed.
pub(super) fn message(field: &str, text: Option<&str>) -> Result<(), Problem> {
    let Some(text) = text else { return Ok(()) };
    check::prose(field, text, MESSAGE_CHARS_MAX * 4)?;
    if text.chars().count() > MESSAGE_CHARS_MAX {
        return Err(Problem::field(
            field,
            (format!("must have at most {MESSAGE_CHARS_MAX} characters"), format!("最多 {MESSAGE_CHARS_MAX} 个字符")),
        ));
    }
    Ok(())
}
