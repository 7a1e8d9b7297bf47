-- What each table, view and column holds, in English and Chinese, for whoever asks with SQL: `English. | 中文。`
-- The dictionary in docs/reference/tables.md is generated from these texts.

comment on table access_anchor is
    'Where a chain of the access log goes on after old months were dropped. | 访问日志删除旧月份后,各条链从哪里接续。';
comment on column access_anchor.chain is 'The chain. | 链的编号。';
comment on column access_anchor.position is 'Position of the last line that was dropped. | 被删除的最后一行在链中的位置。';
comment on column access_anchor.hash is 'Hash of that line; the next line refers to it. | 该行的哈希,下一行引用它。';
comment on column access_anchor.lines is 'How many lines were dropped with it. | 一并删除了多少行。';
comment on column access_anchor.from_at is 'Time of the first line that was dropped. | 被删除的第一行的时间。';
comment on column access_anchor.until_at is 'Time of the last line that was dropped. | 被删除的最后一行的时间。';
comment on column access_anchor.dropped_at is 'When they were dropped. | 删除的时间。';

comment on table access_chain is
    'The end of each chain of the access log; only a trigger writes it. | 访问日志每条链的末端,只由触发器写入。';
comment on column access_chain.chain is 'The chain, from 1 to 16. | 链的编号,1 到 16。';
comment on column access_chain.position is 'Position of the chain''s last line. | 链中最后一行的位置。';
comment on column access_chain.hash is 'Hash of the chain''s last line. | 链中最后一行的哈希。';
comment on column access_chain.month is 'Month of the chain''s last line. | 链中最后一行所属的月份。';

comment on table access_log is
    'One request to the admin API or one command, reads included. Append-only, a partition a month. | 管理接口的一次请求或一条命令,包括读取。只能追加,按月分区。';
comment on column access_log.id is 'Number of the line. | 行号。';
comment on column access_log.at is 'When it was written. | 写入时间。';
comment on column access_log.token_id is
    'The API token (api_token.id) that was used, or with which the session began; null for members, commands and strangers. | 所用的或登录会话所用的 API 令牌(api_token.id);成员登录、命令行和陌生人为空。';
comment on column access_log.who is
    'Name of the token, userid of the member who was logged in, or "command line". | 令牌的名称、登录成员的账号,或 "command line"。';
comment on column access_log.role is
    'Role of the caller: admin, operator or viewer; - if there is none. | 调用者的角色:admin、operator 或 viewer;没有则为 -。';
comment on column access_log.method is 'HTTP method, or CLI for a command. | HTTP 方法;命令行为 CLI。';
comment on column access_log.route is 'Route pattern, or name of the command. | 路由模式,或命令的名称。';
comment on column access_log.subject is
    'What was asked for, such as an id; empty if nothing in particular. | 请求的对象,例如某个编号;没有特定对象则为空。';
comment on column access_log.status is 'HTTP status of the answer. | 应答的 HTTP 状态码。';
comment on column access_log.request_id is 'Id of the request, as in the program''s log. | 请求编号,与程序日志一致。';
comment on column access_log.address is 'Address of the caller; - for a command. | 调用者的地址;命令行为 -。';
comment on column access_log.customer is
    'The customer whose data was read or changed; empty if it was not one customer''s. | 被读取或修改数据的客户;不针对某位客户则为空。';
comment on column access_log.times is
    'How many requests the line stands for; refused strangers share one line a minute. | 该行代表多少次请求;被拒绝的陌生人每分钟合并为一行。';
comment on column access_log.chain is 'The chain that the line belongs to. | 该行所属的链。';
comment on column access_log.position is 'Position of the line in its chain. | 该行在链中的位置。';
comment on column access_log.previous is 'Hash of the line before it in its chain. | 链中上一行的哈希。';
comment on column access_log.hash is
    'SHA-256 of everything the line says, with previous. | 该行全部内容(含 previous)的 SHA-256。';

comment on table api_token is 'A token for the admin API. | 管理接口的一个令牌。';
comment on column api_token.id is 'Number of the token. | 令牌编号。';
comment on column api_token.name is 'Name that people gave it. | 令牌的名称。';
comment on column api_token.role is 'What it may do: admin, operator or viewer. | 权限:admin、operator 或 viewer。';
comment on column api_token.hash is 'SHA-256 of the token; the token itself is not stored. | 令牌的 SHA-256;不存储令牌本身。';
comment on column api_token.prefix is 'First characters of the token, to recognise it by. | 令牌开头的几个字符,便于辨认。';
comment on column api_token.created_at is 'When it was made. | 创建时间。';
comment on column api_token.revoked_at is 'When it was revoked; null if it was not. | 撤销时间;未撤销为空。';
comment on column api_token.corpid is
    'The corp of the staff member it belongs to; null if it belongs to nobody. | 令牌所属员工的企业ID;不属于任何人则为空。';
comment on column api_token.staff_id is
    'The staff member it belongs to; it ends when they leave. | 令牌所属的员工;员工离职时令牌失效。';
comment on column api_token.expires_at is 'When it ends by itself; null if it does not. | 自动失效的时间;不会自动失效则为空。';
comment on column api_token.last_used_at is 'When it was last used, to the minute. | 最近一次使用的时间,精确到分钟。';
comment on column api_token.own_only is
    'Whether it sees only its staff member''s own customers and orders. | 是否只能看到该员工本人的客户和工单。';

comment on table backup is 'One attempt to make a backup. | 一次备份。';
comment on column backup.id is 'Number of the backup. | 备份编号。';
comment on column backup.started_at is 'When it began. | 开始时间。';
comment on column backup.finished_at is 'When it ended. | 结束时间。';
comment on column backup.outcome is 'running, done or failed. | 结果:running 进行中,done 完成,failed 失败。';
comment on column backup.reason is 'Why it failed, or which files are missing in it. | 失败的原因,或缺少哪些文件。';
comment on column backup.file is 'Name of the file. | 文件名。';
comment on column backup.key_id is 'Id of the master key that opens it. | 解密所需主密钥的编号。';
comment on column backup.bytes is 'Size of the file in bytes. | 文件的字节数。';
comment on column backup.sha256 is 'SHA-256 of the file. | 文件的 SHA-256。';
comment on column backup.removed_at is
    'When the file was removed because later backups had taken its place. | 因已有更新的备份而删除该文件的时间。';

comment on table callback_key_use is
    'How many callbacks still came under an app''s former callback keys after a change. | 应用更换回调密钥后,仍用旧密钥发来的回调数。';
comment on column callback_key_use.app_id is
    'The app (enterprise_wechat_config.id). | 应用(enterprise_wechat_config.id)。';
comment on column callback_key_use.rotated_at is 'When the current keys were set. | 设置当前密钥的时间。';
comment on column callback_key_use.deliveries is
    'How many callbacks came under the former keys since then. | 此后用旧密钥发来的回调数。';
comment on column callback_key_use.last_at is 'When the last of them came. | 其中最近一条的时间。';

comment on table console_session is 'A browser that is or was logged in to the console. | 登录过控制台的一个浏览器。';
comment on column console_session.id is 'Number of the session. | 会话编号。';
comment on column console_session.hash is
    'SHA-256 of the cookie; the cookie itself is not stored. | Cookie 的 SHA-256;不存储 Cookie 本身。';
comment on column console_session.corpid is
    'The corp of the member who logged in; null if a token was used. | 登录成员的企业ID;用令牌登录则为空。';
comment on column console_session.wechat_userid is
    'The member who logged in; null if a token was used. | 登录的成员;用令牌登录则为空。';
comment on column console_session.token_id is
    'The token (api_token.id) that was used to log in; null for a member. | 登录所用的令牌(api_token.id);成员登录则为空。';
comment on column console_session.created_at is 'When they logged in. | 登录时间。';
comment on column console_session.last_seen_at is 'When the session was last used, to the minute. | 最近一次使用的时间,精确到分钟。';
comment on column console_session.expires_at is 'When the session ends at the latest. | 会话最迟失效的时间。';
comment on column console_session.ended_at is
    'When it was ended by logging out or by an administrator. | 退出登录或被管理员终止的时间。';
comment on column console_session.address is 'Address of the browser. | 浏览器的地址。';
comment on column console_session.user_agent is 'What the browser calls itself. | 浏览器自报的名称(User-Agent)。';

comment on view console_session_live is 'Sessions that are valid now, with what they may do. | 现在有效的登录会话及其权限。';
comment on column console_session_live.id is 'Number of the session. | 会话编号。';
comment on column console_session_live.hash is 'SHA-256 of the cookie. | Cookie 的 SHA-256。';
comment on column console_session_live.corpid is
    'The corp of the member who logged in; null if a token was used. | 登录成员的企业ID;用令牌登录则为空。';
comment on column console_session_live.wechat_userid is
    'The member who logged in; null if a token was used. | 登录的成员;用令牌登录则为空。';
comment on column console_session_live.token_id is
    'The token that was used to log in; null for a member. | 登录所用的令牌;成员登录则为空。';
comment on column console_session_live.created_at is 'When they logged in. | 登录时间。';
comment on column console_session_live.last_seen_at is
    'When the session was last used, to the minute. | 最近一次使用的时间,精确到分钟。';
