-- WeCom's userids are the same in any case, and a member whose userid looks like a customer's is a member. Everything
-- stands under one spelling of one id; what stood twice is merged by the rules by which it is recorded.

-- What is the same for every spelling of a userid. An open_userid, which a provider's app gets in its place, begins with
-- wo, is long, and differs by case. `UserId::key` in src/ids.rs does the same.
create function userid_key(userid text) returns text
    language sql immutable parallel safe
    return case when userid collate "C" ~ '^wo[A-Za-z0-9_-]{18,}$' then userid else lower(userid collate "C") end;

-- Now every spelling of every userid that was ever named as a member's has a row. All ids of one person carry the same
-- decision: the id of the latest rename, or their only id, in the spelling that counts.
alter table member_alias
    -- The latest rename among them; null if there was none.
    alter column decided_at drop not null,
    add column key          text collate "C" generated always as (userid_key(alias)) stored,
    -- The earliest event that spelled it so; null if only other readings did.
    add column said_at      timestamptz,
    -- When the directory last spelled it so. Of several spellings of one id the greatest (directory_at, alias) counts;
    -- where the directory says nothing, the greatest (said_at, alias).
    add column directory_at timestamptz;
-- Both columns, so that a planner that knows nothing sees that they are narrower than the key's corp alone.
create index member_alias_key_of on member_alias (key, corpid);
drop index member_alias_of;
create index member_alias_of on member_alias (wechat_userid, corpid);

-- Senders who were taken for customers are found when they turn out to be members.
create index customer_activity_sender on customer_activity (userid_key(external_userid), corpid);

-- Every spelling that stands anywhere, with what is known of who used it. These tables are dropped at the end.
create temporary table spelling as
select corpid, userid, min(said_at) as said_at, max(directory_at) as directory_at
from (
    select corpid, wechat_userid as userid, least(left_at, hinted_at) as said_at,
        greatest(name_at, avatar_at, department_at, status_at, joined_at) as directory_at
    from member
    union all
    select corpid, wechat_userid,
        min(least(first_contact_time, case when status_at > 'epoch' then status_at end)), null
    from customer_wechat_contact group by corpid, wechat_userid
    union all
    select corpid, wechat_userid, min(contact_time), null
    from wechat_contact_record where wechat_userid is not null group by corpid, wechat_userid
    union all select corpid, wechat_userid, null, null from staff_wechat_bind
    union all select corpid, wechat_userid, null, null from handover
    union all select corpid, wechat_userid, null, null from resignation
    union all select corpid, wechat_userid, null, null from contact_way
    union all select corpid, wechat_userid, null, null from welcome
    union all select corpid, wechat_userid, at, null from transfer_fail
    union all select corpid, wechat_userid, null, null from console_user
    union all select corpid, wechat_userid, null, null from console_session where wechat_userid is not null
    union all
    select corpid, successor_userid, null, null
    from handover_item join handover on handover.id = handover_id where successor_userid is not null
    union all
    select corpid, told.wechat_userid, null, null
    from handover_successor told join handover on handover.id = handover_id
    union all select corpid, alias, null, null from member_alias
) said (corpid, userid, said_at, directory_at)
where userid <> ''
group by corpid, userid;

insert into member_alias (corpid, alias, wechat_userid, said_at, directory_at)
select corpid, userid, userid, said_at, directory_at from spelling
on conflict on constraint member_alias_key
do update set said_at = excluded.said_at, directory_at = excluded.directory_at;

-- Spellings of one id are one person, and so is everybody whom a rename connects with one of them.
do $$
declare
    twice record;
    people text[];
    decided record;
    spelled text;
