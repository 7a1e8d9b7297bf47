-- People can be shown everything that we hold about them, and be forgotten; what is old goes by itself.

-- Who was erased, so that nothing late brings them back. The person is a hash: SHA-256 of the corp, a colon and the
-- external_userid, which nobody can guess from it.
create table erased_person (
    corpid     text not null,
    person     bytea not null,
    -- What is said of an earlier time is not taken in any more.
    erased_at  timestamptz not null,
    erasure_id bigint not null,
    constraint erased_person_key primary key (corpid, person)
);

-- One request to erase somebody, and how far it is. Its first half is one transaction; what WeCom said of them, and the
-- bytes of their pictures, go afterwards, step by step.
create table erasure (
    id           bigint generated always as identity primary key,
    corpid       text not null,
    -- customer or person: by which of the two ids they were named. The id itself is not kept.
    named_by     text not null,
    asked_by     text not null,
    token_id     integer,
    request_id   uuid not null,
    asked_at     timestamptz not null default now(),
    state        text not null default 'running',
    -- Whom to look for in the inbox; emptied once that is done.
    persons      text[] not null,
    -- How many rows of each table were erased or made nameless.
    counts       jsonb not null,
    -- The delivery up to which the inbox was looked through, and how many of them were emptied.
    scanned_to   text,
    deliveries   bigint not null default 0,
    -- What keeps it from going on at the moment, in words.
    trouble      text,
    -- Not taken up again before.
    due_at       timestamptz not null default now(),
    finished_at  timestamptz,
    constraint erasure_state_check check (state in ('running', 'done')),
    constraint erasure_named_by_check check (named_by in ('customer', 'person')),
    constraint erasure_done_check check (state <> 'done' or (persons = '{}' and finished_at is not null))
);
create index erasure_running on erasure (id) where state = 'running';

-- Bytes that are still to be deleted.
create table erasure_media (
    erasure_id   bigint not null references erasure (id) on delete cascade,
    corpid       text not null,
    media_id     text not null,
    -- When it was sent: its place in the store follows from that, and the parts of a broken-off download.
    contact_time timestamptz not null,
    location     text,
    constraint erasure_media_key primary key (erasure_id, corpid, media_id)
);

-- What hashes to a tombstone's person.
create function erased_hash(corpid text, external_userid text) returns bytea
    language sql immutable strict parallel safe
    return sha256(convert_to(corpid || ':' || external_userid, 'UTF8'));

-- A handover's log keeps what happened and loses whose customer it was: nothing else about it can be changed.
create function refuse_edit_but_erasure() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.kind = 'customer' and new.subject like 'erased-%'
        and to_jsonb(new) - 'subject' = to_jsonb(old) - 'subject' then
        return new;
    end if;
    raise exception '% is only ever appended to', tg_table_name using errcode = 'insufficient_privilege';
end
$$;
drop trigger handover_log_append_only on handover_log;
create trigger handover_log_append_only before update or delete on handover_log
    for each row execute function refuse_edit_but_erasure();
create trigger handover_log_no_truncate before truncate on handover_log
    for each statement execute function refuse_edit();
create index handover_log_subject on handover_log (subject) where kind = 'customer';

-- When each kind of thing that is kept for a while was last looked through.
create table retention (
    kind       text not null,
    -- The last time it went well, and what went then.
    ran_at     timestamptz,
    partitions bigint not null default 0,
    "rows"     bigint not null default 0,
    bytes      bigint not null default 0,
    -- Why the last attempt failed; null if it did not.
    failed_at  timestamptz,
    reason     text,
    constraint retention_key primary key (kind),
    constraint retention_kind_check check (kind in ('plaintext', 'records', 'media', 'access_log')),
    constraint retention_failed_check check ((failed_at is null) = (reason is null))
);

-- The access log, a partition a month, so that old months can be dropped whole. A month's lines come before the next
-- month's in each chain: what is dropped is a chain's beginning, and where the rest follows on is kept.
create table access_anchor (
    chain      smallint not null,
    -- The last line that was dropped, and what it hashed to: the next one follows it.
    position   bigint not null,
    hash       bytea not null,
    lines      bigint not null,
    -- The times of the lines that were dropped with it.
    from_at    timestamptz not null,
    until_at   timestamptz not null,
    dropped_at timestamptz not null default now(),
    constraint access_anchor_key primary key (chain, position)
);

alter table access_log rename to access_log_whole;
alter table access_log_whole alter column id drop identity;
drop trigger access_log_chain on access_log_whole;
drop trigger access_log_append_only on access_log_whole;
drop function access_log_hash(access_log_whole);
drop index access_log_at, access_log_subject, access_log_customer, access_log_who, access_log_route, access_log_refused;
alter table access_log_whole
    drop constraint access_log_pkey,
    drop constraint access_log_place_key;

create table access_log (
    id         bigint generated always as identity,
    at         timestamptz not null default now(),
    token_id   integer,
    who        text not null,
    role       text not null,
    method     text not null,
    route      text not null,
    subject    text not null,
    status     smallint not null,
    request_id uuid not null,
    address    text not null,
    customer   text not null default '',
    times      integer not null default 1,
    chain      smallint not null,
    position   bigint not null,
    previous   bytea not null,
    hash       bytea not null,
    constraint access_log_key primary key (id, at),
    constraint access_log_place_key unique (chain, position, at)
) partition by range (at);
create index access_log_at on access_log (at);
create index access_log_subject on access_log (subject, id) where subject <> '';
create index access_log_customer on access_log (customer, id) where customer <> '';
create index access_log_who on access_log (who, id);
create index access_log_route on access_log (route, id);
create index access_log_refused on access_log (status, id) where status >= 400;

