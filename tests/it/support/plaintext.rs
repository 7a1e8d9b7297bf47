//! Plaintexts as WeCom writes them.

/// An element with a CDATA section.
pub(crate) fn element(name: &str, value: &str) -> String {
    format!("<{name}><![CDATA[{value}]]></{name}>")
}

/// An event of the app shape.
pub(crate) fn event(at: i64, event: &str, fields: &[(&str, &str)]) -> String {
    let fields: String = fields.iter().map(|(name, value)| element(name, value)).collect();
    let (from, kind, event) = (element("FromUserName", "sys"), element("MsgType", "event"), element("Event", event));
    format!("<xml>{from}<CreateTime>{at}</CreateTime>{kind}{event}{fields}</xml>")
}

/// A member and a customer: what `change_external_contact` says of them.
pub(crate) fn contact(at: i64, change: &str, user: &str, customer: &str, more: &[(&str, &str)]) -> String {
    let ids = [("ChangeType", change), ("UserID", user), ("ExternalUserID", customer)];
    event(at, "change_external_contact", &[&ids, more].concat())
}

/// A member: what `change_contact` says of them.
pub(crate) fn member(at: i64, change: &str, user: &str, more: &[(&str, &str)]) -> String {
    event(at, "change_contact", &[&[("ChangeType", change), ("UserID", user)], more].concat())
}

/// A text message.
pub(crate) fn text(at: i64, from: &str, content: &str, id: u64) -> String {
    let (from, kind, content) =
        (element("FromUserName", from), element("MsgType", "text"), element("Content", content));
    format!(
        "<xml>{from}<CreateTime>{at}</CreateTime>{kind}{content}<MsgId>{id}</MsgId><AgentID>1000002</AgentID></xml>"
    )
}

/// A picture.
pub(crate) fn picture(at: i64, from: &str, media_id: &str) -> String {
    let (from, kind, media) =
        (element("FromUserName", from), element("MsgType", "image"), element("MediaId", media_id));
    format!("<xml>{from}<CreateTime>{at}</CreateTime>{kind}{media}<MsgId>9</MsgId><AgentID>1000002</AgentID></xml>")
}

/// A customer group: what `change_external_chat` says of it. `people` joined or left.
pub(crate) fn group(at: i64, change: &str, chat: &str, more: &[(&str, &str)], people: &[&str]) -> String {
    let fields = [&[("ChangeType", change), ("ChatId", chat)], more].concat();
    let said = event(at, "change_external_chat", &fields);
    let items: String = people.iter().map(|it| element("Item", it)).collect();
    let list = if people.is_empty() { String::new() } else { format!("<MemChangeList>{items}</MemChangeList>") };
    said.replace("</xml>", &format!("{list}</xml>"))
}

/// A department: what `change_contact` says of it.
pub(crate) fn party(at: i64, change: &str, id: &str, more: &[(&str, &str)]) -> String {
    event(at, "change_contact", &[&[("ChangeType", change), ("Id", id)], more].concat())
}

/// A form of the 审批 app.
pub(crate) fn form(at: i64, number: &str, status: &str, applicant: &str) -> String {
    let info = [element("SpNoStr", number), element("SpStatus", status), element("TemplateId", "Tpl")].concat();
    let applicant = format!("<Applyer>{}</Applyer>", element("UserId", applicant));
    let said = event(at, "sys_approval_change", &[]);
    said.replace("</xml>", &format!("<ApprovalInfo>{info}{applicant}</ApprovalInfo></xml>"))
}
