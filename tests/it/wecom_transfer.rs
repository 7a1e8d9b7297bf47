//! Handing over customers and groups through our own calls, over real sockets.

use std::time::Duration;

use wecomd::{
    ids::{ExternalUserId, UserId},
    sandbox::{DropAt, Fault, Platform},
    wecom::{
        Api, Class, Meaning,
        transfer::{TransferFlow, TransferResult},
    },
};

use crate::support::{TestApp, wecom::app_with_wecom};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// wecomd, a WeCom with Amy, who has so many customers, and Bo, and the way from one to the other.
async fn company(customers: usize) -> (TestApp, Platform, Api, Vec<ExternalUserId>) {
    let (app, platform) = app_with_wecom().await;
    let ids: Vec<_> = (0..customers).map(|n| ExternalUserId(format!("wmCUSTOMER{n:04}"))).collect();
    platform.with(|world| {
        for name in ["amy", "bo"] {
            world.add_member(&UserId::from(name), name);
        }
        for id in &ids {
            assert!(world.add_contact(&UserId::from("amy"), id, "小雨"));
        }
    });
    let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
    (app, platform, api, ids)
}

fn amy() -> UserId {
    UserId::from("amy")
}

fn bo() -> UserId {
    UserId::from("bo")
}

/// Every page of what became of the transfers, and how many pages there were.
async fn results(api: &Api, flow: TransferFlow) -> (Vec<TransferResult>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = api.transfer_results(flow, &amy(), &bo(), &cursor).await.expect("a page");
        rows.extend(page.customers);
        (pages, cursor) = (pages + 1, page.next_cursor);
        if cursor.is_empty() {
            return (rows, pages);
        }
    }
}

#[tokio::test]
async fn customers_are_handed_over_in_service_and_their_results_read_page_by_page() {
    let (app, platform, api, ids) = company(5).await;
    platform.with(|world| {
        world.limits.transfers_per_page = 2;
        world.transfer_rules.refusers.insert(ids[0].clone());
        world.transfer_rules.errcodes.insert(ids[4].clone(), 40128);
    });
    let taken = api.transfer(TransferFlow::InService, &amy(), &bo(), &ids, Some("您好")).await.expect("taken");
    let codes: Vec<_> = taken.iter().map(|it| (&it.external_userid, it.errcode)).collect();
    assert_eq!(codes, [(&ids[0], 0), (&ids[1], 0), (&ids[2], 0), (&ids[3], 0), (&ids[4], 40128)]);
    assert!(Meaning::of(40128).is_some_and(|it| it.en.contains("90 days")));
    let call = platform.calls_of("externalcontact/transfer_customer").pop().expect("a call");
    assert_eq!(call.body["transfer_success_msg"], "您好");

    let (waiting, pages) = results(&api, TransferFlow::InService).await;
    assert_eq!((waiting.len(), pages), (4, 2));
    let in_future = |it: &TransferResult| it.takeover_time > platform.clock().now().timestamp();
    assert!(waiting.iter().all(|it| it.status == TransferResult::WAITING && in_future(it)), "{waiting:?}");
    // The token ends meanwhile, and the client gets another.
    platform.advance(DAY);
    let (ended, _) = results(&api, TransferFlow::InService).await;
    let statuses: Vec<_> = ended.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [TransferResult::REFUSED, TransferResult::DONE, TransferResult::DONE, TransferResult::DONE]);
    assert_eq!(ended[0].takeover_time, 0);
    assert_eq!(platform.with(|world| world.customers_of(&bo())), ids[1..4]);
    app.finish().await;
}

