-- A repeated request's line in the access log says what the first one's does; and which deliveries still come under
-- callback keys that were replaced.

alter table idempotency_key
    add column subject  text not null default '',
    add column customer text not null default '';

-- How many deliveries of an app came under its keys before the current ones, by when the current ones were set.
create table callback_key_use (
    app_id     integer     not null references enterprise_wechat_config,
    rotated_at timestamptz not null,
    deliveries bigint      not null,
    last_at    timestamptz not null,
    constraint callback_key_use_key primary key (app_id, rotated_at)
);
