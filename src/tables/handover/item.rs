//! `handover_item`: one customer, order or group of a handover, and its state.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::{CorpId, UserId};
use crate::states::{HandoverState, ItemKind, ItemState, TransferFlow};
use crate::tables::access::own::Own;

/// An item, as it stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "HandoverItem")]
pub struct Item {
    /// The item's number.
    pub id: i64,
    /// customer, order or group.
    pub kind: ItemKind,
    /// The external_userid, the order's number, or the chat_id.
    pub subject: String,
    /// 1, and one more each time it was planned anew after an end.
    pub round: i32,
    /// open, planned, calling, waiting, overdue, done, refused, full, gone, failed or cancelled.
    pub state: ItemState,
    /// Who shall have it, as WeCom names them.
    pub successor_userid: Option<String>,
    /// Who shall have it, as the business names them.
    pub successor_staff_id: Option<String>,
    /// How often WeCom was asked to move it.
    pub attempts: i32,
    /// What WeCom said.
    pub errcode: Option<i64>,
    /// That in words, or what a person said; while it is overdue, what WeCom said when it was last asked.
    pub reason: Option<String>,
    /// When WeCom will hand it over, or did.
    pub takeover_at: Option<DateTime<Utc>>,
    /// When WeCom first took it on.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

/// News about an item.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// The item.
    pub item: i64,
    /// WeCom's errcode; none keeps the last one.
    pub errcode: Option<i64>,
    /// The reason in words; none keeps the last one.
    pub reason: Option<String>,
    /// When WeCom will hand it over, or did.
    pub takeover_at: Option<DateTime<Utc>>,
}

/// How many items are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "HandoverItemCount")]
pub struct Counted {
    /// customer, order or group.
    pub kind: ItemKind,
    /// See `Item::state`.
    pub state: ItemState,
    /// How many.
    pub items: i64,
}

/// An item with its last call to WeCom.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The item's number.
    pub id: i64,
    /// The external_userid, the order's number, or the chat_id.
    pub subject: String,
    /// Who shall have it.
    pub successor_userid: UserId,
    /// How often WeCom was asked, this time not included.
    pub attempts: i32,
    /// in_service or resigned, of the last call; none if there was none.
    pub flow: Option<TransferFlow>,
    /// When WeCom first took it on.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When WeCom was last asked to move it.
    pub called_at: Option<DateTime<Utc>>,
    /// When WeCom will hand it over, as it announced since then.
    pub takeover_at: Option<DateTime<Utc>>,
    /// How far it is.
    pub state: ItemState,
    /// What WeCom said last.
    pub errcode: Option<i64>,
    /// Whether an earlier round with the same successor was refused, found them full, or was given up after WeCom had
    /// accepted it: then WeCom's old result cannot be told from a new one.
    pub again: bool,
}

/// Moves those of these items that are in one of the states `from` to the state `to`, and logs each. Returns the
/// moved items.
pub async fn transition(
    conn: &mut PgConnection,
    heard: &[Heard],
    from: &[ItemState],
    to: ItemState,
    actor: &str,
    cause: &str,
) -> sqlx::Result<Vec<i64>> {
    let ids: Vec<_> = heard.iter().map(|it| it.item).collect();
    let codes: Vec<_> = heard.iter().map(|it| it.errcode).collect();
    let reasons: Vec<_> = heard.iter().map(|it| it.reason.clone()).collect();
    let takeovers: Vec<_> = heard.iter().map(|it| it.takeover_at).collect();
    sqlx::query_scalar!(
        r#"
        with turned as (
            update handover_item item
            set state = $6,
                errcode = coalesce(heard.errcode, item.errcode),
                reason = coalesce(heard.reason, item.reason),
                takeover_at = coalesce(heard.takeover_at, item.takeover_at),
                submitted_at = case when $6 = 'waiting' then coalesce(item.submitted_at, now()) else item.submitted_at end,
                finished_at = case
                    when $6 in ('done', 'refused', 'full', 'gone', 'failed', 'cancelled') then clock_timestamp()
                end
            from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[])
                heard (item, errcode, reason, takeover_at)
            cross join lateral (select state from handover_item where id = heard.item offset 0) before
            where item.id = heard.item and item.state = any($5) and before.state <> $6
            returning item.id, item.handover_id, item.kind, item.subject, before.state as from_state
        ), logged as (
            insert into handover_log (handover_id, item_id, kind, subject, from_state, to_state, actor, cause)
            select handover_id, id, kind, subject, from_state, $6, $7, $8 from turned order by id
        )
        select id as "id!" from turned order by id
        "#,
        &ids,
        &codes as _,
        &reasons as _,
        &takeovers as _,
        from as _,
        to.as_str(),
        actor,
        cause,
    )
    .fetch_all(conn)
    .await
}

