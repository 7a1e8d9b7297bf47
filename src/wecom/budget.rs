//! Rate limits: how often a corp may call an endpoint, below the limits at which WeCom would refuse.
//!
//! A call waits for its permit within limits; a caller that would wait too long gets an error with a time to retry.
//! If WeCom still refuses (45009, 45033), the endpoint is paused for that corp alone and its budget is halved for a
//! while. Greetings and access tokens have budgets of their own, so nothing else delays them. Only this process's
//! calls are counted; the distance to the platform's limits leaves room for other processes.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::DefaultClock,
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    ApiError, Class,
    paths::{
        GET_TOKEN, GROUPS_IN_SERVICE, GROUPS_RESIGNED, KF_ON_EVENT, SEND_WELCOME, TRANSFER_IN_SERVICE,
        TRANSFER_RESIGNED,
    },
};
use crate::ids::CorpId;

/// How long a call waits for its permit, at most. After that its caller is better served by an error.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The retry time in that error.
const COME_BACK: Duration = Duration::from_secs(2);

/// How long an endpoint is paused after it rejected even a new token.
const MISTRUSTED_FOR: Duration = Duration::from_secs(5);

/// How long an endpoint's budget is halved after WeCom said that we call too often, or too many calls at once.
const HALVED_FOR: Duration = Duration::from_secs(600);

/// How many calls of one endpoint for customers run at once: WeCom does not say how many it takes (45033).
const CUSTOMER_CONCURRENCY: usize = 4;

/// The paths of these endpoints.
const CUSTOMER_PATHS: &str = "externalcontact/";

/// Endpoints of which one call runs at once: WeCom takes no two that hand over to the same member (45035).
const ONE_BY_ONE: [&str; 4] = [TRANSFER_IN_SERVICE, TRANSFER_RESIGNED, GROUPS_IN_SERVICE, GROUPS_RESIGNED];

/// How many greetings are sent per second: just below the platform's 10,000 a minute.
const WELCOMES_PER_SECOND: u32 = 150;

/// How many tokens are requested per second, over all secrets of a corp; even this many would mean a fault.
const TOKENS_PER_SECOND: u32 = 5;

/// A corp's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls per second, in all.
    pub corp_per_second: NonZeroU32,
    /// Calls per second, of one endpoint.
    pub path_per_second: NonZeroU32,
    /// Concurrent calls.
    pub concurrency: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        const fn of(number: u32) -> NonZeroU32 {
            NonZeroU32::new(number).expect("it is written here")
        }
        Self { corp_per_second: of(50), path_per_second: of(10), concurrency: of(20) }
    }
}

/// The budgets of every corp.
pub(super) struct Budget {
    limits: Limits,
    corps: Mutex<HashMap<CorpId, Arc<Corp>>>,
    paths: Mutex<HashMap<(CorpId, &'static str), Arc<Path>>>,
}

struct Corp {
    rate: Limiter,
    permits: Arc<Semaphore>,
}

struct Path {
    /// Whether the corp's budget applies as well.
    shared: bool,
    full: Limiter,
    half: Limiter,
    permits: Arc<Semaphore>,
    /// How many permits a call takes while the budget is halved.
    halved_permits: u32,
    trouble: Mutex<Trouble>,
}

#[derive(Default, Clone, Copy)]
struct Trouble {
    paused_until: Option<Instant>,
    halved_until: Option<Instant>,
}

/// The permit of one call, valid until it is dropped.
pub(super) struct CallPermit {
    corpid: CorpId,
    name: &'static str,
    path: Arc<Path>,
    began: Instant,
    _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, corps: Mutex::default(), paths: Mutex::default() }
    }

    /// Waits until the budget allows a call.
    pub(super) async fn acquire(&self, corpid: &CorpId, name: &'static str) -> Result<CallPermit, ApiError> {
        let path = self.path(corpid, name);
        let corp = path.shared.then(|| self.corp(corpid));
        let entered = tokio::time::timeout(WAIT_MAX, path.enter(name, corp.as_deref())).await;
        let permits = entered.unwrap_or_else(|_| Err(later(name, "its budget is used up", COME_BACK)))?;
        Ok(CallPermit { corpid: corpid.clone(), name, path, began: Instant::now(), _permits: permits })
    }

    /// Pauses the endpoint after it rejected even a new token: requesting yet another one would not help.
    pub(super) fn mistrust(&self, corpid: &CorpId, name: &'static str) {
        self.path(corpid, name).pause(MISTRUSTED_FOR, false);
    }

    fn path(&self, corpid: &CorpId, name: &'static str) -> Arc<Path> {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.entry((corpid.clone(), name)).or_insert_with(|| Arc::new(Path::new(name, self.limits))).clone()
    }

    fn corp(&self, corpid: &CorpId) -> Arc<Corp> {
        let mut corps = self.corps.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let permits = usize::try_from(self.limits.concurrency.get()).unwrap_or(usize::MAX);
            let rate = limiter(Quota::per_second(self.limits.corp_per_second));
            Arc::new(Corp { rate, permits: Arc::new(Semaphore::new(permits)) })
        };
        corps.entry(corpid.clone()).or_insert_with(new).clone()
    }
}

