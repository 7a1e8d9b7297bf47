//! `transfer` and `transfer-history`: customers go from one staff member to another, now; and who went from whom to whom.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    planning::message,
    successors::{self, Verdicts, listed},
};
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Refused},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging},
            time::take_time,
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, ask_first, by_path},
        },
    },
    check,
    handover::{
        item::{Fact, ItemState},
        plan::{Broken, Leaver, Refusal, Said},
        transition::{By, settle, transition_all},
    },
    ids::{CorpId, StaffId, UserId},
    states::{HandoverCause, HandoverState},
    tables::{
        apply,
        handover::{self, NewHandover, Transfer, TransferFilter, Transferable},
        staff::{member, staff_wechat_bind},
    },
    wecom::transfer::MESSAGE_CHARS_MAX,
};

/// How many customers one request moves.
const CUSTOMERS_MAX: usize = 1_000;

/// The body.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TransferWanted")]
pub(super) struct Wish {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// Who hands over.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    from: String,
    /// Who takes over.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    to: String,
    /// Which customers, as WeCom names them.
    #[schemars(length(min = 1, max = CUSTOMERS_MAX), inner(length(min = 1, max = check::ID_BYTES_MAX)))]
    customers: Vec<String>,
    /// What customers are told once it is done.
    #[schemars(length(min = 1, max = MESSAGE_CHARS_MAX))]
    message: Option<String>,
}

/// A transfer that was begun.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "TransferBegun")]
pub(super) struct Begun {
    /// The number of the handover that was made of it.
    id: i64,
    /// How far that is.
    state: Option<HandoverState>,
    /// How many customers are in it.
    customers: usize,
    /// Which are not, and why.
    refused: Vec<RefusedCustomer>,
    /// Whether WeCom was asked about the successor.
    verified: bool,
    /// What could not be found out.
    warnings: Vec<String>,
}

/// A customer who cannot be transferred.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct RefusedCustomer {
    /// The customer.
    external_userid: String,
    #[serde(flatten)]
    why: Said,
    /// The handover that they are in already.
    handover_id: Option<i64>,
}

/// What is wanted, and what WeCom said of the successor.
pub(super) struct Wanted {
    wish: Wish,
    corpid: CorpId,
    verdicts: Verdicts,
}

const ITEM_STATE: Parameter =
    query("state", Allowed::OneOf(|| ItemState::WORDS.to_vec()), "Only those in this state.", "交接项状态。");

pub(super) const TRANSFER: Route = Route {
    id: "transferMake",
    method: "POST",
    path: "/api/enterprise-wechat/transfer",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(transfer),
    operation: Operation {
        body: Some(RequestBody::of::<Wish>()),
        answers: &[Response::json::<Begun>(202, "It has begun.", "已开始转接。")],
        codes: &[Code::NotBound, Code::PlanBroken, Code::NothingToTransfer],
        asks_wecom: true,
        ..Operation::new(Tag::Handovers, "Hand customers from one staff member to another", "在职转接客户")
    },
};

async fn transfer(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let wish: Wish = body::parse(&call.request.body)?;
    let about = About::thing(&wish.from);
    about.then(ask(call, wish).await, |wanted, call, conn| Box::pin(make(call, wanted, conn)))
}

/// Asks WeCom about the successor.
async fn ask(call: &Call<'_>, wish: Wish) -> Result<Wanted, Problem> {
    wish.check()?;
    let mut conn = call.admin.pool.acquire().await?;
    let corpid = corp::of_field(&mut conn, wish.corpid.as_deref()).await?;
    let to = staff_wechat_bind::user_of(&mut conn, &corpid, &StaffId(wish.to.clone())).await?;
    drop(conn);
    let api = call.admin.wecom.corp_if_able(&corpid).await?;
    let verdicts = successors::ask(api.as_ref(), &Vec::from_iter(to)).await?;
    Ok(Wanted { wish, corpid, verdicts })
}

/// Makes a handover of what can be moved, planned and let go at once.
async fn make(call: &Call<'_>, wanted: Wanted, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let Wanted { wish, corpid, verdicts } = wanted;
    apply::lock_alone(conn, &corpid).await?;
    let from = staff_wechat_bind::user_of(conn, &corpid, &StaffId(wish.from.clone())).await?;
    let from = from.ok_or_else(|| {
        let detail =
            ("they are not bound; what a leaver left is in their handover", "该员工未绑定；离职员工的客户见其交接");
        Problem::new(Code::NotBound, detail).at("from")
    })?;
    let to = successor(conn, &corpid, &from, &wish.to, &verdicts).await?;
    let (customers, refused) = sort(conn, &corpid, &from, &wish.customers).await?;
    if customers.is_empty() {
        let detail = ("nothing was begun: `errors` says why for each customer", "未开始：`errors` 说明每位客户的原因");
        return Err(Problem::new(Code::NothingToTransfer, detail).listing(&refused));
    }
    let by = By { actor: call.who(), cause: "转接客户" };
    let new = NewHandover {
        corpid: &corpid,
        user: &from,
        staff_id: &wish.from,
        cause: HandoverCause::Transfer,
        resignation_id: None,
        ordered_by: call.who(),
        message: wish.message.as_deref(),
    };
    let id = handover::create(conn, &new).await?;
    handover::log(conn, id, None, HandoverState::Detected, by.actor, by.cause).await?;
    let items = handover::add_customers(conn, id, &customers).await?;
    handover::give(conn, &items, &vec![to.0.clone(); items.len()], &vec![wish.to.clone(); items.len()]).await?;
    transition_all(conn, Fact::Chosen, &items, by).await?;
    handover::follow_plan(conn, id).await?;
    handover::submit(conn, id, call.who()).await?;
    let state = settle(conn, id, by).await?;
    handover::wake_now(conn, &corpid, id).await?;
    let Verdicts { verified, warnings, .. } = verdicts;
    Answer::new(202, Begun { id, state, customers: items.len(), refused, verified, warnings })
}

