//! `handovers/{id}/plan`: who shall have what, with the load that results and every rule that stands against it. The plan
//! is made in `handover::planning`.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    handover::{ID, called_off, number, unknown},
    successors::{BrokenRuleOfSomebody, broken_rules, warning},
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
        plan::{Broken, Load, Rule, Said, Share, Tally},
        planning::{self, NextRound, PlanError, PlanInput, PlanMade, PlanRequest, RULES_MAX},
    },
    ids::UserId,
    states::{HandoverState, ItemKind},
    wecom::transfer::MESSAGE_CHARS_MAX,
};

/// How many items without a successor an answer names.
const UNASSIGNED_MAX: usize = 100;

/// The body.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PlanWanted")]
pub(super) struct PlanBody {
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
    kinds: Vec<ItemKind>,
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

/// A plan as it is shown.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PlanReport {
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
    totals: PlanTotals,
    /// Who gets what, and the load that results.
    successors: Vec<PlanPart>,
    /// What nobody gets.
    unassigned: Unassigned,
    /// What stands against the plan.
    broken_rules: Vec<BrokenRuleOfSomebody>,
    /// What could not be found out.
    warnings: Vec<String>,
}

/// How many items there are.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PlanTotals {
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
    kind: ItemKind,
    /// Which one.
    subject: String,
    /// Why nobody gets it.
    reason: Said,
}

/// A successor's part.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PlanPart {
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
        body: Some(RequestBody::of::<PlanBody>()),
        answers: &[Response::json::<PlanReport>(200, "The plan.", "交接计划。")],
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
    call.about_path().then(ask(call).await, |request, call, conn| Box::pin(put(call, request, conn)))
}

/// Reads the request, and asks WeCom about the successors and the leaver's groups.
async fn ask(call: &Call<'_>) -> Result<PlanRequest, Problem> {
    let mut params = call.params()?;
    let preview = params.take("preview").as_deref() == Some("true");
    params.finish()?;
    let body: PlanBody = body::parse(&call.request.body)?;
    let new = body.input(preview).check()?;
    Ok(planning::ask(&call.admin.pool, &call.admin.wecom, number(call.id)?, new).await?)
}

async fn put(call: &Call<'_>, request: PlanRequest, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let made = planning::make(conn, number(call.id)?, request, call.who()).await?;
    Answer::ok(PlanReport::from(made))
}

impl PlanBody {
    fn input(self, preview: bool) -> PlanInput {
        let Self { version, rules, successor, message, kinds, again } = self;
        PlanInput { preview, version, rules, successor, message, kinds, again: again.into() }
    }
}

impl Default for Again {
    fn default() -> Self {
        Self::All(false)
    }
}

impl From<Again> for NextRound {
    fn from(again: Again) -> Self {
        match again {
            Again::All(true) => Self::All,
            Again::Subjects(subjects) if !subjects.is_empty() => Self::Subjects(subjects),
            Again::All(false) | Again::Subjects(_) => Self::Nothing,
        }
    }
}

impl From<PlanMade> for PlanReport {
    fn from(made: PlanMade) -> Self {
        let PlanMade { handover, plan, saved, verified, unverified } = made;
        let mut given = Tally::default();
        for it in &plan.given {
            given.count(it.kind, 1);
        }
        let totals = PlanTotals { items: plan.given.len() + plan.left.len(), given, unassigned: plan.left.len() };
        let count = plan.left.len();
        let unassigned = plan.left.into_iter().take(UNASSIGNED_MAX);
        let unassigned = unassigned.map(|it| UnassignedItem {
            item: it.item,
            kind: it.kind,
            subject: it.subject,
            reason: it.reason.said(),
        });
        Self {
            handover_id: handover.id,
            state: handover.state,
            version: handover.version,
            saved,
            verified,
            totals,
            broken_rules: broken_rules(&plan.refusals),
            successors: plan.shares.into_iter().map(PlanPart::from).collect(),
            unassigned: Unassigned { count, items: unassigned.collect() },
            warnings: unverified.into_iter().map(warning).collect(),
        }
    }
}

impl From<Share> for PlanPart {
    fn from(share: Share) -> Self {
        Self {
            staff_id: share.staff_id,
            wechat_userid: share.user,
            name: share.name,
            given: share.given,
            contacts: share.contacts,
            open_orders: share.open_orders,
            broken: share.broken.into_iter().map(Broken::said).collect(),
        }
    }
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Unknown => unknown(),
            PlanError::Changed { version } => {
                let detail = (
                    format!("the handover is at version {version}: look at it again"),
                    format!("交接当前版本为 {version}，请重新查看"),
                );
                Self::new(Code::VersionConflict, detail).at("version")
            }
            PlanError::CalledOff => called_off(),
            PlanError::Done => {
                let detail = (
                    "it is done: say `again` to plan what was refused or failed once more",
                    "交接已完成；如需重新安排被拒绝或失败的交接项，请给出 `again`",
                );
                Self::new(Code::HandoverState, detail)
            }
            PlanError::OtherOpen { handover } => {
                let detail = (
                    format!("handover {handover} of the same member is open: plan that one"),
                    format!("该员工已有进行中的交接 {handover}，请在其中安排"),
                );
                Self::new(Code::AlreadyOpen, detail)
            }
            PlanError::Broken(refusals) => {
                let detail = (
                    "nothing was saved: choose other successors, or mend what `errors` lists",
                    "未保存：请更换接替员工，或处理 `errors` 所列问题",
                );
                Self::new(Code::PlanBroken, detail).listing(&broken_rules(&refusals))
            }
            PlanError::Wecom(error) => error.into(),
            PlanError::Database(error) => error.into(),
        }
    }
}
