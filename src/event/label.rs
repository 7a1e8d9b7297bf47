//! A word for each event, for counters: a closed set, unlike the platform's names.

use super::Event;

impl Event {
    /// What kind of event it is, as a label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CustomerAdded(_) => "customer_added",
            Self::CustomerEdited(_) => "customer_edited",
            Self::CustomerDeleted(_) => "customer_deleted",
            Self::CustomerLost(_) => "customer_lost",
            Self::TransferFailed(_) => "transfer_failed",
            Self::ArchiveConsented(_) => "archive_consented",
            Self::Message(_) => "message",
            Self::Archived(_) => "archived",
            Self::MemberCreated(_) => "member_created",
            Self::MemberUpdated(_) => "member_updated",
            Self::MemberDeleted { .. } => "member_deleted",
            Self::MemberSubscribed { .. } => "member_subscribed",
            Self::MemberUnsubscribed { .. } => "member_unsubscribed",
            Self::Department(_) => "department",
            Self::Tag(_) => "tag",
            Self::Group(_) => "group",
            Self::CorpTag(_) => "corp_tag",
            Self::Acquisition(_) => "acquisition",
            Self::CustomerService(_) => "customer_service",
            Self::KfMessage(_) => "kf_message",
            Self::KfEvent(_) => "kf_event",
            Self::ArchiveNotify => "archive_notify",
            Self::Approval(_) => "approval",
            Self::AccountApproval(_) => "account_approval",
            Self::PlatformAddressesChanged => "platform_addresses_changed",
            Self::AppInteraction(_) => "app_interaction",
            Self::AppLifecycle(_) => "app_lifecycle",
            Self::Job(_) => "job",
            Self::Mail(_) => "mail",
            Self::MeetingRoom(_) => "meeting_room",
            Self::Calendar(_) => "calendar",
            Self::Meeting(_) => "meeting",
            Self::Living(_) => "living",
            Self::Document(_) => "document",
            Self::Drive(_) => "drive",
            Self::Chain(_) => "chain",
            Self::School(_) => "school",
            Self::Device(_) => "device",
            Self::Payment(_) => "payment",
            Self::Suite(_) => "suite",
            Self::Robot(_) => "robot",
            Self::Unknown => "unknown",
        }
    }
}
