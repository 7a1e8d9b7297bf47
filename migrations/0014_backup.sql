-- Copies of everything, made now and then, and what became of making them.

-- One attempt at a backup. The rows themselves are left out of backups: a restored database has none yet.
create table backup (
    id          bigint generated always as identity primary key,
    started_at  timestamptz not null default now(),
    finished_at timestamptz,
    -- running: whoever makes it holds the lock; done, perhaps with what is missing in it; failed, with the reason.
    outcome     text not null default 'running',
    reason      text,
    -- The file, and the id of the master key that it opens with.
    file        text not null,
    key_id      bigint not null,
    bytes       bigint,
    sha256      bytea,
    -- When a later one took its place, and the file was removed.
    removed_at  timestamptz,
    constraint backup_outcome_check check (outcome in ('running', 'done', 'failed')),
    constraint backup_done_check check (
        outcome <> 'done' or (finished_at is not null and bytes is not null and sha256 is not null)
    ),
    constraint backup_failed_check check (outcome <> 'failed' or reason is not null)
);
create index backup_started_at on backup (started_at);

-- How many rows a table has. A backup says it of each table, and whoever restores it counts again.
create function row_count(counted regclass) returns bigint language plpgsql stable as $$
declare
    found bigint;
begin
    execute format('select count(*) from %s', counted) into found;
    return found;
end $$;
