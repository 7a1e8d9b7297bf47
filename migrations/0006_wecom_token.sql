-- How we prove to WeCom who calls, and how staff prove to us who they are.

-- The access token of one corp and secret, shared by all processes. Whoever refreshes it holds the row, so that one of
-- them asks WeCom and the others take what it got. A new secret has another hash, hence a row of its own: nothing that
-- was said about the old one holds it up.
create table wecom_token (
    corpid        text not null,
    -- SHA-256 of corpid and secret.
    secret_hash   bytea not null,
    -- The token, sealed for this row; null if there was none yet.
    token         bytea,
    -- Grows by one whenever the token becomes another. A writer with an older number changes nothing.
    generation    bigint not null default 0,
    -- WeCom did not accept it.
    rejected      boolean not null default false,
    expires_at    timestamptz,
    refreshed_at  timestamptz,
    -- How often in a row WeCom refused to make one, what it said last, and until when nobody asks again.
    refusals      integer not null default 0,
    refused_code  bigint,
    refused_words text,
    blocked_until timestamptz,
    created_at    timestamptz not null default now(),
    constraint wecom_token_key primary key (corpid, secret_hash)
);

-- A link by which a staff member binds themselves: whoever logs in with it is bound to this staff id. It works once.
create table login_state (
    -- SHA-256 of the state in the link; the state itself is not stored.
    state_hash bytea not null,
    corpid     text not null,
    app_id     integer not null,
    staff_id   text not null,
    expires_at timestamptz not null,
    constraint login_state_key primary key (state_hash)
);
create index login_state_expires_at on login_state (expires_at);
