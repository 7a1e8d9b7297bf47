//! Rate limits, kept in memory: unauthenticated callers are refused before they cost a body or a line in the access
//! log, and they use up nothing that authenticated callers need.
//!
//! Authenticated callers have a limit each. Requests without a valid token, and failing ones, are counted in shares
//! of their own, by address and in total. Each count lasts a minute and is bounded, as is the number of counted
//! addresses. Refusals of unauthenticated callers are summed up by the minute. The database is not known here; each
//! process counts for itself.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

/// How long a count lasts.
pub const WINDOW: Duration = Duration::from_secs(WINDOW_S as u64);
const WINDOW_S: u32 = 60;

/// How many requests one token or session may make in that time.
pub const REQUESTS_PER_TOKEN: u32 = 100 * WINDOW_S;

/// How many invalid tokens an address may try in that time before it is told to wait. Each is still looked up,
/// because the next one may be valid.
pub const GUESSES_PER_ADDRESS: usize = 20;

/// How often a browser may return with one login's state in that time: people reload pages.
pub const VISITS_PER_STATE: u32 = 10;

/// How many addresses, or tokens, are counted separately.
const COUNTED_MAX: usize = 8_192;

/// How often expired counts are removed when there is no room: doing it with each request would cost too much.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// How many kinds of refusals are counted separately in a minute; the rest are summed up.
const REFUSALS_MAX: usize = 512;

/// How long a valid token is remembered. It is looked up each time anyway.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);

/// Placeholder for the addresses beyond [`REFUSALS_MAX`], and for those whose guesses are counted together.
const ELSEWHERE: &str = "elsewhere";

/// A token's hash, or a session's.
type TokenHash = [u8; 32];

/// The shares of unauthenticated callers: separate from each other, and from every authenticated caller's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Share {
    /// Requests that fail because of the caller: answered from memory, or after one shared look-up.
    Failures,
    /// Logins that begin, on a route without a token: each costs a database query.
    Logins,
    /// Logins that return with a state of ours: each costs a call to WeCom.
    Codes,
    /// The API's description, which is a large answer.
    Documents,
}

impl Share {
    /// Every share.
    pub const ALL: [Self; 4] = [Self::Failures, Self::Logins, Self::Codes, Self::Documents];

    /// How many requests of this kind an address may make in a minute.
    pub fn per_address(self) -> u32 {
        match self {
            Self::Failures => 200 * WINDOW_S,
            Self::Logins | Self::Documents => 600,
            Self::Codes => 60,
        }
    }

    /// How many requests of this kind all addresses together may make in a minute.
    pub fn in_total(self) -> u32 {
        match self {
            Self::Failures => 5 * self.per_address(),
            Self::Logins | Self::Documents => 10 * self.per_address(),
            // Half of the calls to one WeCom endpoint per minute that `wecom.path_per_second` allows by default.
            Self::Codes => 5 * self.per_address(),
        }
    }
}

/// The counts and the refusals.
#[derive(Debug, Default)]
pub struct Guard(Mutex<Counts>);

/// What is remembered of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It was valid lately.
    Counted,
    /// It was looked up a moment ago for the same address and is invalid.
    Refused,
    /// Nothing: it must be looked up.
    Nothing,
}

/// A kind of refusal of unauthenticated callers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// The method.
    pub method: String,
    /// The route's pattern; `-` if there is none.
    pub route: &'static str,
    /// The status.
    pub status: u16,
    /// The client's address.
    pub address: String,
}

/// How often, and the first such request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub times: u32,
    /// The first request's id.
    pub request_id: Uuid,
}

#[derive(Debug, Default)]
struct Counts {
    strangers: HashMap<Share, Few<String, Window>>,
    totals: HashMap<Share, Window>,
    tokens: Few<TokenHash, Window>,
    states: Few<[u8; 16], Window>,
    guesses: Few<String, Guesses>,
    known: Few<TokenHash, Instant>,
    refused: HashMap<Refused, Tally>,
}

