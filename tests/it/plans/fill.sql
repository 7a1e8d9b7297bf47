-- What years leave behind: rows {from} to {to} of each table, all of corp {corp}, none of which a round has to do with.
-- Of the contacts half are dora's and twenty members have the rest, so that a look-up by member is as wrong as one by corp.
insert into member (corpid, wechat_userid, name, name_at, joined_at, left_at)
select '{corp}', 'filler' || n, 'n', now(), now() - interval '9 days', now() - interval '8 days'
from generate_series({from}, {to}) n;
insert into member_alias (corpid, alias, wechat_userid, decided_at)
select '{corp}', 'former' || n, 'filler' || n, now() from generate_series({from}, {to}) n;
insert into staff_wechat_bind (corpid, staff_id, wechat_userid, status, unbound_at, unbound_reason)
select '{corp}', 'F' || n, 'filler' || n, case n % 2 when 0 then 'bound' else 'unbound' end,
    case n % 2 when 1 then now() end, case n % 2 when 1 then 'admin' end
from generate_series({from}, {to}) n;
insert into customer_wechat_contact (
    corpid, external_userid, wechat_userid, status, status_at, state, state_at, state_customer_id,
    state_customer_id_at, customer_id, matched_by, card, card_at, first_contact_time, last_contact_time
)
select '{corp}', 'wmFILLER' || n, case n % 2 when 0 then 'dora' else 'filler' || n % 20 end, 'contacted', now() - interval '9 days', 's' || n, now(),
    case n % 4 when 0 then 'C' || n end, case n % 4 when 0 then now() end,
    case n % 4 when 0 then 'C' || n end, case n % 4 when 0 then 'state' end,
    case n % 2 when 0 then jsonb_build_object('unionid', 'union' || n, 'nickname', 'n') end,
    case n % 2 when 0 then now() end, now(), now()
from generate_series({from}, {to}) n;
insert into customer_activity (corpid, external_userid, last_message_at)
select '{corp}', 'wmFILLER' || n, now() from generate_series({from}, {to}) n;
insert into work_order (corpid, customer_id, phone, description, state, staff_id)
select '{corp}', 'C' || n, '139' || lpad(n::text, 8, '0'), '漏水', 'done', 'F' || n from generate_series({from}, {to}) n;
insert into contact_way (
    corpid, state, customer_id, staff_id, wechat_userid, work_order_id, config_id, expires_at, used_at, used_by, ended_at,
    deleted_at
)
select '{corp}', 'way' || n, 'C' || n, 'F1', 'filler1', n, 'cfg' || n, now() + interval '9 days',
    case n % 2 when 0 then now() end, case n % 2 when 0 then 'wmFILLER' || n end, case n % 2 when 0 then now() end,
    case n % 2 when 0 then now() end
from generate_series({from}, {to}) n;
insert into contact_way_scan (corpid, state, external_userid, scanned_at)
select '{corp}', 'way' || n, 'wmFILLER' || n, now() from generate_series({from}, {to}) n;
insert into customer_match (corpid, external_userid, matched_by, candidates)
select '{corp}', 'wmFILLER' || n, 'unionid', array['C1', 'C2'] from generate_series({from}, {to}) n;
insert into erased_person (corpid, person, erased_at, erasure_id)
select '{corp}', erased_hash('{corp}', 'wmGONE' || n), now(), 1 from generate_series({from}, {to}) n;
insert into transfer_fail (corpid, wechat_userid, external_userid, at, reason)
select '{corp}', 'filler' || n % 20, 'wmFILLER' || n, now(), 'customer_refused' from generate_series({from}, {to}) n;
insert into resignation (corpid, staff_id, wechat_userid, last_day, requested_by, state)
select '{corp}', 'F' || n, 'filler' || n, '2030-01-01', 'x', case n % 2 when 0 then 'approved' else 'cancelled' end
from generate_series({from}, {to}) n;
insert into handover (corpid, wechat_userid, staff_id, state, cause, left_at)
select '{corp}', 'filler' || n, 'F' || n, case n % 2 when 0 then 'waiting' else 'done' end, 'left', now()
from generate_series({from}, {to}) n;
insert into handover_call (handover_id, kind, flow, handover_userid, successor_userid, items, outcome)
select id, 'customer', 'resigned', wechat_userid, 'filler1', '{}', case id % 2 when 0 then 'answered' end
from handover where wechat_userid like 'filler%' and substr(wechat_userid, 7)::bigint between {from} and {to};
insert into handover_item (
    handover_id, kind, subject, state, successor_userid, successor_staff_id, call_id, submitted_at
)
select handover.id, 'customer', 'wmFILLER' || substr(handover.wechat_userid, 7),
    case handover.id % 2 when 0 then 'waiting' else 'done' end, 'filler' || handover.id % 20, 'F1', handover_call.id,
    now() - handover.id * interval '1 ms'
