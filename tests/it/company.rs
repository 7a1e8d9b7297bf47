//! The company itself: customer tags, departments, approvals, alerts, and members who come back into sight.

use serde_json::json;
use wecomd::{
    app::App,
    changes::TaskKind,
    ids::UserId,
    sandbox::{AppKind, Form},
};

use crate::support::{
    Acting, TestApp, TestDb,
    app::config,
    http::request,
    leaver::BASE,
    plaintext::{event, party},
    wait::until,
};

const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

const TAGS: &str =
    "select concat_ws(' ', kind, name, deleted_at is not null) from corp_tag where kind = 'tag' order by position desc";

#[tokio::test]
async fn tags_follow_wecom_s_list_and_deleting_a_group_deletes_its_tags() {
    let acting = Acting::start().await;
    let tags = acting.platform.with(|world| world.tags().to_vec());
    let (first, group) = (tags[0].clone(), tags[0].group);
    acting.platform.rename_tag(&first.id, "重点").await.expect("a tag");
    acting.settle(TaskKind::RefreshTags).await;
    let held = acting.app.db.texts(TAGS).await;
    assert_eq!(held.len(), tags.len());
    assert_eq!(held[0], "tag 重点 f");

    acting.platform.delete_tags(group).await.expect("a group");
    acting.settle(TaskKind::RefreshTags).await;
    let gone = tags.iter().filter(|it| it.group == group).count();
    let held = acting.app.db.texts(TAGS).await;
    assert_eq!(held.iter().filter(|it| it.ends_with(" t")).count(), gone, "{held:?}");
    let groups = "select count(*) from corp_tag where kind = 'tag_group' and deleted_at is not null";
    assert_eq!(acting.app.db.count(groups).await, 1);
    assert_eq!(acting.left(TaskKind::RefreshTags).await, [""; 0]);

    let listed = acting.app.ask("GET", &format!("{BASE}/tags"), None).await.json();
    assert_eq!(listed["items"].as_array().expect("items").len(), tags.len() - gone);
    let all = acting.app.ask("GET", &format!("{BASE}/tags?deleted=true"), None).await.json();
    assert_eq!(all["items"].as_array().expect("items").len(), tags.len());
    acting.finish().await;
}

#[tokio::test]
async fn an_older_reading_of_the_tags_changes_only_what_no_later_one_named() {
    use wecomd::{
        answers,
        changes::Changes,
        ids::CorpId,
        tables::{apply::apply, records::wechat_contact_record::KnownMonths},
        wecom::tag::{Tag, TagGroup, Tags},
    };
    let db = TestDb::new().await;
    let corp = CorpId::from("ww1");
    let list = |tags: &[(&str, &str)]| Tags {
        groups: vec![TagGroup {
            id: "etG".to_owned(),
            name: "等级".to_owned(),
            order: 1,
            tags: tags
                .iter()
                .map(|(id, name)| Tag { id: (*id).to_owned(), name: (*name).to_owned(), order: 1 })
                .collect(),
        }],
        unreadable: Vec::new(),
    };
    let readings = [
        (list(&[("et1", "甲"), ("et2", "乙")]), 100),
        (list(&[("et1", "甲二"), ("et3", "丙")]), 200),
        (list(&[("et3", "丙")]), 300),
    ];
    let mut seen = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        db.execute("truncate corp_tag").await;
        for place in order {
            let (list, at) = &readings[place];
            let mut changes = Changes::default();
            let at = chrono::DateTime::from_timestamp(*at, 0).expect("a time");
            answers::tag::learn(&mut changes, &corp, list, at);
            let mut transaction = db.pool.begin().await.expect("begins");
            apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("written");
            transaction.commit().await.expect("commits");
        }
        let rows = "select concat_ws(' ', id, name, deleted_at is not null) from corp_tag order by id";
        seen.push(db.texts(rows).await);
    }
    assert_eq!(seen[0], ["et1 甲二 t", "et2 乙 t", "et3 丙 f", "etG 等级 f"]);
    assert!(seen.iter().all(|it| *it == seen[0]), "{seen:?}");
    db.close().await;
}

