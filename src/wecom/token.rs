//! Access tokens: one per app secret, shared by all processes, fetched by one of them, and replaced early.
//!
//! A token is looked up in this process's memory, then in its row of `wecom_token`, and only then requested from
//! WeCom by the holder of the row's lock. The next one is fetched in the background before the current one expires,
//! so that nobody waits for it. A secret that WeCom refuses is not tried again for a growing time, by any process.
//! What a token is used for is not known here.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sqlx::{Acquire, PgPool};
use tokio::sync::Semaphore;

use super::{Api, ApiError, Class, Unreached, paths::GET_TOKEN};
use crate::tables::apps::wecom_token::{self, Row};

/// Stands for the endpoint where the trouble is on our own side.
const TABLE: &str = "wecom_token";

/// How long before its expiry a token is no longer used.
const MARGIN: Duration = Duration::from_secs(300);

/// How long before its expiry the next token is fetched in the background.
const AHEAD: Duration = Duration::from_secs(600);

/// Time between two attempts to get the next token while the current one is valid: WeCom may return the same one
/// again.
const PAUSE: Duration = Duration::from_secs(60);

/// How many tokens are cached.
const TOKENS_MAX: u64 = 10_000;

/// How long requesting a token may take. Its row is locked meanwhile, so this is shorter than the waiting callers'
/// time-out.
const MAKING_LIMIT: Duration = Duration::from_secs(10);

/// One of this many connections may wait for tokens, half of those for secrets whose last request failed.
const POOL_SHARE: u32 = 4;

/// Answers of `gettoken` for a wrong secret or too many requests: WeCom bans an address that goes on.
const WRONG_SECRET: &[i64] = &[40001, 40013, 40091, 41002, 41004, 45009, 45031, 50003, 301_007];

/// How long such a secret is not tried after the first refusal; each further one doubles it.
const WRONG_FIRST: Duration = Duration::from_secs(60);

/// The longest such pause: the platform's own ban lasts an hour.
const WRONG_LONGEST: Duration = Duration::from_secs(3_600);

/// The first pause after other refusals, such as an address that is not on the allow list yet.
const REFUSED_FIRST: Duration = Duration::from_secs(5);

/// The longest such pause: a new entry of the allow list takes effect after a minute.
const REFUSED_LONGEST: Duration = Duration::from_secs(60);

type Key = [u8; 32];

/// Locked while a secret's token is looked up in this process; holds the latest failure.
type KeyQueue = tokio::sync::Mutex<Option<(Instant, ApiError)>>;

/// The tokens.
pub(super) struct Tokens {
    cache: Cache<Key, Token>,
    queues: Cache<Key, Arc<KeyQueue>>,
    places: Semaphore,
    /// Separate places for secrets whose last token request failed, so that they do not delay the others.
    slow_places: Semaphore,
}

/// A token.
#[derive(Clone)]
pub(super) struct Token {
    value: SecretString,
    generation: i64,
    usable: Duration,
    look_ahead_at: Arc<Mutex<Instant>>,
}

/// The validity that a caller needs.
#[derive(Clone, Copy, PartialEq)]
enum TokenQuality {
    /// It can be used.
    Usable,
    /// It is not about to expire.
    Fresh,
}

struct ByUse;

impl Expiry<Key, Token> for ByUse {
    fn expire_after_create(&self, _: &Key, token: &Token, _: Instant) -> Option<Duration> {
        Some(token.usable)
    }

    fn expire_after_update(&self, key: &Key, token: &Token, at: Instant, _: Option<Duration>) -> Option<Duration> {
        self.expire_after_create(key, token, at)
    }
}

/// `gettoken`'s answer. <https://developer.work.weixin.qq.com/document/path/91039>
#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct TokenAnswer {
    access_token: String,
    expires_in: u32,
}

impl Token {
    /// The query parameter.
    pub(super) fn parameter(&self) -> (&'static str, &str) {
        ("access_token", self.value.expose_secret())
    }

