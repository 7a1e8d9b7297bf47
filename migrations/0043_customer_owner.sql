-- Whose customer was somebody, from when to when, and why. Nothing is written for it: it follows from the events that are
-- records, from the contacts, and from handovers, so any order of arrival gives the same history.
--
-- A statement about one customer reads that customer's rows alone: every window is partitioned by corp and customer.

create view customer_owner as
with told as not materialized (
    -- What callbacks said, as far as they said when.
    select
        corpid, external_userid, wechat_userid, contact_time as at,
        case
            when event = 'change_external_contact/del_follow_user' then 'lost'
            when event = 'change_external_contact/del_external_contact' and by_transfer then 'transferred'
            when event = 'change_external_contact/del_external_contact' then 'deleted_by_member'
            else 'added'
        end as why
    from wechat_contact_record
    where contact_type = 'event' and contact_time > to_timestamp(0)
        and external_userid is not null and wechat_userid is not null
        and event in (
            'change_external_contact/add_external_contact', 'change_external_contact/add_half_external_contact',
            'change_external_contact/del_external_contact', 'change_external_contact/del_follow_user'
        )
    union all
    -- What reconciling found, and what callbacks said so long ago that their records are dropped.
    select corpid, external_userid, wechat_userid, first_contact_time, 'added'
    from customer_wechat_contact
    where first_contact_time is not null
    union all
    -- A contact of whom nobody said since when stands under the epoch.
    select
        corpid, external_userid, wechat_userid, status_at,
        case
            when status in ('assumed', 'contacted') then 'added'
            when status = 'transferred_out' then 'transferred'
            else status
        end
    from customer_wechat_contact
    where status in ('assumed', 'contacted') or status_at > to_timestamp(0)
    union all
    -- What handovers did: WeCom tells of some by a callback, and of others not at all.
    select
        handover.corpid, item.subject collate "default", item.successor_userid, coalesce(item.takeover_at, item.finished_at), 'handed_over'
    from handover_item item
    join handover on handover.id = item.handover_id
    where item.kind = 'customer' and item.state = 'done' and item.successor_userid is not null
    union all
    select
        handover.corpid, item.subject collate "default", handover.wechat_userid, coalesce(item.takeover_at, item.finished_at),
        'handed_over_to_other'
    from handover_item item
    join handover on handover.id = item.handover_id
    where item.kind = 'customer' and item.state = 'done'
),
step as (
    select
        corpid, external_userid, wechat_userid, at, why, why not in ('added', 'handed_over') as ends,
        -- Whatever says why, says it within a day: a handover is noted when WeCom was asked for its result.
        bool_or(why = 'handed_over') over near as near_handover,
        bool_or(why = 'handed_over_to_other') over near as near_handover_to_other,
        count(*) filter (where why = 'transferred') over everybody
            > count(*) filter (where why = 'transferred') over themselves as near_transfer
    from told
    where at is not null
    window
        near as (
            partition by corpid, external_userid, wechat_userid order by at
            range between interval '1 day' preceding and interval '1 day' following
        ),
        -- A transfer takes the customer from another member: two callbacks within minutes.
        everybody as (
            partition by corpid, external_userid order by at
            range between interval '5 minutes' preceding and interval '5 minutes' following
        ),
        themselves as (
            partition by corpid, external_userid, wechat_userid order by at
            range between interval '5 minutes' preceding and interval '5 minutes' following
        )
),
-- Of several that say the same one after the other, the first counts. At one moment the end comes last.
turn as (
    select step.*, lag(ends) over own as ended_before
    from step
    window own as (partition by corpid, external_userid, wechat_userid order by at, ends, why)
),
bound as (
    select
        turn.*, lead(at) over own as next_at, lead(why) over own as next_why,
        lead(near_handover_to_other) over own as next_near_handover
    from turn
    where ended_before is null or ended_before <> ends
    window own as (partition by corpid, external_userid, wechat_userid order by at, ends, why)
)
select
    corpid, external_userid, wechat_userid,
    case when not ends then nullif(at, to_timestamp(0)) end as since,
    case
        when ends or at = to_timestamp(0) then null
        when near_handover then 'handed_over'
        when near_transfer then 'transferred'
        else 'added'
    end as began_by,
    case when ends then at else next_at end as until,
    case
        when case when ends then near_handover_to_other else next_near_handover end then 'handed_over'
        else case when ends then why else next_why end
    end as ended_by
