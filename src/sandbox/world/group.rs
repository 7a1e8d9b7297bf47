//! Customer groups (客户群): their owners, and their transfers.
//!
//! Whether a group waits for a new owner is derived from its owner's state. API calls on groups cause no callback
//! here, since the platform's documents name none; what people do in a group does.

use std::borrow::Cow;
use std::collections::HashMap;

use super::World;
use super::contacts::Contacts;
use super::directory::Directory;
use super::error::ChangeError;
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::chance::Chance;
use crate::sandbox::day::cast;
use crate::sandbox::day::wire::{Xml, event};
use crate::sandbox::push::{AppKind, Push};

/// One of this many members with customers owns a group from the beginning.
const OWNERS_EVERY: usize = 6;

/// How many of the owner's customers are in a group, at most.
const GUESTS_MAX: usize = 20;

/// The random part of a group's id.
const CHAT_ID_CHARS: usize = 30;

/// When the initial groups were created, in seconds since 1970.
const FOUNDED_AT: i64 = 1_735_689_600;

/// How often a group may be transferred in service within a number of seconds.
const MOVES_MAX: usize = 2;
const MOVES_WITHIN_S: i64 = 90 * 24 * 3600;

/// The offset of China's midnight, where the platform's days begin, in seconds.
const CHINA_S: i64 = 8 * 3600;
const DAY_S: i64 = 24 * 3600;

/// A group of members and customers.
#[derive(Debug, Clone)]
pub struct Group {
    /// `wr…`.
    pub chat_id: String,
    /// What it is called.
    pub name: String,
    /// The customers in it.
    pub guests: Vec<ExternalUserId>,
    /// When it was made, in seconds since 1970.
    pub created_at: i64,
    pub(in crate::sandbox) owner: u32,
    /// Members in it besides the owner.
    pub(in crate::sandbox) colleagues: Vec<u32>,
    /// How often its members changed.
    pub(in crate::sandbox) version: u32,
    /// The next owner, and when they take over.
    heir: Option<(u32, i64)>,
    inherited: bool,
    /// When it was transferred in service.
    moved_at: Vec<i64>,
    /// When people joined after it was made, in seconds since 1970, and by which scene.
    joined: HashMap<String, (i64, JoinScene)>,
    /// Its members and customers see it no more.
    dismissed: bool,
}

/// How somebody joins a group, by the platform's numbers in a group's details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinScene {
    /// A member invites them.
    Invited = 1,
    /// They scan the group's code.
    Scanned = 3,
}

/// A request to transfer groups that was not refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCall {
    /// Whether the endpoint for leavers was called.
    pub resigned: bool,
    /// Who shall own them.
    pub new_owner: UserId,
    /// The groups and their errcodes: 0 means transferred.
    pub chat_ids: Vec<(String, i64)>,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// The status of a group, by the platform's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum GroupStatus {
    Normal = 0,
    /// Its owner has left.
    Orphaned = 1,
    /// A new owner will take over.
    Inheriting = 2,
    /// A new owner has taken over.
    Inherited = 3,
}

/// Why a group is not transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum NotGiven {
    /// There is no such group.
    Unknown,
    /// The owner is active, and the request was for leavers' groups.
    OwnerIsHere,
    /// The owner has left, and the request was for active members' groups.
    OwnerHasLeft,
    /// The new owner owns it already.
    SameOwner,
    /// A new owner will take over.
    Inheriting,
    /// A new owner has taken over.
    Inherited,
    /// It was transferred too often lately.
    MovedTooOften,
    /// The day's limit is reached.
    Daily,
}

/// All groups, in the order in which they were made.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Groups {
    pub(in crate::sandbox) all: Vec<Group>,
    by_id: HashMap<String, u32>,
    given_by: HashMap<u32, Today>,
    given_to: HashMap<u32, Today>,
}

/// How often something happened on one day.
#[derive(Debug, Default, Clone, Copy)]
struct Today {
    day: i64,
    count: usize,
}

impl Groups {
    /// The initial groups.
    pub(in crate::sandbox) fn found(seed: u64, directory: &Directory, contacts: &Contacts) -> Self {
        let mut chance = Chance::new(seed, "groups");
        let mut groups = Self::default();
        let with_customers = (0..).zip(&directory.members).filter(|(_, member)| !member.follows.is_empty());
        for (nth, (owner, member)) in with_customers.step_by(OWNERS_EVERY).enumerate() {
            let chat_id = cast::opaque(&mut chance, "wr", CHAT_ID_CHARS);
            let name = format!("客户群{}", nth + 1);
            groups.add(Group::new(chat_id, name, owner, guests(contacts, &member.follows), FOUNDED_AT));
        }
        groups
    }

    pub(in crate::sandbox) fn add(&mut self, group: Group) {
        self.by_id.insert(group.chat_id.clone(), self.all.len() as u32);
        self.all.push(group);
    }

    pub(in crate::sandbox) fn get(&self, chat_id: &str) -> Option<&Group> {
        self.all.get(*self.by_id.get(chat_id)? as usize)
    }

