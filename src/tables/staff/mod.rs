//! Members of the corp, which staff member each is, and who leaves.

pub mod member;

pub mod member_alias;

pub mod staff_wechat_bind;

pub mod resignation;
