//! What WeCom's codes mean for one customer or group, in answers to transfers and in results. Pure.
//!
//! The codes are those of <https://developer.work.weixin.qq.com/document/path/92125> (customers, in service), `…/94081`
//! (customers, resigned), `…/93242` and `…/92127` (groups), and of the global list.

use super::item::Fact;

/// What a code means for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// The item is told this fact.
    Told(Fact),
    /// Not now: it is tried again later.
    Later,
}

/// A customer's code in the answer to `transfer_customer`.
pub(super) fn of_customer(code: i64) -> Said {
    match code {
        // 40129 and 40100: a transfer of theirs is under way, perhaps one of ours whose answer was lost.
        0 | 40129 | 40100 => Said::Told(Fact::Accepted),
        40099 => Said::Told(Fact::SuccessorFull),
        // They are not the member's customer, or not any more.
        40096 | 40131 | 84061 => Said::Told(Fact::NoLongerTheirs),
        // WeCom's directory has not noticed yet that the member left, or the member or WeCom is busy.
        40097 | 45035 | 45033 | 45009 | -1 => Said::Later,
        _ => Said::Told(Fact::GivenUp),
    }
}

/// A group's code in `failed_chat_list`; WeCom accepted a group that is not listed.
pub(super) fn of_group(code: i64) -> Said {
    match code {
        // It is being transferred, or was: asking for its owner will tell.
        0 | 90507 | 90508 | 90504 => Said::Told(Fact::Accepted),
        // Dissolved, or no group of customers.
        49008 | 90501 | 90509 | 86003 | 40050 => Said::Told(Fact::NoLongerTheirs),
        // 90500 and 90502: the endpoint is for members who left, or for those who did not; the next attempt chooses anew.
        90500 | 90502 | 45035 | 45033 | 45009 | -1 => Said::Later,
        _ => Said::Told(Fact::GivenUp),
    }
}

/// A customer's status in `transfer_result`: 1 done, 2 waiting, 3 refused, 4 the successor is full. `None` for a status
/// that says nothing, 5 (no record) among them.
pub(super) fn of_result(status: i64) -> Option<Fact> {
    match status {
        1 => Some(Fact::HandedOver),
        2 => Some(Fact::Accepted),
        3 => Some(Fact::CustomerRefused),
        4 => Some(Fact::SuccessorFull),
        _ => None,
    }
}

/// What WeCom's results say, in words, of a customer whom WeCom has not decided: the status, if there is one.
pub(super) fn undecided(status: Option<i64>) -> String {
    match status {
        None => "企业微信的转接结果中没有该客户".to_owned(),
        Some(2) => "企业微信仍显示等待接替".to_owned(),
        Some(5) => "企业微信没有该客户的转接记录(状态 5)".to_owned(),
        Some(status) => format!("企业微信返回了未知的转接状态 {status}"),
    }
}

/// The same for a group that does not have its new owner yet.
pub(super) const GROUP_UNDECIDED: &str = "客户群的群主尚未变更";

/// An end in words for people, because WeCom's results have none.
pub(super) fn reason(fact: Fact) -> Option<&'static str> {
    match fact {
        Fact::CustomerRefused => Some("客户拒绝转接"),
        Fact::SuccessorFull => Some("接替员工的客户数已达上限"),
        _ => None,
    }
}

/// What a `transfer_fail` event's reason means.
pub(super) fn of_event(reason: &str) -> Option<Fact> {
    match reason {
        "customer_refused" => Some(Fact::CustomerRefused),
        "customer_limit_exceed" => Some(Fact::SuccessorFull),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::ItemState;

    #[test]
    fn no_code_leaves_an_item_that_was_asked_about_where_it_was() {
        for code in (-10..100_000).step_by(1) {
            for said in [of_customer(code), of_group(code)] {
                if let Said::Told(fact) = said {
                    assert!(ItemState::Calling.after(fact).is_some(), "{code}: {fact:?}");
                }
            }
        }
    }

    #[test]
    fn a_result_is_a_turn_of_what_waits_or_says_that_it_still_does() {
        for status in 1..=4 {
            let fact = of_result(status).expect("a documented status");
            assert!(fact == Fact::Accepted || ItemState::Waiting.after(fact).is_some(), "{status}");
        }
        assert_eq!(of_result(5), None);
    }

    #[test]
    fn a_reason_in_an_event_is_an_end() {
        assert_eq!(of_event("customer_refused"), Some(Fact::CustomerRefused));
        assert_eq!(of_event("customer_limit_exceed"), Some(Fact::SuccessorFull));
        assert_eq!(of_event("something_else"), None);
    }
}
