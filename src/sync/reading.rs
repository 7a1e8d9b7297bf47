//! Turns a reading into changes, and finds the differences from our tables. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::{
    changes::{Changes, ContactStatus, Register, contact::Card},
    ids::{CorpId, UserId},
    states::DriftKind,
    tables::{customers::customer_wechat_contact::Held, staff::member, sync::sync_drift::Drift},
    wecom,
};

/// How much a reading's time is moved back for facts that callbacks report as well: callbacks' times have whole
/// seconds, and WeCom's clock differs from ours. Any callback about a later time then wins.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// The time of such facts in a reading that began at `began_at`.
pub(super) fn said_at(began_at: DateTime<Utc>) -> DateTime<Utc> {
    began_at.duration_trunc(TimeDelta::seconds(1)).unwrap_or(began_at) - MARGIN
}

/// The company's tags, by id.
#[derive(Debug, Default)]
pub(super) struct Tags(pub(super) BTreeMap<String, String>);

impl Tags {
    /// The tags of a list.
    pub(super) fn of(listed: &wecom::tag::Tags) -> Self {
        let tags = listed.groups.iter().flat_map(|group| &group.tags);
        Self(tags.map(|tag| (tag.id.clone(), tag.name.clone())).collect())
    }

    /// The names of a contact's tags. The bulk reading returns the company's tags by id and no personal ones, so
    /// stored tags that are not the company's stay.
    fn names(&self, ids: &[String], held: &[String]) -> Vec<String> {
        if self.0.is_empty() {
            return held.to_vec();
        }
        let company: BTreeSet<&String> = self.0.values().collect();
        let named = ids.iter().filter_map(|id| self.0.get(id)).cloned();
        let personal = held.iter().filter(|name| !company.contains(name)).cloned();
        let mut names: Vec<_> = named.collect();
        names.extend(personal);
        names
    }
}

/// Applies a contact that WeCom returned at `read_at`; `user` is the member's current id. Returns the differences.
pub(super) fn contact(
    changes: &mut Changes,
    corpid: &CorpId,
    user: &UserId,
    it: &wecom::customer::Contact,
    read_at: DateTime<Utc>,
    tags: &Tags,
    held: Option<&Held>,
) -> Vec<Drift> {
    let (profile, follower) = (&it.profile, &it.follower);
    let key = (corpid.clone(), profile.external_userid.clone(), user.clone());
    let contact = changes.contacts.entry(key).or_default();
    let since = follower.since();
    if let Some(since) = since {
        contact.became(ContactStatus::Contacted, since);
        contact.met(since);
    }
    if let Some(state) = follower.state.as_deref().filter(|state| !state.is_empty()) {
        contact.came_through(state, since.unwrap_or(DateTime::UNIX_EPOCH));
    }
    contact.named_again(held.map(|it| (it.status, it.status_at)));
    let held_tags = held.and_then(|it| it.card.as_ref()).map(|card| card.tags.as_slice()).unwrap_or_default();
    contact.read(card(profile, follower, tags.names(&follower.tag_ids, held_tags)), read_at);

    let about = |kind, held: Option<String>, found: Option<String>| Drift {
        kind,
        customer: Some(profile.external_userid.clone()),
        user: Some(user.clone()),
        held,
        found,
    };
    let mut found = Vec::new();
    let name = Some(profile.name.clone()).filter(|name| !name.is_empty());
    match held {
        None => found.push(about(DriftKind::MissingHere, None, name.clone())),
        Some(held) => {
            let status = Some(held.status.as_str().to_owned());
            let again = since.is_some_and(|since| since > held.status_at);
            match held.status {
                ContactStatus::Assumed | ContactStatus::Contacted => {}
                ContactStatus::Gone => found.push(about(DriftKind::MissingHere, status, name.clone())),
                _ if again => found.push(about(DriftKind::MissingHere, status, name.clone())),
                // WeCom still lists a customer who deleted the member as the member's contact.
                ContactStatus::Lost => {}
                ContactStatus::DeletedByMember | ContactStatus::TransferredOut => {
                    found.push(about(DriftKind::EndedHere, status, name.clone()));
                }
            }
            let before = held.card.as_ref().and_then(|card| card.nickname.clone());
            if before.is_some() && name.is_some() && before != name {
                found.push(about(DriftKind::Renamed, before, name));
            }
        }
    }
    found
}

fn card(profile: &wecom::customer::Profile, follower: &wecom::customer::Follower, tags: Vec<String>) -> Card {
    let said = |text: &str| Some(text.to_owned()).filter(|it| !it.is_empty());
    Card {
        nickname: said(&profile.name),
        unionid: profile.unionid.as_deref().and_then(said),
        avatar: profile.avatar.as_deref().and_then(said),
        remark: said(&follower.remark),
        description: said(&follower.description),
        tags,
        tag_ids: follower.tag_ids.iter().filter(|it| !it.is_empty()).cloned().collect(),
        remark_mobiles: follower.mobiles(),
        add_way: follower.add_way.0.and_then(|it| i32::try_from(it).ok()),
    }
}

