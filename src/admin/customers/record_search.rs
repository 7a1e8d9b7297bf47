//! `contact-records?q=…`: records of all customers, by what they say.

use serde::Serialize;
use sqlx::PgConnection;

use super::contact_records::{CHAT, FROM, RecordWithMedia, SENDER, SOURCE, TO, TYPE, read_key, with_media, write_key};
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Call},
        },
        reading::{
            cursor::{Paging, seal},
            time::take_time,
        },
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter},
            problem::Problem,
            route::{Route, VIEWER, by_path},
        },
    },
    tables::records::{conversation, record_search, search, search_terms},
};

/// How long a text to find may be.
const TEXT_CHARS_MAX: usize = 100;

/// What was found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "FoundContactRecords")]
struct FoundPage {
    /// The records, latest first; those without a time last. A page may hold fewer than `limit`, or none, and have a next
    /// one.
    items: Vec<RecordWithMedia>,
    /// What to ask for next; null on the last page.
    next_cursor: Option<String>,
    /// Whether the records of before the upgrade that brought this search are all found. They are made findable in the
    /// background, latest first.
    complete: bool,
}

pub(super) const FIND: Route = Route {
    id: "contactRecordsFind",
    method: "GET",
    path: "/api/enterprise-wechat/contact-records",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(find),
    operation: Operation {
        about: say(
            "Among all conversations, latest first. A record is found some seconds after it was recorded. Callers who see \
             their own alone find what they may read.",
            "在全部往来中查找，按时间倒序。新记录在数秒后即可找到。仅限本人数据的调用者只能找到自己可读的记录。",
        ),
        query: &[
            Parameter {
                name: "q",
                value: Allowed::Text("漏水"),
                about: say(
                    "The text to find, of two characters or more. Case, and how much space is between words, does not count.",
                    "要查找的文字，至少两个字符；不区分大小写与空白多少。",
                ),
                required: true,
            },
            TYPE,
            SOURCE,
            CHAT,
            SENDER,
            FROM,
            TO,
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<FoundPage>(200, "A page of records.", "一页记录。")],
        ..Operation::new(Tag::Customers, "Find records by what they say", "按内容查找联系记录")
    },
};

async fn find(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let text = params.take("q").unwrap_or_default();
    let filter = conversation::Filter {
        contact_type: params.take_word("type")?,
        source: params.take_word("source")?,
        chat_id: params.take("chat_id"),
        sender: params.take("sender"),
        from: take_time(&mut params, "from")?,
        to: take_time(&mut params, "to")?,
        own: call.own().cloned(),
        ..conversation::Filter::default()
    };
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    check_text(&text)?;
    let filter = conversation::Filter { after: paging.after(read_key)?, ..filter };
    let complete = record_search::progress(conn).await?.backfilled;
    let found = search::find(conn, &text, &filter, paging.limit()).await?;
    let next_cursor = found.next.map(|(at, id, corpid)| seal(&write_key(at, id, &corpid)));
    Answer::ok(FoundPage { items: with_media(conn, found.records).await?, next_cursor, complete })
}

fn check_text(text: &str) -> Result<(), Problem> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Problem::parameter(
            "q",
            (
                format!("must not be longer than {TEXT_CHARS_MAX} characters"),
                format!("不得超过 {TEXT_CHARS_MAX} 个字符"),
            ),
        ));
    }
    if search_terms::pairs(text).is_empty() {
        return Err(Problem::parameter(
            "q",
            ("needs two characters that stand side by side", "须含至少两个相邻的字符"),
        ));
    }
    Ok(())
}
