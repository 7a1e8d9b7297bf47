-- A staff member's own token may see their own customers and orders alone.

alter table api_token
    add column own_only boolean not null default false,
    add constraint api_token_own_only_check
        check (not own_only or (corpid is not null and staff_id is not null and role in ('viewer', 'operator')));

-- Whose message a picture, sound or film came with. An index that the corp leads would look as good as the key to a
-- planner that knows one corp alone.
create index wechat_contact_record_media on wechat_contact_record (media_id) where media_id is not null;
