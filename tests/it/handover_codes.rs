//! What WeCom's errcodes lead to in a handover: for single customers and groups, and for whole calls.

use std::time::Duration;

use wecomd::{
    handover::Next,
    ids::{ExternalUserId, UserId},
    sandbox::Fault,
};

use crate::support::Acting;

/// Codes of single customers that mean more than a plain refusal.
pub(crate) const OF_CUSTOMERS: &[i64] = &[40129, 40100, 40099, 40096, 40131, 84061, 40097, 45035, 45033, 45009, -1];

/// The same of single groups.
pub(crate) const OF_GROUPS: &[i64] =
    &[90507, 90508, 90504, 49008, 90501, 90509, 86003, 40050, 90500, 90502, 45035, 45033, 45009, -1];

/// Codes that say that a transfer is under way already, perhaps not ours.
pub(crate) const UNDER_WAY: &[i64] = &[40129, 40100];

/// Codes of a group that no longer exists.
pub(crate) const NO_GROUP: &[i64] = &[49008, 86003, 40050, 90501, 90509];

/// Codes of a whole call that was made before WeCom's directory had removed the leaver.
pub(crate) const TOO_EARLY: &[i64] = &[40097, 90500];

/// The state of an item after WeCom answers with this code, and whether it is retried soon.
fn expected(code: i64) -> (&'static str, bool) {
    match code {
        40129 | 40100 | 90507 | 90508 | 90504 => ("waiting", false),
        40099 => ("full", false),
        40096 | 40131 | 84061 | 49008 | 90501 | 90509 | 86003 | 40050 => ("gone", false),
        40097 | 45035 | 45033 | 45009 | -1 | 90500 | 90502 => ("planned", true),
        _ => ("failed", false),
    }
}

/// Codes that are plain refusals, with a word of their reason.
const NO: &[(i64, &str)] = &[
    (40128, "90 天"),
    (40098, "实名"),
    (40130, "相同"),
    (40132, "团队"),
    (40143, "禁止"),
    (40205, "一年"),
    (90503, "已满"),
    (99999, ""),
];

const ITEM: &str = "select concat_ws(' ', state, errcode, attempts) from handover_item order by id desc limit 1";

#[tokio::test]
async fn each_customer_errcode_leads_to_its_final_state_and_keeps_the_message() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let no = NO.iter().map(|(code, _)| *code);
    for (n, code) in OF_CUSTOMERS.iter().copied().chain(no).enumerate() {
        let (leaver, customer) = (format!("ann{n}"), ExternalUserId(format!("wmCODE{n:04}CUSTOMER")));
        let id = acting.leaver(&leaver, std::slice::from_ref(&customer)).await;
        acting.platform.with(|world| world.transfer_rules.errcodes.insert(customer.clone(), code));
        acting.plan(id, "bob").await;
        acting.let_go(id).await;
        let next = acting.drive(id).await.expect("driven");
        let (state, again) = expected(code);
        assert_eq!(acting.app.db.texts(ITEM).await, [format!("{state} {code} 1")]);
        let soon = Next::Again(Duration::from_secs(60));
        assert_eq!(next == soon, again, "{code}: {next:?}");
        let reason =
            acting.app.db.texts("select coalesce(reason, '') from handover_item order by id desc limit 1").await;
        let word = NO.iter().find(|it| it.0 == code).map_or("", |it| it.1);
        assert!(reason[0].contains(word), "{code}: {reason:?}");
        // A contact that WeCom does not know is ended here, too.
        let contact = format!("select status from customer_wechat_contact where external_userid = '{customer}'");
        let gone = if state == "gone" { "gone" } else { "contacted" };
        assert_eq!(acting.app.db.texts(&contact).await, [gone], "{code}");
    }
    acting.finish().await;
}

#[tokio::test]
async fn each_group_errcode_leads_to_its_final_state() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    for (n, code) in OF_GROUPS.iter().copied().chain([90503, 40128]).enumerate() {
        let leaver = format!("ann{n}");
        let id = acting.leaver(&leaver, &[]).await;
        let chat_id = acting.group_in(id, &leaver, "客户群").await;
        acting.platform.with(|world| world.transfer_rules.group_errcodes.insert(chat_id, code));
        acting.plan(id, "bob").await;
        acting.let_go(id).await;
        acting.drive(id).await.expect("driven");
        let (state, _) = expected(code);
        assert_eq!(acting.app.db.texts(ITEM).await, [format!("{state} {code} 1")]);
    }
    assert_eq!(acting.app.db.count("select count(*) from customer_wechat_contact").await, 0, "a group is no customer");
    acting.finish().await;
}

