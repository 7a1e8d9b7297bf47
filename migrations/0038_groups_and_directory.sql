-- What callbacks and WeCom's lists say of customer groups, customer tags, departments, approvals, and of the app itself.

-- A group of members and customers. A callback only says that it exists, changed or was dissolved; the rest is read.
create table group_chat (
    corpid       text not null,
    chat_id      text collate "C" not null,
    made_at      timestamptz,
    dismissed_at timestamptz,
    -- name, owner, notice, admins and member_version, as WeCom gave them at card_at.
    card         jsonb,
    card_at      timestamptz,
    -- 0 normal, 1 its owner has left, 2 somebody is taking it over, 3 somebody has: a register of its own, since the list of
    -- groups says it and the group's card does not.
    status       smallint,
    status_at    timestamptz,
    name         text generated always as (card->>'name') stored,
    owner_userid text generated always as (card->>'owner') stored,
    constraint group_chat_key primary key (corpid, chat_id)
);
-- Ids are unique, and are looked up without their corp.
create index group_chat_id on group_chat (chat_id);
create index group_chat_owner on group_chat (owner_userid);
-- Lists show the latest group first.
create index group_chat_made on group_chat (coalesce(made_at, '-infinity'), corpid, chat_id);

-- Who is or was in a group. They are in it if joined_at is later than left_at.
create table group_member (
    corpid         text not null,
    chat_id        text collate "C" not null,
    -- A userid or an external_userid: callbacks do not say which.
    person         text collate "C" not null,
    joined_at      timestamptz,
    join_scene     smallint,
    left_at        timestamptz,
    quit_scene     smallint,
    -- The last reading that named them, and what it said.
    named_at       timestamptz,
    kind           smallint,
    name           text,
    unionid        text,
    state          text,
    invitor_userid text,
    constraint group_member_key primary key (corpid, chat_id, person)
);
-- Found in any spelling; customers' ids as well.
create index group_member_person on group_member (userid_key(person));
create index group_member_invitor on group_member (invitor_userid) where invitor_userid is not null;

-- The company's tags for customers, and their groups: what the last reading of the whole list named.
create table corp_tag (
    corpid     text not null,
    id         text collate "C" not null,
    kind       text collate "C" not null,
    group_id   text collate "C",
    name       text not null,
    position   bigint not null,
    deleted_at timestamptz,
    read_at    timestamptz not null,
    constraint corp_tag_key primary key (corpid, id),
    constraint corp_tag_kind_check check (kind in ('tag', 'tag_group'))
);

-- A department exists if named_at is later than removed_at.
create table department (
    corpid     text not null,
    id         bigint not null,
    name       text,
    name_at    timestamptz,
    parent_id  bigint,
    parent_at  timestamptz,
    named_at   timestamptz,
    removed_at timestamptz,
    constraint department_key primary key (corpid, id)
);

-- Forms of the approval engine, as far as callbacks describe them.
create table approval (
    corpid           text not null,
    engine           text collate "C" not null,
    number           text collate "C" not null,
    template_id      text,
    name             text,
    applicant_userid text,
    applied_at       timestamptz,
    status           integer not null,
    status_at        timestamptz not null,
    constraint approval_key primary key (corpid, engine, number),
    constraint approval_engine_check check (engine in ('own', 'system'))
);

-- What WeCom warned of. An alert stands if said_at is later than ended_at.
create table app_alert (
    corpid   text not null,
    app_id   integer not null,
    kind     text collate "C" not null,
    said_at  timestamptz,
    -- When an announced change takes effect, in the latest warning.
    takes_effect_at timestamptz,
    -- The link, or the quota that expires, in the latest warning.
    detail   text,
    ended_at timestamptz,
    constraint app_alert_key primary key (corpid, app_id, kind),
    constraint app_alert_kind_check check (kind in (
        'acquisition_balance', 'acquisition_link', 'acquisition_quota', 'platform_addresses', 'restricted',
        'restriction_announced', 'suspended', 'suspension_announced'
    ))
);

-- The form of the 审批 app that made a resignation: it makes one at most.
alter table resignation add column approval_number text;
create unique index resignation_approval on resignation (corpid, approval_number) where approval_number is not null;

-- A member who came back into the app's visible range: a hint of an earlier time says nothing any more.
alter table member add column subscribed_at timestamptz;

-- Reading the groups of the members who serve customers, and the names of departments.
alter table sync_run
    drop constraint sync_run_phase_check,
    add constraint sync_run_phase_check check (phase in (
        'departments', 'members', 'staff', 'customers', 'unassigned', 'group_chats', 'department_names', 'compare', 'end'
    )),
    add column group_chats    integer not null default 0,
    add column group_chats_at timestamptz;

