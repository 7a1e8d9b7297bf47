//! Customers and their followers.
//!
//! There may be hundreds of thousands, so each takes a few dozen bytes: a card is made from the seed and the id on
//! request. A contact keeps its position for ever, which cursors rely on; a renewed one gets a new position.

use std::borrow::Cow;
use std::collections::HashMap;

use super::directory::Directory;
use crate::ids::ExternalUserId;
use crate::sandbox::chance::{ALPHANUMERIC, Chance};

/// The random part of a union id.
const UNIONID_CHARS: usize = 27;

/// How a contact came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum AddWay {
    QrScan = 1,
    PhoneSearch = 2,
    CardShare = 3,
    WechatContact = 6,
    /// Transferred by a colleague, or by an administrator in their name.
    Assigned = 202,
}

impl AddWay {
    /// The ways in which people meet.
    pub(in crate::sandbox) const ALL: [Self; 4] =
        [Self::QrScan, Self::PhoneSearch, Self::CardShare, Self::WechatContact];
}

/// A person outside the company.
#[derive(Debug)]
pub(in crate::sandbox) struct Customer {
    pub(in crate::sandbox) id: ExternalUserId,
    pub(in crate::sandbox) nickname: Cow<'static, str>,
    pub(in crate::sandbox) follows: Vec<u32>,
}

/// A member who has a customer among their contacts.
#[derive(Debug)]
pub(in crate::sandbox) struct Follow {
    pub(in crate::sandbox) member: u32,
    pub(in crate::sandbox) customer: u32,
    pub(in crate::sandbox) since: i64,
    pub(in crate::sandbox) add_way: AddWay,
    /// Whether the member sent the request, not the customer.
    pub(in crate::sandbox) by_member: bool,
    /// Whether the customer deleted the member; the API still lists the contact.
    pub(in crate::sandbox) one_sided: bool,
    pub(in crate::sandbox) state: Option<Box<str>>,
    pub(in crate::sandbox) notes: Option<Box<Notes>>,
}

/// What a member wrote about a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// The member's name for them; without one the nickname.
    pub remark: String,
    /// Anything else.
    pub description: String,
    /// Where the customer works.
    pub remark_company: String,
    /// The customer's telephone numbers.
    pub remark_mobiles: Vec<String>,
    /// The ids of the tags.
    pub tags: Vec<String>,
}

/// The fields of a customer's card besides the nickname.
pub(in crate::sandbox) struct Card {
    pub(in crate::sandbox) gender: usize,
    pub(in crate::sandbox) avatar: String,
    pub(in crate::sandbox) unionid: String,
}

/// All customers and contacts.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Contacts {
    pub(in crate::sandbox) customers: Vec<Customer>,
    by_id: HashMap<ExternalUserId, u32>,
    pub(in crate::sandbox) follows: Vec<Follow>,
}

impl Contacts {
    pub(in crate::sandbox) fn find(&self, id: &ExternalUserId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    pub(in crate::sandbox) fn customer(&self, place: u32) -> Option<&Customer> {
        self.customers.get(place as usize)
    }

    pub(in crate::sandbox) fn follow(&self, place: u32) -> Option<&Follow> {
        self.follows.get(place as usize)
    }

    pub(in crate::sandbox) fn follow_mut(&mut self, place: u32) -> Option<&mut Follow> {
        self.follows.get_mut(place as usize)
    }

    /// These tags are gone: no contact has one any more.
    pub(in crate::sandbox) fn lose_tags(&mut self, gone: &[String]) {
        for notes in self.follows.iter_mut().filter_map(|follow| follow.notes.as_deref_mut()) {
            notes.tags.retain(|it| !gone.contains(it));
        }
    }

    /// The position of a customer, added if new.
    pub(in crate::sandbox) fn know(
        &mut self,
        id: &ExternalUserId,
        nickname: impl FnOnce() -> Cow<'static, str>,
    ) -> u32 {
        if let Some(place) = self.find(id) {
            return place;
        }
        let place = self.customers.len() as u32;
        self.customers.push(Customer { id: id.clone(), nickname: nickname(), follows: Vec::new() });
        self.by_id.insert(id.clone(), place);
        place
    }

    /// The place of the contact between a member and a customer, if there is one.
    pub(in crate::sandbox) fn between(&self, member: u32, customer: u32) -> Option<u32> {
        let is_theirs = |place: &&u32| self.follow(**place).is_some_and(|follow| follow.member == member);
        self.customer(customer)?.follows.iter().find(is_theirs).copied()
    }

    /// A member and a customer become contacts. An existing contact stays as it is.
    pub(in crate::sandbox) fn meet(&mut self, directory: &mut Directory, follow: Follow) -> Option<u32> {
        if let Some(place) = self.between(follow.member, follow.customer) {
            let known = self.follow_mut(place)?;
            known.one_sided = false;
            return Some(place);
        }
        let place = self.follows.len() as u32;
        directory.get_mut(follow.member)?.follows.push(place);
        self.customers.get_mut(follow.customer as usize)?.follows.push(place);
        self.follows.push(follow);
        Some(place)
    }

    /// Ends a contact for both.
    pub(in crate::sandbox) fn part(&mut self, directory: &mut Directory, place: u32) -> Option<()> {
        let (member, customer) = self.follow(place).map(|it| (it.member, it.customer))?;
        directory.get_mut(member)?.follows.retain(|&it| it != place);
        self.customers.get_mut(customer as usize)?.follows.retain(|&it| it != place);
        Some(())
    }
}

/// Makes up a customer's card; the same seed and id make the same one.
pub(in crate::sandbox) fn card(seed: u64, id: &ExternalUserId) -> Card {
    let mut chance = Chance::new(seed, id.as_str());
    Card {
        gender: chance.below(3),
        avatar: format!("https://wx.qlogo.cn/mmhead/{}/0", chance.text(ALPHANUMERIC, UNIONID_CHARS)),
        unionid: format!("o{}", chance.text(ALPHANUMERIC, UNIONID_CHARS)),
    }
}
