//! Scoped tokens: every route, asked by one staff member for another's data and for their own.

use serde_json::{Value, json};
use wecomd::{
    admin::{
        door::auth::{Role, Scoped},
        routes::ROUTES,
        spec::route::{Access, Route},
    },
    housekeeping::indexing::Indexer,
};

use crate::support::{
    TestApp,
    http::Answer,
    leaver::{BASE, code},
    scoped::{Names, inherits, knows, own_token, settle},
};

/// Part of every name that belongs to the caller.
const OURS: &str = "aown";

/// Part of every name that belongs to somebody else.
const THEIRS: &str = "bsecret";

/// Two staff members, the caller and another, with their data.
struct World {
    app: TestApp,
    us: Names,
    them: Names,
    viewer: String,
    operator: String,
    /// A handover of which each of them gets a part.
    joint: i64,
}

/// A request: its path and query after the route's path without parameters, and its body.
type Probe = (String, Option<Value>);

async fn world() -> World {
    let app = TestApp::start().await;
    let (us, them) = (settle(&app, OURS).await, settle(&app, THEIRS).await);
    let joint = inherits(&app, "joint", &[(&us, OURS), (&them, THEIRS)]).await;
    // Both know one customer, who has an order with each of them.
    for (names, word) in [(&us, OURS), (&them, THEIRS)] {
        knows(&app, names, "wm-shared", Some("C-shared"), word).await;
        let (corp, staff, user) = (&app.corp.corpid, &names.staff, &names.user);
        app.db
            .execute(&format!(
                "insert into work_order (corpid, customer_id, description, state, staff_id)
                 values ('{corp}', 'C-shared', 'shared-{word}', 'assigned', '{staff}')"
            ))
            .await;
        app.db
            .execute(&format!(
                "insert into wechat_contact_record (
                     contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, content, source
                 ) values (
                     now(), gen_random_uuid(), '{corp}', 'wm-shared', '{user}', '{user}', 'text', 'shared-{word}', 'app'
                 )"
            ))
            .await;
        app.db
            .execute(&format!(
                "insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, config_id, qr_code, expires_at)
                 values ('{corp}', 'shared-{word}', 'C-shared', '{staff}', '{user}', 'c', 'https://x/{word}', now() + '1 day')"
            ))
            .await;
    }
    let mut indexer = Indexer::new(app.db.pool.clone());
    while indexer.round().await.expect("the database answers") > 0 {}
    let (viewer, operator) = (own_token(&app, &us, Role::Viewer).await, own_token(&app, &us, Role::Operator).await);
    World { app, us, them, viewer, operator, joint }
}

/// The reports that somebody who sees their own alone may read.
const REPORTS: [&str; 8] = [
    "contacts_by_staff_day",
    "first_response_time",
    "additions_and_losses",
    "work_order_funnel",
    "handover_outcomes",
    "unmatched_customers",
    "contacts_by_tag",
    "group_activity",
];

