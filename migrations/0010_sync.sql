-- Reconciling with WeCom: how far a run is, and what it found that we did not know.

-- `gone`: we held them as contacts, and a complete reading of the member's customers did not name them. No callback
-- says so. It stands under the time at which that reading began, so that whatever is said of a later time wins.
alter table customer_wechat_contact
    drop constraint customer_wechat_contact_status_check,
    add constraint customer_wechat_contact_status_check
        check (status in ('assumed', 'contacted', 'deleted_by_member', 'gone', 'lost', 'transferred_out'));

-- One walk through WeCom's lists for one corp. Whoever works at it holds a lease; a dead one's is taken over.
create table sync_run (
    id            bigint generated always as identity primary key,
    corpid        text not null,
    state         text not null default 'running',
    phase         text not null default 'departments',
    -- The departments whose members are read, and how many are done.
    departments   bigint[] not null default '{}',
    position      integer not null default 0,
    -- Where the unassigned list goes on; empty at its beginning.
    cursor        text not null default '',
    -- When the reading of departments and members began.
    members_from  timestamptz,
    -- Counts: what was read, how often WeCom was asked, and how many contacts we held when it began.
    members       integer not null default 0,
    contacts      bigint not null default 0,
    unassigned    bigint not null default 0,
    calls         bigint not null default 0,
    expected      bigint not null default 0,
    -- What it waits for at the moment, in words.
    trouble       text,
    -- Why it failed, in words.
    reason        text,
    -- Which turn of the schedule it is: one for each.
    scheduled_for timestamptz,
    holder        uuid,
    leased_until  timestamptz,
    started_at    timestamptz not null default now(),
    heartbeat_at  timestamptz not null default now(),
    finished_at   timestamptz,
    constraint sync_run_state_check check (state in ('running', 'done', 'failed', 'cancelled')),
    constraint sync_run_phase_check
        check (phase in ('departments', 'members', 'staff', 'customers', 'unassigned', 'compare', 'end')),
    constraint sync_run_scheduled_key unique (corpid, scheduled_for)
);
-- One at a time for each corp, however many processes there are.
create unique index sync_run_running on sync_run (corpid) where state = 'running';
create index sync_run_of_corp on sync_run (corpid, started_at);

-- Members whose customers are read together. They are gone when the run is done.
create table sync_shard (
    run_id   bigint not null references sync_run (id) on delete cascade,
    id       bigint generated always as identity,
    users    text[] not null,
    -- Where the next page begins, committed with the page before it; empty at the beginning.
    cursor   text not null default '',
    -- When this reading began: of these members' contacts, whose card is older was not named.
    began_at timestamptz,
    -- How often it had to begin again because its cursor was not accepted any more.
    restarts integer not null default 0,
    -- waiting or under way; walked to its end; done, with what was not named marked; refused by WeCom.
    state    text not null default 'waiting',
    constraint sync_shard_key primary key (run_id, id),
    constraint sync_shard_state_check check (state in ('waiting', 'walked', 'done', 'refused'))
);

-- What a run found to be otherwise than we held it.
create table sync_drift (
    run_id          bigint not null references sync_run (id) on delete cascade,
    id              bigint generated always as identity,
    kind            text not null,
    -- Whom it is about; empty where there is no such side.
    external_userid text not null default '',
    wechat_userid   text not null default '',
    -- What we held, and what WeCom says.
    held            text,
    found           text,
    constraint sync_drift_key primary key (run_id, id),
    constraint sync_drift_once unique (run_id, kind, external_userid, wechat_userid),
    constraint sync_drift_kind_check check (kind in (
        'missing_here', 'gone_there', 'other_owner', 'ended_here', 'renamed',
        'member_missing_here', 'member_gone_there', 'member_renamed', 'member_left', 'member_refused', 'not_serving'
    ))
);