comment on column console_session_live.expires_at is 'When the session ends at the latest. | 会话最迟失效的时间。';
comment on column console_session_live.ended_at is
    'Always null here: sessions that were ended are left out. | 此处恒为空:已终止的会话不在其中。';
comment on column console_session_live.address is 'Address of the browser. | 浏览器的地址。';
comment on column console_session_live.user_agent is 'What the browser calls itself. | 浏览器自报的名称(User-Agent)。';
comment on column console_session_live.role is
    'What the session may do: admin, operator or viewer. | 权限:admin、operator 或 viewer。';
comment on column console_session_live.name is 'Userid of the member, or name of the token. | 成员的账号,或令牌的名称。';
comment on column console_session_live.own_corpid is
    'Corp of the staff member whose own data alone it sees; null if it sees everything. | 只能看本人数据时,该员工的企业ID;能看全部则为空。';
comment on column console_session_live.own_staff_id is
    'The staff member whose own data alone it sees; null if it sees everything. | 只能看本人数据时,该员工的编号;能看全部则为空。';

comment on table console_user is 'A member who may log in to the console. | 可以登录控制台的一位成员。';
comment on column console_user.corpid is 'The corp. | 企业ID。';
comment on column console_user.wechat_userid is 'The member. | 成员账号。';
comment on column console_user.role is 'What they may do: admin, operator or viewer. | 权限:admin、operator 或 viewer。';
comment on column console_user.own_only is 'Whether they see only their own customers and orders. | 是否只能看到本人的客户和工单。';
comment on column console_user.added_by is 'Who allowed it. | 由谁授权。';
comment on column console_user.added_at is 'When it was allowed. | 授权时间。';

comment on table contact_flow_setting is
    'The settings of matching and notices, as the program wrote them at its last start; one row. | 客户匹配和通知的设置,由程序最近一次启动时写入;只有一行。';
comment on column contact_flow_setting.one is 'Always true: there is one row. | 恒为 true:只有一行。';
comment on column contact_flow_setting.matching_order is
    'The ways to match a contact to a customer, in their order: state, unionid, mobile. | 匹配客户的方式及其顺序:state、unionid、mobile。';
comment on column contact_flow_setting.order_url is
    'Page that a notice about an order opens, with {id} for its number; empty if there is none. | 工单通知打开的页面,{id} 代表工单号;没有则为空。';

comment on table contact_way is 'A QR code that brings one customer to one member. | 把一位客户带给一位成员的联系二维码。';
comment on column contact_way.id is 'Number of the contact way. | 编号。';
comment on column contact_way.corpid is 'The corp. | 企业ID。';
comment on column contact_way.state is
    'The parameter by which WeCom names this contact way in callbacks. | 企业微信在回调中用来标识该二维码的参数。';
comment on column contact_way.customer_id is 'The customer of the business whom it is for. | 二维码所属的业务客户。';
comment on column contact_way.staff_id is 'The staff member whom it leads to. | 二维码指向的员工。';
comment on column contact_way.wechat_userid is 'The member whom it leads to. | 二维码指向的成员账号。';
comment on column contact_way.work_order_id is 'The work order it was made for; null if none. | 为哪张工单创建;没有则为空。';
comment on column contact_way.intended_at is 'When it was asked for. | 请求创建的时间。';
comment on column contact_way.attempted_at is
    'When WeCom was last asked to make it, or searched for it. | 最近一次请求企业微信创建或查找的时间。';
comment on column contact_way.config_id is 'WeCom''s id of it; null until it is made. | 企业微信的 config_id;创建成功前为空。';
comment on column contact_way.qr_code is 'Address of WeCom''s picture of the code. | 企业微信二维码图片的地址。';
comment on column contact_way.made_at is 'When WeCom made it. | 企业微信创建成功的时间。';
comment on column contact_way.expires_at is 'Until when it is given out. | 使用到何时为止。';
comment on column contact_way.ended_at is
    'When it was replaced or ended, so that another one may be made. | 终止或被替换的时间;此后可以另建一个。';
comment on column contact_way.delete_due_at is 'When it is to be deleted at WeCom. | 应在企业微信删除的时间。';
comment on column contact_way.deleted_at is 'When it was deleted at WeCom. | 在企业微信删除的时间。';
comment on column contact_way.used_at is 'When the first customer came through it. | 第一位客户通过它到来的时间。';
comment on column contact_way.used_by is
    'external_userid of the first customer who came through it. | 第一位通过它到来的客户的 external_userid。';

comment on table contact_way_scan is 'A person who came through a contact way. | 通过某个联系二维码到来的一个人。';
comment on column contact_way_scan.corpid is 'The corp. | 企业ID。';
comment on column contact_way_scan.state is 'The contact way (contact_way.state). | 联系二维码(contact_way.state)。';
comment on column contact_way_scan.external_userid is 'Who came. | 到来的人。';
comment on column contact_way_scan.scanned_at is 'When they first came through it. | 首次通过它到来的时间。';

comment on table customer_activity is 'When a customer last wrote. | 客户最近一次发消息的时间。';
comment on column customer_activity.corpid is 'The corp. | 企业ID。';
comment on column customer_activity.external_userid is 'The customer, as WeCom names them. | 客户的企业微信ID。';
comment on column customer_activity.last_message_at is 'Time of their latest message. | 最近一条消息的时间。';

comment on table customer_match is
    'A person who may be one of several customers of the business; a person decides. | 可能对应多位业务客户的人,由人工确认。';
comment on column customer_match.id is 'Number of the question. | 编号。';
comment on column customer_match.corpid is 'The corp. | 企业ID。';
comment on column customer_match.external_userid is 'The person, as WeCom names them. | 该人的企业微信ID。';
comment on column customer_match.matched_by is
    'The way that led to several customers: state, unionid or mobile. | 得出多位客户的方式:state、unionid 或 mobile。';
comment on column customer_match.candidates is 'The customers whom it may be. | 候选的业务客户。';
comment on column customer_match.found_at is 'When it was found. | 发现的时间。';
comment on column customer_match.customer_id is 'The customer who was chosen; null while undecided. | 确认的业务客户;未确认为空。';
comment on column customer_match.decided_at is 'When it was decided. | 确认时间。';
comment on column customer_match.decided_by is 'Who decided. | 确认人。';

comment on table customer_wechat_contact is 'One customer known to one member. | 一位成员认识的一位客户。';
comment on column customer_wechat_contact.corpid is 'The corp. | 企业ID。';
comment on column customer_wechat_contact.external_userid is 'The customer, as WeCom names them. | 客户的企业微信ID。';
comment on column customer_wechat_contact.wechat_userid is 'The member. | 成员账号。';
comment on column customer_wechat_contact.staff_id is
    'The staff member last bound to the member; it stays when they leave. | 该成员最近一次绑定的员工;离职后仍保留。';
comment on column customer_wechat_contact.state_customer_id is
    'The customer of the business that the state parameter itself names. | state 参数本身指明的业务客户。';
comment on column customer_wechat_contact.state_customer_id_at is
    'Event time of state_customer_id. | state_customer_id 对应的事件时间。';
comment on column customer_wechat_contact.status is
    'contacted, deleted_by_member, lost (the customer deleted the member), transferred_out, gone (WeCom no longer names them) or assumed (only an edit mentioned them). | contacted 联系中,deleted_by_member 员工删除了客户,lost 客户删除了员工,transferred_out 已转走,gone 企业微信不再列出,assumed 仅由编辑得知。';
comment on column customer_wechat_contact.status_at is 'Event time since when the status holds. | 状态起始的事件时间。';
comment on column customer_wechat_contact.state is 'Channel parameter through which they came. | 添加时的渠道参数。';
comment on column customer_wechat_contact.state_at is 'Event time of state. | state 对应的事件时间。';
comment on column customer_wechat_contact.first_contact_time is 'When they became contacts. | 首次成为联系人的时间。';
comment on column customer_wechat_contact.last_contact_time is
    'When something last passed between them. | 最近一次往来的时间。';
comment on column customer_wechat_contact.card is
    'What WeCom answered about the contact, as JSON; null until it was read. | 企业微信返回的客户资料,JSON;读取前为空。';
comment on column customer_wechat_contact.card_at is 'When the card was read. | 读取客户资料的时间。';
comment on column customer_wechat_contact.nickname is 'Name of the customer, from the card. | 客户昵称,取自客户资料。';
comment on column customer_wechat_contact.unionid is
    'WeChat''s id of the person across apps, from the card. | 客户的 unionid,取自客户资料。';
comment on column customer_wechat_contact.avatar is
    'Address of the customer''s picture, from the card. | 客户头像的地址,取自客户资料。';
comment on column customer_wechat_contact.remark is
    'Name that the member gave the customer, from the card. | 员工给客户的备注名,取自客户资料。';
comment on column customer_wechat_contact.description is
    'Note of the member about the customer, from the card. | 员工对客户的描述,取自客户资料。';
comment on column customer_wechat_contact.tags is
    'Names of the customer''s tags, a JSON array, from the card. | 客户标签的名称,JSON 数组,取自客户资料。';