/// Applies a contact that a complete reading did not list; its time is `at`.
pub(super) fn unnamed(changes: &mut Changes, corpid: &CorpId, held: &Held, at: DateTime<Utc>) -> Drift {
    let key = (corpid.clone(), held.external_userid.clone(), held.wechat_userid.clone());
    changes.contacts.entry(key).or_default().became(ContactStatus::Gone, at);
    Drift {
        kind: DriftKind::GoneThere,
        customer: Some(held.external_userid.clone()),
        user: Some(held.wechat_userid.clone()),
        held: held.card.as_ref().and_then(|card| card.nickname.clone()),
        found: None,
    }
}

/// Applies a member that WeCom returned; `user` is their current id. Returns the differences.
///
/// Status 5 does not mean that the member left: only the directory's callbacks and the list of unassigned customers
/// do.
pub(super) fn member(
    changes: &mut Changes,
    corpid: &CorpId,
    user: &UserId,
    it: &wecom::member::Member,
    at: DateTime<Utc>,
    held: Option<&member::Held>,
) -> Option<Drift> {
    changes.directory_says(corpid, &it.user, at);
    let member = changes.members.entry((corpid.clone(), user.clone())).or_default();
    if !it.name.is_empty() {
        Register::set(&mut member.name, it.name.clone(), at);
    }
    if let Some(avatar) = it.avatar.as_ref().filter(|it| !it.is_empty()) {
        Register::set(&mut member.avatar, avatar.clone(), at);
    }
    if let Some(departments) = it.departments() {
        Register::set(&mut member.department, departments, at);
    }
    if it.status != 0 {
        Register::set(&mut member.status, it.status, at);
    }
    let name = Some(it.name.clone()).filter(|name| !name.is_empty());
    let before = held.and_then(|it| it.name.clone()).filter(|name| !name.is_empty());
    let kind = match held {
        None => DriftKind::MemberMissingHere,
        Some(_) if before.is_some() && name.is_some() && before != name => DriftKind::MemberRenamed,
        Some(_) => return None,
    };
    Some(Drift { kind, customer: None, user: Some(user.clone()), held: before, found: name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ExternalUserId;

    fn held(status: ContactStatus, at: DateTime<Utc>, nickname: &str) -> Held {
        Held {
            external_userid: ExternalUserId::from("wmAlice"),
            wechat_userid: UserId::from("ann"),
            status,
            status_at: at,
            card: Some(Card { nickname: Some(nickname.to_owned()), ..Card::default() }),
        }
    }

    /// The differences, and the contact's resulting status, if a page lists it with `createtime`.
    fn named(createtime: i64, held: Option<&Held>) -> (Vec<DriftKind>, ContactStatus, i64) {
        let page = serde_json::json!({
            "external_contact": { "external_userid": "wmAlice", "name": "小雨" },
            "follow_info": { "userid": "ann", "createtime": createtime, "state": "booth-3" },
        });
        let named: wecom::customer::Contact = serde_json::from_value(page).expect("a contact");
        let (mut changes, corpid, user) = (Changes::default(), CorpId::from("ww1"), UserId::from("ann"));
        let found = contact(&mut changes, &corpid, &user, &named, Utc::now(), &Tags::default(), held);
        let contact = changes.contacts.into_values().next().expect("a contact");
        assert_eq!(contact.state.expect("a state").at.timestamp(), createtime);
        let status = contact.status.expect("a status");
        (found.into_iter().map(|it| it.kind).collect(), status.value, status.at.timestamp_micros())
    }

    #[test]
    fn a_contact_found_by_a_run_has_its_creation_time_as_status_time() {
        use ContactStatus::*;
        let at = |second| DateTime::from_timestamp(second, 0).expect("a time");
        let stands = |second: i64| (Contacted, second * 1_000_000);
        let told = |held: Option<&Held>| {
            let (kinds, status, at) = named(1_000, held);
            (kinds, (status, at))
        };
        assert_eq!(told(None), (vec![DriftKind::MissingHere], stands(1_000)));
        assert_eq!(told(Some(&held(Contacted, at(1_000), "小雨"))), (vec![], stands(1_000)));
        assert_eq!(told(Some(&held(Contacted, at(1_000), "旧名"))), (vec![DriftKind::Renamed], stands(1_000)));
        assert_eq!(told(Some(&held(DeletedByMember, at(2_000), "小雨"))), (vec![DriftKind::EndedHere], stands(1_000)));
        assert_eq!(told(Some(&held(DeletedByMember, at(500), "小雨"))), (vec![DriftKind::MissingHere], stands(1_000)));
        assert_eq!(told(Some(&held(Lost, at(2_000), "小雨"))), (vec![], stands(1_000)));
        // Our own mark is removed by the smallest possible step in time.
        let back = (Contacted, 2_000_000_001);
        assert_eq!(told(Some(&held(Gone, at(2_000), "小雨"))), (vec![DriftKind::MissingHere], back));
    }

    #[test]
    fn tags_are_read_by_name_including_personal_ones() {
        let tags = Tags([("et1", "VIP"), ("et2", "普通")].map(|(id, name)| (id.to_owned(), name.to_owned())).into());
        let texts = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(tags.names(&texts(&["et1", "et9"]), &texts(&["普通", "亲友"])), ["VIP", "亲友"]);
        assert_eq!(Tags::default().names(&texts(&["et1"]), &texts(&["普通"])), ["普通"]);
    }
}
