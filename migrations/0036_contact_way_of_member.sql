-- The contact ways of a member who goes by another userid now: without it, a rename walks through all of them.
create index contact_way_of_member on contact_way (wechat_userid);