comment on column customer_wechat_contact.remark_mobiles is
    'Phone numbers that the member wrote down, a JSON array, from the card. | 员工备注的手机号,JSON 数组,取自客户资料。';
comment on column customer_wechat_contact.add_way is
    'How they became contacts, as WeCom numbers it: 1 QR code, 2 phone, 3 card, 16 acquisition link, 202 handed over. | 添加方式,企业微信的编号:1 二维码,2 手机号,3 名片,16 获客链接,202 转接。';
comment on column customer_wechat_contact.customer_id is
    'The customer of the business; null until matched. | 业务客户编号;匹配前为空。';
comment on column customer_wechat_contact.matched_by is
    'How customer_id was found: admin, state, external_userid, unionid or mobile. | customer_id 的来源:admin 人工,state,external_userid,unionid 或 mobile。';
comment on column customer_wechat_contact.mobiles is
    'remark_mobiles as plain digits, for comparison. | remark_mobiles 的纯数字形式,用于比对。';
comment on column customer_wechat_contact.heard_arrived_at is
    'When the first callback arrived that does not say since when the contact stands; shown while status_at is 1970. | 首次收到没有关系起始时间的回调的时间;status_at 为 1970 年时以此显示。';
comment on column customer_wechat_contact.met_arrived_at is
    'When the first callback without a time arrived that says that they became contacts; shown while first_contact_time is null. | 首次收到没有时间的添加回调的时间;first_contact_time 为空时以此显示。';

comment on table enterprise_wechat_config is
    'An app of a corp; its callback URL is /callback/{name}. | 企业的一个应用,回调地址为 /callback/{name}。';
comment on column enterprise_wechat_config.id is 'Number of the app. | 应用编号。';
comment on column enterprise_wechat_config.name is 'Name of the app in the callback URL. | 应用在回调地址中的名称。';
comment on column enterprise_wechat_config.corpid is 'The corp. | 企业ID。';
comment on column enterprise_wechat_config.agentid is
    'WeCom''s AgentId of the app; empty if it has none. | 应用的 AgentId;没有则为空。';
comment on column enterprise_wechat_config.secret is
    'The app''s Secret, encrypted; null if the app only receives. | 应用的 Secret,已加密;只接收回调的应用为空。';
comment on column enterprise_wechat_config.token is 'The callback Token, encrypted. | 回调的 Token,已加密。';
comment on column enterprise_wechat_config.encoding_aes_key is
    'The callback EncodingAESKey, encrypted. | 回调的 EncodingAESKey,已加密。';
comment on column enterprise_wechat_config.previous_token is
    'The former Token, encrypted; valid until previous_until. | 旧的 Token,已加密;有效至 previous_until。';
comment on column enterprise_wechat_config.previous_encoding_aes_key is
    'The former EncodingAESKey, encrypted; valid until previous_until. | 旧的 EncodingAESKey,已加密;有效至 previous_until。';
comment on column enterprise_wechat_config.previous_until is
    'Until when the former callback keys are valid. | 旧回调密钥的有效期。';
comment on column enterprise_wechat_config.receive_ids is
    'The receiveids that a callback may carry; null for the corpid alone. | 回调允许的 receiveid;为空表示只能是企业ID。';
comment on column enterprise_wechat_config.welcome_message is
    'Text with which new customers are greeted; null for none. | 新客户的欢迎语;不发送则为空。';
comment on column enterprise_wechat_config.auto_reply is
    'Automatic answers to messages, a JSON array of rules. | 自动回复的规则,JSON 数组。';
comment on column enterprise_wechat_config.status is 'enabled or disabled. | enabled 启用,disabled 停用。';
comment on column enterprise_wechat_config.secret_rotated_at is
    'When the Secret was last changed. | 最近一次更换 Secret 的时间。';
comment on column enterprise_wechat_config.keys_rotated_at is
    'When the callback keys were last changed. | 最近一次更换回调密钥的时间。';
comment on column enterprise_wechat_config.created_at is 'When the app was added. | 添加应用的时间。';
comment on column enterprise_wechat_config.updated_at is 'When the row was last changed. | 最近一次修改的时间。';
comment on column enterprise_wechat_config.welcome is
    'Attachments, texts for single channels and quiet hours of the greeting, as JSON. | 欢迎语的附件、各渠道的文字和免打扰时段,JSON。';

comment on table erased_person is
    'Somebody whose data was erased; earlier news of them is not taken in any more. | 数据已被删除的人;此前的消息不再接收。';
comment on column erased_person.corpid is 'The corp. | 企业ID。';
comment on column erased_person.person is
    'SHA-256 of corpid, a colon and external_userid. | 企业ID、冒号和 external_userid 的 SHA-256。';
comment on column erased_person.erased_at is 'What is said of an earlier time is not taken in. | 早于此时间的内容不再接收。';
comment on column erased_person.erasure_id is 'The request to erase (erasure.id). | 删除请求(erasure.id)。';

comment on table erasure is 'A request to erase somebody''s data, and how far it is. | 一次删除个人数据的请求及其进度。';
comment on column erasure.id is 'Number of the request. | 编号。';
comment on column erasure.corpid is 'The corp. | 企业ID。';
comment on column erasure.named_by is
    'By which id they were named: customer or person. The id itself is not kept. | 以哪种编号指明:customer 或 person;不保存编号本身。';
comment on column erasure.asked_by is 'Who asked for it. | 请求人。';
comment on column erasure.token_id is 'The API token that was used; null for none. | 所用的 API 令牌;没有则为空。';
comment on column erasure.request_id is 'Id of the request, as in the access log. | 请求编号,与访问日志一致。';
comment on column erasure.asked_at is 'When it was asked for. | 请求时间。';
comment on column erasure.state is 'running or done. | running 进行中,done 完成。';
comment on column erasure.persons is
    'external_userids still to be looked for in the inbox; empty once that is done. | 尚需在 inbox 中查找的 external_userid;完成后清空。';
comment on column erasure.counts is
    'How many rows of each table were erased or made anonymous, as JSON. | 各表删除或匿名化的行数,JSON。';
comment on column erasure.scanned_to is 'The delivery up to which the inbox was searched. | inbox 已查找到的回调。';
comment on column erasure.deliveries is 'How many deliveries were emptied. | 清空了多少条回调。';
comment on column erasure.trouble is
    'What keeps it from going on at the moment; null if nothing does. | 目前受阻的原因;没有则为空。';
comment on column erasure.due_at is 'It is not taken up again before this time. | 在此时间之前不再继续。';
comment on column erasure.finished_at is 'When it was done. | 完成时间。';

comment on table erasure_media is 'A file that an erasure still has to delete. | 删除请求中尚待删除的文件。';
comment on column erasure_media.erasure_id is 'The request to erase (erasure.id). | 删除请求(erasure.id)。';
comment on column erasure_media.corpid is 'The corp. | 企业ID。';
comment on column erasure_media.media_id is 'The media. | 媒体的 media_id。';
comment on column erasure_media.contact_time is
    'When it was sent; its place in the store follows from that. | 发送时间,由此得出存放位置。';
comment on column erasure_media.location is
    'Name of the file in the media store; null if it was not fetched. | 文件在媒体存储中的名称;未下载则为空。';

comment on table handover is 'A handover of a member''s customers, orders and groups. | 一位成员的客户、工单和客户群的一次交接。';
comment on column handover.id is 'Number of the handover. | 交接编号。';
comment on column handover.corpid is 'The corp. | 企业ID。';
comment on column handover.wechat_userid is 'The member who hands over. | 交出方的成员账号。';
comment on column handover.staff_id is
    'The staff member who hands over; null if the member was not bound. | 交出方的员工编号;未绑定则为空。';
comment on column handover.state is
    'detected, planned, notified, submitted, waiting, done or cancelled. | detected 已发现,planned 已计划,notified 已通知,submitted 已提交,waiting 等待结果,done 完成,cancelled 已取消。';
comment on column handover.left_at is 'When they left; null while they are still here. | 离职时间;尚未离职为空。';
comment on column handover.detected_at is 'When the handover began here. | 交接建立的时间。';
comment on column handover.cause is
    'left, resignation (it was approved) or transfer (between members who stay). | left 已离职,resignation 离职申请已批准,transfer 在职转接。';
comment on column handover.resignation_id is 'The resignation it follows from; null if none. | 对应的离职申请;没有则为空。';
comment on column handover.ordered_by is
    'Who began it: the name of a token or member, or wecomd. | 发起人:令牌或成员的名称,或 wecomd。';
comment on column handover.message is
    'What the customers are told when an in-service transfer is done. | 在职转接完成时发给客户的话。';
comment on column handover.notified_at is 'When the successors were told. | 通知接替员工的时间。';
comment on column handover.submitted_at is 'When it was submitted to WeCom. | 提交给企业微信的时间。';
comment on column handover.submitted_by is 'Who submitted it. | 提交人。';
comment on column handover.finished_at is 'When it ended. | 结束时间。';
comment on column handover.cancelled_by is
    'Who cancelled it; null if it ended because the member came back. | 取消人;因成员复职而结束则为空。';
