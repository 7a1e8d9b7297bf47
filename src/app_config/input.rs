//! An administrator's description of an app, and its checks. A field that is not given stays as it is.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::welcome;
use crate::{
    apps::{ReplyOn, ReplyRule},
    check::{self, Invalid},
    crypto::{CallbackKeys, KeyError},
    ids::CorpId,
    states::{AppStatus, NotAWord},
    tasks::template::{Rules, TEXT_BYTES_MAX},
};

/// How long a name may be: it is a part of a URL.
const NAME_CHARS_MAX: usize = 64;

/// How long a corpid may be; WeCom's have 18 characters.
const CORPID_CHARS_MAX: usize = 64;

/// How long an agentid may be; WeCom's have 7 digits.
const AGENTID_CHARS_MAX: usize = 32;

/// How long a secret may be; WeCom's have 43 characters.
const SECRET_CHARS_MAX: usize = 128;

/// How many receiveids an app may accept.
const RECEIVE_IDS_MAX: usize = 50;

/// How many auto-reply rules an app may have: each callback is checked against all of them.
const RULES_MAX: usize = 50;

/// How long an auto-reply may be: WeCom takes 2,048 bytes.
const REPLY_BYTES_MAX: usize = 2_048;

/// How long an auto-reply's `contains` text may be.
const CONTAINS_BYTES_MAX: usize = 256;

/// WeCom's number of an app, as a number or as a text.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "must be a number or a text")]
enum Either {
    /// As WeCom's console shows it.
    Number(u64),
    /// The same as a text; empty for none.
    Text(#[schemars(length(max = AGENTID_CHARS_MAX))] String),
}

/// Whether an app's door is open.
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its names are used, by the API's description")]
enum Status {
    Enabled,
    Disabled,
}

/// An app to add or change; `None` leaves a field as it is. A new app needs the first six.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "NewApp")]
pub struct NewConfig {
    /// The slug in its callback URL.
    #[schemars(required, regex(pattern = "^[a-z0-9][a-z0-9-]*$"), length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The corp it belongs to.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = CORPID_CHARS_MAX))]
    pub corpid: Option<String>,
    /// WeCom's number of the app, as a number or a text; empty for what has none, such as a robot.
    #[serde(deserialize_with = "number_or_text")]
    #[schemars(with = "Either")]
    pub agentid: Option<String>,
    /// The app's secret; empty for what has none.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String", length(max = SECRET_CHARS_MAX))]
    pub secret: Option<SecretString>,
    /// The callback's Token.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String", length(min = 1))]
    pub token: Option<SecretString>,
    /// The callback's EncodingAESKey.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String", length(equal = 43))]
    pub encoding_aes_key: Option<SecretString>,
    /// What a new customer is greeted with; null for nothing.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>", length(min = 1, max = TEXT_BYTES_MAX))]
    pub welcome_message: Option<Option<String>>,
    /// What goes with it, what is said instead of it in some channels, and when to be quiet; `{}` for nothing.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Rules")]
    pub welcome: Option<Rules>,
    /// Which receiveids a callback may carry, `""` among them if it may carry none; null for the corpid alone.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>", length(min = 1, max = RECEIVE_IDS_MAX))]
    pub receive_ids: Option<Option<Vec<String>>>,
    /// What it answers by itself.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Vec<ReplyRule>", length(max = RULES_MAX))]
    pub auto_reply: Option<Vec<ReplyRule>>,
    /// enabled or disabled.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Status")]
    pub status: Option<String>,
}

impl NewConfig {
    /// Checks the given fields one by one. Whether a Token and EncodingAESKey are valid together is checked once both
    /// are known.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        check_name(&self.name)?;
        if let Some(corpid) = &self.corpid {
            check_corpid("corpid", corpid)?;
        }
        if let Some(agentid) = &self.agentid {
            check::visible("agentid", agentid, AGENTID_CHARS_MAX)?;
        }
        if let Some(secret) = &self.secret {
            check::visible("secret", secret.expose_secret(), SECRET_CHARS_MAX)?;
        }
        if let Some(Some(text)) = &self.welcome_message {
            welcome::check_text("welcome_message", text)?;
        }
        if let Some(rules) = &self.welcome {
            welcome::check_rules(rules)?;
        }
        if let Some(Some(ids)) = &self.receive_ids {
            check_receive_ids(ids)?;
        }
        if let Some(rules) = &self.auto_reply {
            check_rules(rules)?;
        }
        self.status().map(drop)
    }

