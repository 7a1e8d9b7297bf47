//! `contact-records`: a customer's messages and events, latest first, by type and time; and hand-written records of
//! what WeCom did not see.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    customer_contact::check_known,
    group_chats::{self, CHAT_ID},
    media::{Link, Links},
};
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging},
            own::{not_bound, sees},
            time::take_time,
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, now},
        },
    },
    check,
    ids::{CustomerId, StaffId, UserId},
    states::{ContactType, RecordSource},
    tables::{
        self,
        groups::group_chat,
        records::{
            conversation::{self, Filter, Order, Talk},
            wechat_contact_record::{self, ByHand, RecordPosition, RecordView},
        },
        staff::staff_wechat_bind,
    },
};

/// How long a record that is written by hand may be.
const CONTENT_BYTES_MAX: usize = 8_192;

/// How far ahead of the database's clock its time may lie.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// A record to add.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewContactRecord")]
pub(super) struct RecordBody {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// The customer.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    customer_id: String,
    /// Who was in contact with the customer.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: Option<String>,
    /// When; now, if it is left out.
    contact_time: Option<DateTime<Utc>>,
    /// What was said or done.
    #[schemars(length(min = 1, max = CONTENT_BYTES_MAX))]
    content: String,
}

const CUSTOMER: Parameter = path(
    "customerId",
    Allowed::Text("C-9001"),
    "The business's id of a matched customer, or WeCom's external_userid.",
    "已匹配客户的业务编号，或企业微信的 external_userid。",
);