comment on column handover.cancelled_at is 'When it was cancelled. | 取消时间。';
comment on column handover.polled_at is 'When WeCom was last asked for results. | 最近一次查询转接结果的时间。';
comment on column handover.polls is 'How often WeCom was asked since the last submission. | 最近一次提交后查询了几次。';
comment on column handover.version is 'Grows with each change of the plan. | 计划每次变更时增加。';
comment on column handover.overdue_polled_at is 'When WeCom was last asked about overdue items. | 最近一次查询超时项目的时间。';

comment on table handover_call is 'A call that moves customers or groups at WeCom. | 一次在企业微信移动客户或客户群的调用。';
comment on column handover_call.id is 'Number of the call. | 编号。';
comment on column handover_call.handover_id is 'The handover (handover.id). | 交接(handover.id)。';
comment on column handover_call.kind is 'customer or group. | customer 客户,group 客户群。';
comment on column handover_call.flow is
    'in_service or resigned: which of WeCom''s two endpoints. | in_service 在职继承,resigned 离职继承:用哪个接口。';
comment on column handover_call.handover_userid is 'The member who hands over. | 交出方的成员账号。';
comment on column handover_call.successor_userid is 'The member who takes over. | 接替方的成员账号。';
comment on column handover_call.items is 'The items in the call (handover_item.id). | 本次调用包含的项目(handover_item.id)。';
comment on column handover_call.attempted_at is 'When the call was begun. | 开始调用的时间。';
comment on column handover_call.outcome is
    'answered, not_sent, refused, or found (the answer was lost, and the results said what happened); null while unknown. | answered 已答复,not_sent 未发出,refused 被拒绝,found 答复丢失、由结果查询得知;未知为空。';
comment on column handover_call.answered_at is 'When the outcome became known. | 得知结果的时间。';
comment on column handover_call.errcode is 'WeCom''s code. | 企业微信的错误码。';

comment on table handover_item is 'A customer, work order or group in a handover. | 交接中的一位客户、一张工单或一个客户群。';
comment on column handover_item.handover_id is 'The handover (handover.id). | 交接(handover.id)。';
comment on column handover_item.subject is
    'external_userid, number of the work order, or chat_id of the group. | external_userid、工单号或客户群的 chat_id。';
comment on column handover_item.state is
    'open, planned, calling, waiting, overdue, done, refused, full, gone, failed or cancelled. | open 未分配,planned 已分配,calling 调用中,waiting 等待结果,overdue 超时,done 完成,refused 客户拒绝,full 接替人已满,gone 已不归交出方,failed 失败,cancelled 取消。';
comment on column handover_item.id is 'Number of the item. | 编号。';
comment on column handover_item.kind is 'customer, order or group. | customer 客户,order 工单,group 客户群。';
comment on column handover_item.round is 'Which attempt it is; of several the last one counts. | 第几轮;多轮时以最后一轮为准。';
comment on column handover_item.successor_userid is 'The member who shall have it. | 接替方的成员账号。';
comment on column handover_item.successor_staff_id is 'The staff member who shall have it. | 接替方的员工编号。';
comment on column handover_item.call_id is
    'The call it was last part of (handover_call.id). | 最近一次调用(handover_call.id)。';
comment on column handover_item.attempts is 'How often it was part of a call. | 参与调用的次数。';
comment on column handover_item.errcode is 'What WeCom said of it. | 企业微信的错误码。';
comment on column handover_item.reason is 'Why it is in this state, in words. | 处于该状态的原因。';
comment on column handover_item.takeover_at is 'When WeCom will hand it over, or did. | 企业微信将要或已经完成转接的时间。';
comment on column handover_item.submitted_at is 'When WeCom first took it on. | 企业微信首次受理的时间。';
comment on column handover_item.finished_at is 'When it ended. | 结束时间。';

comment on table handover_log is
    'One step of a handover or of an item; never edited, only an erasure removes the customer''s id. | 交接或其中一项的一步变化;不可修改,只有删除个人数据时去掉客户编号。';
comment on column handover_log.id is 'Number of the line. | 编号。';
comment on column handover_log.handover_id is 'The handover (handover.id). | 交接(handover.id)。';
comment on column handover_log.item_id is
    'The item (handover_item.id); null if the handover itself changed. | 项目(handover_item.id);交接本身的变化为空。';
comment on column handover_log.kind is
    'customer, order or group; null if the handover itself changed. | customer、order 或 group;交接本身的变化为空。';
comment on column handover_log.subject is
    'external_userid, number of the work order, or chat_id of the group. | external_userid、工单号或客户群的 chat_id。';
comment on column handover_log.from_state is 'The state before; null at the beginning. | 变化前的状态;开始时为空。';
comment on column handover_log.to_state is 'The state after. | 变化后的状态。';
comment on column handover_log.actor is
    'Who caused it: the name of a token or member, wecomd, or WeCom. | 由谁引起:令牌或成员的名称、wecomd 或 WeCom。';
comment on column handover_log.cause is 'Why, in words. | 原因。';
comment on column handover_log.at is 'When it happened. | 发生时间。';

comment on table handover_successor is 'A successor''s part in a handover. | 一位接替员工在交接中的部分。';
comment on column handover_successor.handover_id is 'The handover (handover.id). | 交接(handover.id)。';
comment on column handover_successor.wechat_userid is 'The member who takes over. | 接替方的成员账号。';
comment on column handover_successor.staff_id is 'The staff member who takes over. | 接替方的员工编号。';
comment on column handover_successor.notified_at is 'When they were told. | 通知时间。';
comment on column handover_successor.answered_at is 'When they answered. | 答复时间。';
comment on column handover_successor.accepted is 'Whether they agree; null until they answer. | 是否同意;答复前为空。';
comment on column handover_successor.answered_by is 'Who answered for them. | 由谁答复。';
comment on column handover_successor.note is 'What they said. | 答复的说明。';

comment on table idempotency_key is
    'The answer to a request with an Idempotency-Key, kept for a day. | 带 Idempotency-Key 的请求的应答,保留一天。';
comment on column idempotency_key.key is 'The key that the caller chose. | 调用者给出的键。';
comment on column idempotency_key.hash is 'SHA-256 of the request. | 请求的 SHA-256。';
comment on column idempotency_key.status is 'HTTP status that was answered. | 应答的 HTTP 状态码。';
comment on column idempotency_key.answer is 'What was answered, as JSON. | 应答内容,JSON。';
comment on column idempotency_key.at is 'When it was answered. | 应答时间。';
comment on column idempotency_key.subject is 'What was asked for, as in the access log. | 请求的对象,与访问日志一致。';
comment on column idempotency_key.customer is
    'The customer whose data it was, as in the access log. | 涉及的客户,与访问日志一致。';
comment on column idempotency_key.caller is 'Whose key it is: a token or a session. | 键的所属:令牌或会话。';

comment on table ignored is 'A delivery from which nothing is recorded. | 没有内容要记录的一条回调。';
comment on column ignored.event_at is 'Event time of the delivery (inbox.event_at). | 回调的事件时间(inbox.event_at)。';
comment on column ignored.app_id is 'The app (enterprise_wechat_config.id). | 应用(enterprise_wechat_config.id)。';
comment on column ignored.hash is 'SHA-256 of the delivery (inbox.hash). | 回调的 SHA-256(inbox.hash)。';
comment on column ignored.name is 'WeCom''s name of the event. | 企业微信的事件名称。';

comment on table inbox is
    'One delivery as WeCom sent it. Only an erasure changes it, and empties its plaintext. A partition a day. | 企业微信发来的一条回调,原样保存。只有删除个人数据时会清空原文。按天分区。';
comment on column inbox.event_at is 'The event''s own time; 1970 if it has none. | 事件自身的时间;没有则为 1970 年。';
comment on column inbox.received_at is 'When it was stored. | 存储时间。';
comment on column inbox.app_id is
    'The app that received it (enterprise_wechat_config.id). | 收到回调的应用(enterprise_wechat_config.id)。';
comment on column inbox.hash is 'SHA-256 of the plaintext. | 原文的 SHA-256。';
comment on column inbox.plaintext is 'What WeCom sent, decrypted. | 解密后的原文。';

comment on table inbox_dropped_day is
    'A day of the inbox that retention dropped; callbacks of that day are not stored again. | 按保留期限整体删除的一天;这一天的回调不再存储。';
comment on column inbox_dropped_day.day is 'The day, in UTC. | 日期(UTC)。';
comment on column inbox_dropped_day.dropped_at is 'When it was dropped. | 删除时间。';

comment on table login_state is
    'A link by which a staff member binds themselves; it works once. | 员工自行绑定的登录链接,只能用一次。';
comment on column login_state.state_hash is
    'SHA-256 of the state in the link; the state itself is not stored. | 链接中 state 的 SHA-256;不存储 state 本身。';
comment on column login_state.corpid is 'The corp. | 企业ID。';
comment on column login_state.app_id is
    'The app through which they log in (enterprise_wechat_config.id). | 登录所用的应用(enterprise_wechat_config.id)。';
comment on column login_state.staff_id is 'The staff member who will be bound. | 将要绑定的员工。';
comment on column login_state.expires_at is 'When the link ends. | 链接失效的时间。';

comment on table media is
    'A picture, sound, film or file of a message, and what became of fetching it. | 消息中的图片、语音、视频或文件,及其下载结果。';
