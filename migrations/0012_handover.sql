-- A handover that ends: each customer, order and group of a leaver gets an owner or a reason, and every turn is on
-- record.

-- Somebody is going to leave.
create table resignation (
    id            bigint generated always as identity primary key,
    corpid        text not null,
    staff_id      text not null,
    wechat_userid text not null,
    last_day      date not null,
    reason        text,
    state         text not null default 'requested',
    requested_by  text not null,
    requested_at  timestamptz not null default now(),
    -- Who approved, refused or withdrew it, when, and what they said.
    decided_by    text,
    decided_at    timestamptz,
    decision_note text,
    -- When WeCom was last asked whether they have gone, after the last day.
    verified_at   timestamptz,
    -- left: the member is gone, whether or not it had been approved.
    constraint resignation_state_check check (state in ('requested', 'approved', 'refused', 'cancelled', 'left'))
);
create unique index resignation_open on resignation (wechat_userid, corpid) where state in ('requested', 'approved');

drop index handover_open;
alter table handover
    drop constraint handover_state_check,
    -- Empty while they are still here.
    alter column left_at drop not null,
    -- left: the directory or WeCom's list of leavers' customers says so. resignation: it was approved.
    -- transfer: some customers go from one member to another.
    add column cause          text not null default 'left',
    add column resignation_id bigint references resignation (id),
    -- Who began it: an API token's name, or wecomd.
    add column ordered_by     text not null default 'wecomd',
    -- What the customers are told when an in-service transfer is done.
    add column message        text,
    add column notified_at    timestamptz,
    add column submitted_at   timestamptz,
    add column submitted_by   text,
    add column finished_at    timestamptz,
    -- Called off by a person; a reinstated leaver's is cancelled without one.
    add column cancelled_by   text,
    add column cancelled_at   timestamptz,
    -- When WeCom was last asked for results, and how often since the last submission.
    add column polled_at      timestamptz,
    add column polls          integer not null default 0,
    -- Counts the changes of its plan.
    add column version        bigint not null default 1,
    add constraint handover_cause_check check (cause in ('left', 'resignation', 'transfer')),
    add constraint handover_state_check
        check (state in ('detected', 'planned', 'notified', 'submitted', 'waiting', 'done', 'cancelled'));
create unique index handover_open on handover (wechat_userid, corpid) where cause <> 'transfer' and state <> 'done';
create index handover_of_member on handover (wechat_userid);

-- Each customer (external_userid), work order (its number) and group (chat_id) in it. One whose round ended without a
-- new owner may have another round; the last one counts.
alter table handover_item rename column external_userid to subject;
alter table handover_item
    drop constraint handover_item_key,
    add column id                 bigint generated always as identity,
    add column kind               text not null default 'customer',
    add column round              integer not null default 1,
    -- Who shall have it.
    add column successor_userid   text,
    add column successor_staff_id text,
    -- The call that it was last part of, and how often it was part of one.
    add column call_id            bigint,
    add column attempts           integer not null default 0,
    -- What WeCom said of it, and that in words.
    add column errcode            bigint,
    add column reason             text,
    -- When WeCom will hand it over, or did.
    add column takeover_at        timestamptz,
    -- When WeCom first took it on.
    add column submitted_at       timestamptz,
    add column finished_at        timestamptz,
    alter column subject set data type text collate "C",
    alter column state set default 'open';
alter table handover_item alter column kind drop default;
update handover_item set state = 'open';
alter table handover_item
    add constraint handover_item_pkey primary key (id),
    add constraint handover_item_key unique (handover_id, kind, subject, round),
    add constraint handover_item_kind_check check (kind in ('customer', 'order', 'group')),
    add constraint handover_item_state_check check (
        state in ('open', 'planned', 'calling', 'waiting', 'done', 'refused', 'full', 'gone', 'failed', 'cancelled')
    );
-- What callbacks may be about.
create index handover_item_waiting on handover_item (subject) where state in ('calling', 'waiting');
-- The history of a customer, and what was moved lately.
create index handover_item_subject on handover_item (subject, id);
create index handover_item_successor on handover_item (successor_userid, submitted_at);

-- Each successor's part: told, and whether they agree.
create table handover_successor (
    handover_id   bigint not null references handover (id) on delete cascade,
    wechat_userid text not null,
    staff_id      text,
    notified_at   timestamptz,
    answered_at   timestamptz,
    accepted      boolean,
    answered_by   text,
    note          text,
    constraint handover_successor_key primary key (handover_id, wechat_userid)
);

-- Every call that moves something at WeCom. The row is committed before the call, so that one whose answer nobody saw is
-- found, and asked about before anything is sent again.
create table handover_call (
    id               bigint generated always as identity primary key,
    handover_id      bigint not null references handover (id) on delete cascade,
    kind             text not null,
    -- in_service or resigned: which of WeCom's two endpoints.
    flow             text not null,
    handover_userid  text not null,
    successor_userid text not null,
    items            bigint[] not null,
    attempted_at     timestamptz not null default now(),
    -- answered, not_sent, refused, or found (nobody saw the answer; the results said what became of it).
    outcome          text,
    answered_at      timestamptz,
    errcode          bigint,
    constraint handover_call_kind_check check (kind in ('customer', 'group')),
    constraint handover_call_flow_check check (flow in ('in_service', 'resigned')),
    constraint handover_call_outcome_check check (outcome in ('answered', 'not_sent', 'refused', 'found'))
);
create index handover_call_of on handover_call (handover_id, id);
create index handover_call_unknown on handover_call (handover_id) where outcome is null;

-- What WeCom pushed about a transfer that failed. A set: it names the successor and the customer, and no handover.
create table transfer_fail (
    corpid          text not null,
    wechat_userid   text not null,
    external_userid text not null,
    at              timestamptz not null,
    reason          text not null,
    constraint transfer_fail_key primary key (corpid, wechat_userid, external_userid, at, reason)
);

-- Every turn that a handover or one of its items took, who caused it and why. Nobody edits it.
create table handover_log (
    id          bigint generated always as identity primary key,
    handover_id bigint not null,
    item_id     bigint,
    kind        text,
    subject     text,
    from_state  text,
    to_state    text not null,
    -- An API token's name, wecomd, or WeCom.
    actor       text not null,
    cause       text not null,
    at          timestamptz not null default clock_timestamp()
);
create index handover_log_of on handover_log (handover_id, id);

create function refuse_edit() returns trigger language plpgsql as $$
begin
    raise exception '% is only ever appended to', tg_table_name using errcode = 'insufficient_privilege';
end
$$;
create trigger handover_log_append_only before update or delete or truncate on handover_log
    for each statement execute function refuse_edit();

-- A token may be a staff member's own. It ends when they leave.
alter table api_token
    add column corpid   text,
    add column staff_id text;
create index api_token_staff on api_token (staff_id) where staff_id is not null and revoked_at is null;
