//! The filter for callers who may read only one staff member's data; they pass it to every table they read.
//!
//! A staff member's contacts and records are those of the WeCom user to whom they are bound now; orders, codes and
//! handovers name the staff member. Which callers are limited is not known here.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::{
    ids::{CorpId, StaffId},
    tables::staff::staff_wechat_bind,
};

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

    /// Whether all talk of this customer is theirs to read, by the business's id or WeCom's: somebody whom they know today,
    /// also through 微信客服, or the customer of an open order that they are in charge of.
    pub async fn follows_talk_of(&self, conn: &mut PgConnection, customer: &str) -> sqlx::Result<bool> {
        Ok(!self.followed_among(conn, &[customer.to_owned()]).await?.is_empty())
    }

    /// Those of these customers whose talk is theirs to read, see [`Self::follows_talk_of`].
    pub async fn followed_among(
        &self,
        conn: &mut PgConnection,
        customers: &[String],
    ) -> sqlx::Result<BTreeSet<String>> {
        let followed = sqlx::query_scalar!(
            r#"
            with named as materialized (
                select asked.id, contact.customer_id, contact.wechat_userid, contact.status
                from unnest($3::text[]) asked (id)
                join customer_wechat_contact contact on contact.corpid = $1 and contact.external_userid = asked.id
                union all
                select asked.id, contact.customer_id, contact.wechat_userid, contact.status
                from unnest($3::text[]) asked (id)
                join customer_wechat_contact contact on contact.corpid = $1 and contact.customer_id = asked.id
                union all
                select asked.id, kf.customer_id, contact.wechat_userid, contact.status
                from unnest($3::text[]) asked (id)
                join kf_customer kf on kf.corpid = $1 and kf.external_userid = asked.id
                left join customer_wechat_contact contact
                    on contact.corpid = kf.corpid and contact.customer_id = kf.customer_id
                union all
                select asked.id, asked.id, null, null from unnest($3::text[]) asked (id)
            )
            select named.id as "id!"
            from named
            join staff_wechat_bind bind on bind.corpid = $1 and bind.wechat_userid = named.wechat_userid
            where bind.staff_id = $2 and bind.status = 'bound' and named.status in ('assumed', 'contacted')
            union
            select named.id
            from named
            join work_order on work_order.corpid = $1 and work_order.customer_id = named.customer_id
            where work_order.staff_id = $2 and work_order.state not in ('done', 'cancelled')
            "#,
            self.corpid.as_str(),
            self.staff_id.as_str(),
            customers,
        )
        .fetch_all(conn)
        .await?;
        Ok(followed.into_iter().collect())
    }

    /// The userid that the staff member is bound to now.
    pub async fn wechat_userid(&self, conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
        let user = staff_wechat_bind::user_of(conn, &self.corpid, &self.staff_id).await?;
        Ok(user.map(|it| it.0))
    }

    /// Whether a record that they may read named this media id: of talk that they follow, of a group that they are in, or
    /// one of their own messages to an app.
    pub async fn has_media(&self, conn: &mut PgConnection, media_id: &str) -> sqlx::Result<bool> {
        sqlx::query_scalar!(
            r#"
            with own as materialized (
                select corpid, wechat_userid from staff_wechat_bind
                where corpid = $1 and staff_id = $2 and status = 'bound'
            )
            select exists (
                select from wechat_contact_record record
                where record.media_id = $3 and record.corpid = $1
                    and case
                        when starts_with(coalesce(record.chat_id, ''), 'wr') then exists (
                            select from own
                            join group_member it on it.corpid = own.corpid and it.person = own.wechat_userid
                            where it.chat_id = record.chat_id and it.joined_at > coalesce(it.left_at, '-infinity')
                        )
                        when record.external_userid is null then exists (
                            select from own where own.wechat_userid = record.wechat_userid
                        )
                        else exists (
                            select from own
                            join customer_wechat_contact contact
                                on contact.corpid = own.corpid and contact.wechat_userid = own.wechat_userid
                            where contact.status in ('assumed', 'contacted') and (
                                contact.external_userid = record.external_userid
                                or contact.customer_id = (
                                    select kf.customer_id from kf_customer kf
                                    where kf.corpid = $1 and kf.external_userid = record.external_userid
                                )
                            )
                        ) or exists (
                            select from work_order
                            where corpid = $1 and staff_id = $2 and state not in ('done', 'cancelled')
                                and customer_id in (
                                    select contact.customer_id from customer_wechat_contact contact
                                    where contact.corpid = $1 and contact.external_userid = record.external_userid
                                    union all
                                    select kf.customer_id from kf_customer kf
                                    where kf.corpid = $1 and kf.external_userid = record.external_userid
                                )
                        )
                    end
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