    /// The given status as a type.
    pub(super) fn status(&self) -> Result<Option<AppStatus>, Invalid> {
        let status = self.status.as_deref().map(str::parse).transpose();
        status.map_err(|error: NotAWord| {
            Invalid::new("status", (error.to_string(), format!("须为以下之一：{}", error.known().join("、"))))
        })
    }

    /// Checks that a new app has all six required fields; returns the corp and the callback keys.
    pub(super) fn required(&self) -> Result<(CorpId, &SecretString, &SecretString), Invalid> {
        let missing = |field: &str| {
            let en = format!("is required, because there is no app {:?} yet", self.name);
            Invalid::new(field, (en, format!("为必填项：尚无名为 {:?} 的应用", self.name)))
        };
        let corpid = self.corpid.as_deref().ok_or_else(|| missing("corpid"))?;
        self.agentid.as_ref().ok_or_else(|| missing("agentid"))?;
        self.secret.as_ref().ok_or_else(|| missing("secret"))?;
        let token = self.token.as_ref().ok_or_else(|| missing("token"))?;
        let key = self.encoding_aes_key.as_ref().ok_or_else(|| missing("encoding_aes_key"))?;
        check_keys(token, key)?;
        Ok((CorpId::from(corpid), token, key))
    }
}

/// Checks that callbacks can be opened with these.
pub(super) fn check_keys(token: &SecretString, encoding_aes_key: &SecretString) -> Result<(), Invalid> {
    match CallbackKeys::new(token.expose_secret(), encoding_aes_key.expose_secret()) {
        Ok(_) => Ok(()),
        Err(error @ (KeyError::AesKeyLength(_) | KeyError::AesKeyCharacter)) => Err(Invalid::new(
            "encoding_aes_key",
            (error.to_string(), "须为 43 个字符（a-z、A-Z、0-9），请从企业微信后台完整复制"),
        )),
        Err(error) => {
            Err(Invalid::new("token", (error.to_string(), "须为 1 至 32 个字母或数字，请从企业微信后台完整复制")))
        }
    }
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let slug = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !slug || name.starts_with('-') {
        let en = format!(
            "must have 1 to {NAME_CHARS_MAX} characters of a-z, 0-9 and '-', and not begin with '-': it stands in the \
             callback URL"
        );
        let zh = format!("须为 1 至 {NAME_CHARS_MAX} 个字符（a-z、0-9、-），不得以 - 开头：它是回调地址的一部分");
        return Err(Invalid::new("name", (en, zh)));
    }
    Ok(())
}

fn check_corpid(field: &str, corpid: &str) -> Result<(), Invalid> {
    if corpid.is_empty() {
        return Err(Invalid::new(
            field,
            ("must not be empty: copy it from 我的企业 in WeCom's console", "不得为空：请从企业微信后台“我的企业”复制"),
        ));
    }
    check::visible(field, corpid, CORPID_CHARS_MAX)
}

fn check_receive_ids(ids: &[String]) -> Result<(), Invalid> {
    if ids.is_empty() || ids.len() > RECEIVE_IDS_MAX {
        let en = format!("must list 1 to {RECEIVE_IDS_MAX} ids; null stands for the corpid alone");
        return Err(Invalid::new("receive_ids", (en, format!("须列出 1 至 {RECEIVE_IDS_MAX} 个；null 表示仅 corpid"))));
    }
    ids.iter()
        .enumerate()
        .try_for_each(|(index, id)| check::visible(&format!("receive_ids[{index}]"), id, CORPID_CHARS_MAX))
}

