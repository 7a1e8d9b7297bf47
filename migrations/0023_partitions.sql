-- Partitions are made ahead, away from whoever accepts; a statement locks only the days it names; and what retention
-- dropped stays dropped.

-- Days of the inbox that retention dropped whole.
create table inbox_dropped_day (
    day        date not null,
    dropped_at timestamptz not null default now(),
    constraint inbox_dropped_day_key primary key (day)
);

-- Keeps nothing of a day that was dropped: a captured callback would otherwise be recorded anew. Deliveries of a week are
-- kept whatever the list says, so that a clock that was wrong for a while cannot empty today.
create function skip_dropped_day() returns trigger language plpgsql as $$
declare
    own date := (new.event_at at time zone 'UTC')::date;
begin
    if own < (now() at time zone 'UTC')::date - 7 and exists (select from inbox_dropped_day where day = own) then
        return null;
    end if;
    return new;
end
$$;
-- A day that has a partition was not dropped, so only what has none is looked at.
create trigger inbox_dropped_day before insert on inbox_elsewhen for each row execute function skip_dropped_day();

-- Takes deliveries that are due out of pending, up to at_most of up to days_max different days, and returns them with
-- what WeCom said. Each day is asked for by its bounds under a plan of its own: PostgreSQL then locks that day's
-- partition alone. A plan for any day would lock all of them.
create function claim_deliveries(since timestamptz, at_most bigint, days_max bigint)
returns table (
    due_at timestamptz, seq bigint, event_at timestamptz, app_id integer, hash bytea, attempts smallint, received_at timestamptz,
    plaintext bytea
)
language plpgsql
set plan_cache_mode = force_custom_plan
as $$
declare
    taken pending[];
    day timestamptz;
    next_day timestamptz;
begin
    with due as materialized (
        select it.ctid as place, it.due_at, it.seq, date_trunc('day', it.event_at, 'UTC') as day
        from pending it
        where it.due_at >= since and it.due_at <= now()
        order by it.due_at, it.seq
        limit at_most
        for update skip locked
    ),
    -- The first of a day too many: it and what is due after it wait for the next claim.
    beyond as materialized (
        select it.due_at, it.seq
        from (select distinct on (due.day) due.day, due.due_at, due.seq from due order by due.day, due.due_at, due.seq) it
        order by it.due_at, it.seq
        offset days_max
        limit 1
    ),
    gone as (
        delete from pending
        where ctid = any(array(
            select place from due
            where not exists (select from beyond)
                or (due.due_at, due.seq) < (select beyond.due_at, beyond.seq from beyond)
        ))
        returning pending as it
    )
    select array_agg(it) into taken from gone;

    for day in select distinct date_trunc('day', it.event_at, 'UTC') from unnest(taken) it loop
        -- Computed here: an expression on the session's time zone would be no constant to the planner.
        next_day := day + interval '24 hours';
        return query
        select it.due_at, it.seq, it.event_at, it.app_id, it.hash, it.attempts, delivery.received_at, delivery.plaintext
        from unnest(taken) it
        cross join lateral (
            select inbox.received_at, inbox.plaintext from inbox
            where inbox.event_at = it.event_at and inbox.hash = it.hash and inbox.app_id = it.app_id
                and inbox.event_at >= day and inbox.event_at < next_day
            offset 0
        ) delivery
        where it.event_at >= day and it.event_at < next_day;
    end loop;
end
$$;

-- Empties deliveries, day by day, for the same reason; returns how many were not empty yet.
create function empty_deliveries(times timestamptz[], apps integer[], hashes bytea[]) returns bigint
language plpgsql
set plan_cache_mode = force_custom_plan
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    day timestamptz;
    next_day timestamptz;
    emptied bigint;
    total bigint := 0;
begin
    for day in select distinct date_trunc('day', at, 'UTC') from unnest(times) at order by 1 loop
        next_day := day + interval '24 hours';
        update inbox set plaintext = ''
        from unnest(times, apps, hashes) it (event_at, app_id, hash)
        where inbox.event_at >= day and inbox.event_at < next_day and it.event_at >= day and it.event_at < next_day
            and inbox.event_at = it.event_at and inbox.app_id = it.app_id and inbox.hash = it.hash
            and inbox.plaintext <> '';
        get diagnostics emptied = row_count;
        total := total + emptied;
    end loop;
    return total;
end
$$;

-- The column that a table is partitioned by.
create function partition_column(parent text) returns text language sql stable as $$
    select attname::text from pg_partitioned_table join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
    where partrelid = to_regclass(quote_ident(parent))
