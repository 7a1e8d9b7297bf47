//! Checks the rules for greetings; each refusal names the field.

use crate::{
    check::{self, Invalid},
    tasks::template::{Rules, TEXT_BYTES_MAX, unknown_name},
    wecom::welcome::Attachment,
};

/// How many attachments WeCom takes.
const ATTACHMENTS_MAX: usize = 9;

/// How many states may have greetings of their own.
const STATES_MAX: usize = 200;

/// How long a contact way's state may be.
const STATE_CHARS_MAX: usize = 30;

/// How long a link's title may be.
const LINK_TITLE_BYTES_MAX: usize = 128;

/// How long a link's description may be.
const LINK_DESC_BYTES_MAX: usize = 512;

/// How long the title of a mini-program page may be.
const PAGE_TITLE_BYTES_MAX: usize = 64;

/// How long an address or a media id may be.
const ADDRESS_CHARS_MAX: usize = 2_048;

/// Checks a greeting's text: its length, and that every name in braces is a known placeholder.
pub(super) fn check_text(field: &str, text: &str) -> Result<(), Invalid> {
    check::prose(field, text, TEXT_BYTES_MAX)?;
    match unknown_name(text) {
        Some(name) => Err(Invalid::new(
            field,
            (
                format!("knows {{customer}} and {{staff}}, but not {{{name}}}"),
                format!("可用 {{customer}} 与 {{staff}}，不认识 {{{name}}}"),
            ),
        )),
        None => Ok(()),
    }
}

/// Checks everything except the greeting's text.
pub(super) fn check_rules(rules: &Rules) -> Result<(), Invalid> {
    check_attachments("welcome.attachments", &rules.attachments)?;
    if rules.states.len() > STATES_MAX {
        return Err(Invalid::new(
            "welcome.states",
            (format!("must have at most {STATES_MAX} entries"), format!("最多 {STATES_MAX} 项")),
        ));
    }
    for (index, it) in rules.states.iter().enumerate() {
        let field = |name: &str| format!("welcome.states[{index}].{name}");
        if it.state.is_empty() || it.state.chars().count() > STATE_CHARS_MAX {
            return Err(Invalid::new(
                field("state"),
                (format!("must have 1 to {STATE_CHARS_MAX} characters"), format!("须为 1 至 {STATE_CHARS_MAX} 个字符")),
            ));
        }
        if rules.states.iter().take(index).any(|other| other.state == it.state) {
            return Err(Invalid::new(field("state"), ("stands twice", "重复")));
        }
        if let Some(text) = &it.text {
            check_text(&field("text"), text)?;
        }
        check_attachments(&field("attachments"), &it.attachments)?;
    }
    match rules.quiet.as_ref().and_then(|it| it.text.as_deref()) {
        Some(text) => check_text("welcome.quiet.text", text),
        None => Ok(()),
    }
}

fn check_attachments(field: &str, attachments: &[Attachment]) -> Result<(), Invalid> {
    if attachments.len() > ATTACHMENTS_MAX {
        return Err(Invalid::new(
            field,
            (
                format!("must have at most {ATTACHMENTS_MAX}, as WeCom has it"),
                format!("最多 {ATTACHMENTS_MAX} 个（企业微信的限制）"),
            ),
        ));
    }
    for (index, attachment) in attachments.iter().enumerate() {
        let at = |name: &str| format!("{field}[{index}].{name}");
        match attachment {
            Attachment::Image { pic_url } => check_url(&at("pic_url"), pic_url)?,
            Attachment::Link { title, url, picurl, desc } => {
                check::prose(&at("title"), title, LINK_TITLE_BYTES_MAX)?;
                check_url(&at("url"), url)?;
                picurl.as_deref().map_or(Ok(()), |it| check_url(&at("picurl"), it))?;
                desc.as_deref().map_or(Ok(()), |it| check::prose(&at("desc"), it, LINK_DESC_BYTES_MAX))?;
            }
            Attachment::Miniprogram { title, pic_media_id, appid, page } => {
                check::prose(&at("title"), title, PAGE_TITLE_BYTES_MAX)?;
                check_given(&at("pic_media_id"), pic_media_id)?;
                check_given(&at("appid"), appid)?;
                check_given(&at("page"), page)?;
            }
            Attachment::Video { media_id } | Attachment::File { media_id } => check_given(&at("media_id"), media_id)?,
        }
    }
    Ok(())
}

fn check_url(field: &str, url: &str) -> Result<(), Invalid> {
    if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Invalid::new(field, ("must begin with https:// or http://", "须以 https:// 或 http:// 开头")));
    }
    check::visible(field, url, ADDRESS_CHARS_MAX)
}

fn check_given(field: &str, value: &str) -> Result<(), Invalid> {
    if value.is_empty() {
        return Err(Invalid::new(field, ("must not be empty", "不得为空")));
    }
    check::visible(field, value, ADDRESS_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check::parsed;

    fn refused(rules: Value) -> String {
        let read: Result<Rules, Invalid> = parsed(&rules.to_string());
        read.and_then(|rules| check_rules(&rules)).expect_err(&rules.to_string()).to_string()
    }

    #[test]
    fn each_invalid_rule_is_refused_with_its_path() {
        let link = |url: &str| json!({ "msgtype": "link", "title": "服务说明", "url": url });
        let refusals = [
            json!({ "attachments": vec![link("https://example.com"); 10] }),
            json!({ "attachments": [link("https://example.com"), link("example.com")] }),
            json!({ "attachments": [{ "msgtype": "video", "media_id": "" }] }),
            json!({ "attachments": [{ "msgtype": "music" }] }),
            json!({ "states": [{ "state": "" }] }),
            json!({ "states": [{ "state": "a" }, { "state": "a" }] }),
            json!({ "states": [{ "state": "a", "text": "您好 {custmer}" }] }),
            json!({ "states": [{ "state": "a", "words": "您好" }] }),
            json!({ "quiet": { "hours": "22-8" } }),
            json!({ "quiet": { "hours": "22:00-08:00", "text": "" } }),
            json!({ "quite": {} }),
        ]
        .map(refused);
        insta::assert_snapshot!(refusals.join("\n"), @r"
        welcome.attachments: must have at most 9, as WeCom has it
        welcome.attachments[1].url: must begin with https:// or http://
        welcome.attachments[0].media_id: must not be empty
        attachments[0].msgtype: unknown variant `music`, expected one of `image`, `link`, `miniprogram`, `video`, `file`
        welcome.states[0].state: must have 1 to 30 characters
        welcome.states[1].state: stands twice
        welcome.states[0].text: knows {customer} and {staff}, but not {custmer}
        states[0].words: unknown field `words`, expected one of `state`, `text`, `attachments`
        quiet.hours: must be two times of the day such as 22:00-08:00
        welcome.quiet.text: must have 1 to 4000 bytes, and has 0
        quite: unknown field `quite`, expected one of `attachments`, `states`, `quiet`
        ");
    }
}
