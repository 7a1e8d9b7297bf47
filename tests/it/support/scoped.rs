//! Two staff members of one company, each with something of everything that the admin API shows, and tokens that see
//! one's own alone. What is one's holds a word that nothing else holds.

use bytes::Bytes;
use chrono::Utc;
use secrecy::ExposeSecret;
use serde_json::json;
use wecomd::{
    admin::door::auth::Role,
    ids::StaffId,
    media::Name,
    tables::{
        access::{api_token, own::Own},
        records::media::{self, Fetched},
    },
    vault::ApiToken,
};

use super::{TestApp, leaver::BASE};

/// What the names of somebody's things are.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) staff: String,
    pub(crate) user: String,
    pub(crate) customer: String,
    pub(crate) external: String,
    pub(crate) order: i64,
    pub(crate) way: String,
    pub(crate) media: String,
    pub(crate) handover: i64,
}

impl Names {
    /// Names with that word, and no numbers yet.
    pub(crate) fn of(word: &str) -> Self {
        Self {
            staff: format!("S-{word}"),
            user: format!("u-{word}"),
            customer: format!("C-{word}"),
            external: format!("wm-{word}"),
            order: 999_999,
            way: format!("way-{word}"),
            media: format!("media-{word}"),
            handover: 999_999,
        }
    }

    pub(crate) fn own(&self, app: &TestApp) -> Own {
        Own { corpid: app.corp.corpid.clone(), staff_id: StaffId(self.staff.clone()) }
    }
}

/// A staff member with a customer, an order, a code, records, a photo, a match, a stranger, and a handover to come.
pub(crate) async fn settle(app: &TestApp, word: &str) -> Names {
    let names = Names::of(word);
    let Names { staff, user, customer, external, way, .. } = &names;
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into staff_wechat_bind (corpid, staff_id, wechat_userid, wechat_name, bound_at)
             values ('{corp}', '{staff}', '{user}', 'name-{word}', now() - interval '1 day')"
        ))
        .await;
    knows(app, &names, external, Some(customer), word).await;
    knows(app, &names, &format!("wm-stranger-{word}"), None, word).await;
    let order = app
        .db
        .count(&format!(
            "with made as (
                 insert into work_order (
                     corpid, customer_id, customer_name, phone, address, description, source, state, staff_id, assigned_at
                 ) values (
                     '{corp}', '{customer}', 'name-{word}', 'phone-{word}', 'street-{word}', 'wish-{word}', 'from-{word}',
                     'assigned', '{staff}', now()
                 ) returning id
             ),
             told as (
                 insert into work_order_change (work_order_id, to_state, to_staff_id, who, note)
                 select id, 'assigned', '{staff}', 'boss', 'note-{word}' from made
             )
             select id from made"
        ))
        .await;
    app.db
        .execute(&format!(
            "insert into contact_way (
                 corpid, state, customer_id, staff_id, wechat_userid, config_id, qr_code, made_at, expires_at
             ) values (
                 '{corp}', '{way}', '{customer}', '{staff}', '{user}', 'config-{word}', 'https://wework.example/{word}',
                 now(), now() + interval '30 days'
             )"
        ))
        .await;
    app.db
        .execute(&format!(
            "insert into customer_match (corpid, external_userid, matched_by, candidates)
             values ('{corp}', 'wm-stranger-{word}', 'mobile', array['{customer}', 'C-other-{word}'])"
        ))
        .await;
    app.db
        .execute(&format!(
            "insert into group_chat (corpid, chat_id, made_at, card, card_at) values ('{corp}', 'wr-{word}', now(),
                 jsonb_build_object('name', 'group-{word}', 'owner', '{user}', 'notice', 'notice-{word}'), now());
             insert into group_member (corpid, chat_id, person, kind, name, joined_at) values
                 ('{corp}', 'wr-{word}', '{user}', 1, 'name-{word}', now()),
                 ('{corp}', 'wr-{word}', '{external}', 2, 'nick-{word}', now())"
        ))
        .await;
    records(app, &names, word).await;
    app.db
        .execute(&format!(
            "insert into wechat_contact_record (
                 contact_time, id, corpid, external_userid, sender, contact_type, content, source, chat_id
             ) values (
                 now(), gen_random_uuid(), '{corp}', '{external}', '{external}', 'text', 'group-talk-{word}', 'archive',
                 'wr-{word}'
             )"
        ))
        .await;
    let handover = inherits(app, &format!("left-{word}"), &[(&names, word)]).await;
    Names { order, handover, ..names }
}

