-- Whether a record tells of a transfer stands in a column, and no longer in the words of its summary.
--
-- WeCom has one event name for two things: a member deletes a customer, or a transfer takes the customer away. Reports
-- told them apart by the summary that recording wrote, so another wording would have moved old transfers to the
-- deletions. From now on the words are for people alone.
--
-- Records may be many. Finding the transfers reads every partition, and is done before anything is locked, beside old
-- processes that still record. Then the column is added; it has a constant default, so no row is rewritten. From here on
-- recording waits, while callbacks are accepted and kept in the inbox. What old processes recorded since the first look
-- is looked for once more in the months that recording writes to, which is short.

create temporary table found_transfer as
select record.contact_time, record.id, record.corpid
from wechat_contact_record record
where record.contact_type = 'event'
    and record.event = 'change_external_contact/del_external_contact'
    and record.content = '客户已转接给其他员工';

alter table wechat_contact_record
    add column by_transfer boolean not null default false;
comment on column wechat_contact_record.by_transfer is
    'For change_external_contact/del_external_contact: true if a transfer took the customer away, false if the member deleted them. Reports count by it. | 仅用于 change_external_contact/del_external_contact 事件：true 表示客户被转接走，false 表示员工删除了客户；报表按此列统计。';

insert into found_transfer
select record.contact_time, record.id, record.corpid
from wechat_contact_record record
where record.contact_type = 'event'
    and record.event = 'change_external_contact/del_external_contact'
    and record.content = '客户已转接给其他员工'
    -- Two months, and what has no believable time.
    and (record.contact_time >= now() - interval '62 days' or record.contact_time < '2013-01-01 00:00+00')
    and not exists (
        select from found_transfer known
        where known.contact_time = record.contact_time and known.id = record.id and known.corpid = record.corpid
    );

-- One by one, by their keys: a join would be planned as another walk through every partition, now with the lock held.
do $$
declare
    found record;
begin
    for found in select contact_time, id, corpid from found_transfer loop
        update wechat_contact_record
        set by_transfer = true
        where contact_time = found.contact_time and id = found.id and corpid = found.corpid;
    end loop;
end
$$;
drop table found_transfer;

-- A process of an older version may go on recording for a while, and knows no column. It writes these words for a transfer
-- and never for anything else. The condition is checked without calling the function, so other records pay next to nothing.
create function mark_transfer() returns trigger language plpgsql as $$
begin
    new.by_transfer := true;
    return new;
end
$$;
create trigger wechat_contact_record_mark_transfer before insert or update of event, content on wechat_contact_record
    for each row
    when (
        not new.by_transfer
        and new.event = 'change_external_contact/del_external_contact'
        and new.content = '客户已转接给其他员工'
    )
    execute function mark_transfer();
comment on function mark_transfer() is
    'Marks the transfers that processes of versions without wechat_contact_record.by_transfer record. | 标记旧版本进程（不写 wechat_contact_record.by_transfer）记录的转接。';

-- As before, but for how a transfer is told.
create or replace view reporting.additions_and_losses as
select
    began.at::date as day, counted.corpid, counted.wechat_userid,
    (
        select staff_id from staff_wechat_bind bind
        where bind.wechat_userid = counted.wechat_userid and bind.corpid = counted.corpid
        order by bound_at desc, id desc
        limit 1
    ) as staff_id,
    counted.added, counted.half_added, counted.deleted_by_member, counted.lost, counted.transferred_out, counted.gone,
    counted.added - counted.deleted_by_member - counted.lost - counted.transferred_out - counted.gone as net
from generate_series(timestamp '2013-01-01', now() at time zone 'Asia/Shanghai', interval '1 day') began (at)
cross join lateral (
    select
        change.corpid, change.wechat_userid,
        count(*) filter (where change.kind = 'added') as added,
        count(*) filter (where change.kind = 'half_added') as half_added,
        count(*) filter (where change.kind = 'deleted_by_member') as deleted_by_member,
        count(*) filter (where change.kind = 'lost') as lost,
        count(*) filter (where change.kind = 'transferred_out') as transferred_out,
        count(*) filter (where change.kind = 'gone') as gone
    from (
        select
            corpid, wechat_userid,
            case
                when event = 'change_external_contact/add_external_contact' then 'added'
                when event = 'change_external_contact/add_half_external_contact' then 'half_added'
                when event = 'change_external_contact/del_follow_user' then 'lost'
                when by_transfer then 'transferred_out'
                else 'deleted_by_member'
            end as kind
        from wechat_contact_record
        where contact_time >= began.at at time zone 'Asia/Shanghai'
            and contact_time < (began.at + interval '1 day') at time zone 'Asia/Shanghai'
            and contact_type = 'event'
            and wechat_userid is not null
            and event in (
                'change_external_contact/add_external_contact', 'change_external_contact/add_half_external_contact',
                'change_external_contact/del_external_contact', 'change_external_contact/del_follow_user'
            )
        union all
        select corpid, wechat_userid, 'gone'
        from customer_wechat_contact
        where status = 'gone'
            and status_at >= began.at at time zone 'Asia/Shanghai'
            and status_at < (began.at + interval '1 day') at time zone 'Asia/Shanghai'
    ) change
    group by change.corpid, change.wechat_userid
) counted;
