-- 微信客服 (kf): its accounts with the cursors of their pulls, the customers who write to them, and their sessions.

create table kf_account (
    corpid      text not null,
    open_kfid   text collate "C" not null,
    app_id      integer not null,
    name        text,
    -- A register: callbacks and WeCom's list say it.
    managed     boolean,
    managed_at  timestamptz,
    cursor      text not null default '',
    pulled_at   timestamptz,
    listed_at   timestamptz,
    poll_due_at timestamptz not null default now(),
    -- Longer than usual, in seconds, after WeCom said that we ask too often.
    poll_pause  integer,
    lost_from   timestamptz,
    constraint kf_account_key primary key (corpid, open_kfid)
);
create index kf_account_poll on kf_account (poll_due_at);

create table kf_customer (
    corpid          text not null,
    external_userid text not null,
    -- A register: read from WeCom as a whole.
    card            jsonb,
    card_at         timestamptz,
    unionid         text generated always as (nullif(card->>'unionid', '')) stored,
    -- A derivation, as a contact's.
    customer_id     text collate "C",
    matched_by      text,
    constraint kf_customer_key primary key (corpid, external_userid),
    constraint kf_customer_matched_by_check
        check (matched_by in ('admin', 'state', 'external_userid', 'unionid', 'mobile'))
);
create index kf_customer_unionid on kf_customer (unionid) where unionid is not null;
create index kf_customer_customer on kf_customer (customer_id) where customer_id is not null;

create table kf_session (
    corpid          text not null,
    open_kfid       text collate "C" not null,
    external_userid text not null,
    -- One register: state, servicer_userid, state_at. The epoch says that nothing is known but that they wrote.
    state           smallint not null,
    servicer_userid text collate "C",
    state_at        timestamptz not null,
    -- Another one.
    scene           text collate "C",
    scene_param     text collate "C",
    entered_at      timestamptz,
    constraint kf_session_key primary key (corpid, open_kfid, external_userid),
    constraint kf_session_state_check check (state between 0 and 4)
);
create index kf_session_person on kf_session (external_userid);
create index kf_session_served on kf_session (servicer_userid) where state = 3;

-- A greeting through 微信客服 names an account instead of a member.
alter table welcome
    alter column wechat_userid drop not null,
    add column open_kfid text;

-- An open session of a leaver is handed over, too: open_kfid/external_userid.
alter table handover_item
    drop constraint handover_item_kind_check,
    add constraint handover_item_kind_check check (kind in ('customer', 'order', 'group', 'session'));

create index handover_item_session on handover_item (split_part(subject, '/', 2)) where kind = 'session';
create index handover_log_session on handover_log (split_part(subject, '/', 2)) where kind = 'session';

-- As before, and a session loses its customer, too.
create or replace function refuse_edit_but_erasure() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and to_jsonb(new) - 'subject' = to_jsonb(old) - 'subject' and (
        new.kind = 'customer' and new.subject like 'erased-%'
        or new.kind = 'session' and new.subject like '%/erased-%' and split_part(new.subject, '/', 1) = split_part(old.subject, '/', 1)
    ) then
        return new;
    end if;
    raise exception '% is only ever appended to', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

alter table contact_flow_setting add column kf_trust_scene_param boolean not null default false;

comment on table kf_account is
    'An account of WeChat customer service, and how far its messages are pulled. | 微信客服账号及其消息的拉取进度。';
comment on column kf_account.corpid is 'The corp. | 企业。';
comment on column kf_account.open_kfid is 'Id of the account (wk…). | 客服账号 ID（wk…）。';
comment on column kf_account.app_id is
    'The app that pulls (enterprise_wechat_config.id). | 拉取消息所用的应用（enterprise_wechat_config.id）。';
comment on column kf_account.name is 'Name of the account. | 客服账号名称。';
comment on column kf_account.managed is
    'Whether the account is managed through the API, so that WeCom routes no customer of it; null if not known yet. | 是否“通过 API 管理”（此时企业微信不再自动分配客户）；尚不清楚则为空。';
comment on column kf_account.managed_at is 'When managed was so. | managed 取值的时间。';
comment on column kf_account.cursor is
    'Where the next pull begins; empty for the oldest message that WeCom keeps. | 下次拉取的起点；为空则从企业微信保存的最早消息开始。';
comment on column kf_account.pulled_at is 'When a page was last stored. | 最近一次存储一页消息的时间。';
comment on column kf_account.listed_at is 'When names were last read from WeCom. | 最近一次读取账号名称的时间。';
comment on column kf_account.poll_due_at is 'When the account is pulled without a callback. | 无回调时下次主动拉取的时间。';
comment on column kf_account.poll_pause is
    'Pause between such pulls in seconds, longer than kf.poll_seconds after WeCom limited them; null for the usual one. | 主动拉取的间隔（秒）；被企业微信限频后长于 kf.poll_seconds，正常时为空。';
