//! Properties of a made-up world.

use super::*;
use crate::sandbox::corp::Corp;

fn world(size: Size, seed: u64) -> World {
    World::of(&Corp::from_seed(1), size, seed)
}

#[test]
fn a_seed_always_makes_the_same_world() {
    let size = Size { members: 40, customers: 300, departments: 8 };
    let shown = |world: &World| {
        let members = world.members().map(|it| format!("{} {} {:?}", it.userid, it.name, it.departments));
        let contacts = world.members().map(|it| format!("{:?}", world.customers_of(&it.userid)));
        members.chain(contacts).collect::<Vec<_>>()
    };
    assert_eq!(shown(&world(size, 7)), shown(&world(size, 7)));
    assert_ne!(shown(&world(size, 7)), shown(&world(size, 8)));
}

#[test]
fn a_large_company_has_the_requested_number_of_distinct_people() {
    let world = world(Size { members: 700, customers: 5000, departments: 30 }, 1);
    assert_eq!(world.members().count(), 700);
    assert_eq!(world.customers().count(), 5000);
    let known: usize = world.members().map(|it| world.customers_of(&it.userid).len()).sum();
    assert!((5000..6000).contains(&known), "each has a member, some have two: {known}");
    for member in world.members() {
        assert!(member.departments.iter().all(|&id| world.directory.department(id).is_some()), "{member:?}");
        assert!(member.customer_contact || member.follows.is_empty(), "{member:?}");
    }
}

#[test]
fn a_world_without_people_can_be_made() {
    let world = world(Size { members: 0, customers: 3, departments: 0 }, 1);
    assert_eq!((world.members().count(), world.customers().count()), (0, 3));
}

#[test]
fn a_member_is_found_without_regard_to_case_and_under_the_latest_id() {
    let mut world = world(Size { members: 5, customers: 0, departments: 3 }, 1);
    let old = world.members().next().expect("a member").userid.clone();
    let upper = UserId(old.as_str().to_uppercase());
    assert_eq!(world.member(&upper).map(|it| &it.userid), Some(&old));
    world.directory.rename(old.as_str(), &UserId::from("New.Name"));
    assert!(world.member(&old).is_none());
    assert_eq!(world.member(&UserId::from("new.name")).map(|it| it.userid.as_str()), Some("New.Name"));
}

#[test]
fn a_cdata_end_in_a_callback_text_is_escaped() {
    let mut world = world(Size { members: 5, customers: 0, departments: 3 }, 1);
    let member = world.members().next().expect("a member").userid.clone();
    let place = world.directory.find(member.as_str()).expect("their place");
    assert_eq!(world.directory.get(place).map(|it| &it.userid), Some(&member));
    let push = world.add(&member, &ExternalUserId::from("wm]]>x")).expect("they are new");
    assert!(push.plaintext.contains("<![CDATA[wm]]]]><![CDATA[>x]]>"), "{}", push.plaintext);
}