    fn get_mut(&mut self, chat_id: &str) -> Option<&mut Group> {
        self.all.get_mut(*self.by_id.get(chat_id)? as usize)
    }

    /// Transfers the groups whose time has come.
    pub(in crate::sandbox) fn settle(&mut self, now: i64) {
        for group in &mut self.all {
            if let Some((heir, at)) = group.heir
                && at <= now
            {
                group.heir = None;
                group.inherited = true;
                // A leaver is in no group any more.
                group.pass_to(heir, false);
            }
        }
    }
}

impl Group {
    fn new(chat_id: String, name: String, owner: u32, guests: Vec<ExternalUserId>, created_at: i64) -> Self {
        Self {
            chat_id,
            name,
            guests,
            created_at,
            owner,
            colleagues: Vec::new(),
            version: 1,
            heir: None,
            inherited: false,
            moved_at: Vec::new(),
            joined: HashMap::new(),
            dismissed: false,
        }
    }

    /// When somebody joined, and how.
    pub(in crate::sandbox) fn joined(&self, person: &str) -> (i64, JoinScene) {
        self.joined.get(person).copied().unwrap_or((self.created_at, JoinScene::Invited))
    }

    pub(in crate::sandbox) fn is_dismissed(&self) -> bool {
        self.dismissed
    }

    fn pass_to(&mut self, new_owner: u32, stays: bool) {
        let old = std::mem::replace(&mut self.owner, new_owner);
        self.colleagues.retain(|&it| it != new_owner);
        if stays {
            self.colleagues.push(old);
        }
        self.version += 1;
    }
}

impl Today {
    fn on(self, day: i64) -> usize {
        if self.day == day { self.count } else { 0 }
    }

    fn one_more(&mut self, day: i64) {
        *self = Self { day, count: self.on(day) + 1 };
    }
}

impl World {
    /// Makes a group of a member and some of their customers, without any callback; none if there is no such member.
    pub fn add_group(&mut self, owner: &UserId, name: &str) -> Option<String> {
        let place = self.directory.find(owner.as_str())?;
        let guests = guests(&self.contacts, &self.directory.get(place)?.follows);
        let chat_id = cast::opaque(&mut self.chance, "wr", CHAT_ID_CHARS);
        self.groups.add(Group::new(chat_id.clone(), name.to_owned(), place, guests, self.now()));
        Some(chat_id)
    }

    /// A customer joins a group.
    pub(in crate::sandbox) fn join_group(
        &mut self,
        chat_id: &str,
        customer: &ExternalUserId,
        scene: JoinScene,
    ) -> Result<Push, ChangeError> {
        let chance = &mut self.chance;
        self.contacts.know(customer, || Cow::Owned(cast::customer(chance, 0).nickname));
        let now = self.now();
        self.change_members(chat_id, "add_member", customer, |group| {
            let is_new = !group.guests.contains(customer);
            if is_new {
                group.guests.push(customer.clone());
                group.joined.insert(customer.0.clone(), (now, scene));
            }
            // A callback has numbers of its own for it.
            is_new.then_some(("JoinScene", if scene == JoinScene::Scanned { 3 } else { 0 }))
        })
    }

    /// A customer leaves a group, or is removed from it.
    pub(in crate::sandbox) fn leave_group(
        &mut self,
        chat_id: &str,
        customer: &ExternalUserId,
        removed: bool,
    ) -> Result<Push, ChangeError> {
        self.change_members(chat_id, "del_member", customer, |group| {
            let count = group.guests.len();
            group.guests.retain(|it| it != customer);
            group.joined.remove(customer.as_str());
            (group.guests.len() < count).then_some(("QuitScene", i32::from(removed)))
        })
    }

    /// A group gets another name.
    pub(in crate::sandbox) fn rename_group(&mut self, chat_id: &str, name: &str) -> Result<Push, ChangeError> {
        self.live_group(chat_id)?.name = name.to_owned();
        let said = self.group_said(chat_id, "update").cdata("UpdateDetail", "change_name");
        Ok(Push::genuine(AppKind::App, said.document()))
    }

    /// A group is dissolved.
    pub(in crate::sandbox) fn dismiss_group(&mut self, chat_id: &str) -> Result<Push, ChangeError> {
        self.live_group(chat_id)?.dismissed = true;
        Ok(Push::genuine(AppKind::App, self.group_said(chat_id, "dismiss").document()))
    }

    fn live_group(&mut self, chat_id: &str) -> Result<&mut Group, ChangeError> {
        self.groups.get_mut(chat_id).filter(|it| !it.dismissed).ok_or(ChangeError::NoGroup)
    }

