-- The message archive (会话内容存档). What its messages say goes through the inbox, as callbacks do; here is how far each
-- corp's archive is read, with which keys, what did not open yet, who agreed, and what fetches its files.

create table archive_account (
    corpid             text not null,
    app_id             integer not null,
    seq                bigint not null default 0,
    pulled_at          timestamptz,
    caught_up_at       timestamptz,
    last_sent_at       timestamptz,
    gaps               jsonb not null default '[]',
    trouble            text,
    keys_tried_at      timestamptz,
    seats              jsonb not null default '{}',
    consent_checked_at timestamptz,
    constraint archive_account_key primary key (corpid)
);
comment on table archive_account is
    'How far a corp''s message archive is read. | 各企业会话内容存档的读取进度。';
comment on column archive_account.corpid is 'The corp. | 企业ID。';
comment on column archive_account.app_id is
    'The app with agentid 2000004 that pulls it (enterprise_wechat_config.id). | 用于拉取的应用（agentid 2000004，enterprise_wechat_config.id）。';
comment on column archive_account.seq is
    'The number of the last message that is stored. It moves in the transaction that stores its page. | 已保存的最后一条消息的序号；与该页消息在同一事务中更新。';
comment on column archive_account.pulled_at is 'When a page last came. | 最近一次拉取成功的时间。';
comment on column archive_account.caught_up_at is
    'When nothing was left to pull. The archive is behind if that is long ago. | 最近一次拉取完毕的时间；过久说明存档落后。';
comment on column archive_account.last_sent_at is 'When the last stored message was sent. | 已保存的最后一条消息的发送时间。';
comment on column archive_account.gaps is
    'What was lost because WeCom keeps messages for five days: from and to, as numbers, and when it was found. | 因企业微信只保存五天而丢失的区间：起止序号及发现时间。';
comment on column archive_account.trouble is
    'Why the archive cannot be read at present; null if it can. | 当前无法读取存档的原因；正常时为空。';
comment on column archive_account.keys_tried_at is
    'Up to which key the sealed messages were tried. | 未解密的消息已用哪一时间之前的私钥试过。';
comment on column archive_account.seats is
    'The members with a seat, by edition: 1 office, 2 service, 3 enterprise. | 开启存档的成员，按版本：1 办公版，2 服务版，3 企业版。';
comment on column archive_account.consent_checked_at is
    'When seats and consents were last read. | 最近一次读取开启成员与同意情况的时间。';

create table archive_key (
    corpid      text not null,
    public_hash bytea not null,
    version     integer,
    private_key bytea not null,
    public_key  text not null,
    added_at    timestamptz not null default now(),
    constraint archive_key_key primary key (corpid, public_hash),
    constraint archive_key_version_key unique (corpid, version)
);
comment on table archive_key is
    'The RSA keys of the message archive. All are kept: a message opens only with the key of its time. | 会话内容存档的 RSA 密钥。全部保留：消息只能用当时的私钥解开。';
comment on column archive_key.corpid is 'The corp. | 企业ID。';
comment on column archive_key.public_hash is 'SHA-256 of the public key (DER). | 公钥（DER）的 SHA-256。';
comment on column archive_key.version is
    'The version that WeCom gave the public key; null until it is said or seen in use. | 企业微信为公钥编的版本号；未指定且尚未在消息中见到时为空。';
comment on column archive_key.private_key is 'The private key in PEM, sealed with the master key. | 私钥（PEM），用主密钥加密。';
comment on column archive_key.public_key is 'The public key in PEM, for WeCom''s console. | 公钥（PEM），填入企业微信管理后台。';
comment on column archive_key.added_at is
    'When it was added, or added again: what is sealed is then tried with it. | 添加（或再次添加）的时间；之后会用它重试未解密的消息。';

create table archive_sealed (
    corpid        text not null,
    seq           bigint not null,
    msgid         text not null,
    publickey_ver integer not null,
    random_key    text not null,
    message       text not null,
    reason        text not null,
    sealed_at     timestamptz not null default now(),
    constraint archive_sealed_key primary key (corpid, seq)
);
-- Neither compresses.
alter table archive_sealed alter column random_key set storage external, alter column message set storage external;
comment on table archive_sealed is
    'Messages of the archive that did not open, as WeCom sealed them. They are opened when their key comes. | 未能解密的存档消息（密文），得到私钥后再解开。';
