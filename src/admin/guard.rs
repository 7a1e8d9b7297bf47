//! Who asks too often, kept in memory: strangers are turned away before they cost a connection to the database, a body
//! or a line in the access log.
//!
//! It counts requests by address and by token, and the tokens that an address tries. Each count lives for a minute and
//! has a bound, and so has the number of those who are counted. What strangers were refused is summed up by the minute.
//! It refuses to know the database; each process counts for itself.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

/// How long a count lives.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How many requests an address may make in that time: a proxy with everybody behind it needs not be more.
pub const REQUESTS_PER_ADDRESS: u32 = 12_000;

/// How many requests may be made with a token in that time.
pub const REQUESTS_PER_TOKEN: u32 = 6_000;

/// How many tokens an address may try in that time which were not known to count before.
pub const GUESSES_PER_ADDRESS: usize = 20;

/// How many addresses, or tokens, are told apart; the rest are counted as if they were one.
const COUNTED_MAX: usize = 8_192;

/// How many kinds of refusals are told apart in a minute; the rest are summed up.
const REFUSALS_MAX: usize = 512;

/// How long a token that counted is remembered to be no guess. It is looked up each time all the same.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);

/// What stands for the addresses beyond [`REFUSALS_MAX`].
const ELSEWHERE: &str = "elsewhere";

/// A token's hash.
type TokenHash = [u8; 32];

/// Counts, and remembers who was refused.
#[derive(Debug, Default)]
pub struct Guard(Mutex<Counts>);

/// What a token is that somebody shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Worth looking up.
    Maybe,
    /// It was looked up a moment ago, for the same address, and does not count.
    Refused,
    /// The address tried too many others; for so long it has to wait.
    TooMany(Duration),
}

/// What strangers were refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// The method.
    pub method: String,
    /// The route's pattern; `-` if no route was looked for.
    pub route: &'static str,
    /// The status.
    pub status: u16,
    /// Where they came from.
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
    addresses: Windows<String>,
    tokens: Windows<TokenHash>,
    guesses: HashMap<String, Guesses>,
    known: HashMap<TokenHash, Instant>,
    refused: HashMap<Refused, Tally>,
}

/// The tokens that an address tries, and whether each was found not to count.
#[derive(Debug)]
struct Guesses {
    since: Instant,
    tried: HashMap<TokenHash, bool>,
}

impl Guard {
    /// Counts a request from this address; `Err` says how long it has to wait if there were too many.
    pub fn admit_address(&self, address: &str, now: Instant) -> Result<(), Duration> {
        self.counts().addresses.count(network(address), REQUESTS_PER_ADDRESS, now)
    }

    /// Counts a request with this token, likewise. Unknown ones are not counted here: they are guesses.
    pub fn admit_token(&self, token: &TokenHash, now: Instant) -> Result<(), Duration> {
        let mut counts = self.counts();
        if !counts.is_known(token, now) {
            return Ok(());
        }
        counts.tokens.count(*token, REQUESTS_PER_TOKEN, now)
    }

    /// Whether a token is worth looking up. One that counted lately always is, however many others its address tries.
    pub fn show(&self, address: &str, token: &TokenHash, now: Instant) -> Shown {
        let mut counts = self.counts();
        if counts.is_known(token, now) {
            return Shown::Maybe;
        }
        let guesses = &mut counts.guesses;
        let mut key = network(address);
        if guesses.len() >= COUNTED_MAX && !guesses.contains_key(&key) {
            guesses.retain(|_, it| now.duration_since(it.since) < WINDOW);
            if guesses.len() >= COUNTED_MAX {
                ELSEWHERE.clone_into(&mut key);
            }
        }
        let guesses = guesses.entry(key).or_insert_with(|| Guesses { since: now, tried: HashMap::new() });
        let age = now.duration_since(guesses.since);
        if age >= WINDOW {
            *guesses = Guesses { since: now, tried: HashMap::new() };
        }
        match guesses.tried.get(token) {
            Some(true) => return Shown::Refused,
            Some(false) => return Shown::Maybe,
            None => {}
        }
        if guesses.tried.len() >= GUESSES_PER_ADDRESS {
            return Shown::TooMany(WINDOW.saturating_sub(age));
        }
        // Counted before it is looked up, so that guesses at one moment count, too.
        guesses.tried.insert(*token, false);
        Shown::Maybe
    }

