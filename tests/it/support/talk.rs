//! A customer who talks through every channel.

use super::{
    TestApp,
    leaver::BASE,
    scoped::{Names, knows},
};

/// Adds a record; `more` holds further columns and their values.
pub(crate) async fn said(app: &TestApp, minute: u32, sender: &str, content: &str, more: &[(&str, &str)]) {
    let corp = &app.corp.corpid;
    let columns: String = more.iter().map(|(name, _)| format!(", {name}")).collect();
    let values: String = more.iter().map(|(_, value)| format!(", '{value}'")).collect();
    app.db
        .execute(&format!(
            "insert into wechat_contact_record (
                 contact_time, id, corpid, sender, contact_type, content{columns}
             ) values (
                 timestamptz '2024-03-01 10:00+08' + interval '{minute} minutes', gen_random_uuid(), '{corp}',
                 '{sender}', 'text', '{content}'{values}
             )"
        ))
        .await;
}

/// The contents of a list of records, in its order.
pub(crate) async fn contents(app: &TestApp, bearer: Option<&str>, target: &str) -> Vec<String> {
    let target = format!("{BASE}/{target}");
    let answer = match bearer {
        Some(bearer) => app.ask_as(bearer, "GET", &target, None).await,
        None => app.ask("GET", &target, None).await,
    };
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    let items = answer.json()["items"].as_array().expect("items").clone();
    items.iter().map(|it| it["content"].as_str().expect("content").to_owned()).collect()
}

/// A customer who talks through every channel, and the member who knows them.
pub(crate) async fn talk(app: &TestApp) -> Names {
    let names = Names::of("aown");
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into staff_wechat_bind (corpid, staff_id, wechat_userid, bound_at)
             values ('{corp}', '{}', '{}', now() - interval '1 day')",
            names.staff, names.user
        ))
        .await;
    knows(app, &names, &names.external, Some(&names.customer), "aown").await;
    app.db
        .execute(&format!(
            "insert into group_chat (corpid, chat_id, card, card_at) values
                 ('{corp}', 'wrOurs', '{{\"name\": \"维修群\"}}', now()), ('{corp}', 'wrOther', '{{\"name\": \"别的群\"}}', now());
             insert into group_member (corpid, chat_id, person, kind, joined_at) values
                 ('{corp}', 'wrOurs', '{user}', 1, now() - interval '9 hours'),
                 ('{corp}', 'wrOurs', '{external}', 2, now() - interval '9 hours'),
                 ('{corp}', 'wrOther', '{external}', 2, now() - interval '9 hours')",
            user = names.user,
            external = names.external
        ))
        .await;
    let (external, user) = (names.external.as_str(), names.user.as_str());
    let theirs = ("external_userid", external);
    said(app, 1, external, "水管漏水了", &[theirs, ("source", "kf"), ("chat_id", "wkDesk"), ("media_id", "photo-kf")])
        .await;
    said(
        app,
        2,
        "servicer",
        "请问地址",
        &[theirs, ("source", "kf"), ("chat_id", "wkDesk"), ("wechat_userid", "servicer")],
    )
    .await;
    said(app, 3, "leaver", "明天到", &[theirs, ("source", "archive"), ("wechat_userid", "leaver")]).await;
    said(app, 4, external, "群里问一下", &[theirs, ("source", "archive"), ("chat_id", "wrOurs")]).await;
    said(app, 5, user, "群里回复", &[("source", "archive"), ("chat_id", "wrOurs"), ("wechat_userid", user)]).await;
    said(app, 6, external, "别的群里说", &[theirs, ("source", "archive"), ("chat_id", "wrOther")]).await;
    names
}
