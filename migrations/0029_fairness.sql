-- One corp's trouble holds up no other: runs of reconciling that wait hold no worker, and tasks are taken corp by corp.

alter table sync_run
    -- Nobody works at it before this time. A run that waits for WeCom is put down until then.
    add column due_at   timestamptz not null default now(),
    -- How often in a row a step came to nothing: the pauses grow with it.
    add column troubles integer not null default 0,
    -- How many of them in a row the database refused: a run that it refuses again and again fails.
    add column refusals integer not null default 0,
    -- What WeCom does not permit this corp's app to read, and was left out: a JSON array, one object for each phase.
    add column skipped  jsonb not null default '[]';

-- One kind's tasks corp by corp, each corp's in the order in which they are taken. Whoever takes tasks goes from one
-- corp to the next by this index, and reads no row of a corp that has had its share.
drop index task_due;
create index task_due on task (kind, corpid, deadline, due_at, id) where parked_at is null;
