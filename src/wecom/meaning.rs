//! WeCom's errcodes in words: each one's meaning and remedy, in Chinese and English.
//!
//! It holds the codes that need more explanation than the errmsg. A code's class is in `error`.
//!
//! <https://developer.work.weixin.qq.com/document/path/90313>.

/// An errcode's meaning and remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The meaning, in Chinese.
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
    /// The remedy, in Chinese.
    pub remedy_zh: &'static str,
    /// The same in English.
    pub remedy_en: &'static str,
}

impl Meaning {
    /// The meaning of a code inside an answer, such as one customer's in a transfer; none for codes without special
    /// ones. For a failed call [`super::ApiError::meaning`] knows more.
    pub fn of(errcode: i64) -> Option<&'static Self> {
        of(errcode)
    }
}

/// 40001 from `gettoken`; elsewhere 40001 is about the token.
pub(super) const WRONG_SECRET: Meaning = Meaning {
    zh: "应用 Secret 错误、已被重置，或应用已停用",
    en: "the app's secret is wrong, was reset, or the app is disabled",
    remedy_zh: "请在管理后台“应用管理”中复制该应用的 Secret 并重新保存配置",
    remedy_en: "copy the app's Secret from the admin console (应用管理) and save it again with `POST config`",
};

/// Codes, then their meaning in Chinese and English, then their remedy in Chinese and English.
macro_rules! meanings {
    ($($($code:literal)|+ => $zh:literal, $en:literal; $remedy_zh:literal, $remedy_en:literal.)+) => {
        /// The meaning of a code; none for codes without a special one.
        pub(super) fn of(errcode: i64) -> Option<&'static Meaning> {
            match errcode {
                $($($code)|+ => Some(&Meaning { zh: $zh, en: $en, remedy_zh: $remedy_zh, remedy_en: $remedy_en }),)+
                _ => None,
            }
        }
    };
}

