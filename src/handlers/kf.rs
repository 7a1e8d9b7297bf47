//! Handles 微信客服: that there is something to pull, which accounts the app manages, and what was pulled.

use chrono::TimeDelta;
use serde_json::json;

use super::message;
use crate::{
    changes::{
        Changes, ContactType, KfState, Payload, PullKfPayload, Record, Register, Source, Task, TaskKind,
        WelcomeKfPayload,
    },
    event::{CustomerService, KfBody, KfChange, KfEvent, KfMedia, KfMessage, KfSender, SessionChange},
    ids::{ExternalUserId, KfSessionKey, UserId},
};

/// How long a welcome code is valid.
const WELCOME_CODE_LIFE: TimeDelta = TimeDelta::seconds(20);

/// How long WeCom tells who a customer is, after they wrote or entered.
const CARD_LIFE: TimeDelta = TimeDelta::hours(48);

/// Within this time a waiting customer should have somebody.
const ROUTE_WITHIN: TimeDelta = TimeDelta::seconds(60);

/// There is something to pull, or the app's accounts changed.
pub fn told(source: &Source, name: &str, it: &CustomerService, changes: &mut Changes) {
    match it {
        CustomerService::Waiting { open_kfid: Some(open_kfid), token } => {
            changes.kf_account(source, open_kfid);
            pull(source, open_kfid, token.as_ref().map(|it| it.expose()), changes);
        }
        CustomerService::AccountsChanged { added, removed } if !added.is_empty() || !removed.is_empty() => {
            for open_kfid in added {
                Register::set(&mut changes.kf_account(source, open_kfid).managed, true, source.at());
                pull(source, open_kfid, None, changes);
            }
            for open_kfid in removed {
                Register::set(&mut changes.kf_account(source, open_kfid).managed, false, source.at());
            }
        }
        CustomerService::Waiting { .. } | CustomerService::AccountsChanged { .. } => changes.ignore(source, name),
    }
}

fn pull(source: &Source, open_kfid: &str, token: Option<&str>, changes: &mut Changes) {
    let payload = PullKfPayload { at_s: source.counts_from().timestamp(), token: token.map(str::to_owned) };
    let task = task(source, Some(payload.to_text()));
    changes.task(source, TaskKind::PullKf, open_kfid, task);
}

/// Somebody wrote.
pub fn message(source: &Source, name: &str, it: &KfMessage, changes: &mut Changes) {
    let (sender, user) = match &it.sender {
        KfSender::Customer => (it.customer.0.clone(), None),
        KfSender::Servicer(user) => (user.0.clone(), Some(user.clone())),
        KfSender::System => ("sys".to_owned(), None),
    };
    let (contact_type, content, media_id) = summary(&it.body);
    if let Some(media_id) = media_id.as_deref() {
        message::fetch(source, media_id, changes);
    }
    let event = (contact_type == ContactType::Other).then(|| name.to_owned());
    let record =
        Record { user, media_id, event, detail: it.detail.clone(), ..Record::new(contact_type, sender, content) };
    changes.record(source, of_session(record, &it.open_kfid, &it.customer));
    changes.kf_account(source, &it.open_kfid);
    changes.kf_customer(source, &it.customer);
    let key = key(&it.open_kfid, &it.customer);
    match &it.sender {
        KfSender::Customer => {
            changes.heard_from(source, &it.customer);
            changes.kf_session(&source.corpid, key.clone());
            route(source, &key, changes);
        }
        // Whoever writes in WeCom has the session.
        KfSender::Servicer(user) => {
            changes.kf_session(&source.corpid, key).became(KfState::Human, Some(user), source.at());
        }
        KfSender::System => {}
    }
}