comment on column media.corpid is 'The corp. | 企业ID。';
comment on column media.media_id is 'WeCom''s id of it. | 企业微信的 media_id。';
comment on column media.state is
    'fetched, gone (WeCom no longer has it), too_large or failed. | fetched 已下载,gone 企业微信已不保存,too_large 过大,failed 失败。';
comment on column media.location is 'Name of the file in the media store. | 文件在媒体存储中的名称。';
comment on column media.content_type is 'Media type, such as image/jpeg. | 媒体类型,如 image/jpeg。';
comment on column media.filename is 'Name of the file, if WeCom gave one. | 文件名,企业微信给出时才有。';
comment on column media.bytes is 'Size in bytes. | 字节数。';
comment on column media.sha256 is 'SHA-256 of the bytes. | 内容的 SHA-256。';
comment on column media.fetched_at is 'When it was fetched. | 下载时间。';
comment on column media.reason is 'Why it was not fetched. | 未能下载的原因。';
comment on column media.noted_at is 'When the row was written. | 记下的时间。';

comment on table member is
    'A member of a corp, as the directory''s callbacks and WeCom''s answers say. | 企业的一位成员,依据通讯录回调和企业微信的答复。';
comment on column member.corpid is 'The corp. | 企业ID。';
comment on column member.wechat_userid is 'The member''s userid. | 成员账号。';
comment on column member.name is 'Name of the member. | 成员姓名。';
comment on column member.name_at is 'Event time of name. | name 对应的事件时间。';
comment on column member.avatar is 'Address of the member''s picture. | 成员头像的地址。';
comment on column member.avatar_at is 'Event time of avatar. | avatar 对应的事件时间。';
comment on column member.department is 'Ids of the member''s departments, separated by commas. | 所属部门的编号,以逗号分隔。';
comment on column member.department_at is 'Event time of department. | department 对应的事件时间。';
comment on column member.status is
    '1 active, 2 disabled, 4 not activated, 5 left the corp. | 1 已激活,2 已禁用,4 未激活,5 退出企业。';
comment on column member.status_at is 'Event time of status. | status 对应的事件时间。';
comment on column member.joined_at is 'Latest event that says that the member joined. | 最近一次加入的事件时间。';
comment on column member.left_at is
    'Latest event that says that the member left; they have left if it is not before joined_at. | 最近一次离开的事件时间;不早于 joined_at 即为已离开。';
comment on column member.hinted_at is
    'When an app lost sight of the member: they may have left, or may not. | 成员离开应用可见范围的时间:可能离职,也可能没有。';

comment on table member_alias is 'A spelling of a userid that a member has or had. | 成员现在或曾经的账号的一种写法。';
comment on column member_alias.corpid is 'The corp. | 企业ID。';
comment on column member_alias.alias is 'The userid as it was spelled. | 账号的写法。';
comment on column member_alias.wechat_userid is 'The userid under which the member stands now. | 该成员现在的账号。';
comment on column member_alias.decided_at is
    'Event time of the latest rename; null if there was none. | 最近一次改名的事件时间;没有则为空。';
comment on column member_alias.key is 'alias in lower case, for comparison. | alias 的小写形式,用于比对。';
comment on column member_alias.said_at is 'Earliest event that spelled it so. | 最早这样写的事件时间。';
comment on column member_alias.directory_at is 'When the directory last spelled it so. | 通讯录最近一次这样写的时间。';

comment on table parked is 'A delivery that could not be recorded and that a person must look at. | 未能记录、需要人看的一条回调。';
comment on column parked.event_at is 'Event time of the delivery (inbox.event_at). | 回调的事件时间(inbox.event_at)。';
comment on column parked.app_id is 'The app (enterprise_wechat_config.id). | 应用(enterprise_wechat_config.id)。';
comment on column parked.hash is 'SHA-256 of the delivery (inbox.hash). | 回调的 SHA-256(inbox.hash)。';
comment on column parked.attempts is 'How often recording was tried. | 尝试记录的次数。';
comment on column parked.reason is 'Why it failed. | 失败的原因。';
comment on column parked.parked_at is 'When it was parked. | 搁置的时间。';

comment on table pending is 'A delivery that is still to be recorded. | 等待记录的一条回调。';
comment on column pending.due_at is 'When it is to be recorded. | 应当记录的时间。';
comment on column pending.seq is 'Order among deliveries that are due at the same time. | 同一时间到期的先后次序。';
comment on column pending.event_at is 'Event time of the delivery (inbox.event_at). | 回调的事件时间(inbox.event_at)。';
comment on column pending.app_id is 'The app (enterprise_wechat_config.id). | 应用(enterprise_wechat_config.id)。';
comment on column pending.attempts is 'How often recording was tried. | 尝试记录的次数。';
comment on column pending.hash is 'SHA-256 of the delivery (inbox.hash). | 回调的 SHA-256(inbox.hash)。';

comment on table resignation is 'Somebody who is going to leave. | 一位即将离职的员工。';
comment on column resignation.id is 'Number of the resignation. | 离职申请编号。';
comment on column resignation.corpid is 'The corp. | 企业ID。';
comment on column resignation.staff_id is 'The staff member. | 员工编号。';
comment on column resignation.wechat_userid is 'The member. | 成员账号。';
comment on column resignation.last_day is 'Last working day. | 最后工作日。';
comment on column resignation.reason is 'Why they leave, if it was said. | 离职原因,如有说明。';
comment on column resignation.state is
    'requested, approved, refused, cancelled, or left (the member is gone). | requested 待批准,approved 已批准,refused 被拒绝,cancelled 已撤回,left 已离职。';
comment on column resignation.requested_by is 'Who asked for it. | 申请人。';
comment on column resignation.requested_at is 'When it was asked for. | 申请时间。';
comment on column resignation.decided_by is 'Who approved, refused or withdrew it. | 批准、拒绝或撤回的人。';
comment on column resignation.decided_at is 'When it was decided. | 决定的时间。';
comment on column resignation.decision_note is 'What they said. | 决定的说明。';
comment on column resignation.verified_at is
    'When WeCom was last asked, after the last day, whether they have gone. | 最后工作日之后,最近一次向企业微信核实的时间。';

comment on table retention is 'When each kind of old data was last dropped. | 各类过期数据最近一次删除的情况。';
comment on column retention.kind is
    'plaintext, records, media or access_log. | plaintext 回调原文,records 沟通记录,media 媒体文件,access_log 访问日志。';
comment on column retention.ran_at is 'When it last went well. | 最近一次成功的时间。';
comment on column retention.partitions is 'How many partitions were dropped then. | 当时删除的分区数。';
comment on column retention."rows" is 'How many rows were dropped then. | 当时删除的行数。';
comment on column retention.bytes is 'How many bytes were deleted then. | 当时删除的字节数。';
comment on column retention.failed_at is 'When the last attempt failed; null if it did not. | 最近一次失败的时间;没有失败则为空。';
comment on column retention.reason is 'Why it failed. | 失败的原因。';

comment on table staff_wechat_bind is
    'A binding of a staff member to a member of WeCom, present or past. | 员工与企业微信成员的一次绑定,现在的或过去的。';
comment on column staff_wechat_bind.id is 'Number of the binding. | 编号。';
comment on column staff_wechat_bind.corpid is 'The corp. | 企业ID。';
comment on column staff_wechat_bind.staff_id is 'The staff member. | 员工编号。';
comment on column staff_wechat_bind.wechat_userid is 'The member. | 成员账号。';
comment on column staff_wechat_bind.wechat_name is
    'The member''s name, from the directory or else as given. | 成员姓名,取自通讯录,否则为绑定时给出的。';
comment on column staff_wechat_bind.wechat_avatar is
    'The member''s picture, from the directory or else as given. | 成员头像,取自通讯录,否则为绑定时给出的。';
comment on column staff_wechat_bind.given_name is 'Name that was given with the binding. | 绑定时给出的姓名。';
comment on column staff_wechat_bind.given_avatar is 'Picture that was given with the binding. | 绑定时给出的头像。';
comment on column staff_wechat_bind.status is 'bound or unbound. | bound 已绑定,unbound 已解绑。';
comment on column staff_wechat_bind.bound_at is 'When they were bound. | 绑定时间。';
comment on column staff_wechat_bind.unbound_at is 'When they were unbound. | 解绑时间。';
comment on column staff_wechat_bind.unbound_reason is
    'admin (by hand), left (the member left), or superseded (a rename brought two bindings to one userid). | admin 人工解绑,left 成员离职,superseded 改名后两次绑定指向同一账号。';
comment on column staff_wechat_bind.on_duty is 'Whether work orders may be assigned to them. | 是否可以派单。';
comment on column staff_wechat_bind.last_assigned_at is 'When a work order was last assigned to them. | 最近一次派单的时间。';

comment on table sync_drift is 'A difference that a reconciliation found. | 一次对账发现的一处不一致。';
comment on column sync_drift.run_id is 'The run (sync_run.id). | 对账(sync_run.id)。';
comment on column sync_drift.id is 'Number of the line within the run. | 本次对账内的编号。';
comment on column sync_drift.kind is
    'missing_here, gone_there, other_owner, ended_here, renamed, member_missing_here, member_gone_there, member_renamed, member_left, member_refused, not_serving or unreadable. | missing_here 本地缺少,gone_there 企业微信已无,other_owner 归属不同,ended_here 本地已结束,renamed 改名;member_* 为成员的不一致,not_serving 未配置客户联系,unreadable 无法使用的数据。';
