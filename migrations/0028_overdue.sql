-- An item that WeCom took on and did not decide in time is overdue: no end, asked about once a day.
alter table handover_item
    drop constraint handover_item_state_check,
    add constraint handover_item_state_check check (
        state in (
            'open', 'planned', 'calling', 'waiting', 'overdue', 'done', 'refused', 'full', 'gone', 'failed', 'cancelled'
        )
    );
-- When WeCom was last asked about what is overdue.
alter table handover
    add column overdue_polled_at timestamptz;
-- Of how many handovers' items is asked daily; most companies have none.
create index handover_item_overdue on handover_item (handover_id) where state = 'overdue';

-- As before, and with what is overdue, which is under way as well.
create or replace view reporting.handover_outcomes as
select
    (it.detected_at at time zone 'Asia/Shanghai')::date as day, it.corpid, it.id as handover_id, it.wechat_userid,
    it.staff_id, it.cause, it.state, counted.kind, counted.items, counted.done, counted.refused, counted.full_up,
    counted.gone, counted.failed, counted.cancelled, counted.under_way, it.left_at, it.submitted_at, it.finished_at,
    counted.overdue
from handover it
cross join lateral (
    select
        last.kind,
        count(last.state) as items,
        count(*) filter (where last.state = 'done') as done,
        count(*) filter (where last.state = 'refused') as refused,
        count(*) filter (where last.state = 'full') as full_up,
        count(*) filter (where last.state = 'gone') as gone,
        count(*) filter (where last.state = 'failed') as failed,
        count(*) filter (where last.state = 'cancelled') as cancelled,
        count(*) filter (where last.state in ('open', 'planned', 'calling', 'waiting', 'overdue')) as under_way,
        count(*) filter (where last.state = 'overdue') as overdue
    -- A handover in which there is nothing has a row, too.
    from (select) nothing
    left join (
        select distinct on (item.kind, item.subject) item.kind, item.state
        from handover_item item
        where item.handover_id = it.id
        order by item.kind, item.subject, item.round desc
    ) last on true
    group by last.kind
) counted;
comment on column reporting.handover_outcomes.overdue is
    '企业微信超时未给出结果的数量(包含在 under_way 中) / what WeCom did not decide in time; counted in under_way, too';
comment on column reporting.handover_outcomes.under_way is '尚未结束的数量,包括超时的 / still to end, what is overdue included';