/// How many items of a handover are in each state; each subject's last round counts.
pub async fn counts(conn: &mut PgConnection, own: Option<&Own>, handover: i64) -> sqlx::Result<Vec<Counted>> {
    let (_, own_staff) = Own::parts(own);
    sqlx::query_as!(
        Counted,
        r#"
        select kind as "kind: ItemKind", state as "state: ItemState", count(*) as "items!"
        from (
            select distinct on (kind, subject) kind, state, successor_staff_id from handover_item
            where handover_id = $1
            order by kind, subject, round desc
        ) last
        where $2::text is null or successor_staff_id = $2
        group by kind, state
        order by kind, state
        "#,
        handover,
        own_staff,
    )
    .fetch_all(conn)
    .await
}

/// The inputs of a handover's own state besides its items: announced, submitted, cancelled.
#[derive(Debug, Clone)]
pub struct HandoverFlags {
    /// The state that is written.
    pub state: HandoverState,
    /// The successors were told of this plan.
    pub notified: bool,
    /// It was submitted.
    pub submitted: bool,
    /// It was cancelled, or the leaver is back.
    pub cancelled: bool,
}

/// See [`HandoverFlags`].
pub async fn standing(conn: &mut PgConnection, handover: i64) -> sqlx::Result<Option<HandoverFlags>> {
    sqlx::query_as!(
        HandoverFlags,
        r#"
        select state as "state: HandoverState", notified_at is not null as "notified!", submitted_at is not null as "submitted!",
            cancelled_at is not null as "cancelled!"
        from handover where id = $1
        "#,
        handover,
    )
    .fetch_optional(conn)
    .await
}