/// The requests that read or change data with these names through a route.
fn probes(route: &Route, it: &Names, us: &Names, joint: i64) -> Vec<Probe> {
    let Names { staff, user, customer, external, order, way, media, handover } = it;
    let get = |tails: &[String]| tails.iter().map(|tail| (tail.clone(), None)).collect::<Vec<Probe>>();
    let text = |tail: &str| tail.to_owned();
    let post = |bodies: Vec<Value>| bodies.into_iter().map(|body| (String::new(), Some(body))).collect::<Vec<Probe>>();
    let mine = &us.customer;
    match route.id {
        "staffBindList" => get(&[text(""), text("?status=bound"), text("?corpid=ww-other")]),
        "staffDutyList" => get(&[text("")]),
        "staffDutySet" => post(vec![json!({ "staff_id": staff, "on_duty": false })]),
        "workOrderList" => get(&[text(""), format!("?staff_id={staff}"), format!("?customer_id={customer}")]),
        "workOrderShow" => get(&[format!("/{order}")]),
        "workOrderChange" => [json!({ "note": "hm" }), json!({ "staff_id": us.staff }), json!({ "state": "done" })]
            .map(|body| (format!("/{order}"), Some(body)))
            .to_vec(),
        "customerContactShow" => get(&[format!("/{customer}"), format!("/{external}"), format!("/{user}")]),
        "customerContactMake" => post(vec![
            json!({ "customer_id": customer }),
            json!({ "customer_id": customer, "staff_id": staff }),
            json!({ "customer_id": mine, "staff_id": staff }),
            json!({ "customer_id": customer, "work_order_id": order }),
            json!({ "customer_id": mine, "work_order_id": order }),
        ]),
        "customerContactQr" => get(&[format!("/{way}")]),
        "contactRecordsList" => {
            get(&[format!("/{customer}"), format!("/{external}"), format!("/{customer}?type=image")])
        }
        "contactRecordsFind" => get(&[text("?q=group-talk"), text("?q=photo"), format!("?q=talk&sender={external}")]),
        "contactRecordAdd" => post(vec![
            json!({ "customer_id": customer, "content": "hm" }),
            json!({ "customer_id": external, "content": "hm" }),
            json!({ "customer_id": mine, "staff_id": staff, "content": "hm" }),
        ]),
        "mediaShow" => get(&[format!("/{media}")]),
        "customerOwnersShow" => get(&[format!("/{customer}"), format!("/{external}")]),
        "groupChatList" => {
            get(&[text(""), format!("?owner={user}"), format!("?member={external}"), text("?name=group")])
        }
        "groupChatShow" => get(&[format!("/wr-{}", &staff[2..])]),
        "groupChatRecords" => get(&[format!("/wr-{}/records", &staff[2..])]),
        "tagList" | "departmentList" => get(&[text(""), text("?corpid=ww-other")]),
        "customerTagsMark" => {
            let marks = |user: &str| json!({ "wechat_userid": user, "add": ["etTag"] });
            [(external, user), (&us.external, user), (external, user)]
                .map(|(customer, user)| (format!("/{customer}/tags"), Some(marks(user))))
                .to_vec()
        }
        "handoverList" => get(&[text(""), format!("?staff_id=S-left-{}", &staff[2..])]),
        "handoverShow" => get(&[format!("/{handover}")]),
        "handoverItems" => get(&[format!("/{handover}/items"), format!("/{joint}/items?successor={staff}")]),
        "handoverItemsCsv" => get(&[format!("/{handover}/items.csv")]),
        "handoverAccept" => [(handover, staff), (handover, &us.staff), (&joint, staff)]
            .map(|(id, staff)| (format!("/{id}/acceptances"), Some(json!({ "staff_id": staff, "accepted": false }))))
            .to_vec(),
        "transferHistory" => {
            get(&[text(""), format!("?to={staff}"), format!("?customer=wm-{handover}-{}", &staff[2..])])
        }
        "reportShow" => REPORTS
            .into_iter()
            .chain(["message_volumes"])
            .flat_map(|name| [(format!("/{name}?staff_id={staff}"), None), (format!("/{name}?format=csv"), None)])
            .collect(),
        // The other routes are closed to scoped tokens; they are asked all the same.
        _ => {
            let (_, tail) = route.path.split_at(stem(route).len());
            let body =
                (route.method != "GET").then(|| json!({ "staff_id": staff, "customer_id": customer, "from": staff }));
            let ids = [customer.clone(), order.to_string(), handover.to_string(), "1".to_owned()];
            ids.into_iter().map(|id| (tail.replace("{id}", &id), body.clone())).collect()
        }
    }
}

/// A route's path before its parameter.
fn stem(route: &Route) -> &'static str {
    route.path.split("/{").next().unwrap_or_default()
}

/// An answer without the parts that differ in every answer.
fn bare(answer: &Answer) -> (u16, String) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(mut fields)) => {
            fields.remove("request_id");
            fields.remove("instance");
            (answer.status, Value::Object(fields).to_string())
        }
        _ => (answer.status, text),
    }
}

#[tokio::test]
async fn a_scoped_token_sees_and_changes_nothing_of_others_on_any_route() {
    let World { app, us, them, viewer, operator, joint } = world().await;
    let state = "select concat_ws(' ', (select string_agg(to_jsonb(it)::text, ',' order by id) from work_order it),
         (select string_agg(to_jsonb(it)::text, ',' order by id) from staff_wechat_bind it),
         (select string_agg(to_jsonb(it)::text, ',' order by id) from handover_item it),
         (select string_agg(to_jsonb(it)::text, ',' order by handover_id, wechat_userid) from handover_successor it),
         (select count(*) from wechat_contact_record), (select count(*) from contact_way), (select count(*) from task))";
    let before = app.db.texts(state).await;
    let nobody = Names::of("nobody");
    let (mut asked, mut closed) = (0, 0);
    for (bearer, role) in [(&viewer, Role::Viewer), (&operator, Role::Operator)] {
        for route in ROUTES.iter() {
            let Access::Role(needed) = route.access else { continue };
            let theirs = probes(route, &them, &us, joint);
            for (theirs, nobodys) in theirs.into_iter().zip(probes(route, &nobody, &us, joint)) {
                let (path, body) = theirs;
                let answer = app.ask_as(bearer, route.method, &format!("{}{path}", stem(route)), body.clone()).await;
                let all = format!("{}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
                let story = format!("{} {}{path} {body:?} as {role}: {all}", route.method, stem(route));
                assert!(!all.contains(THEIRS), "{story}");
                asked += 1;
                if matches!(route.scoped, Scoped::Caller | Scoped::Corp) {
                    continue;
                }
                if route.scoped == Scoped::Closed {
                    assert_eq!(code(&answer), (403, "own_only".to_owned()), "{story}");
                    closed += 1;
                    continue;
                }
                if role < needed {
                    assert_eq!(code(&answer), (403, "forbidden".to_owned()), "{story}");
                    continue;
                }
                assert!(answer.status < 500 && answer.status != 401, "{story}");
                let (path, body) = nobodys;
                let other = app.ask_as(bearer, route.method, &format!("{}{path}", stem(route)), body).await;
                assert_eq!(bare(&answer), bare(&other), "data of others is answered as if it did not exist: {story}");
            }
        }
    }
    assert!(asked > 200 && closed > 100, "{asked} {closed}");
    assert_eq!(app.db.texts(state).await, before, "and nothing was changed");
    app.finish().await;
}

