//! Limits how many tasks of one corp a worker pool takes, so that a corp whose calls fail or take long leaves room
//! for the others.
//!
//! A corp that WeCom does not answer gets few places, and none during a rest that grows: its tasks stay in the queue
//! instead of occupying executors. One successful call gives it all places back. Pure: the caller passes the time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Failure;
use crate::{
    changes::TaskKind,
    ids::CorpId,
    tables::task::{CorpRoom, Room},
    wecom::ApiError,
};

/// One of this many places is reserved for corps without a running task. A pool of two or three places reserves one
/// as well.
const RESERVE_SHARE: usize = 4;

/// One of this many places may try a corp that is in trouble; at least one.
const PROBE_SHARE: usize = 8;

/// All corps in trouble together get at most this fraction of a pool (one half); at least one place.
const TROUBLED_SHARE: usize = 2;

/// After this many failed answers in a row a corp is in trouble; after a call without an answer it is at once.
const COMPLAINTS_MAX: u32 = 3;

/// A troubled corp's first rest; it doubles with each further failure.
const REST_FIRST: Duration = Duration::from_secs(1);

/// The longest rest taken at WeCom's request; after it, a call asks again.
const REST_ASKED_MAX: Duration = Duration::from_secs(60);

/// What a task's calls tell about its corp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// WeCom answered and serves this corp.
    Served,
    /// WeCom answered that it cannot serve at the moment, or that this app is not allowed.
    Complained(Option<Duration>),
    /// No answer came, or no call was made.
    Unanswered(Option<Duration>),
    /// Nothing about WeCom.
    Untold,
}

/// The corps in trouble, by kind of task.
#[derive(Debug)]
pub(super) struct Troubles {
    /// The worker pool's number of places.
    concurrency: usize,
    /// The longest rest that we choose ourselves.
    rest_longest: Duration,
    /// A successful call removes its entry, so there are never more entries than corps with apps, per kind.
    corps: HashMap<(CorpId, TaskKind), Trouble>,
}

#[derive(Debug)]
struct Trouble {
    complaints: u32,
    /// The number of rests in a row; the corp is in trouble from the first one on.
    rests: u32,
    rests_until: Instant,
}

impl Reach {
    /// Classifies a failed attempt.
    pub(super) fn of(failure: &Failure) -> Self {
        let (why, after) = match failure {
            Failure::Retry { why, after } => (why, *after),
            Failure::Park { why } => (why, None),
            Failure::Interrupted { .. } => return Self::Untold,
        };
        match (why.downcast_ref::<ApiError>(), failure) {
            (None, _) => Self::Untold,
            // The failure concerns this task alone.
            (Some(_), Failure::Park { .. }) => Self::Served,
            (Some(error), _) if error.errcode.is_some() => Self::Complained(after),
            (Some(_), _) => Self::Unanswered(after),
        }
    }
}

impl Troubles {
    pub(super) fn new(concurrency: usize, rest_longest: Duration) -> Self {
        Self { concurrency, rest_longest, corps: HashMap::new() }
    }

    /// Records the outcome of a task.
    pub(super) fn hear(&mut self, corpid: &CorpId, kind: TaskKind, reach: Reach, now: Instant) {
        let key = (corpid.clone(), kind);
        let (asked, complains) = match reach {
            Reach::Untold => return,
            Reach::Served => {
                self.corps.remove(&key);
                return;
            }
            Reach::Complained(after) => (after, true),
            Reach::Unanswered(after) => (after, false),
        };
        let trouble = self.corps.entry(key).or_insert(Trouble { complaints: 0, rests: 0, rests_until: now });
        trouble.complaints += 1;
        if complains && trouble.complaints < COMPLAINTS_MAX && asked.is_none() {
            return;
        }
        let own = REST_FIRST.saturating_mul(1 << trouble.rests.min(10)).min(self.rest_longest);
        // Greetings' corps never rest: a code is valid for seconds, and each greeting has its own pauses.
        let asked = asked.filter(|_| !self.rest_longest.is_zero()).unwrap_or_default().min(REST_ASKED_MAX);
        trouble.rests = trouble.rests.saturating_add(1);
        trouble.rests_until = trouble.rests_until.max(now + own.max(asked));
    }

    /// How many tasks of a kind may be claimed, given the running ones.
    pub(super) fn room<'a>(
        &self,
        kind: TaskKind,
        in_hand: impl Iterator<Item = (&'a CorpId, TaskKind)>,
        now: Instant,
    ) -> Room {
        let (mut held, mut all, mut troubled_held) = (HashMap::<&CorpId, usize>::new(), 0, 0);
        for (corpid, kind) in in_hand {
            *held.entry(corpid).or_default() += 1;
            all += 1;
            troubled_held += usize::from(self.trouble(corpid, kind).is_some());
        }
        let free = self.concurrency.saturating_sub(all);
        let mut probes = (self.concurrency / TROUBLED_SHARE).max(1).saturating_sub(troubled_held);
        let probes_each = (self.concurrency / PROBE_SHARE).max(1);
        let mut troubled: Vec<_> = self.corps.iter().filter(|((_, of), it)| *of == kind && it.rests > 0).collect();
        // The corp that has rested longest is tried first.
        troubled.sort_by_key(|((corpid, _), it)| (it.rests_until, corpid.clone()));
        let mut corps = Vec::new();
        for ((corpid, _), it) in troubled {
            let has = held.remove(corpid).unwrap_or_default();
            let may = if it.rests_until > now { 0 } else { probes_each.saturating_sub(has).min(probes) };
            probes -= may;
            corps.push(corp_room(corpid, has, may));
        }
        corps.extend(held.into_iter().map(|(corpid, has)| corp_room(corpid, has, free)));
        let reserve = if self.concurrency > 1 { (self.concurrency / RESERVE_SHARE).max(1) } else { 0 };
        Room { limit: as_i64(free), reserve: as_i64(reserve), corps }
    }

