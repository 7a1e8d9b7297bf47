//! `app_alert`: what WeCom warns an app of, and whether that is over.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{changes::Alert, ids::CorpId, states::AlertKind};

/// How long an alert that nothing ends is shown, in days: that WeCom's addresses changed, that uses expire, that a link
/// has nobody.
const SHOWN_D: i32 = 14;

/// The kinds that no callback ends.
const ENDLESS: [AlertKind; 3] = [AlertKind::AcquisitionLink, AlertKind::AcquisitionQuota, AlertKind::PlatformAddresses];

/// Folds these alerts into the table, by the same rule as [`Alert::absorb`].
pub async fn upsert(conn: &mut PgConnection, alerts: &BTreeMap<(CorpId, i32, AlertKind), Alert>) -> sqlx::Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = alerts.keys().map(|(corp, ..)| corp.0.clone()).collect();
    let apps: Vec<_> = alerts.keys().map(|(_, app, _)| *app).collect();
    let kinds: Vec<_> = alerts.keys().map(|(.., kind)| kind.as_str().to_owned()).collect();
    let rows = || alerts.values();
    let said_at: Vec<_> = rows().map(|it| it.said.as_ref().map(|it| it.at)).collect();
    let effect: Vec<_> = rows().map(|it| it.said.as_ref().and_then(|it| it.value.takes_effect_at)).collect();
    let detail: Vec<_> = rows().map(|it| it.said.as_ref().and_then(|it| it.value.detail.clone())).collect();
    let ended: Vec<_> = rows().map(|it| it.ended_at).collect();
    sqlx::query!(
        r#"
        insert into app_alert as own (corpid, app_id, kind, said_at, takes_effect_at, detail, ended_at)
        select * from unnest(
            $1::text[], $2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::timestamptz[]
        )
        on conflict on constraint app_alert_key do update set
            (takes_effect_at, detail) = (
                select it.takes_effect_at, it.detail
                from (values
                    (own.said_at, own.takes_effect_at, own.detail),
                    (excluded.said_at, excluded.takes_effect_at, excluded.detail)
                ) it (said_at, takes_effect_at, detail)
                order by it.said_at desc nulls last, it.takes_effect_at desc nulls last,
                    it.detail collate "C" desc nulls last
                limit 1
            ),
            said_at = greatest(excluded.said_at, own.said_at),
            ended_at = greatest(excluded.ended_at, own.ended_at)
        "#,
        &corps,
        &apps,
        &kinds,
        &said_at as _,
        &effect as _,
        &detail as _,
        &ended as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An alert that stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "AppAlert")]
pub struct AlertView {
    /// The corp.
    pub corpid: String,
    /// The app that was warned.
    pub app: String,
    /// What of.
    pub kind: AlertKind,
    /// When WeCom last warned.
    pub said_at: DateTime<Utc>,
    /// When what is announced takes effect.
    pub takes_effect_at: Option<DateTime<Utc>>,
    /// The link, or how much quota expires.
    pub detail: Option<String>,
}

/// Up to `limit` alerts that stand, latest first.
pub async fn standing(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<AlertView>> {
    let endless: Vec<_> = ENDLESS.iter().map(|it| it.as_str().to_owned()).collect();
    sqlx::query_as!(
        AlertView,
        r#"
        select
            alert.corpid, app.name as app, alert.kind as "kind: AlertKind", alert.said_at as "said_at!",
            alert.takes_effect_at, alert.detail
        from app_alert alert
        join enterprise_wechat_config app on app.id = alert.app_id
        where alert.said_at > coalesce(alert.ended_at, '-infinity')
            and (alert.kind <> all($1) or alert.said_at > now() - make_interval(days => $2))
        order by alert.said_at desc, alert.corpid, app.name, alert.kind
        limit $3
        "#,
        &endless,
        SHOWN_D,
        limit,
    )
    .fetch_all(conn)
    .await
}
