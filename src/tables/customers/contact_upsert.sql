-- Folds a batch's contacts into the table, by the same rule as `changes::Contact::absorb`; returns the people who got a
-- contact more and whose customer another contact or a decision may tell.
with written as (
    insert into customer_wechat_contact as own (
        corpid, external_userid, wechat_userid, staff_id, status, status_at, state, state_at, state_customer_id,
        state_customer_id_at, first_contact_time, last_contact_time, card, card_at, heard_arrived_at, met_arrived_at
    )
    select said.corpid, said.external_userid, said.wechat_userid, staff_id,
        status, status_at, state, state_at, state_customer_id, state_customer_id_at, first_contact_time,
        greatest(last_contact_time, (
            -- The epoch says that they wrote, and not when.
            select last_message_at from customer_activity active where active.corpid = said.corpid
                and active.external_userid = said.external_userid and last_message_at > to_timestamp(0)
        )),
        card, card_at, heard_arrived_at, met_arrived_at
    from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::text[],
        $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::jsonb[], $13::timestamptz[], $14::timestamptz[],
        $15::timestamptz[], $16::text[]
    ) said (
        corpid, external_userid, wechat_userid, status, status_at, state, state_at, state_customer_id,
        state_customer_id_at, first_contact_time, last_contact_time, card, card_at, heard_arrived_at, met_arrived_at,
        staff_id
    )
    on conflict on constraint customer_wechat_contact_key do update set
        status = case when (excluded.status_at, excluded.status) > (own.status_at, own.status)
            then excluded.status else own.status end,
        status_at = greatest(excluded.status_at, own.status_at),
        state = case when own.state_at is null or (excluded.state_at, excluded.state) > (own.state_at, own.state)
            then excluded.state else own.state end,
        state_at = greatest(excluded.state_at, own.state_at),
        state_customer_id = case when own.state_customer_id_at is null
            or (excluded.state_customer_id_at, excluded.state_customer_id) > (own.state_customer_id_at, own.state_customer_id)
            then excluded.state_customer_id else own.state_customer_id end,
        state_customer_id_at = greatest(excluded.state_customer_id_at, own.state_customer_id_at),
        first_contact_time = least(excluded.first_contact_time, own.first_contact_time),
        last_contact_time = greatest(excluded.last_contact_time, own.last_contact_time),
        -- Two readings of one moment do not differ, so the time alone decides.
        card = case when own.card_at is null or excluded.card_at > own.card_at then excluded.card else own.card end,
        card_at = greatest(excluded.card_at, own.card_at),
        heard_arrived_at = least(excluded.heard_arrived_at, own.heard_arrived_at),
        met_arrived_at = least(excluded.met_arrived_at, own.met_arrived_at)
    -- A row that this statement inserted has no xmax.
    returning own.corpid, own.external_userid, own.xmax = 0 as is_new
)
select distinct corpid as "corpid: CorpId", external_userid as "external_userid: ExternalUserId"
from written
where is_new and (
    exists (
        select from customer_wechat_contact other
        where other.corpid = written.corpid and other.external_userid = written.external_userid
        offset 0
    )
    -- Hardly anybody's customer is open or decided by a person, so whether there is any is asked once.
    or (select exists (select from customer_match)) and exists (
        select from customer_match decided
        where decided.corpid = written.corpid and decided.external_userid = written.external_userid
        offset 0
    )
)