    /// The token was looked up, and counts.
    pub fn known(&self, address: &str, token: &TokenHash, now: Instant) {
        let mut counts = self.counts();
        if counts.known.len() >= COUNTED_MAX && !counts.known.contains_key(token) {
            counts.known.retain(|_, since| now.duration_since(*since) < KNOWN_FOR);
        }
        if counts.known.len() < COUNTED_MAX || counts.known.contains_key(token) {
            counts.known.insert(*token, now);
        }
        if let Some(guesses) = counts.guesses.get_mut(&network(address)) {
            guesses.tried.remove(token);
        }
    }

    /// The token was looked up, and does not count: never did, or no longer.
    pub fn unknown(&self, address: &str, token: &TokenHash) {
        let mut counts = self.counts();
        counts.known.remove(token);
        if let Some(guesses) = counts.guesses.get_mut(&network(address))
            && (guesses.tried.len() < GUESSES_PER_ADDRESS || guesses.tried.contains_key(token))
        {
            guesses.tried.insert(*token, true);
        }
    }

    /// Remembers that a stranger was refused.
    pub fn refuse(&self, refused: Refused, request_id: Uuid) {
        metrics::counter!("wecomd_admin_refused_total", "status" => refused.status.to_string()).increment(1);
        self.add(refused, Tally { times: 1, request_id });
    }

    /// What was refused since the last time this was asked.
    pub fn take_refused(&self) -> Vec<(Refused, Tally)> {
        std::mem::take(&mut self.counts().refused).into_iter().collect()
    }

    /// Takes back what could not be written down.
    pub fn add(&self, mut refused: Refused, tally: Tally) {
        let sums = &mut self.counts().refused;
        if sums.len() >= REFUSALS_MAX && !sums.contains_key(&refused) {
            // There are few routes and statuses: what has no bound are the addresses.
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
        self.known.get(token).is_some_and(|since| now.duration_since(*since) < KNOWN_FOR)
    }
}

/// How many requests somebody made, and since when.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    count: u32,
}

#[derive(Debug)]
struct Windows<K> {
    each: HashMap<K, Window>,
    /// Everybody for whom there was no room.
    others: Option<Window>,
}

impl<K> Default for Windows<K> {
    fn default() -> Self {
        Self { each: HashMap::new(), others: None }
    }
}

impl<K: Eq + Hash> Windows<K> {
    fn count(&mut self, key: K, max: u32, now: Instant) -> Result<(), Duration> {
        let new = Window { since: now, count: 0 };
        if self.each.len() >= COUNTED_MAX && !self.each.contains_key(&key) {
            self.each.retain(|_, it| now.duration_since(it.since) < WINDOW);
        }
        let window = if self.each.len() < COUNTED_MAX || self.each.contains_key(&key) {
            self.each.entry(key).or_insert(new)
        } else {
            self.others.get_or_insert(new)
        };
        let age = now.duration_since(window.since);
        if age >= WINDOW {
            *window = new;
        }
        if window.count >= max {
            return Err(WINDOW.saturating_sub(age));
        }
        window.count = window.count.saturating_add(1);
        Ok(())
    }
}

