//! The HTTP requests of pushes and verifications, genuine or forged.
//!
//! Each request is sealed anew with the current time, a new nonce and new random bytes.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};

use crate::crypto::{CallbackKeys, KeyError, Sealed, seal_random};
use crate::ids::CorpId;
use crate::sandbox::corp::App;
use crate::sandbox::push::{Forgery, Push};

/// Where a service listens for an app's callbacks, below its base address.
const CALLBACK_PATH: &str = "callback";

/// The Token and the AES key of forgeries.
const STRANGERS_TOKEN: &str = "aTokenNobodyConfigured";
const STRANGERS_AES_KEY: &str = "aKeyNobodyConfigured0000000000000000000000A";

/// The company that a misdirected push is for.
const STRANGERS_CORP: &str = "ww0000000000strange";

/// One app's URL and keys, and wrong keys for forgeries.
pub(super) struct Target {
    path: String,
    corpid: CorpId,
    agentid: String,
    receive_id: String,
    keys: CallbackKeys,
    wrong_token: CallbackKeys,
    wrong_key: CallbackKeys,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Target {
    /// The URL of `app` below `base_path`.
    pub(super) fn new(base_path: &str, corpid: &CorpId, app: &App) -> Result<Self, KeyError> {
        let name: String = form_urlencoded::byte_serialize(app.name.as_bytes()).collect();
        Ok(Self {
            path: format!("{}/{CALLBACK_PATH}/{name}", base_path.trim_end_matches('/')),
            corpid: corpid.clone(),
            agentid: app.agentid.clone(),
            receive_id: app.receive_id.clone(),
            keys: app.keys()?,
            wrong_token: CallbackKeys::new(STRANGERS_TOKEN, &app.encoding_aes_key)?,
            wrong_key: CallbackKeys::new(&app.token, STRANGERS_AES_KEY)?,
        })
    }

    /// Carries a push, sealed anew; a forged one with its own flaw.
    pub(super) fn push(&self, push: &Push) -> Request<Full<Bytes>> {
        let (keys, receive_id) = match push.forgery {
            Some(Forgery::WrongToken) => (&self.wrong_token, self.receive_id.as_str()),
            Some(Forgery::WrongKey) => (&self.wrong_key, self.receive_id.as_str()),
            Some(Forgery::WrongReceiver) => (&self.keys, STRANGERS_CORP),
            Some(Forgery::FlippedSignature | Forgery::GarbageBody) | None => (&self.keys, self.receive_id.as_str()),
        };
        let mut sealed = self.seal(keys, receive_id, push.plaintext.as_bytes());
        if push.forgery == Some(Forgery::FlippedSignature) {
            let flipped = if sealed.msg_signature.pop() == Some('0') { '1' } else { '0' };
            sealed.msg_signature.push(flipped);
        }
        let body = match push.forgery {
            Some(Forgery::GarbageBody) => rand::random::<[u8; 32]>().to_vec(),
            _ => sealed.push_xml(self.corpid.as_str(), &self.agentid).into_bytes(),
        };
        self.request(Method::POST, &sealed.query(), body)
    }

    /// Carries a URL verification with this echo.
    pub(super) fn verification(&self, echo: &str) -> Request<Full<Bytes>> {
        let sealed = self.seal(&self.keys, &self.receive_id, echo.as_bytes());
        self.request(Method::GET, &sealed.echo_query(), Vec::new())
    }

    fn seal(&self, keys: &CallbackKeys, receive_id: &str, message: &[u8]) -> Sealed {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let nonce = rand::random::<u32>();
        seal_random(keys, receive_id, &seconds.to_string(), &nonce.to_string(), message)
    }

    fn request(&self, method: Method, query: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        // Path and query are percent-encoded, so the address is always valid.
        *request.uri_mut() = format!("{}?{query}", self.path).parse().unwrap_or_default();
        request.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/xml"));
        request
    }
}
