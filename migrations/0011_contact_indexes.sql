-- A worker's statements are planned once, perhaps before anything is known of the tables. To a planner that knows
-- nothing, every index that begins with the corp looks as good as the right one, and it would walk all of a corp's rows
-- for each one that is looked for. So the corp leads in keys alone; the other indexes are narrow enough without it, and
-- smaller.
drop index member_alias_of;
create index member_alias_of on member_alias (wechat_userid);

drop index staff_wechat_bind_staff_bound;
drop index staff_wechat_bind_user_bound;
drop index staff_wechat_bind_user;
create unique index staff_wechat_bind_staff_bound on staff_wechat_bind (staff_id, corpid) where status = 'bound';
create unique index staff_wechat_bind_user_bound on staff_wechat_bind (wechat_userid, corpid) where status = 'bound';
create index staff_wechat_bind_user on staff_wechat_bind (wechat_userid, bound_at);

drop index customer_wechat_contact_member;
drop index customer_wechat_contact_unionid;
drop index customer_wechat_contact_state;
drop index customer_wechat_contact_customer;
create index customer_wechat_contact_member on customer_wechat_contact (wechat_userid);
create index customer_wechat_contact_unionid on customer_wechat_contact (unionid) where unionid is not null;
create index customer_wechat_contact_state on customer_wechat_contact (state) where state is not null;
create index customer_wechat_contact_customer on customer_wechat_contact (customer_id) where customer_id is not null;

drop index work_order_staff;
drop index work_order_phone;
drop index work_order_waiting;
create index work_order_staff on work_order (staff_id, state);
create index work_order_phone on work_order (phone_digits) where phone_digits <> '';
create index work_order_waiting on work_order (id) where state in ('new', 'assigned');

drop index contact_way_current;
drop index contact_way_used_by;
create unique index contact_way_current on contact_way (customer_id, wechat_userid, coalesce(work_order_id, 0), corpid)
    where ended_at is null;
create index contact_way_used_by on contact_way (used_by) where used_by is not null;
