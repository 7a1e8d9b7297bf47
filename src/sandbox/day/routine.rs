//! Other callbacks of a company: groups, tags, customer service, approvals, the app's own buttons, and now and then
//! an event that this program does not know.

use super::cast::{number, opaque};
use super::scene::{Act, Group, Story};
use super::wire::{Xml, event, head};
use crate::sandbox::chance::HEX;
use crate::sandbox::push::{AppKind, Push};

/// The possible events, each listed as often as its weight.
const KINDS: [Act; 13] = [
    group,
    group,
    group,
    customer_service,
    customer_service,
    customer_service,
    approval,
    approval,
    button,
    button,
    tag,
    archive,
    other,
];

/// A chat's and a tag's id have this many random characters.
const CHAT_ID_CHARS: usize = 30;

/// A customer service account's id; the company has a few.
const SERVICE_ACCOUNTS: [&str; 3] =
    ["wkAJ2GCAAAZSfhHCt7IFSvLKtMPxyJTw", "wkAJ2GCAAAsxF2xOMHmCyTGGKBjBl9rA", "wkAJ2GCAAA9PbBt2GU3GwBQoFUsuxw1g"];

/// Any of these.
pub(super) fn any(story: &mut Story, at: i64) -> Option<Push> {
    let act = KINDS.get(story.chance.below(KINDS.len()))?;
    act(story, at)
}

/// A group chat is opened, changes, or is dissolved.
fn group(story: &mut Story, at: i64) -> Option<Push> {
    let start = |story: &Story, chat: &str, change: &str| {
        event(&story.corpid, at, "change_external_chat").cdata("ChatId", chat).cdata("ChangeType", change)
    };
    let drawn = story.chance.below(story.groups.len());
    if story.groups.is_empty() || story.chance.happens(0.25) {
        let id = opaque(&mut story.chance, "wr", CHAT_ID_CHARS);
        let version = story.chance.text(HEX, 32);
        let content = start(story, &id, "create");
        story.groups.push(Group { id, version });
        return Some(Push::genuine(AppKind::App, content.document()));
    }
    if story.chance.happens(0.05) {
        let gone = story.groups.swap_remove(drawn);
        return Some(Push::genuine(AppKind::App, start(story, &gone.id, "dismiss").document()));
    }
    let detail = story.chance.pick(&["add_member", "add_member", "del_member", "change_name", "change_owner"]);
    let content = start(story, &story.groups.get(drawn)?.id, "update").cdata("UpdateDetail", detail);
    let content = match detail {
        "add_member" => moved(story, drawn, content.plain("JoinScene", 3))?,
        "del_member" => moved(story, drawn, content.plain("QuitScene", 0))?,
        _ => content,
    };
    Some(Push::genuine(AppKind::App, content.document()))
}

/// Who came or went, and the versions before and after.
fn moved(story: &mut Story, group: usize, content: Xml) -> Option<Xml> {
    let tie = story.some_tie(true)?;
    let who = &story.customers.get(story.ties.get(tie)?.customer)?.id;
    let version = story.chance.text(HEX, 32);
    let last = std::mem::replace(&mut story.groups.get_mut(group)?.version, version.clone());
    let content = content
        .plain("MemChangeCnt", 1)
        .nested("MemChangeList", Xml::new().cdata("Item", who))
        .cdata("LastMemVer", last)
        .cdata("CurMemVer", version);
    Some(content)
}

/// There is something to pull from a customer service account. This event names no sender.
fn customer_service(story: &mut Story, at: i64) -> Option<Push> {
    let account = story.chance.pick(&SERVICE_ACCOUNTS);
    let content = Xml::new()
        .cdata("ToUserName", &story.corpid)
        .plain("CreateTime", at)
        .cdata("MsgType", "event")
        .cdata("Event", "kf_msg_or_event")
        .cdata("Token", opaque(&mut story.chance, "ENC", 40))
        .cdata("OpenKfId", account);
    Some(Push::genuine(AppKind::App, content.document()))
}

