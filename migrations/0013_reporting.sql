-- What analysts and BI tools read: views whose names and columns stay, and a role that reads them and nothing else.
--
-- A day is a day in Asia/Shanghai. Records lie in partitions by their time, so the views about them begin with a list of
-- days and look for the records of each one: whatever is asked of `day` thins out that list, and history that is not
-- asked for is never touched. The other tables have indexes on the day itself.
--
-- The views read with the rights of their owner; who may read them needs no right to any table. They hold no secret and
-- nothing of what was said.

create schema reporting;
comment on schema reporting is
    '报表视图:名称和列保持稳定;日期均为北京时间(Asia/Shanghai) / Views for reports: names and columns stay; days are days in Asia/Shanghai';

create index work_order_created_day on work_order (((created_at at time zone 'Asia/Shanghai')::date));
create index handover_detected_day on handover (((detected_at at time zone 'Asia/Shanghai')::date));
create index customer_wechat_contact_unmatched on customer_wechat_contact
    (((coalesce(first_contact_time, status_at) at time zone 'Asia/Shanghai')::date))
    where customer_id is null;
create index customer_wechat_contact_gone on customer_wechat_contact (status_at) where status = 'gone';

-- Records without a believable time (before 2013, or still to come) belong to no day.
create view reporting.contacts_by_staff_day as
select
    began.at::date as day, counted.corpid, counted.wechat_userid,
    (
        select staff_id from staff_wechat_bind bind
        where bind.wechat_userid = counted.wechat_userid and bind.corpid = counted.corpid
        order by bound_at desc, id desc
        limit 1
    ) as staff_id,
    counted.customers, counted.records, counted.messages, counted.events, counted.first_at, counted.last_at
from generate_series(timestamp '2013-01-01', now() at time zone 'Asia/Shanghai', interval '1 day') began (at)
cross join lateral (
    select
        talk.corpid, coalesce(talk.wechat_userid, owner.wechat_userid) as wechat_userid,
        count(distinct coalesce(talk.external_userid, person.external_userid, talk.customer_id)) as customers,
        sum(talk.records)::bigint as records, sum(talk.records - talk.events)::bigint as messages,
        sum(talk.events)::bigint as events, min(talk.first_at) as first_at, max(talk.last_at) as last_at
    from (
        select
            corpid, wechat_userid, external_userid, customer_id, count(*) as records,
            count(*) filter (where contact_type = 'event') as events,
            min(contact_time) as first_at, max(contact_time) as last_at
        from wechat_contact_record
        where contact_time >= began.at at time zone 'Asia/Shanghai'
            and contact_time < (began.at + interval '1 day') at time zone 'Asia/Shanghai'
            and (external_userid is not null or customer_id is not null)
        group by corpid, wechat_userid, external_userid, customer_id
    ) talk
    -- A customer's message names no member: it counts for the one whose contact they are, the latest if there are several.
    left join lateral (
        select contact.wechat_userid from customer_wechat_contact contact
        where talk.wechat_userid is null
            and contact.corpid = talk.corpid
            and contact.external_userid = talk.external_userid
        order by status = 'contacted' desc, first_contact_time desc nulls last, contact.wechat_userid
        limit 1
    ) owner on true
    -- What was written by hand names the customer as the business does.
    left join lateral (
        select contact.external_userid from customer_wechat_contact contact
        where talk.external_userid is null
            and contact.customer_id = talk.customer_id
            and contact.corpid = talk.corpid
        order by contact.external_userid
        limit 1
    ) person on true
    group by talk.corpid, coalesce(talk.wechat_userid, owner.wechat_userid)
) counted;