from bound
-- An end without a beginning: it began before anything was recorded.
where not ends or ended_before is null;

comment on view customer_owner is
    'Who held a customer from when to when, and why: derived from records, contacts and handovers. | 客户归属历史:何人自何时至何时持有客户及原因;由记录、联系人和交接推导。';
comment on column customer_owner.corpid is 'The corp. | 企业 ID。';
comment on column customer_owner.external_userid is 'The customer. | 客户的 external_userid。';
comment on column customer_owner.wechat_userid is 'The member who held them. | 持有该客户的员工 userid。';
comment on column customer_owner.since is
    'Since when; null if it began before anything was recorded. | 开始时间;早于记录时为空。';
comment on column customer_owner.began_by is
    'added, handed_over (by a handover of ours) or transferred (by another one); null if it is not known. | added 添加,handed_over 本系统交接,transferred 其他转接;未知为空。';
comment on column customer_owner.until is 'Until when; null if they still are. | 结束时间;仍持有时为空。';
comment on column customer_owner.ended_by is
    'lost (the customer deleted the member), deleted_by_member, handed_over, transferred, or gone (WeCom does not name them any more); null if they still are. | lost 客户删除员工,deleted_by_member 员工删除客户,handed_over 交接,transferred 转接,gone 企业微信不再列出;仍持有时为空。';

create view reporting.owner_history as
    select
        owner.corpid, owner.external_userid, owner.wechat_userid,
        (
            select bind.staff_id from staff_wechat_bind bind
            where bind.corpid = owner.corpid and bind.wechat_userid = owner.wechat_userid
            order by bind.bound_at desc, bind.staff_id desc limit 1
        ) as staff_id,
        (
            select contact.customer_id from customer_wechat_contact contact
            where contact.corpid = owner.corpid and contact.external_userid = owner.external_userid
                and contact.customer_id is not null
            limit 1
        ) as customer_id,
        owner.since, owner.began_by, owner.until, owner.ended_by
    from customer_owner owner;

comment on view reporting.owner_history is
    'Who held a customer from when to when, and why. | 客户归属历史:何人自何时至何时持有客户及原因。';
comment on column reporting.owner_history.corpid is 'The corp. | 企业ID。';
comment on column reporting.owner_history.external_userid is 'The customer, as WeCom names them. | 客户的 external_userid。';
comment on column reporting.owner_history.wechat_userid is 'The member who held them. | 员工的企业微信账号。';
comment on column reporting.owner_history.staff_id is
    'The staff member last bound to it; null if nobody was. | 员工编号(最近一次绑定),未绑定为空。';
comment on column reporting.owner_history.customer_id is
    'The business''s id; null until matched. | 业务客户编号,未匹配为空。';
comment on column reporting.owner_history.since is
    'Since when; null if it began before anything was recorded. | 开始时间;早于记录时为空。';
comment on column reporting.owner_history.began_by is
    'Added, handed_over or transferred; null if not known. | added 添加,handed_over 交接,transferred 转接;未知为空。';
comment on column reporting.owner_history.until is 'Until when; null if they still are. | 结束时间;仍持有时为空。';
comment on column reporting.owner_history.ended_by is
    'Lost, deleted_by_member, handed_over, transferred or gone; null if they still are. | lost、deleted_by_member、handed_over、transferred 或 gone;仍持有时为空。';