#[tokio::test]
async fn the_probes_of_every_scoped_route_reach_data_of_others_without_a_scope() {
    let World { app, us, them, joint, .. } = world().await;
    for route in ROUTES.iter().filter(|it| it.scoped == Scoped::Own && it.method == "GET") {
        let mut shown = false;
        for (path, body) in probes(route, &them, &us, joint) {
            let answer = app.ask(route.method, &format!("{}{path}", stem(route)), body).await;
            let picture = route.id == "customerContactQr" && answer.status == 200;
            shown |= picture || String::from_utf8_lossy(&answer.body).contains(THEIRS);
        }
        assert!(shown, "no probe of {} leads to what is another's", route.path);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_scoped_token_sees_its_own_data_on_every_open_route() {
    let World { app, us, viewer, operator, joint, .. } = world().await;
    let Names { staff, customer, external, order, way, media, handover, .. } = &us;
    for route in ROUTES.iter().filter(|it| it.scoped == Scoped::Own) {
        let get = |tail: String| vec![(tail, None)];
        let own: Vec<Probe> = match route.id {
            "staffBindList" | "staffDutyList" | "workOrderList" => get(String::new()),
            "handoverList" | "transferHistory" => get(String::new()),
            "workOrderShow" => get(format!("/{order}")),
            "customerContactShow" => {
                [customer.as_str(), external, "C-shared", "wm-shared"].map(|it| (format!("/{it}"), None)).to_vec()
            }
            "contactRecordsList" => {
                [customer.as_str(), external, "C-shared"].map(|it| (format!("/{it}"), None)).to_vec()
            }
            "contactRecordsFind" => ["group-talk", "photo"].map(|text| (format!("?q={text}"), None)).to_vec(),
            "customerContactQr" => get(format!("/{way}")),
            "mediaShow" => get(format!("/{media}")),
            "customerOwnersShow" => [customer.as_str(), external].map(|it| (format!("/{it}"), None)).to_vec(),
            "groupChatList" => get(String::new()),
            "groupChatShow" => get("/wr-aown".to_owned()),
            "groupChatRecords" => get("/wr-aown/records".to_owned()),
            "handoverShow" => [handover, &joint].map(|id| (format!("/{id}"), None)).to_vec(),
            "handoverItems" => [handover, &joint].map(|id| (format!("/{id}/items"), None)).to_vec(),
            "handoverItemsCsv" => [handover, &joint].map(|id| (format!("/{id}/items.csv"), None)).to_vec(),
            "reportShow" => ["contacts_by_staff_day", "work_order_funnel", "unmatched_customers"]
                .map(|name| (format!("/{name}?staff_id={staff}"), None))
                .to_vec(),
            "staffDutySet" => vec![(String::new(), Some(json!({ "staff_id": staff, "on_duty": false })))],
            "workOrderChange" => vec![(format!("/{order}"), Some(json!({ "state": "contacted" })))],
            "customerContactMake" => vec![(String::new(), Some(json!({ "customer_id": customer })))],
            // It asks WeCom first: `company.rs` marks a contact of theirs.
            "customerTagsMark" => continue,
            "contactRecordAdd" => {
                let body = json!({ "customer_id": customer, "content": "said-aown" });
                vec![(String::new(), Some(body))]
            }
            "handoverAccept" => {
                vec![(format!("/{joint}/acceptances"), Some(json!({ "staff_id": staff, "accepted": false })))]
            }
            other => panic!("{other} shows their own, and nothing here asks for it"),
        };
        let bearer = if route.method == "GET" { &viewer } else { &operator };
        for (path, body) in own {
            let answer = app.ask_as(bearer, route.method, &format!("{}{path}", stem(route)), body).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let story = format!("{} {}{path}: {} {text}", route.method, stem(route), answer.status);
            assert!((200..300).contains(&answer.status), "{story}");
            assert!(text.contains(OURS) || route.id == "customerContactQr", "{story}");
            // Whoever knows a customer sees whose they are and were, and reads what anybody said with them.
            let shared = ["contactRecordsList", "customerContactShow"].contains(&route.id) && path.contains("shared");
            assert_eq!(text.contains(THEIRS), shared, "{story}");
        }
    }
    let theirs = "select concat_ws(' ', staff_id, accepted::text) from handover_successor where accepted is not null";
    assert_eq!(app.db.texts(theirs).await, ["S-aown false"]);
    let given = "select concat_ws(' ', successor_staff_id, state) from handover_item where handover_id = ";
    assert_eq!(app.db.texts(&format!("{given}{joint} order by id")).await, ["open", "S-bsecret planned"]);
    app.finish().await;
}

#[tokio::test]
async fn a_reassigned_order_leaves_the_scope_and_contacts_follow_the_binding() {
    let World { app, us, them, viewer, operator, .. } = world().await;
    let order = format!("{BASE}/work-orders/{}", us.order);
    let handed = app.ask_as(&operator, "PATCH", &order, Some(json!({ "staff_id": them.staff }))).await;
    assert_eq!((handed.status, &handed.json()["staff_id"]), (200, &json!(them.staff)), "{}", handed.text());
    let gone = (404, "work_order_unknown".to_owned());
    assert_eq!(code(&app.ask_as(&viewer, "GET", &order, None).await), gone);
    assert_eq!(code(&app.ask_as(&operator, "PATCH", &order, Some(json!({ "staff_id": us.staff }))).await), gone);

    let customer = format!("{BASE}/customer-contact/{}", us.external);
    let photo = format!("{BASE}/media/{}", us.media);
    assert_eq!(app.ask_as(&viewer, "GET", &customer, None).await.status, 200);
    // Another member's now: what the first one's contacts said is no longer theirs.
    let bind = format!("update staff_wechat_bind set wechat_userid = 'u-new' where staff_id = '{}'", us.staff);
    app.db.execute(&bind).await;
    assert_eq!(code(&app.ask_as(&viewer, "GET", &customer, None).await), (404, "customer_unknown".to_owned()));
    assert_eq!(code(&app.ask_as(&viewer, "GET", &photo, None).await), (404, "media_unknown".to_owned()));
    let back = format!(
        "update staff_wechat_bind set wechat_userid = '{}', status = 'unbound', unbound_at = now(), unbound_reason = 'admin'
         where staff_id = '{}'",
        us.user, us.staff
    );
    app.db.execute(&back).await;
    assert_eq!(app.ask_as(&viewer, "GET", &customer, None).await.status, 404, "a binding that ended shows nothing");
    assert_eq!(app.ask_as(&viewer, "GET", &photo, None).await.status, 404);
    let orders = app.ask_as(&viewer, "GET", &format!("{BASE}/work-orders"), None).await.json();
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "orders name the staff member: {orders}");
    app.finish().await;
}

#[tokio::test]
async fn a_scoped_token_needs_a_staff_id_and_is_never_an_admin() {
    let app = TestApp::start().await;
    let tokens = format!("{BASE}/api-tokens");
    for (body, field) in [
        (json!({ "name": "x", "role": "viewer", "own_only": true }), "staff_id"),
        (json!({ "name": "x", "role": "admin", "staff_id": "S1", "own_only": true }), "role"),
        (json!({ "name": "x", "role": "viewer", "staff_id": "S1", "corpid": "ww9", "own_only": true }), "corpid"),
        (json!({ "name": "x", "role": "viewer", "corpid": app.corp.corpid }), "corpid"),
        (json!({ "name": "x", "role": "viewer", "staff_id": " ", "own_only": true }), "staff_id"),
    ] {
        let answer = app.ask("POST", &tokens, Some(body)).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{}", answer.text());
    }
    let wanted = json!({ "name": "ann", "role": "operator", "staff_id": "S1", "own_only": true });
    let made = app.ask("POST", &tokens, Some(wanted)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let bearer = format!("Bearer {}", made["token"].as_str().expect("the token"));
    let closed = app.ask_as(&bearer, "GET", &format!("{BASE}/config"), None).await;
    assert_eq!(code(&closed), (403, "own_only".to_owned()));
    assert_eq!(app.ask_as(&bearer, "GET", &format!("{BASE}/work-orders"), None).await.status, 200);
    let listed = app.ask("GET", &tokens, None).await.json()["items"].clone();
    let shown = |at: usize| json!([listed[at]["staff_id"], listed[at]["corpid"], listed[at]["own_only"]]);
    assert_eq!((shown(0), shown(1)), (json!([null, null, false]), json!(["S1", app.corp.corpid, true])));
    app.finish().await;
}
