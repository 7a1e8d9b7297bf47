-- A task has no priority. Each executor takes tasks of one kind, so a number that followed from the kind alone decided
-- nothing: within a kind the deadline, the time and the corp's share do.
alter table task drop column priority;