comment on column sync_drift.external_userid is
    'The customer it is about; empty if it is about a member. | 涉及的客户;只涉及成员则为空。';
comment on column sync_drift.wechat_userid is 'The member it is about; empty if none. | 涉及的成员;没有则为空。';
comment on column sync_drift.held is 'What was stored here. | 本地原来的内容。';
comment on column sync_drift.found is 'What WeCom says. | 企业微信的内容。';

comment on table sync_run is 'A reconciliation of one corp with WeCom. | 一个企业与企业微信的一次对账。';
comment on column sync_run.id is 'Number of the run. | 编号。';
comment on column sync_run.corpid is 'The corp. | 企业ID。';
comment on column sync_run.state is
    'running, done, failed or cancelled. | running 进行中,done 完成,failed 失败,cancelled 已取消。';
comment on column sync_run.phase is
    'departments, members, staff, customers, unassigned, compare or end. | 阶段:departments 部门,members 成员,staff 可用客户联系的成员,customers 客户,unassigned 离职待分配,compare 比对,end 结束。';
comment on column sync_run.departments is 'Departments whose members are read. | 要读取成员的部门。';
comment on column sync_run.position is
    'How many departments, or pages of the unassigned list, are read. | 已读取的部门数,或待分配列表的页数。';
comment on column sync_run.cursor is
    'Where the unassigned list goes on; empty at its beginning. | 待分配列表的下一页游标;开始时为空。';
comment on column sync_run.members_from is
    'When the reading of members began; null if not all could be read. | 开始读取成员的时间;未能全部读取则为空。';
comment on column sync_run.members is 'How many members were read. | 读取的成员数。';
comment on column sync_run.contacts is 'How many contacts were read. | 读取的联系人数。';
comment on column sync_run.unassigned is 'How many customers of leavers were read. | 读取的离职待分配客户数。';
comment on column sync_run.calls is 'How often WeCom was called. | 调用企业微信的次数。';
comment on column sync_run.expected is 'How many contacts were stored here when it began. | 开始时本地的联系人数。';
comment on column sync_run.trouble is 'What it waits for at the moment; null if nothing. | 目前在等待什么;没有则为空。';
comment on column sync_run.reason is 'Why it failed. | 失败的原因。';
comment on column sync_run.scheduled_for is
    'The time of the schedule it belongs to; null if somebody asked for it. | 对应的计划时间;由人发起则为空。';
comment on column sync_run.holder is 'The worker that has it in hand. | 正在执行的工作者。';
comment on column sync_run.leased_until is 'Until when the worker holds it. | 工作者占有到何时。';
comment on column sync_run.started_at is 'When it began. | 开始时间。';
comment on column sync_run.heartbeat_at is 'When its worker was last heard of. | 工作者最近一次报告的时间。';
comment on column sync_run.finished_at is 'When it ended. | 结束时间。';
comment on column sync_run.due_at is 'Nobody works at it before this time. | 在此时间之前不再继续。';
comment on column sync_run.troubles is 'How many steps in a row failed. | 连续失败的步数。';
comment on column sync_run.refusals is 'How many of them in a row the database refused. | 其中连续被数据库拒绝的次数。';
comment on column sync_run.skipped is
    'What WeCom does not permit the app to read and was left out, a JSON array. | 企业微信不允许应用读取而略过的内容,JSON 数组。';
comment on column sync_run.unreadable is 'How many rows of WeCom''s lists could not be used. | 企业微信列表中无法使用的行数。';

comment on table sync_shard is
    'A group of members whose customers a running reconciliation reads together. | 进行中的对账一起读取客户的一组成员。';
comment on column sync_shard.run_id is 'The run (sync_run.id). | 对账(sync_run.id)。';
comment on column sync_shard.id is 'Number of the group. | 编号。';
comment on column sync_shard.users is 'The members in it. | 组内的成员账号。';
comment on column sync_shard.cursor is 'Where the next page begins; empty at the beginning. | 下一页的游标;开始时为空。';
comment on column sync_shard.began_at is 'When this reading began. | 本次读取开始的时间。';
comment on column sync_shard.restarts is 'How often it had to begin again. | 重新开始的次数。';
comment on column sync_shard.state is
    'waiting, walked (read to the end), done, or refused by WeCom. | waiting 等待或进行中,walked 已读完,done 已处理,refused 被企业微信拒绝。';
comment on column sync_shard.pages is 'How many pages are read. | 已读取的页数。';
comment on column sync_shard.unreadable is 'Whether a row could not be used. | 是否有无法使用的行。';

comment on table task is 'Something that must still be done with WeCom. | 还要到企业微信去办的一件事。';
comment on column task.id is 'Number of the task. | 编号。';
comment on column task.corpid is 'The corp. | 企业ID。';
comment on column task.kind is
    'welcome, notify_staff, handover, find_leavers, refresh_member, refresh_contact or fetch_media. | welcome 欢迎语,notify_staff 通知员工,handover 交接,find_leavers 查找离职成员,refresh_member 读取成员,refresh_contact 读取客户,fetch_media 下载媒体。';
comment on column task.subject is
    'What it is about, such as an id; one task of a kind for each subject. | 任务的对象,例如某个编号;同类任务每个对象只有一个。';
comment on column task.app_id is
    'The app that calls (enterprise_wechat_config.id). | 用哪个应用调用(enterprise_wechat_config.id)。';
comment on column task.payload is 'What else is needed to do it, as JSON. | 执行所需的其他内容,JSON。';
comment on column task.priority is 'Priority of the task''s kind. | 任务种类的优先级。';
comment on column task.due_at is 'Not done before this time. | 在此时间之前不执行。';
comment on column task.deadline is 'Useless after this time; null if never. | 过了此时间就没有意义;没有期限则为空。';
comment on column task.version is 'Grows each time the same task is asked for again. | 同一任务每次再被请求时增加。';
comment on column task.attempts is 'How often it was tried. | 尝试的次数。';
comment on column task.created_at is 'When it was first asked for. | 首次请求的时间。';
comment on column task.lease is 'The attempt that has it in hand; null if none. | 正在执行的那次尝试;没有则为空。';
comment on column task.leased_until is 'Until when that attempt holds it. | 该次尝试占有到何时。';
comment on column task.attempted_at is 'When a call that is not safe to repeat was last begun. | 最近一次开始不可重复的调用的时间。';
comment on column task.parked_at is 'When it was parked for a person; null if it was not. | 搁置待人处理的时间;没有则为空。';
comment on column task.reason is 'Why it was postponed or parked. | 推迟或搁置的原因。';

comment on table transfer_fail is 'A failed transfer that WeCom reported in a callback. | 企业微信在回调中报告的一次转接失败。';
comment on column transfer_fail.corpid is 'The corp. | 企业ID。';
comment on column transfer_fail.wechat_userid is 'The member who should have taken over. | 本应接替的成员账号。';
comment on column transfer_fail.external_userid is 'The customer. | 客户的企业微信ID。';
comment on column transfer_fail.at is 'Event time. | 事件时间。';
comment on column transfer_fail.reason is
    'WeCom''s reason, such as customer_refused or customer_limit_exceed. | 企业微信给出的原因,如 customer_refused 或 customer_limit_exceed。';

comment on table wechat_contact_record is
    'One thing that passed between a member and a customer, or between a member and an app. A partition a month. | 成员与客户之间,或成员与应用之间的一次往来。按月分区。';
comment on column wechat_contact_record.contact_time is 'Event time; 1970 if the event has none. | 事件时间;没有则为 1970 年。';
comment on column wechat_contact_record.id is
    'Id of the record: the first half of the delivery''s hash. | 记录编号:回调哈希的前一半。';
comment on column wechat_contact_record.corpid is 'The corp. | 企业ID。';
comment on column wechat_contact_record.external_userid is 'The customer; null if none is known. | 客户的企业微信ID;未知则为空。';
comment on column wechat_contact_record.wechat_userid is 'The member; null if none is known. | 成员账号;未知则为空。';
comment on column wechat_contact_record.sender is
    'Userid or external_userid of whoever sent it. | 发送者的账号或 external_userid。';
comment on column wechat_contact_record.contact_type is
    'text, image, voice, video, location, link, file or event. | text 文本,image 图片,voice 语音,video 视频,location 位置,link 链接,file 文件,event 事件。';
comment on column wechat_contact_record.event is
    'WeCom''s name of the event, for contact_type event. | contact_type 为 event 时,企业微信的事件名称。';
comment on column wechat_contact_record.content is 'What was said, or what the event says, as text. | 消息内容,或事件内容的文字。';
comment on column wechat_contact_record.media_id is
    'The picture, sound, film or file that came with it. | 附带的图片、语音、视频或文件。';
comment on column wechat_contact_record.source is
    'app for a callback, manual for a record written by hand. | app 来自回调,manual 手工记录。';
