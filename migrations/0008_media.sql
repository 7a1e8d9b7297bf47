-- Pictures, sounds, films and files that WeCom keeps for three days: what became of fetching them.

-- One media id of a message. There is no row while it is on its way: then a task `fetch_media` has it as its subject.
create table media (
    corpid       text not null,
    media_id     text collate "C" not null,
    -- fetched: the bytes are ours; gone: WeCom no longer has them; too_large: more than media.bytes_max;
    -- failed: WeCom would not give them. All but the first carry the reason.
    state        text not null,
    -- Its name within media.location, for fetched.
    location     text,
    content_type text,
    filename     text,
    bytes        bigint,
    sha256       bytea,
    fetched_at   timestamptz,
    reason       text,
    noted_at     timestamptz not null default now(),
    constraint media_key primary key (corpid, media_id),
    constraint media_state_check check (state in ('fetched', 'gone', 'too_large', 'failed')),
    constraint media_fetched_check check (
        (state = 'fetched') = (location is not null and content_type is not null and bytes is not null
            and sha256 is not null and fetched_at is not null)
    )
);
