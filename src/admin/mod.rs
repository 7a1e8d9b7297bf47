//! The admin REST: who calls, may they, what do they want, and a line about it in the access log.
//!
//! A request comes from `server`, read and bounded; a [`Reply`] goes back. What a request changes and its line in the
//! access log are committed together, so that there is neither an action nor a read without its line. There is no
//! HTTP here and no SQL: resources call the functions of `tables` and `inbox`.

pub mod route;

pub mod openapi;

pub mod auth;

pub mod guard;

pub mod browser;

mod admit;

mod lookup;

mod line;

mod language;

mod call;

mod params;

mod body;

mod check;

mod page;

pub mod config;

mod staff_bind;

mod staff_login;

mod state;

mod visit;

pub mod session;

mod console_users;

mod test_connection;

mod customer_contact;

mod contact_records;

mod access_log;

pub mod api_tokens;

pub mod audit;

mod deliveries;

mod handovers;

mod handover_plan;

mod handover_acts;

mod successors;

mod resignations;

mod transfer;

mod media;

mod range;

mod tasks;

mod idempotency;

mod work_orders;

mod staff_duty;

mod customer_matches;

mod customers;

mod sync;

mod reports;

mod sheet;

pub mod problem;

mod cause;

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::Value;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    apps::Apps, media::MediaStore, orders::assignment::Rules, tables::orders::contact_way::ContactWay, vault::Vault,
    wecom::Wecom,
};
pub use admit::{Admitted, admit, admit_reader};
use browser::Browser;
use call::{Answer, Call};
use guard::Guard;
use idempotency::Key;
use line::Line;
pub use line::{note, note_refused};
pub use lookup::Lookups;
use problem::{Code, Problem};
use route::Endpoint;

/// What the admin half works with.
pub struct Admin {
    /// The database.
    pub pool: PgPool,
    /// What seals the secrets.
    pub vault: Arc<Vault>,
    /// This process's apps, read again after a change.
    pub apps: Apps,
    /// The way to WeCom.
    pub wecom: Wecom,
    /// Where pictures, sounds and films are kept.
    pub media: MediaStore,
    /// What the operator decided.
    pub settings: AdminSettings,
    /// Who asks too often.
    pub guard: Guard,
    /// Looks up tokens that are not remembered.
    pub lookups: Lookups,
    /// How work orders are assigned.
    pub rules: Rules,
    /// How long a contact way is given out.
    pub contact_way_life: TimeDelta,
}

/// What the operator decided about the admin half.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// How long an old callback key stays valid after it was replaced.
    pub key_overlap: TimeDelta,
    /// Whether each successor must agree before a handover is submitted.
    pub acceptance: bool,
    /// The page that a successor's notice opens; {id} stands for the handover's number. Empty for none.
    pub handover_url: String,
    /// Where staff reach the login's redirect, with no slash at its end; empty for nowhere.
    pub public_url: String,
}

/// A request, read and bounded.
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path as it stands in the URL.
    pub path: String,
    /// The query as it stands in the URL; empty if there is none.
    pub query: String,
    /// The token, if one was given.
    pub bearer: Option<SecretString>,
    /// What else a browser shows.
    pub browser: Browser,
    /// The body; empty if there is none.
    pub body: Bytes,
    /// `Accept`, if the caller says which form they want.
    pub accept: Option<String>,
    /// `Range`, if only a part is wanted.
    pub range: Option<String>,
    /// `Idempotency-Key`, if a repetition shall not do it twice.
    pub idempotency_key: Option<String>,
    /// `If-Match`, if it shall be carried out only while something is as the caller read it.
    pub if_match: Option<String>,
    /// Where it came from.
    pub address: String,
    /// The id that the caller, the access log and our own log know it by.
    pub request_id: Uuid,
}

/// What goes back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Headers that HTTP asks for beside this status, names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// What a reply holds.
#[derive(Debug)]
pub enum Body {
    /// An answer; null for none.
    Json(Value),
    /// Why there is none, as RFC 9457 says it.
    Problem(Value),
    /// A picture, a sound, a film.
    File {
        /// Its media type.
        content_type: String,
        /// Its bytes, or the part that was asked for.
        bytes: Bytes,
    },
}

impl Body {
    /// The body's media type.
    pub fn content_type(&self) -> &str {
        match self {
            Self::Json(_) => "application/json",
            Self::Problem(_) => problem::CONTENT_TYPE,
            Self::File { content_type, .. } => content_type,
        }
    }

