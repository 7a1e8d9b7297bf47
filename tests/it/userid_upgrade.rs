//! An upgrade merges rows that were duplicated because one userid was spelled in two ways.

use wecomd::tables::MIGRATOR;

use crate::support::TestDb;

/// The migration with which spellings of one userid became one person.
const SPELLINGS_CAME: i64 = 25;

/// A database of the version before: three members and their customers, twice each; the day in January says which is later.
const TWICE: &str = r#"
insert into member_alias (corpid, alias, wechat_userid, decided_at) values
    ('ww1', 'cai', 'dora', '2025-01-05Z'), ('ww1', 'dora', 'dora', '2025-01-05Z');
insert into member (corpid, wechat_userid, name, name_at, avatar, avatar_at, left_at, hinted_at) values
    ('ww1', 'Ann', '安', '2025-01-01Z', 'https://a', '2025-01-01Z', null, null),
    ('ww1', 'ann', '安娜', '2025-01-05Z', null, null, '2025-01-09Z', null),
    ('ww1', 'Bob', '鲍勃', '2025-01-01Z', null, null, null, null),
    ('ww1', 'bob', null, null, null, null, null, '2025-01-08Z'),
    ('ww1', 'Dora', '多拉', '2025-01-06Z', null, null, null, null),
    ('ww1', 'wm001', '李', '2025-01-06Z', null, null, null, null);
insert into staff_wechat_bind (corpid, staff_id, wechat_userid, wechat_name, status, unbound_reason, bound_at) values
    ('ww1', 'S1', 'Ann', '安', 'bound', null, '2025-01-02Z'), ('ww1', 'S2', 'ann', '安娜', 'bound', null, '2025-01-10Z'),
    ('ww1', 'S3', 'Bob', '鲍勃', 'bound', null, '2025-01-02Z'), ('ww1', 'S4', 'bob', '旧', 'unbound', 'admin', '2025-01-01Z');
insert into customer_wechat_contact (
    corpid, external_userid, wechat_userid, staff_id, status, status_at, state, state_at, first_contact_time,
    last_contact_time, card, card_at, customer_id, matched_by
) values
    ('ww1', 'wmX', 'Ann', 'S1', 'contacted', '2025-01-01Z', 'booth-1', '2025-01-01Z', '2025-01-01Z', '2025-01-03Z',
        '{"nickname": "旧名"}', '2025-01-03Z', 'C-9', 'unionid'),
    ('ww1', 'wmX', 'ann', 'S2', 'lost', '2025-01-06Z', 'booth-2', '2025-01-04Z', '2025-01-02Z', '2025-01-06Z',
        '{"nickname": "新名"}', '2025-01-05Z', 'C-1', 'admin'),
    ('ww1', 'wmY', 'bob', 'S4', 'contacted', '2025-01-02Z', null, null, '2025-01-02Z', '2025-01-02Z', null, null, null, null),
    ('ww1', 'wmZ', 'CAI', null, 'contacted', '2025-01-03Z', null, null, '2025-01-03Z', '2025-01-04Z', null, null, null, null);
insert into wechat_contact_record (
    contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, event, content, source
) values
    ('2025-01-01Z', gen_random_uuid(), 'ww1', null, 'Ann', 'Ann', 'text', null, 'a', 'app'),
    ('2025-01-01Z', gen_random_uuid(), 'ww1', 'wmX', 'Ann', 'sys', 'event', 'x', 'b', 'app'),
    ('2025-01-01Z', gen_random_uuid(), 'ww1', 'wm001', null, 'wm001', 'text', null, 'c', 'app'),
    ('2025-01-01Z', gen_random_uuid(), 'ww1', 'wm002', null, 'wm002', 'text', null, 'd', 'app');
insert into customer_activity values ('ww1', 'wm001', '2025-01-01Z'), ('ww1', 'wm002', '2025-01-01Z');
insert into handover (corpid, wechat_userid, state, cause, left_at) values
    ('ww1', 'ann', 'planned', 'left', '2025-01-09Z'), ('ww1', 'Ann', 'detected', 'left', '2025-01-08Z'),
    ('ww1', 'bob', 'done', 'left', '2025-01-01Z'), ('ww1', 'CAI', 'waiting', 'left', '2025-01-08Z');
insert into handover_item (handover_id, kind, subject, state, successor_userid) values
    (1, 'customer', 'wmX', 'planned', 'bob'), (2, 'customer', 'wmX', 'open', null), (2, 'customer', 'wmQ', 'open', null),
    (4, 'customer', 'wmZ', 'waiting', 'bob');
insert into handover_successor (handover_id, wechat_userid, notified_at, answered_at, accepted) values
    (1, 'Bob', '2025-01-01Z', null, null), (1, 'bob', '2025-01-01Z', '2025-01-02Z', true);
insert into resignation (corpid, staff_id, wechat_userid, last_day, state, requested_by) values
    ('ww1', 'S1', 'Ann', '2025-02-01', 'requested', 'x'), ('ww1', 'S2', 'ann', '2025-02-01', 'approved', 'x'),
    ('ww1', 'S3', 'bob', '2025-02-01', 'left', 'x');
insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, expires_at) values
    ('ww1', 'way_1', 'C-1', 'S1', 'Ann', '2025-02-01Z'), ('ww1', 'way_2', 'C-1', 'S2', 'ann', '2025-02-01Z'),
    ('ww1', 'way_3', 'C-1', 'S3', 'bob', '2025-02-01Z');
insert into console_user (corpid, wechat_userid, role, added_by, added_at) values
    ('ww1', 'Ann', 'viewer', 'x', '2025-01-01Z'), ('ww1', 'ann', 'operator', 'x', '2025-01-02Z'),
    ('ww1', 'bob', 'viewer', 'x', '2025-01-01Z');
