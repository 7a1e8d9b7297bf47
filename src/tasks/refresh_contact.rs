//! `refresh_contact`: reads a customer's card again, as every member who knows them sees it.
//!
//! Safe to repeat: the card goes into registers under the time of the reading, and a later callback wins. It never
//! marks a contact as ended: WeCom does not say whether nobody knows a customer or nobody visible to the app does.
//! Callbacks and reconciling decide that.

use chrono::{DateTime, Utc};

use super::{Context, Failure};
use crate::{
    changes::{Changes, Contact, ContactStatus, contact::Card},
    ids::{CorpId, ExternalUserId},
    tables::{self, task::Taken},
    wecom::customer::{Customer, Follower, NOBODY_IN_SIGHT, Profile},
};

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let api = context.wecom.app(task.app_id).await?;
    // Taken before the call: the answer is at least as new as this time.
    let read_at = tables::now(&mut *context.pool.acquire().await?).await?;
    let customer = match api.customer(&ExternalUserId(task.subject.clone())).await {
        Ok(customer) => customer,
        Err(error) if error.is(NOBODY_IN_SIGHT) => {
            tracing::debug!(task.id = task.id, "nobody in sight knows this customer any more");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut changes = Changes::default();
    learn(&mut changes, &task.corpid, &customer, read_at);
    context.write(changes).await?;
    // The part that could be read is written; the rest needs a person.
    match &customer.cut {
        Some(why) => Err(Failure::park(format!("the card is read but for some of its members: {why}"))),
        None => Ok(()),
    }
}

/// Turns WeCom's answer of `read_at` into changes of each contact.
pub fn learn(changes: &mut Changes, corpid: &CorpId, customer: &Customer, read_at: DateTime<Utc>) {
    for follower in &customer.followers {
        let key = (corpid.clone(), customer.profile.external_userid.clone(), follower.user.clone());
        let said = contact(&customer.profile, follower, read_at);
        changes.contacts.entry(key).or_default().absorb(said);
    }
}

/// Turns one member's view of a customer into the contact's registers.
///
/// They are contacts since `createtime`, which is the time of the add callback, so a later end stands, and so does a
/// later `state`.
pub fn contact(profile: &Profile, follower: &Follower, read_at: DateTime<Utc>) -> Contact {
    let mut contact = Contact::default();
    if let Some(since) = follower.since() {
        contact.became(ContactStatus::Contacted, since);
        contact.met(since);
        if let Some(state) = follower.state.as_deref().filter(|it| !it.is_empty()) {
            contact.came_through(state, since);
        }
    }
    contact.read(card(profile, follower), read_at);
    contact
}

fn card(profile: &Profile, follower: &Follower) -> Card {
    let filled = |text: &str| Some(text.to_owned()).filter(|it| !it.is_empty());
    // WeCom gives a corp tag's id and name in one answer, and only its id in another.
    let named = follower.tags.iter().map(|it| it.name.clone()).filter(|it| !it.is_empty());
    Card {
        nickname: filled(&profile.name),
        unionid: profile.unionid.as_deref().and_then(filled),
        avatar: profile.avatar.as_deref().and_then(filled),
        remark: filled(&follower.remark),
        description: filled(&follower.description),
        tags: named.collect(),
        tag_ids: follower.tags.iter().filter_map(|it| it.tag_id.clone()).filter(|it| !it.is_empty()).collect(),
        remark_mobiles: follower.mobiles(),
        add_way: follower.add_way.0.and_then(|it| i32::try_from(it).ok()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::{CustomerId, UserId};

    fn customer(followers: serde_json::Value) -> Customer {
        let card = json!({
            "external_contact": { "external_userid": "wmX", "name": "小雨", "type": 1, "avatar": "", "unionid": "oU" },
            "follow_user": followers,
        });
        serde_json::from_value(card).expect("a customer")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    #[test]
    fn a_card_is_read_separately_for_each_member() {
        let customer = customer(json!([
            { "userid": "ann", "remark": "小雨-门店", "description": "", "createtime": 1_760_000_000, "add_way": 1,
              "tags": [{ "tag_name": "VIP", "tag_id": "et1", "group_name": "等级", "type": 1 },
                       { "tag_name": "手写", "group_name": "", "type": 2 }],
              "remark_mobiles": ["13000000000"], "state": "cust:C-7" },
            { "userid": "bob" },
        ]));
        let mut changes = Changes::default();
        learn(&mut changes, &CorpId::from("ww1"), &customer, at(1_770_000_000));
        let of = |user: &str| {
            let key = (CorpId::from("ww1"), ExternalUserId::from("wmX"), UserId::from(user));
            changes.contacts.get(&key).expect("a contact")
        };
        let (ann, bob) = (of("ann"), of("bob"));
        let card = ann.card.as_ref().expect("a card");
        assert_eq!(card.at, at(1_770_000_000));
        assert_eq!(card.value.tags, ["VIP", "手写"]);
        assert_eq!((card.value.description.as_deref(), card.value.avatar.as_deref()), (None, None));
        assert_eq!(card.value.add_way, Some(1));
        assert_eq!(
            ann.status.as_ref().map(|it| (it.value, it.at)),
            Some((ContactStatus::Contacted, at(1_760_000_000)))
        );
        assert_eq!(ann.customer_id.as_ref().map(|it| it.value.clone()), Some(CustomerId::from("C-7")));
        // Nobody said since when bob knows them, so nothing is concluded.
        assert_eq!((bob.status.as_ref(), bob.first_contact_time), (None, None));
        assert_eq!(bob.card.as_ref().and_then(|it| it.value.nickname.as_deref()), Some("小雨"));
    }
}
