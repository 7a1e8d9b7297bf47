//! Contacts: which WeCom user knows which customer, and which customer of the business each is.

pub mod customer_wechat_contact;

pub mod customer_activity;

pub mod matching;

pub mod customer_match;

pub mod customer_owner;