/// The planned items of a kind that belong to the first item's successor, without those in `but`.
pub async fn planned(
    conn: &mut PgConnection,
    handover: i64,
    kind: ItemKind,
    but: &[i64],
    limit: i64,
) -> sqlx::Result<Vec<Taken>> {
    sqlx::query_as!(
        Taken,
        r#"
        select
            item.id, item.subject, item.successor_userid as "successor_userid!: UserId", item.attempts,
            call.flow as "flow?: TransferFlow", item.submitted_at, call.attempted_at as "called_at?", item.takeover_at,
            item.state as "state: ItemState", item.errcode, false as "again!"
        from handover_item item
        left join handover_call call on call.id = item.call_id
        where item.handover_id = $1 and item.kind = $2 and item.state = 'planned' and item.id <> all($3)
            and item.successor_userid = (
                select successor_userid from handover_item first
                where first.handover_id = $1 and first.kind = $2 and first.state = 'planned' and first.id <> all($3)
                order by first.id
                limit 1
            )
        order by item.id
        limit $4
        "#,
        handover,
        kind.as_str(),
        but,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The items of a kind that WeCom has accepted.
pub async fn taken_on(
    conn: &mut PgConnection,
    handover: i64,
    kind: ItemKind,
    states: &[ItemState],
) -> sqlx::Result<Vec<Taken>> {
    sqlx::query_as!(
        Taken,
        r#"
        select
            item.id as "id!", item.subject as "subject!", item.successor_userid as "successor_userid!: UserId",
            item.attempts as "attempts!", call.flow as "flow?: TransferFlow", item.submitted_at,
            call.attempted_at as "called_at?", item.takeover_at, item.state as "state!: ItemState", item.errcode, false as "again!"
        from (select * from handover_item where handover_id = $1 and kind = $2 offset 0) item
        left join handover_call call on call.id = item.call_id
        where item.state = any($3)
        order by item.id
        "#,
        handover,
        kind.as_str(),
        states as _,
    )
    .fetch_all(conn)
    .await
}

/// The items of a kind that were submitted before `before` and whose answer is unknown.
pub async fn calling(
    conn: &mut PgConnection,
    handover: i64,
    kind: ItemKind,
    before: DateTime<Utc>,
) -> sqlx::Result<Vec<Taken>> {
    sqlx::query_as!(
        Taken,
        r#"
        select
            item.id as "id!", item.subject as "subject!", item.successor_userid as "successor_userid!: UserId",
            item.attempts as "attempts!", call.flow as "flow?: TransferFlow", item.submitted_at,
            call.attempted_at as "called_at?", item.takeover_at, item.state as "state!: ItemState", item.errcode,
            exists (
                select from handover_item earlier
                where earlier.handover_id = item.handover_id and earlier.kind = item.kind
                    and earlier.subject = item.subject and earlier.round < item.round
                    and earlier.successor_userid is not distinct from item.successor_userid
                    -- One that was overdue and given up may have come to an end at WeCom since.
                    and (
                        earlier.state in ('refused', 'full')
                        or earlier.state = 'failed' and earlier.submitted_at is not null
                    )
                offset 0
            ) as "again!"
        from (select * from handover_item where handover_id = $1 and kind = $2 offset 0) item
        join handover_call call on call.id = item.call_id
        where item.state = 'calling' and call.attempted_at < $3
        order by item.id
        "#,
        handover,
        kind.as_str(),
        before,
    )
    .fetch_all(conn)
    .await
}

/// Stores the takeover times that WeCom announces now.
pub async fn expect(conn: &mut PgConnection, heard: &[Heard]) -> sqlx::Result<()> {
    let ids: Vec<_> = heard.iter().map(|it| it.item).collect();
    let takeovers: Vec<_> = heard.iter().map(|it| it.takeover_at).collect();
    sqlx::query!(
        r#"
        update handover_item item set takeover_at = heard.takeover_at
        from unnest($1::bigint[], $2::timestamptz[]) heard (item, takeover_at)
        where item.id = heard.item and heard.takeover_at is not null
            and item.takeover_at is distinct from heard.takeover_at
        "#,
        &ids,
        &takeovers as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores WeCom's last answer about these overdue items.
pub async fn note(conn: &mut PgConnection, heard: &[Heard]) -> sqlx::Result<()> {
    let ids: Vec<_> = heard.iter().map(|it| it.item).collect();
    let reasons: Vec<_> = heard.iter().map(|it| it.reason.clone()).collect();
    sqlx::query!(
        r#"
        update handover_item item set reason = heard.reason
        from unnest($1::bigint[], $2::text[]) heard (item, reason)
        where item.id = heard.item and item.state = 'overdue' and heard.reason is not null
            and item.reason is distinct from heard.reason
        "#,
        &ids,
        &reasons as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The overdue items of these kinds; all of them, or only these subjects.
pub async fn overdue(
    conn: &mut PgConnection,
    handover: i64,
    kinds: &[ItemKind],
    subjects: Option<&[String]>,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select id from handover_item
        where handover_id = $1 and state = 'overdue' and kind = any($2) and ($3::text[] is null or subject = any($3))
        order by id
        "#,
        handover,
        kinds as _,
        subjects,
    )
    .fetch_all(conn)
    .await
}

/// The earliest announced takeover time of the waiting items.
pub async fn next_takeover(conn: &mut PgConnection, handover: i64) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"
        select min(takeover_at)
        from (select takeover_at, state from handover_item where handover_id = $1 offset 0) item
        where state = 'waiting'
        "#,
        handover,
    )
    .fetch_one(conn)
    .await
}

/// The items in these states, of any kind.
pub async fn in_states(conn: &mut PgConnection, handover: i64, states: &[ItemState]) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select id from handover_item where handover_id = $1 and state = any($2) order by id",
        handover,
        states as _,
    )
    .fetch_all(conn)
    .await
}

/// The waiting customers who, according to callbacks and cards, have come to their successor by a transfer since.
pub async fn taken_over(conn: &mut PgConnection, handover: i64) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select item.id as "id!"
        from handover
        cross join lateral (
            select * from handover_item where handover_id = handover.id and kind = 'customer' offset 0
        ) item
        join handover_call call on call.id = item.call_id
        cross join lateral (
            select contact.* from customer_wechat_contact contact
            where contact.corpid = handover.corpid and contact.external_userid = item.subject collate "default"
                and contact.wechat_userid is not distinct from item.successor_userid
            offset 0
        ) contact
        where handover.id = $1 and item.state in ('calling', 'waiting', 'overdue')
            and contact.status = 'contacted'
            and contact.status_at >= date_trunc('second', call.attempted_at)
            and contact.card_at >= call.attempted_at
            -- Assigned by the company.
            and contact.card->>'add_way' = '202'
        order by item.id
        "#,
        handover,
    )
    .fetch_all(conn)
    .await
}

