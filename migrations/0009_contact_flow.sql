-- Bookings and repair requests, the codes that bring their customers to a member, and whose customer a contact is.

-- Phone numbers as they compare: digits alone, without the country's 86.
create function phone_digits(phone text) returns text
    language sql immutable strict parallel safe
    return regexp_replace(regexp_replace(phone, '[^0-9]', '', 'g'), '^(?:00)?86(?=1[0-9]{10}$)', '');
create function phones_digits(phones jsonb) returns text[]
    language sql immutable strict parallel safe
    return case when jsonb_typeof(phones) = 'array' then array(
        select distinct phone_digits(phone) from jsonb_array_elements_text(phones) phone
        where phone_digits(phone) <> ''
    ) end;

-- What the program's settings say about the flow, written at its start, so that every process decides alike.
create table contact_flow_setting (
    one            boolean not null default true,
    -- Which ways lead from a contact to the business's customer, the more certain first.
    matching_order text[] not null default array['state', 'unionid', 'mobile'],
    -- The page that a notice opens; {id} stands for the work order's number. Empty if there is none.
    order_url      text not null default '',
    constraint contact_flow_setting_key primary key (one),
    constraint contact_flow_setting_one check (one)
);
insert into contact_flow_setting default values;

-- A booking or repair request.
create table work_order (
    id              bigint generated always as identity primary key,
    corpid          text not null,
    customer_id     text collate "C" not null,
    customer_name   text,
    phone           text,
    phone_digits    text generated always as (phone_digits(phone)) stored,
    address         text,
    description     text not null,
    source          text,
    state           text not null default 'new',
    -- The staff member in charge.
    staff_id        text,
    assigned_at     timestamptz,
    -- How often it was assigned, and how often its staff member was told since.
    assignments     integer not null default 0,
    notices         integer not null default 0,
    notified_at     timestamptz,
    -- Since the last assignment: when it was reported as not picked up.
    escalated_at    timestamptz,
    -- When and by which contact way its customer first came.
    contacted_at    timestamptz,
    contacted_state text collate "C",
    version         bigint not null default 1,
    created_at      timestamptz not null default now(),
    constraint work_order_state_check
        check (state in ('new', 'assigned', 'contacted', 'quoted', 'confirmed', 'done', 'cancelled'))
);
create index work_order_customer on work_order (customer_id, id);
create index work_order_staff on work_order (corpid, staff_id, state);
create index work_order_phone on work_order (corpid, phone_digits) where phone_digits <> '';
create index work_order_waiting on work_order (corpid, id) where state in ('new', 'assigned');

-- Each turn that an order took. Only ever appended to.
create table work_order_change (
    id            bigint generated always as identity primary key,
    work_order_id bigint not null references work_order (id),
    from_state    text,
    to_state      text not null,
    from_staff_id text,
    to_staff_id   text,
    -- The token's name, or wecomd.
    who           text not null,
    note          text,
    at            timestamptz not null default now()
);
create index work_order_change_order on work_order_change (work_order_id, id);

-- What a request with an Idempotency-Key was answered, so that its repetition is answered alike.
create table idempotency_key (
    token_id integer not null,
    key      text not null,
    hash     bytea not null,
    -- Null only within the transaction that does what was asked.
    status   smallint,
    answer   jsonb,
    at       timestamptz not null default now(),
    constraint idempotency_key_key primary key (token_id, key)
);
create index idempotency_key_at on idempotency_key (at);

-- Whether orders may be assigned, and since when none was.
alter table staff_wechat_bind
    add column on_duty          boolean not null default true,
    add column last_assigned_at timestamptz;

-- A code that brings one customer to one member. The row is written before WeCom is asked to make the code, so that
-- a code whose making nobody saw can be found by its state.
create table contact_way (
    id            bigint generated always as identity primary key,
    corpid        text not null,
    state         text collate "C" not null,
    customer_id   text collate "C" not null,
    staff_id      text not null,
    wechat_userid text not null,
    work_order_id bigint,
    intended_at   timestamptz not null default now(),
    -- When WeCom was last asked to make it, or searched for it.
    attempted_at  timestamptz not null default now(),
    -- What WeCom answered.
    config_id     text,
    qr_code       text,
    made_at       timestamptz,
    expires_at    timestamptz not null,
    -- Another one may be made for the same purpose.
    ended_at      timestamptz,
    delete_due_at timestamptz,
    deleted_at    timestamptz,
    -- The first who came through it; derived from contact_way_scan.
    used_at       timestamptz,
    used_by       text,
    constraint contact_way_state_key unique (corpid, state)
);
create unique index contact_way_current on contact_way (corpid, customer_id, wechat_userid, coalesce(work_order_id, 0))
    where ended_at is null;
create index contact_way_customer on contact_way (customer_id, id);
create index contact_way_order on contact_way (work_order_id) where work_order_id is not null;
create index contact_way_used_by on contact_way (corpid, used_by) where used_by is not null;
create index contact_way_standing on contact_way (id) where deleted_at is null;

-- Who came through which contact way, whether or not we know the way. A set: each with the earliest time.
create table contact_way_scan (
    corpid          text not null,
    state           text collate "C" not null,
    external_userid text not null,
    scanned_at      timestamptz not null,
    constraint contact_way_scan_key primary key (corpid, state, external_userid)
);

-- A person who may be one of several customers: for an administrator to decide. Undecided ones are derived.
create table customer_match (
    id              bigint generated always as identity primary key,
    corpid          text not null,
    external_userid text not null,
    -- The way that led to several customers.
    matched_by      text not null,
    candidates      text[] collate "C" not null,
    found_at        timestamptz not null default now(),
    customer_id     text collate "C",
    decided_at      timestamptz,
    decided_by      text,
    constraint customer_match_person unique (corpid, external_userid)
);
create index customer_match_open on customer_match (id) where decided_at is null;

-- The customer that a `state` itself names stays a register; whose customer a contact is follows from it and the rest.
drop index customer_wechat_contact_customer;
drop index customer_wechat_contact_mobiles;
alter table customer_wechat_contact rename column customer_id to state_customer_id;
alter table customer_wechat_contact rename column customer_id_at to state_customer_id_at;
alter table customer_wechat_contact
    add column customer_id text collate "C",
    -- admin, state, external_userid (another member's contact is the same person), unionid or mobile.
    add column matched_by  text,
    -- remark_mobiles as they compare.
    add column mobiles     text[] generated always as (phones_digits(card->'remark_mobiles')) stored,
    add constraint customer_wechat_contact_matched_check
        check (matched_by in ('admin', 'state', 'external_userid', 'unionid', 'mobile'));
update customer_wechat_contact set customer_id = state_customer_id, matched_by = 'state'
    where state_customer_id is not null;
create index customer_wechat_contact_customer on customer_wechat_contact (corpid, customer_id)
    where customer_id is not null;
create index customer_wechat_contact_mobiles on customer_wechat_contact using gin (mobiles) where mobiles is not null;

-- A record that was written by hand may be about a customer who is not in WeCom yet.
alter table wechat_contact_record
    add column customer_id text;
create index wechat_contact_record_by_hand on wechat_contact_record (corpid, customer_id, contact_time, id)
    where customer_id is not null;
