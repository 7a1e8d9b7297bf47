-- Deliveries that were committed together wait together: one row of pending_group instead of one of pending for each.
-- A row and an index entry for every delivery cost a third of accepting it, and as much again to take it out.
--
-- pending keeps what waits alone: a delivery that was committed alone, one that was postponed or replayed, and those of a
-- group that was split. Processes of an earlier version know pending alone, and go on with it until they are restarted.

create table pending_group (
    due_at    timestamptz not null default now(),
    seq       bigint generated always as identity,
    -- How many deliveries it holds: the length of the arrays.
    size      integer not null,
    -- The first and the last event time in it, both of one UTC day.
    earliest  timestamptz not null,
    latest    timestamptz not null,
    event_ats timestamptz[] not null,
    app_ids   integer[] not null,
    hashes    bytea[] not null,
    constraint pending_group_key primary key (due_at, seq)
) with (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 20000,
    toast.autovacuum_vacuum_cost_delay = 0
);
-- Hashes do not compress, and trying costs more than the rest would save.
alter table pending_group
    alter column event_ats set storage external,
    alter column app_ids set storage external,
    alter column hashes set storage external;

-- Everything that waits, one row for each delivery. It reads all groups: use their first and last event times to look up
-- a single delivery.
create view pending_delivery as
    select event_at, app_id, hash, attempts, due_at from pending
    union all
    select it.event_at, it.app_id, it.hash, 0::smallint, pending_group.due_at
    from pending_group
    cross join lateral unnest(event_ats, app_ids, hashes) it (event_at, app_id, hash);

-- Takes deliveries that are due out of pending and pending_group until there are at_most of them, or more if the last
-- group is larger, of up to days_max different days. While groups wait, those that wait alone get half of the places, so
-- that neither holds up the other.
create function take_pending(since timestamptz, at_most bigint, days_max bigint)
returns table (
    due_at timestamptz, seq bigint, in_group boolean, day timestamptz, attempts smallint, event_ats timestamptz[],
    app_ids integer[], hashes bytea[]
)
language plpgsql
as $$
declare
    groups cursor for
        select it.due_at, it.seq, it.size, date_bin('1 day', it.earliest, 'epoch') as day, it.event_ats, it.app_ids, it.hashes
        from pending_group it
        where it.due_at >= since and it.due_at <= now()
        order by it.due_at, it.seq
        for update skip locked;
    found_group record;
    days timestamptz[];
    total bigint := 0;
    waiting boolean := exists (select from pending_group it where it.due_at >= since and it.due_at <= now());
begin
    for due_at, seq, in_group, day, attempts, event_ats, app_ids, hashes in
        with due as materialized (
            select it.ctid as place, it.due_at, it.seq, date_bin('1 day', it.event_at, 'epoch') as day
            from pending it
            where it.due_at >= since and it.due_at <= now()
            order by it.due_at, it.seq
            limit case when waiting then greatest(at_most / 2, 1) else at_most end
            for update skip locked
        ),
        -- The first of a day too many: it and what is due after it wait for the next claim.
        beyond as materialized (
            select it.due_at, it.seq
            from (select distinct on (due.day) due.day, due.due_at, due.seq from due order by due.day, due.due_at, due.seq) it
            order by it.due_at, it.seq
            offset days_max
            limit 1
        )
        delete from pending it
        where it.ctid = any(array(
            select place from due
            where not exists (select from beyond)
                or (due.due_at, due.seq) < (select beyond.due_at, beyond.seq from beyond)
        ))
        returning it.due_at, it.seq, false, date_bin('1 day', it.event_at, 'epoch'), it.attempts, array[it.event_at],
            array[it.app_id], array[it.hash]
    loop
        total := total + 1;
        if days is null or day <> all(days) then
            days := days || day;
        end if;
        return next;
    end loop;

    if waiting and total < at_most then
        open groups;
        loop
            -- One at a time: what is not taken must not be locked.
            fetch groups into found_group;
            exit when not found;
            if days is null or found_group.day <> all(days) then
                exit when cardinality(days) >= days_max;
                days := days || found_group.day;
            end if;
            delete from pending_group where current of groups;
            due_at := found_group.due_at;
            seq := found_group.seq;
            in_group := true;
            day := found_group.day;
            attempts := 0;
            event_ats := found_group.event_ats;
            app_ids := found_group.app_ids;
            hashes := found_group.hashes;
            return next;
            total := total + found_group.size;
            exit when total >= at_most;
        end loop;
        close groups;
    end if;
