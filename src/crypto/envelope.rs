//! The outer document: it holds an incoming ciphertext or a sealed reply.
//!
//! Input is a request's body, XML or JSON, still unverified. Only `Encrypt` is read: `ToUserName` and `AgentID`
//! beside it are not signed, so they are ignored.

use std::borrow::Cow;
use std::ops::ControlFlow;

use form_urlencoded::Serializer;
use quick_xml::escape::escape;

use super::error::OpenError;
use crate::document;

/// The field that matters, compared without regard to case: XML has `Encrypt`, robots send `encrypt`.
const CIPHERTEXT_FIELD: &str = "Encrypt";

/// A message sealed for WeCom, with everything its envelope needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The ciphertext, as base64 on one line.
    pub encrypt: String,
    /// The signature over Token, timestamp, nonce and ciphertext.
    pub msg_signature: String,
    /// Seconds since 1970, as text.
    pub timestamp: String,
    /// The sender's random string; a robot's reply repeats its callback's.
    pub nonce: String,
}

impl Sealed {
    /// The body of a passive reply: <https://developer.work.weixin.qq.com/document/path/90930>.
    pub fn reply_xml(&self) -> String {
        format!(
            "<xml><Encrypt>{}</Encrypt><MsgSignature>{}</MsgSignature><TimeStamp>{}</TimeStamp><Nonce>{}</Nonce></xml>",
            cdata(&self.encrypt),
            cdata(&self.msg_signature),
            escape(self.timestamp.as_str()),
            cdata(&self.nonce),
        )
    }

    /// The body of a robot's reply, whose timestamp is a number.
    pub fn reply_json(&self) -> String {
        let timestamp = match self.timestamp.parse::<u64>() {
            Ok(seconds) => seconds.into(),
            Err(_) => serde_json::Value::from(self.timestamp.as_str()),
        };
        serde_json::json!({
            "encrypt": self.encrypt,
            "msgsignature": self.msg_signature,
            "timestamp": timestamp,
            "nonce": self.nonce,
        })
        .to_string()
    }

    /// The body of a push, as WeCom sends it.
    pub fn push_xml(&self, to_user: &str, agentid: &str) -> String {
        format!(
            "<xml><ToUserName>{}</ToUserName><Encrypt>{}</Encrypt><AgentID>{}</AgentID></xml>",
            cdata(to_user),
            cdata(&self.encrypt),
            cdata(agentid),
        )
    }

    /// The query of a push, percent-encoded.
    pub fn query(&self) -> String {
        self.pairs().finish()
    }

    /// The query of a URL verification, where the ciphertext travels as `echostr`.
    pub fn echo_query(&self) -> String {
        self.pairs().append_pair("echostr", &self.encrypt).finish()
    }

    fn pairs(&self) -> Serializer<'static, String> {
        let mut pairs = Serializer::new(String::new());
        pairs
            .append_pair("msg_signature", &self.msg_signature)
            .append_pair("timestamp", &self.timestamp)
            .append_pair("nonce", &self.nonce);
        pairs
    }
}

/// The `Encrypt` text of a request's body, without the blanks around it.
pub fn envelope(body: &[u8]) -> Result<Cow<'_, str>, OpenError> {
    let text = str::from_utf8(body).map_err(|_| OpenError::Envelope)?;
    let mut found = None;
    document::scan(text, |name, value| {
        if !name.eq_ignore_ascii_case(CIPHERTEXT_FIELD) {
            return ControlFlow::Continue(());
        }
        found = Some(value);
        ControlFlow::Break(())
    })
    .map_err(|_| OpenError::Envelope)?;
    found.filter(|encrypt| !encrypt.is_empty()).ok_or(OpenError::Envelope)
}

/// Wraps text in CDATA; a `]]>` inside is split over two sections, so that it cannot end the first.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}