    /// The body as it goes out.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Json(Value::Null) => Bytes::new(),
            Self::Json(value) | Self::Problem(value) => format!("{value}\n").into(),
            Self::File { bytes, .. } => bytes,
        }
    }
}

/// Carries a request out, if its caller may, and writes it to the access log.
///
/// Never fails: what is wrong becomes the reply. A request that no route takes is answered before anybody asks who is
/// calling, and is not in the access log; a caller who is turned away is, and strangers are by their number.
pub async fn handle(admin: &Admin, admitted: Admitted) -> Reply {
    let request_id = admitted.request.request_id;
    match answer(admin, &admitted).await {
        Ok(answer) => Reply { status: answer.status, body: answer.body, headers: answer.headers },
        Err(problem) => {
            problem.log(request_id);
            problem.reply(request_id)
        }
    }
}

/// The reply to a request whose body could not be read: 408 if it took too long, 413 if it is too long, else 400.
pub fn unread(status: u16, request_id: Uuid) -> Reply {
    let problem = match status {
        408 => Problem::new(Code::BodyTimeout, "send the body faster, or raise http.body_timeout_ms"),
        413 => Problem::new(Code::BodyTooLarge, "send less at once, or raise http.body_bytes_max"),
        429 => Problem::new(Code::TooManyRequests, "too many requests stopped half-way in their bodies; send it again"),
        _ => Problem::new(Code::BodyBroken, "the connection ended within the body; send the request again"),
    };
    problem.reply(request_id)
}

async fn answer(admin: &Admin, admitted: &Admitted) -> Result<Answer, Problem> {
    let Admitted { request, found, .. } = admitted;
    let line = Line { guard: &admin.guard, request, route: found.route.path };
    let (mut conn, caller) = admit::identify(admin, admitted, &line).await?.unzip();
    let caller = caller.as_ref();
    let endpoint = found.route.endpoint;
    let (subject, customer) = (found.id.clone(), String::new());
    let mut call = Call { admin, request, endpoint, caller, id: &found.id, subject, customer };

    let (key, known) = match &mut conn {
        Some(conn) => match Key::of(&call, found.route) {
            Ok(Some(key)) => {
                let known = key.known(&mut call, conn).await;
                (Some(key), known)
            }
            Ok(None) => (None, Ok(None)),
            Err(problem) => return Err(line.turned_away(conn, caller, call.about(), problem).await),
        },
        None => (None, Ok(None)),
    };

    // What WeCom must be asked comes first: no transaction, and no connection, ever waits for WeCom.
    drop(conn);
    let asked = match known {
        Ok(None) => ask(found.route.endpoint, &mut call).await,
        Ok(Some(answer)) => Ok(Asked::Before(answer)),
        Err(problem) => Err(problem),
    };
    let asked = match asked {
        // For nobody, about nobody: there is no line to write.
        Ok(Asked::Done(answer)) if caller.is_none() && call.subject.is_empty() => {
            return Ok(line.answered_nobody(*answer));
        }
        Err(problem) if caller.is_none() && call.subject.is_empty() => return Err(line.refused(problem)),
        asked => asked,
    };
    let mut conn = admin.pool.acquire().await?;
    let asked = match asked {
        Ok(asked) => asked,
        Err(problem) => return Err(line.turned_away(&mut conn, caller, call.about(), problem).await),
    };

    let mut transaction = conn.begin().await?;
    let outcome = once(key.as_ref(), found.route.endpoint, &mut call, asked, &mut transaction).await;
    let answer = match outcome {
        Ok(answer) => answer,
        Err(problem) => {
            transaction.rollback().await?;
            return Err(line.turned_away(&mut conn, caller, call.about(), problem).await);
        }
    };
    line.append(&mut transaction, caller, call.about(), answer.status).await?;
    transaction.commit().await?;

    // Reading the apps again takes a connection of its own.
    drop(conn);
    if answer.apps_changed
        && let Err(error) = admin.apps.refresh().await
    {
        tracing::warn!(error = %error, "an app was changed, and this process will see it a little later");
    }
    Ok(answer)
}