    /// Changes a group's members; the change returns the scene, or none if it changes nothing.
    fn change_members(
        &mut self,
        chat_id: &str,
        detail: &str,
        person: &ExternalUserId,
        change: impl FnOnce(&mut Group) -> Option<(&'static str, i32)>,
    ) -> Result<Push, ChangeError> {
        let group = self.live_group(chat_id)?;
        let before = version(group.version);
        let (scene, number) = change(group).ok_or(ChangeError::InGroup)?;
        group.version += 1;
        let after = version(group.version);
        let said = self.group_said(chat_id, "update").cdata("UpdateDetail", detail).plain(scene, number);
        let said = said.plain("MemChangeCnt", 1).nested("MemChangeList", Xml::new().cdata("Item", person));
        Ok(Push::genuine(AppKind::App, said.cdata("LastMemVer", before).cdata("CurMemVer", after).document()))
    }

    fn group_said(&self, chat_id: &str, change: &str) -> Xml {
        event(&self.corpid, self.now(), "change_external_chat").cdata("ChatId", chat_id).cdata("ChangeType", change)
    }

    /// A group by its id.
    pub fn group(&self, chat_id: &str) -> Option<&Group> {
        self.groups.get(chat_id)
    }

    /// A group's owner, active or not.
    pub fn owner_of(&self, chat_id: &str) -> Option<&UserId> {
        self.directory.get(self.groups.get(chat_id)?.owner).map(|member| &member.userid)
    }

    /// The ids of a member's groups, active or not, the oldest first.
    pub fn groups_of(&self, owner: &UserId) -> Vec<String> {
        let place = self.directory.find_here_or_left(owner.as_str());
        let theirs = self.groups.all.iter().filter(|group| Some(group.owner) == place && !group.dismissed);
        theirs.map(|group| group.chat_id.clone()).collect()
    }

    pub(in crate::sandbox) fn group_status(&self, group: &Group) -> GroupStatus {
        let left = self.directory.get(group.owner).is_none_or(|owner| owner.left_at.is_some());
        match (group.heir, left) {
            (Some(_), _) => GroupStatus::Inheriting,
            (None, true) => GroupStatus::Orphaned,
            (None, false) if group.inherited => GroupStatus::Inherited,
            (None, false) => GroupStatus::Normal,
        }
    }

    /// Transfers a leaver's group, at once or later. The caller has checked whether the heir may own one.
    pub(in crate::sandbox) fn bequeath(&mut self, chat_id: &str, heir: u32) -> Result<(), NotGiven> {
        let group = self.groups.get(chat_id).ok_or(NotGiven::Unknown)?;
        match self.group_status(group) {
            GroupStatus::Normal => return Err(NotGiven::OwnerIsHere),
            GroupStatus::Inheriting => return Err(NotGiven::Inheriting),
            GroupStatus::Inherited => return Err(NotGiven::Inherited),
            GroupStatus::Orphaned => {}
        }
        let owner = group.owner;
        self.count_given(owner, heir)?;
        let now = self.now();
        let at = now + self.transfer_rules.inherit_after_s;
        if let Some(group) = self.groups.get_mut(chat_id) {
            group.heir = Some((heir, at));
        }
        self.groups.settle(now);
        Ok(())
    }

    /// Transfers an active member's group.
    pub(in crate::sandbox) fn give(&mut self, chat_id: &str, new_owner: u32) -> Result<(), NotGiven> {
        let group = self.groups.get(chat_id).ok_or(NotGiven::Unknown)?;
        let owner = group.owner;
        match self.group_status(group) {
            GroupStatus::Orphaned => return Err(NotGiven::OwnerHasLeft),
            GroupStatus::Inheriting => return Err(NotGiven::Inheriting),
            GroupStatus::Normal | GroupStatus::Inherited if owner == new_owner => return Err(NotGiven::SameOwner),
            GroupStatus::Normal | GroupStatus::Inherited => {}
        }
        let now = self.now();
        if group.moved_at.iter().filter(|&&at| at > now - MOVES_WITHIN_S).count() >= MOVES_MAX {
            return Err(NotGiven::MovedTooOften);
        }
        self.count_given(owner, new_owner)?;
        if let Some(group) = self.groups.get_mut(chat_id) {
            group.moved_at.push(now);
            group.pass_to(new_owner, true);
        }
        Ok(())
    }

    /// Counts a group transferred today. The documents may mean a limit per old or per new owner; both are enforced.
    fn count_given(&mut self, owner: u32, new_owner: u32) -> Result<(), NotGiven> {
        let day = (self.now() + CHINA_S).div_euclid(DAY_S);
        let by = self.groups.given_by.entry(owner).or_default();
        let to = self.groups.given_to.entry(new_owner).or_default();
        if by.on(day).max(to.on(day)) >= self.limits.groups_per_day {
            return Err(NotGiven::Daily);
        }
        by.one_more(day);
        to.one_more(day);
        Ok(())
    }
}

/// A version of a list of members as the platform writes it.
pub(in crate::sandbox) fn version(number: u32) -> String {
    format!("{number:032x}")
}

/// Some of a member's customers.
fn guests(contacts: &Contacts, follows: &[u32]) -> Vec<ExternalUserId> {
    let customer = |&place: &u32| contacts.customer(contacts.follow(place)?.customer);
    follows.iter().filter_map(customer).take(GUESTS_MAX).map(|it| it.id.clone()).collect()
}
