-- Finds records by what they say: by pairs of neighbouring characters, since Chinese has no spaces and two characters are
-- often a word. The pairs are written behind recording, so that recording does not wait for them.

create table record_search (
    contact_time timestamptz not null,
    id           uuid not null,
    corpid       text not null,
    terms        text[] collate "C" not null,
    constraint record_search_key primary key (id, corpid, contact_time)
) partition by range (contact_time);
create table record_search_elsewhen partition of record_search default;
-- What was written last waits in a list that every search reads whole; it is kept short.
create index record_search_terms on record_search using gin (terms) with (gin_pending_list_limit = 256);
comment on table record_search is
    'What finds a record by its words; a row for each record that says something. | 按内容查找记录的索引；每条有内容的记录一行。';
comment on column record_search.contact_time is 'The record''s contact_time. | 记录的 contact_time。';
comment on column record_search.id is 'The record. | 记录。';
comment on column record_search.corpid is 'The corp. | 企业ID。';
comment on column record_search.terms is
    'Each pair of neighbouring characters in its content, and the day of the month and the hour in UTC (@31, @3123). | 内容中每两个相邻字符，以及 UTC 的日和小时（@31、@3123）。';

create table record_search_queue (
    id            bigint generated always as identity,
    contact_times timestamptz[] not null,
    ids           uuid[] not null,
    corpids       text[] not null,
    queued_at     timestamptz not null default now(),
    constraint record_search_queue_key primary key (id)
);
comment on table record_search_queue is
    'Records that were written and whose words are not findable yet; a row for each statement that wrote some. | 已写入、尚未可按内容查找的记录；每条写入语句一行。';
comment on column record_search_queue.id is 'The order of writing. | 写入次序。';
comment on column record_search_queue.contact_times is 'The records'' contact_time. | 各记录的 contact_time。';
comment on column record_search_queue.ids is 'The records. | 各记录。';
comment on column record_search_queue.corpids is 'Their corps. | 各记录的企业ID。';
comment on column record_search_queue.queued_at is 'When they were written. | 写入时间。';

create table record_search_backfill (
    alone        boolean not null default true,
    contact_time timestamptz,
    id           uuid,
    corpid       text,
    done_at      timestamptz,
    constraint record_search_backfill_key primary key (alone),
    constraint record_search_backfill_alone check (alone)
);
comment on table record_search_backfill is
    'How far the records from before there was a search are findable: from the latest back to this one. | 建立搜索之前的记录已处理到何处：由新到旧，到此记录为止。';
comment on column record_search_backfill.alone is 'True: there is one row. | 恒为真：仅一行。';
comment on column record_search_backfill.contact_time is 'The last record''s contact_time. | 最后处理的记录的 contact_time。';
comment on column record_search_backfill.id is 'The last record. | 最后处理的记录。';
comment on column record_search_backfill.corpid is 'Its corp. | 其企业ID。';
comment on column record_search_backfill.done_at is 'When all of them were. | 全部完成的时间。';
insert into record_search_backfill (done_at)
select case when not exists (select from wechat_contact_record) then now() end;

-- Whoever writes records queues them, also a process of an older version. Rows that move to another partition are not
-- written through the table, and stay findable.
create function queue_new_records() returns trigger language plpgsql as $$
begin
    insert into record_search_queue (contact_times, ids, corpids)
    select array_agg(contact_time), array_agg(id), array_agg(corpid)
    from written
    where contact_type <> 'event' and content <> ''
    having count(*) > 0;
    return null;
end
$$;
create function queue_changed_records() returns trigger language plpgsql as $$
begin
    insert into record_search_queue (contact_times, ids, corpids)
    select array_agg(contact_time), array_agg(id), array_agg(corpid)
    from written join former using (contact_time, id, corpid)
    where written.content <> former.content and written.contact_type <> 'event'
    having count(*) > 0;
    return null;
end
$$;
create trigger wechat_contact_record_queue_new after insert on wechat_contact_record
    referencing new table as written
    for each statement execute function queue_new_records();
create trigger wechat_contact_record_queue_changed after update on wechat_contact_record
    referencing old table as former new table as written
    for each statement execute function queue_changed_records();
comment on function queue_new_records() is
    'Queues new records, so that they become findable. | 将新记录排队，以便可按内容查找。';
comment on function queue_changed_records() is
    'Queues records whose content changed. | 将内容有变的记录排队。';
