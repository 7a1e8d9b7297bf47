-- An access log that shows when somebody touched it, and tokens that end by themselves.

-- Where each chain of the access log stands. A writer takes any chain that nobody else is writing, so that as many
-- requests as there are chains can be committed at once; one chain would make every request wait for the one before.
create table access_chain (
    chain    smallint not null,
    position bigint   not null default 0,
    hash     bytea    not null default decode(repeat('00', 32), 'hex'),
    constraint access_chain_key primary key (chain)
) with (fillfactor = 20);
insert into access_chain (chain) select generate_series(1, 16);

alter table access_log
    -- The customer whose data was read or changed, if it was one's; the subject says what was asked for.
    add column customer text not null default '',
    -- How many requests the line stands for: refused strangers have one line a minute, with their number.
    add column times    integer not null default 1,
    -- The line's place, what the line before it hashes to, and what it hashes to itself.
    add column chain    smallint,
    add column position bigint,
    add column previous bytea,
    add column hash     bytea;

-- What a line hashes to: SHA-256 over netstrings (its length in bytes, a colon, the text, a comma) of all it says.
-- src/tables/access_log/chain.rs does the same.
create function access_log_hash(it access_log) returns bytea language sql stable as $$
    select sha256(convert_to(string_agg(octet_length(part) || ':' || part || ',', '' order by place), 'UTF8'))
    from unnest(array[
        encode(it.previous, 'hex'), it.chain::text, it.position::text, it.id::text,
        (extract(epoch from it.at) * 1000000)::bigint::text, coalesce(it.token_id::text, ''),
        it.who, it.role, it.method, it.route, it.subject, it.customer, it.status::text, it.times::text,
        it.request_id::text, it.address
    ]) with ordinality as parts (part, place)
$$;

-- Gives a new line its place. Whoever writes a line does so last in its transaction: nothing is waited for while a
-- chain's lock is held, so writers never wait crosswise.
create function chain_access_log() returns trigger language plpgsql as $$
declare
    head access_chain;
begin
    select * into head from access_chain order by chain limit 1 for update skip locked;
    if not found then
        select * into strict head from access_chain where chain = 1 + new.id % 16 for update;
    end if;
    new.chain := head.chain;
    new.position := head.position + 1;
    new.previous := head.hash;
    new.hash := access_log_hash(new);
    update access_chain set position = new.position, hash = new.hash where chain = head.chain;
    return new;
end
$$;

-- What was written before chains were.
do $$
declare
    line access_log;
    head bytea := decode(repeat('00', 32), 'hex');
    place bigint := 0;
begin
    for line in select * from access_log order by id loop
        place := place + 1;
        line.chain := 1;
        line.position := place;
        line.previous := head;
        head := access_log_hash(line);
        update access_log set chain = 1, position = place, previous = line.previous, hash = head where id = line.id;
    end loop;
    update access_chain set position = place, hash = head where chain = 1;
end
$$;

alter table access_log
    alter column chain set not null,
    alter column position set not null,
    alter column previous set not null,
    alter column hash set not null,
    add constraint access_log_place_key unique (chain, position);
create index access_log_subject on access_log (subject, id) where subject <> '';
create index access_log_customer on access_log (customer, id) where customer <> '';

create trigger access_log_chain before insert on access_log for each row execute function chain_access_log();
create trigger access_log_append_only before update or delete or truncate on access_log
    for each statement execute function refuse_edit();

-- Only the trigger above moves a chain on.
create function refuse_direct_edit() returns trigger language plpgsql as $$
begin
    if pg_trigger_depth() < 2 then
        raise exception '% is written by a trigger alone', tg_table_name using errcode = 'insufficient_privilege';
    end if;
    return null;
end
$$;
create trigger access_chain_kept before insert or update or delete or truncate on access_chain
    for each statement execute function refuse_direct_edit();

-- A token may end by itself. When it was last used is written at most once a minute.
alter table api_token
    add column expires_at   timestamptz,
    add column last_used_at timestamptz;
