//! Handles customer events: added, edited, deleted, transferred.

use chrono::TimeDelta;

use crate::{
    changes::{
        Changes, ContactStatus, ContactType, Payload, Record, Source, Task, TaskKind, TransferFail, WelcomePayload,
        archive::AGREE,
    },
    event::{
        ArchiveConsented, CustomerAdded, CustomerDeleted, CustomerEdited, CustomerLost, FailReason, TransferFailed,
    },
    ids::{ExternalUserId, UserId},
};

/// How long a welcome code is valid. The platform's documents count once from the add and once from the callback; we
/// count from the event's own time, the earlier one, or from the callback's arrival if the event has no time.
const WELCOME_CODE_LIFE: TimeDelta = TimeDelta::seconds(20);

/// How long a refresh waits. Two edits within one second have the same plaintext and are one delivery; a card that is
/// read after that second shows both.
const REFRESH_DELAY: TimeDelta = TimeDelta::seconds(2);

/// A member and a customer became contacts.
///
/// The callback is a hint that carries two ids: we keep what it says under its own time, and ask for the rest.
/// A repeated or late hint changes nothing.
pub fn added(source: &Source, name: &str, it: &CustomerAdded, changes: &mut Changes) {
    let at = source.at();
    let contact = changes.contact(source, &it.user, &it.customer);
    contact.became(ContactStatus::Contacted, at);
    contact.heard_of(source.arrived_at());
    match source.arrived_at() {
        Some(arrived) => contact.met_without_time(Some(arrived)),
        None => contact.met(at),
    }
    if let Some(state) = &it.state {
        contact.came_through(state, at);
    }
    let how = if it.half { "客户单方添加员工(待员工确认)" } else { "成为联系人" };
    let content = it.state.as_ref().map_or_else(|| how.to_owned(), |state| format!("{how},渠道 {state}"));
    changes.record(source, relation_record(name, &it.user, &it.customer, content));
    refresh(source, &it.customer, changes);
    if let Some(code) = &it.welcome_code {
        let payload = WelcomePayload {
            event_s: source.key.event_at.timestamp(),
            external_userid: it.customer.clone(),
            hash: hex::encode(source.key.hash),
            state: it.state.clone(),
            wechat_userid: it.user.clone(),
        };
        let task = Task {
            app_id: source.key.app_id,
            payload: Some(payload.to_text()),
            due_at: source.counts_from(),
            deadline: Some(source.counts_from() + WELCOME_CODE_LIFE),
            marks: 1,
        };
        changes.task(source, TaskKind::Welcome, code, task);
    }
}

/// Something about a customer changed: the callback does not say what, so the card is read again.
pub fn edited(source: &Source, it: &CustomerEdited, changes: &mut Changes) {
    // An edit says neither the contact's status nor its time.
    changes.contact(source, &it.user, &it.customer).heard_of(Some(source.received_at));
    refresh(source, &it.customer, changes);
}

/// A member deleted a customer, or a transfer took the customer away.
pub fn deleted(source: &Source, name: &str, it: &CustomerDeleted, changes: &mut Changes) {
    let (status, content) = match it.by_transfer {
        true => (ContactStatus::TransferredOut, "客户已转接给其他员工"),
        false => (ContactStatus::DeletedByMember, "员工删除了客户"),
    };
    ended(source, &it.user, &it.customer, status, changes);
    let record = relation_record(name, &it.user, &it.customer, content.to_owned());
    changes.record(source, Record { by_transfer: it.by_transfer, ..record });
}

/// A customer deleted a member.
pub fn lost(source: &Source, name: &str, it: &CustomerLost, changes: &mut Changes) {
    ended(source, &it.user, &it.customer, ContactStatus::Lost, changes);
    changes.record(source, relation_record(name, &it.user, &it.customer, "客户删除了员工".to_owned()));
}

/// A transfer ended without success. The event names the successor, not the former member, so it changes no contact;
/// `tables::handover` finds the handover it belongs to.
pub fn transfer_failed(source: &Source, name: &str, it: &TransferFailed, changes: &mut Changes) {
    let why = match &it.reason {
        FailReason::Refused => "客户拒绝",
        FailReason::LimitExceeded => "接替员工的客户数已达上限",
        FailReason::Other(other) => other,
    };
    changes.record(source, relation_record(name, &it.user, &it.customer, format!("转接失败:{why}")));
    changes.transfer_fails.insert(TransferFail {
        corpid: source.corpid.clone(),
        user: it.user.clone(),
        customer: it.customer.clone(),
        at: source.at(),
        reason: it.reason.as_str().to_owned(),
    });
}

/// A customer agreed to have the conversation archived.
pub fn archive_consented(source: &Source, name: &str, it: &ArchiveConsented, changes: &mut Changes) {
    changes.consent(source, (&it.customer, Some(&it.user), None), AGREE, source.at());
    changes.record(source, relation_record(name, &it.user, &it.customer, "客户同意会话存档".to_owned()));
}

fn ended(source: &Source, user: &UserId, customer: &ExternalUserId, status: ContactStatus, changes: &mut Changes) {
    let contact = changes.contact(source, user, customer);
    contact.became(status, source.at());
    contact.heard_of(source.arrived_at());
}

fn refresh(source: &Source, customer: &ExternalUserId, changes: &mut Changes) {
    let task = Task {
        app_id: source.key.app_id,
        payload: None,
        due_at: source.counts_from() + REFRESH_DELAY,
        deadline: None,
        marks: 1,
    };
    changes.task(source, TaskKind::RefreshContact, customer.as_str(), task);
}

/// A record of a change of the relation.
pub(super) fn relation_record(name: &str, user: &UserId, customer: &ExternalUserId, content: String) -> Record {
    Record {
        customer: Some(customer.clone()),
        user: Some(user.clone()),
        event: Some(name.to_owned()),
        ..Record::new(ContactType::Event, "sys".to_owned(), content)
    }
}