/// A contact with a remark.
pub(crate) async fn knows(app: &TestApp, names: &Names, external: &str, customer: Option<&str>, word: &str) {
    let (corp, user, staff) = (&app.corp.corpid, &names.user, &names.staff);
    let customer = customer.map_or("null, null".to_owned(), |it| format!("'{it}', 'admin'"));
    app.db
        .execute(&format!(
            "insert into customer_wechat_contact (
                 corpid, external_userid, wechat_userid, staff_id, status, status_at, customer_id, matched_by, card,
                 card_at, first_contact_time, last_contact_time
             ) values (
                 '{corp}', '{external}', '{user}', '{staff}', 'contacted', now() - interval '1 hour', {customer},
                 jsonb_build_object('nickname', 'nick-{word}', 'remark', 'remark-{word}'), now(),
                 now() - interval '1 hour', now() - interval '1 hour'
             )"
        ))
        .await;
}

/// A record by hand, and a message with a photo whose bytes are kept.
async fn records(app: &TestApp, names: &Names, word: &str) {
    let Names { staff, user, customer, external, media, .. } = names;
    let corp = &app.corp.corpid;
    // By hand, because this makes the month's partition, too.
    let body = json!({ "customer_id": customer, "staff_id": staff, "content": format!("call-{word}") });
    let made = app.ask("POST", &format!("{BASE}/contact-records"), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    app.db
        .execute(&format!(
            "insert into wechat_contact_record (
                 contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, content, media_id, source
             ) values (
                 now(), gen_random_uuid(), '{corp}', '{external}', '{user}', '{user}', 'image', 'photo-{word}', '{media}', 'app'
             )"
        ))
        .await;
    let bytes = Bytes::from(format!("bytes-{word}"));
    let name = Name::new(corp, Utc::now(), media);
    let kept = app.app.admin_half.media.complete(&name, 0, bytes).await.expect("it is kept");
    let file = Fetched {
        location: kept.location,
        content_type: "image/png".to_owned(),
        filename: Some(format!("{word}.png")),
        bytes: i64::try_from(kept.bytes).expect("few"),
        sha256: kept.sha256.to_vec(),
    };
    let mut conn = app.db.pool.acquire().await.expect("connects");
    media::keep(&mut conn, corp, media, &file).await.expect("it is noted");
}

/// Somebody left, and these shall have a customer each, who is named for their word; the handover's number.
pub(crate) async fn inherits(app: &TestApp, leaver: &str, heirs: &[(&Names, &str)]) -> i64 {
    let corp = &app.corp.corpid;
    let word = leaver.trim_start_matches("left-");
    let id = app
        .db
        .count(&format!(
            "insert into handover (corpid, wechat_userid, staff_id, state, cause, ordered_by, message, left_at)
             values ('{corp}', 'u-{leaver}', 'S-{leaver}', 'planned', 'left', 'boss', 'message-{word}', now())
             returning id"
        ))
        .await;
    for (heir, word) in heirs {
        let Names { staff, user, .. } = heir;
        app.db
            .execute(&format!(
                "insert into handover_item (
                     handover_id, kind, subject, state, successor_userid, successor_staff_id, reason
                 ) values ({id}, 'customer', 'wm-{id}-{word}', 'planned', '{user}', '{staff}', 'reason-{word}')"
            ))
            .await;
        app.db
            .execute(&format!(
                "insert into handover_successor (handover_id, wechat_userid, staff_id, note)
                 values ({id}, '{user}', '{staff}', 'note-{word}')"
            ))
            .await;
    }
    id
}

/// A token that sees the staff member's own alone, as a header.
pub(crate) async fn own_token(app: &TestApp, names: &Names, role: Role) -> String {
    let token = ApiToken::new();
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let id = api_token::create(&mut conn, "own", role, &token.hash, &token.prefix).await.expect("a token");
    let own = names.own(app);
    api_token::belong(&mut conn, id, &own.corpid, own.staff_id.as_str()).await.expect("it is theirs");
    api_token::limit_to_own(&mut conn, id).await.expect("and sees nothing else");
    format!("Bearer {}", token.secret.expose_secret())
}
