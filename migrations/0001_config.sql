-- Who we listen for, and who may ask us.

-- One app of one corp: its callback URL is /callback/{name}.
-- secret, token and encoding_aes_key are sealed (AES-256-GCM, bound to row and column) and never leave the program.
-- While callback keys are rotated, the previous pair stays valid until previous_until.
create table enterprise_wechat_config (
    id                        integer generated always as identity primary key,
    name                      text not null,
    corpid                    text not null,
    agentid                   text not null default '',
    secret                    bytea,
    token                     bytea not null,
    encoding_aes_key          bytea not null,
    previous_token            bytea,
    previous_encoding_aes_key bytea,
    previous_until            timestamptz,
    -- The receiveids that a callback may carry; null means the corpid alone, {''} means it must be empty.
    receive_ids               text[],
    welcome_message           text,
    -- [{"on": "text" | "enter_agent", "contains": "…"?, "reply": "…"}], the first that fits answers.
    auto_reply                jsonb not null default '[]',
    status                    text not null default 'enabled',
    secret_rotated_at         timestamptz,
    keys_rotated_at           timestamptz not null default now(),
    created_at                timestamptz not null default now(),
    updated_at                timestamptz not null default now(),
    constraint enterprise_wechat_config_name_key unique (name),
    constraint enterprise_wechat_config_name_check check (name ~ '^[a-z0-9][a-z0-9-]{0,63}$'),
    constraint enterprise_wechat_config_status_check check (status in ('enabled', 'disabled'))
);

-- Who may call the admin API. The token itself is shown once and never stored.
create table api_token (
    id           integer generated always as identity primary key,
    name         text not null,
    role         text not null,
    hash         bytea not null,
    prefix       text not null,
    created_at   timestamptz not null default now(),
    revoked_at   timestamptz,
    constraint api_token_hash_key unique (hash),
    constraint api_token_role_check check (role in ('admin', 'operator', 'viewer'))
);

-- Who did what to which subject: every admin request, reads included. Only ever appended to.
create table access_log (
    id         bigint generated always as identity primary key,
    at         timestamptz not null default now(),
    token_id   integer,
    who        text not null,
    role       text not null,
    method     text not null,
    route      text not null,
    subject    text not null,
    status     smallint not null,
    request_id uuid not null,
    address    text not null
);
create index access_log_at on access_log (at);