comment on column archive_sealed.corpid is 'The corp. | 企业ID。';
comment on column archive_sealed.seq is 'The message''s number. | 消息序号。';
comment on column archive_sealed.msgid is 'WeCom''s id of the message. | 企业微信的消息ID。';
comment on column archive_sealed.publickey_ver is 'The version of the public key that it is sealed with. | 加密所用公钥的版本号。';
comment on column archive_sealed.random_key is 'Its short key, sealed with RSA, in base64. | 用 RSA 加密的随机密钥（base64）。';
comment on column archive_sealed.message is 'The message, sealed with its short key. | 用随机密钥加密的消息。';
comment on column archive_sealed.reason is 'Why it did not open. | 未能解密的原因。';
comment on column archive_sealed.sealed_at is 'When it was pulled. | 拉取时间。';

create table archive_consent (
    corpid          text not null,
    external_userid text not null,
    wechat_userid   text not null default '',
    chat_id         text collate "C" not null default '',
    status          text collate "C" not null,
    status_at       timestamptz not null,
    constraint archive_consent_key primary key (corpid, external_userid, wechat_userid, chat_id)
);
create index archive_consent_user on archive_consent (wechat_userid) where wechat_userid <> '';
comment on table archive_consent is
    'Which customer agreed that a talk is archived. | 哪些客户同意存档。';
comment on column archive_consent.corpid is 'The corp. | 企业ID。';
comment on column archive_consent.external_userid is 'The customer. | 客户。';
comment on column archive_consent.wechat_userid is 'The member they talk to; empty for a group. | 对话的成员；群聊时为空。';
comment on column archive_consent.chat_id is 'The group; empty for two people. | 客户群；单聊时为空。';
comment on column archive_consent.status is
    'Agree or Disagree, or another word of WeCom''s. | Agree 同意，Disagree 不同意，或企业微信的其他取值。';
comment on column archive_consent.status_at is 'When it became so. | 变为此状态的时间。';

create table archive_media (
    corpid       text not null,
    media_id     text collate "C" not null,
    sdkfileid    text not null,
    md5          text,
    content_type text not null,
    filename     text,
    parts        integer not null default 0,
    next_index   text not null default '',
    found_md5    text,
    noted_at     timestamptz not null default now(),
    constraint archive_media_key primary key (corpid, media_id)
);
comment on table archive_media is
    'What fetches a file of the archive. The file itself is in media. | 拉取存档文件所需的信息；文件本身见 media。';
comment on column archive_media.corpid is 'The corp. | 企业ID。';
comment on column archive_media.media_id is
    'Our id of the file: ar_ and the SHA-256 of sdkfileid. | 文件ID：ar_ 加 sdkfileid 的 SHA-256。';
comment on column archive_media.sdkfileid is 'WeCom''s id of it, of any length. | 企业微信的文件ID，长度不限。';
comment on column archive_media.md5 is 'The MD5 that the message states. | 消息中给出的 MD5。';
comment on column archive_media.content_type is 'Its type, by the message''s. | 按消息类型得出的内容类型。';
comment on column archive_media.filename is 'Its name. | 文件名。';
comment on column archive_media.parts is 'How many parts are stored of a download in progress. | 下载中已保存的分段数。';
comment on column archive_media.next_index is 'Where the next piece begins, as WeCom said. | 下一分片的起点（企业微信返回的 outindexbuf）。';
comment on column archive_media.found_md5 is
    'The MD5 of the bytes that came, if it is another one. The bytes are kept. | 实际内容的 MD5（与消息不符时）；文件仍保留。';
comment on column archive_media.noted_at is 'When its message was recorded. | 记录消息的时间。';

-- A file of the archive may be asked for by a task only, so what lists tasks needs no other column.
comment on column task.kind is
    'welcome, welcome_kf, notify_staff, handover, find_leavers, read_approval, refresh_member, refresh_contact, refresh_tags, refresh_group, refresh_kf_customer, pull_kf, route_kf, fetch_media, pull_archive or check_consent. | welcome 欢迎语，welcome_kf 微信客服欢迎语，notify_staff 通知员工，handover 交接，find_leavers 查找离职成员，read_approval 读取审批，refresh_member 读取成员，refresh_contact 读取客户，refresh_tags 读取企业标签，refresh_group 读取客户群，refresh_kf_customer 读取微信客服客户，pull_kf 拉取微信客服消息，route_kf 分配微信客服会话，fetch_media 下载媒体，pull_archive 拉取会话存档，check_consent 读取存档同意情况。';