begin
    loop
        select corpid, key, array_agg(distinct wechat_userid) as ids into twice
        from member_alias
        group by corpid, key
        having count(distinct wechat_userid) > 1
        order by corpid, key
        limit 1;
        exit when not found;
        people := twice.ids;
        select decided_at as at, userid_key(wechat_userid) as key into decided
        from member_alias
        where corpid = twice.corpid and wechat_userid = any(people) and decided_at is not null
        order by decided_at desc, userid_key(wechat_userid) collate "C" desc
        limit 1;
        select alias into strict spelled
        from member_alias
        where corpid = twice.corpid and wechat_userid = any(people) and key = coalesce(decided.key, twice.key)
        order by directory_at desc nulls last, said_at desc nulls last, alias collate "C" desc
        limit 1;
        update member_alias set wechat_userid = spelled, decided_at = decided.at
        where corpid = twice.corpid and wechat_userid = any(people);
    end loop;
end
$$;

-- Whose rows move: every id under which something may stand, and the one under which it belongs.
create temporary table moving as
select alias.corpid, alias.alias as former, alias.wechat_userid as now
from member_alias alias
join spelling on spelling.corpid = alias.corpid and spelling.userid = alias.alias
where alias.alias <> alias.wechat_userid;

-- Contacts: the greater (time, value) of each register, and the extremes.
do $$
declare
    it record;
begin
    for it in
        select contact.*, moving.now as moves_to
        from customer_wechat_contact contact
        join moving on moving.corpid = contact.corpid and moving.former = contact.wechat_userid
        order by contact.corpid, contact.external_userid, contact.wechat_userid
    loop
        insert into customer_wechat_contact as own (
            corpid, external_userid, wechat_userid, staff_id, status, status_at, state, state_at, state_customer_id,
            state_customer_id_at, first_contact_time, last_contact_time, card, card_at, customer_id, matched_by
        )
        values (
            it.corpid, it.external_userid, it.moves_to, it.staff_id, it.status, it.status_at, it.state, it.state_at,
            it.state_customer_id, it.state_customer_id_at, it.first_contact_time, it.last_contact_time, it.card,
            it.card_at, it.customer_id, it.matched_by
        )
        on conflict on constraint customer_wechat_contact_key do update set
            status = case when (excluded.status_at, excluded.status) > (own.status_at, own.status)
                then excluded.status else own.status end,
            status_at = greatest(excluded.status_at, own.status_at),
            state = case when own.state_at is null or (excluded.state_at, excluded.state) > (own.state_at, own.state)
                then excluded.state else own.state end,
            state_at = greatest(excluded.state_at, own.state_at),
            state_customer_id = case
                when own.state_customer_id_at is null
                    or (excluded.state_customer_id_at, excluded.state_customer_id)
                        > (own.state_customer_id_at, own.state_customer_id)
                then excluded.state_customer_id else own.state_customer_id end,
            state_customer_id_at = greatest(excluded.state_customer_id_at, own.state_customer_id_at),
            first_contact_time = least(excluded.first_contact_time, own.first_contact_time),
            last_contact_time = greatest(excluded.last_contact_time, own.last_contact_time),
            card = case when own.card_at is null or excluded.card_at > own.card_at then excluded.card else own.card end,
            card_at = greatest(excluded.card_at, own.card_at),
            -- The more certain way counts, as in src/tables/matching.rs.
            customer_id = case
                when array_position(array['admin', 'state', 'external_userid', 'unionid', 'mobile'], excluded.matched_by)
                    < coalesce(
                        array_position(array['admin', 'state', 'external_userid', 'unionid', 'mobile'], own.matched_by), 9)
                then excluded.customer_id else own.customer_id end,
            matched_by = case
                when array_position(array['admin', 'state', 'external_userid', 'unionid', 'mobile'], excluded.matched_by)
                    < coalesce(
                        array_position(array['admin', 'state', 'external_userid', 'unionid', 'mobile'], own.matched_by), 9)
                then excluded.matched_by else own.matched_by end;
        delete from customer_wechat_contact
        where corpid = it.corpid and external_userid = it.external_userid and wechat_userid = it.wechat_userid;
    end loop;
end
$$;

-- Members, likewise.
do $$
declare
    it record;
