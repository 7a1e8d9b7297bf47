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
