//! `transfer` and `transfer-history`: customers go from one staff member to another, and which went from whom to whom. The
//! transfer begins in `handover::transferring`.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::successors::{broken_rules, warning};
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
        plan::Said,
        transferring::{
            self, CUSTOMERS_MAX, NotTransferred, TransferBegun, TransferError, TransferInput, TransferRequest,
        },
    },
    states::{HandoverState, ItemState},
    tables::handover::{self, Transfer, TransferFilter},
    wecom::transfer::MESSAGE_CHARS_MAX,
};

/// The body.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TransferWanted")]
pub(super) struct TransferBody {
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
pub(super) struct TransferView {
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
        body: Some(RequestBody::of::<TransferBody>()),
        answers: &[Response::json::<TransferView>(202, "It has begun.", "已开始转接。")],
        codes: &[Code::NotBound, Code::PlanBroken, Code::NothingToTransfer],
        asks_wecom: true,
        ..Operation::new(Tag::Handovers, "Hand customers from one staff member to another", "在职转接客户")
    },
};

async fn transfer(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let body: TransferBody = body::parse(&call.request.body)?;
    let about = About::thing(&body.from);
    about.then(ask(call, body).await, |request, call, conn| Box::pin(begin(call, request, conn)))
}

/// Checks the request, and asks WeCom about the successor.
async fn ask(call: &Call<'_>, body: TransferBody) -> Result<TransferRequest, Problem> {
    let TransferBody { corpid, from, to, customers, message } = body;
    let new = TransferInput { from, to, customers, message }.check()?;
    let mut conn = call.admin.pool.acquire().await?;
    let corpid = corp::of_field(&mut conn, corpid.as_deref()).await?;
    drop(conn);
    Ok(transferring::ask(&call.admin.pool, &call.admin.wecom, corpid, new).await?)
}

async fn begin(call: &Call<'_>, request: TransferRequest, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let begun = transferring::begin(conn, request, call.who()).await?;
    Answer::new(202, TransferView::from(begun))
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

impl From<TransferBegun> for TransferView {
    fn from(begun: TransferBegun) -> Self {
        Self {
            id: begun.handover,
            state: begun.state,
            customers: begun.customers,
            refused: begun.refused.into_iter().map(RefusedCustomer::from).collect(),
            verified: begun.verified,
            warnings: begun.unverified.into_iter().map(warning).collect(),
        }
    }
}

impl From<NotTransferred> for RefusedCustomer {
    fn from(it: NotTransferred) -> Self {
        Self { external_userid: it.customer, why: it.reason.said(), handover_id: it.handover }
    }
}

impl From<TransferError> for Problem {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NotBound => {
                let detail = (
                    "they are not bound; what a leaver left is in their handover",
                    "该员工未绑定；离职员工的客户见其交接",
                );
                Self::new(Code::NotBound, detail).at("from")
            }
            TransferError::Broken(refusals) => {
                let detail = (
                    "nothing was begun: choose another successor, or mend what `errors` lists",
                    "未开始：请更换接替员工，或处理 `errors` 所列问题",
                );
                Self::new(Code::PlanBroken, detail).at("to").listing(&broken_rules(&refusals))
            }
            TransferError::NothingToTransfer(refused) => {
                let detail =
                    ("nothing was begun: `errors` says why for each customer", "未开始：`errors` 说明每位客户的原因");
                let refused: Vec<_> = refused.into_iter().map(RefusedCustomer::from).collect();
                Self::new(Code::NothingToTransfer, detail).listing(&refused)
            }
            TransferError::Wecom(error) => error.into(),
            TransferError::Database(error) => error.into(),
        }
    }
}
