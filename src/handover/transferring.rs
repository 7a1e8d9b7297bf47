//! Customers go from one staff member to another who both stay: a handover that is planned and submitted at once.
//!
//! WeCom is asked about the successor first ([`ask`]), while no transaction is open; the rest ([`begin`]) is one
//! transaction of the caller's.

use std::collections::BTreeSet;

use sqlx::{PgConnection, PgPool};

use super::{
    item::Fact,
    note::CustomerMessage,
    plan::{Broken, Leaver, Refusal, Said},
    successors::{self, Unverified, Verdicts},
    transition::{By, settle, transition_all},
};
use crate::{
    check::{self, Invalid},
    ids::{CorpId, StaffId, UserId},
    states::{HandoverCause, HandoverState},
    tables::{
        apply,
        handover::{self, NewHandover, Transferable},
        staff::{member, staff_wechat_bind},
    },
    wecom::{ApiError, Wecom},
};

/// How many customers one transfer moves.
pub const CUSTOMERS_MAX: usize = 1_000;

/// A transfer as somebody asks for it.
#[derive(Debug)]
pub struct TransferInput {
    /// Who hands over.
    pub from: String,
    /// Who takes over.
    pub to: String,
    /// Which customers, as WeCom names them.
    pub customers: Vec<String>,
    /// What customers are told once it is done.
    pub message: Option<String>,
}

/// A transfer as somebody asks for it, checked.
#[derive(Debug)]
pub struct NewTransfer {
    from: StaffId,
    to: StaffId,
    customers: Vec<String>,
    message: Option<CustomerMessage>,
}

/// A transfer to begin, and what WeCom said of the successor.
#[derive(Debug)]
pub struct TransferRequest {
    new: NewTransfer,
    corpid: CorpId,
    verdicts: Verdicts,
}

/// A transfer that has begun.
#[derive(Debug)]
pub struct TransferBegun {
    /// The number of the handover that was made of it.
    pub handover: i64,
    /// How far that is.
    pub state: Option<HandoverState>,
    /// How many customers are in it.
    pub customers: usize,
    /// Which are not, and why.
    pub refused: Vec<NotTransferred>,
    /// Whether WeCom was asked about the successor.
    pub verified: bool,
    /// What could not be found out.
    pub unverified: Vec<Unverified>,
}

/// A customer who cannot be transferred.
#[derive(Debug, PartialEq, Eq)]
pub struct NotTransferred {
    /// The customer.
    pub customer: String,
    /// Why.
    pub reason: NotTransferable,
    /// The handover that they are in already.
    pub handover: Option<i64>,
}

/// Why a customer cannot be transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTransferable {
    /// They are no contact of the staff member.
    NotAContact,
    /// Another handover has them already.
    UnderWay,
    /// They were moved twice within 90 days.
    MovedTwice,
}

