-- Messages that are pulled from WeCom (微信客服, the message archive) go through the inbox as callbacks do: stored, parsed,
-- parked, replayed and erased like them. Which of the two a delivery is decides how its plaintext is read, so that no
-- callback can pass for a pulled message.

-- A split that is under way copies rows into tables without the new columns: it begins anew.
select abandon_split('inbox'), abandon_split('wechat_contact_record');

-- Constant defaults: no row is rewritten.
alter table inbox add column origin smallint not null default 0;
comment on column inbox.origin is
    'What brought it: 0 a callback, 1 the message archive, 2 WeChat customer service (sync_msg). | 来源：0 回调，1 会话内容存档，2 微信客服（sync_msg）。';

-- What the workers claim, with its origin. As claim_pending, which it replaces.
create function claim_due(since timestamptz, at_most bigint, days_max bigint)
returns table (
    due_at timestamptz, seq bigint, in_group boolean, event_at timestamptz, app_id integer, hash bytea, attempts smallint,
    received_at timestamptz, plaintext bytea, origin smallint
)
language plpgsql
set plan_cache_mode = force_custom_plan
as $$
declare
    taken record;
    next_day timestamptz;
begin
    for taken in
        select it.day, array_agg(it) as rows from take_pending(since, at_most, days_max) it group by it.day
    loop
        -- Computed here: an expression on the session's time zone would be no constant to the planner.
        next_day := taken.day + interval '24 hours';
        return query
        select it.due_at, it.seq, it.in_group, one.event_at, one.app_id, one.hash, it.attempts, delivery.received_at,
            delivery.plaintext, delivery.origin
        from unnest(taken.rows) it (
            due_at timestamptz, seq bigint, in_group boolean, day timestamptz, attempts smallint, event_ats timestamptz[],
            app_ids integer[], hashes bytea[]
        )
        cross join lateral unnest(it.event_ats, it.app_ids, it.hashes) one (event_at, app_id, hash)
        cross join lateral (
            select inbox.received_at, inbox.plaintext, inbox.origin from inbox
            where inbox.event_at = one.event_at and inbox.hash = one.hash and inbox.app_id = one.app_id
                and inbox.event_at >= taken.day and inbox.event_at < next_day
            offset 0
        ) delivery;
    end loop;
end
$$;

-- Processes of an earlier version go on claiming with this function until they are restarted. They would read a pulled
-- message as a callback and set it aside, so they get none: it waits for a process that can read it.
create or replace function claim_pending(since timestamptz, at_most bigint, days_max bigint)
returns table (
    due_at timestamptz, seq bigint, in_group boolean, event_at timestamptz, app_id integer, hash bytea, attempts smallint,
    received_at timestamptz, plaintext bytea
)
language plpgsql
set plan_cache_mode = force_custom_plan
as $$
declare
    claimed record;
begin
    for claimed in select * from claim_due(since, at_most, days_max) loop
        if claimed.origin <> 0 then
            insert into pending (due_at, event_at, app_id, attempts, hash)
            values (now() + interval '5 seconds', claimed.event_at, claimed.app_id, claimed.attempts, claimed.hash);
            continue;
        end if;
        due_at := claimed.due_at;
        seq := claimed.seq;
        in_group := claimed.in_group;
        event_at := claimed.event_at;
        app_id := claimed.app_id;
        hash := claimed.hash;
        attempts := claimed.attempts;
        received_at := claimed.received_at;
        plaintext := claimed.plaintext;
        return next;
    end loop;
end
$$;

alter table wechat_contact_record
    add column chat_id text collate "C",
    add column detail jsonb;
comment on column wechat_contact_record.chat_id is
    'The conversation, if it is more than one between two people: a customer group (wr…) or an account of WeChat customer service (wk…). | 所在会话（两人单聊以外）：客户群（wr…）或微信客服账号（wk…）。';
comment on column wechat_contact_record.detail is
    'What the summary in content leaves out, as WeCom sent it: forwarded items, coordinates, links. | content 摘要中省略的内容，按企业微信原样保存：转发的条目、坐标、链接等。';
alter table wechat_contact_record
    drop constraint wechat_contact_record_type_check,
    add constraint wechat_contact_record_type_check check (contact_type in (
        'text', 'image', 'voice', 'video', 'location', 'link', 'file', 'event', 'emotion', 'card', 'miniprogram', 'forward',
        'mixed', 'call', 'document', 'meeting', 'form', 'red_packet', 'channels', 'other'
    ));
create index wechat_contact_record_chat on wechat_contact_record (chat_id, contact_time) where chat_id is not null;

-- Recalled messages: a set that may know a recall before its message. Readers join it; no record is changed.
create table message_revocation (
    corpid     text not null,
    record_id  uuid not null,
    revoked_at timestamptz not null,
    by_whom    text collate "C" not null,
    constraint message_revocation_key primary key (corpid, record_id),
    constraint message_revocation_by_whom_check check (by_whom in ('customer', 'member'))
);
create index message_revocation_at on message_revocation (revoked_at);
comment on table message_revocation is
    'A message that was recalled. Its record stays as it was. | 已撤回的消息；其记录保持不变。';
comment on column message_revocation.corpid is 'The corp. | 企业。';
comment on column message_revocation.record_id is
    'The record (wechat_contact_record.id), which may not have arrived yet. | 对应的记录（wechat_contact_record.id），可能尚未到达。';
comment on column message_revocation.revoked_at is 'When it was first recalled. | 首次撤回的时间。';
comment on column message_revocation.by_whom is
    'Who recalled it: customer or member. | 撤回者：customer（客户）或 member（成员）。';