#[tokio::test]
async fn customers_and_groups_of_a_leaver_use_their_own_endpoints() {
    let (app, platform, api, ids) = company(2).await;
    let chats = platform.with(|world| vec![world.add_group(&amy(), "客户群").expect("they are here")]);
    let early = api.transfer(TransferFlow::Resigned, &amy(), &bo(), &ids, None).await.expect_err("amy is still here");
    assert!(early.is(40097) && early.class == Class::Refused && early.meaning().is_some(), "{early}");
    let failed = api.transfer_groups(TransferFlow::Resigned, &chats, &bo()).await.expect("answered");
    assert_eq!((failed[0].chat_id.as_str(), failed[0].errcode), (chats[0].as_str(), 90500));

    platform.leave(&amy()).await.expect("they were here");
    let taken = api.transfer(TransferFlow::Resigned, &amy(), &bo(), &ids, Some("不发送")).await.expect("taken");
    assert!(taken.iter().all(|it| it.errcode == 0), "{taken:?}");
    let call = platform.calls_of("externalcontact/resigned/transfer_customer").pop().expect("a call");
    assert!(call.body.get("transfer_success_msg").is_none(), "leavers' customers get no message");
    platform.with(|world| world.limits.unassigned_per_page = 1);
    assert_eq!(unassigned(&api).await, ids);
    platform.advance(DAY);
    assert_eq!(unassigned(&api).await, []);
    assert!(results(&api, TransferFlow::Resigned).await.0.iter().all(|it| it.status == TransferResult::DONE));

    let listed = api.groups_of(&amy(), "").await.expect("a page");
    assert_eq!((listed.groups.len(), listed.groups[0].status), (1, 1), "its owner has left");
    assert_eq!(api.transfer_groups(TransferFlow::Resigned, &chats, &bo()).await.expect("given").rows, []);
    let group = api.group(&chats[0]).await.expect("a group");
    assert_eq!((group.owner, group.name.as_str(), group.people.len()), (Some(bo()), "客户群", 3));
    app.finish().await;
}

/// Everybody on the list of leavers' customers, from all its pages.
async fn unassigned(api: &Api) -> Vec<ExternalUserId> {
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.unassigned(&cursor).await.expect("a page");
        listed.extend(page.customers.into_iter().map(|it| it.external_userid));
        cursor = page.next_cursor;
        if page.is_last {
            return listed;
        }
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_a_transfer_uncertain_and_a_busy_errcode_does_not() {
    let (app, platform, api, ids) = company(1).await;
    for flow in [TransferFlow::InService, TransferFlow::Resigned] {
        let path = match flow {
            TransferFlow::InService => "externalcontact/transfer_customer",
            TransferFlow::Resigned => "externalcontact/resigned/transfer_customer",
        };
        platform.faults().set(path, Fault { errcode: Some(45035), times: Some(1), ..Fault::default() });
        let busy = api.transfer(flow, &amy(), &bo(), &ids, None).await.expect_err("busy");
        assert_eq!((busy.class, results(&api, flow).await.0.len()), (Class::Transient, 0), "{busy}");
        platform.faults().set(path, Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() });
        let lost = api.transfer(flow, &amy(), &bo(), &ids, None).await.expect_err("no answer");
        assert_eq!((lost.class, lost.errcode), (Class::Unknown, None), "{lost}");
        let (found, _) = results(&api, flow).await;
        assert_eq!(found.iter().map(|it| it.status).collect::<Vec<_>>(), [TransferResult::WAITING], "it did");
        let again = api.transfer(flow, &amy(), &bo(), &ids, None).await.expect("answered");
        assert_eq!(again[0].errcode, 40129);

        // What the other flow is to find: the customer is Amy's again, and Amy has left.
        if flow == TransferFlow::InService {
            platform.advance(DAY);
            platform.remove(&bo(), &ids[0]).await.expect("they are Bo's");
            platform.with(|world| assert!(world.add_contact(&amy(), &ids[0], "小雨")));
            platform.leave(&amy()).await.expect("they were here");
        }
    }
    assert_eq!(platform.with(|world| world.transfers_accepted(&ids[0])), 2, "once in each flow");
    app.finish().await;
}
