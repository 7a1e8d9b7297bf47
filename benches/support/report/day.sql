-- One day of a company's history, day number $2 of it, which begins at $1: of $3 records a tenth are customers met, and
-- the others conversations of ten messages, half of them with customers of the last month. The corp is $4.
with met as (
    insert into customer_wechat_contact (
        corpid, external_userid, wechat_userid, customer_id, status, status_at, first_contact_time, last_contact_time, card
    )
    select
        $4::text, 'wm' || left(md5(n::text), 30), 'member' || n % 200,
        case when n % 5 > 0 then 'C-' || n end, case when n % 20 = 0 then 'lost' else 'contacted' end, at, at, at,
        jsonb_build_object('nickname', '客户' || n, 'add_way', 1)
    from (
        select $2::bigint * ($3::bigint / 10) + i as n, $1::timestamptz + i * (interval '80000 s' / ($3::bigint / 10)) as at
        from generate_series(1, $3::bigint / 10) i
    ) newcomer
    returning corpid, external_userid, wechat_userid, first_contact_time, status
),
turns as (
    insert into wechat_contact_record (
        contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, event, content, source
    )
    select
        first_contact_time, gen_random_uuid(), corpid, external_userid, wechat_userid, 'sys', 'event',
        'change_external_contact/add_external_contact', '成为联系人', 'app'
    from met
    union all
    select
        first_contact_time + interval '1 hour', gen_random_uuid(), corpid, external_userid, wechat_userid, 'sys', 'event',
        'change_external_contact/del_follow_user', '客户删除了员工', 'app'
    from met where status = 'lost'
),
orders as (
    insert into work_order (corpid, customer_id, description, state, staff_id, created_at, contacted_at)
    select $4, 'C-' || i, '水管漏水', 'contacted', 'E-' || i % 200, $1::timestamptz + i * interval '1 min', $1::timestamptz + i * interval '1 min 20 s'
    from generate_series(1, $3::bigint / 100) i
    returning id, created_at
),
changes as (
    insert into work_order_change (work_order_id, to_state, who, at)
    select id, state, 'bench', created_at from orders, unnest(array['new', 'assigned', 'contacted']) state
),
leaver as (
    insert into handover (corpid, wechat_userid, state, left_at, detected_at, cause)
    values ($4, 'leaver' || $2::bigint, 'done', $1, $1, 'left')
    returning id
),
items as (
    insert into handover_item (handover_id, subject, kind, state)
    select id, 'wm' || i, 'customer', case when i % 10 = 0 then 'refused' else 'done' end
    from leaver, generate_series(1, $3::bigint / 200) i
)
insert into wechat_contact_record (
    contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, content, source
)
select
    $1::timestamptz + c * (interval '80000 s' / ($3::bigint / 11)) + k * interval '2 min', gen_random_uuid(), $4, customer,
    case when k % 2 = 1 then member end, case when k % 2 = 1 then member else customer end,
    case when k = 4 then 'image' else 'text' end, rpad('已到现场', 40, ',准备进场'), 'app'
from (
    select c, 'wm' || left(md5(n::text), 30) as customer, 'member' || n % 200 as member
    from (
        select c, case
            when c % 2 = 0 then 1 + floor(random() * ($2::bigint + 1) * ($3::bigint / 10))::bigint
            else greatest(1, ($2::bigint + 1) * ($3::bigint / 10) - floor(random() * 3 * $3::bigint)::bigint)
        end as n
        from generate_series(1, $3::bigint / 11) c
    ) chosen
) conversation, generate_series(0, 9) k
