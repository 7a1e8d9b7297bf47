-- Gives wecomd what the cluster's own role has in this database and is not the server's. One transaction.
do $do$
declare
    it record;
begin
    execute format('alter database %I owner to wecomd', current_database());
    for it in
        with mine as (
            select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
        ), extension as (
            select classid, objid from pg_depend where deptype = 'e'
        )
        select format('alter schema %I owner to wecomd', nspname) as statement
        from pg_namespace join mine using (oid, nspname)
        where nspowner = 10
        union all
        -- Tables, views, materialised views, foreign tables, and sequences that belong to no column.
        select format('alter table %s owner to wecomd', class.oid::regclass)
        from pg_class class join mine on mine.oid = relnamespace
        where relowner = 10 and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and (class.tableoid, class.oid) not in (select classid, objid from extension)
            and not (relkind = 'S' and exists (
                select from pg_depend
                where classid = class.tableoid and objid = class.oid and refobjsubid > 0 and deptype in ('a', 'i')
            ))
        union all
        select format('alter routine %s owner to wecomd', routine.oid::regprocedure)
        from pg_proc routine join mine on mine.oid = pronamespace
        where proowner = 10 and (routine.tableoid, routine.oid) not in (select classid, objid from extension)
        union all
        select format('alter type %s owner to wecomd', kind.oid::regtype)
        from pg_type kind join mine on mine.oid = typnamespace
        left join pg_class on pg_class.oid = typrelid
        where typowner = 10 and (typtype in ('d', 'e', 'r') or typtype = 'c' and relkind = 'c')
            and (kind.tableoid, kind.oid) not in (select classid, objid from extension)
        union all
        select format('alter collation %I.%I owner to wecomd', nspname, collname)
        from pg_collation join mine on mine.oid = collnamespace
        where collowner = 10
    loop
        execute it.statement;
    end loop;
    -- What roles may read of tables that are still to be made.
    for it in
        select
            coalesce('in schema ' || quote_ident(nspname), '') as place, privilege_type as privilege,
            case defaclobjtype
                when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
                else 'schemas'
            end as objects,
            case when grantee = 0 then 'public' else grantee::regrole::text end as whom
        from pg_default_acl
        left join pg_namespace on pg_namespace.oid = defaclnamespace
        cross join lateral aclexplode(defaclacl)
        where defaclrole = 10 and grantee <> 10
    loop
        execute format('alter default privileges for role wecomd %s grant %s on %s to %s', it.place, it.privilege,
            it.objects, it.whom);
        execute format('alter default privileges for role wecomd_superuser %s revoke %s on %s from %s', it.place,
            it.privilege, it.objects, it.whom);
    end loop;
end
$do$;

