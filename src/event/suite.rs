//! Notices to a provider: tickets, authorisations, orders, licences, session content.
//!
//! Input is the plaintext's document. Most notices are about one company, which the head names. Notices about
//! members, customers, links and devices are read in those files; here are only the notices that no app receives.

use super::Event;
use super::fields::{Hidden, customer, filled, hidden, number, siblings, user, wrapped};
use crate::document::Element;
use crate::ids::{CorpId, ExternalUserId, UserId};

/// A notice to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    /// The provider's suite.
    pub suiteid: Option<String>,
    /// The provider itself, in notices of the system URL.
    pub service_corpid: Option<CorpId>,
    /// The notice's content.
    pub notice: Notice,
}

/// The kinds of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A ticket, every ten minutes; the newest counts.
    Ticket {
        /// The ticket; valid for 30 minutes.
        ticket: Option<Hidden>,
    },
    /// A company authorised the app.
    Authorised {
        /// Can be exchanged for the permanent code within ten minutes.
        auth_code: Option<Hidden>,
        /// The `state` of the authorising link.
        state: Option<String>,
        /// Accounts of 微信客服 that were authorised with it.
        open_kfids: Vec<String>,
    },
    /// The authorisation's scope or mode changed.
    AuthorisationChanged {
        /// The `state` of the authorising link.
        state: Option<String>,
        /// Accounts of 微信客服 that are authorised now.
        open_kfids: Vec<String>,
    },
    /// The authorisation was cancelled, and with it the access to the company's data.
    AuthorisationCancelled,
    /// The permanent code was reset.
    CodeReset {
        /// Can be exchanged for the new code.
        auth_code: Option<Hidden>,
    },
    /// The organisation's permission was granted.
    OrganisationAuthorised,
    /// A special permission was granted or taken back.
    SpecialPermission {
        /// Whether it was granted; otherwise taken back.
        granted: bool,
        /// `customer_acquisition`.
        auth_type: Option<String>,
    },
    /// The members who may contact customers by acquisition links changed.
    AcquisitionPermitChanged,
    /// An order for the app.
    Order(Order),
    /// A company registered through the provider, or is about to.
    Registered(Registration),
    /// An account licence or a paid API changed.
    Licence(Licence),
    /// The company agreed to convert its customers' ids.
    MigrationAgreed,
    /// Session content, for the data zone.
    Conversation(Conversation),
}

/// An order for the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// `open_order`, `change_order`, `pay_for_app_success`, `refund`, `cancel_order`, `change_edition`.
    pub change: String,
    /// The corp that pays.
    pub paid_corpid: Option<CorpId>,
    /// The order; a changed order's new id.
    pub order_id: Option<String>,
    /// The id that a changed order had.
    pub old_order_id: Option<String>,
    /// The member who ordered; none if the provider did.
    pub operator: Option<String>,
}

/// A company that registers through the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Whether it is registered; otherwise a member only opened the page.
    pub done: bool,
    /// The registration attempt's code.
    pub register_code: Option<Hidden>,
    /// The template used.
    pub template_id: Option<String>,
    /// The `state` of the link.
    pub state: Option<String>,
    /// The member who registered.
    pub user: Option<UserId>,
    /// Gives temporary write access to the new company's directory.
    pub contact_token: Option<Hidden>,
}

/// An account licence or a paid API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// `license_pay_success`, `auto_activate`, `advanced_api_expired`…, as WeCom writes it.
    pub change: String,
    /// The order.
    pub order_id: Option<String>,
    /// 1 refunded, 2 refused.
    pub order_status: Option<i32>,
    /// The member who bought.
    pub buyer: Option<UserId>,
    /// 1 session content.
    pub api_type: Option<i32>,
    /// Accounts that were activated automatically.
    pub activated: Vec<Activation>,
}

/// An account that was activated automatically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The account's member.
    pub user: Option<UserId>,
    /// The code it was activated with.
    pub active_code: Option<Hidden>,
    /// 1 basic, 2 interop.
    pub account_type: Option<i32>,
}

/// Session content, for the data zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// `conversation_new_message`, `hit_keyword`…, as WeCom writes it.
    pub change: String,
    /// Fetches what is new.
    pub token: Option<Hidden>,
    /// The export that ended.
    pub job_id: Option<String>,
    /// The group whose archiving was agreed to.
    pub chat_id: Option<String>,
    /// The customer who agreed.
    pub customer: Option<ExternalUserId>,
    /// The member's id across providers.
    pub open_userid: Option<String>,
}

pub(super) fn read(info: &str, doc: &Element) -> Option<Event> {
    let notice = notice(info, doc)?;
    let (suiteid, service_corpid) = (filled(doc, "SuiteId"), filled(doc, "ServiceCorpId").map(CorpId));
    Some(Event::Suite(Suite { suiteid, service_corpid, notice }))
}