pub(super) const LIST: Route = Route {
    id: "contactRecordsList",
    method: "GET",
    path: "/api/enterprise-wechat/contact-records/{customerId}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(list),
    operation: Operation {
        about: say(
            "One conversation from all channels: apps, WeChat customer service, the session archive, groups, and what was written down by \
             hand. With `order=earliest` and `from` pages go forward from that moment, with `to` alone they go back. \
             Callers who see their own alone get all talk of customers whom they know today or have an open order of, and \
             of groups only what was said in those that they are in.",
            "汇集所有渠道的一条时间线：应用、微信客服、会话存档、客户群和手工补录。`order=earliest` 加 `from` 向后翻页，只给 `to` \
             向前翻页。仅限本人数据的调用者可看到自己现有客户及未完成工单客户的全部往来；群消息仅限自己所在的群。",
        ),
        path: Some(CUSTOMER),
        query: QUERY,
        answers: &[Response::json::<Page<RecordWithMedia>>(200, "A page of records.", "一页记录。")],
        ..Operation::new(Tag::Customers, "List what passed between a customer and us", "列出联系记录")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let wanted = RecordQuery::read(call)?;
    let about = About::customer(call.id);
    about.answers(wanted.answer(conn, &Talk::Customer(call.id.to_owned())).await)
}

pub(super) const OF_GROUP: Route = Route {
    id: "groupChatRecords",
    method: "GET",
    path: "/api/enterprise-wechat/group-chats/{chat_id}/records",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(of_group),
    operation: Operation {
        about: say(
            "What the session archive has of the group. Callers who see their own alone must be in it.",
            "会话存档中该群的消息。仅限本人数据的调用者须在群中。",
        ),
        path: Some(CHAT_ID),
        query: QUERY,
        answers: &[Response::json::<Page<RecordWithMedia>>(200, "A page of records.", "一页记录。")],
        codes: &[Code::GroupChatUnknown],
        ..Operation::new(Tag::Customers, "List what was said in a customer group", "列出客户群的消息")
    },
};

async fn of_group(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let wanted = RecordQuery::read(call)?;
    let answer = async {
        let group = group_chat::find(conn, call.id, call.own()).await?.ok_or_else(group_chats::unknown)?;
        let talk = Talk::Group { corpid: group.corpid, chat_id: group.chat_id };
        wanted.answer(conn, &talk).await
    };
    call.about_path().answers(answer.await)
}

pub(super) const TYPE: Parameter =
    query("type", Allowed::OneOf(|| ContactType::WORDS.to_vec()), "Only of this type.", "记录类型。");

pub(super) const SOURCE: Parameter =
    query("source", Allowed::OneOf(|| RecordSource::WORDS.to_vec()), "Only from this source.", "记录来源。");

pub(super) const CHAT: Parameter = query(
    "chat_id",
    Allowed::Text("wrEXAMPLE0000000000000000000001"),
    "Only of this group or 微信客服 account.",
    "客户群 ID 或客服账号 ID。",
);

pub(super) const SENDER: Parameter = query(
    "sender",
    Allowed::Text("sunchao"),
    "Only what this member or customer said or did.",
    "发送者：userid 或 external_userid。",
);

pub(super) const FROM: Parameter = query("from", Allowed::Time, "From then on.", "起始时间（含）。");

pub(super) const TO: Parameter = query("to", Allowed::Time, "Before then.", "截止时间（不含）。");

/// How a list of records may be narrowed.
const QUERY: &[Parameter] = &[
    TYPE,
    SOURCE,
    CHAT,
    SENDER,
    query("q", Allowed::Text("漏水"), "Only those whose content contains this text.", "内容包含的文字。"),
    FROM,
    TO,
    query(
        "order",
        Allowed::OneOf(|| vec!["latest", "earliest"]),
        "Latest first, which is the default, or earliest first.",
        "排序：latest 倒序（默认），earliest 正序。",
    ),
    LIMIT,
    CURSOR,
];

/// What is asked of a conversation.
struct RecordQuery {
    filter: Filter,
    paging: Paging,
}

impl RecordQuery {
    fn read(call: &Call<'_>) -> Result<Self, Problem> {
        let mut params = call.params()?;
        let filter = Filter {
            contact_type: params.take_word("type")?,
            source: params.take_word("source")?,
            chat_id: params.take("chat_id"),
            sender: params.take("sender"),
            q: params.take("q"),
            from: take_time(&mut params, "from")?,
            to: take_time(&mut params, "to")?,
            order: match params.take("order").as_deref() {
                Some("earliest") => Order::Earliest,
                _ => Order::Latest,
            },
            after: None,
            own: call.own().cloned(),
        };
        let paging = Paging::take(&mut params)?;
        params.finish()?;
        let after = paging.after(read_key)?;
        Ok(Self { filter: Filter { after, ..filter }, paging })
    }

    async fn answer(&self, conn: &mut PgConnection, talk: &Talk) -> Result<Answer, Problem> {
        let paging = &self.paging;
        let rows = conversation::list(conn, talk, &self.filter, paging.fetch()).await?;
        let page = paging.page(rows, |row| write_key(row.contact_time, row.id, &row.corpid));
        Answer::ok(Page { items: with_media(conn, page.items).await?, next_cursor: page.next_cursor })
    }
}

/// The records, each with the link to its media.
pub(super) async fn with_media(
    conn: &mut PgConnection,
    records: Vec<RecordView>,
) -> Result<Vec<RecordWithMedia>, Problem> {
    let named = records.iter().filter_map(|row| Some((row.corpid.clone(), row.media_id.clone()?)));
    let links = Links::of(conn, named.collect()).await?;
    let with_link = |record: RecordView| {
        let media = record.media_id.as_deref().map(|media_id| links.link(&record.corpid, media_id));
        RecordWithMedia { record, media }
    };
    Ok(records.into_iter().map(with_link).collect())
}

/// A record, and where its picture, sound, film or file is handed out.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ContactRecordWithMedia")]
pub(super) struct RecordWithMedia {
    #[serde(flatten)]
    record: RecordView,
    /// Where its picture, sound, film or file is handed out; null if it has none.
    media: Option<Link>,
}

pub(super) const ADD: Route = Route {
    id: "contactRecordAdd",
    method: "POST",
    path: "/api/enterprise-wechat/contact-records",
    access: OPERATOR,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(add),
    operation: Operation {
        body: Some(RequestBody::of::<RecordBody>()),
        answers: &[Response::json::<wechat_contact_record::RecordView>(201, "The record.", "新增的记录。")],
        codes: &[Code::CustomerUnknown, Code::NotBound],
        ..Operation::new(Tag::Customers, "Add a record by hand", "手工补录联系记录")
    },
};

pub(super) async fn add(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let wanted: RecordBody = body::parse(&call.request.body)?;
    let about = About::customer(&wanted.customer_id);
    let answer = async {
        check::id("customer_id", &wanted.customer_id)?;
        check::prose("content", &wanted.content, CONTENT_BYTES_MAX)?;
        let now = tables::now(conn).await?;
        let contact_time = wanted.contact_time.unwrap_or(now);
        if contact_time > now + AHEAD_MAX {
            return Err(Problem::field("contact_time", ("must not lie in the future", "不得晚于当前时间")));
        }
        let corpid = corp::of_field_for(call, conn, wanted.corpid.as_deref()).await?;
        check_known(call, conn, &wanted.customer_id).await?;
        let own = call.own().map(|it| it.staff_id.0.clone());
        let user = match wanted.staff_id.or(own) {
            Some(staff) => {
                let staff = StaffId(staff);
                check::id("staff_id", staff.as_str())?;
                sees(call, &corpid, &staff)?;
                Some(staff_wechat_bind::user_of(conn, &corpid, &staff).await?.ok_or_else(not_bound)?)
            }
            None => None,
        };
        let record = ByHand {
            corpid: &corpid,
            id: Uuid::now_v7(),
            contact_time,
            customer: &CustomerId(wanted.customer_id),
            user: user.as_ref().map(UserId::as_str),
            writer: call.who(),
            content: &wanted.content,
        };
        Answer::new(201, wechat_contact_record::write(conn, &record).await?)
    };
    about.answers(answer.await)
}

pub(super) fn write_key(at: DateTime<Utc>, id: Uuid, corpid: &str) -> String {
    format!("{},{id},{corpid}", at.timestamp_micros())
}

pub(super) fn read_key(key: &str) -> Option<RecordPosition> {
    let mut parts = key.splitn(3, ',');
    let at = DateTime::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    Some((at, parts.next()?.parse().ok()?, parts.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_cursor_keeps_microseconds() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("in range");
        assert_eq!(read_key(&write_key(at, Uuid::max(), "ww1")), Some((at, Uuid::max(), "ww1".to_owned())));
        for foreign in ["", "1", "1,2", ",", "9223372036854775807,00000000-0000-0000-0000-000000000000,ww1"] {
            assert_eq!(read_key(foreign), None, "{foreign}");
        }
    }
}
