-- What the access log is asked for is found by an index, and who may write reads no reports.

create index access_log_who on access_log (who, id);
create index access_log_route on access_log (route, id);
create index access_log_refused on access_log (status, id) where status >= 400;

-- As before, and a role that may write any of our tables is refused.
create or replace function reporting_grant(name text, password text) returns boolean language plpgsql as $$
declare
    made boolean := not exists (select from pg_roles where rolname = name);
begin
    if name !~ '^[a-z_][a-z0-9_]{0,62}$' or name ~ '^pg_' or name = 'public' then
        raise exception 'a role''s name has small letters, digits and underscores, and does not begin with pg_'
            using errcode = 'invalid_name';
    end if;
    if not exists (select from pg_roles where rolname = current_user and (rolsuper or rolcreaterole)) then
        raise exception 'database user % may not make roles: `alter role % createrole`, or use another --database-url',
            current_user, current_user using errcode = 'insufficient_privilege';
    end if;
    if made then
        execute format('create role %I login password %L', name, password);
    elsif exists (
        select from pg_roles
        where rolname = name
            and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
                or pg_has_role(oid, current_user, 'member')
                or exists (
                    select from pg_class it
                    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
                        and has_table_privilege(name, it.oid, 'insert, update, delete, truncate')
                ))
    ) then
        raise exception 'role % may do more than read: name another one', name
            using errcode = 'invalid_grant_operation';
    end if;
    execute format('grant connect on database %I to %I', current_database(), name);
    execute format('grant usage on schema reporting to %I', name);
    execute format('grant select on all tables in schema reporting to %I', name);
    execute format('alter default privileges in schema reporting grant select on tables to %I', name);
    -- A question that walks years shall end. And to the planner, which cannot tell how few days are asked for, every view
    -- looks so costly that it would compile for a second what runs for a tenth of one.
    execute format('alter role %I in database %I set statement_timeout = ''60s''', name, current_database());
    execute format('alter role %I in database %I set default_transaction_read_only = on', name, current_database());
    execute format('alter role %I in database %I set jit = off', name, current_database());
    return made;
end
$$;
