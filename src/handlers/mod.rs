//! Turns events into changes. Pure: no clock, no database, no HTTP.

use crate::{
    changes::{Changes, Source},
    event::{Callback, Event},
};

pub mod customer;

pub mod message;

pub mod member;

pub mod group;

pub mod department;

pub mod tag;

pub mod approval;

pub mod alert;

pub mod acquisition;

pub mod archive;
pub mod kf;

/// Every event and where it goes. There is no `_` arm: a new event cannot be forgotten.
pub fn record(source: &Source, callback: &Callback, changes: &mut Changes) {
    let name = &callback.head.name;
    match &callback.event {
        Event::CustomerAdded(it) => customer::added(source, name, it, changes),
        Event::CustomerEdited(it) => customer::edited(source, it, changes),
        Event::CustomerDeleted(it) => customer::deleted(source, name, it, changes),
        Event::CustomerLost(it) => customer::lost(source, name, it, changes),
        Event::TransferFailed(it) => customer::transfer_failed(source, name, it, changes),
        Event::ArchiveConsented(it) => customer::archive_consented(source, name, it, changes),
        Event::Message(it) => message::received(source, it, changes),
        Event::Archived(it) => archive::received(source, name, it, changes),
        Event::ArchiveNotify => archive::notified(source, changes),
        Event::MemberCreated(it) => member::created(source, it, changes),
        Event::MemberUpdated(it) => member::updated(source, it, changes),
        Event::MemberDeleted { user } => member::deleted(source, user, changes),
        Event::MemberUnsubscribed { user } => member::unsubscribed(source, user, changes),
        Event::MemberSubscribed { user } => member::subscribed(source, user, changes),
        Event::Group(it) => group::changed(source, name, it, changes),
        Event::Department(it) => department::changed(source, name, it, changes),
        Event::CorpTag(_) => tag::changed(source, changes),
        Event::Approval(it) => approval::progressed(source, name, it, changes),
        Event::AppLifecycle(it) => alert::app_changed(source, name, it, changes),
        Event::PlatformAddressesChanged => alert::addresses_changed(source, changes),
        Event::Acquisition(it) => acquisition::happened(source, name, it, changes),
        Event::CustomerService(it) => kf::told(source, name, it, changes),
        Event::KfMessage(it) => kf::message(source, name, it, changes),
        Event::KfEvent(it) => kf::event(source, name, it, changes),
        Event::Tag(_)
        | Event::AccountApproval(_)
        | Event::AppInteraction(_)
        | Event::Job(_)
        | Event::Mail(_)
        | Event::MeetingRoom(_)
        | Event::Calendar(_)
        | Event::Meeting(_)
        | Event::Living(_)
        | Event::Document(_)
        | Event::Drive(_)
        | Event::Chain(_)
        | Event::School(_)
        | Event::Device(_)
        | Event::Payment(_)
        | Event::Suite(_)
        | Event::Robot(_)
        | Event::Unknown => changes.ignore(source, name),
    }
}
