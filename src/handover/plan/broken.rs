//! Rules that stand against a plan, in words. Pure.

use serde::Serialize;

/// A rule of WeCom's, or of the business's, that stands against something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// The successor is bound to no member.
    NotBound,
    /// The successor has left, is disabled, or has not activated WeCom.
    NotActive,
    /// The app may not see the successor.
    OutOfSight,
    /// The successor may not have customers.
    NotServing,
    /// The successor is the leaver.
    IsLeaver,
    /// A list names something that is not to be planned here.
    NotInHandover,
    /// The customer was moved twice within 90 days.
    MovedTwice,
    /// The leaver left more than a year ago.
    LeftTooLong,
    /// No rule finds anybody.
    NobodyFits,
}

/// A broken rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "BrokenRule")]
pub struct Said {
    /// For programs.
    pub code: &'static str,
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
}

impl Broken {
    /// It in words.
    pub fn said(self) -> Said {
        let (code, en, zh) = match self {
            Self::NotBound => {
                ("not_bound", "the successor is not bound to a WeCom member", "接替员工未绑定企业微信成员")
            }
            Self::NotActive => {
                ("not_active", "the successor has left, or does not use WeCom", "接替员工已离职或未在用")
            }
            Self::OutOfSight => {
                ("out_of_sight", "the successor is outside the app's visible scope", "接替员工不在应用可见范围内")
            }
            Self::NotServing => {
                ("not_serving", "the successor is not allowed to have customers", "接替员工未配置客户联系功能")
            }
            Self::IsLeaver => ("is_leaver", "the successor is who hands over", "接替员工与原员工为同一人"),
            Self::NotInHandover => {
                ("not_in_handover", "the item is not to be planned in this handover", "该项不在本次交接的待分配范围内")
            }
            Self::MovedTwice => {
                ("moved_twice", "the customer was transferred twice within 90 days", "该客户90天内已被转接两次")
            }
            Self::LeftTooLong => ("left_too_long", "the leaver left more than a year ago", "原员工离职已超过一年"),
            Self::NobodyFits => ("nobody_fits", "no rule finds a successor", "没有规则能确定接替员工"),
        };
        Said { code, en, zh }
    }
}