insert into console_session (hash, corpid, wechat_userid, expires_at, address, user_agent) values
    ('\x01', 'ww1', 'Ann', '2025-02-01Z', '', ''), ('\x02', 'ww1', 'ann', '2025-02-01Z', '', '');
insert into task (corpid, kind, subject, app_id, priority, due_at, version, parked_at) values
    ('ww1', 'refresh_member', 'Ann', 1, 50, '2025-01-07Z', 2, null),
    ('ww1', 'refresh_member', 'ann', 1, 50, '2025-01-05Z', 3, '2025-01-06Z'),
    ('ww1', 'refresh_member', 'Bob', 1, 50, '2025-01-03Z', 1, null);
insert into welcome (corpid, code_hash, external_userid, wechat_userid, app_id, received_at) values
    ('ww1', '\x01', 'wmX', 'Ann', 1, '2025-01-01Z');
"#;

/// A database that was upgraded with that in it.
async fn upgraded() -> TestDb {
    let db = TestDb::empty().await;
    let migrate = async |wanted: std::ops::RangeInclusive<i64>| {
        for migration in MIGRATOR.iter().filter(|it| wanted.contains(&it.version)) {
            db.execute(migration.sql.as_str()).await;
        }
    };
    migrate(1..=SPELLINGS_CAME - 1).await;
    db.execute(TWICE).await;
    migrate(SPELLINGS_CAME..=i64::MAX).await;
    db
}

#[tokio::test]
async fn rows_duplicated_before_the_upgrade_are_merged() {
    let db = upgraded().await;
    let shown = async |query: &str| db.texts(query).await;

    let aliases =
        "select concat_ws(' ', alias, wechat_userid, to_char(decided_at at time zone 'UTC', 'DD')) from member_alias
        order by alias collate \"C\"";
    assert_eq!(
        shown(aliases).await,
        [
            "Ann ann",
            "Bob Bob",
            "CAI Dora 05",
            "Dora Dora 05",
            "ann ann",
            "bob Bob",
            "cai Dora 05",
            "dora Dora 05",
            "wm001 wm001"
        ]
    );
    let members =
        "select concat_ws(' ', wechat_userid, name, avatar, to_char(left_at at time zone 'UTC', 'DD')) from member
        order by 1";
    assert_eq!(shown(members).await, ["Bob 鲍勃", "Dora 多拉", "ann 安娜 https://a 09", "wm001 李"]);
    let contacts = "select concat_ws(' ', external_userid, wechat_userid, staff_id, status, state, card->>'nickname', customer_id,
            matched_by, to_char(first_contact_time at time zone 'UTC', 'DD'), to_char(last_contact_time at time zone 'UTC', 'DD'))
        from customer_wechat_contact order by 1";
    assert_eq!(
        shown(contacts).await,
        ["wmX ann S2 lost booth-2 新名 C-1 admin 01 06", "wmY Bob S3 contacted 02 02", "wmZ Dora contacted 03 04",]
    );
    let records = "select concat_ws(' ', coalesce(external_userid, '-'), wechat_userid, sender, content) from wechat_contact_record
        order by content";
    assert_eq!(shown(records).await, ["- ann ann a", "wmX ann sys b", "- wm001 wm001 c", "wm002 wm002 d"]);
    assert_eq!(shown("select external_userid from customer_activity").await, ["wm002"]);
    let bindings =
        "select concat_ws(' ', staff_id, wechat_userid, status, unbound_reason, wechat_name) from staff_wechat_bind
        order by 1";
    assert_eq!(
        shown(bindings).await,
        ["S1 ann unbound left 安娜", "S2 ann bound 安娜", "S3 Bob bound 鲍勃", "S4 Bob unbound admin 旧"]
    );
    db.close().await;
}

#[tokio::test]
async fn handovers_and_resignations_started_twice_are_merged_by_the_upgrade() {
    let db = upgraded().await;
    let shown = async |query: &str| db.texts(query).await;
    let handovers = "select concat_ws(' ', id, wechat_userid, state) from handover order by id";
    assert_eq!(shown(handovers).await, ["1 ann planned", "2 ann done", "3 Bob done", "4 Dora waiting"]);
    let items =
        "select concat_ws(' ', handover_id, kind, subject, state, successor_userid) from handover_item order by id";
    assert_eq!(
        shown(items).await,
        ["1 customer wmX planned Bob", "2 customer wmX cancelled", "1 customer wmQ open", "4 customer wmZ waiting Bob"]
    );
    let successors = "select concat_ws(' ', handover_id, wechat_userid, accepted) from handover_successor order by 1";
    assert_eq!(shown(successors).await, ["1 Bob t"]);
    let resignations = "select concat_ws(' ', id, wechat_userid, state) from resignation order by id";
    assert_eq!(shown(resignations).await, ["1 ann cancelled", "2 ann approved", "3 Bob left"]);
    let ways = "select concat_ws(' ', state, wechat_userid, ended_at is null, delete_due_at is null) from contact_way order by id";
    assert_eq!(shown(ways).await, ["way_1 ann f f", "way_2 ann t t", "way_3 Bob t t"]);
    let users = "select concat_ws(' ', wechat_userid, role) from console_user order by 1";
    assert_eq!(shown(users).await, ["Bob viewer", "ann operator"]);
    assert_eq!(shown("select distinct wechat_userid from console_session").await, ["ann"]);
    let tasks =
        "select concat_ws(' ', subject, version, to_char(due_at at time zone 'UTC', 'DD'), parked_at is null) from task
        order by 1";
    assert_eq!(shown(tasks).await, ["ann 5 07 t", "bob 1 03 t"]);
    assert_eq!(shown("select wechat_userid from welcome").await, ["ann"]);
    db.close().await;
}
