//! The platform's controls over HTTP, below `/sandbox/`: calls, faults, the clock, and the page that simulates a
//! scan.
//!
//! They are for a pretend WeCom in a process of its own, on a developer's machine: there is no authentication.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, Wire};
use super::contact_way::SCAN_PATH;
use super::fault::{DropAt, Fault};
use super::shared::Shared;
use super::{page, server};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::world::{ScanError, World};

/// The longest id of a customer given by hand.
const EXTERNAL_USERID_BYTES_MAX: usize = 64;

/// The body of `POST /sandbox/faults`: one fault, or the end of all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultForm {
    path: Option<String>,
    #[serde(default)]
    latency_ms: u64,
    errcode: Option<i64>,
    drop: Option<DropAt>,
    #[serde(default)]
    bodies: Vec<String>,
    #[serde(default)]
    garble: Vec<(String, String)>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
    share: Option<f64>,
    times: Option<u32>,
    revoked_share: Option<f64>,
    #[serde(default)]
    clear: bool,
}

/// The body of `POST /sandbox/clock`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockForm {
    advance_s: u64,
}

/// The body of `POST /sandbox/leave`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaveForm {
    userid: UserId,
}

/// The body of `POST /sandbox/kf`: a new account, or what a customer does in one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KfForm {
    /// The name of a new account.
    account: Option<String>,
    /// Its servicers.
    #[serde(default)]
    servicers: Vec<String>,
    #[serde(default)]
    open_kfid: String,
    external_userid: Option<ExternalUserId>,
    /// What the customer writes; without it they enter.
    text: Option<String>,
    #[serde(default)]
    scene_param: String,
}

/// Answers requests that are not API calls.
pub(super) async fn serve(shared: &Shared, request: Request<Incoming>) -> Wire {
    let path = request.uri().path().to_owned();
    let post = match *request.method() {
        Method::GET => false,
        Method::POST => true,
        _ => return answer::bare(StatusCode::METHOD_NOT_ALLOWED),
    };
    if let Some(config_id) = path.strip_prefix(SCAN_PATH) {
        return if post { scan(shared, config_id, request).await } else { show(shared, config_id) };
    }
    match (path.as_str(), post) {
        ("/sandbox/calls", false) => answer::json(&json!(shared.calls())),
        ("/sandbox/faults", true) => formed(request, |form: FaultForm| set_fault(shared, form)).await,
        ("/sandbox/clock", true) => {
            let advance = |form: ClockForm| {
                shared.clock.advance(Duration::from_secs(form.advance_s));
                shared.settle_transfers();
                json!({ "now": shared.clock.now() })
            };
            formed(request, advance).await
        }
        ("/sandbox/leave", true) => leave(shared, request).await,
        ("/sandbox/kf", true) => customer_service(shared, request).await,
        ("/sandbox/kf" | "/sandbox/calls" | "/sandbox/faults" | "/sandbox/clock" | "/sandbox/leave", _) => {
            answer::bare(StatusCode::METHOD_NOT_ALLOWED)
        }
        _ => answer::bare(StatusCode::NOT_FOUND),
    }
}

/// Reads a JSON body and carries it out.
async fn formed<F: for<'de> Deserialize<'de>>(request: Request<Incoming>, act: impl FnOnce(F) -> Value) -> Wire {
    match read(request).await {
        Ok(form) => answer::json(&act(form)),
        Err(wire) => wire,
    }
}

async fn read<F: for<'de> Deserialize<'de>>(request: Request<Incoming>) -> Result<F, Wire> {
    let bytes = server::read(request).await.unwrap_or_default();
    serde_json::from_slice(&bytes).map_err(|error| said(StatusCode::BAD_REQUEST, &error.to_string()))
}

/// A member leaves the company, and the callback is sent.
async fn leave(shared: &Shared, request: Request<Incoming>) -> Wire {
    let form: LeaveForm = match read(request).await {
        Ok(form) => form,
        Err(wire) => return wire,
    };
    match shared.change(|world| world.leave(&form.userid)).await {
        Ok(()) => answer::json(&json!({ "userid": form.userid })),
        Err(error) => said(StatusCode::NOT_FOUND, &error.to_string()),
    }
}

/// Adds an account of 微信客服, or a customer enters one or writes to it; the callback is sent.
async fn customer_service(shared: &Shared, request: Request<Incoming>) -> Wire {
    let form: KfForm = match read(request).await {
        Ok(form) => form,
        Err(wire) => return wire,
    };
    if let Some(name) = &form.account {
        let servicers: Vec<_> = form.servicers.iter().map(String::as_str).collect();
        let open_kfid = shared.with(|world| world.add_kf_account(name, &servicers));
        return answer::json(&json!({ "open_kfid": open_kfid }));
    }
    let customer = form.external_userid.unwrap_or_else(|| shared.with(|world| world.somebody_new()));
    let act = |world: &mut World| match &form.text {
        Some(text) => world.kf_say(&form.open_kfid, &customer, "text", json!({ "content": text })),
        None => world.kf_enter(&form.open_kfid, &customer, &form.scene_param),
    };
    match shared.change(act).await {
        Ok(()) => answer::json(&json!({ "external_userid": customer })),
        Err(error) => said(StatusCode::NOT_FOUND, &error.to_string()),
    }
}

fn set_fault(shared: &Shared, form: FaultForm) -> Value {
    if form.clear {
        shared.faults.clear();
    }
    if let Some(share) = form.revoked_share {
        shared.faults.revoke_tokens(share);
    }
    if let Some(path) = form.path {
        let fault = Fault {
            latency: Duration::from_millis(form.latency_ms),
            errcode: form.errcode,
            drop: form.drop,
            bodies: form.bodies.into_iter().map(String::into_bytes).collect(),
            garble: form.garble.into_iter().map(|(text, instead)| (text, instead.into_bytes())).collect(),
            headers: form.headers,
            share: form.share.unwrap_or(1.0),
            times: form.times,
        };
        shared.faults.set(&path, fault);
    }
    json!({ "ok": true })
}

/// The page where a person plays the customer.
fn show(shared: &Shared, config_id: &str) -> Wire {
    match shared.with(|world| world.contact_way(config_id).cloned()) {
        Some(way) => answer::html(page::scan(&way)),
        None => said(StatusCode::NOT_FOUND, &ScanError::Unknown.to_string()),
    }
}

/// Simulates a scan; without an id by a new customer.
async fn scan(shared: &Shared, config_id: &str, request: Request<Incoming>) -> Wire {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let form = server::read(request).await.unwrap_or_default();
    let mut fields = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(&form));
    let named = fields.find(|(name, value)| name == "external_userid" && !value.trim().is_empty());
    let customer = match named {
        None => shared.with(|world| world.somebody_new()),
        Some((_, id)) => match as_id(id.trim()) {
            Some(id) => id,
            None => return said(StatusCode::BAD_REQUEST, "external_userid: letters, digits, - and _ only"),
        },
    };
    match shared.scan(config_id, &customer).await {
        Ok(()) => answer::json(&json!({ "config_id": config_id, "external_userid": customer })),
        Err(error @ ScanError::Unknown) => said(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => said(StatusCode::CONFLICT, &error.to_string()),
    }
}

fn as_id(text: &str) -> Option<ExternalUserId> {
    let well_made = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    (well_made && text.len() <= EXTERNAL_USERID_BYTES_MAX).then(|| ExternalUserId::from(text))
}

fn said(status: StatusCode, error: &str) -> Wire {
    let mut wire = answer::json(&json!({ "error": error }));
    *wire.status_mut() = status;
    wire
}
