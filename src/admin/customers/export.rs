//! `customers`: the right to a copy of one's data and to its deletion. 个人信息保护法: 查阅、复制 (article 45), 删除 (article 47).
//!
//! The path's id is either the business's id of a customer, who may be several external contacts, or WeCom's id of
//! one: an `external_userid` that is no customer's id. The bytes of files are read before the request's transaction,
//! since the store may be slow.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Refused},
        },
        reading::{corp, cursor::Paging},
        spec::{
            language::{Text, say},
            operation::{Content, Operation, Response, Tag, schema_of},
            parameter::{Allowed, CORPID, CURSOR, Parameter, limit, path, query},
            problem::{Code, Problem},
            route::{ADMIN, Route, ask_first},
        },
    },
    ids::{CorpId, DeliveryKey},
    inbox,
    media::StoreError,
    privacy::DataSubject,
    states::ErasureName,
    tables::{
        now,
        privacy::{
            customer_export as rows,
            customer_export::{ExportPosition, Whose},
        },
        records::media::{self, Fetched, MediaStatus},
    },
};

/// How many rows of a table an export holds, except records and deliveries; a table with more is reported as cut.
const TABLE_ROWS_MAX: i64 = 5_000;

/// How many records a page has.
pub(super) const RECORDS_MAX: usize = 500;

/// How many deliveries are searched for a page, since the inbox has no index by person.
const DELIVERIES_LOOKED: i64 = 10_000;

/// How many matching deliveries a page shows.
const DELIVERIES_MAX: usize = 200;

/// How many bytes of files a page holds, since it is built in memory. Further files are links.
const MEDIA_BYTES_MAX: u64 = 64 << 20;

/// The media type of an archive.
pub(super) const ARCHIVE: &str = "application/x-tar";

/// Where an export goes on.
enum Part {
    /// At its beginning.
    Tables,
    /// With records after this place.
    Records(Option<ExportPosition>),
    /// With deliveries after this one.
    Deliveries(Option<DeliveryKey>),
}

/// A page of an export, ready to be handed out.
pub(super) struct Export {
    page: Page,
    files: Vec<(String, Bytes)>,
    as_tar: bool,
}

/// A page of an export.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerExport")]
pub(super) struct Page {
    /// The corp.
    corpid: String,
    /// customer or person: by which id they were named.
    named_by: ErasureName,
    /// The business's id; null if they were named by WeCom's.
    customer_id: Option<String>,
    /// Under which ids WeCom knows them.
    external_userids: Vec<String>,
    /// Rows by table, as they stand there; on the first page.
    tables: Map<String, Value>,
    /// Tables with more rows than are shown.
    cut_short: Vec<String>,
    /// What passed between them and us.
    records: Vec<Value>,
    /// The files of these records: in the archive under `file`, or to be fetched from `url`.
    media: Vec<File>,
    /// What WeCom sent that mentions them, as it was sent.
    deliveries: Vec<inbox::DeliveryView>,
    /// What to ask for next; null on the last page.
    next_cursor: Option<String>,
}

/// A file of a record.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportedFile")]
struct File {
    /// What the record calls it.
    media_id: String,
    /// fetched, or not_kept: it was never there, or is gone.
    state: &'static str,
    /// The rest is there if it was fetched.
    #[serde(flatten)]
    fetched: Option<FetchedFile>,
}

/// A file that is there.
#[derive(Debug, Serialize, JsonSchema)]
struct FetchedFile {
    /// Its media type.
    content_type: String,
    /// What its sender called it.
    filename: Option<String>,
    /// How long it is.
    bytes: i64,
    /// Its SHA-256, in hexadecimal.
    sha256: String,
    /// Its name in the archive; null if it is not in it.
    file: Option<String>,
    /// Where it is handed out.
    url: String,
}

pub(super) const WHOM: Parameter = path(
    "id",
    Allowed::Text("C-9001"),
    "The business's id of a customer, or WeCom's external_userid of somebody.",
    "业务客户编号，或企业微信的 external_userid。",
);

/// Where an archive goes on.
const NEXT: &[(&str, Text)] =
    &[("x-next-cursor", say("Where an archive goes on, if it does.", "归档的下一页起点（如有）。"))];

