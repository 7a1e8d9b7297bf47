//! Access tokens: one per app's secret, fetched once for however many callers, and given up early.

use std::time::{Duration, Instant};

use moka::{Expiry, future::Cache};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Api, ApiError};

/// Where tokens are made.
pub(super) const PATH: &str = "gettoken";

/// A token is given up this long before WeCom does.
const MARGIN: Duration = Duration::from_secs(300);

/// How many secrets' tokens are kept.
const TOKENS_MAX: u64 = 10_000;

/// The tokens in use.
pub(super) struct Tokens(Cache<[u8; 32], Token>);

#[derive(Clone)]
struct Token {
    value: SecretString,
    life: Duration,
}

struct ByLife;

impl Expiry<[u8; 32], Token> for ByLife {
    fn expire_after_create(&self, _: &[u8; 32], token: &Token, _: Instant) -> Option<Duration> {
        Some(token.life.saturating_sub(MARGIN).max(Duration::from_secs(1)))
    }

    fn expire_after_update(&self, key: &[u8; 32], token: &Token, at: Instant, _: Option<Duration>) -> Option<Duration> {
        self.expire_after_create(key, token, at)
    }
}

/// `gettoken`'s answer. <https://developer.work.weixin.qq.com/document/path/91039>
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(TOKENS_MAX).expire_after(ByLife).build())
    }

    /// The token to call with.
    pub(super) async fn current(&self, api: &Api) -> Result<SecretString, ApiError> {
        let fetched = self.0.try_get_with(key(api), fetch(api)).await;
        fetched.map(|token| token.value).map_err(|error| (*error).clone())
    }

    /// WeCom does not accept this one: it goes, unless somebody has replaced it already.
    pub(super) async fn rejected(&self, api: &Api, token: &SecretString) {
        let key = key(api);
        let current = self.0.get(&key).await;
        if current.is_some_and(|it| it.value.expose_secret() == token.expose_secret()) {
            self.0.invalidate(&key).await;
        }
    }
}

async fn fetch(api: &Api) -> Result<Token, ApiError> {
    let credentials = api.credentials();
    let query = [("corpid", credentials.corpid.as_str()), ("corpsecret", credentials.secret.expose_secret())];
    let answer: Answer = api.get_bare(PATH, &query).await?;
    Ok(Token { value: answer.access_token.into(), life: Duration::from_secs(answer.expires_in) })
}

/// A corp and a secret, told apart without keeping either.
fn key(api: &Api) -> [u8; 32] {
    let credentials = api.credentials();
    let mut hash = Sha256::new();
    hash.update(credentials.corpid.as_str());
    hash.update([0]);
    hash.update(credentials.secret.expose_secret());
    hash.finalize().into()
}
