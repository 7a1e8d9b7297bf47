//! The rows of the views of schema `reporting`: a type per view, which gives each report its schema, and each row's
//! position.
//!
//! Names, types and meanings are the columns'; the database's comments give the meanings in Chinese as well.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::states::{ContactStatus, ContactType, HandoverCause, HandoverState, ItemKind};

/// A row's position in its report: the day, and two texts that identify a row within the day.
pub type RowPosition = (NaiveDate, String, String);

/// A row of a report. Rows come in the order of their positions.
pub trait Row: Serialize + Default {
    /// Its position.
    fn place(&self) -> RowPosition;
}

/// How many customers each staff member was in contact with, by day.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub struct ContactsByStaffDay {
    /// The day, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The staff member, as WeCom names them; a customer's message names nobody and counts for the member whose contact
    /// they are, null if there is none.
    pub wechat_userid: Option<String>,
    /// The staff member last bound to it; null if nobody was.
    pub staff_id: Option<String>,
    /// Customers, each counted once.
    pub customers: i64,
    /// Contact records.
    pub records: i64,
    /// Of these, messages and what was written by hand.
    pub messages: i64,
    /// Of these, turns in the relation: added, deleted and the like.
    pub events: i64,
    /// The first record of the day.
    pub first_at: DateTime<Utc>,
    /// The last record of the day.
    pub last_at: DateTime<Utc>,
}

/// From a customer's first message of a day to the first answer.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub struct FirstResponseTime {
    /// The day on which the customer wrote, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// Who answered; if nobody has, the member whose contact the customer is.
    pub wechat_userid: Option<String>,
    /// The staff member last bound to it; null if nobody was.
    pub staff_id: Option<String>,
    /// Customers who wrote on that day.
    pub conversations: i64,
    /// Of these, answered within seven days.
    pub answered: i64,
    /// The median of the time to the answer, in seconds, of those answered.
    pub median_s: Option<i64>,
    /// Its 90th percentile, in seconds.
    pub p90_s: Option<i64>,
    /// The longest, in seconds.
    pub longest_s: Option<i64>,
}

/// Customers won and lost, by staff member and day.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub struct AdditionsAndLosses {
    /// The day, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The staff member, as WeCom names them.
    pub wechat_userid: String,
    /// The staff member last bound to it; null if nobody was.
    pub staff_id: Option<String>,
    /// Became contacts.
    pub added: i64,
    /// Added the member, who has not confirmed it yet; not part of net.
    pub half_added: i64,
    /// Deleted by the member.
    pub deleted_by_member: i64,
    /// Deleted the member.
    pub lost: i64,
    /// Handed over to somebody else.
    pub transferred_out: i64,
    /// Ended without a callback, found by reconciling.
    pub gone: i64,
    /// Net: added, less all that ended.
    pub net: i64,
}

/// How far the work orders made on a day have come by now; a stage that was skipped counts as passed.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub struct WorkOrderFunnel {
    /// The day of making, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The staff member now in charge; null if there is none.
    pub staff_id: Option<String>,
    /// Work orders made.
    pub created: i64,
    /// Assigned.
    pub assigned: i64,
    /// Contacted.
    pub contacted: i64,
    /// Quoted.
    pub quoted: i64,
    /// Confirmed.
    pub confirmed: i64,
    /// Done.
    pub done: i64,
    /// Cancelled.
    pub cancelled: i64,
    /// Neither done nor cancelled.
    pub open: i64,
    /// The median time from making to contact, in seconds.
    pub to_contact_median_s: Option<i64>,
}

/// What became of each handover, by what was handed over; of each item the last round counts.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct HandoverOutcomes {
    /// The day on which it began, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The handover's number.
    pub handover_id: i64,
    /// Who hands over, as WeCom names them.
    pub wechat_userid: String,
    /// Their staff id.
    pub staff_id: Option<String>,
    /// Why: left, resignation, or transfer between people who stay.
    pub cause: HandoverCause,
    /// How far the handover is.
    pub state: HandoverState,
    /// What: customer, order or group; null if there is nothing in it.
    pub kind: Option<ItemKind>,
    /// How many.
    pub items: i64,
    /// The successor has them.
    pub done: i64,
    /// The customer refused.
    pub refused: i64,
    /// The successor may have no more customers.
    pub full_up: i64,
    /// No longer the leaver's to hand over.
    pub gone: i64,
    /// Cannot be handed over.
    pub failed: i64,
    /// Called off.
    pub cancelled: i64,
    /// Still to end, what is overdue included.
    pub under_way: i64,
    /// When they left.
    pub left_at: Option<DateTime<Utc>>,
    /// When it was submitted to WeCom.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What WeCom did not decide in time.
    pub overdue: i64,
}

impl Default for HandoverOutcomes {
    /// An empty row: an export takes the column names from it.
    fn default() -> Self {
        Self {
            day: NaiveDate::default(),
            corpid: String::new(),
            handover_id: 0,
            wechat_userid: String::new(),
            staff_id: None,
            cause: HandoverCause::Left,
            state: HandoverState::Detected,
            kind: None,
            items: 0,
            done: 0,
            refused: 0,
            full_up: 0,
            gone: 0,
            failed: 0,
            cancelled: 0,
            under_way: 0,
            left_at: None,
            submitted_at: None,
            finished_at: None,
            overdue: 0,
        }
    }
}

