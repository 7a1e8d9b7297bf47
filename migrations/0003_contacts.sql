-- Who met whom, and what passed between them.
--
-- WeCom promises no order, so every column that a callback can set is a register: its value and the event time
-- that set it (`…_at`). The greater (time, value) wins, which makes a table a function of the set of callbacks.
-- Values that take part in that comparison are collated "C", so that PostgreSQL and the program order them alike.

-- A member of a corp, as the directory callbacks describe them.
create table member (
    corpid        text not null,
    wechat_userid text not null,
    name          text collate "C",
    name_at       timestamptz,
    avatar        text collate "C",
    avatar_at     timestamptz,
    department    text collate "C",
    department_at timestamptz,
    -- 1 active, 2 disabled, 4 not activated, 5 left the corp.
    status        integer,
    status_at     timestamptz,
    -- The latest time at which a callback said so; the member has left if left_at >= joined_at.
    joined_at     timestamptz,
    left_at       timestamptz,
    -- An app saw the member leave its range: perhaps gone, perhaps not.
    hinted_at     timestamptz,
    constraint member_key primary key (corpid, wechat_userid)
);

-- A member's userid can be changed; callbacks with the old one may still arrive. Every id that ever belonged to a
-- renamed person has a row here (the current one too), and all of them carry the same decision: the new id of the
-- latest rename among them, and its time.
create table member_alias (
    corpid        text not null,
    alias         text not null,
    wechat_userid text not null,
    decided_at    timestamptz not null,
    constraint member_alias_key primary key (corpid, alias)
);
create index member_alias_of on member_alias (corpid, wechat_userid);

-- A staff member of the business bound to a WeCom user. History is kept; at most one row per staff and per userid is bound.
create table staff_wechat_bind (
    id             integer generated always as identity primary key,
    corpid         text not null,
    staff_id       text not null,
    wechat_userid  text not null,
    -- What the directory says, else what was given with the binding.
    wechat_name    text,
    wechat_avatar  text,
    given_name     text,
    given_avatar   text,
    status         text not null default 'bound',
    bound_at       timestamptz not null default now(),
    unbound_at     timestamptz,
    -- admin: unbound by hand; left: the member left; superseded: a rename brought two bindings to one userid.
    unbound_reason text,
    constraint staff_wechat_bind_status_check check (status in ('bound', 'unbound')),
    constraint staff_wechat_bind_reason_check check (unbound_reason in ('admin', 'left', 'superseded'))
);
create unique index staff_wechat_bind_staff_bound on staff_wechat_bind (corpid, staff_id) where status = 'bound';
create unique index staff_wechat_bind_user_bound on staff_wechat_bind (corpid, wechat_userid) where status = 'bound';
create index staff_wechat_bind_user on staff_wechat_bind (corpid, wechat_userid, bound_at);

-- One customer known to one staff member.
create table customer_wechat_contact (
    corpid             text not null,
    external_userid    text not null,
    wechat_userid      text not null,
    -- The staff member last bound to wechat_userid, so that a leaver's contacts still say whose they were.
    staff_id           text,
    -- The business's own id, null until matched.
    customer_id        text collate "C",
    customer_id_at     timestamptz,
    -- assumed: known only from an edit; the others as events say.
    status             text collate "C" not null,
    status_at          timestamptz not null,
    state              text collate "C",
    state_at           timestamptz,
    nickname           text,
    unionid            text,
    first_contact_time timestamptz,
    last_contact_time  timestamptz,
    constraint customer_wechat_contact_key primary key (corpid, external_userid, wechat_userid),
    constraint customer_wechat_contact_status_check
        check (status in ('assumed', 'contacted', 'deleted_by_member', 'lost', 'transferred_out'))
);
create index customer_wechat_contact_member on customer_wechat_contact (corpid, wechat_userid);
create index customer_wechat_contact_customer on customer_wechat_contact (corpid, customer_id)
    where customer_id is not null;

-- When a customer last wrote, whether or not we know yet whose customer they are.
create table customer_activity (
    corpid          text not null,
    external_userid text not null,
    last_message_at timestamptz not null,
    constraint customer_activity_key primary key (corpid, external_userid)
);

-- One thing that passed between a staff member and a customer, or between a staff member and the app.
-- The id is the first half of the delivery's hash: the same event is the same record, through whichever app it came.
create table wechat_contact_record (
    contact_time    timestamptz not null,
    id              uuid not null,
    corpid          text not null,
    external_userid text,
    wechat_userid   text,
    sender          text not null,
    contact_type    text not null,
    -- WeCom's name of the event, for contact_type 'event'.
    event           text,
    content         text not null,
    media_id        text,
    source          text not null,
    constraint wechat_contact_record_key primary key (contact_time, id, corpid),
    constraint wechat_contact_record_type_check
        check (contact_type in ('text', 'image', 'voice', 'video', 'location', 'link', 'file', 'event'))
) partition by range (contact_time);
create table wechat_contact_record_undated partition of wechat_contact_record
    for values from (minvalue) to ('2013-01-01 00:00+00');
create table wechat_contact_record_elsewhen partition of wechat_contact_record default;
create index wechat_contact_record_customer on wechat_contact_record (corpid, external_userid, contact_time, id)
    where external_userid is not null;
create index wechat_contact_record_member on wechat_contact_record (corpid, wechat_userid, contact_time)
    where wechat_userid is not null;
