-- Logging in to the console: who may, and the browsers that have.

-- Members who may log in, and as what.
create table console_user (
    corpid        text        not null,
    wechat_userid text collate "C" not null,
    role          text        not null,
    -- Whether they see their own customers and orders alone.
    own_only      boolean     not null default false,
    -- Who allowed it, and when.
    added_by      text        not null,
    added_at      timestamptz not null default now(),
    constraint console_user_key primary key (corpid, wechat_userid),
    constraint console_user_role check (role in ('viewer', 'operator', 'admin')),
    constraint console_user_own_only check (not own_only or role in ('viewer', 'operator'))
);

-- A browser that is logged in: as a member, or with a token. It counts only as long as that does.
create table console_session (
    id            bigint      not null generated always as identity,
    -- SHA-256 of the cookie; the cookie itself is not stored.
    hash          bytea       not null,
    corpid        text,
    wechat_userid text collate "C",
    token_id      integer,
    created_at    timestamptz not null default now(),
    -- To the minute.
    last_seen_at  timestamptz not null default now(),
    expires_at    timestamptz not null,
    ended_at      timestamptz,
    address       text        not null,
    user_agent    text        not null,
    constraint console_session_key primary key (id),
    constraint console_session_hash unique (hash),
    constraint console_session_of check ((token_id is null) = (corpid is not null and wechat_userid is not null))
);
create index console_session_of_member on console_session (corpid, wechat_userid) where ended_at is null;
create index console_session_expires_at on console_session (expires_at);

-- A key belongs to its caller: a token, or a session.
alter table idempotency_key add column caller text;
update idempotency_key set caller = 'token ' || token_id;
alter table idempotency_key
    drop constraint idempotency_key_key,
    drop column token_id,
    alter column caller set not null,
    add constraint idempotency_key_key primary key (caller, key);

-- The sessions that count: not ended, used within the hour, and whoever logged in still may; and what they see.
create view console_session_live as
select session.*, coalesce(allowed.role, token.role) as role, coalesce(session.wechat_userid, token.name) as name,
    -- Whose own it sees alone; null if it sees everything.
    case when token.own_only then token.corpid when allowed.own_only then session.corpid end as own_corpid,
    case when token.own_only then token.staff_id when allowed.own_only then bind.staff_id end as own_staff_id
from console_session session
left join console_user allowed
    on allowed.corpid = session.corpid and allowed.wechat_userid = session.wechat_userid
left join api_token token
    on token.id = session.token_id and token.revoked_at is null
        and (token.expires_at is null or token.expires_at > now())
left join member on member.corpid = session.corpid and member.wechat_userid = session.wechat_userid
left join staff_wechat_bind bind
    on bind.corpid = session.corpid and bind.wechat_userid = session.wechat_userid and bind.status = 'bound'
where session.ended_at is null and session.expires_at > now()
    and session.last_seen_at > now() - interval '1 hour'
    and coalesce(allowed.role, token.role) is not null
    -- Who is nobody of the business has nothing of their own.
    and (allowed.own_only is not true or bind.staff_id is not null)
    -- 2 is disabled, 5 has left.
    and coalesce(member.status, 1) not in (2, 5)
    and not coalesce(member.left_at >= coalesce(member.joined_at, '-infinity'), false);
