//! Customers: who knows them, what was said, whose customer somebody is, and their rights to their data.

mod customer_contact;

mod contact_records;

mod record_search;

mod media;

mod kf_accounts;

mod customer_matches;

mod export;

mod erasure;

mod customer_owners;

mod group_chats;

mod tags;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[
    &customer_contact::SHOW,
    &customer_contact::MAKE,
    &customer_contact::PICTURE,
    &contact_records::LIST,
    &contact_records::ADD,
    &contact_records::OF_GROUP,
    &record_search::FIND,
    &media::SHOW,
    &kf_accounts::LIST,
    &customer_matches::LIST,
    &customer_matches::DECIDE,
    &export::EXPORT,
    &erasure::ERASE,
    &erasure::ERASURES,
    &erasure::SHOW_ERASURE,
    &customer_owners::SHOW,
    &group_chats::LIST,
    &group_chats::SHOW,
    &tags::LIST,
    &tags::MARK,
];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
