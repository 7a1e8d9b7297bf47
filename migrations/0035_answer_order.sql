-- An answer that is repeated under its Idempotency-Key reads as it did the first time: `json` keeps the order of the
-- fields, `jsonb` sorts them. Answers are kept for a day, so there are few.
alter table idempotency_key alter column answer type json;