/// What WeCom or the media store said, for the endpoints that ask something before they do anything.
enum Asked {
    /// Nothing was asked.
    Nothing,
    /// Nothing, because the request was answered so before.
    Before(Answer),
    /// A file's bytes, from the media store.
    Media(media::Found),
    /// Whether a member is one who can be bound.
    Member(Box<staff_bind::Found>),
    /// Through which app a login goes.
    Login(Box<staff_login::Way>),
    /// Who has logged in to be bound.
    Visit(Box<staff_bind::Found>),
    /// What is answered: nothing is left to do.
    Done(Box<Answer>),
    /// Who has logged in to the console.
    ConsoleVisit(Box<session::Visitor>),
    /// What works between an app and WeCom.
    Connection(Box<test_connection::Tested>),
    /// For a contact way.
    ContactWay(Box<ContactWay>),
    /// For a contact way's picture.
    ContactPicture(Box<ContactWay>),
    /// What we hold about somebody.
    Export(Box<customers::Export>),
    /// For a plan: the successors, and the groups.
    Plan(Box<handover_plan::Wanted>),
    /// For a transfer: the successor.
    Transfer(Box<transfer::Wanted>),
}

async fn ask(endpoint: Endpoint, call: &mut Call<'_>) -> Result<Asked, Problem> {
    Ok(match endpoint {
        Endpoint::MediaShow => Asked::Media(media::find(call).await?),
        Endpoint::StaffBindAdd => Asked::Member(Box::new(staff_bind::ask(call).await?)),
        Endpoint::StaffBindLogin => Asked::Login(Box::new(staff_login::ask_way(call).await?)),
        Endpoint::StaffBindLoginCallback => staff_login::ask_visit(call).await?,
        Endpoint::SessionLogin => Asked::Done(Box::new(session::set_out(call).await?)),
        Endpoint::SessionLoginCallback => session::ask_visit(call).await?,
        Endpoint::TestConnection => Asked::Connection(Box::new(test_connection::ask(call).await?)),
        Endpoint::CustomerContactMake => Asked::ContactWay(Box::new(Box::pin(customer_contact::make(call)).await?)),
        Endpoint::CustomerContactQr => Asked::ContactPicture(Box::new(Box::pin(customer_contact::find(call)).await?)),
        Endpoint::HandoverPlan => Asked::Plan(Box::new(Box::pin(handover_plan::ask(call)).await?)),
        Endpoint::CustomerExport => Asked::Export(Box::new(Box::pin(customers::ask(call)).await?)),
        Endpoint::TransferMake => Asked::Transfer(Box::new(Box::pin(transfer::ask(call)).await?)),
        _ => Asked::Nothing,
    })
}

/// Carries a request out, unless it is the repetition of one that was.
async fn once(
    key: Option<&Key>,
    endpoint: Endpoint,
    call: &mut Call<'_>,
    asked: Asked,
    conn: &mut PgConnection,
) -> Result<Answer, Problem> {
    let (Some(key), false) = (key, matches!(asked, Asked::Before(_))) else {
        return run(endpoint, call, asked, conn).await;
    };
    if let Some(answer) = key.begin(call, conn).await? {
        return Ok(answer);
    }
    let answer = run(endpoint, call, asked, conn).await?;
    key.finish(call.about(), conn, &answer).await?;
    Ok(answer)
}