#[tokio::test]
async fn a_contact_is_given_tags_at_wecom_and_its_card_is_read_again() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    let (one, other) = acting.platform.with(|world| (world.tags()[0].clone(), world.tags()[1].clone()));
    acting.platform.edit(&"ann".into(), &CUSTOMER.into(), |it| it.tags = vec![other.id.clone()]).await.expect("edits");
    acting.settle(TaskKind::RefreshContact).await;
    acting.enqueue(TaskKind::RefreshTags, "tags", None).await;
    acting.act(TaskKind::RefreshTags).await;

    let path = format!("{BASE}/customer-contact/{CUSTOMER}/tags");
    let marks = json!({ "wechat_userid": "ann", "add": [one.id], "remove": [other.id] });
    for _ in 0..2 {
        let answer = acting.app.ask("PUT", &path, Some(marks.clone())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["added"], json!([one.id]));
    }
    acting.act(TaskKind::RefreshContact).await;
    let notes = acting.platform.with(|world| world.notes(&"ann".into(), &CUSTOMER.into())).expect("contacts");
    assert_eq!(notes.tags, std::slice::from_ref(&one.id));
    let given = "select concat_ws(' ', wechat_userid, tag_id, name) from contact_tag";
    assert_eq!(acting.app.db.texts(given).await, [format!("ann {} {}", one.id, one.name)]);
    let listed = acting.app.ask("GET", &format!("{BASE}/tags"), None).await.json();
    let of = |id: &str| {
        let items = listed["items"].as_array().expect("items");
        items.iter().find(|it| it["id"] == id).map(|it| it["contacts"].clone()).expect("listed")
    };
    assert_eq!((of(&one.id), of(&other.id)), (json!(1), json!(0)));

    for (body, status, field) in [
        (json!({ "wechat_userid": "ann" }), 400, Some("add")),
        (json!({ "wechat_userid": "ann", "add": ["etUnknown"] }), 422, None),
        (json!({ "wechat_userid": "nobody", "add": [one.id] }), 422, None),
        (json!({ "wechat_userid": "", "add": [one.id] }), 400, Some("wechat_userid")),
    ] {
        let answer = acting.app.ask("PUT", &path, Some(body.clone())).await;
        assert!(answer.status >= 400, "{body}: {answer:?}");
        if status == 400 {
            assert_eq!((answer.status, answer.json()["field"].as_str()), (400, field), "{body}: {answer:?}");
        }
    }
    let stranger = format!("{BASE}/customer-contact/wmStrangerStrangerStranger0001/tags");
    let answer = acting.app.ask("PUT", &stranger, Some(marks)).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!("customer_unknown")), "{answer:?}");
    acting.finish().await;
}

#[tokio::test]
async fn departments_follow_callbacks_in_any_order_and_a_run_adds_their_names() {
    let acting = Acting::start().await;
    let app = &acting.app;
    // The update comes before the creation, and names only what it changed.
    app.record(&party(1_700_000_020, "update_party", "12", &[("ParentId", "3")])).await;
    app.record(&party(1_700_000_010, "create_party", "12", &[("Name", "维修部"), ("ParentId", "1"), ("Order", "4")]))
        .await;
    app.record(&party(1_700_000_030, "delete_party", "13", &[])).await;
    app.record(&party(1_700_000_005, "create_party", "13", &[("Name", "临时部"), ("ParentId", "1")])).await;
    let rows =
        "select concat_ws(' ', id, name, parent_id, named_at > coalesce(removed_at, '-infinity')) from department
        order by id";
    assert_eq!(app.db.texts(rows).await, ["12 维修部 3 t", "13 临时部 1 f"]);
    let listed = app.ask("GET", &format!("{BASE}/departments"), None).await.json();
    assert_eq!(listed["items"].as_array().expect("items").len(), 1);
    assert_eq!(listed["items"][0]["name"], json!("维修部"));
    acting.finish().await;
}