/// What counts as one address: of an IPv6 address the network, since whoever has one address there has them all.
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
        let (guard, began) = (Guard::default(), Instant::now());
        for _ in 0..REQUESTS_PER_ADDRESS {
            assert_eq!(guard.admit_address("192.0.2.1", began), Ok(()));
        }
        let later = began + Duration::from_secs(20);
        assert_eq!(guard.admit_address("192.0.2.1", later), Err(Duration::from_secs(40)));
        assert_eq!(guard.admit_address("192.0.2.2", later), Ok(()), "another address has a count of its own");
        assert_eq!(guard.admit_address("192.0.2.1", began + WINDOW), Ok(()));
    }

    #[test]
    fn a_token_that_counts_has_a_limit_wherever_it_comes_from() {
        let (guard, now) = (Guard::default(), Instant::now());
        guard.known("192.0.2.1", &TOKEN, now);
        for _ in 0..REQUESTS_PER_TOKEN {
            assert_eq!(guard.admit_token(&TOKEN, now), Ok(()));
        }
        assert_eq!(guard.admit_token(&TOKEN, now), Err(WINDOW));
        assert_eq!(guard.admit_token(&guess(1), now), Ok(()));
    }

    #[test]
    fn guessing_ends_after_a_few_guesses_and_harms_nobody_whose_token_counts() {
        let (guard, now) = (Guard::default(), Instant::now());
        guard.known("192.0.2.1", &TOKEN, now);
        for number in 0..GUESSES_PER_ADDRESS {
            assert_eq!(guard.show("192.0.2.1", &guess(number), now), Shown::Maybe);
            guard.unknown("192.0.2.1", &guess(number));
        }
        assert_eq!(guard.show("192.0.2.1", &guess(0), now), Shown::Refused, "no need to look it up again");
        assert_eq!(guard.show("192.0.2.1", &guess(999), now), Shown::TooMany(WINDOW));
        assert_eq!(guard.show("192.0.2.1", &TOKEN, now), Shown::Maybe);
        assert_eq!(guard.show("192.0.2.1", &guess(999), now + WINDOW), Shown::Maybe);
    }

    #[test]
    fn guesses_at_one_moment_count_before_they_are_looked_up_and_a_good_one_is_no_guess() {
        let (guard, now) = (Guard::default(), Instant::now());
        for number in 0..GUESSES_PER_ADDRESS {
            assert_eq!(guard.show("2001:db8::1", &guess(number), now), Shown::Maybe);
        }
        assert_eq!(guard.show("2001:db8::2", &TOKEN, now), Shown::TooMany(WINDOW), "one network, one count");
        guard.known("2001:db8::1", &guess(0), now);
        assert_eq!(guard.show("2001:db8::2", &TOKEN, now), Shown::Maybe);
    }

    #[test]
    fn a_revoked_token_is_a_guess_again() {
        let (guard, now) = (Guard::default(), Instant::now());
        guard.known("192.0.2.1", &TOKEN, now);
        guard.unknown("192.0.2.1", &TOKEN);
        assert_eq!(guard.show("192.0.2.1", &TOKEN, now), Shown::Maybe);
        guard.unknown("192.0.2.1", &TOKEN);
        assert_eq!(guard.show("192.0.2.1", &TOKEN, now), Shown::Refused);
    }

    #[test]
    fn however_many_addresses_come_the_counts_and_the_lines_stay_few() {
        let (guard, now) = (Guard::default(), Instant::now());
        for number in 0..2 * u32::try_from(COUNTED_MAX).expect("small") {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            let _ = guard.admit_address(&address, now);
            guard.show(&address, &TOKEN, now);
            let refused = Refused { method: "GET".to_owned(), route: "/", status: 401, address };
            guard.refuse(refused, Uuid::nil());
        }
        let counts = guard.counts();
        assert!(counts.addresses.each.len() <= COUNTED_MAX && counts.guesses.len() <= COUNTED_MAX + 1);
        drop(counts);
        let refused = guard.take_refused();
        assert_eq!(refused.len(), REFUSALS_MAX + 1);
        let times: u32 = refused.iter().map(|(_, tally)| tally.times).sum();
        assert_eq!(times as usize, 2 * COUNTED_MAX, "every refusal is in a sum");
        assert_eq!(guard.take_refused(), []);
    }
}
