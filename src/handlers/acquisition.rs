//! Handles events of customer acquisition links (获客助手): who came through one and wrote, and what runs short.

use super::{alert::over, customer::relation_record};
use crate::{
    changes::{AlertKind, Changes, Source, company::Warning},
    event::{Acquisition, AcquisitionChange},
};

/// Something happened with a link or its quota. What names neither a customer nor a shortage is kept and counted only.
pub fn happened(source: &Source, name: &str, it: &Acquisition, changes: &mut Changes) {
    let warned = match it.change {
        AcquisitionChange::ChatStarted => return chat_started(source, name, it, changes),
        AcquisitionChange::BalanceIncreased => return over(source, &[AlertKind::AcquisitionBalance], changes),
        AcquisitionChange::BalanceLow | AcquisitionChange::BalanceExhausted => AlertKind::AcquisitionBalance,
        AcquisitionChange::QuotaExpiresSoon => AlertKind::AcquisitionQuota,
        AcquisitionChange::LinkUnavailable => AlertKind::AcquisitionLink,
        AcquisitionChange::CustomerAdded
        | AcquisitionChange::LinkDeleted
        | AcquisitionChange::ProfileOpened
        | AcquisitionChange::FriendRequested
        | AcquisitionChange::CustomerWrote
        | AcquisitionChange::ServiceBalanceLow
        | AcquisitionChange::ServiceBalanceExhausted
        | AcquisitionChange::ServiceBalanceConsumed
        | AcquisitionChange::PriceChanged => return changes.ignore(source, name),
    };
    let detail = it.link_id.clone().or_else(|| it.quota.map(|it| it.to_string()));
    changes.alert(source, warned).said(Warning { takes_effect_at: it.at, detail }, source.at());
}

/// A customer who came through a link wrote for the first time. Notices that name nobody are kept and counted only.
fn chat_started(source: &Source, name: &str, it: &Acquisition, changes: &mut Changes) {
    let (Some(user), Some(customer)) = (&it.user, &it.customer) else { return changes.ignore(source, name) };
    // That the two know each other is all that this says about the contact.
    changes.contact(source, user, customer).heard_of(source.arrived_at());
    changes.heard_from(source, customer);
    let link = it.link_id.as_deref().map(|it| format!(",获客链接 {it}")).unwrap_or_default();
    changes.record(source, relation_record(name, user, customer, format!("客户首次发消息{link}")));
}