create view reporting.first_response_time as
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
        select corpid, external_userid, min(contact_time) as at
        from wechat_contact_record
        where contact_time >= began.at at time zone 'Asia/Shanghai'
            and contact_time < (began.at + interval '1 day') at time zone 'Asia/Shanghai'
            and sender = external_userid
            and contact_type <> 'event'
        group by corpid, external_userid
    ) asked
    -- The answer is in the records, or somebody wrote down that they called or met the customer.
    left join lateral (
        select found.at, found.wechat_userid from (
            (
                select record.contact_time as at, record.wechat_userid
                from wechat_contact_record record
                where record.corpid = asked.corpid
                    and record.external_userid = asked.external_userid
                    and record.contact_time > asked.at
                    and record.contact_time < asked.at + interval '7 days'
                    and record.contact_type <> 'event'
                    and record.sender <> asked.external_userid
                order by record.contact_time, record.id
                limit 1
            )
            union all
            (
                select record.contact_time, record.wechat_userid
                from (
                    select distinct contact.customer_id from customer_wechat_contact contact
                    where contact.corpid = asked.corpid
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
        select contact.wechat_userid from customer_wechat_contact contact
        where reply.wechat_userid is null
            and contact.corpid = asked.corpid
            and contact.external_userid = asked.external_userid
        order by status = 'contacted' desc, first_contact_time desc nulls last, contact.wechat_userid
        limit 1
    ) owner on true
    group by asked.corpid, coalesce(reply.wechat_userid, owner.wechat_userid)
) counted;

create view reporting.additions_and_losses as
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
        turn.corpid, turn.wechat_userid,
        count(*) filter (where turn.kind = 'added') as added,
        count(*) filter (where turn.kind = 'half_added') as half_added,
        count(*) filter (where turn.kind = 'deleted_by_member') as deleted_by_member,
        count(*) filter (where turn.kind = 'lost') as lost,
        count(*) filter (where turn.kind = 'transferred_out') as transferred_out,
        count(*) filter (where turn.kind = 'gone') as gone
    from (
        select
            corpid, wechat_userid,
            case
                when event = 'change_external_contact/add_external_contact' then 'added'
                when event = 'change_external_contact/add_half_external_contact' then 'half_added'
                when event = 'change_external_contact/del_follow_user' then 'lost'
                -- WeCom has one name for both; the summary that recording gave them differs.
                when content = '客户已转接给其他员工' then 'transferred_out'
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
    ) turn
    group by turn.corpid, turn.wechat_userid
) counted;

-- What became of the orders of a day. Who skipped a stage has passed it.
create view reporting.work_order_funnel as
select
    day, corpid, staff_id,
    count(*) as created,
    count(*) filter (where stage >= 2) as assigned,
    count(*) filter (where stage >= 3) as contacted,
    count(*) filter (where stage >= 4) as quoted,
    count(*) filter (where stage >= 5) as confirmed,
    count(*) filter (where stage >= 6) as done,
    count(*) filter (where state = 'cancelled') as cancelled,
    count(*) filter (where state not in ('done', 'cancelled')) as open,
    round(percentile_cont(0.5) within group (order by extract(epoch from met_at - created_at)))::bigint
        as to_contact_median_s
from (
    select
        (work.created_at at time zone 'Asia/Shanghai')::date as day, work.corpid, work.staff_id, work.state,
        work.created_at, coalesce(work.contacted_at, taken.met_at) as met_at, taken.stage
    from work_order work
    cross join lateral (
        select
            max(array_position(
                array['new', 'assigned', 'contacted', 'quoted', 'confirmed', 'done'], change.to_state
            )) as stage,
            min(change.at) filter (where change.to_state in ('contacted', 'quoted', 'confirmed', 'done')) as met_at
        from work_order_change change
        where change.work_order_id = work.id
    ) taken
) followed
group by day, corpid, staff_id;

create view reporting.handover_outcomes as
select
    (it.detected_at at time zone 'Asia/Shanghai')::date as day, it.corpid, it.id as handover_id, it.wechat_userid,
    it.staff_id, it.cause, it.state, counted.kind, counted.items, counted.done, counted.refused, counted.full_up,
    counted.gone, counted.failed, counted.cancelled, counted.under_way, it.left_at, it.submitted_at, it.finished_at
from handover it
cross join lateral (
    select
        last.kind,
        count(last.state) as items,
        count(*) filter (where last.state = 'done') as done,
        count(*) filter (where last.state = 'refused') as refused,
        count(*) filter (where last.state = 'full') as full_up,
        count(*) filter (where last.state = 'gone') as gone,
        count(*) filter (where last.state = 'failed') as failed,
        count(*) filter (where last.state = 'cancelled') as cancelled,
        count(*) filter (where last.state in ('open', 'planned', 'calling', 'waiting')) as under_way
    -- A handover in which there is nothing has a row, too.
    from (select) nothing
    left join (
        select distinct on (item.kind, item.subject) item.kind, item.state
        from handover_item item
        where item.handover_id = it.id
        order by item.kind, item.subject, item.round desc
    ) last on true
    group by last.kind
) counted;

create view reporting.message_volumes as
select
    began.at::date as day, counted.corpid, counted.contact_type, counted.messages, counted.from_customers,
    counted.from_members, counted.by_hand, counted.customers
from generate_series(timestamp '2013-01-01', now() at time zone 'Asia/Shanghai', interval '1 day') began (at)
cross join lateral (
    select
        corpid, contact_type, count(*) as messages,
        count(*) filter (where sender = external_userid) as from_customers,
        count(*) filter (where source <> 'manual' and sender is distinct from external_userid) as from_members,
        count(*) filter (where source = 'manual') as by_hand,
        count(distinct external_userid) as customers
    from wechat_contact_record
    where contact_time >= began.at at time zone 'Asia/Shanghai'
        and contact_time < (began.at + interval '1 day') at time zone 'Asia/Shanghai'
        and contact_type <> 'event'
    group by corpid, contact_type
) counted;

-- It leaves people out, so nobody's function may be asked before it has.
create view reporting.unmatched_customers with (security_barrier) as
select
    (coalesce(contact.first_contact_time, contact.status_at) at time zone 'Asia/Shanghai')::date as day, contact.corpid,
    contact.external_userid, contact.nickname, contact.wechat_userid, contact.staff_id, contact.status, contact.state,
    contact.add_way, coalesce(contact.first_contact_time, contact.status_at) as known_since, contact.last_contact_time,
    coalesce((
        select cardinality(candidates) from customer_match open
        where open.corpid = contact.corpid and open.external_userid = contact.external_userid and open.decided_at is null
    ), 0) as candidates
from customer_wechat_contact contact
where contact.customer_id is null and contact.status in ('assumed', 'contacted');

comment on view reporting.contacts_by_staff_day is
    '每位员工每天与多少客户有往来 / how many customers each staff member was in contact with, by day';
comment on column reporting.contacts_by_staff_day.day is '日期(北京时间) / the day, in Asia/Shanghai';
comment on column reporting.contacts_by_staff_day.corpid is '企业ID / the corp';
comment on column reporting.contacts_by_staff_day.wechat_userid is
    '员工的企业微信账号;客户的消息不带员工,计入该客户所属的员工,没有则为空 / the staff member, as WeCom names them; a customer''s message names nobody and counts for the member whose contact they are, null if there is none';
comment on column reporting.contacts_by_staff_day.staff_id is
    '员工编号(最近一次绑定),未绑定为空 / the staff member last bound to it; null if nobody was';
comment on column reporting.contacts_by_staff_day.customers is '有往来的客户数(去重) / customers, each counted once';
comment on column reporting.contacts_by_staff_day.records is '沟通记录数 / contact records';
comment on column reporting.contacts_by_staff_day.messages is
    '其中的消息和手工记录 / of these, messages and what was written by hand';
comment on column reporting.contacts_by_staff_day.events is
    '其中的关系变化(添加、删除等) / of these, turns in the relation: added, deleted and the like';
comment on column reporting.contacts_by_staff_day.first_at is '当天第一条记录的时间 / the first record of the day';
comment on column reporting.contacts_by_staff_day.last_at is '当天最后一条记录的时间 / the last record of the day';

comment on view reporting.first_response_time is
    '客户当天第一条消息到员工首次回复的时间 / from a customer''s first message of a day to the first answer';
comment on column reporting.first_response_time.day is
    '客户发出消息的日期(北京时间) / the day on which the customer wrote, in Asia/Shanghai';
comment on column reporting.first_response_time.corpid is '企业ID / the corp';
comment on column reporting.first_response_time.wechat_userid is
    '回复的员工;无人回复时为客户所属的员工 / who answered; if nobody has, the member whose contact the customer is';
comment on column reporting.first_response_time.staff_id is
    '员工编号(最近一次绑定),未绑定为空 / the staff member last bound to it; null if nobody was';
comment on column reporting.first_response_time.conversations is '当天发来消息的客户数 / customers who wrote on that day';
comment on column reporting.first_response_time.answered is '七天内得到回复的数量 / of these, answered within seven days';
comment on column reporting.first_response_time.median_s is
    '首次回复时间的中位数(秒),只计已回复的 / the median of the time to the answer, in seconds, of those answered';
comment on column reporting.first_response_time.p90_s is '首次回复时间的 90 分位(秒) / its 90th percentile, in seconds';
comment on column reporting.first_response_time.longest_s is '最长的首次回复时间(秒) / the longest, in seconds';

comment on view reporting.additions_and_losses is
    '每位员工每天新增和流失的客户 / customers won and lost, by staff member and day';
comment on column reporting.additions_and_losses.day is '日期(北京时间) / the day, in Asia/Shanghai';
comment on column reporting.additions_and_losses.corpid is '企业ID / the corp';
comment on column reporting.additions_and_losses.wechat_userid is '员工的企业微信账号 / the staff member, as WeCom names them';
comment on column reporting.additions_and_losses.staff_id is
    '员工编号(最近一次绑定),未绑定为空 / the staff member last bound to it; null if nobody was';
comment on column reporting.additions_and_losses.added is '成为联系人 / became contacts';
comment on column reporting.additions_and_losses.half_added is
    '客户单方添加,待员工确认;不计入净增 / added the member, who has not confirmed it yet; not part of net';
comment on column reporting.additions_and_losses.deleted_by_member is '员工删除了客户 / deleted by the member';
comment on column reporting.additions_and_losses.lost is '客户删除了员工 / deleted the member';
comment on column reporting.additions_and_losses.transferred_out is '已转接给其他员工 / handed over to somebody else';
comment on column reporting.additions_and_losses.gone is
    '没有回调,由对账发现已不是联系人 / ended without a callback, found by reconciling';
comment on column reporting.additions_and_losses.net is '净增:新增减去各种流失 / net: added, less all that ended';

comment on view reporting.work_order_funnel is
    '某天创建的工单如今走到哪一步;跳过的阶段视为已经过 / how far the work orders made on a day have come by now; a stage that was skipped counts as passed';
comment on column reporting.work_order_funnel.day is '创建日期(北京时间) / the day of making, in Asia/Shanghai';
comment on column reporting.work_order_funnel.corpid is '企业ID / the corp';
comment on column reporting.work_order_funnel.staff_id is
    '目前负责的员工,未分配为空 / the staff member now in charge; null if there is none';
comment on column reporting.work_order_funnel.created is '创建的工单数 / work orders made';
comment on column reporting.work_order_funnel.assigned is '已分配 / assigned';
comment on column reporting.work_order_funnel.contacted is '已联系客户 / contacted';
comment on column reporting.work_order_funnel.quoted is '已报价 / quoted';
comment on column reporting.work_order_funnel.confirmed is '已确认 / confirmed';
comment on column reporting.work_order_funnel.done is '已完成 / done';
comment on column reporting.work_order_funnel.cancelled is '已取消 / cancelled';
comment on column reporting.work_order_funnel.open is '尚未完成也未取消 / neither done nor cancelled';
comment on column reporting.work_order_funnel.to_contact_median_s is
    '从创建到联系上客户的中位时间(秒) / the median time from making to contact, in seconds';

comment on view reporting.handover_outcomes is
    '每次工作交接的结果,按交接内容分类;每项只计最后一轮 / what became of each handover, by what was handed over; of each item the last round counts';
comment on column reporting.handover_outcomes.day is '交接开始的日期(北京时间) / the day on which it began, in Asia/Shanghai';
comment on column reporting.handover_outcomes.corpid is '企业ID / the corp';
comment on column reporting.handover_outcomes.handover_id is '交接编号 / the handover''s number';
comment on column reporting.handover_outcomes.wechat_userid is '交出方的企业微信账号 / who hands over, as WeCom names them';
comment on column reporting.handover_outcomes.staff_id is '交出方的员工编号 / their staff id';
comment on column reporting.handover_outcomes.cause is
    '原因:left 已离职,resignation 离职申请,transfer 在职转接 / why: left, resignation, or transfer between people who stay';
comment on column reporting.handover_outcomes.state is '交接的状态 / how far the handover is';
comment on column reporting.handover_outcomes.kind is
    '内容:customer 客户,order 工单,group 客户群;没有内容为空 / what: customer, order or group; null if there is nothing in it';
comment on column reporting.handover_outcomes.items is '项数 / how many';
comment on column reporting.handover_outcomes.done is '已由接替人接手 / the successor has them';
comment on column reporting.handover_outcomes.refused is '客户拒绝 / the customer refused';
comment on column reporting.handover_outcomes.full_up is '接替人的客户数已满 / the successor may have no more customers';
comment on column reporting.handover_outcomes.gone is '已不归交出方所有 / no longer the leaver''s to hand over';
comment on column reporting.handover_outcomes.failed is '无法交接 / cannot be handed over';
comment on column reporting.handover_outcomes.cancelled is '交接取消 / called off';
comment on column reporting.handover_outcomes.under_way is '尚无结果 / still to end';
comment on column reporting.handover_outcomes.left_at is '离职时间 / when they left';
comment on column reporting.handover_outcomes.submitted_at is '提交给企业微信的时间 / when it was submitted to WeCom';
comment on column reporting.handover_outcomes.finished_at is '结束时间 / when it ended';

comment on view reporting.message_volumes is
    '每天各类消息的数量 / messages by type and day';
comment on column reporting.message_volumes.day is '日期(北京时间) / the day, in Asia/Shanghai';
comment on column reporting.message_volumes.corpid is '企业ID / the corp';
comment on column reporting.message_volumes.contact_type is
    '消息类型:text、image、voice、video、location、link、file / the type: text, image, voice, video, location, link or file';
comment on column reporting.message_volumes.messages is '消息数 / messages';
comment on column reporting.message_volumes.from_customers is '客户发来的 / of these, from customers';
comment on column reporting.message_volumes.from_members is
    '员工发出的(包括发给应用的) / of these, from staff members, to an app included';
comment on column reporting.message_volumes.by_hand is '手工记录的 / of these, written down by hand';
comment on column reporting.message_volumes.customers is
    '涉及的客户数(去重) / customers in them, each counted once; those of records by hand are left out';

comment on view reporting.unmatched_customers is
    '尚未对应到业务客户的联系人,每位客户与每位员工一行 / contacts not matched to a customer of the business, a row for each customer and member';
comment on column reporting.unmatched_customers.day is
    '首次得知的日期(北京时间) / the day on which they became known, in Asia/Shanghai';
comment on column reporting.unmatched_customers.corpid is '企业ID / the corp';
comment on column reporting.unmatched_customers.external_userid is '客户的企业微信ID / the customer, as WeCom names them';
comment on column reporting.unmatched_customers.nickname is '客户昵称 / the customer''s nickname';
comment on column reporting.unmatched_customers.wechat_userid is '员工的企业微信账号 / the staff member, as WeCom names them';
comment on column reporting.unmatched_customers.staff_id is
    '员工编号(最近一次绑定),未绑定为空 / the staff member last bound to it; null if nobody was';
comment on column reporting.unmatched_customers.status is
    'contacted 是联系人,assumed 仅由编辑得知 / contacted, or assumed from an edit';
comment on column reporting.unmatched_customers.state is '渠道参数 / the channel through which they came';
comment on column reporting.unmatched_customers.add_way is '添加方式(企业微信的编号) / how they were added, as WeCom numbers it';
comment on column reporting.unmatched_customers.known_since is
    '首次联系的时间,未知则为得知的时间 / the first contact, or when we learnt of it';
comment on column reporting.unmatched_customers.last_contact_time is '最近联系的时间 / the last contact';
comment on column reporting.unmatched_customers.candidates is
    '可能对应的业务客户数;0 为没有线索 / how many customers of the business it may be; 0 if nothing leads to any';

-- Names of roles cannot be parameters. These two are the one place where they are put into statements.

-- Lets a role read the views and nothing else; makes it with that password if there is none. True if it was made.
create function reporting_grant(name text, password text) returns boolean language plpgsql as $$
declare
    made boolean := not exists (select from pg_roles where rolname = name);
begin
    if name !~ '^[a-z_][a-z0-9_]{0,62}$' or name ~ '^pg_' or name = 'public' then
        raise exception 'a role''s name has small letters, digits and underscores, and does not begin with pg_'
            using errcode = 'invalid_name';
    end if;
    if not exists (select from pg_roles where rolname = current_user and (rolsuper or rolcreaterole)) then
        raise exception 'database user % may not make roles: `alter role % createrole`, or use another --database-url',
            current_user, current_user using errcode = 'insufficient_privilege';
    end if;
    if made then
        execute format('create role %I login password %L', name, password);
    elsif exists (
        select from pg_roles
        where rolname = name
            and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
                or pg_has_role(oid, current_user, 'member'))
    ) then
        raise exception 'role % may do more than read: name another one', name
            using errcode = 'invalid_grant_operation';
    end if;
    execute format('grant connect on database %I to %I', current_database(), name);
    execute format('grant usage on schema reporting to %I', name);
    execute format('grant select on all tables in schema reporting to %I', name);
    execute format('alter default privileges in schema reporting grant select on tables to %I', name);
    -- A question that walks years shall end. And to the planner, which cannot tell how few days are asked for, every view
    -- looks so costly that it would compile for a second what runs for a tenth of one.
    execute format('alter role %I in database %I set statement_timeout = ''60s''', name, current_database());
    execute format('alter role %I in database %I set default_transaction_read_only = on', name, current_database());
    execute format('alter role %I in database %I set jit = off', name, current_database());
    return made;
end
$$;

-- Takes that back; the role itself stays. False if there is no such role.
create function reporting_revoke(name text) returns boolean language plpgsql as $$
begin
    if not exists (select from pg_roles where rolname = name) then
        return false;
    end if;
    execute format('alter default privileges in schema reporting revoke select on tables from %I', name);
    execute format('revoke select on all tables in schema reporting from %I', name);
    execute format('revoke usage on schema reporting from %I', name);
    execute format('revoke connect on database %I from %I', current_database(), name);
    execute format('alter role %I in database %I reset statement_timeout', name, current_database());
    execute format('alter role %I in database %I reset default_transaction_read_only', name, current_database());
    execute format('alter role %I in database %I reset jit', name, current_database());
    return true;
end
$$;

revoke execute on function reporting_grant(text, text), reporting_revoke(text) from public;
