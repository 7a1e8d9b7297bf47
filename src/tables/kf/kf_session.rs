//! `kf_session`: the sessions of 微信客服. State and servicer are one register, scene and parameter another.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    changes::KfSession,
    ids::{CorpId, KfSessionKey, UserId},
    states::KfState,
};

/// A session as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStanding {
    /// The state.
    pub state: KfState,
    /// Who has it, or had it last, as the event spelled them.
    pub servicer: Option<UserId>,
    /// Since when.
    pub state_at: DateTime<Utc>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// Adds the batch's sessions; the greater (time, value) wins.
pub async fn upsert(
    conn: &mut PgConnection,
    sessions: &BTreeMap<(CorpId, KfSessionKey), KfSession>,
) -> sqlx::Result<()> {
    if sessions.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = sessions.keys().map(|(corp, _)| corp.0.clone()).collect();
    let accounts: Vec<_> = sessions.keys().map(|(_, key)| key.open_kfid.clone()).collect();
    let customers: Vec<_> = sessions.keys().map(|(_, key)| key.customer.0.clone()).collect();
    let rows = || sessions.values();
    let states: Vec<_> = rows().map(|it| it.state.value.0.number()).collect();
    let servicers: Vec<_> = rows().map(|it| it.state.value.1.as_ref().map(|it| it.0.clone())).collect();
    let state_at: Vec<_> = rows().map(|it| it.state.at).collect();
    let entered = || rows().map(|it| it.entered.as_ref());
    let scenes: Vec<_> = entered().map(|it| it.and_then(|it| it.value.0.clone())).collect();
    let params: Vec<_> = entered().map(|it| it.and_then(|it| it.value.1.clone())).collect();
    let entered_at: Vec<_> = entered().map(|it| it.map(|it| it.at)).collect();
    sqlx::query!(
        r#"
        insert into kf_session as own (
            corpid, open_kfid, external_userid, state, servicer_userid, state_at, scene, scene_param, entered_at
        )
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
            $9::timestamptz[]
        )
        on conflict on constraint kf_session_key do update set
            (state, servicer_userid, state_at) = (
                select case when won then excluded.state else own.state end,
                    case when won then excluded.servicer_userid else own.servicer_userid end,
                    greatest(own.state_at, excluded.state_at)
                from (
                    select (excluded.state_at, excluded.state, coalesce(excluded.servicer_userid, ''))
                        > (own.state_at, own.state, coalesce(own.servicer_userid, '')) as won
                ) register
            ),
            (scene, scene_param, entered_at) = (
                select case when won then excluded.scene else own.scene end,
                    case when won then excluded.scene_param else own.scene_param end,
                    greatest(own.entered_at, excluded.entered_at)
                from (
                    select excluded.entered_at is not null and (own.entered_at is null
                        or (excluded.entered_at, coalesce(excluded.scene, ''), coalesce(excluded.scene_param, ''))
                            > (own.entered_at, coalesce(own.scene, ''), coalesce(own.scene_param, ''))) as won
                ) register
            )
        "#,
        &corps,
        &accounts,
        &customers,
        &states,
        &servicers as _,
        &state_at,
        &scenes as _,
        &params as _,
        &entered_at as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A session.
pub async fn find(
    conn: &mut PgConnection,
    corpid: &CorpId,
    key: &KfSessionKey,
) -> sqlx::Result<Option<SessionStanding>> {
    sqlx::query_as!(
        SessionStanding,
        r#"
        select state as "state: KfState", servicer_userid as "servicer: UserId", state_at, now() as "now!"
        from kf_session
        where corpid = $1 and open_kfid = $2 and external_userid = $3
        "#,
        corpid.as_str(),
        key.open_kfid,
        key.customer.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// The servicer whose record in this conversation is the latest, under their current userid.
pub async fn last_servicer(
    conn: &mut PgConnection,
    corpid: &CorpId,
    key: &KfSessionKey,
) -> sqlx::Result<Option<UserId>> {
    let found = sqlx::query_scalar!(
        r#"
        select wechat_userid as "wechat_userid: UserId" from wechat_contact_record
        where corpid = $1 and chat_id = $2 and external_userid = $3 and wechat_userid is not null
        order by contact_time desc, id
        limit 1
        "#,
        corpid.as_str(),
        key.open_kfid,
        key.customer.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}
