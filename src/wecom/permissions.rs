//! Every WeCom endpoint that we call, and the permission it needs, in both languages.
//!
//! The reference is generated from this list; a test finds an endpoint without a row, and a row without an endpoint.
//! How an endpoint is called is not known here.

/// An endpoint that we call.
#[derive(Debug)]
pub struct Endpoint {
    /// GET or POST.
    pub method: &'static str,
    /// The path after `/cgi-bin/`.
    pub path: &'static str,
    /// The permission it needs.
    pub needs: Needs,
    /// What we use it for, in English.
    pub english: &'static str,
    /// The same in Chinese.
    pub chinese: &'static str,
}

/// What WeCom requires before it answers. In every case the caller's address must be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The corpid and an app's secret.
    Secret,
    /// A token of any app.
    Token,
    /// A token of an app to which the requested members are visible.
    Members,
    /// A token of the app that members log in to.
    Login,
    /// A token of the sending app, to which the receivers are visible.
    Message,
    /// A token of an app that is enabled for customer contact, for members who may have customers.
    CustomerContact,
    /// A token of an app that may read forms of the 审批 app.
    Approval,
    /// A token of an app that is enabled for 微信客服, for accounts that it manages.
    Kf,
    /// The message archive's secret (会话内容存档).
    Archive,
}

/// A permission, where to grant it, and WeCom's errcodes without it.
#[derive(Debug)]
pub struct Permission {
    /// Its name, in English.
    pub english: &'static str,
    /// Its name, in Chinese.
    pub chinese: &'static str,
    /// Where to grant it in WeCom's console, in English.
    pub console_english: &'static str,
    /// Where to grant it in WeCom's console, in Chinese.
    pub console_chinese: &'static str,
    /// The errcodes that most often mean that it is missing.
    pub errcodes: &'static [i64],
}

impl Needs {
    /// Every kind, from the fewest to the most permissions.
    pub const ALL: &[Self] = &[
        Self::Secret,
        Self::Token,
        Self::Members,
        Self::Login,
        Self::Message,
        Self::CustomerContact,
        Self::Approval,
        Self::Kf,
        Self::Archive,
    ];

    /// The permission in words.
    pub fn permission(self) -> &'static Permission {
        match self {
            Self::Secret => &SECRET,
            Self::Token => &TOKEN,
            Self::Members => &MEMBERS,
            Self::Login => &LOGIN,
            Self::Message => &MESSAGE,
            Self::CustomerContact => &CUSTOMER_CONTACT,
            Self::Approval => &APPROVAL,
            Self::Kf => &KF,
            Self::Archive => &ARCHIVE,
        }
    }
}

const SECRET: Permission = Permission {
    english: "Secret of the app",
    chinese: "应用的 Secret",
    console_english: "应用管理 → 自建 → the app: copy its Secret into the app here. 企业可信IP on the same page must hold the address from which wecomd (or `wecom.proxy`) reaches WeCom.",
    console_chinese: "应用管理 → 自建 → 该应用:把 Secret 填入这里的应用。同一页的“企业可信IP”须包含 wecomd(或 `wecom.proxy`)访问企业微信时的出口地址。",
    errcodes: &[40001, 40013, 60020],
};

const TOKEN: Permission = Permission {
    english: "Any app",
    chinese: "任一应用",
    console_english: "Nothing beyond the Secret and the trusted address.",
    console_chinese: "除 Secret 和可信 IP 外无需其他设置。",
    errcodes: &[60020],
};

const MEMBERS: Permission = Permission {
    english: "Visible scope of the app",
    chinese: "应用可见范围",
    console_english: "应用管理 → 自建 → the app → 可见范围: every department whose members serve customers. Members outside of it are unknown to the app.",
    console_chinese: "应用管理 → 自建 → 该应用 → 可见范围:包含所有服务客户的部门。范围以外的成员,对应用来说如同不存在。",
    errcodes: &[60011, 60111],
};

const LOGIN: Permission = Permission {
    english: "Login with WeCom",
    chinese: "企业微信登录",
    console_english: "应用管理 → 自建 → the app → 企业微信授权登录: the host of `wecom.public_url` as the callback domain; and 网页授权及JS-SDK → 可信域名: the same host, for links that are opened within WeCom. Whoever logs in must be in 可见范围.",
    console_chinese: "应用管理 → 自建 → 该应用 → 企业微信授权登录:把 `wecom.public_url` 的域名设为授权回调域;在企业微信内打开链接时,还要在“网页授权及JS-SDK”中设为可信域名。登录的成员须在可见范围内。",
    errcodes: &[50001],
};

const MESSAGE: Permission = Permission {
    english: "Messages of the app",
    chinese: "应用消息",
    console_english: "应用管理 → 自建 → the app: enter its AgentId here. Receivers of notices must be in 可见范围.",
    console_chinese: "应用管理 → 自建 → 该应用:把 AgentId 填入这里的应用。接收通知的成员须在可见范围内。",
    errcodes: &[301_002, 81013],
};