-- The tags of a contact: ids from the card, names from the list of tags.
create view contact_tag as
    select
        contact.corpid, contact.external_userid, contact.wechat_userid, contact.staff_id, contact.customer_id,
        given.tag_id, tag.name, tag.group_id, tag_group.name as group_name
    from customer_wechat_contact contact
    cross join lateral jsonb_array_elements_text(
        case jsonb_typeof(contact.card->'tag_ids') when 'array' then contact.card->'tag_ids' else '[]' end
    ) given (tag_id)
    left join corp_tag tag on tag.corpid = contact.corpid and tag.id = given.tag_id
    left join corp_tag tag_group on tag_group.corpid = contact.corpid and tag_group.id = tag.group_id
    where contact.status in ('assumed', 'contacted');

comment on table group_chat is 'A customer group. | 一个客户群。';
comment on column group_chat.corpid is 'The corp. | 企业 ID。';
comment on column group_chat.chat_id is 'WeCom''s id of the group (wr…). | 客户群 ID(wr…)。';
comment on column group_chat.made_at is
    'When it was made; null if nothing said so. | 创建时间;未知时为空。';
comment on column group_chat.dismissed_at is 'When it was dissolved; null while it exists. | 解散时间;未解散为空。';
comment on column group_chat.card is
    'What WeCom last said of it: name, owner, notice, admins, member_version; null until it is read. | 最近一次读取的群信息:群名、群主、公告、管理员、成员版本;读取前为空。';
comment on column group_chat.card_at is 'When the card was read. | 群信息的读取时间。';
comment on column group_chat.status is
    'Whether its owner is there: 0 yes, 1 has left, 2 and 3 somebody is taking it over, or has. | 跟进人状态:0 正常,1 跟进人离职,2 离职继承中,3 离职继承完成。';
comment on column group_chat.status_at is 'The time of the status. | 状态的时间。';
comment on column group_chat.name is 'The name in the card. | 群名。';
comment on column group_chat.owner_userid is 'The owner in the card. | 群主的 userid。';

comment on table group_member is
    'A member or customer who is or was in a group; in it if joined_at is later than left_at. | 客户群的现有或曾有成员;joined_at 晚于 left_at 表示在群中。';
comment on column group_member.corpid is 'The corp. | 企业 ID。';
comment on column group_member.chat_id is 'The group (group_chat.chat_id). | 客户群 ID(group_chat.chat_id)。';
comment on column group_member.person is 'Their userid or external_userid. | 成员的 userid 或客户的 external_userid。';
comment on column group_member.joined_at is 'When they last joined. | 最近一次入群时间。';
comment on column group_member.join_scene is
    'How, as WeCom numbers it: 1 invited, 2 by a link, 3 by the group''s code; a callback says 0 for invited. | 入群方式:1 邀请,2 链接,3 群二维码;回调中 0 表示邀请。';
comment on column group_member.left_at is
    'When they last left; the time of the reading if only a reading showed it. | 最近一次退群时间;仅由读取得知时为读取时间。';
comment on column group_member.quit_scene is 'How: 0 by themselves, 1 removed. | 退群方式:0 自己退群,1 被移出。';
comment on column group_member.named_at is 'The last reading that named them. | 最近一次读取到该成员的时间。';
comment on column group_member.kind is
    '1 a member, 2 a customer; null until it is read. | 1 企业成员,2 外部联系人;读取前为空。';
comment on column group_member.name is 'Their name in the group, as read. | 群内名称(读取所得)。';
comment on column group_member.unionid is 'Their unionid, as read. | unionid(读取所得)。';
comment on column group_member.state is 'The state of the way by which they joined. | 入群方式的 state。';
comment on column group_member.invitor_userid is 'The member who invited them. | 邀请人的 userid。';

comment on table corp_tag is 'A tag for customers, or a group of such tags. | 企业客户标签或标签组。';
comment on column corp_tag.corpid is 'The corp. | 企业 ID。';
comment on column corp_tag.id is 'WeCom''s id of the tag or group. | 标签或标签组 ID。';
comment on column corp_tag.kind is 'tag or tag_group. | tag(标签)或 tag_group(标签组)。';
comment on column corp_tag.group_id is 'The tag''s group (corp_tag.id). | 所属标签组(corp_tag.id)。';
comment on column corp_tag.name is 'Its name. | 名称。';
comment on column corp_tag.position is 'Its sort order; greater ones come first. | 排序值;值大者在前。';
comment on column corp_tag.deleted_at is
    'When a reading first did not name it any more; null while it exists. | 首次未再读取到的时间;存在时为空。';
comment on column corp_tag.read_at is 'The last reading that named it. | 最近一次读取到的时间。';

comment on table department is
    'A department of the directory; it exists if named_at is later than removed_at. | 通讯录部门;named_at 晚于 removed_at 表示存在。';
