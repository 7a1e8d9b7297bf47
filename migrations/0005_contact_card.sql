-- What only WeCom can tell of a contact: read by refreshes and reconciliation, never said by a callback.
-- The card is one register: it is read as a whole, and the later reading wins. What people ask for are its columns.
alter table customer_wechat_contact
    drop column nickname,
    drop column unionid,
    add column card           jsonb,
    add column card_at        timestamptz,
    add column nickname       text generated always as (card->>'nickname') stored,
    add column unionid        text generated always as (card->>'unionid') stored,
    add column avatar         text generated always as (card->>'avatar') stored,
    -- The name and the note that the member gave the customer.
    add column remark         text generated always as (card->>'remark') stored,
    add column description    text generated always as (card->>'description') stored,
    -- The tags' names, as an array.
    add column tags           jsonb generated always as (card->'tags') stored,
    -- The phone numbers that the member wrote down, as an array of texts.
    add column remark_mobiles jsonb generated always as (card->'remark_mobiles') stored,
    -- How they became contacts, as WeCom numbers it: 1 QR code, 2 phone, 3 card, 16 acquisition link, 202 handed over.
    add column add_way        integer generated always as ((card->>'add_way')::integer) stored;
create index customer_wechat_contact_unionid on customer_wechat_contact (corpid, unionid) where unionid is not null;
create index customer_wechat_contact_state on customer_wechat_contact (corpid, state) where state is not null;
create index customer_wechat_contact_mobiles on customer_wechat_contact using gin (remark_mobiles)
    where remark_mobiles is not null;