meanings! {
    // A retry may succeed.
    -1 | 6000 | 41063 | 41079 | 2_000_111 | 2_000_141 =>
        "企业微信系统繁忙", "WeCom is busy";
        "稍后会自动重试，无需处理", "it is tried again by itself; nothing to do".
    81026 =>
        "企业微信正在维护", "WeCom is under maintenance";
        "稍后会自动重试，无需处理", "it is tried again by itself; nothing to do".
    45033 =>
        "对该接口的并发调用过多", "too many calls of this API run at once";
        "该接口已自动降速；如经常出现，请调小 wecom.concurrency", "this API was slowed down by itself; if it happens often, lower wecom.concurrency".
    45035 =>
        "同一数据正被另一调用修改", "another call is changing the same data";
        "稍后会自动重试，无需处理", "it is tried again by itself; nothing to do".
    41096 =>
        "另一个应用正在向该客户发送欢迎语", "another app is greeting this customer at this moment";
        "只保留一个应用发送欢迎语", "let only one app greet new customers".
    45009 =>
        "调用过于频繁，已被企业微信限制", "called too often, so WeCom limits this API";
        "该接口已自动暂停；请检查是否有其他系统共用该企业的调用额度", "this API rests by itself; see whether other systems use up the corp's quota".
    45036 =>
        "企业微信检测到异常调用", "WeCom found the traffic unusual";
        "请检查企业内是否使用了非官方客户端，并降低调用频率", "look for unofficial WeCom clients in the corp, and call less".
    41094 =>
        "提醒成员群发的次数已达上限", "members were reminded too often";
        "请明天再试", "try again tomorrow".

    // The token.
    40001 | 40014 | 41001 | 42001 =>
        "access_token 无效或已过期，重新获取后仍不被接受", "the access token is not accepted, and neither was a new one";
        "请确认 Secret 属于该应用，且没有其他系统反复重置", "make sure that the secret is this app's and that no other system keeps replacing the token".
    40093 | 42012 =>
        "jsapi_ticket 无效或已过期", "the jsapi_ticket is not valid or has expired";
        "请重新打开页面", "open the page again".

    // For the operator.
    40013 =>
        "企业 ID（corpid）不正确", "the corpid is wrong";
        "请在“我的企业”页面底部核对企业 ID", "compare it with the one at the bottom of the console's page 我的企业".
    40091 =>
        "该 Secret 属于另一家企业", "the secret belongs to another corp";
        "请核对企业 ID 与 Secret 是否来自同一企业", "make sure that corpid and secret come from one corp".
    45031 =>
        "企业微信认为该 Secret 已不安全", "WeCom considers the secret unsafe";
        "请在管理后台重置 Secret 并重新保存配置", "reset the secret in the admin console and save the new one".
    41002 | 41004 =>
        "缺少企业 ID 或 Secret", "the corpid or the secret is missing";
        "请补全应用配置", "complete the app's configuration".
    48002 =>
        "该应用无权调用此接口", "this app may not call this API";
        "请在“客户联系”→“API”→“可调用接口的应用”中勾选该应用；通讯录类接口请使用对应的 Secret", "list the app under 客户联系 → API → 可调用接口的应用; for the directory use the secret meant for it".
    48007 =>
        "该应用未被分配此客服账号", "this 微信客服 account is not assigned to the app";
        "请在“微信客服”→“API”中为该应用分配客服账号", "assign the account to the app under 微信客服 → API".
    48009 =>
        "通讯录同步助手不能从新 IP 读取成员详情", "the directory secret may not read details from a new address";
        "请改用自建应用的 Secret 读取成员", "read members with a self-built app's secret".
    48011 =>
        "企业活跃成员数未达到该接口的要求", "the corp has too few active members for this API";
        "请查看该接口的开通条件", "see what this API asks of a corp".
    50001 =>
        "回调域名与应用的可信域名不一致，或该成员无权访问", "the redirect's domain is not the app's trusted domain, or the member may not use the app";
        "请在应用的“网页授权及 JS-SDK”与“企业微信授权登录”中填写 wecom.public_url 的域名", "enter wecom.public_url's host as the app's trusted domain and as its login domain".
    50003 | 301_007 =>
        "应用已停用，或企业已解散或被封禁", "the app is disabled, or the corp is closed or banned";
        "请在管理后台启用该应用", "enable the app in the admin console".
    60020 =>
        "本机出口 IP 不在应用的企业可信 IP 中", "our address is not on the app's list of trusted addresses";
        "请把报错中的 IP 加入应用的“企业可信 IP”，约一分钟后生效", "add the address named here to the app's 企业可信IP; it works after a minute".
    60031 =>
        "该应用被禁止调用接口", "the app is barred from the API";
        "请联系企业微信客服", "ask WeCom's support".
    95011 | 95012 | 95017 | 95023 =>
        "该微信客服账号不由 API 管理", "this 微信客服 account is not managed through the API";
        "请在“微信客服”→“API”中开启企业内部接入", "switch it to internal access under 微信客服 → API".
    301_042 =>
        "本机出口 IP 不在会话内容存档的可信 IP 中", "our address is not on the message archive's own list";
        "请在“会话内容存档”中添加该 IP", "add the address in the settings of 会话内容存档".
    301_052 | 301_053 =>
        "会话内容存档已到期或未开启", "the message archive has expired or is off";
        "请在管理后台续期或开启", "renew it or switch it on in the admin console".
    610_023 | 610_024 =>
        "企业的行业类目或活跃度不满足要求", "the corp's business category or activity does not allow this";
        "请在管理后台完善企业信息", "complete the corp's details in the admin console".

    // Out of scope, or not related.
    60111 =>
        "没有该成员，或该成员不在应用的可见范围内", "there is no such member, or the app may not see them (out of its visible scope)";
        "请核对 userid，并把该成员加入应用的可见范围", "check the userid, and add the member to the app's visible scope (可见范围)".
    60011 | 60021 | 60030 | 50002 | 92000 =>
        "该成员或部门不在应用的可见范围内", "the member or department is out of the app's visible scope";
        "请把该成员加入应用的可见范围", "add the member to the app's visible scope (可见范围)".
    84061 =>
        "该成员与该客户之间没有好友关系", "this member and this customer are no contacts";
        "关系可能已解除；下次同步时会更新", "one may have deleted the other; the next synchronisation shows it".
    84074 =>
        "该成员没有客户联系权限", "the member may not serve customers";
        "请在“客户联系”→“权限配置”中为该成员开通", "allow it under 客户联系 → 权限配置".
    84083 | 84084 =>
        "该成员不是该客户的跟进人", "the member does not serve this customer";
        "请核对客户的跟进人", "see who serves the customer".
    40096 =>
        "external_userid 无效", "the external_userid is not one that this corp may use";
        "请核对客户 ID 是否来自同一企业的应用", "make sure that the id was given to an app of the same corp".
    40131 =>
        "该客户不是原跟进成员的客户", "the customer is not one of the member who hands over";
        "关系可能已解除或已转接；请同步后重新选择客户", "the contact ended, or somebody took over already: synchronise, and choose anew".

    // Handing over customers and groups.
    40097 =>
        "该成员尚未离职", "the member has not left";
        "请使用在职继承，或等通讯录变更生效后再试", "use the in-service flow, or wait until the directory shows that they left".
    40098 =>
        "接替成员尚未实名认证", "the successor has not verified their real name";
        "请该成员完成实名认证，或另选接替成员", "let them do so, or choose somebody else".
    40099 =>
        "接替成员的客户数已达上限", "the successor cannot have more customers";
        "请另选接替成员", "choose somebody else".
    40128 =>
        "该客户或客户群 90 天内已转接两次", "the customer or group was handed over twice within 90 days";
        "请等 90 天期满后再转接", "wait until the 90 days are over".
    40130 =>
        "原跟进成员与接替成员相同", "the successor is the member who hands over";
        "请另选接替成员", "choose somebody else".
    40132 =>
        "团队账号不支持转接客户", "team accounts cannot hand over customers";
        "请在企业微信客户端中处理", "do it in WeCom itself".
    40143 =>
        "接替成员已被禁止使用客户联系", "the successor is banned from serving customers";
        "请另选接替成员", "choose somebody else".
    40205 =>
        "成员超过一年未登录企业微信", "a member has not logged in to WeCom for more than a year";
        "请该成员登录后再试，或另选接替成员", "let them log in, or choose somebody else".
    90500 =>
        "群主尚未离职", "the group's owner has not left";
        "请使用在职继承转让该群", "use the in-service flow for this group".
    90501 | 90509 =>
        "不是本企业的客户群", "this is no customer group of the corp";
        "无法转让；请从清单中移除", "it cannot be handed over: take it off the list".
    90502 =>
        "群主已离职", "the group's owner has left";
        "请使用离职继承转让该群", "use the flow for leavers for this group".
    90503 =>
        "群内微信成员已满，需在客户端确认", "the group is full, so that WeCom itself must confirm";
        "请新群主在企业微信客户端中确认", "let the new owner confirm it in WeCom".
    90504 =>
        "群主没有变化", "the group has this owner already";
        "无需处理", "nothing to do".
    90507 =>
        "该群正在继承中", "the group is being handed over";
        "请等待转让结果", "wait for the outcome".
    90508 =>
        "该群已被继承", "the group was handed over already";
        "请核对当前群主", "see who owns it now".
    49008 =>
        "该群已解散", "the group was dissolved";
        "无需处理", "nothing to do".
    40050 | 86003 =>
        "客户群 ID 不存在", "there is no such group";
        "请核对客户群 ID 是否来自同一企业的应用", "make sure that the id was given to an app of the same corp".

    // Our own mistakes.
    40008 | 40032 | 40033 | 40035 | 40039 | 40056 | 40058 | 40063 | 40206 | 41009 | 41010 | 41011 | 41035 | 44004
    | 45002 | 82001 | 82002 | 82003 =>
        "请求参数有误", "a value of the request is not one that WeCom takes";
        "请检查填写的内容；若无误，请把日志中的 hint 提供给技术支持", "check what was entered; if that is right, this is a fault of ours: report the hint".

    // Already so.
    41051 =>
        "客户已收到欢迎语或已开始聊天", "the customer was greeted already, or the chat has begun";
        "无需处理", "nothing to do".
    40129 | 40100 =>
        "该客户正在转接中或已转接", "the customer is being handed over, or was";
        "请等待转接结果", "wait for the outcome of the handover".
    86215 | 95033 =>
        "重复的请求，已处理过", "this was done already";
        "无需处理", "nothing to do".
    41093 | 95013 =>
        "已取消或会话已结束", "it was cancelled or has ended already";
        "无需处理", "nothing to do".

    // Too late.
    41050 =>
        "欢迎语凭证无效或已超过 20 秒", "the welcome code is not valid, or older than 20 seconds";
        "已无法发送；请检查回调是否被延迟", "it cannot be sent any more; see whether callbacks arrive late".
    40029 | 42003 | 42022 =>
        "登录凭证无效、已使用或已过期", "the login's code is wrong, was used, or has expired";
        "请重新扫码登录", "log in once more".
    42052 =>
        "消息已超过可撤回的时间", "the message is too old to be recalled";
        "无需处理", "nothing to do".
    60140 =>
        "卡片的更新凭证已失效", "the card can no longer be updated";
        "请发送新的卡片", "send a new card".
    84014 | 84015 =>
        "user_ticket 无效或已过期", "the user_ticket is not valid or has expired";
        "请重新登录", "log in once more".
    95001 | 95002 | 95018 =>
        "超出微信客服的发送条数或 48 小时时限", "beyond what 微信客服 may send: 5 messages within 48 hours of the customer's last one";
        "请等待客户再次发来消息", "wait until the customer writes again".
    95000 | 95004 =>
        "微信客服账号不存在", "there is no such 微信客服 account";
        "请核对客服账号", "see which accounts the console lists".
    95014 | 95019 =>
        "该成员不是接待人员，或已停止接待", "the member is no servicer of the account, or has stopped receiving customers";
        "请在微信客服中添加该接待人员，或请其恢复接待", "add the servicer in 微信客服, or let them receive customers again".
    95016 =>
        "会话状态不允许这样变更", "the session's state does not allow this move";
        "会话可能已被他人接待或已结束，无需处理", "somebody else has it, or it has ended; nothing to do".
    95031 =>
        "客户 48 小时内没有咨询", "the customer has asked nothing within 48 hours";
        "请等待客户再次发来消息", "wait until the customer writes again".
    95007 =>
        "拉取消息的 token 已失效", "the token for fetching messages has expired";
        "等待下一次回调", "wait for the next callback".
    10010 =>
        "会话内容已过期", "the archived message is no longer kept";
        "请保证持续拉取", "fetch the archive without long breaks".

    // Elsewhere.
    40003 | 46004 =>
        "成员 userid 不存在", "there is no such member";
        "请核对 userid", "check the userid".
    40007 | 40145 =>
        "素材不存在或已超过三天", "the file does not exist, or is older than three days";
        "已无法下载", "it can no longer be fetched".
    41054 =>
        "该成员尚未激活企业微信", "the member has not activated WeCom yet";
        "请该成员先登录企业微信", "ask the member to log in to WeCom".
    45029 | 81017 =>
        "请求的数据范围过大", "too much was asked for at once";
        "请缩小范围", "ask for less".
    50100 =>
        "分页游标已失效", "the cursor is no longer valid";
        "需从头开始同步", "begin the synchronisation anew".
    81013 =>
        "所有接收人都无效或不在可见范围内", "none of the receivers exists in the app's visible scope";
        "请核对接收人并调整可见范围", "check the receivers, and add them to the app's visible scope (可见范围)".
    301_002 =>
        "AgentId 与 Secret 不是同一个应用的", "the agentid and the secret belong to different apps";
        "请核对应用配置中的 AgentId", "correct the agentid in the app's configuration".
}
