//! `routes.md`: every route of the admin API, from its OpenAPI document.
//!
//! It knows only the document, not how it is made.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::{Map, Value};

use super::{
    Sources,
    body::{fields, kind},
    configuration::columns,
    markdown::{Page, code, codes},
};
use crate::app::api;

/// The media type of problems.
const PROBLEM: &str = "application/problem+json";

/// The role of routes that need no token.
const PUBLIC: &str = "public";

/// An operation with its place in the document.
struct Operation<'a> {
    method: String,
    path: &'a str,
    said: &'a Value,
}

pub(super) fn page(sources: &Sources) -> anyhow::Result<String> {
    let document = api::document(sources.language);
    let operations = operations(&document)?;
    let base = base(&operations);
    let common = common_codes(&document, &operations);
    let mut page = Page::new(sources, "routes.md", "Routes of the admin API", "管理接口");
    page.paragraph(&format!(
        "{} `{base}`{}",
        sources.say("All paths begin with", "所有路径均以"),
        sources.say(".", " 开头。")
    ));
    page.paragraph(sources.say(
        "`wecomd openapi` prints the same as an OpenAPI 3.1 document, with every field of the answers and with examples; the running program shows it at `/docs`. A role may do what the roles before it may: `viewer`, `operator`, `admin`. The column *own only* says what a caller gets who sees their own customers and orders alone: `own`, their own; `caller`, what is about themselves; `closed`, nothing. The role `public` needs no token.",
        "`wecomd openapi` 以 OpenAPI 3.1 文档输出同样的内容,并含应答的每个字段和示例;运行中的程序在 `/docs` 展示。角色可以做排在前面的角色能做的一切:`viewer`、`operator`、`admin`。“仅本人”一列说明只能看到本人客户和工单的调用者得到什么:`own` 本人的;`caller` 关于自己的;`closed` 不允许。角色 `public` 无需令牌。请求体字段的说明为英文。",
    ));
    let any = sources.say(
        "Any request that needs a token may be answered with these [problems](problems.md)",
        "任何需要令牌的请求都可能得到这些[错误](problems.md)",
    );
    page.paragraph(&format!("{any}: {}", codes(&common)));
    for tag in document["tags"].as_array().context("the document has no headings")? {
        let name = text(tag, "name")?;
        let under: Vec<_> = operations.iter().filter(|it| it.said["tags"][0] == name).collect();
        page.heading(2, name);
        page.paragraph(text(tag, "description")?);
        let mut rows = Vec::new();
        for it in &under {
            let path = it.path.trim_start_matches(base);
            rows.push([
                it.method.clone(),
                code(path),
                code(text(it.said, "x-role")?),
                own_only(it)?,
                text(it.said, "summary")?.to_owned(),
            ]);
        }
        let head = sources.say("method|path|role|own only|what it does", "方法|路径|角色|仅本人|作用");
        page.table(columns(head), rows);
        for it in under {
            section(sources, &document, &mut page, it, base, &common)?;
        }
    }
    Ok(page.into_text())
}

fn section(
    sources: &Sources,
    document: &Value,
    page: &mut Page,
    it: &Operation,
    base: &str,
    common: &BTreeSet<String>,
) -> anyhow::Result<()> {
    page.heading(3, &code(&format!("{} {}", it.method, it.path.trim_start_matches(base))));
    page.paragraph(text(it.said, "description")?);
    let no_parameters = Vec::new();
    let parameters = it.said["parameters"].as_array().unwrap_or(&no_parameters);
    let mut rows = Vec::new();
    for parameter in parameters {
        rows.push([
            code(text(parameter, "name")?),
            text(parameter, "in")?.to_owned(),
            kind(sources, document, &parameter["schema"]),
            text(parameter, "description")?.to_owned(),
        ]);
    }
    page.table(columns(sources.say("parameter|in|type|meaning", "参数|位置|类型|含义")), rows);
    if let Some(body) = it.said.get("requestBody") {
        let schema = &body["content"]["application/json"]["schema"];
        let rows = fields(sources, document, schema).into_iter().map(|it| {
            let required = if it.required { sources.say("yes", "是") } else { "" };
            [code(&it.path), it.kinds.join(", "), required.to_owned(), it.about]
        });
        page.table(columns(sources.say("body field|type|required|meaning", "请求体字段|类型|必填|含义")), rows);
    }
    answers(sources, document, page, it, common)
}