/// A form in the approval app moves on.
fn approval(story: &mut Story, at: i64) -> Option<Push> {
    let staff = story.somebody()?;
    let applicant = Xml::new().cdata("UserId", &story.staff.get(staff)?.id).cdata("Party", "3");
    let form = number(&mut story.chance, "2024", 8);
    let status = story.chance.pick(&["1", "2", "2", "3"]);
    let info = Xml::new()
        .plain("SpNo", &form)
        .cdata("SpNoStr", &form)
        .cdata("SpName", story.chance.pick(&["配件领用", "外出上门", "报销", "请假"]))
        .plain("SpStatus", status)
        .cdata("TemplateId", "3TkZjxugodbqpEMk9j7X6h6zKqYkc7MxQrrFmT7H")
        .plain("ApplyTime", at - i64::from(story.chance.between(0, 7200)))
        .nested("Applyer", applicant)
        .plain("StatuChangeEvent", status);
    let content =
        event(&story.corpid, at, "sys_approval_change").plain("AgentID", 3_010_040).nested("ApprovalInfo", info);
    Some(Push::genuine(AppKind::App, content.document()))
}

/// A member uses the app.
fn button(story: &mut Story, at: i64) -> Option<Push> {
    let staff = story.somebody()?;
    let name = story.chance.pick(&["enter_agent", "click", "view", "LOCATION", "template_card_event"]);
    let from = &story.staff.get(staff)?.id;
    let start = head(Xml::on_lines(), &story.corpid, from.as_str(), at, "event").cdata("Event", name);
    let content = match name {
        "click" => start.cdata("EventKey", "today_orders"),
        "view" => start.cdata("EventKey", "https://example.com/orders"),
        "LOCATION" => {
            let metres = story.chance.between(100_000, 999_999);
            start.plain("Latitude", format_args!("22.{metres}")).plain("Longitude", 114.057).plain("Precision", 30.0)
        }
        "template_card_event" => start
            .cdata("EventKey", "accept_order")
            .cdata("TaskId", number(&mut story.chance, "WO", 8))
            .cdata("CardType", "button_interaction")
            .cdata("ResponseCode", opaque(&mut story.chance, "", 43)),
        _ => start.cdata("EventKey", ""),
    };
    Some(Push::genuine(AppKind::App, content.plain("AgentID", &story.agentid).document()))
}

/// A customer tag is created, renamed, deleted or reordered.
fn tag(story: &mut Story, at: i64) -> Option<Push> {
    let change = story.chance.pick(&["create", "create", "update", "delete", "shuffle"]);
    let drawn = story.chance.below(story.tags.len());
    let (id, change) = match change {
        "update" | "shuffle" if !story.tags.is_empty() => (story.tags.get(drawn)?.clone(), change),
        "delete" if !story.tags.is_empty() => (story.tags.swap_remove(drawn), change),
        _ => (opaque(&mut story.chance, "et", CHAT_ID_CHARS), "create"),
    };
    if change == "create" {
        story.tags.push(id.clone());
    }
    let content = event(&story.corpid, at, "change_external_tag").cdata("Id", id);
    let content = if change == "shuffle" { content } else { content.cdata("TagType", "tag") };
    Some(Push::genuine(AppKind::App, content.cdata("ChangeType", change).document()))
}

/// The session archive has something new.
fn archive(story: &mut Story, at: i64) -> Option<Push> {
    let content = event(&story.corpid, at, "msgaudit_notify").plain("AgentID", 2_000_004);
    Some(Push::genuine(AppKind::App, content.document()))
}

/// An acquisition link, or an event of a future version of WeCom.
fn other(story: &mut Story, at: i64) -> Option<Push> {
    let key = opaque(&mut story.chance, "", 20);
    let content = match story.chance.below(4) {
        0 => event(&story.corpid, at, "customer_acquisition")
            .cdata("ChangeType", "friend_request")
            .cdata("LinkId", opaque(&mut story.chance, "caw", 14))
            .cdata("State", "web-footer"),
        1 => event(&story.corpid, at, "change_external_contact").cdata("ChangeType", "stage_changed").cdata("Key", key),
        2 => event(&story.corpid, at, "smart_visit_plan")
            .nested("Plan", Xml::new().cdata("Key", key).nested("Stops", Xml::new().plain("Stop", 1).plain("Stop", 2))),
        _ => {
            let staff = story.somebody()?;
            let from = &story.staff.get(staff)?.id;
            head(Xml::new(), &story.corpid, from.as_str(), at, "hologram").cdata("HologramId", key)
        }
    };
    Some(Push::genuine(AppKind::App, content.document()))
}
