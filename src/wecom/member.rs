//! Members and departments, as far as the app may see them.
//!
//! <https://developer.work.weixin.qq.com/document/path/90196>, `…/90200`, `…/90201`, `…/95350`.

use serde::Deserialize;

use super::{Api, ApiError};
use crate::ids::UserId;

/// No such member, or one that the app may not see: WeCom does not say which.
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
    /// The departments in sight.
    #[serde(default)]
    pub department: Vec<i64>,
    /// The main department, if it is in sight.
    #[serde(default)]
    pub main_department: Option<i64>,
    /// 1 active, 2 disabled, 4 not activated, 5 left; 0 if it was not said.
    #[serde(default)]
    pub status: i32,
}

impl Member {
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
    /// The one above; it may be out of sight.
    #[serde(default)]
    pub parentid: i64,
}

impl Api {
    /// A member; [`UNKNOWN_OR_OUT_OF_SIGHT`] if there is none in sight. Safe to repeat.
    pub async fn member(&self, user: &UserId) -> Result<Member, ApiError> {
        self.get("user/get", &[("userid", user.as_str())]).await
    }

    /// The members of one department, not of those below it. Safe to repeat.
    pub async fn members_of(&self, department: i64) -> Result<Vec<Member>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            userlist: Vec<Member>,
        }
        let department = department.to_string();
        let answer: Answer = self.get("user/list", &[("department_id", &department)]).await?;
        Ok(answer.userlist)
    }

    /// Every department in sight: a tree, or a wood if parents are out of sight. Safe to repeat.
    pub async fn departments(&self) -> Result<Vec<Department>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            department_id: Vec<Department>,
        }
        let answer: Answer = self.get("department/simplelist", &[]).await?;
        Ok(answer.department_id)
    }
}
