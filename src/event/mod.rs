//! Events as types.
//!
//! Input is the plaintext of an authentic callback, XML or JSON, in any of the platform's shapes: messages and events
//! of an app, notices to a provider, a robot's JSON; or a message that was pulled, as its origin says. One call turns it into a head (corp, time, name) and a typed
//! event. An event that is new from WeCom is [`Event::Unknown`], never an error. Nothing here knows the database,
//! HTTP, the clock, or how an event is handled.

mod head;

mod kind;

mod label;

mod fields;

mod customer;

mod message;

mod member;

mod department;

mod tag;

mod group;

mod acquisition;

mod service;

mod approval;

mod app;

mod job;

mod meeting;

mod office;

mod network;

mod device;

mod payment;

mod suite;

mod robot;

mod pulled;

mod archive;
mod kf;

#[cfg(test)]
mod tests;

use crate::document::{self, DocumentError, Element};
use crate::ids::UserId;
use crate::states::Origin;

pub use acquisition::{Acquisition, AcquisitionChange};
pub use app::{Action, AppChange, AppInteraction, AppLifecycle, Selection};
pub use approval::{AccountApproval, Approval, ApprovalEngine};
pub use archive::{Archived, ArchivedBody, ArchivedFile, Said};
pub use customer::{
    ArchiveConsented, CustomerAdded, CustomerDeleted, CustomerEdited, CustomerLost, FailReason, TransferFailed,
};
pub use department::{Department, DepartmentChange};
pub use device::Device;
pub use fields::Hidden;
pub use group::{GroupChange, GroupChanged, GroupUpdate, UpdateDetail};
pub use head::{Head, NAME_BYTES_MAX};
pub use job::Job;
pub use kf::{KfBody, KfChange, KfEvent, KfMedia, KfMessage, KfSender, SessionChange};
pub use meeting::{Meeting, Operated};
pub use member::{Attribute, AttributeValue, Member, MemberFields, MemberUpdated};
pub use message::{Message, MessageBody};
pub use network::{Chain, School, SchoolEntry};
pub use office::{Calendar, Drive, Living, Mail, MeetingRoom, OfficeDocument};
pub use payment::Payment;
pub use robot::{Robot, RobotBody, RobotItem};
pub use service::CustomerService;
pub use suite::{Activation, Conversation, Licence, Notice, Order, Registration, Suite};
pub use tag::{CorpTag, Tag};

/// A parsed plaintext.
#[derive(Debug, Clone, PartialEq)]
pub struct Callback {
    /// Its corp, time and name.
    pub head: Head,
    /// What happened.
    pub event: Event,
    /// Whether the plaintext was malformed and repaired.
    pub repaired: bool,
}

/// Why a plaintext could not be parsed. No retry can help, because the bytes never change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is not a document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A pulled message is not a JSON object.
    #[error("the pulled message is no JSON object")]
    NotAnObject,
    /// A person may have typed some of its elements, and it cannot be told which.
    #[error("the document can be read in more than one way")]
    Ambiguous,
    /// An event that we record lacks a required id.
    #[error("the event has no {0}")]
    Missing(&'static str),
    /// An id is longer than an index of the database can hold.
    #[error("{name} is {bytes} bytes long, and an id has at most {ID_BYTES_MAX}")]
    TooLong {
        /// The element.
        name: &'static str,
        /// Its length.
        bytes: usize,
    },
}

/// The maximum length of an id in bytes. Three of them are one key of an index, which holds 2,704 bytes; WeCom's own have
/// at most 64, and media ids and welcome codes some more.
const ID_BYTES_MAX: usize = 800;

/// The elements whose texts become keys, wherever they stand: ids of corps, people, groups, forms, media and codes.
const ID_NAMES: [&str; 19] = [
    "ToUserName",
    "AuthCorpId",
    "FromUserName",
    "UserID",
    "NewUserID",
    "ExternalUserID",
    "State",
    "WelcomeCode",
    "MediaId",
    "ChatId",
    "Item",
    "UserId",
    "ApplyUserId",
    "SpNo",
    "SpNoStr",
    "ThirdNo",
    "TemplateId",
    "OpenTemplateId",
    "LinkId",
];

/// No id is too long for an index. The database would refuse it at each attempt, and everything in its batch at first.
fn ids_fit(doc: &Element) -> Result<(), ParseError> {
    for element in &doc.children {
        let bytes = element.text.trim_ascii().len();
        if bytes > ID_BYTES_MAX
            && let Some(name) = ID_NAMES.iter().find(|it| it.eq_ignore_ascii_case(&element.name))
        {
            return Err(ParseError::TooLong { name, bytes });
        }
        ids_fit(element)?;
    }
    Ok(())
}

