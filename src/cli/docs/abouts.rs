//! The description of each command in Chinese. A test compares the list with the commands.

/// A command's description.
pub(super) fn about(path: &str) -> Option<&'static str> {
    ABOUTS.iter().find(|(known, _)| *known == path).map(|(_, about)| *about)
}

/// Every command by its whole name, in the order of `--help`.
pub(super) const ABOUTS: &[(&str, &str)] = &[
    ("wecomd serve", "运行服务,直到 SIGTERM 或 Ctrl-C"),
    ("wecomd demo", "观看一个工作日:私有 PostgreSQL、服务和模拟的企业微信"),
    ("wecomd sandbox", "模拟企业微信,供运行中的 wecomd 或其他接收方使用"),
    ("wecomd migrate", "把数据库升级到本程序的结构"),
    ("wecomd check", "检查一切是否就绪,并说明如何处理"),
    ("wecomd config", "添加、列出和停用应用"),
    ("wecomd config add", "添加或修改应用;从标准输入读取 `POST config` 的 JSON 字段,密钥不会出现在进程列表中"),
    ("wecomd config list", "列出应用,不含密钥"),
    ("wecomd config disable", "停用应用的回调地址;已收到的内容保留"),
    ("wecomd config enable", "重新启用"),
    ("wecomd token", "创建、列出和撤销管理接口的令牌"),
    ("wecomd token create", "创建令牌,单独打印在标准输出上;只显示这一次"),
    ("wecomd token list", "列出已创建的令牌"),
    ("wecomd token revoke", "撤销令牌"),
    ("wecomd console-user", "允许成员登录控制台,并列出他们"),
    ("wecomd console-user add", "允许成员以企业微信登录控制台,或更改其角色"),
    ("wecomd console-user list", "列出可以登录的成员"),
    ("wecomd console-user remove", "不再允许成员登录;其会话立即结束"),
    ("wecomd audit", "核对访问日志是否与写入时一致"),
    ("wecomd audit verify", "逐条核对访问日志的链,指出第一处不符"),
    ("wecomd inbox", "列出、查看和重放回调"),
    ("wecomd inbox list", "列出回调,事件最新的在前"),
    ("wecomd inbox show", "查看一条回调及企业微信发来的内容"),
    ("wecomd inbox replay", "不论状态重新记录回调;联系人、记录和交接不会因此改变"),
    ("wecomd spool", "查看并核对磁盘上等待数据库的回调"),
    ("wecomd spool status", "列出等待数据库的、被数据库拒绝的和有损坏的文件"),
    ("wecomd spool verify", "逐条解密并统计损坏;有损坏时退出码为 1"),
    ("wecomd sync", "与企业微信对账:读取成员、客户和离职待分配,报告不一致"),
    ("wecomd reporting", "允许分析人员读取报表视图,并列出视图"),
    ("wecomd reporting grant", "允许数据库角色只读这些视图;没有该角色则创建,密码只打印一次"),
    ("wecomd reporting revoke", "收回授权;角色本身保留"),
    ("wecomd reporting list", "列出视图、列及其含义"),
    ("wecomd backup", "立即备份,或列出已做的备份"),
    ("wecomd restore", "检验备份是否可信,或恢复备份"),
    ("wecomd key", "查看哪些主密钥在使用,并替换旧的"),
    ("wecomd key status", "统计每个主密钥加密了多少数据、备份和本地暂存文件"),
    ("wecomd key rotate", "用编号最大的主密钥重新加密一切;可以中断后再次运行"),
    ("wecomd openapi", "打印管理接口的描述,OpenAPI 3.1 文档"),
    ("wecomd docs", "生成参考文档(Markdown):设置、接口、错误、指标、命令、数据表和企业微信权限"),
    ("wecomd retention", "删除超过保留期限的数据,或查看会删除什么"),
    ("wecomd completions", "打印命令补全脚本"),
];
