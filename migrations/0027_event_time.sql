-- An event whose time is missing or cannot be is shown with the time of its arrival, marked as that, and a record says
-- whether it was read from a plaintext that is not well formed.
--
-- Arrival decides nothing: it is in no key and no register. Each of these columns is an extreme, the earliest arrival of
-- the deliveries that say the same, so the tables stay a function of the set of deliveries.

alter table wechat_contact_record
    -- Null where the event has a time of its own, which is contact_time.
    add column arrived_at timestamptz,
    add column repaired   boolean not null default false;
comment on column wechat_contact_record.arrived_at is
    'When it first arrived, if the event has no time of its own; contact_time is the epoch then.';
comment on column wechat_contact_record.repaired is
    'What WeCom sent was not well formed, and was read as it was meant.';

alter table customer_wechat_contact
    -- When we first heard of the contact from a callback that does not say since when it stands.
    add column heard_arrived_at timestamptz,
    -- When we first heard that they became contacts from a callback without a time.
    add column met_arrived_at   timestamptz;
comment on column customer_wechat_contact.heard_arrived_at is
    'When a callback first arrived that does not say since when the contact stands; shown while status_at is the epoch.';
comment on column customer_wechat_contact.met_arrived_at is
    'When a callback without a time first arrived that says that they met; shown while first_contact_time is null.';

-- What stands under the epoch gets the arrival of its delivery: a record's id is the first half of its delivery's hash.
update wechat_contact_record record
set arrived_at = came.received_at
from (
    select encode(substring(hash for 16), 'hex')::uuid as id, min(received_at) as received_at
    from inbox_undated
    where event_at = to_timestamp(0)
    group by 1
) came
where record.contact_time = to_timestamp(0) and record.id = came.id and record.source = 'app';

-- And nobody met or wrote in 1970.
update customer_wechat_contact contact
set
    met_arrived_at = turn.arrived_at,
    first_contact_time = case when first_contact_time = to_timestamp(0) then turn.dated_at else first_contact_time end,
    last_contact_time = nullif(last_contact_time, to_timestamp(0))
from (
    select
        own.corpid, own.external_userid, own.wechat_userid, min(record.arrived_at) as arrived_at,
        min(record.contact_time) filter (where record.contact_time > to_timestamp(0)) as dated_at
    from customer_wechat_contact own
    left join wechat_contact_record record
        on record.corpid = own.corpid and record.external_userid = own.external_userid
        and record.wechat_userid = own.wechat_userid
        and record.event in (
            'change_external_contact/add_external_contact', 'change_external_contact/add_half_external_contact'
        )
    where own.first_contact_time = to_timestamp(0) or own.last_contact_time = to_timestamp(0)
    group by own.corpid, own.external_userid, own.wechat_userid
) turn
where contact.corpid = turn.corpid and contact.external_userid = turn.external_userid
    and contact.wechat_userid = turn.wechat_userid;
update customer_wechat_contact contact
set heard_arrived_at = heard.arrived_at
from (
    select corpid, external_userid, wechat_userid, min(arrived_at) as arrived_at
    from wechat_contact_record
    where contact_time = to_timestamp(0) and arrived_at is not null
    group by corpid, external_userid, wechat_userid
) heard
where contact.status_at = to_timestamp(0) and contact.corpid = heard.corpid
    and contact.external_userid = heard.external_userid and contact.wechat_userid = heard.wechat_userid;

-- The day on which a contact became known is that of the arrival, where nothing better is known.
drop index customer_wechat_contact_unmatched;
create index customer_wechat_contact_unmatched on customer_wechat_contact
    (((coalesce(first_contact_time, met_arrived_at, nullif(status_at, to_timestamp(0)), heard_arrived_at, status_at)
        at time zone 'Asia/Shanghai')::date))
    where customer_id is null;
create or replace view reporting.unmatched_customers with (security_barrier) as
select
    (coalesce(
        contact.first_contact_time, contact.met_arrived_at, nullif(contact.status_at, to_timestamp(0)),
        contact.heard_arrived_at, contact.status_at
    ) at time zone 'Asia/Shanghai')::date as day,
    contact.corpid, contact.external_userid, contact.nickname, contact.wechat_userid, contact.staff_id, contact.status,
    contact.state, contact.add_way,
    coalesce(
        contact.first_contact_time, contact.met_arrived_at, nullif(contact.status_at, to_timestamp(0)),
        contact.heard_arrived_at, contact.status_at
    ) as known_since,
    coalesce(contact.last_contact_time, contact.met_arrived_at) as last_contact_time,
    coalesce((
        select cardinality(candidates) from customer_match open
        where open.corpid = contact.corpid and open.external_userid = contact.external_userid and open.decided_at is null
    ), 0) as candidates,
    contact.first_contact_time is null and (
        contact.met_arrived_at is not null
        or (contact.status_at = to_timestamp(0) and contact.heard_arrived_at is not null)
    ) as time_is_arrival
from customer_wechat_contact contact
where contact.customer_id is null and contact.status in ('assumed', 'contacted');
comment on column reporting.unmatched_customers.time_is_arrival is
    '回调没有时间,所示为收到的时间 / the callback had no time: what is shown is when it arrived';

-- Nobody left in 1970, either.
create or replace view reporting.handover_outcomes as
select
    (it.detected_at at time zone 'Asia/Shanghai')::date as day, it.corpid, it.id as handover_id, it.wechat_userid,
    it.staff_id, it.cause, it.state, counted.kind, counted.items, counted.done, counted.refused, counted.full_up,
    counted.gone, counted.failed, counted.cancelled, counted.under_way,
    nullif(it.left_at, to_timestamp(0)) as left_at, it.submitted_at, it.finished_at
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
