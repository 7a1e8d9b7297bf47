//! `customers`: the right to a copy of one's data and to its deletion. 个人信息保护法: 查阅、复制 (article 45), 删除 (article 47).
//!
//! The path's id is either the business's id of a customer, who may be several external contacts, or WeCom's id of
//! one: an `external_userid` that is no customer's id. The bytes of files are read before the request's transaction,
//! since the store may be slow.

use crate::states::ErasureName;
use crate::states::ErasureState;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Outcome, Refused},
        },
        reading::{
            corp,
            cursor::{self, Paging},
        },
        spec::{
            language::{Text, say},
            operation::{Content, Operation, Response, Tag, schema_of},
            parameter::{Allowed, CORPID, CURSOR, LIMIT, Parameter, limit, path, query},
            problem::{Code, Problem},
            route::{ADMIN, Route, ask_first, by_path, now},
        },
    },
    ids::{CorpId, DeliveryKey, ExternalUserId},
    inbox,
    media::StoreError,
    privacy,
    tables::{
        apply,
        customers::matching,
        now,
        privacy::{
            customer_export as rows,
            customer_export::{ExportPosition, Whose},
            erase::{self, Whom},
            erased_person, erasure,
        },
        records::media::{self, Fetched, MediaStatus},
        staff::member_alias,
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

/// What stands for somebody who was erased, before its random digits.
const LABEL: &str = "erased-";

/// What erasing leaves, and why.
const KEPT: [&str; 2] = [
    "access_log: who looked at whose data, for as long as retention.access_log_months says 访问日志按保存期限保留",
    "backups: they hold what was there when they were made, until they are rotated out 备份在轮换后消失",
];

/// Who is meant by a path.
struct Found {
    corpid: CorpId,
    /// The business's id, if it is one.
    customer: Option<String>,
    /// The people outside.
    persons: Vec<String>,
}

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

/// What an erasure did at once.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Erased {
    /// How far it is.
    erasure: erasure::ErasureView,
    /// How many people outside were erased.
    people: usize,
    /// Customers of the business whose orders stay, because a person was named and not them.
    customers_left: Vec<String>,
    /// What is kept all the same, and why.
    kept: [&'static str; 2],
}

const WHOM: Parameter = path(
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
    let found = people(call.id, corpid, &mut conn).await?;
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

pub(super) const ERASE: Route = Route {
    id: "customerErase",
    method: "DELETE",
    path: "/api/enterprise-wechat/customers/{id}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(remove),
    operation: Operation {
        about: say(
            "PIPL, article 47. All tables at once; deliveries and files within moments. It cannot be undone.",
            "个人信息保护法第四十七条。各表立即删除，推送原文和文件随后清除。不可撤销。",
        ),
        path: Some(WHOM),
        query: &[CORPID],
        answers: &[
            Response::json::<Erased>(200, "Nothing is left to do.", "已全部完成。"),
            Response::json::<Erased>(202, "The rest follows.", "其余部分随后完成。"),
        ],
        codes: &[Code::CustomerUnknown],
        ..Operation::new(Tag::Customers, "Erase somebody", "删除某人的信息")
    },
};

/// Erases somebody: the tables now, the inbox and the files in a moment.
pub(super) async fn remove(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let named = params.take("corpid");
    params.finish()?;
    let corpid = corp::of_parameter(conn, named.as_deref()).await?;
    apply::lock_alone(conn, &corpid).await?;
    let found = people(call.id, corpid, conn).await?;
    let left = match (&found.customer, found.persons.as_slice()) {
        (None, [person, ..]) => erase::customers_of(conn, &found.corpid, person).await?,
        _ => Vec::new(),
    };
    let begun = erasure::New {
        corpid: &found.corpid,
        named_by: found.named_by(),
        asked_by: call.who(),
        token_id: call.caller.and_then(|it| it.token_id),
        request_id: call.request.request_id,
        persons: &found.persons,
    };
    let (id, erased_at) = erasure::begin(conn, &begun).await?;
    let whom = Whom {
        customer: found.customer.map(|customer| (customer, label())),
        labels: found.persons.iter().map(|_| label()).collect(),
        persons: found.persons,
        corpid: found.corpid,
    };
    let counts = privacy::erase(conn, &whom, id).await?;
    erased_person::set(conn, &whom.corpid, &whom.persons, id, erased_at).await?;
    erasure::note(conn, id, &Value::Object(counts)).await?;
    if whom.persons.is_empty() {
        erasure::finish(conn, id).await?;
    }
    let erasure = erasure::list(conn, Some(id), None, 1).await?.pop();
    let erasure = erasure.ok_or_else(|| Problem::internal("an erasure that was begun is gone"))?;
    let status = if erasure.state == ErasureState::Done { 200 } else { 202 };
    // Keep the erased id out of this audit line too.
    About::thing(format!("erasure:{id}"))
        .answers(Answer::new(status, Erased { erasure, people: whom.persons.len(), customers_left: left, kept: KEPT }))
}

pub(super) const ERASURES: Route = Route {
    id: "erasureList",
    method: "GET",
    path: "/api/enterprise-wechat/erasures",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(erasures),
    operation: Operation {
        about: say(
            "Who asked for them and how far they are, not who was erased.",
            "谁要求的、进行到哪里，不含被删除的人。",
        ),
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<cursor::Page<erasure::ErasureView>>(200, "A page of erasures.", "一页删除记录。")],
        ..Operation::new(Tag::Customers, "List erasures", "列出删除记录")
    },
};

/// Lists erasures: who asked for them and how far they are, not who was erased.
pub(super) async fn erasures(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let before = paging.after(|key| key.parse().ok())?;
    let rows = erasure::list(conn, None, before, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const SHOW_ERASURE: Route = Route {
    id: "erasureShow",
    method: "GET",
    path: "/api/enterprise-wechat/erasures/{id}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(erasure),
    operation: Operation {
        path: Some(path("id", Allowed::Number, "The erasure's number.", "编号。")),
        answers: &[Response::json::<erasure::ErasureView>(200, "How far it is.", "进度。")],
        codes: &[Code::ErasureUnknown],
        ..Operation::new(Tag::Customers, "Show an erasure", "查看删除记录")
    },
};

/// Shows one.
pub(super) async fn erasure(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let unknown =
        || Problem::new(Code::ErasureUnknown, ("look for it in `GET erasures`", "可用 `GET erasures` 查找")).at("id");
    let id = call.id.parse().map_err(|_| unknown())?;
    Answer::ok(erasure::list(conn, Some(id), None, 1).await?.pop().ok_or_else(unknown)?)
}

/// The people that an id means: those matched to a customer, or one by WeCom's id; and whoever has the same unionid, who
/// is the same person under another id.
async fn people(id: &str, corpid: CorpId, conn: &mut PgConnection) -> Result<Found, Problem> {
    let matched = erase::people_of(conn, &corpid, id).await?;
    let is_customer = !matched.is_empty() || erase::is_known(conn, &corpid, id).await?;
    let is_person = ExternalUserId::from_sender(id).is_some() && !member_alias::is_member(conn, &corpid, id).await?;
    let (customer, persons) = match is_customer {
        true => (Some(id.to_owned()), matched),
        false if is_person => (None, vec![id.to_owned()]),
        false => {
            let hint = (
                "name a customer by your own id, or a person by their external_userid",
                "请给出客户的业务编号，或某人的 external_userid",
            );
            return Err(Problem::new(Code::CustomerUnknown, hint).at("id"));
        }
    };
    let people = persons.iter().map(|it| (corpid.clone(), ExternalUserId(it.clone()))).collect();
    let same = matching::with_same_unionid(conn, &people).await?;
    // The one who was named comes first.
    let mut persons = persons;
    for (_, person) in same {
        if !persons.contains(&person.0) {
            persons.push(person.0);
        }
    }
    Ok(Found { corpid, customer, persons })
}

impl Found {
    fn named_by(&self) -> ErasureName {
        if self.customer.is_some() { ErasureName::Customer } else { ErasureName::Person }
    }
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
    fn of(found: &Found) -> Self {
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

    async fn fill(&mut self, conn: &mut PgConnection, found: &Found, part: Part, fetch: i64) -> Result<(), Problem> {
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
        found: &Found,
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

fn label() -> String {
    format!("{LABEL}{}", hex::encode(rand::random::<[u8; 8]>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_an_export_reads_back() {
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
