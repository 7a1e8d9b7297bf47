-- What must still be done with WeCom, and who must be handed over.

-- One thing to do. Marking the same subject again is one task with a higher version, so that ten edits of one
-- customer are one refresh, and an edit during a refresh is not lost.
create table task (
    id         bigint generated always as identity primary key,
    corpid     text not null,
    kind       text not null,
    subject    text collate "C" not null,
    app_id     integer not null,
    -- JSON, as it was written: two texts for one subject are compared as texts.
    payload    text collate "C",
    priority   smallint not null,
    due_at     timestamptz not null,
    deadline   timestamptz,
    version    bigint not null,
    attempts   integer not null default 0,
    created_at timestamptz not null default now(),
    constraint task_key unique (corpid, kind, subject)
);
create index task_due on task (priority, due_at);

-- A leaver's handover. `detected` and `cancelled` follow from the directory's callbacks alone.
create table handover (
    id            bigint generated always as identity primary key,
    corpid        text not null,
    wechat_userid text not null,
    staff_id      text,
    state         text not null,
    left_at       timestamptz not null,
    detected_at   timestamptz not null default now(),
    constraint handover_state_check check (state in ('detected', 'cancelled', 'done'))
);
create unique index handover_open on handover (corpid, wechat_userid) where state <> 'done';

-- Each customer in it.
create table handover_item (
    handover_id     bigint not null references handover (id) on delete cascade,
    external_userid text not null,
    state           text not null default 'pending',
    constraint handover_item_key primary key (handover_id, external_userid)
);
