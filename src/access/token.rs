//! The rules of tokens: how long one may last, how it stands, whose own it may see.

use chrono::{DateTime, Utc};

use crate::{check::Invalid, states::Role, tables::access::api_token::TokenRow};

/// How long a token may last that ends by itself, in days: ten years.
pub const EXPIRES_DAYS_MAX: u32 = 3_650;

/// How a token stands by the database's clock, which wrote its end: `live`, `expired` or `revoked`.
pub fn state(token: &TokenRow, now: DateTime<Utc>) -> &'static str {
    match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        (None, _) => "live",
    }
}

/// Refuses to limit a token to a staff member's own where it has no staff member, or is an admin's.
pub fn check_own_only(own_only: bool, has_owner: bool, role: Role) -> Result<(), Invalid> {
    match (own_only, has_owner, role) {
        (false, ..) | (true, true, Role::Viewer | Role::Operator) => Ok(()),
        (true, false, _) => {
            let en = "is required with own_only: it says whose own the token sees";
            Err(Invalid::new("staff_id", (en, "使用 own_only 时为必填项：令牌仅限该员工本人的数据")))
        }
        (true, true, Role::Admin) => {
            let en = "must be viewer or operator with own_only: an admin sees all";
            Err(Invalid::new("role", (en, "使用 own_only 时须为 viewer 或 operator：admin 可查看全部")))
        }
    }
}
