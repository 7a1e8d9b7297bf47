//! Approvals: forms of the company's own app, forms of the 审批 app, and requests for paid accounts.
//!
//! Input is the plaintext's document. The form is read again by its number, because the event's copy is outdated by
//! the time it is read.

use chrono::{DateTime, Utc};

use super::Event;
use super::fields::{filled, number, time, user};
use crate::document::Element;
use crate::ids::UserId;

/// A form whose approval progressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Which approval engine owns the form.
    pub engine: ApprovalEngine,
    /// The form's number: `SpNoStr`, in older payloads `SpNo`, in the company's own app `ThirdNo`.
    pub number: Option<String>,
    /// The template's id.
    pub template_id: Option<String>,
    /// The template's name.
    pub name: Option<String>,
    /// 1 running, 2 approved, 3 rejected, 4 withdrawn; 6, 7 and 10 in the 审批 app only.
    pub status: Option<i32>,
    /// What was done: 1 submitted, 2 agreed, 3 rejected…; the 审批 app only.
    pub change: Option<i32>,
    /// The applicant.
    pub applicant: Option<UserId>,
    /// When they applied.
    pub applied_at: Option<DateTime<Utc>>,
    /// The approvers in order; one can appear twice.
    pub approvers: Vec<UserId>,
    /// The people who are notified.
    pub notified: Vec<UserId>,
}

/// Which approval engine owns a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalEngine {
    /// The approval engine inside the company's own app.
    Own,
    /// The 审批 app.
    System,
}

/// A request for a paid account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountApproval {
    /// The request's id.
    pub apply_id: Option<String>,
    /// How it ended: 1 rejected, 2 granted, 3 withdrawn; `None` while it is new.
    pub finish_type: Option<i32>,
    /// 1 mail, 2 documents, 3 drive, 4 meetings.
    pub business_type: Option<i32>,
    /// Why it is wanted.
    pub reason: Option<String>,
    /// The applicant; not told when the request ends.
    pub applicant: Option<UserId>,
}

pub(super) fn read(event: &str, doc: &Element) -> Option<Event> {
    let info = doc.child("ApprovalInfo").unwrap_or(doc);
    Some(Event::Approval(match event {
        "open_approval_change" => own(info),
        "sys_approval_change" => system(info),
        _ => return None,
    }))
}

pub(super) fn read_account(event: &str, doc: &Element) -> Option<Event> {
    let is_new = event == "submit_vip_account_approval";
    Some(Event::AccountApproval(AccountApproval {
        apply_id: filled(doc, "ApplyId"),
        finish_type: number(doc, "FinishType"),
        business_type: number(doc, "BusinessType"),
        reason: filled(doc, "ApplyReason"),
        applicant: if is_new { user(doc, "FromUserName") } else { None },
    }))
}

fn own(info: &Element) -> Approval {
    let nodes = info.child("ApprovalNodes").into_iter().flat_map(|list| list.all("ApprovalNode"));
    let items = nodes.flat_map(|node| node.child("Items")).flat_map(|list| list.all("Item"));
    let notified = info.child("NotifyNodes").into_iter().flat_map(|list| list.all("NotifyNode"));
    Approval {
        engine: ApprovalEngine::Own,
        number: filled(info, "ThirdNo"),
        template_id: filled(info, "OpenTemplateId"),
        name: filled(info, "OpenSpName"),
        status: number(info, "OpenSpStatus"),
        change: None,
        applicant: user(info, "ApplyUserId"),
        applied_at: time(info, "ApplyTime"),
        approvers: items.filter_map(|item| user(item, "ItemUserId")).collect(),
        notified: notified.filter_map(|node| user(node, "ItemUserId")).collect(),
    }
}

fn system(info: &Element) -> Approval {
    let details = info.all("SpRecord").flat_map(|record| record.all("Details"));
    let approvers = details.filter_map(|detail| user(detail.child("Approver")?, "UserId"));
    Approval {
        engine: ApprovalEngine::System,
        number: filled(info, "SpNoStr").or_else(|| filled(info, "SpNo")),
        template_id: filled(info, "TemplateId"),
        name: filled(info, "SpName"),
        status: number(info, "SpStatus"),
        change: number(info, "StatuChangeEvent"),
        applicant: info.child("Applyer").and_then(|applicant| user(applicant, "UserId")),
        applied_at: time(info, "ApplyTime"),
        approvers: approvers.collect(),
        notified: info.all("Notifyer").filter_map(|notified| user(notified, "UserId")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approval_numbers_stay_text_and_approvers_are_read_as_lists() {
        let text = "<ApprovalInfo><SpNo>202311140001</SpNo><SpNoStr>00202311140001</SpNoStr>\
                    <SpRecord><Details><Approver><UserId>a</UserId></Approver></Details>\
                    <Details><Approver><UserId>b</UserId></Approver></Details></SpRecord>\
                    <SpRecord><Details><Approver><UserId>a</UserId></Approver></Details></SpRecord>\
                    <Notifyer><UserId>c</UserId></Notifyer></ApprovalInfo>";
        let form = system(&Element::parse(text).expect("a document"));
        assert_eq!(form.number.as_deref(), Some("00202311140001"));
        assert_eq!(form.approvers, ["a", "b", "a"].map(UserId::from));
        assert_eq!(form.notified, ["c"].map(UserId::from));
    }
}
