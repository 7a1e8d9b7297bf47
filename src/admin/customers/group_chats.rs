//! `group-chats`: the customer groups, who owns them, and who is or was in them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Call},
        },
        reading::cursor::{Page, Paging, fetch},
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{Route, VIEWER, by_path},
        },
    },
    ids::UserId,
    tables::groups::{
        group_chat::{self, Filter, GroupPosition, GroupRow},
        group_member::{self, MemberView},
    },
};

/// How many people of one group are shown: WeCom allows 500 at once, and some have left.
const PEOPLE_MAX: usize = 2_000;

/// A group, and the people in it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "GroupChatWithPeople")]
pub(super) struct GroupView {
    #[serde(flatten)]
    group: GroupRow,
    /// Its notice; null if it has none.
    notice: Option<String>,
    /// The members who administer it.
    admins: Vec<UserId>,
    /// Who is in it, then who was; at most 2,000.
    people: Vec<MemberView>,
    /// Whether there are more people than are shown.
    more: bool,
}

pub(super) const CHAT_ID: Parameter =
    path("chat_id", Allowed::Text("wrEXAMPLE0000000000000000000001"), "WeCom's id of the group.", "客户群 ID。");

pub(super) const LIST: Route = Route {
    id: "groupChatList",
    method: "GET",
    path: "/api/enterprise-wechat/group-chats",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say(
            "Latest first. Callers who see their own alone see the groups that they own or are in.",
            "按创建时间倒序。仅限本人数据的调用者只能看到自己为群主或身在其中的群。",
        ),
        query: &[
            query("corpid", Allowed::Text("ww5a8ad9d513d80a5b"), "Only those of this corp.", "企业 ID。"),
            query("owner", Allowed::Text("sunchao"), "Only those that this member owns.", "群主的 userid。"),
            query(
                "member",
                Allowed::Text("wmEXAMPLE000000000000000000002"),
                "Only those that this member or customer is in: a userid or an external_userid.",
                "群成员：userid 或 external_userid。",
            ),
            query("name", Allowed::Text("维修"), "Only those whose name contains this text.", "群名包含的文字。"),
            query(
                "dismissed",
                Allowed::OneOf(|| vec!["true", "false"]),
                "Only those that were dissolved, or only those that were not.",
                "是否已解散。",
            ),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<GroupRow>>(200, "A page of groups.", "一页客户群。")],
        ..Operation::new(Tag::Customers, "List customer groups", "列出客户群")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let filter = Filter {
        chat_id: None,
        corpid: params.take("corpid"),
        owner: params.take("owner"),
        member: params.take("member"),
        name: params.take("name"),
        dismissed: params.take("dismissed").map(|it| it == "true"),
        own: call.own().cloned(),
        after: None,
    };
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = Filter { after: paging.after(read_key)?, ..filter };
    let rows = group_chat::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| write_key(row.made_at, &row.corpid, &row.chat_id)))
}

pub(super) const SHOW: Route = Route {
    id: "groupChatShow",
    method: "GET",
    path: "/api/enterprise-wechat/group-chats/{chat_id}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        path: Some(CHAT_ID),
        answers: &[Response::json::<GroupView>(200, "The group.", "客户群。")],
        codes: &[Code::GroupChatUnknown],
        ..Operation::new(Tag::Customers, "Show a customer group, and who is or was in it", "查看客户群及其成员")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let group = group_chat::find(conn, call.id, call.own()).await?.ok_or_else(unknown)?;
    let card = group_chat::card(conn, &group.corpid, &group.chat_id).await?.unwrap_or_default();
    let mut people = group_member::of_group(conn, &group.corpid, &group.chat_id, call.own(), fetch(PEOPLE_MAX)).await?;
    let more = people.len() > PEOPLE_MAX;
    people.truncate(PEOPLE_MAX);
    Answer::ok(GroupView { group, notice: card.notice, admins: card.admins, people, more })
}

pub(super) fn unknown() -> Problem {
    let detail = ("list them with `GET group-chats` to see which there are", "可用 `GET group-chats` 查看已知的客户群");
    Problem::new(Code::GroupChatUnknown, detail)
}

fn write_key(made_at: Option<DateTime<Utc>>, corpid: &str, chat: &str) -> String {
    let at = made_at.map(|it| it.timestamp_micros().to_string()).unwrap_or_default();
    format!("{at},{chat},{corpid}")
}

fn read_key(key: &str) -> Option<GroupPosition> {
    let mut parts = key.splitn(3, ',');
    let at = match parts.next()? {
        "" => None,
        at => Some(DateTime::from_timestamp_micros(at.parse().ok()?)?),
    };
    let chat = parts.next()?.to_owned();
    Some((at, parts.next().filter(|it| !it.contains('\0'))?.to_owned(), chat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_cursor_keeps_a_time_or_none_and_refuses_others() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("in range");
        for made_at in [Some(at), None] {
            let key = write_key(made_at, "ww1", "wr1");
            assert_eq!(read_key(&key), Some((made_at, "ww1".to_owned(), "wr1".to_owned())));
        }
        for foreign in ["", "1", "x,wr1,ww1", ",wr1", ",wr1,ww\0"] {
            assert_eq!(read_key(foreign), None, "{foreign}");
        }
    }
}