$$;

-- A table like the parent that can only hold this time: attaching it then asks no row.
create function make_standalone(parent text, name text, lower timestamptz, upper timestamptz) returns void
language plpgsql as $$
begin
    execute format('create table %I (like %I including all)', name, parent);
    execute format(
        'alter table %1$I add constraint own_time check (%2$I is not null and %2$I >= %3$L and %2$I < %4$L)',
        name, partition_column(parent), lower, upper
    );
end
$$;

-- Makes a partition. What is in the default partition of that time moves into it, if it is no more than rows_max rows:
-- made, there (it was before), or many. Attaching leaves readers and writers of other partitions alone; making it in
-- place would not.
create function make_partition(parent text, name text, lower timestamptz, upper timestamptz, rows_max bigint)
returns text language plpgsql as $$
declare
    elsewhen text := parent || '_elsewhen';
    at_column text := partition_column(parent);
    many boolean;
begin
    perform pg_advisory_xact_lock(2003005556, hashtext(parent));
    if to_regclass(quote_ident(name)) is not null then
        return 'there';
    end if;
    execute format('lock table only %I in share update exclusive mode', parent);
    execute format('lock table only %I in access exclusive mode', elsewhen);
    execute format('select exists (select from %1$I where %2$I >= $1 and %2$I < $2 offset $3)', elsewhen, at_column)
        into many using lower, upper, rows_max;
    if many then
        return 'many';
    end if;
    perform make_standalone(parent, name, lower, upper);
    execute format(
        'with moved as (delete from %1$I where %3$I >= $1 and %3$I < $2 returning *) insert into %2$I select * from moved',
        elsewhen, name, at_column
    ) using lower, upper;
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, lower, upper);
    execute format('alter table %I drop constraint own_time', name);
    if parent = 'inbox' then
        delete from inbox_dropped_day where day = (lower at time zone 'UTC')::date;
    end if;
    return 'made';
end
$$;

-- A default partition that holds much is split: its rows are copied, bit by bit, into tables of their own, one for each
-- period and one for the rest, while a trigger keeps the copies alike. Then the copies take its place in one moment.
-- Until that moment everything is read and compared where it always was, so that a repeat meets its original.

-- Where a row of this time belongs while its default partition is split.
create function split_target(parent text, format text, at timestamptz) returns text language sql stable as $$
    select case when to_regclass(quote_ident(name)) is null then parent || '_elsewhen_next' else name end
    from (select parent || '_' || to_char(at at time zone 'UTC', format) as name) own
$$;

-- Keeps the copies alike. Arguments: the parent, the format of its partitions' names, its key.
create function mirror_split() returns trigger language plpgsql as $$
declare
    at timestamptz;
begin
    if tg_op <> 'INSERT' then
        execute format('select ($1).%I', partition_column(tg_argv[0])) into at using old;
        execute format(
            'delete from %I where (%s) = (select %2$s from (select ($1).*) it)',
            split_target(tg_argv[0], tg_argv[1], at), tg_argv[2]
        ) using old;
    end if;
    if tg_op <> 'DELETE' then
        execute format('select ($1).%I', partition_column(tg_argv[0])) into at using new;
        execute format(
            'insert into %I select ($1).* on conflict do nothing', split_target(tg_argv[0], tg_argv[1], at)
        ) using new;
    end if;
    return null;
end
$$;

-- Takes away what a split that did not come to its end has left.
create function abandon_split(parent text) returns void language plpgsql as $$
declare
    name text;
begin
    execute format('drop trigger if exists mirror_split on %I', parent || '_elsewhen');
    for name in
        select relname from pg_class
        where relnamespace = current_schema()::regnamespace and relkind = 'r' and not relispartition
            and relname ~ ('^' || parent || '_([0-9]{6}|[0-9]{8}|elsewhen_next)$')
            -- Not what somebody detached to keep it: that has no such constraint any more.
            and exists (select from pg_constraint where conrelid = pg_class.oid and conname = 'own_time')
    loop
        execute format('drop table %I', name);
    end loop;
end
$$;

-- Begins to split: for these periods and the rest. Returns how many blocks are to be copied.
create function begin_split(parent text, format text, names text[], lowers timestamptz[], uppers timestamptz[])
returns bigint language plpgsql as $$
declare
    elsewhen text := parent || '_elsewhen';
    rest text := parent || '_elsewhen_next';
    rest_condition text;