impl Path {
    fn new(name: &'static str, limits: Limits) -> Self {
        let own = match name {
            SEND_WELCOME | KF_ON_EVENT => NonZeroU32::new(WELCOMES_PER_SECOND),
            GET_TOKEN => NonZeroU32::new(TOKENS_PER_SECOND),
            _ => None,
        };
        let rate = own.unwrap_or(limits.path_per_second);
        let all = usize::try_from(limits.concurrency.get()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let permits = match own {
            Some(rate) => usize::try_from(rate.get()).unwrap_or(all),
            None if ONE_BY_ONE.contains(&name) => 1,
            None if name.starts_with(CUSTOMER_PATHS) => all.min(CUSTOMER_CONCURRENCY),
            None => all,
        };
        let second = Duration::from_secs(1);
        let half = Quota::with_period(second.saturating_mul(2) / rate.get()).unwrap_or(Quota::per_second(rate));
        Self {
            shared: own.is_none(),
            full: limiter(Quota::per_second(rate)),
            half: limiter(half),
            permits: Arc::new(Semaphore::new(permits)),
            halved_permits: if permits > 1 { 2 } else { 1 },
            trouble: Mutex::default(),
        }
    }

    /// Takes the endpoint's own permit first, then the corp's shared one, so that a slow endpoint delays no other.
    async fn enter(
        &self,
        name: &'static str,
        corp: Option<&Corp>,
    ) -> Result<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>), ApiError> {
        let halved = self.standing(name)?;
        let own = self.permits.clone().acquire_many_owned(if halved { self.halved_permits } else { 1 }).await;
        let own = own.map_err(|_| later(name, "the program is stopping", COME_BACK))?;
        let left = if halved { ready(&self.half).await } else { ready(&self.full).await };
        metrics::gauge!("wecomd_wecom_budget_left", "path" => name).set(left);
        let mut shared = None;
        if let Some(corp) = corp {
            let permit = corp.permits.clone().acquire_owned().await;
            shared = Some(permit.map_err(|_| later(name, "the program is stopping", COME_BACK))?);
            ready(&corp.rate).await;
        }
        // WeCom may have refused another call while this one waited.
        self.standing(name)?;
        Ok((own, shared))
    }

    /// Whether the budget is halved at the moment; an error while the endpoint is paused.
    fn standing(&self, name: &'static str) -> Result<bool, ApiError> {
        let trouble = *self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match trouble.paused_until {
            Some(until) if until > now => Err(later(name, "WeCom asked for a pause", until - now)),
            _ => Ok(trouble.halved_until.is_some_and(|until| until > now)),
        }
    }

    fn pause(&self, pause: Duration, halve: bool) {
        let now = Instant::now();
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.paused_until = trouble.paused_until.max(Some(now + pause));
        if halve {
            trouble.halved_until = Some(now + HALVED_FOR);
        }
    }
}

impl CallPermit {
    /// Records the call's duration and result, and pauses the endpoint if WeCom asks for it.
    pub(super) fn ended<A>(self, outcome: Result<A, ApiError>) -> Result<A, ApiError> {
        let path = self.name;
        metrics::histogram!("wecomd_wecom_call_seconds", "path" => path).record(self.began.elapsed());
        let errcode = match &outcome {
            Ok(_) => "0".to_owned(),
            Err(error) => error.errcode.map_or_else(|| "none".to_owned(), |it| it.to_string()),
        };
        if let Err(error) = &outcome
            && let Some(pause) = error.retry_after
        {
            self.path.pause(pause, true);
            tracing::warn!(corpid = %self.corpid, path, errcode, pause_s = pause.as_secs(), "WeCom limits us: this API rests");
            metrics::counter!("wecomd_wecom_pauses_total", "path" => path, "errcode" => errcode.clone()).increment(1);
        }
        metrics::counter!("wecomd_wecom_calls_total", "path" => path, "errcode" => errcode).increment(1);
        outcome
    }
}