comment on column kf_account.lost_from is
    'Since when messages may be missing, because nothing was pulled for longer than WeCom keeps them. | 因超过企业微信的保存期未拉取，自何时起消息可能缺失。';
comment on table kf_customer is
    'Somebody who wrote to an account of WeChat customer service or opened it. | 进入过微信客服或发过消息的人。';
comment on column kf_customer.corpid is 'The corp. | 企业。';
comment on column kf_customer.external_userid is 'WeCom''s id of the person. | 该人的 external_userid。';
comment on column kf_customer.card is
    'nickname, avatar, gender, unionid, as WeCom told them within 48 hours. | 昵称、头像、性别、unionid，48 小时内读自企业微信。';
comment on column kf_customer.card_at is 'When the card was read. | 资料的读取时间。';
comment on column kf_customer.unionid is
    'WeChat''s id of the person across apps, from the card. | unionid，取自资料。';
comment on column kf_customer.customer_id is
    'The business''s id of the customer; null until matched. | 业务客户编号；未匹配则为空。';
comment on column kf_customer.matched_by is
    'How customer_id was found: state (scene_param), external_userid or unionid. | customer_id 的来源：state（scene_param）、external_userid 或 unionid。';
comment on table kf_session is
    'The session of a customer with an account, as events and WeCom''s answers say. | 客户与客服账号的会话状态，依据事件和企业微信的答复。';
comment on column kf_session.corpid is 'The corp. | 企业。';
comment on column kf_session.open_kfid is 'The account. | 客服账号。';
comment on column kf_session.external_userid is 'The customer. | 客户。';
comment on column kf_session.state is
    '0 new, 1 with a bot, 2 waiting in the pool, 3 with a servicer, 4 ended. | 0 未处理、1 智能助手、2 待接入池、3 人工接待、4 已结束。';
comment on column kf_session.servicer_userid is
    'The servicer, as the event spelled them; null if there is none. | 接待人员，按事件中的写法；没有则为空。';
comment on column kf_session.state_at is
    'When state and servicer were so; the epoch if only a message is known. | 状态的时间；仅知道有消息时为 1970-01-01。';
comment on column kf_session.scene is 'Scene of the link through which they last entered. | 最近一次进入的场景值。';
comment on column kf_session.scene_param is
    'Parameter of that link; nobody signs it. | 该链接的参数（没有签名）。';
comment on column kf_session.entered_at is 'When they last entered. | 最近一次进入的时间。';
comment on column welcome.open_kfid is
    'The account, if it was sent through WeChat customer service; then there is no member. | 通过微信客服发送时的客服账号；此时没有成员。';
comment on column welcome.wechat_userid is
    'The member whom they added; null for WeChat customer service. | 客户添加的成员；微信客服则为空。';
comment on column contact_flow_setting.kf_trust_scene_param is
    'Whether a scene_param cust:… names the business''s customer (kf.trust_scene_param). | scene_param 中的 cust:… 是否视为业务客户编号（kf.trust_scene_param）。';
comment on column task.kind is
    'welcome, welcome_kf, notify_staff, handover, find_leavers, refresh_member, refresh_contact, refresh_kf_customer, pull_kf, route_kf or fetch_media. | welcome 欢迎语，welcome_kf 微信客服欢迎语，notify_staff 通知员工，handover 交接，find_leavers 查找离职成员，refresh_member 读取成员，refresh_contact 读取客户，refresh_kf_customer 读取微信客服客户，pull_kf 拉取微信客服消息，route_kf 分配微信客服会话，fetch_media 下载媒体。';
comment on column handover_item.subject is
    'external_userid, number of the work order, chat_id of the group, or open_kfid/external_userid of the session. | external_userid、工单号、客户群的 chat_id，或会话的 open_kfid/external_userid。';
comment on column handover_item.kind is
    'customer, order, group or session. | customer 客户，order 工单，group 客户群，session 微信客服会话。';
comment on column wechat_contact_record.contact_type is
    'text, image, voice, video, location, link, file, event, emotion, card, miniprogram, forward, mixed, call, document, meeting, form, red_packet, channels or other (event has its name). | text 文本，image 图片，voice 语音，video 视频，location 位置，link 链接，file 文件，event 事件，emotion 表情，card 名片，miniprogram 小程序，forward 聊天记录，mixed 混合消息，call 通话，document 文档，meeting 会议，form 表单，red_packet 红包，channels 视频号，other 其他（名称见 event）。';
comment on column wechat_contact_record.source is
    'app for a callback, kf for WeChat customer service, archive for the message archive, manual for a record written by hand. | app 来自回调，kf 微信客服，archive 会话内容存档，manual 手工记录。';
