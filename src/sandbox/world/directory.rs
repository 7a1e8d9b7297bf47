//! The company's members and departments.
//!
//! A userid's case does not matter, as on the platform. A leaver stays in the list, because their customers are
//! unassigned, but is no longer found.

use std::collections::HashMap;

use super::credential::{Credential, Visible};
use crate::ids::UserId;

/// The deepest department: bounds the search if a department is its own ancestor.
const DEPTH_MAX: usize = 32;

/// The department that all others are below.
pub(in crate::sandbox) const ROOT: u32 = 1;

/// A present or former member.
#[derive(Debug, Clone)]
pub struct Member {
    /// The id, as it was chosen.
    pub userid: UserId,
    /// The name in the directory.
    pub name: String,
    /// The numbers of their departments, the main one first.
    pub departments: Vec<u32>,
    /// What they do.
    pub position: String,
    /// Whether they may use WeCom.
    pub status: MemberStatus,
    /// Whether they may use 客户联系.
    pub customer_contact: bool,
    /// Whether they have verified their real name (实名认证).
    pub verified: bool,
    /// When they left, in seconds since 1970.
    pub left_at: Option<i64>,
    /// How many customers they may have; unlimited without a number.
    pub customers_max: Option<usize>,
    /// Their contacts' places, in order.
    pub(in crate::sandbox) follows: Vec<u32>,
}

/// A member's status as the directory shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberStatus {
    /// Works with WeCom.
    Active,
    /// Disabled by an administrator.
    Disabled,
    /// Has never logged in.
    NotActivated,
    /// Has left the company.
    Left,
}

impl MemberStatus {
    /// The platform's number.
    pub fn code(self) -> i64 {
        match self {
            Self::Active => 1,
            Self::Disabled => 2,
            Self::NotActivated => 4,
            Self::Left => 5,
        }
    }
}

/// A department.
#[derive(Debug, Clone)]
pub struct Department {
    /// Its number; 1 is the whole company.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The department above it; 0 above the whole company.
    pub parent: u32,
}

/// Everybody and every department.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Directory {
    pub(in crate::sandbox) members: Vec<Member>,
    by_id: HashMap<String, u32>,
    pub(in crate::sandbox) departments: Vec<Department>,
}

impl Directory {
    /// A company without members.
    pub(in crate::sandbox) fn of(departments: Vec<Department>) -> Self {
        Self { departments, ..Self::default() }
    }

    /// The position of the active member with this id.
    pub(in crate::sandbox) fn find(&self, userid: &str) -> Option<u32> {
        self.by_id.get(&userid.to_ascii_lowercase()).copied()
    }

    /// The position of the last leaver with this id.
    pub(in crate::sandbox) fn find_left(&self, userid: &str) -> Option<u32> {
        let theirs = |it: &Member| it.left_at.is_some() && it.userid.as_str().eq_ignore_ascii_case(userid);
        let left = (0..).zip(&self.members).filter(|(_, it)| theirs(it));
        left.max_by_key(|(place, it)| (it.left_at, *place)).map(|(place, _)| place)
    }

    /// The position of the active member with this id, or else of the last leaver.
    pub(in crate::sandbox) fn find_here_or_left(&self, userid: &str) -> Option<u32> {
        self.find(userid).or_else(|| self.find_left(userid))
    }

    pub(in crate::sandbox) fn get(&self, place: u32) -> Option<&Member> {
        self.members.get(place as usize)
    }

    pub(in crate::sandbox) fn get_mut(&mut self, place: u32) -> Option<&mut Member> {
        self.members.get_mut(place as usize)
    }

    /// Adds a member; an existing member keeps the id. Returns their position.
    pub(in crate::sandbox) fn add(&mut self, member: Member) -> u32 {
        let id = member.userid.as_str().to_ascii_lowercase();
        *self.by_id.entry(id).or_insert_with(|| {
            self.members.push(member);
            self.members.len() as u32 - 1
        })
    }

    /// A member leaves; their position stays.
    pub(in crate::sandbox) fn leave(&mut self, userid: &str, at: i64) -> Option<u32> {
        let place = self.by_id.remove(&userid.to_ascii_lowercase())?;
        let member = self.get_mut(place)?;
        (member.status, member.left_at) = (MemberStatus::Left, Some(at));
        Some(place)
    }

    /// A member gets another id.
    pub(in crate::sandbox) fn rename(&mut self, old: &str, new: &UserId) -> Option<()> {
        let place = self.by_id.remove(&old.to_ascii_lowercase())?;
        self.by_id.insert(new.as_str().to_ascii_lowercase(), place);
        self.get_mut(place)?.userid = new.clone();
        Some(())
    }

    pub(in crate::sandbox) fn department(&self, id: u32) -> Option<&Department> {
        self.departments.iter().find(|department| department.id == id)
    }

    /// Whether department `id` is `above` or below it.
    pub(in crate::sandbox) fn is_below(&self, id: u32, above: u32) -> bool {
        let mut at = id;
        for _ in 0..DEPTH_MAX {
            if at == above {
                return true;
            }
            match self.department(at) {
                Some(department) => at = department.parent,
                None => return false,
            }
        }
        false
    }

    /// Whether an app may see a department.
    pub(in crate::sandbox) fn shows_department(&self, to: &Credential, id: u32) -> bool {
        match &to.visible {
            Visible::Everybody => true,
            Visible::Only { departments, .. } => departments.iter().any(|&listed| self.is_below(id, listed)),
        }
    }

    /// Whether a member is visible to an app. Leavers are visible to none.
    pub(in crate::sandbox) fn shows(&self, to: &Credential, place: u32) -> bool {
        let Some(member) = self.get(place).filter(|member| member.left_at.is_none()) else { return false };
        match &to.visible {
            Visible::Everybody => true,
            Visible::Only { members, .. } => {
                let listed = |id: &UserId| id.as_str().eq_ignore_ascii_case(member.userid.as_str());
                members.iter().any(listed) || member.departments.iter().any(|&id| self.shows_department(to, id))
            }
        }
    }
}
