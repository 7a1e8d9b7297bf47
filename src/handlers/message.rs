//! Handles messages to an app: from members, and from customers where a channel allows it.

use chrono::TimeDelta;

use crate::{
    changes::{Changes, ContactType, FetchMediaPayload, Payload, Record, Source, Task, TaskKind},
    event::{Message, MessageBody},
    ids::{ExternalUserId, UserId},
};

/// How long WeCom keeps a picture, voice message or video.
const MEDIA_LIFE: TimeDelta = TimeDelta::days(3);

/// WeCom's ids have about 70 bytes. A much longer one is not WeCom's and would not fit into an index.
const MEDIA_ID_BYTES_MAX: usize = 512;

/// Somebody sent a message. Only the tables tell whether a sender with a customer's id shape is a known member; the
/// guess is corrected there.
pub fn received(source: &Source, it: &Message, changes: &mut Changes) {
    let customer = ExternalUserId::from_sender(&it.from);
    if let Some(customer) = &customer {
        changes.heard_from(source, customer);
    }
    let user = if customer.is_none() && !it.from.is_empty() { Some(UserId(it.from.clone())) } else { None };
    let (contact_type, content, media_id) = summary(&it.body);
    if let Some(media_id) = media_id.as_deref() {
        fetch(source, media_id, changes);
    }
    let record = Record::new(contact_type, it.from.clone(), content);
    changes.record(source, Record { customer, user, media_id, ..record });
}

/// WeCom keeps a message's media for three days, so a task downloads it in time.
pub(super) fn fetch(source: &Source, media_id: &str, changes: &mut Changes) {
    if media_id.len() > MEDIA_ID_BYTES_MAX {
        return;
    }
    let payload = FetchMediaPayload { contact_time: source.at(), id: Some(source.record_id()) };
    let task = Task {
        app_id: source.key.app_id,
        payload: Some(payload.to_text()),
        due_at: source.counts_from(),
        deadline: source.counts_from().checked_add_signed(MEDIA_LIFE),
        marks: 1,
    };
    changes.task(source, TaskKind::FetchMedia, media_id, task);
}

/// The message's type, a summary in words, and WeCom's id of its media.
fn summary(body: &MessageBody) -> (ContactType, String, Option<String>) {
    match body {
        MessageBody::Text { content } => (ContactType::Text, content.clone(), None),
        MessageBody::Image { media_id, .. } => (ContactType::Image, "[图片]".to_owned(), media_id.clone()),
        MessageBody::Voice { media_id, recognition, .. } => {
            let words = recognition.as_ref().filter(|it| !it.is_empty());
            (ContactType::Voice, words.map_or("[语音]".to_owned(), |it| format!("[语音] {it}")), media_id.clone())
        }
        MessageBody::Video { media_id, .. } => (ContactType::Video, "[视频]".to_owned(), media_id.clone()),
        MessageBody::Location { latitude, longitude, label, .. } => {
            let label = label.as_deref().unwrap_or_default();
            let place = match (latitude, longitude) {
                (Some(latitude), Some(longitude)) => format!("[位置] {label} ({latitude}, {longitude})"),
                _ => format!("[位置] {label}"),
            };
            (ContactType::Location, place.trim_end().to_owned(), None)
        }
        MessageBody::Link { title, url, .. } => {
            let parts = [title.as_deref(), url.as_deref()];
            let words: Vec<_> = parts.into_iter().flatten().filter(|it| !it.is_empty()).collect();
            (ContactType::Link, format!("[链接] {}", words.join(" ")).trim_end().to_owned(), None)
        }
        MessageBody::File { media_id, name } => {
            let words = format!("[文件] {}", name.as_deref().unwrap_or_default());
            (ContactType::File, words.trim_end().to_owned(), media_id.clone())
        }
    }
}
