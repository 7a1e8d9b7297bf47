-- A task has no priority. Each executor takes tasks of one kind, so a number that followed from the kind alone decided
-- nothing: within a kind the deadline, the time and the corp's share do.
--
-- The column stays for processes of older versions, which may run beside new ones while one after the other is restarted:
-- without it they could record nothing that leads to a task. A later migration drops it.
alter table task alter column priority set default 100;
comment on column task.priority is
    'Unused; only processes of older versions write it. | 已不使用，仅旧版本进程写入。';