pub(super) const EXPORT: Route = Route {
    id: "customerExport",
    method: "GET",
    path: "/api/enterprise-wechat/customers/{id}/export",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(hand_out),
    operation: Operation {
        about: say(
            "PIPL, article 45. Rows of every table first, then records, then what WeCom sent, page by page: a page may be empty \
             and go on all the same. As an archive, files of records are in it, up to 64 MiB a page; others are links.",
            "个人信息保护法第四十五条。依次为各表数据、联系记录、企业微信推送的原文，分页返回，某页可能为空但仍有下一页。\
             归档格式每页最多包含 64 MiB 的文件，其余为链接。",
        ),
        path: Some(WHOM),
        query: &[
            query(
                "format",
                Allowed::OneOf(|| vec!["json", "tar"]),
                "As JSON, or as an archive with the files.",
                "JSON，或包含文件的 tar 归档。",
            ),
            limit(RECORDS_MAX, RECORDS_MAX),
            CURSOR,
            CORPID,
        ],
        answers: &[
            Response::new(200, "A page.", "一页。", Content::JsonOrArchive(schema_of::<Page>, ARCHIVE)).with(NEXT)
        ],
        codes: &[Code::CustomerUnknown, Code::MediaUnavailable],
        ..Operation::new(Tag::Customers, "Export everything that is held about somebody", "导出某人的全部信息")
    },
};

async fn hand_out(call: &Call<'_>) -> Result<Asked, Refused> {
    let mut params = call.params()?;
    let as_tar = match params.take("format").as_deref() {
        None | Some("json") => false,
        Some("tar") => true,
        Some(_) => return Err(Problem::parameter("format", ("must be json or tar", "须为 json 或 tar")).into()),
    };
    let paging = Paging::take_up_to(&mut params, RECORDS_MAX, RECORDS_MAX)?;
    let corpid = params.take("corpid");
    params.finish()?;
    let found = ask(call, as_tar, &paging, corpid.as_deref()).await;
    About::customer(call.id).then(found, |found, _, _| Box::pin(async { export(found) }))
}

async fn ask(call: &Call<'_>, as_tar: bool, paging: &Paging, corpid: Option<&str>) -> Result<Export, Problem> {
    let mut conn = call.admin.pool.acquire().await?;
    let corpid = corp::of_parameter(&mut conn, corpid).await?;
    let found = subject(&mut conn, corpid, call.id).await?;
    let part = paging.after(Part::read)?.unwrap_or(Part::Tables);
    let mut page = Page::of(&found);
    page.fill(&mut conn, &found, part, paging.fetch()).await?;
    let named: Vec<_> = page.records.iter().filter_map(|it| it["media_id"].as_str().map(str::to_owned)).collect();
    let mut kept = Vec::new();
    for media_id in named {
        kept.push((media::standing(&mut conn, &media_id).await?, media_id));
    }
    drop(conn);
    let mut files = Vec::new();
    let mut room = if as_tar { MEDIA_BYTES_MAX } else { 0 };
    for (standing, media_id) in kept {
        let file = match standing {
            Some(MediaStatus::Fetched(file)) => file,
            _ => {
                page.media.push(File { media_id, state: "not_kept", fetched: None });
                continue;
            }
        };
        let bytes = read(call, &file, &mut room).await?;
        page.media.push(described(media_id, &file, bytes.is_some()));
        files.extend(bytes.map(|it| (file_in_archive(&file), it)));
    }
    Ok(Export { page, files, as_tar })
}

/// Answers with the export, which is handed out only with its line in the access log.
fn export(export: Export) -> Result<Answer, Problem> {
    let Export { page, files, as_tar } = export;
    if !as_tar {
        return Answer::ok(page);
    }
    let next_cursor = page.next_cursor.clone();
    let mut archive = tar::Builder::new(Vec::new());
    let text = serde_json::to_vec_pretty(&page).map_err(Problem::internal)?;
    add(&mut archive, "customer.json", &text)?;
    for (name, bytes) in &files {
        add(&mut archive, name, bytes)?;
    }
    let bytes = archive.into_inner().map_err(Problem::internal)?;
    let mut answer = Answer::file(200, ARCHIVE.to_owned(), bytes.into());
    answer.headers.push(("content-disposition", "attachment; filename=\"customer.tar\"".to_owned()));
    answer.headers.extend(next_cursor.map(|cursor| ("x-next-cursor", cursor)));
    Ok(answer)
}

/// Whose data the path's id means.
pub(super) async fn subject(conn: &mut PgConnection, corpid: CorpId, id: &str) -> Result<DataSubject, Problem> {
    DataSubject::find(conn, corpid, id).await?.ok_or_else(|| {
        let hint = (
            "name a customer by your own id, or a person by their external_userid",
            "请给出客户的业务编号，或某人的 external_userid",
        );
        Problem::new(Code::CustomerUnknown, hint).at("id")
    })
}

