-- The hinge between accepting and recording. A delivery's state is derived, never written on it:
-- pending if it has a row in pending, parked if in parked, ignored if in ignored, else recorded.

-- One delivery, exactly as WeCom said it, never updated. The key is the app, the event's own time (the same in
-- every repeat) and the SHA-256 of the plaintext. Time leads, so that the unique index grows at its end, and the
-- event's own day picks the partition, so that a repeat always meets its original there.
create table inbox (
    event_at    timestamptz not null,
    received_at timestamptz not null default now(),
    app_id      integer not null,
    hash        bytea not null,
    plaintext   bytea not null,
    constraint inbox_key primary key (event_at, hash, app_id)
) partition by range (event_at);

-- Events that carry no time of their own (the epoch).
create table inbox_undated partition of inbox for values from (minvalue) to ('2013-01-01 00:00+00');
-- Times that cannot be true, and days whose partition could not be made in time. Kept apart from the undated, because
-- each new day is checked against all of it.
create table inbox_elsewhen partition of inbox default;

-- What is still to record. Narrow, and deleted from in the transaction that records.
create table pending (
    due_at   timestamptz not null default now(),
    seq      bigint generated always as identity,
    event_at timestamptz not null,
    app_id   integer not null,
    attempts smallint not null default 0,
    hash     bytea not null,
    constraint pending_key primary key (due_at, seq)
) with (
    -- A queue table lives by its vacuum: by count, not by share, and without pauses.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0
);

-- What a person must look at. Kept until it is replayed.
create table parked (
    event_at  timestamptz not null,
    app_id    integer not null,
    hash      bytea not null,
    attempts  smallint not null,
    reason    text not null,
    parked_at timestamptz not null default now(),
    constraint parked_key primary key (event_at, hash, app_id)
);
create index parked_at on parked (parked_at);

-- Authentic events that nothing is recorded from, by name: kept and counted, never an error.
create table ignored (
    event_at timestamptz not null,
    app_id   integer not null,
    hash     bytea not null,
    name     text not null,
    constraint ignored_key primary key (event_at, hash, app_id)
);
create index ignored_name on ignored (name);