from handover join handover_call on handover_call.handover_id = handover.id
where handover.wechat_userid like 'filler%' and substr(handover.wechat_userid, 7)::bigint between {from} and {to};
insert into handover_successor (handover_id, wechat_userid)
select id, 'filler1' from handover
where wechat_userid like 'filler%' and substr(wechat_userid, 7)::bigint between {from} and {to};
insert into handover_log (handover_id, kind, subject, to_state, actor, cause)
select n, 'customer', 'wmFILLER' || n, 'open', 'x', 'y' from generate_series({from}, {to}) n;
insert into task (corpid, kind, subject, app_id, due_at, version)
select '{corp}', (array['refresh_contact', 'refresh_member', 'notify_staff', 'handover', 'fetch_media'])[1 + n % 5],
    'filler' || n, 1, now() + interval '9 days', 1
from generate_series({from}, {to}) n;
insert into welcome (corpid, code_hash, external_userid, wechat_userid, app_id, received_at, outcome)
select '{corp}', sha256(n::text::bytea), 'wmFILLER' || n, 'filler1', 1, now(), 'sent' from generate_series({from}, {to}) n;
insert into media (corpid, media_id, state, location, content_type, bytes, sha256, fetched_at)
select '{corp}', 'filler' || n, 'fetched', 'x', 'image/png', 1, '', now() from generate_series({from}, {to}) n;
insert into wechat_contact_record (
    contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, content, media_id, source
)
select to_timestamp({begin}) + n * interval '1 second', gen_random_uuid(), '{corp}', 'wmFILLER' || n, 'filler' || n % 20,
    'x', 'text', 'y', 'filler' || n, 'app'
from generate_series({from}, {to}) n;
insert into inbox (event_at, app_id, hash, plaintext)
select to_timestamp({begin}) + n * interval '1 second', 1, sha256(n::text::bytea), 'x' from generate_series({from}, {to}) n;
insert into pending (due_at, event_at, app_id, hash)
select now() + interval '9 days', to_timestamp({begin}) + n * interval '1 second', 1, sha256(n::text::bytea)
from generate_series({from}, {to}) n;
insert into pending_group (due_at, size, earliest, latest, event_ats, app_ids, hashes)
select now() + interval '9 days', 2, at, at, array[at, at], array[1, 1], array[sha256(n::text::bytea), sha256('x')]
from (select n, to_timestamp({begin}) + n * interval '1 second' as at from generate_series({from}, {to}) n) it;
insert into parked (event_at, app_id, hash, attempts, reason)
select to_timestamp({begin}) + n * interval '1 second', 1, sha256(n::text::bytea), 1, 'x'
from generate_series({from}, {to}) n;
insert into ignored (event_at, app_id, hash, name)
select to_timestamp({begin}) + n * interval '1 second', 1, sha256(n::text::bytea), 'x'
from generate_series({from}, {to}) n;
insert into sync_run (corpid, state, started_at, finished_at)
select '{corp}', 'done', now() - n * interval '1 second', now() from generate_series({from}, {to}) n;
insert into sync_shard (run_id, users, state)
select id, '{}', 'done' from sync_run
where id in (select id from sync_run where state = 'done' order by id desc limit {to} - {from} + 1);
insert into sync_drift (run_id, kind, external_userid, wechat_userid)
select id, (array['missing_here', 'gone_there'])[1 + id % 2], 'wmFILLER' || id, 'filler1' from sync_run
where id in (select id from sync_run where state = 'done' order by id desc limit {to} - {from} + 1);
insert into api_token (name, role, hash, prefix, corpid, staff_id)
select 'filler' || n, 'viewer', sha256(n::text::bytea), 'x', '{corp}', 'F' || n from generate_series({from}, {to}) n;
insert into console_user (corpid, wechat_userid, role, added_by)
select '{corp}', 'filler' || n, 'viewer', 'x' from generate_series({from}, {to}) n;
insert into console_session (hash, corpid, wechat_userid, expires_at, address, user_agent)
select sha256(n::text::bytea), '{corp}', 'filler' || n, now() + interval '9 days', '', '' from generate_series({from}, {to}) n;
insert into idempotency_key (caller, key, hash, at)
select 'filler' || n, 'k', '', now() from generate_series({from}, {to}) n;
