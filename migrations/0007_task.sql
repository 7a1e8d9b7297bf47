-- Tasks are taken, carried out and finished; the welcome has rules and a ledger.

alter table task
    -- Who has it in hand, and until when it is theirs. A lease that ran out counts as none: the task is taken again.
    add column lease        uuid,
    add column leased_until timestamptz,
    -- When a call that is not safe to repeat was last begun.
    add column attempted_at timestamptz,
    -- Set aside for a person since then.
    add column parked_at    timestamptz,
    -- Why it was postponed or parked, in words.
    add column reason       text;
drop index task_due;
-- One kind's tasks in the order in which they are taken; a kind has one priority. It names nothing that changes while a
-- task is in hand.
create index task_due on task (kind, deadline, due_at, id) where parked_at is null;

-- What a new customer is greeted with beyond the words in welcome_message: attachments, other words for some channels,
-- and the hours in which to be quiet.
alter table enterprise_wechat_config add column welcome jsonb not null default '{}';

-- Every greeting that was due, and what became of it. A code is good for one greeting and so has one row.
create table welcome (
    id              bigint generated always as identity primary key,
    corpid          text not null,
    -- SHA-256 of the welcome code: the code itself is a key to somebody's chat.
    code_hash       bytea not null,
    external_userid text collate "C" not null,
    wechat_userid   text collate "C" not null,
    app_id          integer not null,
    state           text,
    -- When its callback was stored.
    received_at     timestamptz not null,
    -- When WeCom was first asked; null if it never was.
    attempted_at    timestamptz,
    -- When WeCom said yes.
    sent_at         timestamptz,
    -- Null while it is under way.
    outcome         text,
    -- By how much the code's life was over at the last attempt; null if it was not.
    late_ms         bigint,
    -- What WeCom said, if that was no.
    reason          text,
    constraint welcome_key unique (corpid, code_hash),
    constraint welcome_outcome_check check (
        outcome in ('sent', 'greeted_already', 'no_template', 'quiet', 'late', 'limited', 'refused', 'unknown')
    )
);
create index welcome_customer on welcome (corpid, external_userid);
