//! The texts of each setting, in English and Chinese.
//!
//! A number's range is here as well; a test compares it with the checks. Types and defaults are not known here.

use std::ops::RangeInclusive;

/// A setting's texts, and its range if it is a number.
#[derive(Debug)]
pub(super) struct Text {
    /// The path in the file.
    pub(super) path: &'static str,
    /// The allowed range.
    pub(super) range: Option<RangeInclusive<u64>>,
    /// The meaning, in English.
    pub(super) english: &'static str,
    /// The same in Chinese.
    pub(super) chinese: &'static str,
}

/// The texts of every setting, in the order of `wecomd.example.toml`.
pub(super) const TEXTS: &[Text] = &[
    text(
        "database_url",
        "PostgreSQL 15 or newer: `postgres://user:password@host/database`. Empty: a private one in `data_dir`, started and stopped with wecomd.",
        "PostgreSQL 15 或更新版本:`postgres://user:password@host/database`。为空则在 `data_dir` 中自带一个,随 wecomd 启停。",
    ),
    text(
        "data_dir",
        "The folder for data outside PostgreSQL, and for the private PostgreSQL. Empty: `/var/lib/wecomd` for root, otherwise `$XDG_DATA_HOME/wecomd` or `~/.local/share/wecomd`.",
        "存放 PostgreSQL 以外的数据以及私有 PostgreSQL 的文件夹。为空则 root 为 `/var/lib/wecomd`,否则为 `$XDG_DATA_HOME/wecomd` 或 `~/.local/share/wecomd`。",
    ),
    text(
        "master_key_file",
        "The file with the master keys that encrypt secrets in the database, mode 600: one key a line, `id:base64`; the highest id encrypts, all of them decrypt. Empty: the keys come from `WECOMD_MASTER_KEY` or from systemd's credential `master.key`.",
        "主密钥文件,用于加密数据库中的密钥,权限 600:每行一个 `id:base64`;编号最大的用于加密,所有的都可解密。为空则取自 `WECOMD_MASTER_KEY` 或 systemd 的凭据 `master.key`。",
    ),
    text(
        "public_listen",
        "The address of the callback listener. Put a proxy with HTTPS in front of it.",
        "企业微信的回调到达的地址。前面应有提供 HTTPS 的反向代理。",
    ),
    text(
        "admin_listen",
        "The address of the listener for administrators, probes and Prometheus. Keep it away from the internet.",
        "管理接口、探针和 Prometheus 使用的地址。不要暴露到公网。",
    ),
    text(
        "log",
        "What to log: `error`, `warn`, `info`, `debug` or `trace`, for everything or for a part: `info,wecomd::worker=debug`.",
        "日志级别:`error`、`warn`、`info`、`debug` 或 `trace`,可以整体设置,也可分模块:`info,wecomd::worker=debug`。",
    ),
    text(
        "log_json",
        "Whether a log line is a JSON object instead of text.",
        "日志每行是否为一个 JSON 对象,而不是文本。",
    ),
    number(
        "http.body_bytes_max",
        1_024,
        64 << 20,
        "The longest request body, in bytes. WeCom's callbacks have a few kilobytes.",
        "请求体的最大字节数。企业微信的回调只有几千字节。",
    ),
    number(
        "http.connections_max",
        1,
        1_000_000,
        "How many connections may be open at once; further ones wait.",
        "同时打开的连接数,更多的要等待。",
    ),
    number(
        "http.header_timeout_ms",
        100,
        60_000,
        "How many milliseconds a request's head may take, and a connection may idle.",
        "请求头的时限,也是空闲连接的时限,毫秒。",
    ),
    number(
        "http.body_timeout_ms",
        100,
        60_000,
        "How many milliseconds a request's body may take. WeCom itself gives up after 5 seconds.",
        "请求体的时限,毫秒。企业微信自己在 5 秒后放弃。",
    ),
    text(
        "http.trusted_proxies",
        "The proxies whose `X-Forwarded-For` is trusted, as addresses and networks: `[\"127.0.0.1\", \"10.0.0.0/8\"]`. Read from the right, the first address that is none of theirs is the caller's. Without any, all who come through a proxy have the proxy's address.",
        "信任哪些代理的 `X-Forwarded-For`,写成地址或网段:`[\"127.0.0.1\", \"10.0.0.0/8\"]`。从右往左,第一个不属于它们的地址就是调用者的地址。不设置时,经代理而来的请求都显示代理的地址。",
    ),
    text(
        "worker.enabled",
        "Whether this process turns callbacks into records. `wecomd serve --no-worker` switches it off as well.",
        "本进程是否记录回调。`wecomd serve --no-worker` 也可关闭。",
    ),
    number(
        "worker.batch_max",
        1,
        5_000,
        "How many callbacks are recorded in one transaction. Those that were committed together are recorded together, so \
         it may be up to 1,024 more.",
        "一个事务记录多少条回调。一起提交的回调一起记录，因此最多可能再多 1,024 条。",
    ),
    number(
        "worker.workers",
        1,
        64,
        "How many batches are recorded at once. More than two only help a database with many cores.",
        "同时记录几批。超过两批只对多核的数据库有用。",
    ),
    number(
        "worker.attempts_max",
        1,
        100,
        "How often a callback that cannot be recorded is tried before it is parked for a person.",
        "无法记录的回调尝试多少次之后搁置,待人处理。",
    ),
    text(
        "callback.enabled",
        "Whether this process accepts callbacks. `wecomd serve --no-callback` switches it off as well.",
        "本进程是否接收回调。`wecomd serve --no-callback` 也可关闭。",
    ),
    number(
        "callback.key_overlap_hours",
        0,
        720,
        "How many hours an old Token and EncodingAESKey stay valid after they were replaced.",
        "Token 和 EncodingAESKey 更换后,旧的还能用多少小时。",
    ),
    text(
        "spool.enabled",
        "Whether callbacks are kept on this machine's disk, encrypted, while the database is away, answered, and stored in the database when it is back. Otherwise they are not answered then.",
        "数据库不可用期间,是否把回调加密暂存在本机磁盘上并照常应答,待数据库恢复后再存入。关闭时,此期间的回调不予应答。",
    ),
    text(
        "spool.location",
        "The folder for it: a whole path on a disk that survives a restart. Empty: the folder `spool` in `data_dir`. Processes on one machine may share it.",
        "暂存的文件夹:完整路径,须位于重启后仍在的磁盘上。为空则为 `data_dir` 中的 `spool`。同一台机器上的进程可以共用。",
    ),
    number(
        "spool.bytes_max",
        1 << 20,
        1 << 40,
        "How many bytes may wait in it, for each process; a gigabyte holds about a million callbacks. Beyond that they are not answered.",
        "每个进程最多暂存多少字节;1 GB 约可容纳一百万条回调。超出后不再应答。",
    ),
    number(
        "spool.patience_ms",
        100,
        2_000,
        "How many milliseconds the database may take for a group of callbacks before the spool takes it.",
        "数据库存储一组回调超过多少毫秒即改为本地暂存。",
    ),
    number(
        "database.pool_max",
        2,
        1_000,
        "How many connections the admin API and the configuration share. Accepting, listening, each worker, each task that is carried out at once, reconciling (8) and looking after orders (1) have their own.",
        "管理接口和配置共用的连接数。接收、监听、每个 worker、每个同时执行的任务、对账(8 个)和工单看护(1 个)另有各自的连接。",
    ),
    text(
        "wecom.base_url",
        "The URL of WeCom's API before `/cgi-bin/`. Change it only for a pretend WeCom, such as `wecomd sandbox --api`.",
        "企业微信接口的地址,即 `/cgi-bin/` 之前的部分。只有使用替身(如 `wecomd sandbox --api`)时才改。",
    ),
    text(
        "wecom.proxy",
        "The proxy for calls to WeCom, such as `http://user:password@proxy:3128`. Empty: a direct connection.",
        "访问企业微信所经的代理,如 `http://user:password@proxy:3128`。为空则直连。",
    ),
    number(
        "wecom.timeout_ms",
        1_000,
        60_000,
        "How many milliseconds one call to WeCom may take.",
        "一次企业微信调用的时限,毫秒。",
    ),
    number(
        "wecom.corp_per_second",
        1,
        1_000,
        "How many calls of one corp are made per second. Each process counts for itself.",
        "每秒为一个企业调用多少次,每个进程各自计算。",
    ),
    number(
        "wecom.path_per_second",
        1,
        1_000,
        "How many calls of one endpoint are made per second, for each corp. Greetings have a budget of their own.",
        "每个企业每秒调用同一接口多少次。欢迎语另有额度。",
    ),
    number("wecom.concurrency", 1, 1_000, "How many calls of one corp run at once.", "一个企业同时进行多少次调用。"),
    text(
        "wecom.public_url",
        "Where staff members' browsers reach this program to log in with WeCom: `https://wecom.example.com`. Its host must be the app's trusted domain. Empty: nobody can log in with WeCom, and there are no login links.",
        "员工浏览器用来以企业微信登录的网址:`https://wecom.example.com`。其域名必须是应用的可信域名。为空则不能用企业微信登录,也没有登录链接。",
    ),
    text(
        "media.location",
        "Where pictures, voice messages, videos and files of messages are stored: a folder's whole path, or `s3://bucket/prefix`. Empty: the folder `media` in `data_dir`. Processes that share a database need the same place.",
        "消息中的图片、语音、视频和文件存放之处:文件夹的完整路径,或 `s3://bucket/prefix`。为空则为 `data_dir` 下的 `media`。共用数据库的进程须用同一处。",
    ),
    number(
        "media.bytes_max",
        1 << 10,
        1 << 30,
        "The largest file that is downloaded, in bytes. While it is shown to somebody, it is in this process's memory.",
        "超过多少字节的文件不下载。文件展示时占用本进程的内存。",
    ),
    text(
        "archive.enabled",
        "Whether this process reads the message archive. It needs WeCom's library, an app with agentid 2000004, and a key: see the guide.",
        "本进程是否读取会话内容存档。需要企业微信的 SDK 动态库、agentid 为 2000004 的应用以及密钥,见指南。",
    ),
    text(
        "archive.library",
        "WeCom's library, by its whole path: `/opt/wecom/libWeWorkFinanceSdk_C.so`. It is not part of wecomd, and a process of its own loads it.",
        "企业微信 SDK 动态库的完整路径:`/opt/wecom/libWeWorkFinanceSdk_C.so`。它不随 wecomd 提供,由单独的进程加载。",
    ),
    text(
        "archive.reader",
        "The program that calls the library, by its whole path. Empty: `wecomd-archive` in the folder of this program.",
        "调用动态库的程序的完整路径。为空则为本程序所在文件夹中的 `wecomd-archive`。",
    ),
    text(
        "archive.proxy",
        "The library's proxy: `http://user:password@proxy:3128`, or one with `socks5://`. Empty: a direct connection. `wecom.base_url` and `wecom.proxy` do not reach the library.",
        "动态库使用的代理:`http://user:password@proxy:3128` 或 `socks5://…`。为空则直连。`wecom.base_url` 和 `wecom.proxy` 对它无效。",
    ),
    number(
        "archive.poll_seconds",
        10,
        3_600,
        "How often the archive is looked at, in seconds, without a notice of WeCom's (`msgaudit_notify`).",
        "没有收到企业微信通知(`msgaudit_notify`)时,每隔多少秒查看一次存档。",
    ),
    text(
        "archive.internal_chats",
        "Whether talks among members, in which nobody from outside takes part, are kept as well.",
        "是否也保存没有外部人员参与的内部会话。",
    ),
    text(
        "archive.media",
        "Whether pictures, voice messages, videos and files of the archive are downloaded.",
        "是否下载存档中的图片、语音、视频和文件。",
    ),
    text(
        "tasks.enabled",
        "Whether this process runs the tasks that call WeCom: greetings, notices, refreshes, downloads, handovers. `wecomd serve --no-tasks` switches it off as well.",
        "本进程是否执行要到企业微信去办的任务:欢迎语、通知、读取、下载、交接。`wecomd serve --no-tasks` 也可关闭。",
    ),
    number("tasks.welcome", 1, 64, "How many greetings of new customers are sent at once.", "同时发送几条欢迎语。"),
    number("tasks.notify_staff", 1, 64, "How many notices to staff are sent at once.", "同时发送几条员工通知。"),
    number(
        "tasks.refresh",
        1,
        64,
        "How many customers and members are read again at once.",
        "同时读取几位客户和成员。",
    ),
    number(
        "tasks.fetch_media",
        1,
        64,
        "How many pictures, voice messages, videos and files are downloaded at once.",
        "同时下载几个图片、语音、视频和文件。",
    ),
    number("tasks.handover", 1, 64, "How many handovers are driven at once.", "同时推进几个交接。"),
    number(
        "tasks.kf",
        1,
        64,
        "How many accounts of WeChat customer service are pulled at once, and how many of its sessions are routed at once.",
        "同时拉取几个微信客服账号,以及同时分配几个会话。",
    ),
    text(
        "assignment.automatic",
        "Whether a new work order is assigned automatically to the staff member who is bound, active, on duty, and has the fewest open orders.",
        "新工单是否自动派给已绑定、已激活、在岗且未完成工单最少的员工。",
    ),
    number(
        "assignment.pick_up_minutes",
        1,
        10_080,
        "After how many minutes the staff member of an order that is not picked up is reminded.",
        "多少分钟未接单则再次提醒。",
    ),
    number(
        "assignment.escalate_minutes",
        1,
        10_080,
        "After how many minutes such an order is escalated, and reassigned if assignment is automatic.",
        "多少分钟未接单则升级;自动派单时改派他人。",
    ),
    text(
        "assignment.escalate_to",
        "The `staff_id` of the person who is notified of an escalated order. Empty: nobody.",
        "工单升级时通知谁(`staff_id`)。为空则不通知。",
    ),
    text(
        "assignment.order_url",
        "The page that a notice about an order opens: `https://orders.example.com/{id}`, with `{id}` for its number. Empty: a notice is a text instead of a card.",
        "工单通知打开的页面:`https://orders.example.com/{id}`,`{id}` 代表工单号。为空则以文本而不是卡片通知。",
    ),
    text(
        "matching.order",
        "How contacts are matched to the business's customers, the most reliable way first: `state` (a contact way that was made for the customer), `unionid` (another contact of the same person), `mobile` (a phone number in the remark and in a work order). `state` comes first if it is there.",
        "用什么办法把联系人对应到业务客户,更可靠的在前:`state`(为该客户创建的联系二维码)、`unionid`(同一人的另一个联系)、`mobile`(备注和工单里的手机号)。有 `state` 时须排在最前。",
    ),
    number(
        "matching.contact_way_days",
        1,
        365,
        "For how many days a customer's contact way is valid; then it is deleted at WeCom.",
        "客户的联系二维码多少天内有效,之后在企业微信删除。",
    ),
    text(
        "handover.acceptance",
        "Whether each successor must agree before a handover is submitted to WeCom.",
        "提交交接前,是否必须每位接替员工都同意。",
    ),
    text(
        "handover.page_url",
        "The page that a successor's notice opens: `https://console.example.com/handovers/{id}`, with `{id}` for its number. Empty: a notice is a text instead of a card.",
        "接替员工的通知所打开的页面:`https://console.example.com/handovers/{id}`,`{id}` 代表交接编号。为空则以文本而不是卡片通知。",
    ),
    number(
        "handover.poll_first_seconds",
        1,
        3_600,
        "After how many seconds WeCom is first asked for the results of a transfer.",
        "提交多少秒后首次查询转接结果。",
    ),
    number(
        "handover.poll_max_seconds",
        1,
        86_400,
        "Each pause between two polls is twice the one before, up to this many seconds; not less than `handover.poll_first_seconds`.",
        "查询间隔每次加倍,最长为此秒数;不得小于 `handover.poll_first_seconds`。",
    ),
    number(
        "kf.poll_seconds",
        60,
        3_600,
        "After how many seconds without a callback an account of WeChat customer service is pulled; up to an hour after WeCom limited that.",
        "微信客服账号多少秒没有回调时主动拉取;被企业微信限频后最长一小时。",
    ),
    text(
        "kf.route",
        "Who gets a customer who waits in WeChat customer service, since WeCom routes nobody for an account that is managed through the API: `owner` (the member whose contact they are, or else whoever served them last, the freest servicer, or the pool), `pool` (the pool), `off` (another program routes).",
        "通过 API 管理的微信客服账号,企业微信不再自动分配客户;等待的客户分配给谁:`owner`(其联系人所属成员,否则上次接待者、最空闲的接待人员、待接入池)、`pool`(待接入池)、`off`(由其他程序分配)。",
    ),
    text(
        "kf.trust_scene_param",
        "Whether a `scene_param` of the link, `cust:` and the business's id of the customer, matches whoever comes through it. Nobody signs it: everybody can change the link.",
        "链接中的 `scene_param`(`cust:` 加业务客户编号)是否用于匹配进入的客户。该参数没有签名,任何人都能修改链接。",
    ),
    text(
        "kf.greeting",
        "What a customer is greeted with who opens WeChat customer service through a link; `{customer}` stands for their nickname. At most 2,048 bytes. The app's quiet hours apply. Empty: nothing.",
        "客户通过链接进入微信客服时发送的欢迎语;`{customer}` 代表昵称。最多 2,048 字节。遵循应用的免打扰时段。为空则不发送。",
    ),
    text(
        "handover.resignation_templates",
        "Templates of the approval app whose approved forms become approved resignations: their ids between commas, each alone or as `id=title` of the control that holds the last day. Without a title, the only day control is taken, or the only one whose title speaks of leaving.",
        "哪些审批模板是离职申请:模板 ID,以逗号分隔;可写成 `模板ID=控件标题` 指明最后工作日所在的控件。不写标题时,取唯一的日期控件,或标题中提到离职、最后的唯一日期控件。通过后自动生成已批准的离职申请。",
    ),
    text(
        "sync.enabled",
        "Whether this process reconciles with WeCom: scheduled runs and requested ones.",
        "本进程是否对账:到期的,以及有人要求的。",
    ),
    number(
        "sync.every_hours",
        0,
        720,
        "The interval, in hours, at which members, customers and leavers are read from WeCom. 0: only on request.",
        "每隔几小时从企业微信读取成员、客户和离职待分配。0 表示只在有人要求时。",
    ),
    number(
        "sync.at_hour",
        0,
        23,
        "The hour of the day, in Shanghai, from which the intervals count.",
        "从几点(上海时间)起算。",
    ),
    text("backup.enabled", "Whether this process makes backups when they are due.", "本进程是否按时备份。"),
    text(
        "backup.schedule",
        "When backups are due, as in a crontab: minute, hour, day, month, weekday, in Shanghai's time.",
        "何时备份,写法同 crontab:分、时、日、月、星期,上海时间。",
    ),
    text(
        "backup.location",
        "The folder for backups: a full path, best on another disk. Empty: the folder `backups` in `data_dir`. Processes that share a database need the same place.",
        "备份存放的文件夹:完整路径,最好在另一块磁盘上。为空则为 `data_dir` 下的 `backups`。共用数据库的进程须用同一处。",
    ),
    number(
        "backup.keep",
        1,
        1_000,
        "How many backups are kept; older ones are removed once there is a new one.",
        "保留几份备份;有了新的一份,更早的就删除。",
    ),
    text(
        "backup.media",
        "Whether the files of the media store are in backups, if `media.location` is a folder. Otherwise a backup only lists them.",
        "`media.location` 为文件夹时,备份是否包含其中的文件;否则备份只列出文件。",
    ),
    number(
        "retention.plaintext_days",
        0,
        36_500,
        "For how many days callbacks are kept as WeCom sent them; 7 or more. 0: for ever.",
        "回调原文保留几天,至少 7。0 为永久。",
    ),
    number(
        "retention.records_months",
        0,
        1_200,
        "For how many whole months besides the current one records and their files are kept. 0: for ever.",
        "记录及其文件除当月外保留几个整月。0 为永久。",
    ),
    number(
        "retention.media_days",
        0,
        36_500,
        "For how many days pictures, voice messages, videos and files are kept, if shorter than their records. 0: as long as their records.",
        "图片、语音、视频和文件保留几天,如果短于其记录。0 表示与记录相同。",
    ),
    number(
        "retention.access_log_months",
        0,
        1_200,
        "For how many whole months besides the current one the access log is kept; 6 or more. 0: for ever.",
        "访问日志除当月外保留几个整月,至少 6。0 为永久。",
    ),
];

const fn text(path: &'static str, english: &'static str, chinese: &'static str) -> Text {
    Text { path, range: None, english, chinese }
}

const fn number(path: &'static str, least: u64, greatest: u64, english: &'static str, chinese: &'static str) -> Text {
    Text { path, range: Some(least..=greatest), english, chinese }
}