#[expect(clippy::too_many_lines, reason = "one line for each endpoint")]
async fn run(
    endpoint: Endpoint,
    call: &mut Call<'_>,
    asked: Asked,
    conn: &mut PgConnection,
) -> Result<Answer, Problem> {
    match asked {
        Asked::Nothing => {}
        Asked::Before(answer) => return Ok(answer),
        Asked::Media(found) => return media::show(found),
        Asked::Member(found) => return staff_bind::add(*found, conn).await,
        Asked::Login(way) => return staff_login::make(call, *way, conn).await,
        Asked::Visit(visit) => return staff_login::finish(*visit, conn).await,
        Asked::Done(answer) => return Ok(*answer),
        Asked::ConsoleVisit(visit) => return session::finish(call, *visit, conn).await,
        Asked::Connection(tested) => return test_connection::show(*tested, conn).await,
        Asked::ContactWay(way) => return customer_contact::made(*way),
        Asked::ContactPicture(way) => return customer_contact::picture(&way),
        Asked::Export(export) => return customers::export(*export),
        Asked::Plan(wanted) => return Box::pin(handover_plan::put(call, *wanted, conn)).await,
        Asked::Transfer(wanted) => return Box::pin(transfer::make(call, *wanted, conn)).await,
    }
    match endpoint {
        Endpoint::ConfigList => config::list(call, conn).await,
        Endpoint::ConfigSave => config::post(call, conn).await,
        Endpoint::StaffBindList => staff_bind::list(call, conn).await,
        Endpoint::StaffBindRemove => staff_bind::remove(call, conn).await,
        Endpoint::CustomerContactShow => customer_contact::show(call, conn).await,
        Endpoint::ContactRecordsList => contact_records::list(call, conn).await,
        Endpoint::DeliveryList => deliveries::list(call, conn).await,
        Endpoint::DeliveryShow => deliveries::show(call, conn).await,
        Endpoint::DeliveryReplay => deliveries::replay(call, conn).await,
        Endpoint::AccessLogList => access_log::list(call, conn).await,
        Endpoint::ApiTokenList => api_tokens::list(call, conn).await,
        Endpoint::ApiTokenAdd => api_tokens::add(call, conn).await,
        Endpoint::ApiTokenRevoke => api_tokens::revoke(call, conn).await,
        Endpoint::HandoverList => handovers::list(call, conn).await,
        Endpoint::HandoverShow => Box::pin(handovers::show(call, conn)).await,
        Endpoint::HandoverItems => handovers::items(call, conn).await,
        Endpoint::HandoverItemsCsv => handovers::items_csv(call, conn).await,
        Endpoint::HandoverLog => handovers::log(call, conn).await,
        Endpoint::HandoverNotify => handover_acts::notify(call, conn).await,
        Endpoint::HandoverAccept => handover_acts::accept(call, conn).await,
        Endpoint::HandoverSubmit => handover_acts::submit(call, conn).await,
        Endpoint::HandoverCancel => handover_acts::cancel(call, conn).await,
        Endpoint::HandoverPoll => handover_acts::poll(call, conn).await,
        Endpoint::HandoverClose => handover_acts::close(call, conn).await,
        Endpoint::ResignationList => resignations::list(call, conn).await,
        Endpoint::ResignationAdd => resignations::add(call, conn).await,
        Endpoint::ResignationShow => resignations::show(call, conn).await,
        Endpoint::ResignationApprove => resignations::approve(call, conn).await,
        Endpoint::ResignationRefuse => resignations::refuse(call, conn).await,
        Endpoint::ResignationCancel => resignations::cancel(call, conn).await,
        Endpoint::TransferHistory => transfer::history(call, conn).await,
        Endpoint::TaskList => tasks::list(call, conn).await,
        Endpoint::TaskReplay => tasks::replay(call, conn).await,
        Endpoint::TaskCancel => tasks::cancel(call, conn).await,
        Endpoint::StaffBindAdd
        | Endpoint::StaffBindLogin
        | Endpoint::StaffBindLoginCallback
        | Endpoint::SessionLogin
        | Endpoint::SessionLoginCallback
        | Endpoint::TestConnection
        | Endpoint::CustomerContactMake
        | Endpoint::CustomerContactQr
        | Endpoint::CustomerExport
        | Endpoint::HandoverPlan
        | Endpoint::TransferMake
        | Endpoint::MediaShow => Err(Problem::internal("what must be asked first was not asked")),
        Endpoint::WorkOrderList => work_orders::list(call, conn).await,
        Endpoint::WorkOrderAdd => work_orders::add(call, conn).await,
        Endpoint::WorkOrderShow => work_orders::show(call, conn).await,
        Endpoint::WorkOrderChange => work_orders::change(call, conn).await,
        Endpoint::StaffDutyList => staff_duty::list(call, conn).await,
        Endpoint::StaffDutySet => staff_duty::set(call, conn).await,
        Endpoint::CustomerMatchList => customer_matches::list(call, conn).await,
        Endpoint::CustomerMatchDecide => customer_matches::decide(call, conn).await,
        Endpoint::CustomerErase => Box::pin(customers::remove(call, conn)).await,
        Endpoint::ErasureList => customers::erasures(call, conn).await,
        Endpoint::ErasureShow => customers::erasure(call, conn).await,
        Endpoint::ContactRecordAdd => contact_records::add(call, conn).await,
        Endpoint::SyncList => sync::list(call, conn).await,
        Endpoint::SyncShow => sync::show(call, conn).await,
        Endpoint::SyncStart => sync::start(call, conn).await,
        Endpoint::SyncCancel => sync::cancel(call, conn).await,
        Endpoint::ReportShow => reports::show(call, conn).await,
        Endpoint::SessionShow => session::show(call, conn).await,
        Endpoint::SessionMake => session::make(call, conn).await,
        Endpoint::SessionEnd => session::end(call, conn).await,
        Endpoint::SessionList => session::list(call, conn).await,
        Endpoint::SessionEndOther => session::end_other(call, conn).await,
        Endpoint::ConsoleUserList => console_users::list(call, conn).await,
        Endpoint::ConsoleUserPut => console_users::put(call, conn).await,
        Endpoint::ConsoleUserRemove => console_users::remove(call, conn).await,
    }
}
