-- A conversation counts once: all of a customer's private channels (an app, 微信客服, the session archive) are one, and each
-- group is one of its own. In a group a member's message names no customer, so an answer is whatever a member says there.

create or replace view reporting.first_response_time as
select
    began.at::date as day, counted.corpid, counted.wechat_userid,
    (
        select staff_id from staff_wechat_bind bind
        where bind.wechat_userid = counted.wechat_userid and bind.corpid = counted.corpid
        order by bound_at desc, id desc
        limit 1
    ) as staff_id,
    counted.conversations, counted.answered, counted.median_s, counted.p90_s, counted.longest_s
from generate_series(timestamp '2013-01-01', now() at time zone 'Asia/Shanghai', interval '1 day') began (at)
cross join lateral (
    select
        asked.corpid, coalesce(reply.wechat_userid, owner.wechat_userid) as wechat_userid,
        count(*) as conversations, count(reply.at) as answered,
        round(percentile_cont(0.5) within group (order by extract(epoch from reply.at - asked.at)))::bigint as median_s,
        round(percentile_cont(0.9) within group (order by extract(epoch from reply.at - asked.at)))::bigint as p90_s,
        round(max(extract(epoch from reply.at - asked.at)))::bigint as longest_s
    from (
        select corpid, external_userid, room, min(contact_time) as at
        from (
            select
                corpid, external_userid, contact_time,
                case when starts_with(chat_id, 'wr') then chat_id end as room
            from wechat_contact_record
            where contact_time >= began.at at time zone 'Asia/Shanghai'
                and contact_time < (began.at + interval '1 day') at time zone 'Asia/Shanghai'
                and sender = external_userid
                and contact_type <> 'event'
        ) said
        group by corpid, external_userid, room
    ) asked
    -- The answer is in the records, or somebody wrote down that they called or met the customer.
    left join lateral (
        select found.at, found.wechat_userid from (
            (
                select record.contact_time as at, record.wechat_userid
                from wechat_contact_record record
                where asked.room is null
                    and record.corpid = asked.corpid
                    and record.external_userid = asked.external_userid
                    and record.contact_time > asked.at
                    and record.contact_time < asked.at + interval '7 days'
                    and record.contact_type <> 'event'
                    and record.sender <> asked.external_userid
                    and not starts_with(coalesce(record.chat_id, ''), 'wr')
                order by record.contact_time, record.id
                limit 1
            )
            union all
            (
                select record.contact_time, record.wechat_userid
                from wechat_contact_record record
                where record.chat_id = asked.room
                    and record.corpid is not distinct from asked.corpid
                    and record.contact_time > asked.at
                    and record.contact_time < asked.at + interval '7 days'
                    and record.contact_type <> 'event'
                    and record.external_userid is null
                order by record.contact_time, record.id
                limit 1
            )
            union all
            (
                select record.contact_time, record.wechat_userid
                from (
                    select distinct contact.customer_id from customer_wechat_contact contact
                    where asked.room is null
                        and contact.corpid = asked.corpid
                        and contact.external_userid = asked.external_userid
                        and contact.customer_id is not null
                ) named
                cross join lateral (
                    select record.contact_time, record.wechat_userid from wechat_contact_record record
                    where record.corpid = asked.corpid
                        -- The contact's is collated "C", and an index finds a text in its own collation alone.
                        and record.customer_id = named.customer_id collate "default"
                        and record.contact_time > asked.at
                        and record.contact_time < asked.at + interval '7 days'
                    order by record.contact_time, record.id
                    limit 1
                ) record
            )
        ) found
        order by found.at, found.wechat_userid
        limit 1
    ) reply on true
    left join lateral (
        select whose.wechat_userid from (
            (
                select contact.wechat_userid from customer_wechat_contact contact
                where asked.room is null
                    and contact.corpid = asked.corpid
                    and contact.external_userid = asked.external_userid
                order by status = 'contacted' desc, first_contact_time desc nulls last, contact.wechat_userid
                limit 1
            )
            union all
            (
                select chat.owner_userid from group_chat chat
                where chat.corpid = asked.corpid and chat.chat_id = asked.room
            )
        ) whose
        where reply.wechat_userid is null
        limit 1
    ) owner on true
    group by asked.corpid, coalesce(reply.wechat_userid, owner.wechat_userid)
) counted;

comment on column reporting.first_response_time.conversations is
    'Conversations in which a customer wrote on that day: all private channels of a customer are one, and each customer in each group is one. | 当天有客户发来消息的会话数:同一客户的所有单聊渠道算一个,每位客户在每个群中各算一个。';
