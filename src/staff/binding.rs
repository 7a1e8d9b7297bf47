//! Binding a staff member to a WeCom user: whether WeCom shows the member, and whether either is bound already.

use sqlx::PgConnection;

use crate::{
    ids::{CorpId, UserId},
    tables::{
        apply,
        customers::customer_wechat_contact,
        staff::staff_wechat_bind::{self, Binding, NewBinding},
    },
    wecom::{Api, ApiError, member},
};

/// How long the address of a member's picture may be.
pub const AVATAR_CHARS_MAX: usize = 1_024;

/// What is known of a member.
#[derive(Debug, Clone)]
pub struct KnownMember {
    /// The userid, as WeCom writes it.
    pub user: UserId,
    /// The name.
    pub name: Option<String>,
    /// The picture's URL.
    pub avatar: Option<String>,
    /// Whether WeCom said so.
    pub verified: bool,
}

/// A staff member and the WeCom user whom they are to be bound to.
#[derive(Debug, Clone)]
pub struct MemberToBind {
    /// The corp.
    pub corpid: CorpId,
    /// The business's id of the staff member.
    pub staff_id: String,
    /// The WeCom user.
    pub member: KnownMember,
}

/// Why a member cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// WeCom knows no such member, or does not show them to the app.
    #[error(transparent)]
    Unknown(ApiError),
    /// The member does not use WeCom at present.
    #[error("the member {} (status {status})", inactive(*status).0)]
    Inactive {
        /// WeCom's status: 2 disabled, 4 not activated, 5 left.
        status: i64,
    },
    /// WeCom refuses to say, or is away.
    #[error(transparent)]
    Wecom(ApiError),
}

/// Why a binding is not made.
#[derive(Debug, thiserror::Error)]
pub enum NotBoundNow {
    /// The staff member is bound already.
    #[error("the staff member has a binding")]
    StaffBound,
    /// The WeCom user is bound already.
    #[error("the member has a binding")]
    MemberBound,
    /// The database.
    #[error(transparent)]
    Database(sqlx::Error),
}

/// A status of a member who cannot be bound, in English and Chinese words.
pub fn inactive(status: i64) -> (&'static str, &'static str) {
    match status {
        2 => ("is disabled", "已被禁用"),
        4 => ("has not activated WeCom yet", "尚未激活企业微信"),
        _ => ("has left the corp", "已退出企业"),
    }
}

/// The member as WeCom describes them, if they are in sight and use WeCom.
pub async fn verify(api: &Api, user: &UserId) -> Result<KnownMember, NotVerified> {
    let member = api.member(user).await.map_err(|error| match error.is(member::UNKNOWN_OR_OUT_OF_SIGHT) {
        true => NotVerified::Unknown(error),
        false => NotVerified::Wecom(error),
    })?;
    // 1 is active, and some apps are not told.
    if [2, 4, 5].contains(&member.status) {
        return Err(NotVerified::Inactive { status: member.status.into() });
    }
    let avatar = member.avatar.filter(|it| it.len() <= AVATAR_CHARS_MAX && is_web(it));
    let name = Some(member.name).filter(|it| !it.is_empty());
    Ok(KnownMember { user: member.user, name, avatar, verified: true })
}

/// Binds whom WeCom, or the caller where WeCom cannot be asked, described.
pub async fn bind(conn: &mut PgConnection, to_bind: &MemberToBind) -> Result<Binding, NotBoundNow> {
    let MemberToBind { corpid, staff_id, member } = to_bind;
    // A rename or leaver that is being recorded must see this binding, or be seen by it.
    let user = apply::know(conn, corpid, &member.user, member.verified).await?;
    let new =
        NewBinding { corpid, staff_id, user: &user, name: member.name.as_deref(), avatar: member.avatar.as_deref() };
    let binding = staff_wechat_bind::bind(conn, &new).await?;
    customer_wechat_contact::assign_staff(conn, std::slice::from_ref(&corpid.0), &[user.0]).await?;
    Ok(binding)
}

/// Whether a browser takes the address for one of the web: no other scheme may run in a page.
pub fn is_web(url: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
}

impl From<sqlx::Error> for NotBoundNow {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|it| it.constraint()) {
            Some("staff_wechat_bind_staff_bound") => Self::StaffBound,
            Some("staff_wechat_bind_user_bound") => Self::MemberBound,
            _ => Self::Database(error),
        }
    }
}