-- Lines of a month that could not be made in time.
create table access_log_elsewhen partition of access_log default;

-- Makes a month's partition; false if it is there. Nobody can edit it by its own name either.
create function make_access_log_month(month date) returns boolean language plpgsql as $$
declare
    name text := 'access_log_' || to_char(month, 'YYYYMM');
begin
    if month <> date_trunc('month', month::timestamp)::date then
        raise exception '% is not the first of a month', month;
    end if;
    perform pg_advisory_xact_lock(2003005556, hashtext('access_log'));
    if exists (select from pg_class where relname = name and relnamespace = current_schema()::regnamespace) then
        return false;
    end if;
    execute format(
        'create table %I partition of access_log for values from (%L) to (%L)',
        name, month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00'
    );
    execute format(
        'create trigger access_log_no_truncate before truncate on %I for each statement execute function refuse_edit()',
        name
    );
    return true;
end
$$;

-- What was written before stays as it is, line by line.
do $$
declare
    month date;
    this date := date_trunc('month', now() at time zone 'UTC')::date;
begin
    for month in
        select distinct date_trunc('month', at at time zone 'UTC')::date from access_log_whole
        union select this
        union select (this + interval '1 month')::date
        order by 1
    loop
        perform make_access_log_month(month);
    end loop;
end
$$;
insert into access_log (
    id, at, token_id, who, role, method, route, subject, status, request_id, address, customer, times, chain, position,
    previous, hash
)
overriding system value
select
    id, at, token_id, who, role, method, route, subject, status, request_id, address, customer, times, chain, position,
    previous, hash
from access_log_whole;
select setval(pg_get_serial_sequence('access_log', 'id'), coalesce(max(id), 0) + 1, false) from access_log_whole;
drop table access_log_whole;

-- The month of a chain's last line: a line is never written behind one of a later month.
drop trigger access_chain_kept on access_chain;
alter table access_chain add column month date not null default '-infinity';
update access_chain set month = coalesce((
    select date_trunc('month', max(at) at time zone 'UTC')::date from access_log where access_log.chain = access_chain.chain
), '-infinity');
create trigger access_chain_kept before insert or update or delete or truncate on access_chain
    for each statement execute function refuse_direct_edit();

-- As before: SHA-256 over netstrings of all that a line says. src/tables/access_log/chain.rs does the same.
create function access_log_hash(it access_log) returns bytea language sql stable as $$
    select sha256(convert_to(string_agg(octet_length(part) || ':' || part || ',', '' order by place), 'UTF8'))
    from unnest(array[
        encode(it.previous, 'hex'), it.chain::text, it.position::text, it.id::text,
        (extract(epoch from it.at) * 1000000)::bigint::text, coalesce(it.token_id::text, ''),
        it.who, it.role, it.method, it.route, it.subject, it.customer, it.status::text, it.times::text,
        it.request_id::text, it.address
    ]) with ordinality as parts (part, place)
$$;

-- As before, and a chain whose last line is of a later month is passed over. If all are, which takes a request that ran
-- through midnight of the month's end, there is a new chain.
create or replace function chain_access_log() returns trigger language plpgsql as $$
declare
    head access_chain;
    own date := date_trunc('month', new.at at time zone 'UTC')::date;
begin
    select * into head from access_chain where month <= own order by chain limit 1 for update skip locked;
    if not found then
        select * into head from access_chain where chain = 1 + new.id % 16 and month <= own for update;
    end if;
    if not found then
        perform pg_advisory_xact_lock(2003005556, hashtext('access_chain'));
        insert into access_chain (chain, month) select max(chain) + 1, own from access_chain returning * into strict head;
    end if;
    new.chain := head.chain;
    new.position := head.position + 1;
    new.previous := head.hash;
    new.hash := access_log_hash(new);
    update access_chain set position = new.position, hash = new.hash, month = own where chain = head.chain;
    return new;
end
$$;
create trigger access_log_chain before insert on access_log for each row execute function chain_access_log();
create trigger access_log_append_only before update or delete or truncate on access_log
    for each statement execute function refuse_edit();
-- By a partition's own name as well.
create trigger access_log_kept before update or delete on access_log for each row execute function refuse_edit();
create trigger access_log_no_truncate before truncate on access_log_elsewhen
    for each statement execute function refuse_edit();
create trigger access_anchor_kept before update or delete or truncate on access_anchor
    for each statement execute function refuse_edit();

-- Drops the oldest month, and keeps where the rest follows on. Returns how many lines went.
create function drop_access_log_month(month date) returns bigint language plpgsql as $$
declare
    name text := 'access_log_' || to_char(month, 'YYYYMM');
    ends_at timestamptz := (month + interval '1 month') at time zone 'UTC';
    dropped bigint;
begin
    if ends_at >= now() then
        raise exception 'the month of % is not over', month using errcode = 'object_not_in_prerequisite_state';
    end if;
    if exists (select from access_log where at < month::timestamp at time zone 'UTC') then
        raise exception 'an older month than % is still there', month using errcode = 'object_not_in_prerequisite_state';
    end if;
    insert into access_anchor (chain, position, hash, lines, from_at, until_at)
    select chain, max(position), (array_agg(hash order by position desc))[1], count(*), min(at), max(at)
    from access_log
    where at < ends_at
    group by chain;
    select coalesce(sum(lines), 0) into dropped from access_anchor where dropped_at = now();
    execute format('drop table %I', name);
    return dropped;
end
$$;
revoke execute on function drop_access_log_month(date), make_access_log_month(date) from public;