impl Part {
    fn write(&self) -> String {
        match self {
            Self::Tables => "t".to_owned(),
            Self::Records(None) => "r".to_owned(),
            Self::Records(Some((at, id))) => format!("r{},{id}", at.timestamp_micros()),
            Self::Deliveries(None) => "d".to_owned(),
            Self::Deliveries(Some(key)) => format!("d{key}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("t", "") => Some(Self::Tables),
            ("r", "") => Some(Self::Records(None)),
            ("r", place) => {
                let (at, id) = place.split_once(',')?;
                let at = chrono::DateTime::from_timestamp_micros(at.parse().ok()?)?;
                Some(Self::Records(Some((at, id.parse().ok()?))))
            }
            ("d", "") => Some(Self::Deliveries(None)),
            ("d", key) => Some(Self::Deliveries(Some(key.parse().ok()?))),
            _ => None,
        }
    }
}

impl Page {
    fn of(found: &DataSubject) -> Self {
        Self {
            corpid: found.corpid.0.clone(),
            named_by: found.named_by(),
            customer_id: found.customer.clone(),
            external_userids: found.persons.clone(),
            tables: Map::new(),
            cut_short: Vec::new(),
            records: Vec::new(),
            media: Vec::new(),
            deliveries: Vec::new(),
            next_cursor: None,
        }
    }

    async fn fill(
        &mut self,
        conn: &mut PgConnection,
        found: &DataSubject,
        part: Part,
        fetch: i64,
    ) -> Result<(), Problem> {
        let whose = Whose { corpid: &found.corpid, customer: found.customer.as_deref(), persons: &found.persons };
        let next = match part {
            Part::Tables => {
                self.tables = rows::rows(conn, &whose, TABLE_ROWS_MAX).await?;
                let full = |rows: &Value| rows.as_array().is_some_and(|it| it.len() as i64 >= TABLE_ROWS_MAX);
                self.cut_short = self.tables.iter().filter(|(_, it)| full(it)).map(|(name, _)| name.clone()).collect();
                Some(Part::Records(None))
            }
            Part::Records(after) => {
                let mut records = rows::records(conn, &whose, after, fetch).await?;
                let more = records.len() as i64 >= fetch;
                records.truncate(usize::try_from(fetch - 1).unwrap_or(RECORDS_MAX));
                let last = records.last().map(|it| it.place).filter(|_| more);
                self.records = records.into_iter().map(|it| it.row).collect();
                Some(last.map_or(Part::Deliveries(None), |place| Part::Records(Some(place))))
            }
            Part::Deliveries(after) => self.deliveries(conn, found, after).await?.map(|it| Part::Deliveries(Some(it))),
        };
        self.next_cursor = next.map(|it| crate::admin::reading::cursor::seal(&it.write()));
        Ok(())
    }

    /// The person's deliveries in the next section of the inbox. A section without any does not end the export.
    async fn deliveries(
        &mut self,
        conn: &mut PgConnection,
        found: &DataSubject,
        after: Option<DeliveryKey>,
    ) -> Result<Option<DeliveryKey>, Problem> {
        if found.persons.is_empty() {
            return Ok(None);
        }
        let until = now(conn).await?;
        let looked = inbox::mentions(conn, after.as_ref(), until, &found.persons, DELIVERIES_LOOKED).await?;
        let cut = looked.mentioning.len() > DELIVERIES_MAX;
        for key in looked.mentioning.iter().take(DELIVERIES_MAX) {
            self.deliveries.extend(inbox::show(conn, key).await?);
        }
        Ok(if cut { looked.mentioning.into_iter().nth(DELIVERIES_MAX - 1) } else { looked.last })
    }
}

/// A file's bytes, if they fit into the page.
async fn read(call: &Call<'_>, file: &Fetched, room: &mut u64) -> Result<Option<Bytes>, Problem> {
    let length = u64::try_from(file.bytes).map_err(Problem::internal)?;
    if length > *room {
        return Ok(None);
    }
    match call.admin.media.read(&file.location, 0..length).await {
        Ok(bytes) => {
            *room -= length;
            Ok(Some(bytes))
        }
        Err(StoreError::Missing) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn described(media_id: String, file: &Fetched, in_archive: bool) -> File {
    let fetched = FetchedFile {
        content_type: file.content_type.clone(),
        filename: file.filename.clone(),
        bytes: file.bytes,
        sha256: hex::encode(&file.sha256),
        file: in_archive.then(|| file_in_archive(file)),
        url: super::media::url(&media_id),
    };
    File { media_id, state: "fetched", fetched: Some(fetched) }
}

/// Named by its hash: no name from outside becomes a path.
fn file_in_archive(file: &Fetched) -> String {
    format!("media/{}", hex::encode(&file.sha256))
}

fn add(archive: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) -> Result<(), Problem> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, bytes).map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_export_cursor_reads_back_as_written() {
        let key = DeliveryKey { event_at: chrono::DateTime::UNIX_EPOCH, app_id: 7, hash: [9; 32] };
        let at = chrono::DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("in range");
        for part in [
            Part::Tables,
            Part::Records(None),
            Part::Records(Some((at, uuid::Uuid::max()))),
            Part::Deliveries(None),
            Part::Deliveries(Some(key)),
        ] {
            assert_eq!(Part::read(&part.write()).expect("ours").write(), part.write());
        }
        for foreign in ["", "x", "r1", "dx", "t1", "中"] {
            assert!(Part::read(foreign).is_none(), "{foreign}");
        }
    }
}
