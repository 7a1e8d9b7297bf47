//! The filter for callers who may read only one staff member's data; they pass it to every table they read.
//!
//! A staff member's contacts and records are those of the WeCom user to whom they are bound now; orders, codes and
//! handovers name the staff member. Which callers are limited is not known here.

use sqlx::PgConnection;

use crate::ids::{CorpId, StaffId};

/// The staff member whose data alone may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The corp.
    pub corpid: CorpId,
    /// The staff member.
    pub staff_id: StaffId,
}

impl Own {
    /// The corp and the staff member for a statement that filters by them unless they are null.
    pub(in crate::tables) fn parts(own: Option<&Self>) -> (Option<&str>, Option<&str>) {
        (own.map(|it| it.corpid.as_str()), own.map(|it| it.staff_id.as_str()))
    }

    /// Whether data of this corp and staff member is theirs.
    pub fn has(&self, corpid: &CorpId, staff_id: Option<&StaffId>) -> bool {
        self.corpid == *corpid && staff_id == Some(&self.staff_id)
    }

    /// Whether this is a customer of theirs, by the business's id or WeCom's: a contact, or the customer of an order
    /// that they are in charge of.
    pub async fn knows(&self, conn: &mut PgConnection, customer: &str) -> sqlx::Result<bool> {
        sqlx::query_scalar!(
            r#"
            select exists (
                select from customer_wechat_contact contact
                join staff_wechat_bind bind using (corpid, wechat_userid)
                where corpid = $1 and bind.staff_id = $2 and bind.status = 'bound' and contact.customer_id = $3
                union all
                select from customer_wechat_contact contact
                join staff_wechat_bind bind using (corpid, wechat_userid)
                where corpid = $1 and bind.staff_id = $2 and bind.status = 'bound' and contact.external_userid = $3
                union all
                select from work_order where customer_id = $3 and corpid = $1 and staff_id = $2
            ) as "known!"
            "#,
            self.corpid.as_str(),
            self.staff_id.as_str(),
            customer,
        )
        .fetch_one(conn)
        .await
    }

    /// Whether one of their messages named this media id.
    pub async fn has_media(&self, conn: &mut PgConnection, media_id: &str) -> sqlx::Result<bool> {
        sqlx::query_scalar!(
            r#"
            select exists (
                select from wechat_contact_record record
                join staff_wechat_bind bind using (corpid, wechat_userid)
                where corpid = $1 and bind.staff_id = $2 and bind.status = 'bound' and media_id = $3
            ) as "theirs!"
            "#,
            self.corpid.as_str(),
            self.staff_id.as_str(),
            media_id,
        )
        .fetch_one(conn)
        .await
    }
}
