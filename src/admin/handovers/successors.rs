//! Whether somebody may take over: what WeCom says of them, beside what we hold. Asked before anything is decided.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    admin::spec::problem::Problem,
    handover::plan::{Candidate, Refusal, Said},
    ids::UserId,
    tables::handover,
    wecom::{Api, Class, member},
};

/// What WeCom says of those who may take over.
pub(super) struct Verdicts {
    /// Whether WeCom could be asked at all.
    pub(super) verified: bool,
    /// What could not be found out.
    pub(super) warnings: Vec<String>,
    seen: BTreeMap<String, Seen>,
    serving: Option<BTreeSet<String>>,
}

/// Something that stands against a successor.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "BrokenRuleOfSomebody")]
pub(super) struct ListedBroken {
    #[serde(flatten)]
    said: Said,
    /// The successor.
    staff_id: String,
    /// The item, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

/// What WeCom says of one.
#[derive(Clone, Copy)]
struct Seen {
    in_sight: bool,
    active: bool,
}

/// Asks WeCom about these members; without an app's secret nobody can be asked.
pub(super) async fn ask(api: Option<&Api>, users: &[UserId]) -> Result<Verdicts, Problem> {
    let mut verdicts = Verdicts { verified: api.is_some(), warnings: Vec::new(), seen: BTreeMap::new(), serving: None };
    let Some(api) = api else {
        let warning = "no app of the corp has a secret, so nobody asked WeCom about the successors. \
                       没有可用的应用密钥，未向企业微信核实接替员工。";
        verdicts.warnings.push(warning.to_owned());
        return Ok(verdicts);
    };
    for user in users {
        let seen = match api.member(user).await {
            // Some apps are not told how a member stands.
            Ok(member) => Seen { in_sight: true, active: matches!(member.status, 0 | 1) },
            Err(error) if error.is(member::UNKNOWN_OR_OUT_OF_SIGHT) => Seen { in_sight: false, active: true },
            Err(error) => return Err(error.into()),
        };
        verdicts.seen.insert(user.key(), seen);
    }
    match api.follow_users().await {
        Ok(serving) => verdicts.serving = Some(serving.iter().map(UserId::key).collect()),
        Err(error) if error.class == Class::Refused => {
            let why = Problem::from(error);
            verdicts.warnings.push(format!("who may have customers could not be asked 未能核实客户联系成员: {why}"));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(verdicts)
}

impl Verdicts {
    /// Whether this member was asked about, if anybody was.
    pub(super) fn know(&self, user: &UserId) -> bool {
        !self.verified || self.seen.contains_key(&user.key())
    }

    /// What we hold of somebody, and what WeCom says.
    pub(super) fn judge(&self, held: handover::Candidate) -> Candidate {
        let seen = self.seen.get(&held.user.key());
        Candidate {
            in_sight: seen.map(|it| it.in_sight),
            serves: self.serving.as_ref().map(|it| it.contains(&held.user.key())),
            active: held.active && seen.is_none_or(|it| it.active),
            departments: departments(held.department.as_deref()),
            staff_id: held.staff_id,
            user: Some(held.user),
            name: held.name,
            contacts: held.contacts,
            orders: held.orders,
        }
    }
}

/// The departments that stand in `member.department`.
pub(super) fn departments(joined: Option<&str>) -> BTreeSet<String> {
    joined.unwrap_or_default().split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// What stands against a plan, for a list in an answer.
pub(super) fn listed(refusals: &[Refusal]) -> Vec<ListedBroken> {
    let line = |it: &Refusal| ListedBroken {
        said: it.broken.said(),
        staff_id: it.staff_id.clone(),
        subject: it.subject.clone(),
    };
    refusals.iter().map(line).collect()
}