/// An operation's answers and its own problems.
fn answers(
    sources: &Sources,
    document: &Value,
    page: &mut Page,
    it: &Operation,
    common: &BTreeSet<String>,
) -> anyhow::Result<()> {
    let mut first = true;
    let mut problems = Vec::new();
    for (status, said) in it.said["responses"].as_object().context("an operation answers nothing")? {
        let response = resolved(document, said);
        problems.extend(problem_codes(response).into_iter().filter(|code| !common.contains(code)));
        let nothing = Map::new();
        let content = response["content"].as_object().unwrap_or(&nothing);
        let forms: Vec<_> = content.keys().filter(|it| *it != PROBLEM).collect();
        if status.starts_with(['4', '5']) && forms.is_empty() {
            continue;
        }
        let forms = if forms.is_empty() { String::new() } else { format!(" ({})", codes(forms)) };
        page.item(first, &format!("{status}{forms}: {}", text(response, "description")?));
        first = false;
    }
    if !problems.is_empty() {
        page.item(first, &format!("{}: {}", sources.say("Problems", "错误"), codes(problems)));
    }
    Ok(())
}

/// Every operation, in the document's order.
fn operations(document: &Value) -> anyhow::Result<Vec<Operation<'_>>> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().context("the document has no paths")? {
        for (method, said) in methods.as_object().context("a path has no methods")? {
            found.push(Operation { method: method.to_ascii_uppercase(), path, said });
        }
    }
    // Sorted, because a document's keys may come in any order.
    found.sort_by(|one, other| (one.path, &one.method).cmp(&(other.path, &other.method)));
    Ok(found)
}

/// The common beginning of all paths, up to a slash.
fn base<'a>(operations: &[Operation<'a>]) -> &'a str {
    let Some(first) = operations.first().map(|it| it.path) else { return "" };
    let ends = first.match_indices('/').map(|(at, _)| &first[..at]);
    let mut shared = ends.filter(|it| operations.iter().all(|other| other.path.starts_with(&format!("{it}/"))));
    shared.next_back().unwrap_or_default()
}

/// The answer for callers limited to their own data; empty for routes without authentication.
fn own_only(it: &Operation) -> anyhow::Result<String> {
    let said = text(it.said, "x-own-only")?;
    Ok(if it.said["x-role"] == PUBLIC { String::new() } else { code(said) })
}

/// The problems that every operation with a role may answer.
fn common_codes(document: &Value, operations: &[Operation]) -> BTreeSet<String> {
    let mut all = operations.iter().filter(|it| it.said["x-role"] != PUBLIC).map(|it| {
        let responses = it.said["responses"].as_object().into_iter().flat_map(Map::values);
        responses.flat_map(|it| problem_codes(resolved(document, it))).collect::<BTreeSet<_>>()
    });
    let first = all.next().unwrap_or_default();
    all.fold(first, |common, own| common.intersection(&own).cloned().collect())
}

/// The codes that a response's problem may have.
fn problem_codes(response: &Value) -> Vec<String> {
    let schemas = response["content"][PROBLEM]["schema"]["allOf"].as_array().into_iter().flatten();
    let codes = schemas.flat_map(|it| it["properties"]["code"]["enum"].as_array().into_iter().flatten());
    codes.filter_map(|it| Some(it.as_str()?.to_owned())).collect()
}

/// Follows a reference, or returns the value itself.
pub(super) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let to = value["$ref"].as_str().and_then(|it| document.pointer(it.strip_prefix('#')?));
    to.unwrap_or(value)
}

/// A required text of the document.
fn text<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value[key].as_str().with_context(|| format!("the API's description has no `{key}` where one is needed"))
}
