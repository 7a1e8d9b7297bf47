//! What each endpoint does, takes and answers: one constant for each, in the file of its heading.
//!
//! The match has no `_` arm, so an endpoint without a description does not compile.

mod access;

mod apps;

mod customers;

mod deliveries;

mod handovers;

mod plans;

mod privacy;

mod reports;

mod sessions;

mod resignations;

mod staff;

mod work_orders;

use super::operation::Operation;
use crate::admin::route::Endpoint;

/// An endpoint's description.
#[expect(clippy::too_many_lines, reason = "one line for each endpoint")]
pub(super) fn describe(endpoint: Endpoint) -> &'static Operation {
    match endpoint {
        Endpoint::ConfigList => &apps::LIST,
        Endpoint::ConfigSave => &apps::SAVE,
        Endpoint::TestConnection => &apps::TEST,
        Endpoint::StaffBindList => &staff::LIST,
        Endpoint::StaffBindAdd => &staff::BIND,
        Endpoint::StaffBindRemove => &staff::UNBIND,
        Endpoint::StaffBindLogin => &staff::LINK,
        Endpoint::StaffBindLoginCallback => &staff::VISIT,
        Endpoint::StaffDutyList => &staff::DUTIES,
        Endpoint::StaffDutySet => &staff::SET_DUTY,
        Endpoint::CustomerContactShow => &customers::SHOW,
        Endpoint::CustomerContactMake => &customers::MAKE,
        Endpoint::CustomerContactQr => &customers::PICTURE,
        Endpoint::ContactRecordsList => &customers::RECORDS,
        Endpoint::ContactRecordAdd => &customers::ADD_RECORD,
        Endpoint::CustomerMatchList => &customers::MATCHES,
        Endpoint::CustomerMatchDecide => &customers::DECIDE,
        Endpoint::MediaShow => &customers::MEDIA,
        Endpoint::WorkOrderList => &work_orders::LIST,
        Endpoint::WorkOrderAdd => &work_orders::ADD,
        Endpoint::WorkOrderShow => &work_orders::SHOW,
        Endpoint::WorkOrderChange => &work_orders::CHANGE,
        Endpoint::HandoverList => &handovers::LIST,
        Endpoint::HandoverShow => &handovers::SHOW,
        Endpoint::HandoverItems => &handovers::ITEMS,
        Endpoint::HandoverItemsCsv => &handovers::ITEMS_CSV,
        Endpoint::HandoverLog => &handovers::LOG,
        Endpoint::HandoverPlan => &plans::PLAN,
        Endpoint::HandoverNotify => &plans::NOTIFY,
        Endpoint::HandoverAccept => &plans::ACCEPT,
        Endpoint::HandoverSubmit => &plans::SUBMIT,
        Endpoint::HandoverCancel => &plans::CANCEL,
        Endpoint::HandoverPoll => &plans::POLL,
        Endpoint::HandoverClose => &plans::CLOSE,
        Endpoint::TransferMake => &handovers::TRANSFER,
        Endpoint::TransferHistory => &handovers::HISTORY,
        Endpoint::ResignationList => &resignations::LIST,
        Endpoint::ResignationAdd => &resignations::ADD,
        Endpoint::ResignationShow => &resignations::SHOW,
        Endpoint::ResignationApprove => &resignations::APPROVE,
        Endpoint::ResignationRefuse => &resignations::REFUSE,
        Endpoint::ResignationCancel => &resignations::CANCEL,
        Endpoint::DeliveryList => &deliveries::LIST,
        Endpoint::DeliveryShow => &deliveries::SHOW,
        Endpoint::DeliveryReplay => &deliveries::REPLAY,
        Endpoint::TaskList => &deliveries::TASKS,
        Endpoint::TaskReplay => &deliveries::REPLAY_TASK,
        Endpoint::TaskCancel => &deliveries::CANCEL_TASK,
        Endpoint::SyncList => &deliveries::RUNS,
        Endpoint::SyncShow => &deliveries::SHOW_RUN,
        Endpoint::SyncStart => &deliveries::START_RUN,
        Endpoint::SyncCancel => &deliveries::CANCEL_RUN,
        Endpoint::ReportShow => &reports::SHOW,
        Endpoint::AccessLogList => &access::LOG,
        Endpoint::ApiTokenList => &access::TOKENS,
        Endpoint::ApiTokenAdd => &access::ADD_TOKEN,
        Endpoint::ApiTokenRevoke => &access::REVOKE_TOKEN,
        Endpoint::CustomerExport => &privacy::EXPORT,
        Endpoint::CustomerErase => &privacy::ERASE,
        Endpoint::ErasureList => &privacy::ERASURES,
        Endpoint::ErasureShow => &privacy::SHOW_ERASURE,
        Endpoint::SessionShow => &sessions::SHOW,
        Endpoint::SessionMake => &sessions::MAKE,
        Endpoint::SessionEnd => &sessions::END,
        Endpoint::SessionLogin => &sessions::LOGIN,
        Endpoint::SessionLoginCallback => &sessions::CALLBACK,
        Endpoint::SessionList => &sessions::LIST,
        Endpoint::SessionEndOther => &sessions::END_OTHER,
        Endpoint::ConsoleUserList => &sessions::USERS,
        Endpoint::ConsoleUserPut => &sessions::PUT_USER,
        Endpoint::ConsoleUserRemove => &sessions::REMOVE_USER,
    }
}
