//! The company's secrets: the APIs that each may call, and its visible range.

use crate::ids::UserId;
use crate::sandbox::corp::App;
use crate::sandbox::push::AppKind;

/// The agent number of an app that was configured without one.
const DEFAULT_AGENTID: i64 = 1_000_002;

/// A secret and its rights.
#[derive(Clone)]
pub struct Credential {
    /// A self-built app, directory sync (通讯录同步), or the message archive (会话内容存档).
    pub kind: AppKind,
    /// The app's name in the callback URL.
    pub name: String,
    /// The app's number; directory sync has none.
    pub agentid: Option<i64>,
    /// The visible range (可见范围).
    pub visible: Visible,
    /// Whether it is enabled under 客户联系 → 可调用接口的应用. Directory sync never is.
    pub customer_contact: bool,
    /// Whether it is old enough to get avatars, telephone numbers and the like.
    pub private_fields: bool,
    pub(in crate::sandbox) secret: String,
}

/// An app's visible range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visible {
    /// The whole company.
    Everybody,
    /// These members, and those of these departments and the departments below.
    Only {
        /// Members that are listed by themselves.
        members: Vec<UserId>,
        /// Departments that are listed.
        departments: Vec<u32>,
    },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("name", &self.name).field("agentid", &self.agentid).finish_non_exhaustive()
    }
}

impl Credential {
    pub(in crate::sandbox) fn of(app: &App) -> Self {
        let agentid = (app.kind != AppKind::Directory).then(|| app.agentid.parse().unwrap_or(DEFAULT_AGENTID));
        Self {
            kind: app.kind,
            name: app.name.clone(),
            agentid,
            visible: Visible::Everybody,
            customer_contact: app.kind == AppKind::App,
            private_fields: false,
            secret: app.secret.clone(),
        }
    }

    /// The secret that tokens are asked for with.
    pub fn secret(&self) -> &str {
        &self.secret
    }
}
