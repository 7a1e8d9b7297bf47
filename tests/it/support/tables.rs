//! What recording left behind, in a form that can be compared between corps and databases.

use sqlx::PgPool;

use super::database::texts;

/// What says when a delivery arrived: that it is there is compared, and not what it says.
const ARRIVALS: [&str; 3] = ["arrived_at", "heard_arrived_at", "met_arrived_at"];

/// Every table that callbacks change, without what is ours alone: numbers, the time of writing, and of arrival. What is
/// to be done within a day of now counts from an arrival, too: streams lie in the past.
pub(crate) async fn tables(pool: &PgPool, corpid: &str) -> Vec<String> {
    let arrivals: Vec<_> = ARRIVALS.iter().map(|it| format!("'{it}', to_jsonb(it)->>'{it}' is not null")).collect();
    let lately = |column: &str| {
        format!(
            "'{column}', case when (to_jsonb(it)->>'{column}')::timestamptz > now() - interval '1 day'
                then 'lately' else to_jsonb(it)->>'{column}' end"
        )
    };
    let more = format!("jsonb_build_object({}, {}, {})", arrivals.join(", "), lately("due_at"), lately("deadline"));
    let of_corp = |table: &str| {
        format!(
            "select '{table} ' || ((to_jsonb(it) - '{{corpid,id,app_id,created_at,detected_at}}'::text[]) || {more})::text
             from {table} it where corpid = '{corpid}'"
        )
    };
    let queries = [
        of_corp("member"),
        of_corp("member_alias"),
        of_corp("staff_wechat_bind"),
        of_corp("customer_wechat_contact"),
        of_corp("customer_activity"),
        of_corp("wechat_contact_record"),
        of_corp("task"),
        of_corp("handover"),
        of_corp("contact_way_scan"),
        of_corp("group_chat"),
        of_corp("group_member"),
        of_corp("approval"),
        of_corp("app_alert"),
        // Its id is WeCom's number.
        format!(
            "select 'department ' || (to_jsonb(it) - 'corpid')::text from department it where corpid = '{corpid}'"
        ),
        format!(
            "select 'customer_owner ' || (to_jsonb(it) - 'corpid')::text from customer_owner it where corpid = '{corpid}'"
        ),
        of_corp("kf_customer"),
        of_corp("kf_session"),
        format!(
            "select 'kf_account ' || open_kfid || ' ' || coalesce(managed::text, '-') || ' ' || coalesce(managed_at::text, '-')
             from kf_account where corpid = '{corpid}'"
        ),
        format!("select 'recall ' || revoked_at || ' ' || by_whom from message_revocation where corpid = '{corpid}'"),
        of_corp("archive_consent"),
        format!(
            "select 'contact_way ' || state || ' ' || coalesce(used_by, '-') || ' ' || coalesce(used_at::text, '-') from contact_way
             where corpid = '{corpid}'"
        ),
        format!(
            "select 'customer_match ' || external_userid || ' ' || matched_by || ' ' || candidates::text from customer_match
             where corpid = '{corpid}'"
        ),
        format!(
            "select 'handover_item ' || wechat_userid || ' ' || item.kind || ' ' || item.subject || ' ' || item.state from handover_item item
             join handover on handover.id = handover_id where corpid = '{corpid}'"
        ),
        format!(
            "select 'ignored ' || ignored.name || ' ' || count(*) from ignored join enterprise_wechat_config app on app.id = app_id
             where corpid = '{corpid}' group by ignored.name"
        ),
        format!(
            "select 'parked ' || reason from parked join enterprise_wechat_config app on app.id = app_id where corpid = '{corpid}'"
        ),
    ];
    let mut rows = Vec::new();
    for query in queries {
        rows.extend(texts(pool, &query).await);
    }
    rows.sort();
    rows
}

/// Fails with the rows that only one side has.
pub(crate) fn assert_same(found: &[String], expected: &[String], story: &str) {
    let only =
        |these: &[String], those: &[String]| these.iter().filter(|it| !those.contains(it)).cloned().collect::<Vec<_>>();
    assert!(
        found == expected,
        "{story}: found only\n{:#?}\nexpected only\n{:#?}",
        only(found, expected),
        only(expected, found)
    );
}
