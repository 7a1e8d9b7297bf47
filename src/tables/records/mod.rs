//! What was said: records, their files, and greetings.

pub mod message_revocation;

pub mod wechat_contact_record;

pub mod conversation;

pub mod record_search;

pub mod search;

pub mod search_terms;

pub mod media;

pub mod welcome;
