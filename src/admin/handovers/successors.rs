//! How answers tell what stands against successors, and what could not be found out about them.

use serde::Serialize;

use crate::{
    admin::spec::problem::Problem,
    handover::{
        plan::{Refusal, Said},
        successors::Unverified,
    },
};

/// Something that stands against a successor.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct BrokenRuleOfSomebody {
    #[serde(flatten)]
    said: Said,
    /// The successor.
    staff_id: String,
    /// The item, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

/// What stands against a plan, for a list in an answer.
pub(super) fn broken_rules(refusals: &[Refusal]) -> Vec<BrokenRuleOfSomebody> {
    let line = |it: &Refusal| BrokenRuleOfSomebody {
        said: it.broken.said(),
        staff_id: it.staff_id.clone(),
        subject: it.subject.clone(),
    };
    refusals.iter().map(line).collect()
}

/// What could not be found out, in words of both languages.
pub(super) fn warning(unverified: Unverified) -> String {
    match unverified {
        Unverified::Successors => "no app of the corp has a secret, so nobody asked WeCom about the successors. \
                                   没有可用的应用密钥，未向企业微信核实接替员工。"
            .to_owned(),
        Unverified::Serving(error) => {
            format!("who may have customers could not be asked 未能核实客户联系成员: {}", Problem::from(error))
        }
        Unverified::Groups(error) => format!("the groups are left out 未包含客户群: {}", Problem::from(error)),
        Unverified::RestOfGroups(error) => {
            format!("not all groups could be read 客户群列表未能读完: {}", error.message)
        }
        Unverified::SomeGroups(count) => {
            format!("{count} groups could not be read and are left out 有 {count} 个客户群无法读取")
        }
    }
}