pub(super) const HISTORY: Route = Route {
    id: "transferHistory",
    method: "GET",
    path: "/api/enterprise-wechat/transfer-history",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(history),
    operation: Operation {
        about: say("Latest first.", "按时间倒序。"),
        query: &[
            query("from", Allowed::Text("E-001"), "Only from this staff member.", "原员工编号。"),
            query("to", Allowed::Text("E-002"), "Only to this staff member.", "接替员工编号。"),
            query("customer", Allowed::Text("wmEXAMPLE"), "Only this external_userid.", "客户 external_userid。"),
            ITEM_STATE,
            query("since", Allowed::Time, "From then on.", "起始时间（含）。"),
            query("until", Allowed::Time, "Before then.", "截止时间（不含）。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<Transfer>>(200, "A page of transfers.", "一页转接记录。")],
        ..Operation::new(Tag::Handovers, "List which customers went from whom to whom", "列出转接历史")
    },
};

pub(super) async fn history(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (from, to) = (params.take("from"), params.take("to"));
    let (customer, state) = (params.take("customer"), params.take_word("state")?);
    let (since, until) = (take_time(&mut params, "since")?, take_time(&mut params, "until")?);
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let before = paging.after(|key| key.parse().ok())?;
    let own = call.own().cloned();
    let filter = TransferFilter { from, to, customer, state, since, until, before, own };
    let rows = handover::transfers(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

/// The successor, if nothing stands against them.
async fn successor(
    conn: &mut PgConnection,
    corpid: &CorpId,
    from: &UserId,
    to: &str,
    verdicts: &Verdicts,
) -> Result<UserId, Problem> {
    let wanted = handover::CandidateSearch { staff_ids: vec![to.to_owned()], ..handover::CandidateSearch::default() };
    let found = handover::candidates(conn, corpid, &wanted, 0).await?.pop().map(|it| verdicts.judge(it));
    let leaver = Leaver { user: from.clone(), departments: BTreeSet::new(), gone_too_long: false };
    let broken = found.as_ref().map_or_else(|| vec![Broken::NotBound], |it| it.broken(&leaver));
    match found.and_then(|it| it.user) {
        Some(user) if broken.is_empty() => Ok(user),
        _ => {
            let refusal = |broken| Refusal { staff_id: to.to_owned(), subject: None, broken };
            let errors = listed(&broken.into_iter().map(refusal).collect::<Vec<_>>());
            let detail = (
                "nothing was begun: choose another successor, or mend what `errors` lists",
                "未开始：请更换接替员工，或处理 `errors` 所列问题",
            );
            Err(Problem::new(Code::PlanBroken, detail).at("to").listing(&errors))
        }
    }
}

/// Who can be moved, and why the others cannot.
async fn sort(
    conn: &mut PgConnection,
    corpid: &CorpId,
    from: &UserId,
    customers: &[String],
) -> Result<(Vec<String>, Vec<RefusedCustomer>), Problem> {
    let held = member::held(conn, corpid, std::slice::from_ref(&from.0)).await?;
    let left = held.get(from).is_some_and(|it| it.left);
    let moved = if left { Vec::new() } else { handover::moved_lately(conn, corpid, customers).await? };
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for it in handover::transferable(conn, corpid, from, customers).await? {
        match why_not(&it, &moved) {
            Some(why) => {
                refused.push(RefusedCustomer { external_userid: it.customer, why, handover_id: it.under_way });
            }
            None => good.push(it.customer),
        }
    }
    Ok((good, refused))
}

fn why_not(it: &Transferable, moved: &[String]) -> Option<Said> {
    if !it.theirs {
        let (en, zh) = ("not a contact of the staff member", "不是该员工的客户");
        Some(Said { code: "not_a_contact", en, zh })
    } else if it.under_way.is_some() {
        Some(Said { code: "under_way", en: "in another handover already", zh: "已在其他交接中" })
    } else {
        moved.contains(&it.customer).then(|| Broken::MovedTwice.said())
    }
}

impl Wish {
    fn check(&self) -> Result<(), Problem> {
        check::id("from", &self.from)?;
        check::id("to", &self.to)?;
        if !(1..=CUSTOMERS_MAX).contains(&self.customers.len()) {
            return Err(Problem::field(
                "customers",
                (
                    format!("must be 1 to {CUSTOMERS_MAX} external userids"),
                    format!("须为 1 至 {CUSTOMERS_MAX} 个 external_userid"),
                ),
            ));
        }
        for customer in &self.customers {
            check::id("customers", customer)?;
        }
        message("message", self.message.as_deref())
    }
}