    fn trouble(&self, corpid: &CorpId, kind: TaskKind) -> Option<&Trouble> {
        self.corps.get(&(corpid.clone(), kind)).filter(|it| it.rests > 0)
    }
}

fn corp_room(corpid: &CorpId, held: usize, room: usize) -> CorpRoom {
    CorpRoom { corpid: corpid.clone(), held: as_i64(held), room: as_i64(room) }
}

fn as_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: TaskKind = TaskKind::RefreshContact;
    const LONGEST: Duration = Duration::from_secs(30);

    fn corp(number: usize) -> CorpId {
        CorpId(format!("ww{number}"))
    }

    fn rooms(troubles: &Troubles, in_hand: &[usize], now: Instant) -> (i64, Vec<(String, i64, i64)>) {
        let held: Vec<_> = in_hand.iter().map(|it| corp(*it)).collect();
        let room = troubles.room(KIND, held.iter().map(|it| (it, KIND)), now);
        let mut corps: Vec<_> = room.corps.into_iter().map(|it| (it.corpid.0, it.held, it.room)).collect();
        corps.sort();
        (room.limit, corps)
    }

    #[test]
    fn corps_that_are_served_share_the_whole_worker_pool() {
        let mut troubles = Troubles::new(4, LONGEST);
        let now = Instant::now();
        assert_eq!(rooms(&troubles, &[], now), (4, vec![]));
        troubles.hear(&corp(1), KIND, Reach::Served, now);
        assert_eq!(rooms(&troubles, &[1, 1], now), (2, vec![("ww1".into(), 2, 2)]));
    }

    #[test]
    fn an_unanswered_corp_pauses_ever_longer_and_is_then_tried_by_one_task() {
        let mut troubles = Troubles::new(4, LONGEST);
        let mut now = Instant::now();
        for rest_s in [1, 2, 4, 8, 16, 30, 30] {
            troubles.hear(&corp(1), KIND, Reach::Unanswered(None), now);
            assert_eq!(rooms(&troubles, &[], now + Duration::from_millis(rest_s * 1_000 - 1)).1[0].2, 0, "{rest_s}");
            now += Duration::from_secs(rest_s);
            assert_eq!(rooms(&troubles, &[], now).1[0].2, 1, "{rest_s}");
        }
        assert_eq!(rooms(&troubles, &[1], now).1[0].2, 0, "it is being tried");
        troubles.hear(&corp(1), KIND, Reach::Served, now);
        assert_eq!(rooms(&troubles, &[], now), (4, vec![]));
    }

    #[test]
    fn nine_failing_corps_leave_half_the_worker_pool_free_and_are_tried_in_turn() {
        let mut troubles = Troubles::new(4, LONGEST);
        let began = Instant::now();
        for number in 1..=9 {
            let at = began + Duration::from_millis(u64::try_from(number).expect("small"));
            troubles.hear(&corp(number), KIND, Reach::Unanswered(None), at);
        }
        let now = began + Duration::from_secs(60);
        let (limit, corps) = rooms(&troubles, &[], now);
        assert_eq!((limit, corps.len()), (4, 9));
        let tried: Vec<_> = corps.iter().filter(|it| it.2 > 0).map(|it| it.0.as_str()).collect();
        assert_eq!(tried, ["ww1", "ww2"], "the corp with the longest pause comes first");
        let (_, corps) = rooms(&troubles, &[1, 2], now);
        assert!(corps.iter().all(|it| it.2 == 0), "{corps:?}");
    }

    #[test]
    fn a_few_transient_errors_cause_no_pause_unless_wecom_asks_for_one() {
        let mut troubles = Troubles::new(8, LONGEST);
        let now = Instant::now();
        troubles.hear(&corp(1), KIND, Reach::Complained(None), now);
        troubles.hear(&corp(1), KIND, Reach::Complained(None), now);
        assert_eq!(rooms(&troubles, &[], now), (8, vec![]));
        troubles.hear(&corp(1), KIND, Reach::Complained(None), now);
        assert_eq!(rooms(&troubles, &[], now).1, [("ww1".into(), 0, 0)]);
        troubles.hear(&corp(2), KIND, Reach::Complained(Some(Duration::from_secs(600))), now);
        let later = now + Duration::from_secs(59);
        assert_eq!(rooms(&troubles, &[], later).1[1], ("ww2".into(), 0, 0));
        assert_eq!(rooms(&troubles, &[], now + REST_ASKED_MAX).1[1], ("ww2".into(), 0, 1));
    }

    #[test]
    fn corps_are_never_paused_for_greetings() {
        let mut troubles = Troubles::new(8, Duration::ZERO);
        let now = Instant::now();
        troubles.hear(&corp(1), TaskKind::Welcome, Reach::Unanswered(Some(LONGEST)), now);
        let room = troubles.room(TaskKind::Welcome, std::iter::empty(), now);
        assert_eq!(room.corps, [corp_room(&corp(1), 0, 1)]);
    }
}
