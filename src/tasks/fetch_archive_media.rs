//! `fetch_media` for files of the message archive (会话内容存档), which come by WeCom's library in small pieces.
//!
//! Safe to repeat: the file's name decides where its parts are stored, and where the next piece begins is written down
//! after each part. So a restart costs one part at most. A file with another MD5 than its message states is kept, and
//! the difference is noted: WeCom's own clients show such files as well.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::TimeDelta;
use md5::{Digest, Md5};

use super::{Context, Failure, Went, pull_archive::ELSEWHERE};
use crate::{
    archive::{Archive, Corp, Piece, Trouble},
    changes::{FetchMediaPayload, Payload},
    media::{Kept, Name, StoreError},
    states::MediaState,
    tables::{
        self,
        archive::archive_media::{self, Download},
        records::media::{self, Fetched},
        task::Taken,
    },
};

/// How many bytes a part has at least, but for the last.
const PART_BYTES: usize = 4 << 20;

/// How far our clock may be ahead before a file that WeCom may still have is given up.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(5);

/// When a file is tried again while another file of the corp is fetched.
const BUSY: Duration = Duration::from_secs(1);

/// How often a piece is asked for if the reader fails. A new one begins each time.
const PIECE_TRIES: u32 = 3;

/// The library's codes for a file that WeCom has no more.
const GONE: &[i32] = &[10_005, 10_010, 301_048];

/// How a download ended.
enum Ended {
    /// The bytes are stored.
    Whole(Kept),
    /// There will never be any.
    Never(MediaState, String),
    /// Another file of the corp is fetched.
    Busy,
}

pub(super) async fn run(context: &Context, task: &Taken) -> Result<Went, Failure> {
    let Some(archive) = &context.archive else { return Ok(Went::Again(ELSEWHERE)) };
    let (now, fetched, download) = {
        let mut conn = context.pool.acquire().await?;
        let fetched = media::is_fetched(&mut conn, &task.corpid, &task.subject).await?;
        let download = archive_media::find(&mut conn, &task.corpid, &task.subject).await?;
        (tables::now(&mut conn).await?, fetched, download)
    };
    let Some(download) = download.filter(|_| !fetched) else { return Ok(Went::Done) };
    let ended = if !archive.settings().media {
        Ended::Never(MediaState::Failed, "archive.media is off 未开启存档文件下载".to_owned())
    } else if task.deadline.is_some_and(|it| it + CLOCK_SLACK < now) {
        Ended::Never(MediaState::Gone, "the message is older than five days 消息已超过五天".to_owned())
    } else {
        fetch(context, archive, task, &download).await?
    };
    let name = name(task)?;
    match ended {
        Ended::Busy => Ok(Went::Again(BUSY)),
        Ended::Whole(kept) => keep(context, task, &download, kept).await,
        Ended::Never(state, reason) => {
            context.media.discard(&name).await;
            let mut transaction = context.pool.begin().await?;
            if tables::task::hold(&mut transaction, task).await? {
                media::give_up(&mut transaction, &task.corpid, &task.subject, state, &reason).await?;
            }
            transaction.commit().await?;
            Ok(Went::Done)
        }
    }
}

fn name(task: &Taken) -> Result<Name, Failure> {
    let payload = FetchMediaPayload::read(task.payload.as_deref())
        .map_err(|error| Failure::park(format!("the task cannot be read: {error}")))?;
    Ok(Name::new(&task.corpid, payload.contact_time, &task.subject))
}

