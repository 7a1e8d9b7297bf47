//! Handles what WeCom warns an app of: suspension, restriction, changed addresses.

use crate::{
    changes::{AlertKind, Changes, Source, company::Warning},
    event::{AppChange, AppLifecycle},
};

/// The app changed, or will. Changes of administrators and of sharing warn of nothing: they are kept and counted only.
pub fn app_changed(source: &Source, name: &str, it: &AppLifecycle, changes: &mut Changes) {
    let warned = match it.change {
        AppChange::SuspensionAnnounced => AlertKind::SuspensionAnnounced,
        AppChange::Suspended => AlertKind::Suspended,
        AppChange::RestrictionAnnounced => AlertKind::RestrictionAnnounced,
        AppChange::Restricted => AlertKind::Restricted,
        AppChange::Reopened => {
            return over(source, &[AlertKind::SuspensionAnnounced, AlertKind::Suspended], changes);
        }
        AppChange::Restored => {
            return over(source, &[AlertKind::RestrictionAnnounced, AlertKind::Restricted], changes);
        }
        AppChange::AdministratorsChanged | AppChange::Sharing | AppChange::ChainSharing => {
            return changes.ignore(source, name);
        }
    };
    let warning = Warning { takes_effect_at: it.effective_at, detail: None };
    changes.alert(source, warned).said(warning, source.at());
}

/// WeCom's own addresses changed.
pub fn addresses_changed(source: &Source, changes: &mut Changes) {
    changes.alert(source, AlertKind::PlatformAddresses).said(Warning::default(), source.at());
}

/// These alerts are over.
pub(super) fn over(source: &Source, kinds: &[AlertKind], changes: &mut Changes) {
    for kind in kinds {
        changes.alert(source, *kind).ended(source.at());
    }
}
