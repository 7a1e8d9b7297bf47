//! Actions that people take with their phones: scan a code, describe or delete each other, leave.
//!
//! Each changes the world and returns its callback. API calls cause no callbacks, so these actions are not in `api`.

use std::borrow::Cow;

use super::code::Welcome;
use super::contacts::{AddWay, Follow, Notes};
use super::error::{ChangeError, ScanError};
use super::{CODE_CHARS, ContactWay, World};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::chance::ALPHANUMERIC;
use crate::sandbox::day::cast;
use crate::sandbox::day::wire::{contact_event, event};
use crate::sandbox::push::{AppKind, Push};

/// Customers on WeChat; others use WeCom themselves and are not welcomed.
const ON_WECHAT: &str = "wm";

impl World {
    /// The id of a customer whom nobody has seen before.
    pub fn somebody_new(&mut self) -> ExternalUserId {
        super::make::somebody_new(&mut self.chance)
    }

    /// A customer scans a contact way's code.
    pub(in crate::sandbox) fn scan(&mut self, config_id: &str, customer: &ExternalUserId) -> Result<Push, ScanError> {
        let way = self.contact_ways.get(config_id).ok_or(ScanError::Unknown)?;
        if !way.is_live(self.now()) {
            return Err(ScanError::Expired);
        }
        let state = Some(way.state.clone()).filter(|state| !state.is_empty());
        let members = self.members_behind(way);
        let member = members.get(self.chance.below(members.len())).copied().ok_or(ScanError::Nobody)?;
        self.befriend(member, customer, state.as_deref(), AddWay::QrScan).ok_or(ScanError::AlreadyContact)
    }

    /// A customer adds a member, without any code.
    pub(in crate::sandbox) fn add(&mut self, userid: &UserId, customer: &ExternalUserId) -> Result<Push, ChangeError> {
        let member = self.directory.find(userid.as_str()).ok_or(ChangeError::NoMember)?;
        self.befriend(member, customer, None, AddWay::PhoneSearch).ok_or(ChangeError::AlreadyContact)
    }

    /// A member writes something about a customer.
    pub(in crate::sandbox) fn edit(
        &mut self,
        userid: &UserId,
        customer: &ExternalUserId,
        write: impl FnOnce(&mut Notes),
    ) -> Result<Push, ChangeError> {
        let (place, _) = self.contact(userid, customer).ok_or(ChangeError::NoContact)?;
        if let Some(follow) = self.contacts.follow_mut(place) {
            write(follow.notes.get_or_insert_default());
        }
        Ok(self.said("edit_external_contact", userid, customer))
    }

    /// A member deletes a customer.
    pub(in crate::sandbox) fn remove(
        &mut self,
        userid: &UserId,
        customer: &ExternalUserId,
    ) -> Result<Push, ChangeError> {
        let (place, _) = self.contact(userid, customer).ok_or(ChangeError::NoContact)?;
        self.contacts.part(&mut self.directory, place);
        Ok(self.said("del_external_contact", userid, customer))
    }

    /// A customer deletes a member; the API still lists the contact.
    pub(in crate::sandbox) fn unfollow(
        &mut self,
        userid: &UserId,
        customer: &ExternalUserId,
    ) -> Result<Push, ChangeError> {
        let (place, _) = self.contact(userid, customer).ok_or(ChangeError::NoContact)?;
        if let Some(follow) = self.contacts.follow_mut(place) {
            follow.one_sided = true;
        }
        Ok(self.said("del_follow_user", userid, customer))
    }

    /// A member gets another id.
    pub(in crate::sandbox) fn rename(&mut self, old: &UserId, new: &UserId) -> Result<Push, ChangeError> {
        if self.directory.find(new.as_str()).is_some() && !old.as_str().eq_ignore_ascii_case(new.as_str()) {
            return Err(ChangeError::IdTaken);
        }
        self.directory.rename(old.as_str(), new).ok_or(ChangeError::NoMember)?;
        let content = event(&self.corpid, self.now(), "change_contact").plain("ChangeType", "update_user");
        Ok(Push::genuine(AppKind::Directory, content.cdata("UserID", old).cdata("NewUserID", new).document()))
    }

    /// A member leaves the company. WeCom sends nothing about their customers.
    pub(in crate::sandbox) fn leave(&mut self, userid: &UserId) -> Result<Push, ChangeError> {
        let now = self.now();
        self.directory.leave(userid.as_str(), now).ok_or(ChangeError::NoMember)?;
        let content = event(&self.corpid, now, "change_contact").plain("ChangeType", "delete_user");
        Ok(Push::genuine(AppKind::Directory, content.cdata("UserID", userid).document()))
    }

    /// The members to whom a contact way leads now.
    fn members_behind(&self, way: &ContactWay) -> Vec<u32> {
        let named = way.user.iter().filter_map(|userid| self.directory.find(userid.as_str()));
        let in_party = |place: &u32| {
            let departments = self.directory.get(*place).map(|it| it.departments.as_slice()).unwrap_or_default();
            let serves = self.directory.get(*place).is_some_and(|it| it.left_at.is_none() && it.customer_contact);
            serves && departments.iter().any(|&id| way.party.iter().any(|&party| self.directory.is_below(id, party)))
        };
        // Few ways name departments; only for these the whole directory is searched.
        let everybody = if way.party.is_empty() { 0 } else { self.directory.members.len() as u32 };
        named.chain((0..everybody).filter(in_party)).collect()
    }

    /// A customer and a member become contacts; none if they are.
    fn befriend(&mut self, member: u32, id: &ExternalUserId, state: Option<&str>, add_way: AddWay) -> Option<Push> {
        let now = self.now();
        let chance = &mut self.chance;
        let customer = self.contacts.know(id, || Cow::Owned(cast::customer(chance, 0).nickname));
        let known = self.contacts.between(member, customer);
        if known.and_then(|place| self.contacts.follow(place)).is_some_and(|follow| !follow.one_sided) {
            return None;
        }
        // A customer who comes back is a new contact: the old one's position stays empty.
        if let Some(place) = known {
            self.contacts.part(&mut self.directory, place);
        }
        let state_kept = state.map(Box::from);
        let follow = Follow {
            member,
            customer,
            since: now,
            add_way,
            by_member: false,
            one_sided: false,
            state: state_kept,
            notes: None,
        };
        self.contacts.meet(&mut self.directory, follow);
        let userid = self.directory.get(member)?.userid.clone();
        let code = id.as_str().starts_with(ON_WECHAT).then(|| self.chance.text(ALPHANUMERIC, CODE_CHARS));
        if let Some(code) = &code {
            let welcome = Welcome { userid: userid.clone(), external_userid: id.clone() };
            self.welcome_codes.issue(code.clone(), welcome, now);
        }
        let document = contact_event(&self.corpid, now, "add_external_contact", &userid, id)
            .optional("State", state)
            .optional("WelcomeCode", code.as_deref())
            .document();
        Some(Push::genuine(AppKind::App, document))
    }

    fn said(&self, change: &str, userid: &UserId, customer: &ExternalUserId) -> Push {
        Push::genuine(AppKind::App, contact_event(&self.corpid, self.now(), change, userid, customer).document())
    }
}
