//! Every endpoint, and which secret may call it.

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::Refusal;
use super::{
    approval, archive, contact, contact_way, directory, group, kf, login, media, message, network, note, tag, transfer,
    unassigned, welcome,
};
use crate::sandbox::world::{Credential, World};

/// Answers a call while the lock is held, so it must neither wait nor call anything.
pub(super) type Handler = fn(&mut World, &Ask, &Credential) -> Result<Answer, Refusal>;

/// One endpoint.
pub(super) struct Route {
    path: &'static str,
    pub(super) needs: Needs,
    pub(super) handler: Handler,
}

/// The kind of token an endpoint accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Any.
    Any,
    /// A self-built app's.
    App,
    /// A self-built app's; directory sync gets the errcode for reading details.
    AppForDetails,
    /// Directory sync's.
    Sync,
    /// Either of these.
    AppOrSync,
    /// An app's that is enabled under 客户联系.
    CustomerContact,
    /// The message archive's.
    Archive,
}

const ROUTES: &[Route] = &[
    route("get_api_domain_ip", Needs::Any, network::api_addresses),
    route("getcallbackip", Needs::Any, network::callback_addresses),
    route("user/get", Needs::AppForDetails, directory::user_get),
    route("user/list", Needs::AppForDetails, directory::user_list),
    route("user/simplelist", Needs::AppForDetails, directory::user_simplelist),
    route("user/list_id", Needs::Sync, directory::user_list_id),
    route("department/list", Needs::AppOrSync, directory::department_list),
    route("department/simplelist", Needs::AppOrSync, directory::department_simplelist),
    route("department/get", Needs::AppOrSync, directory::department_get),
    route("auth/getuserinfo", Needs::App, login::getuserinfo),
    route("externalcontact/get_follow_user_list", Needs::CustomerContact, contact::get_follow_user_list),
    route("externalcontact/list", Needs::CustomerContact, contact::list),
    route("externalcontact/get", Needs::CustomerContact, contact::get),
    route("externalcontact/batch/get_by_user", Needs::CustomerContact, contact::get_by_user),
    route("externalcontact/remark", Needs::CustomerContact, note::remark),
    route("externalcontact/get_corp_tag_list", Needs::CustomerContact, tag::get_corp_tag_list),
    route("externalcontact/mark_tag", Needs::CustomerContact, note::mark_tag),
    route("externalcontact/add_contact_way", Needs::CustomerContact, contact_way::add),
    route("externalcontact/get_contact_way", Needs::CustomerContact, contact_way::get),
    route("externalcontact/list_contact_way", Needs::CustomerContact, contact_way::list),
    route("externalcontact/update_contact_way", Needs::CustomerContact, contact_way::update),
    route("externalcontact/del_contact_way", Needs::CustomerContact, contact_way::delete),
    route("externalcontact/send_welcome_msg", Needs::CustomerContact, welcome::send),
    route("externalcontact/get_unassigned_list", Needs::CustomerContact, unassigned::list),
    route("externalcontact/transfer_customer", Needs::CustomerContact, transfer::in_service),
    route("externalcontact/transfer_result", Needs::CustomerContact, transfer::in_service_result),
    route("externalcontact/resigned/transfer_customer", Needs::CustomerContact, transfer::resigned),
    route("externalcontact/resigned/transfer_result", Needs::CustomerContact, transfer::resigned_result),
    route("externalcontact/groupchat/list", Needs::CustomerContact, group::list),
    route("externalcontact/groupchat/get", Needs::CustomerContact, group::get),
    route("externalcontact/groupchat/transfer", Needs::CustomerContact, group::transfer),
    route("externalcontact/groupchat/onjob_transfer", Needs::CustomerContact, group::onjob_transfer),
    route("oa/getapprovaldetail", Needs::App, approval::detail),
    route("message/send", Needs::App, message::send),
    route("kf/account/list", Needs::App, kf::account_list),
    route("kf/sync_msg", Needs::App, kf::sync_msg),
    route("kf/servicer/list", Needs::App, kf::servicer_list),
    route("kf/service_state/get", Needs::App, kf::state_get),
    route("kf/service_state/trans", Needs::App, kf::state_trans),
    route("kf/customer/batchget", Needs::App, kf::customers),
    route("kf/send_msg_on_event", Needs::App, kf::send_on_event),
    route("media/get", Needs::App, media::get),
    route("media/upload", Needs::App, media::upload),
    route("msgaudit/get_permit_user_list", Needs::Archive, archive::seats),
    route("msgaudit/check_single_agree", Needs::Archive, archive::single),
    route("msgaudit/check_room_agree", Needs::Archive, archive::room),
];

const fn route(path: &'static str, needs: Needs, handler: Handler) -> Route {
    Route { path, needs, handler }
}

/// The endpoint behind `/cgi-bin/`.
pub(super) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}
