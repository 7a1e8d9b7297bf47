-- Sessions have a bound: how many of a member or a token are open, and how many are made in a minute.

-- Both are counted by whom a session is of, the latest first.
create index console_session_made_by_token on console_session (token_id, created_at) where token_id is not null;
create index console_session_made_by_member on console_session (corpid, wechat_userid, created_at)
    where token_id is null;