/// Why no transfer begins.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Who shall hand over is bound to no member.
    #[error("the staff member who hands over is not bound")]
    NotBound,
    /// These rules stand against the successor.
    #[error("{} rules stand against the successor", .0.len())]
    Broken(Vec<Refusal>),
    /// None of the customers can be transferred.
    #[error("none of {} customers can be transferred", .0.len())]
    NothingToTransfer(Vec<NotTransferred>),
    /// WeCom refused, or did not answer.
    #[error(transparent)]
    Wecom(#[from] ApiError),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Asks WeCom about the successor. No connection is held meanwhile.
pub async fn ask(
    pool: &PgPool,
    wecom: &Wecom,
    corpid: CorpId,
    new: NewTransfer,
) -> Result<TransferRequest, TransferError> {
    let mut conn = pool.acquire().await?;
    let to = staff_wechat_bind::user_of(&mut conn, &corpid, &new.to).await?;
    drop(conn);
    let api = wecom.corp_if_able(&corpid).await?;
    let verdicts = successors::ask(api.as_ref(), &Vec::from_iter(to)).await?;
    Ok(TransferRequest { new, corpid, verdicts })
}

/// Makes a handover of what can be moved, planned and submitted at once. `who` asks for it.
pub async fn begin(
    conn: &mut PgConnection,
    request: TransferRequest,
    who: &str,
) -> Result<TransferBegun, TransferError> {
    let TransferRequest { new, corpid, verdicts } = request;
    apply::lock_alone(conn, &corpid).await?;
    let from = staff_wechat_bind::user_of(conn, &corpid, &new.from).await?.ok_or(TransferError::NotBound)?;
    let to = successor(conn, &corpid, &from, &new.to, &verdicts).await?;
    let (customers, refused) = sort(conn, &corpid, &from, &new.customers).await?;
    if customers.is_empty() {
        return Err(TransferError::NothingToTransfer(refused));
    }
    let by = By { actor: who, cause: "转接客户" };
    let row = NewHandover {
        corpid: &corpid,
        user: &from,
        staff_id: new.from.as_str(),
        cause: HandoverCause::Transfer,
        resignation_id: None,
        ordered_by: who,
        message: new.message.as_ref().map(CustomerMessage::as_str),
    };
    let id = handover::create(conn, &row).await?;
    handover::log(conn, id, None, HandoverState::Detected, by.actor, by.cause).await?;
    let items = handover::add_customers(conn, id, &customers).await?;
    handover::give(conn, &items, &vec![to.0; items.len()], &vec![new.to.0; items.len()]).await?;
    transition_all(conn, Fact::Chosen, &items, by).await?;
    handover::follow_plan(conn, id).await?;
    handover::submit(conn, id, who).await?;
    let state = settle(conn, id, by).await?;
    handover::wake_now(conn, &corpid, id).await?;
    let Verdicts { verified, unverified, .. } = verdicts;
    Ok(TransferBegun { handover: id, state, customers: items.len(), refused, verified, unverified })
}

/// The successor, if nothing stands against them.
async fn successor(
    conn: &mut PgConnection,
    corpid: &CorpId,
    from: &UserId,
    to: &StaffId,
    verdicts: &Verdicts,
) -> Result<UserId, TransferError> {
    let search = handover::CandidateSearch { staff_ids: vec![to.0.clone()], ..handover::CandidateSearch::default() };
    let found = handover::candidates(conn, corpid, &search, 0).await?.pop().map(|it| verdicts.judge(it));
    let leaver = Leaver { user: from.clone(), departments: BTreeSet::new(), gone_too_long: false };
    let broken = found.as_ref().map_or_else(|| vec![Broken::NotBound], |it| it.broken(&leaver));
    match found.and_then(|it| it.user) {
        Some(user) if broken.is_empty() => Ok(user),
        _ => {
            let refusal = |broken| Refusal { staff_id: to.0.clone(), subject: None, broken };
            Err(TransferError::Broken(broken.into_iter().map(refusal).collect()))
        }
    }
}

/// Who can be moved, and why the others cannot.
async fn sort(
    conn: &mut PgConnection,
    corpid: &CorpId,
    from: &UserId,
    customers: &[String],
) -> sqlx::Result<(Vec<String>, Vec<NotTransferred>)> {
    let held = member::held(conn, corpid, std::slice::from_ref(&from.0)).await?;
    let left = held.get(from).is_some_and(|it| it.left);
    let moved = if left { Vec::new() } else { handover::moved_lately(conn, corpid, customers).await? };
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for it in handover::transferable(conn, corpid, from, customers).await? {
        match why_not(&it, &moved) {
            Some(reason) => {
                refused.push(NotTransferred { customer: it.customer, reason, handover: it.under_way });
            }
            None => good.push(it.customer),
        }
    }
    Ok((good, refused))
}

fn why_not(it: &Transferable, moved: &[String]) -> Option<NotTransferable> {
    if !it.theirs {
        Some(NotTransferable::NotAContact)
    } else if it.under_way.is_some() {
        Some(NotTransferable::UnderWay)
    } else {
        moved.contains(&it.customer).then_some(NotTransferable::MovedTwice)
    }
}

impl TransferInput {
    /// The transfer, if each field can be meant.
    pub fn check(self) -> Result<NewTransfer, Invalid> {
        let Self { from, to, customers, message } = self;
        check::id("from", &from)?;
        check::id("to", &to)?;
        if !(1..=CUSTOMERS_MAX).contains(&customers.len()) {
            let en = format!("must be 1 to {CUSTOMERS_MAX} external userids");
            return Err(Invalid::new("customers", (en, format!("须为 1 至 {CUSTOMERS_MAX} 个 external_userid"))));
        }
        for customer in &customers {
            check::id("customers", customer)?;
        }
        let message = message.map(CustomerMessage::new).transpose()?;
        Ok(NewTransfer { from: StaffId(from), to: StaffId(to), customers, message })
    }
}

impl NotTransferable {
    /// It in words.
    pub fn said(self) -> Said {
        match self {
            Self::NotAContact => {
                Said { code: "not_a_contact", en: "not a contact of the staff member", zh: "不是该员工的客户" }
            }
            Self::UnderWay => {
                Said { code: "under_way", en: "in another handover already", zh: "已在其他交接中" }
            }
            Self::MovedTwice => Broken::MovedTwice.said(),
        }
    }
}