/// A customer who came to their successor.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The customer.
    pub subject: String,
    /// The successor.
    pub successor_userid: UserId,
    /// When, as WeCom says.
    pub takeover_at: Option<DateTime<Utc>>,
    /// An app of the corp's.
    pub app_id: i32,
}

/// The customers among these items.
pub async fn moved(conn: &mut PgConnection, items: &[i64]) -> sqlx::Result<Vec<Moved>> {
    sqlx::query_as!(
        Moved,
        r#"
        select
            item.subject as "subject!", item.successor_userid as "successor_userid!: UserId", item.takeover_at,
            coalesce((
                select min(app.id) from enterprise_wechat_config app where app.corpid = handover.corpid
            ), 0) as "app_id!"
        from (select distinct it as id from unnest($1::bigint[]) it) named
        cross join lateral (select * from handover_item where handover_item.id = named.id offset 0) item
        join handover on handover.id = item.handover_id
        where item.kind = 'customer' and item.successor_userid is not null
        order by item.subject
        "#,
        items,
    )
    .fetch_all(conn)
    .await
}

/// The successor of an item, as the business names them.
pub async fn successor_staff(conn: &mut PgConnection, item: i64) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select successor_staff_id from handover_item where id = $1", item).fetch_one(conn).await
}

/// How many groups were given to a member since that time.
pub async fn submitted_since(
    conn: &mut PgConnection,
    corpid: &CorpId,
    successor: &UserId,
    since: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "groups!"
        from handover_item item
        join handover on handover.id = item.handover_id
        where handover.corpid = $1 and item.kind = 'group' and item.successor_userid = $2 and item.submitted_at >= $3
        "#,
        corpid.as_str(),
        successor.as_str(),
        since,
    )
    .fetch_one(conn)
    .await
}

/// How many items are overdue, or should be: WeCom accepted them and has not finished them this long after the
/// announced time, or after it accepted them.
pub async fn stuck(conn: &mut PgConnection, after: TimeDelta) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select
            (select count(*) from handover_item where state = 'overdue') + (
                select count(*) from handover_item
                where state in ('calling', 'waiting')
                    and coalesce(takeover_at, submitted_at) < now() - $1::bigint * interval '1 second'
            ) as "items!"
        "#,
        after.num_seconds(),
    )
    .fetch_one(conn)
    .await
}
