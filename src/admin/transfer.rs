//! `transfer` and `transfer-history`: customers go from one staff member to another, now; and who went from whom to whom.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    body,
    call::{Answer, Call},
    check,
    contact_records::take_time,
    handover_plan::message,
    page::Paging,
    problem::{Code, Problem},
    staff_bind::corp,
    successors::{self, Verdicts, listed},
};
use crate::{
    handover::{
        item::Fact,
        plan::{Broken, Leaver, Refusal, Said},
        turn::{By, settle, turn_all},
    },
    ids::{CorpId, StaffId, UserId},
    states::{HandoverCause, HandoverState},
    tables::{
        apply,
        handover::{self, NewHandover, TransferFilter, Transferable},
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

/// Reads the request, and asks WeCom about the successor.
pub(super) async fn ask(call: &mut Call<'_>) -> Result<Wanted, Problem> {
    call.no_params()?;
    let wish: Wish = body::parse(&call.request.body)?;
    call.subject.clone_from(&wish.from);
    wish.check()?;
    let mut conn = call.admin.pool.acquire().await?;
    let corpid = corp(&mut conn, wish.corpid.as_deref()).await?.map_err(|why| Problem::field("corpid", why))?;
    let to = staff_wechat_bind::user_of(&mut conn, &corpid, &StaffId(wish.to.clone())).await?;
    drop(conn);
    let api = call.admin.wecom.corp_if_able(&corpid).await?;
    let verdicts = successors::ask(api.as_ref(), &Vec::from_iter(to)).await?;
    Ok(Wanted { wish, corpid, verdicts })
}

/// Makes a handover of what can be moved, planned and let go at once.
pub(super) async fn make(call: &mut Call<'_>, wanted: Wanted, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let Wanted { wish, corpid, verdicts } = wanted;
    apply::lock_alone(conn, &corpid).await?;
    let from = staff_wechat_bind::user_of(conn, &corpid, &StaffId(wish.from.clone())).await?;
    let from = from.ok_or_else(|| {
        let detail = "they are not bound; what a leaver left is in their handover. 该员工未绑定。";
        Problem::new(Code::NotBound, detail).at("from")
    })?;
    let to = successor(conn, &corpid, &from, &wish.to, &verdicts).await?;
    let (customers, refused) = sort(conn, &corpid, &from, &wish.customers).await?;
    if customers.is_empty() {
        let detail = "nothing was begun: `errors` says why for each customer";
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
    turn_all(conn, Fact::Chosen, &items, by).await?;
    handover::follow_plan(conn, id).await?;
    handover::submit(conn, id, call.who()).await?;
    let state = settle(conn, id, by).await?;
    handover::wake_now(conn, &corpid, id).await?;
    let Verdicts { verified, warnings, .. } = verdicts;
    Answer::new(202, Begun { id, state, customers: items.len(), refused, verified, warnings })
}

pub(super) async fn history(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
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
            let detail = "nothing was begun: choose another successor, or mend what `errors` lists";
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
            return Err(Problem::field("customers", format!("must be 1 to {CUSTOMERS_MAX} external userids")));
        }
        for customer in &self.customers {
            check::id("customers", customer)?;
        }
        message("message", self.message.as_deref())
    }
}