begin
    perform pg_advisory_xact_lock(2003005556, hashtext(parent));
    perform abandon_split(parent);
    execute format('lock table only %I in access exclusive mode', parent);
    execute format('lock table only %I in access exclusive mode', elsewhen);
    for i in 1 .. cardinality(names) loop
        perform make_standalone(parent, names[i], lowers[i], uppers[i]);
    end loop;
    execute format('create table %I (like %I including all)', rest, parent);
    -- What the rest must satisfy is what PostgreSQL asks of it when all is in its place: tried with empty tables.
    begin
        perform take_places(parent, names, lowers, uppers);
        rest_condition := pg_get_partition_constraintdef(rest::regclass);
        raise exception 'tried' using errcode = 'WC001';
    exception when sqlstate 'WC001' then
        null;
    end;
    execute format('alter table %I add constraint own_time check (%s)', rest, rest_condition);
    execute format(
        'create trigger mirror_split after insert or update or delete on %I for each row execute function mirror_split(%L, %L, %L)',
        elsewhen, parent, format, (
            select string_agg(quote_ident(attname), ', ' order by place)
            from pg_index, unnest(indkey) with ordinality key (number, place)
            join pg_attribute on attnum = number
            where indrelid = to_regclass(quote_ident(parent)) and indisprimary and attrelid = indrelid
        )
    );
    return pg_relation_size(elsewhen::regclass) / current_setting('block_size')::bigint;
end
$$;

-- Copies some blocks.
create function copy_split(parent text, names text[], lowers timestamptz[], uppers timestamptz[], first bigint, blocks bigint)
returns void language plpgsql as $$
declare
    at_column text := partition_column(parent);
begin
    for i in 1 .. cardinality(names) loop
        -- Locked, so that whoever changes or deletes a row meanwhile finds its copy.
        execute format(
            'insert into %I select * from %I where ctid >= %L and ctid < %L and %5$I >= $1 and %5$I < $2 for share on conflict do nothing',
            names[i], parent || '_elsewhen', format('(%s,0)', first), format('(%s,0)', first + blocks), at_column
        ) using lowers[i], uppers[i];
    end loop;
    execute format(
        'insert into %I select * from %I stray where ctid >= %L and ctid < %L and not exists (
             select from unnest($1, $2) it (lower, upper) where stray.%5$I >= it.lower and stray.%5$I < it.upper
         ) for share on conflict do nothing',
        parent || '_elsewhen_next', parent || '_elsewhen', format('(%s,0)', first), format('(%s,0)', first + blocks),
        at_column
    ) using lowers, uppers;
end
$$;

-- The copies take the default partition's place; what is checked about them is known from their constraints.
create function take_places(parent text, names text[], lowers timestamptz[], uppers timestamptz[]) returns void
language plpgsql as $$
begin
    execute format('alter table %I detach partition %I', parent, parent || '_elsewhen');
    for i in 1 .. cardinality(names) loop
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, names[i], lowers[i], uppers[i]);
    end loop;
    execute format('alter table %I attach partition %I default', parent, parent || '_elsewhen_next');
end
$$;

-- Ends a split.
create function end_split(parent text, names text[], lowers timestamptz[], uppers timestamptz[]) returns void
language plpgsql as $$
declare
    elsewhen text := parent || '_elsewhen';
    name text;
begin
    perform pg_advisory_xact_lock(2003005556, hashtext(parent));
    execute format('lock table only %I in access exclusive mode', parent);
    execute format('lock table only %I in access exclusive mode', elsewhen);
    perform take_places(parent, names, lowers, uppers);
    foreach name in array names || (elsewhen || '_next') loop
        execute format('alter table %I drop constraint own_time', name);
    end loop;
    execute format('drop table %I', elsewhen);
    execute format('alter table %I rename to %I', elsewhen || '_next', elsewhen);
    if parent = 'inbox' then
        delete from inbox_dropped_day where day in (select (it at time zone 'UTC')::date from unnest(lowers) it);
        create trigger inbox_dropped_day before insert on inbox_elsewhen for each row execute function skip_dropped_day();
    end if;
end
$$;
revoke execute on function make_partition(text, text, timestamptz, timestamptz, bigint), abandon_split(text),
    make_standalone(text, text, timestamptz, timestamptz),
    begin_split(text, text, text[], timestamptz[], timestamptz[]),
    copy_split(text, text[], timestamptz[], timestamptz[], bigint, bigint),
    take_places(text, text[], timestamptz[], timestamptz[]), end_split(text, text[], timestamptz[], timestamptz[])
    from public;
