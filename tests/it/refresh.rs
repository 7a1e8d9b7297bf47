//! What callbacks leave out is read from WeCom: cards of customers, members' names.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;
use wecomd::{
    changes::{Changes, Contact, ContactStatus, TaskKind},
    ids::{CorpId, ExternalUserId, UserId},
    tables::{apply::apply, records::wechat_contact_record::KnownMonths},
    tasks::refresh_contact::learn,
    wecom::customer::Customer,
};

use crate::support::{Acting, TestDb, tables::tables};

const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

const CONTACTS: &str =
    "select concat_ws(' ', wechat_userid, status, nickname, remark, description, tags, remark_mobiles,
    add_way, card_at is not null) from customer_wechat_contact order by 1";

#[tokio::test]
async fn a_card_updates_every_contact_of_the_customer() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    acting.member("bob", "白", &[CUSTOMER]);
    let tag = acting.platform.with(|world| world.tags()[0].clone());
    let (ann, customer) = (UserId::from("ann"), ExternalUserId::from(CUSTOMER));
    let edit = acting.platform.edit(&ann, &customer, |notes| {
        notes.remark = "小雨-门店".to_owned();
        notes.description = "续约意向".to_owned();
        notes.remark_mobiles = vec!["13000000000".to_owned()];
        notes.tags = vec![tag.id.clone()];
    });
    edit.await.expect("a contact");
    acting.settle(TaskKind::RefreshContact).await;

    let rows = acting.app.db.texts(CONTACTS).await;
    assert_eq!(
        rows,
        [
            format!("ann contacted 小雨 小雨-门店 续约意向 [\"{}\"] [\"13000000000\"] 2 t", tag.name),
            "bob contacted 小雨 小雨 [] [] 2 t".to_owned(),
        ]
    );
    assert_eq!(acting.left(TaskKind::RefreshContact).await, [""; 0]);
    // Ten edits of one customer were one call.
    assert_eq!(acting.platform.calls_of("externalcontact/get").len(), 1);
    acting.finish().await;
}

#[tokio::test]
async fn a_card_never_reopens_a_contact_that_a_callback_ended() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    let (ann, customer) = (UserId::from("ann"), ExternalUserId::from(CUSTOMER));
    acting.platform.edit(&ann, &customer, |notes| notes.remark = "小雨-门店".to_owned()).await.expect("a contact");
    // WeCom goes on to show a contact whom the customer has ended.
    acting.platform.unfollow(&ann, &customer).await.expect("a contact");
    acting.settle(TaskKind::RefreshContact).await;
    assert_eq!(acting.app.db.texts(CONTACTS).await, ["ann lost 小雨 小雨-门店 [] [] 2 t"]);
    acting.finish().await;
}

#[tokio::test]
async fn a_customer_without_visible_members_is_no_error_and_ends_no_contact() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    acting.platform.add(&UserId::from("ann"), &ExternalUserId::from(CUSTOMER)).await.expect("a member");
    acting.sees_only(&[]);
    acting.settle(TaskKind::RefreshContact).await;
    assert_eq!(acting.platform.calls_of("externalcontact/get").last().map(|it| it.errcode), Some(84061));
    assert_eq!(acting.left(TaskKind::RefreshContact).await, [""; 0]);
    assert_eq!(acting.app.db.texts(CONTACTS).await, ["ann contacted f"]);
    acting.finish().await;
}

#[tokio::test]
async fn a_member_is_read_by_their_current_userid() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    let (ann, anna) = (UserId::from("ann"), UserId::from("anna"));
    acting.platform.edit(&ann, &ExternalUserId::from(CUSTOMER), |_| ()).await.expect("a contact");
    acting.platform.rename(&ann, &anna).await.expect("a member");
    acting.enqueue(TaskKind::RefreshMember, "ann", None).await;
    acting.settle(TaskKind::RefreshMember).await;
    acting.act(TaskKind::RefreshContact).await;

    let members = "select concat_ws(' ', wechat_userid, name, department, status) from member order by 1";
    assert_eq!(acting.app.db.texts(members).await, ["anna 安 1 1"]);
    assert_eq!(acting.app.db.texts(CONTACTS).await, ["anna contacted 小雨 小雨 [] [] 2 t"]);
    assert_eq!(acting.left(TaskKind::RefreshMember).await, [""; 0]);
    acting.finish().await;
}

#[tokio::test]
async fn an_invisible_member_keeps_their_data_and_never_counts_as_gone() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    acting.enqueue(TaskKind::RefreshMember, "ann", None).await;
    acting.act(TaskKind::RefreshMember).await;
    acting.sees_only(&[]);
    acting.enqueue(TaskKind::RefreshMember, "ann", None).await;
    acting.act(TaskKind::RefreshMember).await;

    let members =
        "select concat_ws(' ', wechat_userid, name, status, left_at is null, hinted_at is not null) from member";
    assert_eq!(acting.app.db.texts(members).await, ["ann 安 1 t t"]);
    assert_eq!(acting.left(TaskKind::RefreshMember).await, [""; 0]);
    assert_eq!(acting.app.db.count("select count(*) from handover").await, 0);
    acting.finish().await;
}

