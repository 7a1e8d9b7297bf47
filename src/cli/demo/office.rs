//! The company's own system, which calls the admin API.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;

use crate::app::App;

/// How long each step may take.
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(30);

/// Time between two checks.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// The caller.
pub(super) struct Office<'a> {
    pub(super) app: &'a App,
    pub(super) token: &'a SecretString,
}

impl Office<'_> {
    /// Repeats a request until the answer meets the condition.
    pub(super) async fn until(
        &self,
        what: &str,
        target: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let asking = async {
            loop {
                let answer = self.ask("GET", target, None).await?;
                if is_so(&answer) {
                    return anyhow::Ok(answer);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(STEP_LIMIT, asking).await.with_context(|| format!("waited in vain until {what}"))?
    }

    /// Sends a request that must succeed; returns the answer.
    pub(super) async fn ask(&self, method: &str, target: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let (status, bytes) = self.request(method, target, body).await;
        ensure!((200..300).contains(&status), "{method} {target}: {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Sends a request as the company's own system would: the status, and the body.
    pub(super) async fn request(&self, method: &str, target: &str, body: Option<Value>) -> (u16, Bytes) {
        self.app.ask_admin(self.token, method, target, body).await
    }
}

/// Repeats `look` until it returns something.
pub(super) async fn so<T>(what: &str, look: impl Fn() -> Option<T>) -> anyhow::Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(STEP_LIMIT, looking).await.with_context(|| format!("waited in vain until {what}"))
}

/// A text in an answer.
pub(super) fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("{name} is missing"))?.to_owned())
}