fn check_rules(rules: &[ReplyRule]) -> Result<(), Invalid> {
    if rules.len() > RULES_MAX {
        return Err(Invalid::new(
            "auto_reply",
            (format!("must have at most {RULES_MAX} rules"), format!("最多 {RULES_MAX} 条规则")),
        ));
    }
    for (index, rule) in rules.iter().enumerate() {
        let field = |name| format!("auto_reply[{index}].{name}");
        check::prose(&field("reply"), &rule.reply, REPLY_BYTES_MAX)?;
        match (rule.on, &rule.contains) {
            (_, None) => {}
            (ReplyOn::Text, Some(words)) => check::prose(&field("contains"), words, CONTAINS_BYTES_MAX)?,
            (ReplyOn::EnterAgent, Some(_)) => {
                return Err(Invalid::new(
                    field("contains"),
                    ("is for rules on text: opening an app says nothing", "仅用于文本消息规则：进入应用事件没有文本"),
                ));
            }
        }
    }
    Ok(())
}

/// Tells an explicit null from a field that is left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(from).map(|text| Some(text.into()))
}

fn number_or_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Some(match Either::deserialize(from)? {
        Either::Number(number) => number.to_string(),
        Either::Text(text) => text,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check::parsed;

    fn app(mut change: Value) -> Result<NewConfig, Invalid> {
        let mut app = json!({
            "name": "shop",
            "corpid": "ww1",
            "agentid": 1000002,
            "secret": "s3cret",
            "token": "QDG6eK",
            "encoding_aes_key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        });
        if let (Some(app), Some(change)) = (app.as_object_mut(), change.as_object_mut()) {
            app.append(change);
        }
        let new: NewConfig = parsed(&app.to_string())?;
        new.check()?;
        new.required()?;
        Ok(new)
    }

    fn refused(change: Value) -> String {
        app(change.clone()).expect_err(&change.to_string()).to_string()
    }

    #[test]
    fn an_agentid_may_be_a_number_or_a_text() {
        assert_eq!(app(json!({})).expect("good").agentid.as_deref(), Some("1000002"));
        assert_eq!(app(json!({"agentid": ""})).expect("good").agentid.as_deref(), Some(""));
        insta::assert_snapshot!(refused(json!({"agentid": [1]})), @"agentid: must be a number or a text");
    }

    #[test]
    fn each_invalid_field_is_refused_by_name() {
        let long = "x".repeat(4_001);
        let changes = [
            json!({"name": ""}),
            json!({"name": "Shop"}),
            json!({"name": "-shop"}),
            json!({"name": "x".repeat(65)}),
            json!({"corpid": ""}),
            json!({"corpid": "ww1 "}),
            json!({"corpid": null}),
            json!({"agentid": "一"}),
            json!({"secret": "line\n"}),
            json!({"token": "with blank"}),
            json!({"encoding_aes_key": "short"}),
            json!({"welcome_message": long}),
            json!({"welcome_message": "\u{0}"}),
            json!({"receive_ids": []}),
            json!({"receive_ids": vec!["ww1"; 51]}),
            json!({"receive_ids": ["", "w w"]}),
            json!({"status": "paused"}),
            json!({"colour": "red"}),
        ];
        let refusals: Vec<_> = changes.into_iter().map(refused).collect();
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        name: must have 1 to 64 characters of a-z, 0-9 and '-', and not begin with '-': it stands in the callback URL
        name: must have 1 to 64 characters of a-z, 0-9 and '-', and not begin with '-': it stands in the callback URL
        name: must have 1 to 64 characters of a-z, 0-9 and '-', and not begin with '-': it stands in the callback URL
        name: must have 1 to 64 characters of a-z, 0-9 and '-', and not begin with '-': it stands in the callback URL
        corpid: must not be empty: copy it from 我的企业 in WeCom's console
        corpid: must have at most 64 visible ASCII characters: look for a blank copied with it
        corpid: invalid type: null, expected a string
        agentid: must have at most 32 visible ASCII characters: look for a blank copied with it
        secret: must have at most 128 visible ASCII characters: look for a blank copied with it
        token: the Token holds something other than ASCII letters and digits: look for a blank or quote copied with it
        encoding_aes_key: the EncodingAESKey has 5 characters instead of 43: copy all of it, without a final '='
        welcome_message: must have 1 to 4000 bytes, and has 4001
        welcome_message: must not hold control characters
        receive_ids: must list 1 to 50 ids; null stands for the corpid alone
        receive_ids: must list 1 to 50 ids; null stands for the corpid alone
        receive_ids[1]: must have at most 64 visible ASCII characters: look for a blank copied with it
        status: must be enabled or disabled
        colour: unknown field `colour`, expected one of `name`, `corpid`, `agentid`, `secret`, `token`, `encoding_aes_key`, `welcome_message`, `welcome`, `receive_ids`, `auto_reply`, `status`
        "#);
    }

    #[test]
    fn each_invalid_rule_is_refused_with_its_path() {
        let rules = [
            json!([{"on": "text", "reply": ""}]),
            json!([{"on": "text", "reply": "字".repeat(683)}]),
            json!([{"on": "text", "contains": "", "reply": "hi"}]),
            json!([{"on": "enter_agent", "reply": "hi"}, {"on": "enter_agent", "contains": "x", "reply": "hi"}]),
            json!([{"on": "click", "reply": "hi"}]),
            json!([{"on": "text", "reply": "hi", "colour": "red"}]),
            json!(vec![json!({"on": "text", "reply": "hi"}); 51]),
            Value::Null,
        ];
        let refusals: Vec<_> = rules.into_iter().map(|rules| refused(json!({ "auto_reply": rules }))).collect();
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        auto_reply[0].reply: must have 1 to 2048 bytes, and has 0
        auto_reply[0].reply: must have 1 to 2048 bytes, and has 2049
        auto_reply[0].contains: must have 1 to 256 bytes, and has 0
        auto_reply[1].contains: is for rules on text: opening an app says nothing
        auto_reply[0].on: unknown variant `click`, expected `text` or `enter_agent`
        auto_reply[0].colour: unknown field `colour`, expected one of `on`, `contains`, `reply`
        auto_reply: must have at most 50 rules
        auto_reply: invalid type: null, expected a sequence
        "#);
    }

    #[test]
    fn null_is_distinguished_from_a_missing_field() {
        let silent = app(json!({})).expect("good");
        assert_eq!((silent.welcome_message, silent.receive_ids), (None, None));
        let cleared = app(json!({"welcome_message": null, "receive_ids": null})).expect("good");
        assert_eq!((cleared.welcome_message, cleared.receive_ids), (Some(None), Some(None)));
        let empty = app(json!({"receive_ids": [""]})).expect("a robot's callbacks carry none");
        assert_eq!(empty.receive_ids, Some(Some(vec![String::new()])));
    }

    #[test]
    fn a_new_app_needs_six_fields() {
        for field in ["corpid", "agentid", "secret", "token", "encoding_aes_key"] {
            let mut new = app(json!({})).expect("good");
            match field {
                "corpid" => new.corpid = None,
                "agentid" => new.agentid = None,
                "secret" => new.secret = None,
                "token" => new.token = None,
                _ => new.encoding_aes_key = None,
            }
            assert_eq!(new.required().expect_err(field).field, field);
        }
    }

    #[test]
    fn debug_output_of_the_input_shows_no_secret() {
        let printed = format!("{:?}", app(json!({})).expect("good"));
        assert!(["s3cret", "QDG6eK", "jWmYm7"].iter().all(|secret| !printed.contains(secret)), "{printed}");
    }
}
