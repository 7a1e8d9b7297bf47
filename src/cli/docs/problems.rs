//! `problems.md`: every kind of problem of the admin API, with its remedy.

use anyhow::Context;

use super::{
    Sources,
    advice::advice,
    configuration::columns,
    markdown::{Page, code},
};
use crate::app::api::Code;

/// An example of a problem.
const EXAMPLE: &str = r#"{
  "type": "about:blank",
  "title": "A field is not valid",
  "title_zh": "字段无效",
  "status": 400,
  "code": "invalid_field",
  "detail": "is required",
  "field": "corpid",
  "request_id": "0192f0c1-2d3e-7f40-8a5b-6c7d8e9fa0b1"
}"#;

pub(super) fn page(sources: &Sources) -> anyhow::Result<String> {
    let mut page = Page::new(sources, "problems.md", "Problems", "错误");
    page.paragraph(sources.say(
        "The admin API answers what goes wrong as `application/problem+json` (RFC 9457). `code` is for programs and does not change; `title` names the kind and `detail` says what to do in this case; `field` names the field or parameter by its path; `errors` lists several faults at once; the program's log knows the request by `request_id`.",
        "管理接口以 `application/problem+json`(RFC 9457)返回错误。`code` 供程序使用,不会改变;`title` 是错误的种类,`detail` 说明这一次该怎么做;`field` 是所涉字段或参数的路径;`errors` 列出同时存在的多处错误;程序日志以 `request_id` 标识请求。",
    ));
    page.listing("json", EXAMPLE);
    let mut rows = Vec::new();
    for it in Code::ALL {
        let (english, chinese) = advice(*it).with_context(|| format!("{} has no advice", it.as_str()))?;
        rows.push([
            it.status().to_string(),
            code(it.as_str()),
            it.title(sources.language).to_owned(),
            sources.say(english, chinese).to_owned(),
        ]);
    }
    rows.sort_by(|one, other| one[..2].cmp(&other[..2]));
    page.table(columns(sources.say("status|code|title|what to do", "状态码|code|标题|怎么办")), rows);
    Ok(page.into_text())
}