    /// Whether the next token should be fetched now; true for one caller only, and then not again before a pause.
    fn is_turn_to_look_ahead(&self) -> bool {
        let mut at = self.look_ahead_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = now >= *at;
        if due {
            *at = now + PAUSE;
        }
        due
    }
}

impl Tokens {
    pub(super) fn new(pool: &PgPool) -> Self {
        let places = usize::try_from(pool.options().get_max_connections() / POOL_SHARE).unwrap_or(1);
        Self {
            cache: Cache::builder().max_capacity(TOKENS_MAX).expire_after(ByUse).build(),
            queues: Cache::builder().max_capacity(TOKENS_MAX).build(),
            places: Semaphore::new(places.div_ceil(2).max(1)),
            slow_places: Semaphore::new((places / 2).max(1)),
        }
    }

    /// The current token. Of concurrent callers one looks it up; if that fails, all who waited for it fail with it.
    pub(super) async fn current(&self, api: &Api) -> Result<Token, ApiError> {
        let key = key(api);
        let token = match self.cache.get(&key).await {
            Some(token) => token,
            None => self.look(api, key).await?,
        };
        if token.is_turn_to_look_ahead() {
            let api = api.clone();
            tokio::spawn(async move { api.tokens().look_ahead(&api).await });
        }
        Ok(token)
    }

    /// WeCom rejected this token: it is dropped here and marked in its row, unless it was replaced already.
    pub(super) async fn rejected(&self, api: &Api, token: &Token) {
        let key = key(api);
        let queue = self.queue(key).await;
        let _held = queue.lock().await;
        if self.cache.get(&key).await.is_none_or(|it| it.generation != token.generation) {
            return;
        }
        self.cache.invalidate(&key).await;
        let marked = async {
            let mut conn = api.pool().acquire().await?;
            wecom_token::reject(&mut conn, row_key(api, &key), token.generation).await
        };
        if let Err(error) = marked.await {
            tracing::warn!(corpid = %api.corpid(), error = %error, "a rejected token could not be marked for other processes");
        }
    }

