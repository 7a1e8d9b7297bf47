//! Apps, their keys and their access tokens.

pub mod enterprise_wechat_config;

pub mod callback_key_use;

pub mod wecom_token;

pub mod sealed;
