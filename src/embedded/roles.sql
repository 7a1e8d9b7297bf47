-- Makes the two roles of a private cluster, or what is missing of them. One transaction: it is done, or it is not.
begin;

-- Nobody may rename the role of their own session, so another one does it.
create role wecomd_convert superuser;

set session authorization wecomd_convert;

do $do$
declare
    cluster name := (select rolname from pg_authid where oid = 10);
    it record;
begin
    -- The cluster's own role, which owns the catalogue. In clusters of earlier versions it was wecomd's.
    if cluster <> 'wecomd_superuser' then
        execute format('alter role %I rename to wecomd_superuser', cluster);
    end if;
    -- It is used in single-user mode only: nobody connects as a superuser.
    alter role wecomd_superuser nologin;
    if not exists (select from pg_roles where rolname = 'wecomd') then
        create role wecomd login;
    end if;
    -- It makes the roles that read the reports, and the scratch databases in which backups are verified.
    alter role wecomd login nosuperuser createrole createdb;
    if current_setting('server_version_num')::int >= 160000 then
        -- Since then, whoever may make roles may change those alone that they made, or were given.
        for it in
            select rolname from pg_roles
            where rolname !~ '^pg_' and not rolsuper and rolname <> 'wecomd'
        loop
            execute format('grant %I to wecomd with admin true, inherit false, set false', it.rolname);
        end loop;
    else
        -- Before, whoever may make roles could give themselves those that run programs and read files as the server. Only
        -- a superuser may give away a role that is one.
        update pg_authid set rolsuper = true
        where rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files');
    end if;
end
$do$;

set session authorization wecomd_superuser;

drop role wecomd_convert;

commit;

-- Which databases there are, in hexadecimal digits: a name may hold anything.
copy (
    select 'database:' || encode(convert_to(datname, 'UTF8'), 'hex') || ':' from pg_database
    where datallowconn and datname not in ('template0', 'template1', 'postgres')
) to stdout;