end
$$;

-- The same, with what WeCom said. Each day is asked for by its bounds under a plan of its own: PostgreSQL then locks that
-- day's partition alone. A plan for any day would lock all of them.
create function claim_pending(since timestamptz, at_most bigint, days_max bigint)
returns table (
    due_at timestamptz, seq bigint, in_group boolean, event_at timestamptz, app_id integer, hash bytea, attempts smallint,
    received_at timestamptz, plaintext bytea
)
language plpgsql
set plan_cache_mode = force_custom_plan
as $$
declare
    taken record;
    next_day timestamptz;
begin
    for taken in
        select it.day, array_agg(it) as rows from take_pending(since, at_most, days_max) it group by it.day
    loop
        -- Computed here: an expression on the session's time zone would be no constant to the planner.
        next_day := taken.day + interval '24 hours';
        return query
        select it.due_at, it.seq, it.in_group, one.event_at, one.app_id, one.hash, it.attempts, delivery.received_at,
            delivery.plaintext
        from unnest(taken.rows) it (
            due_at timestamptz, seq bigint, in_group boolean, day timestamptz, attempts smallint, event_ats timestamptz[],
            app_ids integer[], hashes bytea[]
        )
        cross join lateral unnest(it.event_ats, it.app_ids, it.hashes) one (event_at, app_id, hash)
        cross join lateral (
            select inbox.received_at, inbox.plaintext from inbox
            where inbox.event_at = one.event_at and inbox.hash = one.hash and inbox.app_id = one.app_id
                and inbox.event_at >= taken.day and inbox.event_at < next_day
            offset 0
        ) delivery;
    end loop;
end
$$;

comment on table pending_group is 'Deliveries that were committed together and are still to be recorded. | 一起提交、等待记录的一组回调。';
comment on column pending_group.due_at is 'When they are to be recorded. | 应当记录的时间。';
comment on column pending_group.seq is 'Order among groups that are due at the same time. | 同一时间到期的先后次序。';
comment on column pending_group.size is 'How many deliveries the group has. | 该组的回调条数。';
comment on column pending_group.earliest is 'The first event time in the group. | 组内最早的事件时间。';
comment on column pending_group.latest is 'The last event time in the group, on the same UTC day. | 组内最晚的事件时间(同一 UTC 日)。';
comment on column pending_group.event_ats is 'The event times of the deliveries (inbox.event_at). | 各条回调的事件时间(inbox.event_at)。';
comment on column pending_group.app_ids is 'The apps of the deliveries (enterprise_wechat_config.id). | 各条回调的应用(enterprise_wechat_config.id)。';
comment on column pending_group.hashes is 'The SHA-256 of the deliveries (inbox.hash). | 各条回调的 SHA-256(inbox.hash)。';
comment on table pending is 'A delivery that is still to be recorded and waits alone. | 单独等待记录的一条回调。';
comment on view pending_delivery is 'Every delivery that is still to be recorded, alone or in a group. | 所有等待记录的回调(单独的和成组的)。';
comment on column pending_delivery.event_at is 'Event time of the delivery (inbox.event_at). | 回调的事件时间(inbox.event_at)。';
comment on column pending_delivery.app_id is 'The app (enterprise_wechat_config.id). | 应用(enterprise_wechat_config.id)。';
comment on column pending_delivery.hash is 'SHA-256 of the delivery (inbox.hash). | 回调的 SHA-256(inbox.hash)。';
comment on column pending_delivery.attempts is 'How often recording was tried. | 尝试记录的次数。';
comment on column pending_delivery.due_at is 'When it is to be recorded. | 应当记录的时间。';