#[tokio::test]
async fn a_group_counts_as_handed_over_only_after_its_owner_is_checked() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &[]).await;
    let (kept, dissolved) = (acting.group_in(id, "ann", "一群").await, acting.group_in(id, "ann", "二群").await);
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.platform.faults().set("externalcontact/groupchat/get", Fault { errcode: Some(-1), ..Fault::default() });
    acting.drive(id).await.expect_err("WeCom does not name the owners");
    let states = "select concat_ws(' ', subject, state) from handover_item order by subject";
    let waiting = |chat: &String| format!("{chat} waiting");
    let mut both = [waiting(&kept), waiting(&dissolved)];
    both.sort();
    assert_eq!(acting.app.db.texts(states).await, both);
    for code in NO_GROUP {
        let fault = Fault { errcode: Some(*code), times: Some(1), ..Fault::default() };
        acting.platform.faults().set("externalcontact/groupchat/get", fault);
        acting.drive(id).await.expect("driven");
        let ended = "select concat_ws(' ', state, count(*)) from handover_item group by state order by 1";
        assert_eq!(acting.app.db.texts(ended).await, ["done 1", "gone 1"], "{code}");
        acting.app.db.execute("update handover_item set state = 'waiting'").await;
    }
    acting.platform.faults().clear();
    assert_eq!(acting.drive(id).await.expect("driven"), Next::Over);
    assert_eq!(acting.platform.with(|world| world.owner_of(&kept).cloned()), Some(UserId::from("bob")));
    acting.finish().await;
}

#[tokio::test]
async fn a_customer_in_a_foreign_transfer_is_requested_again_after_it_ends() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    for (n, code) in UNDER_WAY.iter().copied().enumerate() {
        let (leaver, customer) = (format!("ann{n}"), ExternalUserId(format!("wmBUSY{n:04}CUSTOMER")));
        let id = acting.leaver(&leaver, std::slice::from_ref(&customer)).await;
        acting.platform.with(|world| world.transfer_rules.errcodes.insert(customer.clone(), code));
        acting.plan(id, "bob").await;
        acting.let_go(id).await;
        acting.drive(id).await.expect("driven");
        acting.platform.with(|world| world.transfer_rules.errcodes.clear());
        acting.drive(id).await.expect("driven");
        assert_eq!(acting.app.db.texts(ITEM).await, [format!("waiting {code} 1")], "the poll may be a day away");
        acting.app.db.execute("update handover_item set submitted_at = now() - interval '27 hours'").await;
        acting.drive(id).await.expect("driven");
        acting.drive(id).await.expect("driven");
        assert_eq!(acting.app.db.texts(ITEM).await, ["waiting 0 2"]);
    }
    acting.finish().await;
}

#[tokio::test]
async fn an_early_or_rate_limited_call_is_retried_and_a_refused_one_is_not() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let path = "externalcontact/transfer_customer";
    let early = TOO_EARLY.iter().map(|code| (*code, "planned"));
    let cases = early.chain([(48002, "planned"), (-1, "planned"), (45035, "planned"), (40058, "failed")]);
    for (n, (code, state)) in cases.enumerate() {
        let (leaver, customer) = (format!("ann{n}"), ExternalUserId(format!("wmCALL{n:04}CUSTOMER")));
        let id = acting.leaver(&leaver, std::slice::from_ref(&customer)).await;
        acting.plan(id, "bob").await;
        acting.let_go(id).await;
        acting.platform.faults().set(path, Fault { errcode: Some(code), ..Fault::default() });
        let driven = acting.drive(id).await;
        acting.platform.faults().clear();
        assert_eq!(driven.is_err(), state == "planned", "{code}: {driven:?}");
        assert_eq!(acting.app.db.texts(ITEM).await, [format!("{state} {code} 1")]);
        if state == "planned" {
            acting.drive(id).await.expect("driven");
            assert_eq!(acting.app.db.texts(ITEM).await, ["waiting 0 2"], "{code}");
        }
    }
    let calls = "select concat_ws(' ', outcome, errcode) from handover_call order by id";
    let told = ["not_sent 40097", "answered 0", "not_sent 90500", "answered 0", "not_sent 48002", "answered 0"];
    let rest = ["not_sent -1", "answered 0", "not_sent 45035", "answered 0", "refused 40058"];
    assert_eq!(acting.app.db.texts(calls).await, [&told[..], &rest[..]].concat());
    acting.finish().await;
}