comment on column wechat_contact_record.customer_id is
    'The customer of the business, for records written by hand. | 手工记录所指的业务客户。';
comment on column wechat_contact_record.arrived_at is
    'When it first arrived, if the event has no time of its own. | 事件没有时间时,首次到达的时间。';
comment on column wechat_contact_record.repaired is
    'Whether WeCom sent it malformed, and it was read as it was meant. | 企业微信发来的格式有误,是否按原意读出。';

comment on table wecom_token is
    'The access token of a corp and secret, shared by all processes. | 一个企业和 Secret 的 access_token,所有进程共用。';
comment on column wecom_token.corpid is 'The corp. | 企业ID。';
comment on column wecom_token.secret_hash is 'SHA-256 of corpid and secret. | 企业ID和 Secret 的 SHA-256。';
comment on column wecom_token.token is
    'The access token, encrypted; null until there is one. | access_token,已加密;还没有则为空。';
comment on column wecom_token.generation is 'Grows each time the token changes. | 令牌每次更换时增加。';
comment on column wecom_token.rejected is 'Whether WeCom did not accept the token. | 企业微信是否不接受该令牌。';
comment on column wecom_token.expires_at is 'When the token ends. | 令牌失效的时间。';
comment on column wecom_token.refreshed_at is 'When it was last got. | 最近一次获取的时间。';
comment on column wecom_token.refusals is 'How often in a row WeCom refused to give one. | 企业微信连续拒绝的次数。';
comment on column wecom_token.refused_code is 'The errcode of the last refusal. | 最近一次拒绝的错误码。';
comment on column wecom_token.refused_words is 'What WeCom said with it. | 最近一次拒绝的说明。';
comment on column wecom_token.blocked_until is 'Until when nobody asks again. | 在此时间之前不再请求。';
comment on column wecom_token.created_at is 'When the row was made. | 建立的时间。';

comment on table welcome is 'A greeting that was due, and what became of it. | 一条应发的欢迎语及其结果。';
comment on column welcome.id is 'Number of the greeting. | 编号。';
comment on column welcome.corpid is 'The corp. | 企业ID。';
comment on column welcome.code_hash is
    'SHA-256 of the welcome code; the code itself is not stored. | 欢迎语凭证的 SHA-256;不存储凭证本身。';
comment on column welcome.external_userid is 'The customer to be greeted. | 要欢迎的客户。';
comment on column welcome.wechat_userid is 'The member whom they added. | 客户添加的成员。';
comment on column welcome.app_id is
    'The app that greets (enterprise_wechat_config.id). | 发送欢迎语的应用(enterprise_wechat_config.id)。';
comment on column welcome.state is 'Channel parameter through which they came. | 添加时的渠道参数。';
comment on column welcome.received_at is 'When the callback was stored. | 回调存储的时间。';
comment on column welcome.attempted_at is 'When WeCom was first asked; null if it never was. | 首次请求企业微信的时间;从未请求则为空。';
comment on column welcome.sent_at is 'When WeCom accepted it. | 企业微信受理的时间。';
comment on column welcome.outcome is
    'sent, greeted_already, no_template, quiet, late, limited, refused or unknown; null while under way. | sent 已发送,greeted_already 已被欢迎,no_template 未设置,quiet 免打扰,late 过期,limited 受限,refused 被拒绝,unknown 结果不明;进行中为空。';
comment on column welcome.late_ms is
    'By how many milliseconds the last attempt missed the deadline; null if it did not. | 最后一次尝试超过期限多少毫秒;没有超过则为空。';
comment on column welcome.reason is 'What WeCom said, if it refused. | 被拒绝时企业微信的说明。';

comment on table work_order is 'A booking or repair request. | 一张工单(预约或报修)。';
comment on column work_order.id is 'Number of the work order. | 工单号。';
comment on column work_order.corpid is 'The corp. | 企业ID。';
comment on column work_order.customer_id is 'The customer of the business. | 业务客户编号。';
comment on column work_order.customer_name is 'Name of the customer. | 客户姓名。';
comment on column work_order.phone is 'Phone number as it was given. | 电话号码,原样。';
comment on column work_order.phone_digits is 'Phone number as plain digits, for comparison. | 电话号码的纯数字形式,用于比对。';
comment on column work_order.address is 'Where the work is to be done. | 服务地址。';
comment on column work_order.description is 'What is to be done. | 工单内容。';
comment on column work_order.source is 'Where the order came from, as the caller said. | 工单来源,由调用方给出。';
comment on column work_order.state is
    'new, assigned, contacted, quoted, confirmed, done or cancelled. | new 新建,assigned 已派单,contacted 已联系,quoted 已报价,confirmed 已确认,done 完成,cancelled 已取消。';
comment on column work_order.staff_id is 'The staff member in charge; null if there is none. | 负责的员工;没有则为空。';
comment on column work_order.assigned_at is 'When it was last assigned. | 最近一次派单的时间。';
comment on column work_order.assignments is 'How often it was assigned. | 派单次数。';
comment on column work_order.notices is
    'How often the staff member was told since the last assignment. | 最近一次派单后通知了几次。';
comment on column work_order.notified_at is 'When the staff member was last told. | 最近一次通知的时间。';
comment on column work_order.escalated_at is 'When it was escalated since the last assignment. | 最近一次派单后升级的时间。';
comment on column work_order.contacted_at is
    'When the customer first came through a contact way of it. | 客户首次通过联系二维码到来的时间。';
comment on column work_order.contacted_state is
    'The contact way through which they came (contact_way.state). | 客户通过哪个联系二维码(contact_way.state)到来。';
comment on column work_order.version is 'Grows with each change. | 每次变更时增加。';
comment on column work_order.created_at is 'When it was made. | 创建时间。';

comment on table work_order_change is 'One change of a work order; never edited. | 工单的一次变更,不可修改。';
comment on column work_order_change.id is 'Number of the change. | 编号。';
comment on column work_order_change.work_order_id is 'The work order (work_order.id). | 工单(work_order.id)。';
comment on column work_order_change.from_state is 'The state before; null at the beginning. | 变更前的状态;创建时为空。';
comment on column work_order_change.to_state is 'The state after. | 变更后的状态。';
comment on column work_order_change.from_staff_id is 'Who was in charge before. | 变更前负责的员工。';
comment on column work_order_change.to_staff_id is 'Who was in charge afterwards. | 变更后负责的员工。';
comment on column work_order_change.who is
    'Who made the change: the name of a token or member, or wecomd. | 变更人:令牌或成员的名称,或 wecomd。';
comment on column work_order_change.note is 'What they said. | 说明。';
comment on column work_order_change.at is 'When it was made. | 变更时间。';

comment on schema reporting is
    'Views for reports: names and columns stay as they are; days are days in Asia/Shanghai. | 报表视图:名称和列保持稳定;日期均为北京时间。';
comment on view reporting.contacts_by_staff_day is
    'A staff member''s day: how many customers they were in contact with. | 一位员工的一天:与多少客户有往来。';
comment on column reporting.contacts_by_staff_day.day is 'The day, in Asia/Shanghai. | 日期(北京时间)。';
comment on column reporting.contacts_by_staff_day.corpid is 'The corp. | 企业ID。';
comment on column reporting.contacts_by_staff_day.wechat_userid is
    'The member. A customer''s message names no member and counts for the member whose contact they are; null if there is none. | 成员账号。客户的消息不带成员,计入该客户所属的成员;没有则为空。';
comment on column reporting.contacts_by_staff_day.staff_id is
    'The staff member last bound to the member; null if nobody was. | 该成员最近一次绑定的员工;未绑定为空。';
comment on column reporting.contacts_by_staff_day.customers is 'Customers, each counted once. | 有往来的客户数(去重)。';
comment on column reporting.contacts_by_staff_day.records is 'Contact records. | 沟通记录数。';
comment on column reporting.contacts_by_staff_day.messages is
    'Of these, messages and records written by hand. | 其中的消息和手工记录。';
comment on column reporting.contacts_by_staff_day.events is
    'Of these, changes of the relation, such as added or deleted. | 其中的关系变化(添加、删除等)。';
comment on column reporting.contacts_by_staff_day.first_at is 'Time of the day''s first record. | 当天第一条记录的时间。';
comment on column reporting.contacts_by_staff_day.last_at is 'Time of the day''s last record. | 当天最后一条记录的时间。';

comment on view reporting.first_response_time is
    'A staff member''s day: from a customer''s first message of the day to the first answer. | 一位员工的一天:客户当天第一条消息到首次回复的时间。';
comment on column reporting.first_response_time.day is
    'The day on which the customer wrote, in Asia/Shanghai. | 客户发出消息的日期(北京时间)。';
comment on column reporting.first_response_time.corpid is 'The corp. | 企业ID。';
comment on column reporting.first_response_time.wechat_userid is
    'The member who answered; if nobody has, the member whose contact the customer is. | 回复的成员;无人回复时为客户所属的成员。';
comment on column reporting.first_response_time.staff_id is
    'The staff member last bound to the member; null if nobody was. | 该成员最近一次绑定的员工;未绑定为空。';