/// Something happened.
pub fn event(source: &Source, name: &str, it: &KfEvent, changes: &mut Changes) {
    let open_kfid = it.open_kfid.as_str();
    let said = |content: &str| Record {
        event: Some(name.to_owned()),
        ..Record::new(ContactType::Event, "sys".to_owned(), content.to_owned())
    };
    match &it.change {
        KfChange::Entered { customer, scene, scene_param, welcome_code } => {
            let detail = Some(json!({ "scene": scene, "scene_param": scene_param }));
            changes.record(source, of_session(Record { detail, ..said("进入客服会话") }, open_kfid, customer));
            let key = key(open_kfid, customer);
            let entered = (scene.clone(), scene_param.clone());
            Register::set(&mut changes.kf_session(&source.corpid, key.clone()).entered, entered, source.at());
            changes.kf_account(source, open_kfid);
            changes.kf_customer(source, customer).entered_at = Some(source.at());
            let deadline = source.counts_from().checked_add_signed(CARD_LIFE);
            let task = Task { deadline, ..task(source, None) };
            changes.task(source, TaskKind::RefreshKfCustomer, customer.as_str(), task);
            route(source, &key, changes);
            if let Some(code) = welcome_code {
                welcome(source, open_kfid, customer, code.expose(), changes);
            }
        }
        KfChange::SessionChanged { customer, change, servicer, former } => {
            let (state, words) = match change {
                SessionChange::Taken => (KfState::Human, "接入客服会话"),
                SessionChange::Transferred => (KfState::Human, "转接客服会话"),
                SessionChange::Ended => (KfState::Ended, "结束客服会话"),
                SessionChange::Reopened => (KfState::Human, "重新接入客服会话"),
            };
            let now_with = servicer.as_ref().filter(|_| state == KfState::Human);
            changes.kf_session(&source.corpid, key(open_kfid, customer)).became(state, now_with, source.at());
            changes.kf_customer(source, customer);
            let user = servicer.clone().or_else(|| former.clone());
            changes.record(source, of_session(Record { user, ..said(words) }, open_kfid, customer));
        }
        KfChange::SendFailed { customer, fail_type } => {
            let words = format!("消息未送达（{}）", fail_type.unwrap_or_default());
            changes.record(source, of_session(said(&words), open_kfid, customer));
        }
        KfChange::Rejecting { customer, servicer, rejects } => {
            let words = if *rejects { "拒收客户消息" } else { "恢复接收客户消息" };
            let user: Option<UserId> = servicer.clone();
            changes.record(source, of_session(Record { user, ..said(words) }, open_kfid, customer));
        }
        KfChange::Recalled { msgid, by_whom } => changes.revoke(source, msgid, *by_whom),
        KfChange::ServicerStatus { .. } => changes.ignore(source, name),
    }
}

fn key(open_kfid: &str, customer: &ExternalUserId) -> KfSessionKey {
    KfSessionKey { open_kfid: open_kfid.to_owned(), customer: customer.clone() }
}

fn of_session(record: Record, open_kfid: &str, customer: &ExternalUserId) -> Record {
    Record { customer: Some(customer.clone()), chat_id: Some(open_kfid.to_owned()), ..record }
}

fn task(source: &Source, payload: Option<String>) -> Task {
    Task { app_id: source.key.app_id, payload, due_at: source.counts_from(), deadline: None, marks: 1 }
}

/// An account under the API routes nobody by itself, so each word of a customer asks whether somebody has them.
fn route(source: &Source, key: &KfSessionKey, changes: &mut Changes) {
    let deadline = source.counts_from().checked_add_signed(ROUTE_WITHIN);
    changes.task(source, TaskKind::RouteKf, &key.to_string(), Task { deadline, ..task(source, None) });
}

fn welcome(source: &Source, open_kfid: &str, customer: &ExternalUserId, code: &str, changes: &mut Changes) {
    let payload = WelcomeKfPayload {
        event_s: source.key.event_at.timestamp(),
        external_userid: customer.clone(),
        hash: hex::encode(source.key.hash),
        open_kfid: open_kfid.to_owned(),
    };
    let deadline = source.counts_from().checked_add_signed(WELCOME_CODE_LIFE);
    let task = Task { deadline, ..task(source, Some(payload.to_text())) };
    changes.task(source, TaskKind::WelcomeKf, code, task);
}

/// The message's type, a summary in words, and WeCom's id of its media.
fn summary(body: &KfBody) -> (ContactType, String, Option<String>) {
    let words = |kind: ContactType, mark: &str, parts: &[String]| {
        (kind, format!("[{mark}] {}", parts.join(" ")).trim_end().to_owned(), None)
    };
    match body {
        KfBody::Text(text) => (ContactType::Text, text.clone(), None),
        KfBody::Media(kind, media_id) => {
            let (kind, mark) = match kind {
                KfMedia::Image => (ContactType::Image, "[图片]"),
                KfMedia::Voice => (ContactType::Voice, "[语音]"),
                KfMedia::Video => (ContactType::Video, "[视频]"),
                KfMedia::File => (ContactType::File, "[文件]"),
            };
            (kind, mark.to_owned(), media_id.clone())
        }
        KfBody::Location { name, address, at } => {
            let at = at.map(|(north, east)| format!("({north}, {east})"));
            words(
                ContactType::Location,
                "位置",
                &[name, address, &at].map(Option::clone).into_iter().flatten().collect::<Vec<_>>(),
            )
        }
        KfBody::Link(parts) => words(ContactType::Link, "链接", parts),
        KfBody::Card(user) => words(ContactType::Card, "名片", &Vec::from_iter(user.clone())),
        KfBody::Miniprogram(title) => words(ContactType::Miniprogram, "小程序", &Vec::from_iter(title.clone())),
        KfBody::Channels(parts) => words(ContactType::Channels, "视频号", parts),
        KfBody::Forward(lines) => (ContactType::Forward, format!("[聊天记录] {}", lines.join("\n")), None),
        KfBody::Meeting => words(ContactType::Meeting, "会议", &[]),
        KfBody::Other(kind) => words(ContactType::Other, kind, &[]),
    }
}
