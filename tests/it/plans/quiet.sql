-- Nothing is analysed or vacuumed here by itself.
do $$
declare
    it regclass;
begin
    for it in select oid::regclass from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace loop
        execute format('alter table %s set (autovacuum_enabled = off)', it);
    end loop;
end
$$;