/// Fetches the pieces that are missing.
async fn fetch(context: &Context, archive: &Archive, task: &Taken, download: &Download) -> Result<Ended, Failure> {
    let Some(found) = context.wecom.archive_secret(&task.corpid).await? else {
        return Err(Failure::Retry { why: anyhow::anyhow!("the corp has no app for its archive"), after: None });
    };
    let corp = Corp { corpid: task.corpid.clone(), secret: found.secret };
    let (name, store) = (name(task)?, &context.media);
    let (mut parts, mut index) = (download.parts, download.next_index.clone());
    let mut buffer = BytesMut::new();
    loop {
        let piece = match piece(archive, &corp, &index, &download.sdkfileid).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(Ended::Busy),
            Err(Trouble::Refused(code)) if GONE.contains(&code) => {
                return Ok(Ended::Never(MediaState::Gone, Trouble::Refused(code).to_string()));
            }
            Err(trouble) => return Err(trouble.into()),
        };
        if piece.bytes.is_empty() && !piece.is_last {
            return Err(Failure::from(Trouble::Odd("an empty piece of a file came".to_owned())));
        }
        buffer.extend_from_slice(&piece.bytes);
        let length = u64::try_from(parts).unwrap_or(0) * PART_BYTES as u64 + buffer.len() as u64;
        if length > store.bytes_max() {
            let reason = format!("it has more than {length} bytes, and media.bytes_max allows {}", store.bytes_max());
            return Ok(Ended::Never(MediaState::TooLarge, reason));
        }
        if piece.is_last {
            return complete(context, task, &name, parts, buffer.freeze()).await;
        }
        index = piece.next;
        if buffer.len() >= PART_BYTES {
            store.keep_part(&name, u64::try_from(parts).unwrap_or(0), buffer.split().freeze()).await?;
            parts += 1;
            let mut conn = context.pool.acquire().await?;
            archive_media::came(&mut conn, &task.corpid, &task.subject, parts, &index).await?;
        }
    }
}

/// One piece. A reader that crashes or hangs is replaced, and asked again.
async fn piece(archive: &Archive, corp: &Corp, index: &str, file: &str) -> Result<Option<Piece>, Trouble> {
    let mut tries = 1;
    loop {
        match archive.media(corp, index, file).await {
            Err(Trouble::Reader(_)) if tries < PIECE_TRIES => tries += 1,
            outcome => return outcome,
        }
    }
}

/// Joins the parts. If the store lost one, the download begins anew.
async fn complete(context: &Context, task: &Taken, name: &Name, parts: i32, last: Bytes) -> Result<Ended, Failure> {
    match context.media.complete(name, u64::try_from(parts).unwrap_or(0), last).await {
        Ok(kept) => Ok(Ended::Whole(kept)),
        Err(StoreError::Missing) => {
            let mut conn = context.pool.acquire().await?;
            archive_media::came(&mut conn, &task.corpid, &task.subject, 0, "").await?;
            Err(Failure::Retry { why: anyhow::anyhow!("a part of the file is gone; it is fetched anew"), after: None })
        }
        Err(error) => Err(error.into()),
    }
}

/// Records that the bytes are stored.
async fn keep(context: &Context, task: &Taken, download: &Download, kept: Kept) -> Result<Went, Failure> {
    let found = md5_of(context, &kept).await?;
    let file = Fetched {
        location: kept.location,
        content_type: download.content_type.clone(),
        filename: download.filename.clone(),
        bytes: i64::try_from(kept.bytes).unwrap_or(i64::MAX),
        sha256: kept.sha256.to_vec(),
    };
    let mut transaction = context.pool.begin().await?;
    if !tables::task::hold(&mut transaction, task).await? {
        // Its person was erased meanwhile.
        context.media.remove(&Name::at(&file.location)?).await?;
        return Ok(Went::Done);
    }
    media::keep(&mut transaction, &task.corpid, &task.subject, &file).await?;
    if download.md5.as_ref().is_some_and(|it| !it.eq_ignore_ascii_case(&found)) {
        tracing::warn!(corpid = %task.corpid, media_id = task.subject, "a file of the archive has another MD5 than its message says");
        archive_media::differs(&mut transaction, &task.corpid, &task.subject, &found).await?;
    }
    transaction.commit().await?;
    Ok(Went::Done)
}

/// The MD5 of a stored file, in hexadecimal.
async fn md5_of(context: &Context, kept: &Kept) -> Result<String, Failure> {
    let (mut hash, mut from) = (Md5::new(), 0);
    while from < kept.bytes {
        let until = kept.bytes.min(from + PART_BYTES as u64);
        hash.update(&context.media.read(&kept.location, from..until).await?);
        from = until;
    }
    Ok(hex::encode(hash.finalize()))
}
