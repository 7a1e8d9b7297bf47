-- Reports on customer groups and on tags.

create view reporting.contacts_by_tag as
select
    (coalesce(contact.first_contact_time, contact.status_at) at time zone 'Asia/Shanghai')::date as day, contact.corpid,
    given.tag_id, min(tag.name) as tag, min(tag_group.name) as tag_group, contact.wechat_userid,
    min(contact.staff_id) as staff_id, count(*) as contacts, count(contact.customer_id) as matched
from customer_wechat_contact contact
cross join lateral jsonb_array_elements_text(
    case jsonb_typeof(contact.card->'tag_ids') when 'array' then contact.card->'tag_ids' else '[]' end
) given (tag_id)
left join corp_tag tag on tag.corpid = contact.corpid and tag.id = given.tag_id
left join corp_tag tag_group on tag_group.corpid = contact.corpid and tag_group.id = tag.group_id
where contact.status in ('assumed', 'contacted')
group by 1, contact.corpid, given.tag_id, contact.wechat_userid;

create view reporting.group_activity as
select
    happened.day, happened.corpid, happened.chat_id, min(chat.name) as name, min(chat.owner_userid) as owner_userid,
    (
        select bind.staff_id from staff_wechat_bind bind
        where bind.corpid = happened.corpid and bind.wechat_userid = min(chat.owner_userid)
        order by bind.bound_at desc, bind.id desc limit 1
    ) as staff_id,
    sum(happened.joined)::bigint as joined, sum(happened.gone)::bigint as gone,
    sum(happened.messages)::bigint as messages, sum(happened.from_customers)::bigint as from_customers,
    sum(happened.writers)::bigint as writers
from (
    select (joined_at at time zone 'Asia/Shanghai')::date as day, corpid, chat_id, count(*) as joined, 0 as gone,
        0 as messages, 0 as from_customers, 0 as writers
    from group_member where joined_at is not null
    group by 1, corpid, chat_id
    union all
    select (left_at at time zone 'Asia/Shanghai')::date, corpid, chat_id, 0, count(*), 0, 0, 0
    from group_member where left_at is not null
    group by 1, corpid, chat_id
    union all
    select began.at::date, said.corpid, said.chat_id, 0, 0, said.messages, said.from_customers, said.writers
    from generate_series(timestamp '2013-01-01', now() at time zone 'Asia/Shanghai', interval '1 day') began (at)
    cross join lateral (
        select corpid, chat_id, count(*) as messages, count(external_userid) as from_customers,
            count(distinct sender) as writers
        from wechat_contact_record
        where contact_time >= began.at at time zone 'Asia/Shanghai'
            and contact_time < (began.at + interval '1 day') at time zone 'Asia/Shanghai'
            and chat_id is not null and starts_with(chat_id, 'wr') and contact_type <> 'event'
        group by corpid, chat_id
    ) said
) happened
left join group_chat chat on chat.corpid = happened.corpid and chat.chat_id = happened.chat_id
group by happened.day, happened.corpid, happened.chat_id;

comment on view reporting.contacts_by_tag is
    'Contacts that carry a tag of the company, by the day they became contacts, tag and staff member. | 带有企业标签的现有联系人,按成为联系人的日期、标签和员工。';
comment on column reporting.contacts_by_tag.day is 'The day they became contacts, in Asia/Shanghai. | 成为联系人的日期(北京时间)。';
comment on column reporting.contacts_by_tag.corpid is 'The corp. | 企业ID。';
comment on column reporting.contacts_by_tag.tag_id is 'The tag. | 标签ID。';
comment on column reporting.contacts_by_tag.tag is 'Its name; null until the list of tags is read. | 标签名;读取标签列表前为空。';
comment on column reporting.contacts_by_tag.tag_group is 'Its group''s name. | 标签组名。';
comment on column reporting.contacts_by_tag.wechat_userid is 'The member whose contacts they are. | 打标签的员工。';
comment on column reporting.contacts_by_tag.staff_id is
    'The staff member bound to it; null if nobody is. | 员工编号,未绑定为空。';
comment on column reporting.contacts_by_tag.contacts is 'How many contacts. | 联系人数。';
comment on column reporting.contacts_by_tag.matched is 'Of these, matched to a customer of the business. | 其中已匹配业务客户的。';

comment on view reporting.group_activity is
    'Who joined and left each customer group, and its messages, by day. | 客户群每天的入群、退群和消息。';
comment on column reporting.group_activity.day is 'The day, in Asia/Shanghai. | 日期(北京时间)。';
comment on column reporting.group_activity.corpid is 'The corp. | 企业ID。';
comment on column reporting.group_activity.chat_id is 'The group. | 客户群ID。';
comment on column reporting.group_activity.name is 'Its name; null until it is read. | 群名;读取前为空。';
comment on column reporting.group_activity.owner_userid is 'Who owns it now. | 现任群主。';
comment on column reporting.group_activity.staff_id is
    'The staff member last bound to the owner; null if nobody was. | 群主的员工编号,未绑定为空。';
comment on column reporting.group_activity.joined is
    'People whose last joining was on that day. | 最近一次入群在当天的人数。';
comment on column reporting.group_activity.gone is
    'People whose last leaving was on that day. | 最近一次退群在当天的人数。';
comment on column reporting.group_activity.messages is 'Messages, as far as the session archive has them. | 群消息数(需会话存档)。';
comment on column reporting.group_activity.from_customers is 'Of these, from customers. | 其中客户发送的。';
comment on column reporting.group_activity.writers is 'How many people wrote. | 发言人数。';