#[tokio::test]
async fn a_form_of_a_resignation_s_template_becomes_an_approved_resignation_once() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    let corp = acting.app.corp.corpid.clone();
    acting
        .app
        .db
        .execute(&format!(
            "insert into member_alias (corpid, alias, wechat_userid) values ('{corp}', 'ann', 'ann');
             insert into staff_wechat_bind (corpid, staff_id, wechat_userid, bound_at) values ('{corp}', 'E-1', 'ann', now())"
        ))
        .await;
    let form = |status| Form {
        number: "202611300001".to_owned(),
        template_id: "TplLeave".to_owned(),
        applicant: UserId::from("ann"),
        status,
        days: vec![("最后工作日".to_owned(), 1_798_646_400), ("入职日期".to_owned(), 1_600_000_000)],
    };
    let rows = "select concat_ws(' ', staff_id, wechat_userid, last_day, state, approval_number) from resignation";
    acting.platform.hand_in(form(1)).await.expect("handed in");
    acting.platform.hand_in(form(2)).await.expect("approved");
    acting.platform.pushed().await;
    acting.app.drain().await;
    let approvals = "select concat_ws(' ', engine, number, template_id, applicant_userid, status) from approval";
    assert_eq!(acting.app.db.texts(approvals).await, ["system 202611300001 TplLeave ann 2"]);

    // Without the setting nothing is read.
    acting.act(TaskKind::ReadApproval).await;
    assert_eq!(acting.platform.calls_of("oa/getapprovaldetail").len(), 0);
    assert_eq!(acting.app.db.texts(rows).await, [""; 0]);

    let read = async || {
        acting.enqueue(TaskKind::ReadApproval, "202611300001", Some(r#"{"template_id":"TplLeave"}"#.to_owned())).await;
        acting
            .act_with(TaskKind::ReadApproval, |handover| {
                handover.resignation_templates = vec![wecomd::handover::by_approval::ResignationTemplate {
                    template_id: "TplLeave".to_owned(),
                    last_day: None,
                }];
            })
            .await;
    };
    for _ in 0..2 {
        read().await;
        assert_eq!(acting.app.db.texts(rows).await, ["E-1 ann 2026-12-31 approved 202611300001"]);
    }
    assert_eq!(acting.app.db.count("select count(*) from handover where cause = 'resignation'").await, 1);

    acting.platform.hand_in(form(6)).await.expect("withdrawn");
    acting.platform.pushed().await;
    acting.app.drain().await;
    read().await;
    assert_eq!(acting.app.db.texts(rows).await, ["E-1 ann 2026-12-31 cancelled 202611300001"]);
    assert_eq!(acting.left(TaskKind::ReadApproval).await, [""; 0]);
    acting.finish().await;
}

#[tokio::test]
async fn a_form_that_cannot_become_a_resignation_is_parked_with_what_to_do() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    let form = Form {
        number: "1".to_owned(),
        template_id: "TplLeave".to_owned(),
        applicant: UserId::from("ann"),
        status: 2,
        days: vec![("入职日期".to_owned(), 1_600_000_000), ("转正日期".to_owned(), 1_700_000_000)],
    };
    acting.platform.hand_in(form.clone()).await.expect("handed in");
    let template = |handover: &mut wecomd::handover::Settings| {
        handover.resignation_templates = vec![wecomd::handover::by_approval::ResignationTemplate {
            template_id: "TplLeave".to_owned(),
            last_day: None,
        }];
    };
    acting.platform.pushed().await;
    acting.app.drain().await;
    acting.act_with(TaskKind::ReadApproval, template).await;
    let left = acting.left(TaskKind::ReadApproval).await.join("");
    assert!(left.contains("handover.resignation_templates") && left.contains("入职日期, 转正日期"), "{left}");

    let with_day = Form { days: vec![("最后一天".to_owned(), 1_798_646_400)], ..form };
    acting.platform.hand_in(with_day).await.expect("handed in");
    acting.platform.pushed().await;
    acting.app.drain().await;
    acting.app.db.execute("update task set parked_at = null").await;
    acting.act_with(TaskKind::ReadApproval, template).await;
    let left = acting.left(TaskKind::ReadApproval).await.join("");
    assert!(left.contains("bind the applicant"), "{left}");
    acting.finish().await;
}

