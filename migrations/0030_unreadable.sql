-- What WeCom answers and cannot be used costs itself, and is told.

-- `unreadable`: a row of WeCom's lists that says not whom it is about, or that the database refuses.
alter table sync_drift
    drop constraint sync_drift_kind_check,
    add constraint sync_drift_kind_check check (kind in (
        'missing_here', 'gone_there', 'other_owner', 'ended_here', 'renamed',
        'member_missing_here', 'member_gone_there', 'member_renamed', 'member_left', 'member_refused', 'not_serving',
        'unreadable'
    ));

-- How many such rows there were: of those that name nobody, the report holds one line.
alter table sync_run add column unreadable bigint not null default 0;

alter table sync_shard
    -- How many pages of this reading are read: a list that never ends is noticed by any process.
    add column pages integer not null default 0,
    -- Whether a row of this reading was left out. Then nothing is concluded from what was not named.
    add column unreadable boolean not null default false;
