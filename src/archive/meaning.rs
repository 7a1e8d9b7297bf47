//! What the library's codes mean, and what to do about them, in both languages.

use std::fmt;

/// A code in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The code.
    pub code: i32,
    /// In English.
    pub english: &'static str,
    /// In Chinese.
    pub chinese: &'static str,
    /// Whether the same call may work in a moment.
    pub is_transient: bool,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.code, self.english, self.chinese)
    }
}

/// The codes: the code, whether to repeat, English, Chinese.
const KNOWN: &[(i32, bool, &str, &str)] = &[
    (
        10_000,
        false,
        "the library refuses the parameters: check the corp id and the archive's secret",
        "参数错误：请检查企业 ID 和会话内容存档的 Secret",
    ),
    (
        10_001,
        true,
        "the library does not reach WeCom: check the network and archive.proxy",
        "网络错误：请检查网络和 archive.proxy",
    ),
    (10_002, true, "the library could not read WeCom's answer", "数据解析失败"),
    (10_003, true, "a system call of the library failed", "系统调用失败"),
    (10_005, false, "the file's id is unknown", "fileid 无效"),
    (10_006, false, "it does not open with this key", "解密失败"),
    (10_008, false, "the short key cannot be used", "encrypt_key 错误"),
    (
        10_009,
        false,
        "this address may not read the archive: add it to 可信IP地址 of 会话内容存档, which is a list of its own",
        "IP 不在白名单：请加入“会话内容存档”自己的可信 IP 地址",
    ),
    (10_010, false, "the data are older than five days", "数据已过期（超过 5 天）"),
    (
        10_011,
        false,
        "WeCom's TLS certificate is refused: check the machine's certificates and the proxy",
        "SSL 证书错误",
    ),
    (
        301_042,
        false,
        "this address may not read the archive: add it to 可信IP地址 of 会话内容存档, which is a list of its own",
        "IP 不在白名单：请加入“会话内容存档”自己的可信 IP 地址",
    ),
    (301_048, false, "WeCom no longer has the file", "文件已过期"),
    (301_052, false, "the archive's licence has expired", "会话内容存档已到期"),
    (301_053, false, "the archive is not enabled for this corp", "企业未开启会话内容存档"),
    (301_058, false, "the page is too large", "数据量过大"),
    (301_111, false, "the library is too old: install a newer one", "SDK 版本过低"),
    (301_116, false, "this corp's archive cannot be read this way", "该企业不能通过此方式读取会话内容存档"),
];

/// What a code means.
pub fn meaning(code: i32) -> Meaning {
    let known = KNOWN.iter().find(|(it, ..)| *it == code);
    let (_, is_transient, english, chinese) =
        known.copied().unwrap_or((code, true, "the library gave a code that we do not know", "未知的返回码"));
    Meaning { code, english, chinese, is_transient }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_explained_and_only_passing_ones_are_repeated_soon() {
        let transient: Vec<_> = KNOWN.iter().filter(|it| it.1).map(|it| it.0).collect();
        assert_eq!(transient, [10_001, 10_002, 10_003]);
        assert!(meaning(10_009).to_string().starts_with("10009: this address may not read the archive"));
        assert!(meaning(7).is_transient && meaning(7).to_string().starts_with("7: "));
        assert!(KNOWN.is_sorted_by_key(|it| it.0));
    }
}