#[tokio::test]
async fn an_app_s_alert_stands_until_wecom_says_that_it_is_over() {
    let acting = Acting::start().await;
    let app = &acting.app;
    app.record(&event(1_700_000_010, "low_active", &[])).await;
    app.record(&event(1_700_000_005, "low_active_alert", &[("EffectTime", "1700000009")])).await;
    app.record(&event(1_700_000_020, "inactive_alert", &[("EffectTime", "1700090000")])).await;
    app.record(&event(1_700_000_030, "reopen_inactive_agent", &[])).await;
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let standing = async |conn: &mut sqlx::PgConnection| {
        let found = wecomd::tables::company::app_alert::standing(conn, 9).await.expect("read");
        found.into_iter().map(|it| it.kind.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(standing(&mut conn).await, ["restricted", "restriction_announced"]);
    app.record(&event(1_700_000_040, "active_restored", &[])).await;
    assert_eq!(standing(&mut conn).await, [""; 0]);
    // Nothing ends a change of addresses, so it is shown for some days only.
    app.record(&event(1_700_000_050, "security", &[("ChangeType", "change_domain_ip")])).await;
    assert_eq!(standing(&mut conn).await, [""; 0]);
    let now = chrono::Utc::now().timestamp() - 60;
    app.record(&event(now, "security", &[("ChangeType", "change_domain_ip")])).await;
    assert_eq!(standing(&mut conn).await, ["platform_addresses"]);
    drop(conn);
    acting.finish().await;
}

#[tokio::test]
async fn readyz_names_the_alerts_that_stand() {
    let first = TestApp::start().await;
    let app = first.corp.app(AppKind::App).expect("an app").name.clone();
    first
        .db
        .execute(&format!(
            "insert into app_alert (corpid, app_id, kind, said_at)
             select corpid, id, 'restricted', now() from enterprise_wechat_config where name = '{app}'"
        ))
        .await;
    // Alerts are read when the program starts, and every half a minute from then on.
    let vault = first.app.admin_half.vault.clone();
    let second = App::start(&config(), &first.db.url, vault).await.expect("it starts");
    until("the alert is told", async || {
        let answer = request(second.admin, "GET", "/readyz", &[], b"").await.expect("an answer");
        let told = answer.json();
        told["alerts"][0]["kind"] == json!("restricted") && told["alerts"][0]["app"] == json!(app)
    })
    .await;
    second.stop().await;
    first.finish().await;
}

#[tokio::test]
async fn a_first_message_through_an_acquisition_link_is_recorded_and_low_quota_is_an_alert() {
    let acting = Acting::start().await;
    let app = &acting.app;
    let fields =
        [("ChangeType", "customer_start_chat"), ("UserID", "ann"), ("ExternalUserID", CUSTOMER), ("LinkId", "caL1")];
    app.record(&event(1_700_000_010, "customer_acquisition", &fields)).await;
    let records = "select concat_ws('|', wechat_userid, external_userid, event, content) from wechat_contact_record";
    let expected = format!("ann|{CUSTOMER}|customer_acquisition/customer_start_chat|客户首次发消息,获客链接 caL1");
    assert_eq!(app.db.texts(records).await, [expected]);
    app.record(&event(1_700_000_020, "customer_acquisition", &[("ChangeType", "balance_low")])).await;
    let alerts = "select kind || ' ' || (said_at > coalesce(ended_at, '-infinity')) from app_alert";
    assert_eq!(app.db.texts(alerts).await, ["acquisition_balance true"]);
    app.record(&event(1_700_000_030, "customer_acquisition", &[("ChangeType", "balance_increased")])).await;
    assert_eq!(app.db.texts(alerts).await, ["acquisition_balance false"]);
    acting.finish().await;
}