    async fn look(&self, api: &Api, key: Key) -> Result<Token, ApiError> {
        let asked_at = Instant::now();
        let queue = self.queue(key).await;
        let mut failed = queue.lock().await;
        if let Some(token) = self.cache.get(&key).await {
            return Ok(token);
        }
        if let Some((at, error)) = &*failed
            && *at >= asked_at
        {
            return Err(error.clone());
        }
        let places = if failed.is_some() { &self.slow_places } else { &self.places };
        match self.load(api, key, TokenQuality::Usable, places).await {
            Ok(token) => {
                *failed = None;
                self.cache.insert(key, token.clone()).await;
                Ok(token)
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn look_ahead(&self, api: &Api) {
        let key = key(api);
        let queue = self.queue(key).await;
        let _held = queue.lock().await;
        match self.load(api, key, TokenQuality::Fresh, &self.slow_places).await {
            // The holder of the lock has read the row last, so this is never older than the cached token.
            Ok(token) => self.cache.insert(key, token).await,
            Err(error) => {
                tracing::warn!(corpid = %api.corpid(), error = %error, "the next access token could not be fetched yet")
            }
        }
    }

    async fn queue(&self, key: Key) -> Arc<KeyQueue> {
        self.queues.get_with(key, async { Arc::default() }).await
    }

    /// The token from its row, or a new one from WeCom, requested while the row is locked.
    async fn load(&self, api: &Api, key: Key, quality: TokenQuality, places: &Semaphore) -> Result<Token, ApiError> {
        let _place = places.acquire().await.map_err(|_| unavailable(&"the program is stopping"))?;
        let mut conn = api.pool().acquire().await.map_err(|error| unavailable(&error))?;
        let row_key = row_key(api, &key);
        let row = wecom_token::find(&mut conn, row_key).await.map_err(|error| unavailable(&error))?;
        if let Some(settled) = row.and_then(|row| settle(api, &key, &row, quality)) {
            return settled;
        }
        let mut transaction = conn.begin().await.map_err(|error| unavailable(&error))?;
        let row = wecom_token::lock(&mut transaction, row_key).await.map_err(|error| unavailable(&error))?;
        if let Some(settled) = settle(api, &key, &row, quality) {
            return settled;
        }
        let outcome = make(api).await;
        let written = match &outcome {
            Ok(answer) => renew(&mut transaction, api, &key, &row, answer).await.map(Some)?,
            Err(error) => match pause(error, row.refusals) {
                Some(pause) => {
                    let words = error.errmsg();
                    wecom_token::refuse(&mut transaction, row_key, error.errcode, &words, pause.as_secs_f64())
                        .await
                        .map_err(|error| unavailable(&error))?;
                    None
                }
                None => None,
            },
        };
        transaction.commit().await.map_err(|error| unavailable(&error))?;
        outcome?;
        written.ok_or_else(|| unavailable(&"the row was written by somebody else"))
    }
}

/// Answers from the row alone, if it holds a token that is valid long enough, or forbids asking WeCom.
fn settle(api: &Api, key: &Key, row: &Row, quality: TokenQuality) -> Option<Result<Token, ApiError>> {
    let enough = match quality {
        TokenQuality::Usable => !row.rejected && usable(row.left_s, row.age_s) > Duration::ZERO,
        TokenQuality::Fresh => !row.rejected && remaining(row.left_s, row.age_s, AHEAD) > Duration::ZERO,
    };
    if enough && let Some(value) = open(api, key, row) {
        return Some(Ok(token(value, row.generation, row.left_s, row.age_s)));
    }
    (row.blocked_s > 0.0).then(|| Err(blocked(row)))
}

/// The row's decrypted token; none if it is missing or empty, or sealed with a master key that we do not have.
fn open(api: &Api, key: &Key, row: &Row) -> Option<SecretString> {
    let token = api.vault().open(&sealed_at(api, key), row.token.as_deref()?).ok();
    token.filter(|it| !it.expose_secret().trim().is_empty())
}

async fn renew(
    conn: &mut sqlx::PgConnection,
    api: &Api,
    key: &Key,
    row: &Row,
    answer: &TokenAnswer,
) -> Result<Token, ApiError> {
    let value = &SecretString::from(answer.access_token.as_str());
    let same = open(api, key, row).is_some_and(|it| it.expose_secret() == value.expose_secret());
    let sealed = api.vault().seal(&sealed_at(api, key), value).map_err(|error| unavailable(&error))?;
    let life_s = f64::from(answer.expires_in);
    let renewed = wecom_token::renew(conn, row_key(api, key), row.generation, &sealed, same, life_s).await;
    let renewed = renewed.map_err(|error| unavailable(&error))?;
    let renewed = renewed.ok_or_else(|| unavailable(&"a newer token was written meanwhile"))?;
    Ok(token(value.clone(), renewed.generation, renewed.left_s, 0.0))
}

fn token(value: SecretString, generation: i64, left_s: f64, age_s: f64) -> Token {
    let look_ahead_at = Instant::now() + remaining(left_s, age_s, AHEAD);
    Token { value, generation, usable: usable(left_s, age_s), look_ahead_at: Arc::new(Mutex::new(look_ahead_at)) }
}

fn usable(left_s: f64, age_s: f64) -> Duration {
    remaining(left_s, age_s, MARGIN)
}

/// How long until a token's last `margin` begins, but at least until the pause after its request has passed: a token
/// that was just issued is not requested again, however short its validity is.
fn remaining(left_s: f64, age_s: f64, margin: Duration) -> Duration {
    let seconds = (left_s - margin.as_secs_f64()).max(PAUSE.as_secs_f64() - age_s);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

async fn make(api: &Api) -> Result<TokenAnswer, ApiError> {
    let credentials = api.credentials();
    let query = [("corpid", credentials.corpid.as_str()), ("corpsecret", credentials.secret.expose_secret())];
    let outcome = tokio::time::timeout(MAKING_LIMIT, api.get_bare::<TokenAnswer>(GET_TOKEN, &query)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(late()));
    let outcome = outcome.and_then(|answer| match answer.access_token.trim().is_empty() {
        true => Err(ApiError::answered(GET_TOKEN, 0, "the answer holds no access_token")),
        false => Ok(answer),
    });
    // A token that was or was not issued has no effect; the call that needed it was certainly not made.
    outcome.map_err(|error| match error.class {
        Class::Unknown => ApiError { class: Class::Transient, ..error },
        _ => error,
    })
}

fn late() -> ApiError {
    let error = ApiError::unanswered(GET_TOKEN, Class::Transient, "no answer in time");
    ApiError { unreached: Some(Unreached::Timeout), ..error }
}

/// How long nobody retries after this refusal; none without a pause.
fn pause(error: &ApiError, refusals: i32) -> Option<Duration> {
    let (first, longest) = match error.errcode? {
        code if WRONG_SECRET.contains(&code) => (WRONG_FIRST, WRONG_LONGEST),
        // 0: WeCom reports success without a token.
        code if code == 0 || error.class == Class::Refused => (REFUSED_FIRST, REFUSED_LONGEST),
        _ => return None,
    };
    let doubled = 2_u32.saturating_pow(u32::try_from(refusals).unwrap_or_default());
    Some(first.saturating_mul(doubled).min(longest))
}

/// WeCom's last refusal, and for how long it is not asked again.
fn blocked(row: &Row) -> ApiError {
    let said = row.refused_words.as_deref().unwrap_or_default();
    let error = ApiError::answered(GET_TOKEN, row.refused_code.unwrap_or_default(), said);
    let left = Duration::try_from_secs_f64(row.blocked_s).unwrap_or_default();
    let message =
        format!("{} (not asked again for {} s, or until the secret is changed)", error.message, left.as_secs());
    ApiError { message: message.into(), retry_after: Some(left), ..error }
}

fn unavailable(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::unanswered(TABLE, Class::Transient, format!("the shared access token cannot be had: {error}"))
}

fn row_key<'a>(api: &'a Api, key: &'a Key) -> wecom_token::Key<'a> {
    wecom_token::Key { corpid: api.corpid(), secret_hash: key }
}

fn sealed_at(api: &Api, key: &Key) -> String {
    format!("wecom_token/{}/{}", api.corpid(), hex::encode(key))
}

/// The hash that identifies a corp and secret without storing either.
fn key(api: &Api) -> Key {
    let credentials = api.credentials();
    let mut hash = Sha256::new();
    hash.update(credentials.corpid.as_str());
    hash.update([0]);
    hash.update(credentials.secret.expose_secret());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errcode: i64) -> ApiError {
        ApiError::answered(GET_TOKEN, errcode, "no")
    }

    #[test]
    fn a_wrong_secret_is_retried_after_growing_pauses_up_to_an_hour() {
        let pauses = (0..9).map(|refusals| pause(&refused(40001), refusals).expect("a pause").as_secs());
        assert_eq!(pauses.collect::<Vec<_>>(), [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(pause(&refused(40013), i32::MAX), Some(WRONG_LONGEST));
    }

    #[test]
    fn an_unlisted_address_is_retried_within_a_minute_and_a_busy_wecom_at_once() {
        assert_eq!(pause(&refused(60020), 0), Some(REFUSED_FIRST));
        assert_eq!(pause(&refused(60020), 20), Some(REFUSED_LONGEST));
        assert_eq!(pause(&refused(-1), 0), None);
        assert_eq!(pause(&refused(0), 0), Some(REFUSED_FIRST), "the answer was successful but had no token");
        assert_eq!(pause(&ApiError::unanswered(GET_TOKEN, Class::Transient, "gone"), 0), None);
    }

    #[test]
    fn a_token_is_replaced_before_it_expires_but_never_right_after_it_was_fetched() {
        assert_eq!(usable(7_200.0, 0.0).as_secs(), 6_900);
        assert_eq!(usable(200.0, 6_000.0), Duration::ZERO);
        assert_eq!(usable(100.0, 20.0).as_secs(), 40, "WeCom was asked 20 s ago, and gave this one");
        assert_eq!(remaining(500.0, 6_700.0, AHEAD), Duration::ZERO);
    }
}
