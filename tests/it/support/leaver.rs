//! Somebody who leaves, their customers and orders, and the colleagues who may take over; and the handover of it all.

use chrono::Utc;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::{
    sandbox::{AppKind, Push},
    tables::access::api_token,
    vault::ApiToken,
};

use super::{
    TestApp,
    http::{Answer, request},
    plaintext::member,
};

pub(crate) const BASE: &str = "/api/enterprise-wechat";

/// The leaver, as the business and WeCom name them.
pub(crate) const LEAVER: (&str, &str) = ("S0", "lao");

/// Somebody of the business who is a member.
pub(crate) async fn bind(app: &TestApp, staff: &str, user: &str) {
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into staff_wechat_bind (corpid, staff_id, wechat_userid, wechat_name, bound_at)
             values ('{corp}', '{staff}', '{user}', '{user}', now() - interval '1 day')"
        ))
        .await;
}

/// A customer whom a member knows, and who is the business's customer of the same name in capitals.
pub(crate) async fn knows(app: &TestApp, user: &str, customers: &[&str]) {
    let corp = &app.corp.corpid;
    for customer in customers {
        let id = customer.to_uppercase();
        app.db
            .execute(&format!(
                "insert into customer_wechat_contact (
                     corpid, external_userid, wechat_userid, status, status_at, customer_id, matched_by, card, card_at,
                     last_contact_time
                 ) values (
                     '{corp}', '{customer}', '{user}', 'contacted', now() - interval '1 day', '{id}', 'admin',
                     jsonb_build_object('nickname', '{customer}号'), now(), now() - interval '1 hour'
                 )"
            ))
            .await;
    }
}

/// An order that a staff member has; its number.
pub(crate) async fn order(app: &TestApp, staff: &str, customer_id: &str) -> i64 {
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into work_order (corpid, customer_id, description, state, staff_id)
             values ('{corp}', '{customer_id}', '漏水', 'assigned', '{staff}')"
        ))
        .await;
    app.db.count("select max(id) from work_order").await
}

/// The leaver with these customers leaves, as the directory says; the number of their handover.
pub(crate) async fn leaves(app: &TestApp, customers: &[&str]) -> i64 {
    bind(app, LEAVER.0, LEAVER.1).await;
    knows(app, LEAVER.1, customers).await;
    is_gone(app).await;
    app.db.count("select id from handover").await
}

/// The directory says that the leaver is gone.
pub(crate) async fn is_gone(app: &TestApp) {
    let gone = member(Utc::now().timestamp(), "delete_user", LEAVER.1, &[]);
    app.deliver(vec![Push::genuine(AppKind::Directory, gone)]).await;
    app.drain().await;
}

pub(crate) async fn put_plan(app: &TestApp, id: i64, query: &str, body: Value) -> Answer {
    app.ask("PUT", &format!("{BASE}/handovers/{id}/plan{query}"), Some(body)).await
}

/// Plans the whole handover, and expects that nothing stands against it.
pub(crate) async fn planned(app: &TestApp, id: i64, mut body: Value) -> Value {
    let shown = app.ask("GET", &format!("{BASE}/handovers/{id}"), None).await.json();
    body["version"] = shown["version"].clone();
    let answer = put_plan(app, id, "", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Does something with a handover.
pub(crate) async fn act(app: &TestApp, id: i64, what: &str, body: Value) -> Answer {
    app.ask("POST", &format!("{BASE}/handovers/{id}/{what}"), Some(body)).await
}

/// Posts under an idempotency key.
pub(crate) async fn post_once(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", app.token.expose_secret());
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let target = format!("{BASE}/{path}");
    request(app.app.admin, "POST", &target, &headers, body.to_string().as_bytes()).await.expect("an answer")
}

/// A token that is a staff member's own, as a header.
pub(crate) async fn own_token(app: &TestApp, staff: &str) -> String {
    let token = ApiToken::new();
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let id = api_token::create(&mut conn, staff, wecomd::states::Role::Viewer, &token.hash, &token.prefix)
        .await
        .expect("a token");
    api_token::belong(&mut conn, id, &app.corp.corpid, staff).await.expect("it is theirs");
    format!("Bearer {}", token.secret.expose_secret())
}

/// Status and code of a refusal.
pub(crate) fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// Each item with its state and successor, in the order of their numbers.
pub(crate) async fn items(app: &TestApp) -> Vec<String> {
    app.db
        .texts(
            "select concat_ws(' ', kind, subject, nullif(round, 1)::text, state, successor_staff_id, successor_userid)
             from handover_item order by id",
        )
        .await
}

/// How the handover of that number stands.
pub(crate) async fn state(app: &TestApp, id: i64) -> String {
    app.db.texts(&format!("select state from handover where id = {id}")).await.concat()
}

/// A rule for everything.
pub(crate) fn all_to(staff: &str) -> Value {
    json!({ "successor": staff })
}