begin
    for it in
        delete from member using moving
        where moving.corpid = member.corpid and moving.former = member.wechat_userid
        returning member.*, moving.now as moves_to
    loop
        insert into member as own (
            corpid, wechat_userid, name, name_at, avatar, avatar_at, department, department_at, status, status_at,
            joined_at, left_at, hinted_at
        )
        values (
            it.corpid, it.moves_to, it.name, it.name_at, it.avatar, it.avatar_at, it.department, it.department_at,
            it.status, it.status_at, it.joined_at, it.left_at, it.hinted_at
        )
        on conflict on constraint member_key do update set
            name = case when own.name_at is null or (excluded.name_at, excluded.name) > (own.name_at, own.name)
                then excluded.name else own.name end,
            name_at = greatest(excluded.name_at, own.name_at),
            avatar = case
                when own.avatar_at is null or (excluded.avatar_at, excluded.avatar) > (own.avatar_at, own.avatar)
                then excluded.avatar else own.avatar end,
            avatar_at = greatest(excluded.avatar_at, own.avatar_at),
            department = case
                when own.department_at is null
                    or (excluded.department_at, excluded.department) > (own.department_at, own.department)
                then excluded.department else own.department end,
            department_at = greatest(excluded.department_at, own.department_at),
            status = case
                when own.status_at is null or (excluded.status_at, excluded.status) > (own.status_at, own.status)
                then excluded.status else own.status end,
            status_at = greatest(excluded.status_at, own.status_at),
            joined_at = greatest(excluded.joined_at, own.joined_at),
            left_at = greatest(excluded.left_at, own.left_at),
            hinted_at = greatest(excluded.hinted_at, own.hinted_at);
    end loop;
end
$$;

update wechat_contact_record record
set wechat_userid = moving.now, sender = case when sender = moving.former then moving.now else sender end
from moving
where record.corpid = moving.corpid and record.wechat_userid = moving.former;

-- Bindings: those that come to one id count as unbound until it is decided which stands: the latest one, unless its
-- member has left since. Unbound by hand stays so.
create temporary table moved_bind as
select distinct bind.id from staff_wechat_bind bind
join moving on moving.corpid = bind.corpid and bind.wechat_userid in (moving.former, moving.now);
update staff_wechat_bind bind
set wechat_userid = coalesce((
        select now from moving where moving.corpid = bind.corpid and moving.former = bind.wechat_userid
    ), bind.wechat_userid),
    status = 'unbound'
where id in (select id from moved_bind);
update staff_wechat_bind own
set status = case when decided.reason is null then 'bound' else 'unbound' end,
    unbound_reason = decided.reason,
    unbound_at = decided.at,
    wechat_name = coalesce(decided.name, own.given_name, own.wechat_name),
    wechat_avatar = coalesce(decided.avatar, own.given_avatar, own.wechat_avatar)
from (
    select
        bind.id,
        case
            when member.left_at >= bind.bound_at then 'left'
            when later.bound_at is not null then 'superseded'
        end as reason,
        case when member.left_at >= bind.bound_at then member.left_at else later.bound_at end as at,
        nullif(member.name, '') as name,
        nullif(member.avatar, '') as avatar
    from moved_bind
    join staff_wechat_bind bind using (id)
    left join member on member.corpid = bind.corpid and member.wechat_userid = bind.wechat_userid
    left join lateral (
        select max(other.bound_at) as bound_at
        from staff_wechat_bind other
        where other.corpid = bind.corpid
            and other.wechat_userid = bind.wechat_userid
            and (other.bound_at, other.staff_id) > (bind.bound_at, bind.staff_id)
    ) later on true
    where bind.unbound_reason is distinct from 'admin'
) decided
where own.id = decided.id;

-- Whose contacts they are follows from the bindings.
update customer_wechat_contact contact set staff_id = last.staff_id
from (select distinct corpid, now from moving) touched
cross join lateral (
    select max(staff_id) as staff_id from (
        select staff_id from staff_wechat_bind bind
        where bind.corpid = touched.corpid and bind.wechat_userid = touched.now
        order by bound_at desc, staff_id desc
        limit 1
    ) latest
) last
where contact.corpid = touched.corpid and contact.wechat_userid = touched.now
    and contact.staff_id is distinct from last.staff_id;

