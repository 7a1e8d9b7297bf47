//! Customer groups (客户群), and who is or was in them.

pub mod group_chat;

pub mod group_member;
