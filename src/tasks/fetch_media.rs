//! `fetch_media`: downloads a message's media before WeCom deletes it.
//!
//! Safe to repeat: the media id determines where the bytes are stored, part by part, and an interrupted download
//! continues with the first missing part. The last part is never stored alone, so WeCom always states the total
//! length once more.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, Failure};
use crate::{
    changes::{FetchMediaPayload, Payload},
    media::{Name, StoreError},
    states::MediaState,
    tables::{
        self,
        records::media::{self, Fetched},
        task::Taken,
    },
    wecom::media::{GONE, PART_BYTES, Part},
};

/// How far our clock may be ahead before a file that WeCom may still have is given up.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(5);

/// Why there are no bytes.
enum Unfetched {
    /// There will never be any.
    Ended(MediaState, String),
    /// Not now, or a person must look at it.
    Failed(Failure),
}

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let (now, fetched) = {
        let mut conn = context.pool.acquire().await?;
        (tables::now(&mut conn).await?, media::is_fetched(&mut conn, &task.corpid, &task.subject).await?)
    };
    if fetched {
        return Ok(());
    }
    let (ending, reason) = match fetch(context, task, now).await {
        Ok(file) => {
            let mut transaction = context.pool.begin().await?;
            if !tables::task::hold(&mut transaction, task).await? {
                // Its person was erased meanwhile.
                return Ok(context.media.remove(&Name::at(&file.location)?).await?);
            }
            media::keep(&mut transaction, &task.corpid, &task.subject, &file).await?;
            return Ok(transaction.commit().await?);
        }
        Err(Unfetched::Ended(ending, reason)) => (ending, reason),
        Err(Unfetched::Failed(Failure::Park { why })) => (MediaState::Failed, format!("{why:#}")),
        Err(Unfetched::Failed(failure)) => return Err(failure),
    };
    let mut transaction = context.pool.begin().await?;
    if tables::task::hold(&mut transaction, task).await? {
        media::give_up(&mut transaction, &task.corpid, &task.subject, ending, &reason).await?;
    }
    transaction.commit().await?;
    Err(Failure::park(reason))
}

async fn fetch(context: &Context, task: &Taken, now: DateTime<Utc>) -> Result<Fetched, Unfetched> {
    let payload = FetchMediaPayload::read(task.payload.as_deref())
        .map_err(|error| Failure::park(format!("the task cannot be read: {error}")))?;
    let (media_id, store) = (task.subject.as_str(), &context.media);
    let name = Name::new(&task.corpid, payload.contact_time, media_id);
    if task.deadline.is_some_and(|it| it + CLOCK_SLACK < now) {
        store.discard(&name).await;
        return Err(gone("the message is older than three days 消息已超过三天"));
    }
    let api = context.wecom.app(task.app_id).await?;
    let mut parts = store.parts(&name, PART_BYTES).await?;
    loop {
        let offset = parts.saturating_mul(PART_BYTES);
        let part = match api.media(media_id, offset).await {
            Ok(part) => part,
            Err(error) if error.is(GONE) => {
                store.discard(&name).await;
                return Err(gone(&error.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        if part.total > store.bytes_max() {
            store.discard(&name).await;
            let reason = format!("it has {} bytes, and media.bytes_max allows {}", part.total, store.bytes_max());
            return Err(Unfetched::Ended(MediaState::TooLarge, reason));
        }
        let length = part.bytes.len() as u64;
        match offset.saturating_add(length) {
            end if end == part.total => return keep(context, &name, parts, part).await,
            end if end < part.total && length == PART_BYTES => store.keep_part(&name, parts, part.bytes).await?,
            _ => return Err(odd(format!("{length} bytes came from {offset} on, of {}", part.total))),
        }
        parts += 1;
    }
}

/// Joins the stored parts and the last one.
async fn keep(context: &Context, name: &Name, parts: u64, last: Part) -> Result<Fetched, Unfetched> {
    let kept = context.media.complete(name, parts, last.bytes).await?;
    if kept.bytes != last.total {
        return Err(odd(format!("the parts have {} bytes together, of {}", kept.bytes, last.total)));
    }
    Ok(Fetched {
        location: kept.location,
        content_type: last.content_type,
        filename: last.filename,
        bytes: i64::try_from(kept.bytes).unwrap_or(i64::MAX),
        sha256: kept.sha256.to_vec(),
    })
}

fn gone(why: &str) -> Unfetched {
    Unfetched::Ended(MediaState::Gone, format!("gone at WeCom 企业微信已不再保存: {why}"))
}

fn odd(what: String) -> Unfetched {
    Unfetched::Failed(Failure::Retry { why: anyhow::Error::msg(what), after: None })
}

impl<E: Into<Failure>> From<E> for Unfetched {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Retry { why: error.into(), after: None }
    }
}