#[tokio::test]
async fn a_leaver_known_only_by_a_hint_is_found_by_their_unassigned_customers() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER, "wmSecondCustomerSecondCustomer01"]);
    acting.platform.leave(&UserId::from("ann")).await.expect("left");
    // Only an app's hint of that reached us.
    acting.enqueue(TaskKind::RefreshMember, "ann", None).await;
    acting.act(TaskKind::RefreshMember).await;
    assert_eq!(acting.app.db.count("select count(*) from handover").await, 0, "a hint alone starts no handover");
    acting.act(TaskKind::FindLeavers).await;

    let handover = "select concat_ws(' ', wechat_userid, state, (select count(*) from handover_item)) from handover";
    assert_eq!(acting.app.db.texts(handover).await, ["ann detected 2"]);
    assert_eq!(acting.left(TaskKind::FindLeavers).await, [""; 0]);
    acting.finish().await;
}

#[tokio::test]
async fn a_truncated_answer_is_requested_again() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    let fault = wecomd::sandbox::Fault { errcode: Some(-1), times: Some(1), ..Default::default() };
    acting.platform.faults().set("externalcontact/get", fault);
    acting.enqueue(TaskKind::RefreshContact, CUSTOMER, None).await;
    acting.act(TaskKind::RefreshContact).await;
    let left = acting.left(TaskKind::RefreshContact).await;
    assert!(left.len() == 1 && left[0].contains(" due: externalcontact/get: -1"), "{left:?}");
    acting.act(TaskKind::RefreshContact).await;
    assert_eq!(acting.app.db.texts(CONTACTS).await, ["ann contacted 小雨 小雨 [] [] 2 t"]);
    acting.finish().await;
}

/// Sets of readings and callbacks tried; each is applied twice.
const SETS: u32 = 100;

/// The first second of them.
const BEGIN: i64 = 1_700_000_000;

/// One fact about the customers.
#[derive(Debug, Clone)]
enum Said {
    /// Their card was read at that second.
    Card { at: i64, customer: &'static str },
    /// A callback reported a change of status.
    Turn { at: i64, customer: &'static str, user: &'static str, status: ContactStatus },
}

fn any_said() -> impl Strategy<Value = Said> {
    let customer = || prop::sample::select(vec!["wmX", "wmY"]);
    let user = prop::sample::select(vec!["ann", "bob", "cai"]);
    let status =
        prop::sample::select(vec![ContactStatus::Contacted, ContactStatus::Lost, ContactStatus::DeletedByMember]);
    let at = || BEGIN..BEGIN + 8;
    prop_oneof![
        (at(), customer()).prop_map(|(at, customer)| Said::Card { at, customer }),
        (at(), customer(), user, status).prop_map(|(at, customer, user, status)| Said::Turn {
            at,
            customer,
            user,
            status
        }),
    ]
}

/// An order with repetitions, cut into batches of that size.
fn one_way(said: &[Said]) -> impl Strategy<Value = (Vec<Said>, usize)> + use<> {
    let repeats = prop::collection::vec(prop::sample::select(said.to_vec()), 0..5);
    let once = said.to_vec();
    let all = repeats.prop_map(move |repeats| [once.clone(), repeats].concat()).prop_shuffle();
    (all, 1..5_usize)
}

#[test]
fn cards_and_callbacks_in_any_order_and_any_repetition_give_the_same_contacts() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(TestDb::new());
    let corps = Cell::new(0);
    let config = Config { cases: SETS, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let sets = prop::collection::vec(any_said(), 1..12).prop_flat_map(|said| (one_way(&said), one_way(&said)));
    let law = runner.run(&sets, |(one, other)| {
        corps.set(corps.get() + 2);
        let [one, other] = runtime
            .block_on(async { [write(&db, corps.get(), &one).await, write(&db, corps.get() + 1, &other).await] });
        prop_assert_eq!(one, other);
        Ok(())
    });
    if let Err(failure) = law {
        panic!("{failure}");
    }
    assert!(corps.get() >= 2 * SETS, "every set was tried");
    runtime.block_on(db.close());
}

/// Applies everything to a corp of its own, and reads the tables.
async fn write(db: &TestDb, corp: u32, (said, batch): &(Vec<Said>, usize)) -> Vec<String> {
    let corpid = CorpId(format!("ww{corp}"));
    for batch in said.chunks(*batch) {
        let mut changes = Changes::default();
        for said in batch {
            match said {
                Said::Card { at, customer } => learn(&mut changes, &corpid, &card(*at, customer), time(*at)),
                Said::Turn { at, customer, user, status } => {
                    let mut contact = Contact::default();
                    contact.became(*status, time(*at));
                    let key = (corpid.clone(), ExternalUserId::from(*customer), UserId::from(*user));
                    changes.contacts.entry(key).or_default().absorb(contact);
                }
            }
        }
        let mut transaction = db.pool.begin().await.expect("begins");
        apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
        transaction.commit().await.expect("commits");
    }
    tables(&db.pool, &corpid.0).await
}

/// WeCom's answer at that second: two readings of one moment are equal.
fn card(at: i64, customer: &str) -> Customer {
    let followers: Vec<_> = ["ann", "bob", "cai"]
        .iter()
        .zip(0..)
        .filter(|(_, bit)| (at >> bit) & 1 == 1)
        .map(|(user, bit)| {
            json!({ "userid": user, "remark": format!("r{}", at % 3), "createtime": BEGIN + bit * 2, "state": format!("s{}", at % 2) })
        })
        .collect();
    let card = json!({ "external_contact": { "external_userid": customer, "name": format!("n{at}") }, "follow_user": followers });
    serde_json::from_value(card).expect("a customer")
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("in range")
}