fn limiter(quota: Quota) -> Limiter {
    RateLimiter::direct(quota).with_middleware::<StateInformationMiddleware>()
}

/// Waits for the next call; returns how many more could follow at once.
async fn ready(limiter: &Limiter) -> f64 {
    f64::from(limiter.until_ready().await.remaining_burst_capacity())
}

fn later(name: &'static str, why: &str, pause: Duration) -> ApiError {
    let message = format!("not called: {why}, for {} s more", pause.as_secs().max(1));
    ApiError { retry_after: Some(pause), ..ApiError::unanswered(name, Class::Transient, message) }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use super::*;

    const CUSTOMERS: &str = "externalcontact/get";

    fn budget(corp: u32, path: u32, concurrency: u32) -> Budget {
        let of = |number| NonZeroU32::new(number).expect("not zero");
        let limits = Limits { corp_per_second: of(corp), path_per_second: of(path), concurrency: of(concurrency) };
        Budget::new(limits)
    }

    /// The permit, if it is available without waiting.
    async fn at_once(budget: &Budget, corp: &str, path: &'static str) -> Option<Result<CallPermit, ApiError>> {
        let corpid = CorpId::from(corp);
        let mut permit = pin!(budget.acquire(&corpid, path));
        poll_fn(|context| match permit.as_mut().poll(context) {
            Poll::Ready(permit) => Poll::Ready(Some(permit)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn complaint(path: &'static str, errcode: i64) -> Result<(), ApiError> {
        Err(ApiError::answered(path, errcode, "too often"))
    }

    #[tokio::test]
    async fn a_customer_endpoint_runs_at_most_four_calls_at_once() {
        let budget = budget(50, 10, 20);
        let mut running = Vec::new();
        for _ in 0..CUSTOMER_CONCURRENCY {
            running.push(at_once(&budget, "ww1", CUSTOMERS).await.expect("at once").expect("a permit"));
        }
        assert!(at_once(&budget, "ww1", CUSTOMERS).await.is_none(), "the fifth waits");
        assert!(at_once(&budget, "ww1", "user/get").await.is_some(), "another endpoint does not");
        running.pop();
        assert!(at_once(&budget, "ww1", CUSTOMERS).await.is_some());
    }

    #[tokio::test]
    async fn transfer_calls_run_one_at_a_time() {
        let budget = budget(50, 10, 20);
        let running = at_once(&budget, "ww1", TRANSFER_RESIGNED).await.expect("at once").expect("a permit");
        assert!(at_once(&budget, "ww1", TRANSFER_RESIGNED).await.is_none(), "the second waits");
        drop(running);
        assert!(at_once(&budget, "ww1", TRANSFER_RESIGNED).await.is_some());
    }

    #[tokio::test]
    async fn a_rate_error_pauses_one_endpoint_of_one_corp_and_then_halves_its_rate() {
        let budget = budget(50, 10, 20);
        let permit = at_once(&budget, "ww1", CUSTOMERS).await.expect("at once").expect("a permit");
        assert!(permit.ended(complaint(CUSTOMERS, 45033)).is_err());
        let error = at_once(&budget, "ww1", CUSTOMERS).await.expect("at once").err().expect("it rests");
        assert_eq!(error.class, Class::Transient);
        assert!(error.retry_after.is_some_and(|it| it <= Duration::from_secs(5)), "{error:?}");
        assert!(at_once(&budget, "ww1", "user/get").await.expect("at once").is_ok());
        assert!(at_once(&budget, "ww2", CUSTOMERS).await.expect("at once").is_ok());

        let path = budget.path(&CorpId::from("ww1"), CUSTOMERS);
        path.trouble.lock().expect("whole").paused_until = None;
        let _held = at_once(&budget, "ww1", CUSTOMERS).await.expect("at once").expect("a permit");
        assert_eq!(path.permits.available_permits(), CUSTOMER_CONCURRENCY - 2, "each call counts twice");
        assert!(at_once(&budget, "ww1", CUSTOMERS).await.is_none(), "and the next calls run at half the rate");
    }

    #[tokio::test]
    async fn greetings_are_never_delayed_by_a_budget() {
        let budget = budget(1, 1, 1);
        let _held = at_once(&budget, "ww1", "user/get").await.expect("at once").expect("a permit");
        assert!(at_once(&budget, "ww1", "user/list").await.is_none(), "the corp's budget is used up");
        // Few iterations only: tokio makes a test that never waits yield.
        for _ in 0..10 {
            assert!(at_once(&budget, "ww1", SEND_WELCOME).await.expect("at once").is_ok());
        }
    }
}
