//! `departments`: the departments of the directory, as far as an app sees them.

use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Call},
        },
        reading::cursor::{Page, Paging},
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{Allowed, CURSOR, limit, query},
            problem::Problem,
            route::{Route, VIEWER, by_path},
        },
    },
    tables::company::department::{self, DepartmentView},
};

/// How many departments a page has by default, and at most: a tree is drawn from all of them.
const PAGE_DEFAULT: usize = 1_000;
pub(super) const PAGE_MAX: usize = 5_000;

pub(super) const LIST: Route = Route {
    id: "departmentList",
    method: "GET",
    path: "/api/enterprise-wechat/departments",
    access: VIEWER,
    scoped: Scoped::Corp,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say(
            "From callbacks and reconciling. A department's parent may be missing: the app sees only what its visible scope \
             holds.",
            "来自回调和对账。上级部门可能缺失：应用只能看到可见范围内的部门。",
        ),
        query: &[
            query("corpid", Allowed::Text("ww5a8ad9d513d80a5b"), "Only those of this corp.", "企业 ID。"),
            limit(PAGE_DEFAULT, PAGE_MAX),
            CURSOR,
        ],
        answers: &[Response::json::<Page<DepartmentView>>(200, "A page of departments.", "一页部门。")],
        ..Operation::new(Tag::Staff, "List departments", "列出部门")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let corpid = params.take("corpid");
    let paging = Paging::take_up_to(&mut params, PAGE_DEFAULT, PAGE_MAX)?;
    params.finish()?;
    let after = paging.after(read_key)?;
    let rows = match (call.own(), corpid) {
        (Some(own), Some(corpid)) if corpid != own.corpid.0 => Vec::new(),
        (Some(own), _) => department::list(conn, Some(own.corpid.as_str()), after, paging.fetch()).await?,
        (None, corpid) => department::list(conn, corpid.as_deref(), after, paging.fetch()).await?,
    };
    Answer::ok(paging.page(rows, |row| format!("{},{}", row.id, row.corpid)))
}

fn read_key(key: &str) -> Option<(String, i64)> {
    let (id, corpid) = key.split_once(',')?;
    Some((corpid.to_owned(), id.parse().ok()?))
}