-- Of two open resignations the one that was approved stands, else the earlier.
do $$
declare
    it record;
begin
    for it in
        select second.id, first.id as stands
        from resignation second
        join moving on moving.corpid = second.corpid and second.wechat_userid in (moving.former, moving.now)
        cross join lateral (
            select other.id from resignation other
            left join moving its on its.corpid = other.corpid and its.former = other.wechat_userid
            where other.corpid = second.corpid and coalesce(its.now, other.wechat_userid) = moving.now
                and other.state in ('requested', 'approved')
            order by other.state = 'approved' desc, other.id
            limit 1
        ) first
        where second.state in ('requested', 'approved') and second.id <> first.id
    loop
        update resignation
        set state = 'cancelled', decided_at = now(), decided_by = 'wecomd',
            decision_note = '同一成员的另一份申请 ' || it.stands || ' 有效 / resignation ' || it.stands || ' of the same member stands'
        where id = it.id;
    end loop;
end
$$;
update resignation set wechat_userid = moving.now
from moving
where resignation.corpid = moving.corpid and resignation.wechat_userid = moving.former;

-- Of two open handovers the one that is further stays open and takes in what is in the other, which is done.
do $$
declare
    it record;
begin
    for it in
        select other.id, first.id as stands
        from handover other
        join moving on moving.corpid = other.corpid and other.wechat_userid in (moving.former, moving.now)
        cross join lateral (
            select rival.id from handover rival
            left join moving its on its.corpid = rival.corpid and its.former = rival.wechat_userid
            where rival.corpid = other.corpid and coalesce(its.now, rival.wechat_userid) = moving.now
                and rival.cause <> 'transfer' and rival.state <> 'done'
            order by array_position(
                array['waiting', 'submitted', 'notified', 'planned', 'detected', 'cancelled'], rival.state
            ), rival.id
            limit 1
        ) first
        where other.cause <> 'transfer' and other.state <> 'done' and other.id <> first.id
        group by other.id, first.id
        order by other.id
    loop
        update handover_call set handover_id = it.stands where handover_id = it.id;
        update handover_item item set handover_id = it.stands
        where item.handover_id = it.id
            and not exists (
                select from handover_item same
                where same.handover_id = it.stands and same.kind = item.kind and same.subject = item.subject
                    and same.round = item.round
            );
        update handover_item set state = 'cancelled', finished_at = now()
        where handover_id = it.id and state in ('open', 'planned', 'calling', 'waiting');
        insert into handover_successor (
            handover_id, wechat_userid, staff_id, notified_at, answered_at, accepted, answered_by, note
        )
        select it.stands, wechat_userid, staff_id, notified_at, answered_at, accepted, answered_by, note
        from handover_successor where handover_id = it.id
        on conflict on constraint handover_successor_key do nothing;
        update handover set left_at = greatest(handover.left_at, other.left_at)
        from handover other
        where handover.id = it.stands and other.id = it.id;
        update handover set state = 'done', finished_at = now() where id = it.id;
        insert into handover_log (handover_id, to_state, actor, cause)
        values (it.id, 'done', 'wecomd', '同一成员的交接并入 ' || it.stands);
    end loop;
end
$$;
update handover set wechat_userid = moving.now
from moving
where handover.corpid = moving.corpid and handover.wechat_userid = moving.former;
update handover_item item set successor_userid = moving.now
from handover, moving
where handover.id = item.handover_id and moving.corpid = handover.corpid and moving.former = item.successor_userid;
-- Of a successor's two parts the one that was answered, and answered later, stays.
delete from handover_successor twin
using handover, handover_successor own
left join moving its on its.former = own.wechat_userid
where handover.id = twin.handover_id and own.handover_id = twin.handover_id and own.wechat_userid <> twin.wechat_userid
    and (its.corpid is null or its.corpid = handover.corpid)
    and coalesce(its.now, own.wechat_userid) = coalesce((
        select now from moving where moving.corpid = handover.corpid and moving.former = twin.wechat_userid
    ), twin.wechat_userid)
    and (coalesce(twin.answered_at, '-infinity'), coalesce(twin.notified_at, '-infinity'), twin.wechat_userid)
        < (coalesce(own.answered_at, '-infinity'), coalesce(own.notified_at, '-infinity'), own.wechat_userid);
