-- Look-ups that had no index of their own, so that their plans walked through whole tables or partial indexes.

-- A staff member's bindings, whether or not they stand: with an index of those that stand alone, their member's index is
-- as good to a planner that knows nothing of the table.
create index staff_wechat_bind_staff on staff_wechat_bind (staff_id, bound_at);

-- When a code is to be deleted at WeCom: once it was used or has expired, and its last attempt has rested.
create function contact_way_needless_at(used_at timestamptz, expires_at timestamptz, delete_due_at timestamptz)
    returns timestamptz language sql immutable parallel safe
    return greatest(case when used_at is null then expires_at else '-infinity' end, delete_due_at);
create index contact_way_needless on contact_way (contact_way_needless_at(used_at, expires_at, delete_due_at))
    where deleted_at is null and config_id is not null;
drop index contact_way_standing;

-- Whose resignations, whatever became of them; and those that were approved, by their last day.
create index resignation_of_member on resignation (wechat_userid);
create index resignation_last_day on resignation ((case when state = 'approved' then last_day end));

-- Sessions, and parts of handovers, that follow a member to another userid.
create index console_session_member on console_session (wechat_userid) where wechat_userid is not null;
create index handover_successor_of_member on handover_successor (wechat_userid);

-- What WeCom has had in hand for too long. Those of a customer are found among all of theirs, which are few.
create index handover_item_decided_by on handover_item (coalesce(takeover_at, submitted_at)) where state in ('calling', 'waiting');
drop index handover_item_waiting;

-- Reports of reconciling, and files, that are old enough to go.
create index sync_run_started on sync_run (started_at);
create index media_fetched on media (fetched_at) where fetched_at is not null;