comment on column reporting.first_response_time.conversations is 'Customers who wrote on that day. | 当天发来消息的客户数。';
comment on column reporting.first_response_time.answered is 'Of these, answered within seven days. | 其中七天内得到回复的数量。';
comment on column reporting.first_response_time.median_s is
    'Median time to the answer in seconds, of those answered. | 首次回复时间的中位数(秒),只计已回复的。';
comment on column reporting.first_response_time.p90_s is
    '90th percentile of that time, in seconds. | 首次回复时间的 90 分位(秒)。';
comment on column reporting.first_response_time.longest_s is
    'Longest time to the answer, in seconds. | 最长的首次回复时间(秒)。';

comment on view reporting.additions_and_losses is
    'A staff member''s day: customers won and lost. | 一位员工的一天:新增和流失的客户。';
comment on column reporting.additions_and_losses.day is 'The day, in Asia/Shanghai. | 日期(北京时间)。';
comment on column reporting.additions_and_losses.corpid is 'The corp. | 企业ID。';
comment on column reporting.additions_and_losses.wechat_userid is 'The member. | 成员账号。';
comment on column reporting.additions_and_losses.staff_id is
    'The staff member last bound to the member; null if nobody was. | 该成员最近一次绑定的员工;未绑定为空。';
comment on column reporting.additions_and_losses.added is 'Customers who became contacts. | 成为联系人的客户数。';
comment on column reporting.additions_and_losses.half_added is
    'Customers who added the member, who has not confirmed it yet; not part of net. | 客户单方添加、待员工确认的数量;不计入净增。';
comment on column reporting.additions_and_losses.deleted_by_member is
    'Customers whom the member deleted. | 员工删除的客户数。';
comment on column reporting.additions_and_losses.lost is 'Customers who deleted the member. | 删除了员工的客户数。';
comment on column reporting.additions_and_losses.transferred_out is
    'Customers who were handed over to somebody else. | 已转接给其他员工的客户数。';
comment on column reporting.additions_and_losses.gone is
    'Contacts that ended without a callback, found by reconciling. | 没有回调、由对账发现已不是联系人的数量。';
comment on column reporting.additions_and_losses.net is 'Added, less all that ended. | 净增:新增减去各种流失。';

comment on view reporting.work_order_funnel is
    'The work orders made on a day for a staff member: how far they have come by now. A stage that was skipped counts as passed. | 某天为一位员工创建的工单如今走到哪一步;跳过的阶段视为已经过。';
comment on column reporting.work_order_funnel.day is
    'The day on which they were made, in Asia/Shanghai. | 创建日期(北京时间)。';
comment on column reporting.work_order_funnel.corpid is 'The corp. | 企业ID。';
comment on column reporting.work_order_funnel.staff_id is
    'The staff member now in charge; null if there is none. | 目前负责的员工;未分配为空。';
comment on column reporting.work_order_funnel.created is 'Work orders made. | 创建的工单数。';
comment on column reporting.work_order_funnel.assigned is 'Of these, assigned. | 其中已分配的。';
comment on column reporting.work_order_funnel.contacted is 'Of these, customer contacted. | 其中已联系客户的。';
comment on column reporting.work_order_funnel.quoted is 'Of these, quoted. | 其中已报价的。';
comment on column reporting.work_order_funnel.confirmed is 'Of these, confirmed. | 其中已确认的。';
comment on column reporting.work_order_funnel.done is 'Of these, done. | 其中已完成的。';
comment on column reporting.work_order_funnel.cancelled is 'Of these, cancelled. | 其中已取消的。';
comment on column reporting.work_order_funnel.open is 'Of these, neither done nor cancelled. | 其中尚未完成也未取消的。';
comment on column reporting.work_order_funnel.to_contact_median_s is
    'Median time from making to contact, in seconds. | 从创建到联系上客户的中位时间(秒)。';

comment on view reporting.handover_outcomes is
    'What became of each handover, by what was handed over. Of each item the last round counts. | 每次交接的结果,按交接内容分类;每项只计最后一轮。';
comment on column reporting.handover_outcomes.day is 'The day on which it began, in Asia/Shanghai. | 交接开始的日期(北京时间)。';
comment on column reporting.handover_outcomes.corpid is 'The corp. | 企业ID。';
comment on column reporting.handover_outcomes.handover_id is
    'Number of the handover (handover.id). | 交接编号(handover.id)。';
comment on column reporting.handover_outcomes.wechat_userid is 'The member who hands over. | 交出方的成员账号。';
comment on column reporting.handover_outcomes.staff_id is 'The staff member who hands over. | 交出方的员工编号。';
comment on column reporting.handover_outcomes.cause is
    'left, resignation, or transfer between members who stay. | 原因:left 已离职,resignation 离职申请,transfer 在职转接。';
comment on column reporting.handover_outcomes.state is 'State of the handover. | 交接的状态。';
comment on column reporting.handover_outcomes.kind is
    'customer, order or group; null if there is nothing in it. | 内容:customer 客户,order 工单,group 客户群;没有内容为空。';
comment on column reporting.handover_outcomes.items is 'How many. | 项数。';
comment on column reporting.handover_outcomes.done is 'Taken over by the successor. | 已由接替人接手的数量。';
comment on column reporting.handover_outcomes.refused is 'Refused by the customer. | 客户拒绝的数量。';
comment on column reporting.handover_outcomes.full_up is 'The successor may have no more customers. | 接替人客户数已满的数量。';
comment on column reporting.handover_outcomes.gone is 'No longer the leaver''s to hand over. | 已不归交出方所有的数量。';
comment on column reporting.handover_outcomes.failed is 'Cannot be handed over. | 无法交接的数量。';
comment on column reporting.handover_outcomes.cancelled is 'Cancelled. | 已取消的数量。';
comment on column reporting.handover_outcomes.under_way is 'Not ended yet, overdue items included. | 尚未结束的数量,包括超时的。';
comment on column reporting.handover_outcomes.left_at is 'When the member left. | 离职时间。';
comment on column reporting.handover_outcomes.submitted_at is 'When it was submitted to WeCom. | 提交给企业微信的时间。';
comment on column reporting.handover_outcomes.finished_at is 'When it ended. | 结束时间。';
comment on column reporting.handover_outcomes.overdue is
    'What WeCom did not decide in time; counted in under_way as well. | 企业微信超时未给出结果的数量;也包含在 under_way 中。';

comment on view reporting.message_volumes is 'A day''s messages of one type. | 一天中某一类消息的数量。';
comment on column reporting.message_volumes.day is 'The day, in Asia/Shanghai. | 日期(北京时间)。';
comment on column reporting.message_volumes.corpid is 'The corp. | 企业ID。';
comment on column reporting.message_volumes.contact_type is
    'Type: text, image, voice, video, location, link or file. | 消息类型:text 文本,image 图片,voice 语音,video 视频,location 位置,link 链接,file 文件。';
comment on column reporting.message_volumes.messages is 'Messages. | 消息数。';
comment on column reporting.message_volumes.from_customers is 'Of these, from customers. | 其中客户发来的。';
comment on column reporting.message_volumes.from_members is
    'Of these, from staff members, to an app included. | 其中员工发出的(包括发给应用的)。';
comment on column reporting.message_volumes.by_hand is 'Of these, written down by hand. | 其中手工记录的。';
comment on column reporting.message_volumes.customers is
    'Customers in them, each counted once; those of records by hand are left out. | 涉及的客户数(去重),不含手工记录的。';

comment on view reporting.unmatched_customers is
    'A contact that is not matched to a customer of the business; a row for each customer and member. | 尚未对应到业务客户的联系人,每位客户与每位成员一行。';
comment on column reporting.unmatched_customers.day is
    'The day on which they became known, in Asia/Shanghai. | 首次得知的日期(北京时间)。';
comment on column reporting.unmatched_customers.corpid is 'The corp. | 企业ID。';
comment on column reporting.unmatched_customers.external_userid is 'The customer, as WeCom names them. | 客户的企业微信ID。';
comment on column reporting.unmatched_customers.nickname is 'Name of the customer. | 客户昵称。';
comment on column reporting.unmatched_customers.wechat_userid is 'The member. | 成员账号。';
comment on column reporting.unmatched_customers.staff_id is
    'The staff member last bound to the member; null if nobody was. | 该成员最近一次绑定的员工;未绑定为空。';
comment on column reporting.unmatched_customers.status is
    'contacted, or assumed from an edit. | contacted 联系中,assumed 仅由编辑得知。';
comment on column reporting.unmatched_customers.state is 'Channel parameter through which they came. | 添加时的渠道参数。';
comment on column reporting.unmatched_customers.add_way is
    'How they were added, as WeCom numbers it. | 添加方式(企业微信的编号)。';
comment on column reporting.unmatched_customers.known_since is
    'Time of the first contact, or when it became known. | 首次联系的时间,未知则为得知的时间。';
comment on column reporting.unmatched_customers.last_contact_time is
    'When something last passed between them. | 最近一次往来的时间。';
comment on column reporting.unmatched_customers.candidates is
    'Of how many customers a person has to choose; 0 if there is no question. | 待人工确认的候选客户数;没有待确认的为 0。';
comment on column reporting.unmatched_customers.time_is_arrival is
    'The callback had no time, and the time shown is its arrival. | 回调没有时间,所示为收到的时间。';
