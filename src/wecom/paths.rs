//! The endpoints that others than their own files must know: because they have a budget of their own, or because their
//! errcodes mean something else.

/// Makes an access_token.
pub(super) const GET_TOKEN: &str = "gettoken";

/// Greets a new customer.
pub(super) const SEND_WELCOME: &str = "externalcontact/send_welcome_msg";

/// Greets a customer who opened 微信客服.
pub(super) const KF_ON_EVENT: &str = "kf/send_msg_on_event";

/// Hands customers of somebody who stays to a colleague.
pub(super) const TRANSFER_IN_SERVICE: &str = "externalcontact/transfer_customer";

/// Hands customers of a leaver to a colleague.
pub(super) const TRANSFER_RESIGNED: &str = "externalcontact/resigned/transfer_customer";

/// Hands groups of somebody who stays to a colleague.
pub(super) const GROUPS_IN_SERVICE: &str = "externalcontact/groupchat/onjob_transfer";

/// Hands groups of a leaver to a colleague.
pub(super) const GROUPS_RESIGNED: &str = "externalcontact/groupchat/transfer";