fn notice(info: &str, doc: &Element) -> Option<Notice> {
    Some(match info {
        "suite_ticket" => Notice::Ticket { ticket: hidden(doc, "SuiteTicket") },
        "create_auth" => Notice::Authorised {
            auth_code: hidden(doc, "AuthCode"),
            state: filled(doc, "State"),
            open_kfids: open_kfids(doc),
        },
        "change_auth" => Notice::AuthorisationChanged { state: filled(doc, "State"), open_kfids: open_kfids(doc) },
        "cancel_auth" => Notice::AuthorisationCancelled,
        "reset_permanent_code" => Notice::CodeReset { auth_code: hidden(doc, "AuthCode") },
        "corp_arch_auth" => Notice::OrganisationAuthorised,
        "approve_special_auth" | "cancel_special_auth" => {
            Notice::SpecialPermission { granted: info == "approve_special_auth", auth_type: filled(doc, "AuthType") }
        }
        "customer_acquisition_permit_change" => Notice::AcquisitionPermitChanged,
        "open_order" | "change_order" | "pay_for_app_success" | "refund" | "cancel_order" | "change_edition" => {
            Notice::Order(order(info, doc))
        }
        "register_corp" | "enter_register_package" => Notice::Registered(registration(info, doc)),
        "license_pay_success"
        | "license_refund"
        | "auto_activate"
        | "advanced_api_pay_success"
        | "advanced_api_refund"
        | "advanced_api_cancel"
        | "advanced_api_insufficient"
        | "advanced_api_expired"
        | "advanced_api_trial_expired" => Notice::Licence(licence(info, doc)),
        "agree_external_userid_migration" => Notice::MigrationAgreed,
        "chat_archive_audit_approved_single"
        | "chat_archive_audit_approved_room"
        | "conversation_new_message"
        | "hit_keyword"
        | "chat_archive_export_finished" => Notice::Conversation(conversation(info, doc)),
        _ => return None,
    })
}

fn open_kfids(doc: &Element) -> Vec<String> {
    doc.child("ExtraInfo").map(|extra| wrapped(extra, "AuthOpenKfIdList", "OpenKfId")).unwrap_or_default()
}

fn order(info: &str, doc: &Element) -> Order {
    Order {
        change: info.to_owned(),
        paid_corpid: filled(doc, "PaidCorpId").map(CorpId),
        order_id: filled(doc, "OrderId").or_else(|| filled(doc, "NewOrderId")),
        old_order_id: filled(doc, "OldOrderId"),
        operator: filled(doc, "OperatorId"),
    }
}

fn registration(info: &str, doc: &Element) -> Registration {
    Registration {
        done: info == "register_corp",
        register_code: hidden(doc, "RegisterCode"),
        template_id: filled(doc, "TemplateId"),
        state: filled(doc, "State"),
        user: doc.child("AuthUserInfo").and_then(|info| user(info, "UserId")),
        contact_token: doc.child("ContactSync").and_then(|sync| hidden(sync, "AccessToken")),
    }
}

fn licence(info: &str, doc: &Element) -> Licence {
    let activation = |account: &Element| Activation {
        user: user(account, "UserId"),
        active_code: hidden(account, "ActiveCode"),
        account_type: number(account, "Type"),
    };
    Licence {
        change: info.to_owned(),
        order_id: filled(doc, "OrderId"),
        order_status: number(doc, "OrderStatus"),
        buyer: user(doc, "BuyerUserId"),
        api_type: number(doc, "AdvanceApiType"),
        activated: doc.all("AccountList").map(activation).collect(),
    }
}

fn conversation(info: &str, doc: &Element) -> Conversation {
    Conversation {
        change: info.to_owned(),
        token: hidden(doc, "Token"),
        job_id: filled(doc, "JobId"),
        chat_id: filled(doc, "ChatId"),
        customer: customer(doc),
        open_userid: siblings(doc, "OpenUserID").into_iter().next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_and_codes_are_never_printed() {
        let secrets = [
            ("suite_ticket", "<SuiteTicket>\n<![CDATA[s3cret]]></SuiteTicket>"),
            ("create_auth", "<AuthCode>s3cret</AuthCode>"),
            ("reset_permanent_code", "<AuthCode>s3cret</AuthCode>"),
            (
                "register_corp",
                "<RegisterCode>s3cret</RegisterCode><ContactSync><AccessToken>s3cret</AccessToken></ContactSync>",
            ),
            ("auto_activate", "<AccountList><ActiveCode>s3cret</ActiveCode></AccountList>"),
            ("hit_keyword", "<Token>s3cret</Token>"),
        ];
        for (info, fields) in secrets {
            let doc = Element::parse(&format!("<xml>{fields}</xml>")).expect("a document");
            let printed = format!("{:?}", read(info, &doc).expect("a known notice"));
            assert!(printed.contains("Hidden") && !printed.contains("s3cret"), "{printed}");
        }
    }

    #[test]
    fn the_text_of_a_suite_ticket_can_be_read() {
        let doc = Element::parse("<xml><SuiteTicket> <![CDATA[t]]></SuiteTicket></xml>").expect("a document");
        let Some(Notice::Ticket { ticket: Some(ticket) }) = notice("suite_ticket", &doc) else { panic!("no ticket") };
        assert_eq!(ticket.expose(), "t");
    }
}
