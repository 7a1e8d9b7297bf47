//! Members and departments, as far as the app may see them.
//!
//! <https://developer.work.weixin.qq.com/document/path/90196>, `…/90200`, `…/90201`, `…/95350`, `…/95351`.

use serde::Deserialize;

use super::{
    Api, ApiError, Rows,
    lenient::{List, Number},
    rows::{Row, is_id},
};
use crate::ids::UserId;

/// No such member, or one not visible to the app: WeCom does not say which.
pub const UNKNOWN_OR_OUT_OF_SIGHT: i64 = 60111;

/// A member of the corp.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// The member.
    #[serde(rename = "userid")]
    pub user: UserId,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The picture's URL; withheld from apps made after June 2022.
    #[serde(default)]
    pub avatar: Option<String>,
    /// The visible departments.
    #[serde(default)]
    pub department: Vec<i64>,
    /// The main department, if it is visible.
    #[serde(default)]
    pub main_department: Number,
    /// 1 active, 2 disabled, 4 not activated, 5 left; 0 if missing.
    #[serde(default)]
    pub status: i32,
}

impl Member {
    /// The departments' numbers, joined by commas; none if there are none.
    pub fn departments(&self) -> Option<String> {
        let numbers: Vec<_> = self.department.iter().filter(|it| **it > 0).map(i64::to_string).collect();
        (!numbers.is_empty()).then(|| numbers.join(","))
    }

    /// Whether they use WeCom.
    pub fn is_active(&self) -> bool {
        self.status == 1
    }
}

/// A department.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Department {
    /// Its number; the root is 1.
    pub id: i64,
    /// The parent; it may not be visible.
    #[serde(default)]
    pub parentid: i64,
}

/// A department with its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DepartmentDetail {
    /// Its number.
    pub id: i64,
    /// Its name; empty if the app may not read it.
    #[serde(default)]
    pub name: String,
    /// The parent; it may not be visible.
    #[serde(default)]
    pub parentid: i64,
}

/// `department/get`.
#[derive(Debug, Deserialize)]
pub(super) struct DepartmentAnswer {
    department: DepartmentDetail,
}

/// `user/list`.
#[derive(Debug, Deserialize)]
pub(super) struct MembersAnswer {
    userlist: List<Member>,
}

/// `department/simplelist`.
#[derive(Debug, Deserialize)]
pub(super) struct DepartmentsAnswer {
    department_id: List<Department>,
}

impl Row for Member {
    fn lacks(&self) -> Option<&'static str> {
        self.user.lacks()
    }
}

impl Row for Department {
    fn lacks(&self) -> Option<&'static str> {
        (self.id <= 0).then_some("id")
    }
}

impl Api {
    /// A member; [`UNKNOWN_OR_OUT_OF_SIGHT`] if none is visible. Safe to repeat.
    pub async fn member(&self, user: &UserId) -> Result<Member, ApiError> {
        let member: Member = self.get("user/get", &[("userid", user.as_str())]).await?;
        // The member is the requested one, whatever id the answer has.
        Ok(if is_id(member.user.as_str()) { member } else { Member { user: user.clone(), ..member } })
    }

    /// The members of one department, without those of its sub-departments. Safe to repeat.
    pub async fn members_of(&self, department: i64) -> Result<Rows<Member>, ApiError> {
        let department = department.to_string();
        let answer: MembersAnswer = self.get("user/list", &[("department_id", &department)]).await?;
        Ok(answer.userlist.rows("userlist"))
    }

    /// Every visible department: a tree, or several trees if parents are not visible. Safe to repeat.
    pub async fn departments(&self) -> Result<Rows<Department>, ApiError> {
        let answer: DepartmentsAnswer = self.get("department/simplelist", &[]).await?;
        Ok(answer.department_id.rows("department_id"))
    }

    /// One department with its name. Safe to repeat.
    pub async fn department(&self, id: i64) -> Result<DepartmentDetail, ApiError> {
        let answer: DepartmentAnswer = self.get("department/get", &[("id", &id.to_string())]).await?;
        Ok(answer.department)
    }
}
