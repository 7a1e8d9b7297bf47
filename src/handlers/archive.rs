//! Handles messages of the message archive (会话内容存档): whose they are, what is kept of them, and their files.

use chrono::TimeDelta;

use crate::{
    changes::{
        ArchiveFile, Changes, ContactType, FetchMediaPayload, Payload, Record, RevokedBy, Source, Task, TaskKind,
        archive::{AGREE, DISAGREE},
    },
    event::{Archived, ArchivedBody, ArchivedFile, Said},
    ids::{ExternalUserId, UserId},
};

/// How long WeCom keeps a file of the archive.
const MEDIA_LIFE: TimeDelta = TimeDelta::days(5);

/// What the id of a robot begins with. It is nobody's customer.
const ROBOT: &str = "wb";

/// Something arrived in the archive.
pub fn received(source: &Source, name: &str, it: &Archived, changes: &mut Changes) {
    match &it.body {
        ArchivedBody::Said(said) => heard(source, it, said, changes),
        ArchivedBody::Recalled { msgid } if msgid.is_empty() => changes.ignore(source, name),
        ArchivedBody::Recalled { msgid } => {
            let by_whom = if outsider(&it.from).is_some() { RevokedBy::Customer } else { RevokedBy::Member };
            changes.revoke(source, msgid, by_whom);
        }
        ArchivedBody::Consent { agreed, person, at } => {
            let person = person.as_deref().and_then(outsider).or_else(|| customer_of(it));
            let Some(customer) = person else { return changes.ignore(source, name) };
            let user = member_of(it).filter(|_| it.room.is_none());
            let word = if *agreed { AGREE } else { DISAGREE };
            let at = at.unwrap_or_else(|| source.at());
            changes.consent(source, (&customer, user.as_ref(), it.room.as_deref()), word, at);
            let content = if *agreed { "客户同意会话存档" } else { "客户不同意会话存档" };
            let record = Record {
                event: Some(if *agreed { "agree" } else { "disagree" }.to_owned()),
                chat_id: it.room.clone(),
                user,
                ..Record::new(ContactType::Event, customer.0.clone(), content.to_owned())
            };
            changes.record(source, Record { customer: Some(customer), ..record });
        }
        ArchivedBody::Switched => changes.ignore(source, name),
    }
}

/// The msgaudit_notify callback: there is something to pull.
pub fn notified(source: &Source, changes: &mut Changes) {
    let task =
        Task { app_id: source.key.app_id, payload: None, due_at: source.counts_from(), deadline: None, marks: 1 };
    changes.task(source, TaskKind::PullArchive, source.corpid.as_str(), task);
}

/// Between two people, a message is the one's outside and the one's inside. In a group it is its sender's, who may be
/// either; who else could read it follows from the group's members.
fn heard(source: &Source, it: &Archived, said: &Said, changes: &mut Changes) {
    let sender = outsider(&it.from);
    if let Some(customer) = &sender {
        changes.heard_from(source, customer);
    }
    let (customer, user) = match it.room {
        Some(_) => (sender, insider(&it.from)),
        None => (customer_of(it), member_of(it)),
    };
    let media_id = said.file.as_ref().map(|file| fetch(source, file, changes));
    let record = Record {
        customer,
        user,
        event: said.unknown.clone(),
        chat_id: it.room.clone(),
        detail: said.detail.clone(),
        media_id,
        ..Record::new(said.contact_type, it.from.clone(), said.content.clone())
    };
    changes.record(source, record);
}

/// WeCom keeps a file for five days, so a task fetches it in time. Returns our id of it.
fn fetch(source: &Source, file: &ArchivedFile, changes: &mut Changes) -> String {
    let media_id = ArchiveFile::media_id(&file.sdkfileid);
    let payload = FetchMediaPayload { contact_time: source.at(), id: Some(source.record_id()) };
    let task = Task {
        app_id: source.key.app_id,
        payload: Some(payload.to_text()),
        due_at: source.counts_from(),
        deadline: source.counts_from().checked_add_signed(MEDIA_LIFE),
        marks: 1,
    };
    changes.task(source, TaskKind::FetchMedia, &media_id, task);
    let named = ArchiveFile {
        sdkfileid: file.sdkfileid.clone(),
        md5: file.md5.clone(),
        content_type: file.content_type.to_owned(),
        filename: file.filename.clone(),
    };
    changes.archive_media.insert((source.corpid.clone(), media_id.clone()), named);
    media_id
}

/// Everybody that a message names, the sender first.
fn everybody(it: &Archived) -> impl Iterator<Item = &str> {
    std::iter::once(&it.from).chain(&it.to).map(String::as_str).filter(|it| !it.is_empty())
}

fn customer_of(it: &Archived) -> Option<ExternalUserId> {
    everybody(it).find_map(outsider)
}

fn member_of(it: &Archived) -> Option<UserId> {
    everybody(it).find_map(insider)
}

fn outsider(id: &str) -> Option<ExternalUserId> {
    if id.starts_with(ROBOT) { None } else { ExternalUserId::from_sender(id) }
}

/// A member's userid may begin like a robot's id (`wbush`), but does not look like one.
fn insider(id: &str) -> Option<UserId> {
    let is_member = !id.is_empty() && ExternalUserId::from_sender(id).is_none();
    is_member.then(|| UserId::from(id))
}
