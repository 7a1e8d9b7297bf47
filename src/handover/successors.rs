//! What WeCom says of those who may take over, beside what we hold. It is asked before a transaction begins.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Candidate;
use crate::{
    ids::UserId,
    tables::handover,
    wecom::{Api, ApiError, Class, member},
};

/// What WeCom says of those who may take over.
#[derive(Debug)]
pub struct Verdicts {
    /// Whether WeCom could be asked at all.
    pub verified: bool,
    /// What could not be found out.
    pub unverified: Vec<Unverified>,
    seen: BTreeMap<String, Seen>,
    serving: Option<BTreeSet<String>>,
}

/// Something that could not be found out, and that is no reason to stop.
#[derive(Debug)]
pub enum Unverified {
    /// No app of the corp has a secret, so WeCom was not asked about the successors.
    Successors,
    /// WeCom does not tell the app who may have customers.
    Serving(ApiError),
    /// WeCom does not show the app the leaver's groups.
    Groups(ApiError),
    /// The list of the leaver's groups ended too early.
    RestOfGroups(ApiError),
    /// So many of the leaver's groups could not be read.
    SomeGroups(usize),
}

/// What WeCom says of one member.
#[derive(Debug, Clone, Copy)]
struct Seen {
    in_sight: bool,
    active: bool,
}

/// Asks WeCom about these members; without an app's secret nobody can be asked.
pub(super) async fn ask(api: Option<&Api>, users: &[UserId]) -> Result<Verdicts, ApiError> {
    let mut verdicts =
        Verdicts { verified: api.is_some(), unverified: Vec::new(), seen: BTreeMap::new(), serving: None };
    let Some(api) = api else {
        verdicts.unverified.push(Unverified::Successors);
        return Ok(verdicts);
    };
    for user in users {
        let seen = match api.member(user).await {
            // Some apps are not told a member's status: it is 0 then.
            Ok(member) => Seen { in_sight: true, active: matches!(member.status, 0 | 1) },
            Err(error) if error.is(member::UNKNOWN_OR_OUT_OF_SIGHT) => Seen { in_sight: false, active: true },
            Err(error) => return Err(error),
        };
        verdicts.seen.insert(user.key(), seen);
    }
    match api.follow_users().await {
        Ok(serving) => verdicts.serving = Some(serving.iter().map(UserId::key).collect()),
        Err(error) if error.class == Class::Refused => verdicts.unverified.push(Unverified::Serving(error)),
        Err(error) => return Err(error),
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

/// The departments that `member.department` lists.
pub(super) fn departments(joined: Option<&str>) -> BTreeSet<String> {
    joined.unwrap_or_default().split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}