const CUSTOMER_CONTACT: Permission = Permission {
    english: "Customer contact",
    chinese: "客户联系",
    console_english: "客户联系 → 客户 → API → 可调用接口的应用: tick the app. 客户联系 → 权限配置: the members who serve customers; they must also be in the app's 可见范围, activated, and verified by name. For `unionid`, bind a WeChat developer account under 客户联系 → API.",
    console_chinese: "客户联系 → 客户 → API → 可调用接口的应用:勾选该应用。客户联系 → 权限配置:加入服务客户的成员;他们还须在应用可见范围内、已激活并完成实名认证。需要 `unionid` 时,在“客户联系 → API”绑定微信开发者账号。",
    errcodes: &[48002, 60030, 84061, 84074],
};

const APPROVAL: Permission = Permission {
    english: "Approvals",
    chinese: "审批",
    console_english: "应用管理 → 审批 → API → 可调用接口的应用: tick the app, and switch 审批状态通知事件 on. Only needed where `handover.resignation_templates` names a template.",
    console_chinese: "应用管理 → 审批 → API → 可调用接口的应用:勾选该应用,并开启“审批状态通知事件”。仅在设置了 `handover.resignation_templates` 时需要。",
    errcodes: &[48002, 301_055],
};

const KF: Permission = Permission {
    english: "WeChat customer service",
    chinese: "微信客服",
    console_english: "微信客服 → API → 可调用接口的应用: tick the app. 微信客服 → API → 通过API管理微信客服账号: assign the accounts; from then on WeCom routes none of their customers by itself, and wecomd does (`kf.route`). The servicers must be in the app's 可见范围. For `unionid`, bind a WeChat developer account within 微信客服; the binding of 客户联系 does not count.",
    console_chinese: "微信客服 → API → 可调用接口的应用:勾选该应用。微信客服 → API → 通过API管理微信客服账号:分配客服账号;此后企业微信不再自动分配这些账号的客户,由 wecomd 分配(`kf.route`)。接待人员须在应用可见范围内。需要 `unionid` 时,在微信客服中绑定微信开发者账号(客户联系中的绑定不算)。",
    errcodes: &[48007, 95011, 95017, 60030],
};

const ARCHIVE: Permission = Permission {
    english: "Message archive",
    chinese: "会话内容存档",
    console_english: "管理工具 → 会话内容存档: buy seats, choose the members, enter the public key of `wecomd archive key new`, copy the Secret into an app with agentid 2000004 here, and add the address to 可信IP地址 there, which is a list of its own.",
    console_chinese: "管理工具 → 会话内容存档:购买席位并选择开启范围,填入 `wecomd archive key new` 给出的公钥,把 Secret 填入这里 agentid 为 2000004 的应用,并把出口地址加入该处的“可信IP地址”(与应用的可信 IP 相互独立)。",
    errcodes: &[301_042, 301_052, 301_053],
};