/// Messages by type and day.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct MessageVolumes {
    /// The day, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The type: text, image, voice, video, location, link or file.
    pub contact_type: ContactType,
    /// Messages.
    pub messages: i64,
    /// Of these, from customers.
    pub from_customers: i64,
    /// Of these, from staff members, to an app included.
    pub from_members: i64,
    /// Of these, written down by hand.
    pub by_hand: i64,
    /// Customers in them, each counted once; those of records by hand are left out.
    pub customers: i64,
}

impl Default for MessageVolumes {
    /// An empty row: an export takes the column names from it.
    fn default() -> Self {
        Self {
            day: NaiveDate::default(),
            corpid: String::new(),
            contact_type: ContactType::Text,
            messages: 0,
            from_customers: 0,
            from_members: 0,
            by_hand: 0,
            customers: 0,
        }
    }
}

/// Contacts not matched to a customer of the business, a row for each customer and member.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct UnmatchedCustomers {
    /// The day on which they became known, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The customer, as WeCom names them.
    pub external_userid: String,
    /// The customer's nickname.
    pub nickname: Option<String>,
    /// The staff member, as WeCom names them.
    pub wechat_userid: String,
    /// The staff member last bound to it; null if nobody was.
    pub staff_id: Option<String>,
    /// Contacted, or assumed from an edit.
    pub status: ContactStatus,
    /// The channel through which they came.
    pub state: Option<String>,
    /// How they were added, as WeCom numbers it.
    pub add_way: Option<i32>,
    /// The first contact, or when we learnt of it.
    pub known_since: DateTime<Utc>,
    /// The last contact.
    pub last_contact_time: Option<DateTime<Utc>>,
    /// How many customers of the business it may be; 0 if nothing leads to any.
    pub candidates: i32,
    /// Whether known_since or last_contact_time is when a callback without a time arrived.
    pub time_is_arrival: bool,
}

impl Default for UnmatchedCustomers {
    /// An empty row: an export takes the column names from it.
    fn default() -> Self {
        Self {
            day: NaiveDate::default(),
            corpid: String::new(),
            external_userid: String::new(),
            nickname: None,
            wechat_userid: String::new(),
            staff_id: None,
            status: ContactStatus::Assumed,
            state: None,
            add_way: None,
            known_since: DateTime::UNIX_EPOCH,
            last_contact_time: None,
            candidates: 0,
            time_is_arrival: false,
        }
    }
}

impl Row for ContactsByStaffDay {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), self.wechat_userid.clone().unwrap_or_default())
    }
}

impl Row for FirstResponseTime {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), self.wechat_userid.clone().unwrap_or_default())
    }
}

impl Row for AdditionsAndLosses {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), self.wechat_userid.clone())
    }
}

impl Row for WorkOrderFunnel {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), self.staff_id.clone().unwrap_or_default())
    }
}

impl Row for HandoverOutcomes {
    fn place(&self) -> RowPosition {
        (self.day, format!("{:019}", self.handover_id), self.kind.map_or_else(String::new, |it| it.to_string()))
    }
}

impl Row for MessageVolumes {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), self.contact_type.to_string())
    }
}

impl Row for UnmatchedCustomers {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), format!("{} {}", self.external_userid, self.wechat_userid))
    }
}

/// Contacts that carry a tag of the company, by the day they became contacts, tag and staff member.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub struct ContactsByTag {
    /// The day they became contacts, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The tag.
    pub tag_id: String,
    /// Its name; null until the list of tags is read.
    pub tag: Option<String>,
    /// Its group's name.
    pub tag_group: Option<String>,
    /// The member whose contacts they are.
    pub wechat_userid: String,
    /// The staff member bound to it; null if nobody is.
    pub staff_id: Option<String>,
    /// How many contacts.
    pub contacts: i64,
    /// Of these, matched to a customer of the business.
    pub matched: i64,
}

impl Row for ContactsByTag {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), format!("{} {}", self.tag_id, self.wechat_userid))
    }
}

/// Who joined and left each customer group, and its messages, by day.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub struct GroupActivity {
    /// The day, in Asia/Shanghai.
    pub day: NaiveDate,
    /// The corp.
    pub corpid: String,
    /// The group.
    pub chat_id: String,
    /// Its name; null until it is read.
    pub name: Option<String>,
    /// Who owns it now.
    pub owner_userid: Option<String>,
    /// The staff member last bound to the owner; null if nobody was.
    pub staff_id: Option<String>,
    /// People whose last joining was on that day.
    pub joined: i64,
    /// People whose last leaving was on that day.
    pub gone: i64,
    /// Messages, as far as the session archive has them.
    pub messages: i64,
    /// Of these, from customers.
    pub from_customers: i64,
    /// How many people wrote.
    pub writers: i64,
}

impl Row for GroupActivity {
    fn place(&self) -> RowPosition {
        (self.day, self.corpid.clone(), self.chat_id.clone())
    }
}
