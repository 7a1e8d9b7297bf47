//! Every Prometheus metric: its type, its labels, and its meaning in both languages.
//!
//! The English text is also the `# HELP` line of `/metrics`. Who counts is not known here.

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels, in the order in which they are given.
    pub labels: &'static [&'static str],
    /// Its meaning, in English.
    pub english: &'static str,
    /// The same in Chinese.
    pub chinese: &'static str,
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// The current value.
    Gauge,
    /// Durations in seconds.
    Histogram,
}

impl Kind {
    /// Its name, as Prometheus and the `metrics` macros have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Every metric, in the order in which a callback reaches them.
pub const METRICS: &[Metric] = &[
    counter(
        "wecomd_callbacks_total",
        &["outcome"],
        "Authentic callbacks, by outcome: stored, duplicate, spooled (kept on disk until the database is back), dropped_day (of a day that retention dropped: answered, not kept), not_stored",
        "真实的回调,按结果:stored 已存储、duplicate 重复、spooled 已暂存在本地磁盘待数据库恢复、dropped_day 所属日期已按保留期限删除(照常应答,不保存)、not_stored 未能存储",
    ),
    counter(
        "wecomd_store_failures_total",
        &["sqlstate"],
        "Callbacks that could not be stored, by the database's SQLSTATE; - if it did not answer",
        "未能存储的回调,按数据库的 SQLSTATE;数据库没有应答时为 -",
    ),
    gauge(
        "wecomd_spool_bytes",
        &[],
        "Size of the segments in the spool that wait for the database",
        "本地暂存中等待数据库的文件大小",
    ),
    gauge(
        "wecomd_spool_age_seconds",
        &[],
        "How long the oldest callback in the spool has waited for the database",
        "本地暂存中最早的回调已等待数据库多久",
    ),
    counter(
        "wecomd_spool_drained_total",
        &["outcome"],
        "Callbacks that were taken out of the spool, by outcome: stored, duplicate, dropped_day, refused (kept in refused-*.seg)",
        "从本地暂存取出的回调,按结果:stored 已存储、duplicate 重复、dropped_day 所属日期已按保留期限删除、refused 被拒绝(保存在 refused-*.seg)",
    ),
    counter(
        "wecomd_spool_damaged_total",
        &[],
        "Callbacks in the spool that were damaged on disk, and segments without a readable header",
        "本地暂存中因磁盘损坏而丢失的回调,以及文件头不可读的文件",
    ),
    counter(
        "wecomd_refused_total",
        &["app", "step"],
        "Refused callbacks, by app and by the step that failed",
        "被拒绝的回调,按应用和未通过的步骤",
    ),
    counter(
        "wecomd_callback_previous_keys_total",
        &["app"],
        "Callbacks that used replaced keys, by app",
        "仍用已更换的密钥发来的回调,按应用",
    ),
    histogram(
        "wecomd_callback_seconds",
        &[],
        "From a callback's head to its answer, stored in between",
        "从回调的请求头到应答,其间已存储",
    ),
    histogram("wecomd_commit_seconds", &[], "One group commit of callbacks", "一次回调的成组提交"),
    counter(
        "wecomd_events_total",
        &["kind", "outcome"],
        "Deliveries that left the inbox, by kind of event and outcome: recorded, ignored, parked, postponed",
        "离开收件箱的回调,按事件种类和结果:recorded 已记录、ignored 忽略、parked 搁置、postponed 推迟",
    ),
    counter(
        "wecomd_events_erased_total",
        &[],
        "Deliveries whose plaintext was removed because they were about an erased person",
        "因涉及已删除的人而清空的回调",
    ),
    histogram("wecomd_batch_seconds", &[], "Recording one batch of deliveries", "记录一批回调"),
    gauge(
        "wecomd_pending",
        &[],
        "Deliveries still to record, counted up to 100,000",
        "等待记录的回调数,最多数到 100,000",
    ),
    gauge(
        "wecomd_pending_age_seconds",
        &[],
        "How long the oldest due delivery has waited to be recorded",
        "最早到期的回调已等待记录多久",
    ),
    gauge(
        "wecomd_parked",
        &[],
        "Deliveries that a person must look at, counted up to 100,000",
        "需要人看的回调数,最多数到 100,000",
    ),
    gauge(
        "wecomd_recording_halted",
        &[],
        "1 if no worker of this process could take a step for 5 s; /readyz says why",
        "本进程的工作者连续 5 秒无法前进时为 1;原因见 /readyz",
    ),
    gauge(
        "wecomd_partitions",
        &["table"],
        "Partitions of a table, default ones included",
        "一张表的分区数,包括默认分区",
    ),
    gauge(
        "wecomd_partitions_put_off",
        &["table"],
        "Partitions that could not be made yet, because the table is locked; their rows are in the default one",
        "因表被占用而暂时未能建立的分区数;其中的行在默认分区里",
    ),
    counter(
        "wecomd_tasks_total",
        &["kind", "outcome"],
        "Attempts at tasks, by kind and outcome: done, again, postponed, parked, released, lost, unsaid",
        "执行任务的次数,按种类和结果:done 完成、again 再来一次、postponed 推迟、parked 搁置、released 放回、lost 已被他人接手、unsaid 未能写下结果",
    ),
    gauge(
        "wecomd_tasks",
        &["kind", "state"],
        "Tasks, by kind and state: due, waiting, running, parked",
        "任务数,按种类和状态:due 到期、waiting 等待、running 执行中、parked 搁置",
    ),
    gauge(
        "wecomd_task_age_seconds",
        &["kind"],
        "How long the oldest due task of a kind has been due",
        "同类任务中最早到期的已到期多久",
    ),
    histogram("wecomd_task_seconds", &["kind"], "Carrying out one task, by kind", "执行一个任务,按种类"),
    gauge(
        "wecomd_archive_lag_seconds",
        &[],
        "For how long the message archive has been behind; WeCom keeps messages for five days, so raise an alarm at one",
        "会话内容存档已落后多久;企业微信只保存五天,超过一天就应告警",
    ),
    counter(
        "wecomd_archive_messages_total",
        &["outcome"],
        "Messages of the archive, by outcome: opened, sealed (kept until their key comes), internal (among members, not kept), unreadable (an entry without a number)",
        "存档消息,按结果:opened 已解密、sealed 未能解密(保留密文待补私钥)、internal 内部会话(不保存)、unreadable 无法识别的条目",
    ),
    gauge("wecomd_archive_sealed", &[], "Messages of the archive that did not open yet", "尚未解密的存档消息数"),
    gauge(
        "wecomd_archive_gaps",
        &[],
        "Stretches of the archive that were lost, because nobody read it for five days or a message was too large",
        "存档中丢失的区间数(超过五天未读取,或单条消息过大)",
    ),
    counter(
        "wecomd_archive_reader_restarts_total",
        &["cause"],
        "Readers of the archive that were replaced, by cause: failed (crashed or gave no answer), memory, calls (after 1,000)",
        "被替换的存档读取进程,按原因:failed 崩溃或无应答、memory 内存过大、calls 调用满 1000 次",
    ),
    counter(
        "wecomd_kf_messages_total",
        &["outcome"],
        "Messages and events that were pulled from WeChat customer service, by outcome: stored, duplicate",
        "从微信客服拉取的消息和事件,按结果:stored 已存储、duplicate 重复",
    ),
    counter(
        "wecomd_kf_limited_total",
        &[],
        "Pulls without a token that WeCom limited (45009)",
        "不带 token 的拉取被企业微信限频(45009)的次数",
    ),
    counter(
        "wecomd_kf_routed_total",
        &["to"],
        "Waiting sessions of WeChat customer service that were routed, to: servicer, pool",
        "已分配的微信客服会话,去向:servicer 接待人员、pool 待接入池",
    ),
    gauge("wecomd_kf_accounts", &[], "Accounts of WeChat customer service that are known", "已知的微信客服账号数"),
    gauge(
        "wecomd_kf_lost_accounts",
        &[],
        "Accounts of WeChat customer service whose messages may be incomplete",
        "消息可能缺失的微信客服账号数",
    ),
    gauge(
        "wecomd_kf_lag_seconds",
        &[],
        "How long ago the account of WeChat customer service that was pulled longest ago was pulled",
        "最久未拉取的微信客服账号距上次拉取多久",
    ),
    gauge(
        "wecomd_search_lag_seconds",
        &[],
        "For how long the record that waits longest cannot be found by its words yet",
        "等待最久的记录已多久未能按内容查找",
    ),
    counter(
        "wecomd_welcome_total",
        &["outcome"],
        "Greetings that were due, by outcome as in table welcome",
        "应发的欢迎语,按结果,与表 welcome 的 outcome 相同",
    ),
    histogram(
        "wecomd_welcome_seconds",
        &[],
        "From a callback stored to its greeting answered by WeCom",
        "从回调存储到企业微信答复欢迎语",
    ),
    histogram("wecomd_welcome_late_seconds", &[], "By how much greetings missed their deadline", "欢迎语超过期限多久"),
    counter(
        "wecomd_handover_items_total",
        &["outcome"],
        "Customers, orders and groups of handovers that reached a final state, by state",
        "交接中已有结果的客户、工单和客户群,按结果",
    ),
    gauge(
        "wecomd_handover_stuck_items",
        &[],
        "Customers and groups that WeCom has not decided 26 hours after the time that it announced, or after it accepted them",
        "企业微信在预告时间(没有预告则为受理)之后 26 小时仍未给出结果的客户和客户群",
    ),
    gauge(
        "wecomd_app_alerts",
        &["kind"],
        "Apps that WeCom warns of this, by kind: `restricted` means that it gives them no customers' data any more",
        "企业微信警示的应用数,按类型;`restricted` 表示已停止提供客户数据",
    ),
    gauge(
        "wecomd_backup_age_seconds",
        &[],
        "How long ago the last complete backup was begun",
        "最近一份完整的备份是多久以前开始的",
    ),
    gauge(
        "wecomd_backup_failed",
        &[],
        "1 if the last backup failed or lacks files, or if no complete one is recent enough; else 0",
        "最近一次备份失败、缺文件,或没有足够新的备份时为 1,否则为 0",
    ),
    gauge(
        "wecomd_retention_failed",
        &["kind"],
        "1 if data past its retention period could not be deleted, by kind: plaintext, records, media, access_log",
        "过期数据未能删除时为 1,按种类:plaintext 回调原文、records 沟通记录、media 媒体文件、access_log 访问日志",
    ),
    counter(
        "wecomd_admin_refused_total",
        &["status"],
        "Refused requests to the admin API by unauthenticated callers, by HTTP status",
        "未通过身份验证而被拒绝的管理接口请求,按 HTTP 状态码",
    ),
    counter(
        "wecomd_wecom_calls_total",
        &["path", "errcode"],
        "Calls of WeCom's API, by path and errcode; none if there was no answer",
        "调用企业微信接口的次数,按路径和错误码;没有答复时为 none",
    ),
    histogram(
        "wecomd_wecom_call_seconds",
        &["path"],
        "One call of WeCom's API, by path, without the wait for the rate limit",
        "一次企业微信接口调用,按路径,不含排队",
    ),
    gauge(
        "wecomd_wecom_budget_left",
        &["path"],
        "How many more calls of a path could be made at once after the latest",
        "最近一次调用之后,该路径还可以立即调用几次",
    ),
    counter(
        "wecomd_wecom_pauses_total",
        &["path", "errcode"],
        "Pauses that WeCom asked for, by path and errcode",
        "企业微信要求的暂停,按路径和错误码",
    ),
    counter(
        "wecomd_wecom_unreadable_total",
        &["list"],
        "Rows of WeCom's answers that could not be used, by WeCom's name of the list",
        "企业微信答复中无法使用的行数,按企业微信对该列表的命名",
    ),
];

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    english: &'static str,
    chinese: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, labels, english, chinese }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    english: &'static str,
    chinese: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, english, chinese }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    english: &'static str,
    chinese: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, english, chinese }
}