/// Every endpoint that we call, in the order in which somebody sets wecomd up.
pub const ENDPOINTS: &[Endpoint] = &[
    get("gettoken", Needs::Secret, "Get the access token for all other calls", "获取其他调用所需的 access_token"),
    get(
        "getcallbackip",
        Needs::Token,
        "Test whether WeCom answers and takes the token",
        "测试企业微信是否应答、令牌是否有效",
    ),
    get(
        "user/get",
        Needs::Members,
        "Check a member who is bound, and read them again",
        "核对要绑定的成员,重新读取成员",
    ),
    get("department/simplelist", Needs::Members, "Reconcile: read the departments", "对账:有哪些部门"),
    get("department/get", Needs::Members, "Reconcile: the name of a department", "对账:部门名称"),
    get("user/list", Needs::Members, "Reconcile: the members of a department", "对账:部门成员"),
    get(
        "auth/getuserinfo",
        Needs::Login,
        "Find out who logged in to the console, or by a binding link",
        "谁登录了控制台,或使用了绑定链接",
    ),
    post("message/send", Needs::Message, "Notify staff of orders and handovers", "通知员工工单和交接"),
    get(
        "media/get",
        Needs::Token,
        "Download pictures, voice messages, videos and files of messages",
        "下载消息中的图片、语音、视频和文件",
    ),
    get(
        "externalcontact/get_follow_user_list",
        Needs::CustomerContact,
        "Read which members may have customers",
        "哪些成员可以有客户",
    ),
    post(
        "externalcontact/batch/get_by_user",
        Needs::CustomerContact,
        "Reconcile: the customers of members",
        "对账:成员的客户",
    ),
    get("externalcontact/get", Needs::CustomerContact, "Read a customer again after an event", "事件之后重新读取客户"),
    post("externalcontact/get_corp_tag_list", Needs::CustomerContact, "The names of customers' tags", "客户标签的名称"),
    post(
        "externalcontact/mark_tag",
        Needs::CustomerContact,
        "Give a contact tags of the company, and take them away",
        "为客户打上或移除企业标签",
    ),
    post(
        "externalcontact/remark",
        Needs::CustomerContact,
        "Write a remark on a customer; no part of wecomd does it at present",
        "修改客户备注;目前未使用",
    ),
    post(
        "externalcontact/send_welcome_msg",
        Needs::CustomerContact,
        "Greet a new customer; the member needs no welcome message of their own in the console",
        "欢迎新客户;后台不应已为该成员设置欢迎语",
    ),
    post(
        "externalcontact/add_contact_way",
        Needs::CustomerContact,
        "Make a customer's contact way",
        "创建客户的联系二维码",
    ),
    post(
        "externalcontact/get_contact_way",
        Needs::CustomerContact,
        "Find a contact way whose answer was lost",
        "查找答复丢失的联系二维码",
    ),
    post(
        "externalcontact/list_contact_way",
        Needs::CustomerContact,
        "Find a contact way whose answer was lost",
        "查找答复丢失的联系二维码",
    ),
    post(
        "externalcontact/del_contact_way",
        Needs::CustomerContact,
        "Delete a used or expired contact way",
        "删除到期的联系二维码",
    ),
    post(
        "externalcontact/get_unassigned_list",
        Needs::CustomerContact,
        "The customers of members who left",
        "离职成员的待分配客户",
    ),
    post(
        "externalcontact/transfer_customer",
        Needs::CustomerContact,
        "Hand customers over between members who stay",
        "在职继承:转接客户",
    ),
    post(
        "externalcontact/transfer_result",
        Needs::CustomerContact,
        "Read the results of such a transfer",
        "在职继承:查询结果",
    ),
    post(
        "externalcontact/resigned/transfer_customer",
        Needs::CustomerContact,
        "Hand a leaver's customers over",
        "离职继承:转接客户",
    ),
    post(
        "externalcontact/resigned/transfer_result",
        Needs::CustomerContact,
        "Read the results of such a transfer",
        "离职继承:查询结果",
    ),
    post("externalcontact/groupchat/list", Needs::CustomerContact, "The groups of a member", "成员的客户群"),
    post(
        "externalcontact/groupchat/get",
        Needs::CustomerContact,
        "The name, the owner and the members of a group",
        "客户群的名称、群主和成员",
    ),
    post(
        "externalcontact/groupchat/onjob_transfer",
        Needs::CustomerContact,
        "Hand groups over between members who stay",
        "在职继承:转接客户群",
    ),
    post(
        "externalcontact/groupchat/transfer",
        Needs::CustomerContact,
        "Hand a leaver's groups over",
        "离职继承:转接客户群",
    ),
    post(
        "oa/getapprovaldetail",
        Needs::Approval,
        "Read the last day in an approved resignation",
        "读取已通过的离职审批中的最后工作日",
    ),
    post(
        "kf/account/list",
        Needs::Kf,
        "The names of the accounts, and which of them the app manages",
        "客服账号的名称及是否由应用管理",
    ),
    post(
        "kf/sync_msg",
        Needs::Kf,
        "Pull what was said, after a callback and every few minutes",
        "收到回调后及每隔几分钟拉取消息",
    ),
    post("kf/customer/batchget", Needs::Kf, "Who a customer is, within 48 hours", "48 小时内读取客户资料"),
    get("kf/servicer/list", Needs::Kf, "Which servicers receive customers", "正在接待的接待人员"),
    post("kf/service_state/get", Needs::Kf, "Whether a session waits for somebody", "会话是否等待接待"),
    post(
        "kf/service_state/trans",
        Needs::Kf,
        "Give a session to a servicer, or to the pool",
        "把会话分配给接待人员或待接入池",
    ),
    post("kf/send_msg_on_event", Needs::Kf, "Greet a customer who opened the conversation", "客户进入会话时发送欢迎语"),
    post(
        "msgaudit/get_permit_user_list",
        Needs::Archive,
        "Message archive: the members with a seat",
        "会话内容存档:开启存档的成员",
    ),
    post(
        "msgaudit/check_single_agree",
        Needs::Archive,
        "Message archive: which customers agreed",
        "会话内容存档:客户是否同意",
    ),
    post(
        "msgaudit/check_room_agree",
        Needs::Archive,
        "Message archive: which customers of a group agreed",
        "会话内容存档:群内客户是否同意",
    ),
];

const fn get(path: &'static str, needs: Needs, english: &'static str, chinese: &'static str) -> Endpoint {
    Endpoint { method: "GET", path, needs, english, chinese }
}

const fn post(path: &'static str, needs: Needs, english: &'static str, chinese: &'static str) -> Endpoint {
    Endpoint { method: "POST", path, needs, english, chinese }
}