update handover_successor told set wechat_userid = moving.now
from handover, moving
where handover.id = told.handover_id and moving.corpid = handover.corpid and moving.former = told.wechat_userid;

-- Of two codes for one purpose the later one stays; the other is deleted at WeCom.
update contact_way way set ended_at = now(), delete_due_at = coalesce(way.delete_due_at, now())
from contact_way other
left join moving its on its.corpid = other.corpid and its.former = other.wechat_userid
where way.corpid = other.corpid and way.ended_at is null and other.ended_at is null and other.id > way.id
    and way.customer_id = other.customer_id and coalesce(way.work_order_id, 0) = coalesce(other.work_order_id, 0)
    and coalesce((
        select now from moving where moving.corpid = way.corpid and moving.former = way.wechat_userid
    ), way.wechat_userid) = coalesce(its.now, other.wechat_userid);
update contact_way set wechat_userid = moving.now
from moving
where contact_way.corpid = moving.corpid and contact_way.wechat_userid = moving.former;
update welcome set wechat_userid = moving.now
from moving
where welcome.corpid = moving.corpid and welcome.wechat_userid = moving.former;

-- Who may log in as two things may do what was decided last.
delete from console_user twin
using console_user own
left join moving its on its.corpid = own.corpid and its.former = own.wechat_userid
where own.corpid = twin.corpid and own.wechat_userid <> twin.wechat_userid
    and coalesce(its.now, own.wechat_userid) = coalesce((
        select now from moving where moving.corpid = twin.corpid and moving.former = twin.wechat_userid
    ), twin.wechat_userid)
    and (twin.added_at, twin.wechat_userid) < (own.added_at, own.wechat_userid);
update console_user set wechat_userid = moving.now
from moving
where console_user.corpid = moving.corpid and console_user.wechat_userid = moving.former;
update console_session set wechat_userid = moving.now
from moving
where console_session.corpid = moving.corpid and console_session.wechat_userid = moving.former;

-- A member is read again once, under a subject that is the same for every spelling.
do $$
declare
    it record;
begin
    for it in
        delete from task where kind = 'refresh_member' and subject <> userid_key(subject) returning *
    loop
        insert into task as own (
            corpid, kind, subject, app_id, payload, priority, due_at, deadline, version, attempts, created_at,
            attempted_at, parked_at, reason
        )
        values (
            it.corpid, it.kind, userid_key(it.subject), it.app_id, it.payload, it.priority, it.due_at, it.deadline,
            it.version, it.attempts, it.created_at, it.attempted_at, it.parked_at, it.reason
        )
        on conflict on constraint task_key do update set
            app_id = least(own.app_id, excluded.app_id), due_at = greatest(own.due_at, excluded.due_at),
            version = own.version + excluded.version, attempts = least(own.attempts, excluded.attempts),
            parked_at = case when excluded.parked_at is not null then own.parked_at end,
            reason = case when excluded.parked_at is not null then own.reason end;
    end loop;
end
$$;

-- Messages of members that were taken for a customer's.
create temporary table sender as
select activity.corpid, activity.external_userid, min(alias.wechat_userid) as member
from customer_activity activity
join member_alias alias on alias.corpid = activity.corpid and alias.key = userid_key(activity.external_userid)
group by activity.corpid, activity.external_userid;
update wechat_contact_record record
set wechat_userid = sender.member, sender = sender.member, external_userid = null
from sender
where record.corpid = sender.corpid and record.external_userid = sender.external_userid
    and record.sender = record.external_userid and record.wechat_userid is null and record.contact_type <> 'event'
    and record.source = 'app';
delete from customer_activity activity using sender
where activity.corpid = sender.corpid and activity.external_userid = sender.external_userid;

drop table spelling, moving, moved_bind, sender;
