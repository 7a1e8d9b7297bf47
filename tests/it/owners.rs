//! Whose customer was that? The history of owners, from callbacks, reconciling and handovers.

use serde_json::json;

use crate::support::{
    TestApp, TestDb,
    leaver::BASE,
    plaintext::contact,
    stream::{BEGIN, found},
};

const X: &str = "wmX";

/// The owners of X, in the order of the list.
const OWNERS: &str = "select concat_ws(' ', wechat_userid, coalesce(extract(epoch from since)::bigint::text, '?'),
    coalesce(began_by, '?'), coalesce(extract(epoch from until)::bigint::text, 'now'), coalesce(ended_by, '-'))
    from customer_owner where external_userid = 'wmX' order by since nulls first, wechat_userid";

fn at(second: i64) -> i64 {
    BEGIN + second * 100
}

#[tokio::test]
async fn every_owner_is_told_with_why_it_began_and_why_it_ended() {
    let app = TestApp::start().await;
    let transfer = [("Source", "DELETE_BY_TRANSFER")];
    for said in [
        contact(at(1), "add_external_contact", "ann", X, &[]),
        contact(at(2), "del_follow_user", "ann", X, &[]),
        contact(at(3), "add_external_contact", "ann", X, &[]),
        // A transfer to bob: both callbacks come within minutes of each other.
        contact(at(4), "del_external_contact", "ann", X, &transfer),
        contact(at(4) + 60, "add_external_contact", "bob", X, &[]),
        contact(at(6), "del_external_contact", "bob", X, &[]),
        // Nothing was recorded before this end.
        contact(at(1) + 7, "del_follow_user", "cai", X, &[]),
    ] {
        app.record(&said).await;
    }
    let told = [
        format!("cai ? ? {} lost", at(1) + 7),
        format!("ann {} added {} lost", at(1), at(2)),
        format!("ann {} added {} transferred", at(3), at(4)),
        format!("bob {} transferred {} deleted_by_member", at(4) + 60, at(6)),
    ];
    assert_eq!(app.db.texts(OWNERS).await, told);

    let owners = async |query: &str| {
        let answer = app.ask("GET", &format!("{BASE}/customer-owners/{X}{query}"), None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let items = answer.json()["items"].as_array().expect("items").clone();
        items.iter().map(|it| it["wechat_userid"].as_str().expect("a member").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(owners("").await, ["cai", "ann", "ann", "bob"]);
    // A day means its end: 2023-11-15 in China ends after all of this, and the 14th before.
    assert_eq!(owners("?as_of=2023-11-14").await, ["cai"]);
    let moment = chrono::DateTime::from_timestamp(at(3) + 5, 0).expect("a time").to_rfc3339();
    assert_eq!(owners(&format!("?as_of={}", moment.replace('+', "%2B"))).await, ["ann"]);
    assert_eq!(owners("?as_of=2023-11-16").await, [""; 0]);
    let unknown = app.ask("GET", &format!("{BASE}/customer-owners/wm404"), None).await;
    assert_eq!((unknown.status, unknown.json()["code"].clone()), (404, json!("customer_unknown")));
    let shown = app.ask("GET", &format!("{BASE}/customer-contact/{X}?as_of=2023-11-14"), None).await.json();
    assert_eq!(shown["owners"][0]["wechat_userid"], json!("cai"));
    app.finish().await;
}

#[tokio::test]
async fn what_a_handover_did_is_told_as_handed_over() {
    let db = TestDb::new().await;
    found(&db, 1, BEGIN).await;
    db.execute(&format!(
        "insert into customer_wechat_contact (corpid, external_userid, wechat_userid, status, status_at, first_contact_time)
         values ('ww1', 'wmX', 'ann', 'transferred_out', to_timestamp({end}), to_timestamp({begin})),
             ('ww1', 'wmX', 'bob', 'contacted', to_timestamp({end}), to_timestamp({end}) + interval '2 hours');
         with made as (
             insert into handover (corpid, wechat_userid, state, cause) values ('ww1', 'ann', 'done', 'left') returning id
         )
         insert into handover_item (handover_id, kind, subject, state, successor_userid, takeover_at, finished_at)
         select id, 'customer', 'wmX', 'done', 'bob', to_timestamp({end}), to_timestamp({end}) + interval '3 hours' from made",
        begin = at(1),
        end = at(9),
    ))
    .await;
    let told = [format!("ann {} added {} handed_over", at(1), at(9)), format!("bob {} handed_over now -", at(9))];
    assert_eq!(db.texts(OWNERS).await, told);
    db.close().await;
}

#[tokio::test]
async fn a_contact_of_whom_nobody_said_since_when_has_an_owner_without_a_beginning() {
    let app = TestApp::start().await;
    app.record(&contact(0, "add_external_contact", "ann", X, &[])).await;
    assert_eq!(app.db.texts(OWNERS).await, ["ann ? ? now -"]);
    app.record(&contact(at(1), "del_follow_user", "ann", X, &[])).await;
    assert_eq!(app.db.texts(OWNERS).await, [format!("ann ? ? {} lost", at(1))]);
    app.finish().await;
}