/// The invalid tokens that an address tried.
#[derive(Debug)]
struct Guesses {
    since: Instant,
    tried: HashSet<TokenHash>,
}

impl Guard {
    /// Counts an unauthenticated request in a share; `Err` says how long the address must wait if there were too
    /// many.
    pub fn admit(&self, share: Share, address: &str, now: Instant) -> Result<(), Duration> {
        let counts = &mut *self.counts();
        counts.strangers.entry(share).or_default().count(network(address), share.per_address(), now)?;
        // After the address's own count: refused requests do not use up the total, which others share.
        counts.totals.entry(share).or_insert(Window::new(now)).count(share.in_total(), now)
    }

    /// Counts a request with a valid token in the same way.
    pub fn admit_token(&self, token: &TokenHash, now: Instant) -> Result<(), Duration> {
        self.counts().tokens.count(*token, REQUESTS_PER_TOKEN, now)
    }

    /// Counts a return with a login's state that was made here in the same way.
    pub fn admit_state(&self, nonce: &[u8; 16], now: Instant) -> Result<(), Duration> {
        self.counts().states.count(*nonce, VISITS_PER_STATE, now)
    }

    /// What is remembered of a credential. A lately valid one passes however many others its address tries.
    pub fn recall(&self, address: &str, token: &TokenHash, now: Instant) -> Memory {
        let counts = self.counts();
        if counts.is_known(token, now) {
            return Memory::Counted;
        }
        let key = network(address);
        let guesses = &counts.guesses.each;
        let guesses = guesses.get(&key).or_else(|| guesses.get(ELSEWHERE));
        match guesses.filter(|it| now.duration_since(it.since) < WINDOW) {
            Some(it) if it.tried.contains(token) => Memory::Refused,
            _ => Memory::Nothing,
        }
    }

    /// Records that the token was looked up and is valid.
    pub fn known(&self, token: &TokenHash, now: Instant) {
        let mut counts = self.counts();
        let known = &mut counts.known;
        if known.has_room(token, now, |since| now.duration_since(*since) < KNOWN_FOR) {
            known.each.insert(*token, now);
        }
    }

    /// Records that the token was looked up and is invalid or has ended. `Err` says how long the address must wait if
    /// it tried too many.
    pub fn unknown(&self, address: &str, token: &TokenHash, now: Instant) -> Result<(), Duration> {
        let mut counts = self.counts();
        counts.known.each.remove(token);
        let guesses = &mut counts.guesses;
        let mut key = network(address);
        if !guesses.has_room(&key, now, |it| now.duration_since(it.since) < WINDOW) {
            ELSEWHERE.clone_into(&mut key);
        }
        let guesses = guesses.each.entry(key).or_insert_with(|| Guesses { since: now, tried: HashSet::new() });
        let age = now.duration_since(guesses.since);
        if age >= WINDOW {
            *guesses = Guesses { since: now, tried: HashSet::new() };
        }
        if guesses.tried.len() >= GUESSES_PER_ADDRESS && !guesses.tried.contains(token) {
            return Err(WINDOW.saturating_sub(age));
        }
        guesses.tried.insert(*token);
        Ok(())
    }

    /// Records a refusal of an unauthenticated caller.
    pub fn refuse(&self, refused: Refused, request_id: Uuid) {
        metrics::counter!("wecomd_admin_refused_total", "status" => refused.status.to_string()).increment(1);
        self.add(refused, Tally { times: 1, request_id });
    }

    /// The refusals since the last call.
    pub fn take_refused(&self) -> Vec<(Refused, Tally)> {
        std::mem::take(&mut self.counts().refused).into_iter().collect()
    }

