//! Forms of the 审批 app, with what was filled into their day controls.

use super::World;
use crate::ids::UserId;
use crate::sandbox::day::wire::{Xml, event};
use crate::sandbox::push::{AppKind, Push};

/// The 审批 app's number.
const APPROVAL_AGENT: i64 = 3_010_040;

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its number.
    pub number: String,
    /// Its template.
    pub template_id: String,
    /// Who applies.
    pub applicant: UserId,
    /// 1 running, 2 approved, 3 rejected, 4 withdrawn, 6 withdrawn after approval.
    pub status: i32,
    /// The titles of its day controls, and the midnight of the day that was filled in, in seconds since 1970.
    pub days: Vec<(String, i64)>,
}

impl World {
    /// A form progresses, or is handed in: it is kept as it is now, and reported.
    pub(in crate::sandbox) fn hand_in(&mut self, form: Form) -> Push {
        let now = self.now();
        let info = Xml::new()
            .cdata("SpNoStr", &form.number)
            .cdata("SpName", "离职申请")
            .plain("SpStatus", form.status)
            .cdata("TemplateId", &form.template_id)
            .plain("ApplyTime", now)
            .nested("Applyer", Xml::new().cdata("UserId", &form.applicant).cdata("Party", "1"))
            .plain("StatuChangeEvent", form.status);
        let said = event(&self.corpid, now, "sys_approval_change").plain("AgentID", APPROVAL_AGENT);
        let document = said.nested("ApprovalInfo", info).document();
        self.forms.retain(|it| it.number != form.number);
        self.forms.push(form);
        Push::genuine(AppKind::App, document)
    }
}