comment on column department.corpid is 'The corp. | 企业 ID。';
comment on column department.id is 'WeCom''s number; 1 is the whole company. | 部门 ID;1 为根部门。';
comment on column department.name is 'Its name; null until an event or a reading says it. | 部门名称;得知前为空。';
comment on column department.name_at is 'The time of the name. | 名称的时间。';
comment on column department.parent_id is
    'The department above it; it may be out of the app''s sight. | 上级部门;可能不在应用可见范围内。';
comment on column department.parent_at is 'The time of the parent. | 上级部门的时间。';
comment on column department.named_at is
    'When an event or a list last said that it exists. | 事件或列表最近一次表明其存在的时间。';
comment on column department.removed_at is 'When an event said that it was removed. | 删除时间。';

comment on table approval is 'A form of the approval engine. | 一张审批单。';
comment on column approval.corpid is 'The corp. | 企业 ID。';
comment on column approval.engine is 'own (in the company''s app) or system (the approval app). | own(自建应用审批)或 system(审批应用)。';
comment on column approval.number is 'The form''s number. | 审批单号。';
comment on column approval.template_id is 'The template''s id. | 模板 ID。';
comment on column approval.name is 'The template''s name. | 模板名称。';
comment on column approval.applicant_userid is 'Who applies, as the event spelled them; member_alias has their current userid. | 申请人，按事件中的写法；当前 userid 见 member_alias。';
comment on column approval.applied_at is 'When they applied. | 申请时间。';
comment on column approval.status is
    '1 running, 2 approved, 3 rejected, 4 withdrawn; in the approval app also 6 withdrawn after approval, 7 deleted, 10 paid. | 1 审批中,2 已通过,3 已驳回,4 已撤销;审批应用另有 6 通过后撤销,7 已删除,10 已支付。';
comment on column approval.status_at is 'The time of the event that said so. | 该状态的事件时间。';

comment on table app_alert is
    'What WeCom warned of; it stands if said_at is later than ended_at. | 企业微信的警示;said_at 晚于 ended_at 表示仍有效。';
comment on column app_alert.corpid is 'The corp. | 企业 ID。';
comment on column app_alert.app_id is 'The app that was told (enterprise_wechat_config.id). | 收到警示的应用(enterprise_wechat_config.id)。';
comment on column app_alert.kind is
    'acquisition_balance, acquisition_link, acquisition_quota, platform_addresses, restricted, restriction_announced, suspended or suspension_announced. | 获客助手余额、链接、额度到期,平台 IP 变更,已限制客户数据,即将限制,已停用,即将停用。';
comment on column app_alert.said_at is 'When WeCom last warned of it. | 最近一次警示的时间。';
comment on column app_alert.takes_effect_at is 'When what was announced takes effect. | 预告的生效时间。';
comment on column app_alert.detail is 'The link, or how much quota expires. | 相关链接,或即将到期的额度。';
comment on column app_alert.ended_at is 'When WeCom last said that it is over. | 最近一次解除的时间。';

comment on column resignation.approval_number is
    'The form of the approval app that made it; null if somebody entered it. | 产生该离职申请的审批单号;手工录入时为空。';
comment on column member.subscribed_at is
    'When an app last reported that they came into its visible range; later than hinted_at, it takes that hint back. | 应用最近一次报告其进入可见范围的时间;晚于 hinted_at 时该提示失效。';
comment on column sync_run.phase is
    'departments, members, staff, customers, unassigned, group_chats, department_names, compare or end. | 阶段:departments 部门,members 成员,staff 可用客户联系的成员,customers 客户,unassigned 离职待分配,group_chats 客户群,department_names 部门名称,compare 比对,end 结束。';
comment on column sync_run.group_chats is 'How many customer groups were listed. | 已读取的客户群数。';
comment on column sync_run.group_chats_at is
    'When all groups of the members who serve customers were listed; null if that was left out. | 客户群列表读完的时间;未读取时为空。';

comment on view contact_tag is 'The tags of the contacts that stand. | 现有联系人的企业标签。';
comment on column contact_tag.corpid is 'The corp. | 企业 ID。';
comment on column contact_tag.external_userid is 'The customer. | 客户的 external_userid。';
comment on column contact_tag.wechat_userid is 'The member who gave the tag. | 打标签员工的 userid。';
comment on column contact_tag.staff_id is 'The staff member bound to it. | 绑定的员工编号。';
comment on column contact_tag.customer_id is 'The business''s id, if matched. | 业务客户编号(已匹配时)。';
comment on column contact_tag.tag_id is 'The tag (corp_tag.id). | 标签 ID(corp_tag.id)。';
comment on column contact_tag.name is 'Its name; null until the list of tags is read. | 标签名;读取标签列表前为空。';
comment on column contact_tag.group_id is 'Its group (corp_tag.id). | 标签组 ID(corp_tag.id)。';
comment on column contact_tag.group_name is 'The group''s name. | 标签组名称。';