/// Parses a plaintext, as its origin asks: no callback can pass for a pulled message.
pub fn parse(plaintext: &[u8], origin: Origin) -> Result<Callback, ParseError> {
    match origin {
        Origin::Callback => parse_callback(plaintext),
        Origin::Archive | Origin::Kf => pulled::read(plaintext, origin),
    }
}

/// Values are trimmed, except text that people typed. An empty element is `None` like an absent one, except in
/// [`MemberFields`], where it means that a value was cleared.
fn parse_callback(plaintext: &[u8]) -> Result<Callback, ParseError> {
    let document::Reading { root: doc, repaired, doubtful } = document::read(plaintext)?;
    let kind = kind::Kind::of(&doc);
    if doubtful && kind.is_recorded() {
        return Err(ParseError::Ambiguous);
    }
    if kind.is_recorded() {
        ids_fit(&doc)?;
    }
    let event = kind.read(&doc)?;
    Ok(Callback { head: Head::read(&kind, &doc), event, repaired })
}

/// Every event of the platform's reference. The first three groups are recorded; the others are stored and settled.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A member and a customer became contacts, or are about to (`half`).
    CustomerAdded(CustomerAdded),
    /// A customer's remark, phone number or tags changed; WeCom does not say which.
    CustomerEdited(CustomerEdited),
    /// A member removed a customer, or a transfer did.
    CustomerDeleted(CustomerDeleted),
    /// A customer removed a member.
    CustomerLost(CustomerLost),
    /// The successor of a transfer did not get the customer.
    TransferFailed(TransferFailed),
    /// A customer agreed to have sessions archived.
    ArchiveConsented(ArchiveConsented),

    /// Someone wrote to the app.
    Message(Message),

    /// A message of the message archive, which was pulled.
    Archived(Archived),

    /// A member joined the directory.
    MemberCreated(Member),
    /// A member's id, departments or other fields changed.
    MemberUpdated(MemberUpdated),
    /// A member left the directory.
    MemberDeleted {
        /// The member.
        user: UserId,
    },
    /// A member entered the visible range of the app.
    MemberSubscribed {
        /// The member.
        user: UserId,
    },
    /// A member left the visible range of the app, left the company, or was disabled.
    MemberUnsubscribed {
        /// The member.
        user: UserId,
    },

    /// A department was made, changed or removed.
    Department(Department),
    /// Members or departments were added to a directory tag, or removed from it.
    Tag(Tag),
    /// A group of members and customers changed.
    Group(GroupChanged),
    /// A tag for customers, or a group of such tags, changed.
    CorpTag(CorpTag),
    /// Something happened with a customer acquisition link or its quota.
    Acquisition(Acquisition),
    /// 微信客服 has something to pull.
    CustomerService(CustomerService),
    /// Somebody wrote in a conversation of 微信客服.
    KfMessage(KfMessage),
    /// Something happened in 微信客服.
    KfEvent(KfEvent),
    /// The session archive has something to pull.
    ArchiveNotify,
    /// A form of the approval engine progressed.
    Approval(Approval),
    /// A request for a paid account was made or decided.
    AccountApproval(AccountApproval),
    /// WeCom's own IP addresses changed: firewalls that list them must be updated.
    PlatformAddressesChanged,
    /// A member did something in the app.
    AppInteraction(AppInteraction),
    /// The app itself changed: suspended, restricted, shared.
    AppLifecycle(AppLifecycle),
    /// A job that runs at WeCom ended.
    Job(Job),
    /// A mailbox received mail.
    Mail(Mail),
    /// A meeting room was booked or released.
    MeetingRoom(MeetingRoom),
    /// A calendar or an entry in it changed.
    Calendar(Calendar),
    /// A meeting changed, or someone in it did something.
    Meeting(Meeting),
    /// A live broadcast changed its status.
    Living(Living),
    /// A document, form or smart sheet changed.
    Document(OfficeDocument),
    /// A drive's space or files changed.
    Drive(Drive),
    /// An up- or downstream network of companies changed.
    Chain(Chain),
    /// A school's directory changed.
    School(School),
    /// A device reported something, or was managed.
    Device(Device),
    /// A payment or refund outside of WeCom's own apps was settled.
    Payment(Payment),
    /// A notice to a provider: tickets, authorisations, orders, licences.
    Suite(Suite),
    /// A message or event of an intelligent robot.
    Robot(Robot),

    /// Authentic but not in the reference; its name is in [`Head::name`].
    Unknown,
}
