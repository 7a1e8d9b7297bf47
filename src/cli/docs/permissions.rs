//! `permissions.md`: every WeCom endpoint that is called, and the permission it needs.

use super::{
    Sources,
    configuration::columns,
    markdown::{Page, code, codes},
};
use crate::wecom::permissions::{ENDPOINTS, Endpoint, Needs};

pub(super) fn page(sources: &Sources) -> anyhow::Result<String> {
    let mut page = Page::new(sources, "permissions.md", "WeCom's permissions", "企业微信权限");
    page.paragraph(sources.say(
        "Every endpoint of WeCom that wecomd calls, and what must be permitted for it in WeCom's console. All calls go to `https://qyapi.weixin.qq.com/cgi-bin/` (`wecom.base_url`) with the token of a self-built app whose Secret is stored here. One app is enough; without a Secret wecomd only receives callbacks.",
        "wecomd 调用的每个企业微信接口,以及需要在管理后台允许什么。调用地址均为 `https://qyapi.weixin.qq.com/cgi-bin/`(`wecom.base_url`),使用已在这里保存 Secret 的自建应用的 access_token。一个应用就够;没有 Secret 时只接收回调。",
    ));
    page.heading(2, sources.say("Permissions", "权限"));
    let permissions = Needs::ALL.iter().map(|it| {
        let it = it.permission();
        [
            sources.say(it.english, it.chinese).to_owned(),
            sources.say(it.console_english, it.console_chinese).to_owned(),
            codes(it.errcodes.iter().map(ToString::to_string)),
        ]
    });
    let head = sources.say("permission|in WeCom's console|errcode without it", "权限|管理后台的设置|缺少时的错误码");
    page.table(columns(head), permissions);
    page.heading(2, sources.say("Endpoints", "接口"));
    let row = |it: &Endpoint| {
        let permission = it.needs.permission();
        [
            it.method.to_owned(),
            code(it.path),
            sources.say(permission.english, permission.chinese).to_owned(),
            sources.say(it.english, it.chinese).to_owned(),
        ]
    };
    page.table(
        columns(sources.say("method|path|permission|used to", "方法|路径|权限|用途")),
        ENDPOINTS.iter().map(row),
    );
    Ok(page.into_text())
}
