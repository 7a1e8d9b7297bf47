//! Handovers in tests: a leaver with customers and groups, what people decide, and one run of the driver at a time.

use chrono::TimeDelta;
use wecomd::{
    changes::{Changes, ContactStatus},
    handover::{
        Driver, Next, Trouble,
        item::Fact,
        transition::{By, settle, transition_all},
    },
    ids::{ExternalUserId, UserId},
    states::ItemState,
    tables::{apply, handover, records::wechat_contact_record::KnownMonths},
};

use super::{Acting, HANDOVER};

impl Acting {
    /// A member who is bound to the staff id `S-` and their userid, and knows nobody.
    pub(crate) async fn successor(&self, user: &str) {
        self.member(user, user, &[]);
        self.bind(user).await;
    }

    /// A member with these customers, here and at WeCom, and a handover that begins before they leave. Its number.
    pub(crate) async fn leaver(&self, user: &str, customers: &[ExternalUserId]) -> i64 {
        let names: Vec<_> = customers.iter().map(ExternalUserId::as_str).collect();
        self.member(user, user, &names);
        self.bind(user).await;
        let corpid = self.app.corp.corpid.clone();
        let mut changes = Changes::default();
        let since = self.platform.clock().now() - TimeDelta::days(1);
        changes.members.entry((corpid.clone(), UserId::from(user))).or_default().joined(since);
        for customer in customers {
            let contact = changes.contacts.entry((corpid.clone(), customer.clone(), UserId::from(user))).or_default();
            contact.became(ContactStatus::Contacted, since);
        }
        let mut transaction = self.app.db.pool.begin().await.expect("begins");
        apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
        transaction.commit().await.expect("commits");
        let new = format!(
            "insert into handover (corpid, wechat_userid, staff_id, state, cause) values
             ('{corpid}', '{user}', 'S-{user}', 'detected', 'resignation')"
        );
        self.app.db.execute(&new).await;
        let id = self.app.db.count(&format!("select id from handover where wechat_userid = '{user}'")).await;
        let mut conn = self.app.db.pool.acquire().await.expect("connects");
        handover::collect_contacts(&mut conn, id).await.expect("collects");
        id
    }

    /// A group of a member's, in their handover. Its chat_id.
    pub(crate) async fn group_in(&self, handover: i64, owner: &str, name: &str) -> String {
        let chat_id = self.platform.with(|world| world.add_group(&UserId::from(owner), name)).expect("a member");
        let mut conn = self.app.db.pool.acquire().await.expect("connects");
        let groups = std::slice::from_ref(&chat_id);
        handover::collect_groups(&mut conn, handover, groups).await.expect("collects");
        chat_id
    }

    /// Whoever has no successor gets this one, as a person decides.
    pub(crate) async fn plan(&self, handover: i64, successor: &str) {
        let mut transaction = self.app.db.pool.begin().await.expect("begins");
        apply::lock_alone(&mut transaction, &self.app.corp.corpid).await.expect("locks");
        let open = handover::in_states(&mut transaction, handover, &[ItemState::Open]).await.expect("reads");
        let chosen =
            "update handover_item set successor_userid = $1, successor_staff_id = 'S-' || $1 where id = any($2)";
        let chosen = sqlx::query(chosen).bind(successor).bind(&open);
        chosen.execute(&mut *transaction).await.expect("writes");
        let by = By { actor: "chief", cause: "计划" };
        transition_all(&mut transaction, Fact::Chosen, &open, by).await.expect("turns");
        settle(&mut transaction, handover, by).await.expect("settles");
        transaction.commit().await.expect("commits");
    }

    /// Somebody lets it go.
    pub(crate) async fn let_go(&self, handover: i64) {
        let go = "update handover set submitted_at = coalesce(submitted_at, now()), submitted_by = 'chief' where id =";
        self.app.db.execute(&format!("{go} {handover}")).await;
    }

    /// One run of the driver.
    pub(crate) async fn drive(&self, handover: i64) -> Result<Next, Trouble> {
        let wecom = &self.app.app.admin_half.wecom;
        Driver::new(&self.app.db.pool, wecom, &HANDOVER, handover).run().await
    }

    async fn bind(&self, user: &str) {
        let corpid = &self.app.corp.corpid;
        let bind = format!(
            "insert into staff_wechat_bind (corpid, staff_id, wechat_userid) values ('{corpid}', 'S-{user}', '{user}')"
        );
        self.app.db.execute(&bind).await;
    }
}