    /// Takes refusals back that could not be written to the log.
    pub fn add(&self, mut refused: Refused, tally: Tally) {
        let sums = &mut self.counts().refused;
        if sums.len() >= REFUSALS_MAX && !sums.contains_key(&refused) {
            // Routes and statuses are few; only the number of addresses is unbounded.
            ELSEWHERE.clone_into(&mut refused.address);
            "-".clone_into(&mut refused.method);
        }
        let sum = sums.entry(refused).or_insert(Tally { times: 0, ..tally });
        sum.times = sum.times.saturating_add(tally.times);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn is_known(&self, token: &TokenHash, now: Instant) -> bool {
        self.known.each.get(token).is_some_and(|since| now.duration_since(*since) < KNOWN_FOR)
    }
}

/// A number of requests, and since when they are counted.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    count: u32,
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, count: 0 }
    }

    fn count(&mut self, max: u32, now: Instant) -> Result<(), Duration> {
        let age = now.duration_since(self.since);
        if age >= WINDOW {
            *self = Self::new(now);
        }
        if self.count >= max {
            return Err(WINDOW.saturating_sub(age));
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

/// A value for each of a bounded number of keys.
#[derive(Debug)]
struct Few<K, V> {
    each: HashMap<K, V>,
    swept: Option<Instant>,
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self { each: HashMap::new(), swept: None }
    }
}

impl<K: Eq + Hash, V> Few<K, V> {
    /// Whether there is room for this key, after removing expired ones.
    fn has_room(&mut self, key: &K, now: Instant, lives: impl Fn(&V) -> bool) -> bool {
        let full = |each: &HashMap<K, V>| each.len() >= COUNTED_MAX && !each.contains_key(key);
        if full(&self.each) && self.swept.is_none_or(|at| now.duration_since(at) >= SWEPT_EVERY) {
            self.swept = Some(now);
            self.each.retain(|_, it| lives(it));
        }
        !full(&self.each)
    }
}

impl<K: Eq + Hash> Few<K, Window> {
    /// Counts for one key. A key without room is not counted; the shares' totals apply to it as well.
    fn count(&mut self, key: K, max: u32, now: Instant) -> Result<(), Duration> {
        if !self.has_room(&key, now, |it| now.duration_since(it.since) < WINDOW) {
            return Ok(());
        }
        self.each.entry(key).or_insert(Window::new(now)).count(max, now)
    }
}

/// The counted address: of an IPv6 address its network, since a caller with one address there has all of them.
fn network(address: &str) -> String {
    match address.parse().map(|it: IpAddr| it.to_canonical()) {
        Ok(IpAddr::V6(it)) => Ipv6Addr::from(it.to_bits() & !u128::from(u64::MAX)).to_string(),
        Ok(IpAddr::V4(it)) => it.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: TokenHash = [7; 32];

    fn guess(number: usize) -> TokenHash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        hash
    }

    #[test]
    fn an_address_that_asks_too_often_waits_until_its_minute_is_over() {
        for share in Share::ALL {
            let (guard, began) = (Guard::default(), Instant::now());
            for _ in 0..share.per_address() {
                assert_eq!(guard.admit(share, "192.0.2.1", began), Ok(()));
            }
            let later = began + Duration::from_secs(20);
            assert_eq!(guard.admit(share, "192.0.2.1", later), Err(Duration::from_secs(40)));
            assert_eq!(guard.admit(share, "192.0.2.2", later), Ok(()), "another address has a count of its own");
            for other in Share::ALL.into_iter().filter(|it| *it != share) {
                assert_eq!(guard.admit(other, "192.0.2.1", later), Ok(()), "and each share has one");
            }
            assert_eq!(guard.admit(share, "192.0.2.1", began + WINDOW), Ok(()));
        }
    }

    #[test]
    fn all_addresses_share_a_limit_and_a_blocked_address_uses_none_of_it() {
        let (guard, now, share) = (Guard::default(), Instant::now(), Share::Logins);
        for _ in 0..2 * share.in_total() {
            let _ = guard.admit(share, "192.0.2.1", now);
        }
        for number in 0..share.in_total() - share.per_address() {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            assert_eq!(guard.admit(share, &address, now), Ok(()), "{address}");
        }
        assert_eq!(guard.admit(share, "203.0.113.1", now), Err(WINDOW));
        assert_eq!(guard.admit(share, "203.0.113.1", now + WINDOW), Ok(()));
    }

    #[test]
    fn a_valid_token_has_a_request_limit_across_all_addresses() {
        let (guard, now) = (Guard::default(), Instant::now());
        for _ in 0..REQUESTS_PER_TOKEN {
            assert_eq!(guard.admit_token(&TOKEN, now), Ok(()));
        }
        assert_eq!(guard.admit_token(&TOKEN, now), Err(WINDOW));
        assert_eq!(guard.admit_token(&guess(1), now), Ok(()));
    }

    #[test]
    fn an_address_is_blocked_after_a_few_guesses_and_known_tokens_still_work() {
        let (guard, now) = (Guard::default(), Instant::now());
        guard.known(&TOKEN, now);
        for number in 0..GUESSES_PER_ADDRESS {
            assert_eq!(guard.recall("192.0.2.1", &guess(number), now), Memory::Nothing);
            assert_eq!(guard.unknown("192.0.2.1", &guess(number), now), Ok(()));
        }
        assert_eq!(guard.recall("192.0.2.1", &guess(0), now), Memory::Refused, "no need to look it up again");
        assert_eq!(guard.unknown("192.0.2.1", &guess(999), now), Err(WINDOW));
        assert_eq!(guard.recall("192.0.2.1", &TOKEN, now), Memory::Counted);
        assert_eq!(guard.recall("192.0.2.1", &guess(1_000), now), Memory::Nothing, "it may be good: it is looked up");
        assert_eq!(guard.recall("192.0.2.1", &guess(0), now + WINDOW), Memory::Nothing);
        assert_eq!(guard.unknown("192.0.2.1", &guess(999), now + WINDOW), Ok(()));
    }

    #[test]
    fn the_addresses_of_one_network_guess_together() {
        let (guard, now) = (Guard::default(), Instant::now());
        for number in 0..GUESSES_PER_ADDRESS {
            assert_eq!(guard.unknown("2001:db8::1", &guess(number), now), Ok(()));
        }
        assert_eq!(guard.unknown("2001:db8::2", &guess(999), now), Err(WINDOW));
        assert_eq!(guard.unknown("2001:db8:0:1::2", &guess(999), now), Ok(()));
    }

    #[test]
    fn a_revoked_token_counts_as_a_guess() {
        let (guard, now) = (Guard::default(), Instant::now());
        guard.known(&TOKEN, now);
        assert_eq!(guard.unknown("192.0.2.1", &TOKEN, now), Ok(()));
        assert_eq!(guard.recall("192.0.2.1", &TOKEN, now), Memory::Refused);
        assert_eq!(guard.recall("192.0.2.2", &TOKEN, now), Memory::Nothing);
    }

    #[test]
    fn counts_and_log_lines_stay_bounded_with_many_addresses() {
        let (guard, now) = (Guard::default(), Instant::now());
        for number in 0..2 * u32::try_from(COUNTED_MAX).expect("small") {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            for share in Share::ALL {
                let _ = guard.admit(share, &address, now);
            }
            let _ = guard.unknown(&address, &guess(number as usize), now);
            let refused = Refused { method: "GET".to_owned(), route: "/", status: 401, address };
            guard.refuse(refused, Uuid::nil());
        }
        let counts = guard.counts();
        assert!(counts.strangers.values().all(|it| it.each.len() <= COUNTED_MAX));
        assert!(counts.guesses.each.len() <= COUNTED_MAX + 1);
        assert!(counts.guesses.each.values().all(|it| it.tried.len() <= GUESSES_PER_ADDRESS));
        drop(counts);
        let later = now + WINDOW;
        assert_eq!(guard.admit(Share::Logins, "203.0.113.1", later), Ok(()));
        assert_eq!(
            guard.counts().strangers[&Share::Logins].each.len(),
            1,
            "addresses whose minute is over are forgotten"
        );
        let refused = guard.take_refused();
        assert_eq!(refused.len(), REFUSALS_MAX + 1);
        let times: u32 = refused.iter().map(|(_, tally)| tally.times).sum();
        assert_eq!(times as usize, 2 * COUNTED_MAX, "every refusal is in a sum");
        assert_eq!(guard.take_refused(), []);
    }
}
