//! Laws of the queue of tasks under random sequences of events: no mark is lost, no task has
//! two holders, and a holder whose lease was lost has no effect.
//!
//! A model beside the table says after each step how every row must stand. Time passes by moving what the table holds
//! back, so that nothing waits.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::Utc;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sqlx::PgConnection;
use wecomd::{
    changes::{Task, TaskKind},
    ids::CorpId,
    tables::task::{self, Finished, Room, Taken},
};

use crate::support::TestDb;

/// Sequences tried.
const SEQUENCES: u32 = 150;

/// Steps in the longest of them.
const STEPS_MAX: usize = 60;

const SUBJECTS: [&str; 3] = ["wmX", "wmY", "wmZ"];

const KIND: TaskKind = TaskKind::RefreshContact;

/// Longer than a test takes: leases end, and what waits is due, when a step says so.
const LONG: Duration = Duration::from_secs(3_600);

/// An event. A holder is identified by the age of its claim, the latest first.
#[derive(Debug, Clone)]
enum Happens {
    /// A mark: somebody wants it done.
    Mark { subject: usize },
    /// An executor takes what is due.
    Claim { limit: i64 },
    /// A holder says that it is still at work.
    Extend { holder: usize },
    /// A holder begins a call that is not safe to repeat.
    Begin { holder: usize },
    /// A holder is done.
    Finish { holder: usize },
    /// A holder tries later, or at once.
    Postpone { holder: usize, later: bool },
    /// A holder parks it.
    Park { holder: usize },
    /// A holder gives it back, for later or at once.
    Release { holder: usize, later: bool },
    /// The lease of a subject that is in hand runs out.
    Expire { subject: usize },
    /// What waits becomes due.
    Wait,
    /// A person wants it done now.
    Replay { subject: usize },
    /// A person cancels it.
    Cancel { subject: usize },
}

/// The expected state of a task.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    version: i64,
    attempts: i32,
    parked: bool,
    waits: bool,
    begun: bool,
    /// Whose lease is written there, by its place among all claims, and whether it has run out.
    held: Option<(usize, bool)>,
}

/// What was taken, and what the table must hold.
#[derive(Default)]
struct Model {
    rows: BTreeMap<&'static str, Row>,
    taken: Vec<Taken>,
    /// The subjects that were marked since they were last taken, independent of the rows.
    wanted: BTreeSet<String>,
}

/// Counts what the sequences reached, so that a law that checks nothing is noticed.
#[derive(Debug, Default)]
struct Seen {
    claims: usize,
    marked_again: usize,
    lost: usize,
    taken_over: usize,
    parked: usize,
    unparked: usize,
}

fn any_happening() -> impl Strategy<Value = Happens> {
    let subject = || 0..SUBJECTS.len();
    // Mostly one of the latest, sometimes one that has lost its lease long ago.
    let holder = || 0..4_usize;
    prop_oneof![
        6 => subject().prop_map(|subject| Happens::Mark { subject }),
        7 => (1..4_i64).prop_map(|limit| Happens::Claim { limit }),
        1 => holder().prop_map(|holder| Happens::Extend { holder }),
        1 => holder().prop_map(|holder| Happens::Begin { holder }),
        3 => holder().prop_map(|holder| Happens::Finish { holder }),
        2 => (holder(), any::<bool>()).prop_map(|(holder, later)| Happens::Postpone { holder, later }),
        3 => holder().prop_map(|holder| Happens::Park { holder }),
        1 => (holder(), any::<bool>()).prop_map(|(holder, later)| Happens::Release { holder, later }),
        3 => subject().prop_map(|subject| Happens::Expire { subject }),
        1 => Just(Happens::Wait),
        1 => subject().prop_map(|subject| Happens::Replay { subject }),
        1 => subject().prop_map(|subject| Happens::Cancel { subject }),
    ]
}

#[test]
fn no_mark_is_lost_no_task_has_two_holders_and_a_lost_lease_has_no_effect() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(TestDb::new());
    let seen = RefCell::new(Seen::default());
    let config = Config { cases: SEQUENCES, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let law = runner.run(&prop::collection::vec(any_happening(), 1..=STEPS_MAX), |happenings| {
        runtime.block_on(live_through(&db, &happenings, &mut seen.borrow_mut()))
    });
    if let Err(failure) = law {
        panic!("{failure}");
    }
    let seen = seen.into_inner();
    let enough = [seen.claims, seen.lost].iter().all(|it| *it > 200)
        && [seen.marked_again, seen.taken_over, seen.parked, seen.unparked].iter().all(|it| *it > 20);
    assert!(enough, "too little happened: {seen:?}");
    runtime.block_on(db.close());
}

/// Applies all events to an empty queue, and checks it after each step.
async fn live_through(db: &TestDb, happenings: &[Happens], seen: &mut Seen) -> Result<(), TestCaseError> {
    db.execute("delete from task").await;
    let mut conn = db.pool.acquire().await.expect("connects");
    let mut model = Model::default();
    for happens in happenings {
        model.step(db, &mut conn, happens, seen).await?;
        prop_assert_eq!(found(db).await, model.expected(), "after {:?}", happens);
        let alive = db.texts("select subject from task where parked_at is null").await;
        let forgotten: Vec<_> = model.wanted.iter().filter(|it| !alive.contains(it)).collect();
        prop_assert!(forgotten.is_empty(), "a mark is lost after {:?}: {:?}", happens, forgotten);
    }
    // In the end, once all leases and pauses are over, an executor finds every remaining task.
    db.execute("update task set leased_until = now() where lease is not null").await;
    db.execute("update task set due_at = now() where parked_at is null").await;
    let left = task::claim(&mut conn, KIND, &Room::of(9), LONG).await.expect("claimed");
    let left: Vec<_> = left.into_iter().map(|it| it.subject).collect();
    for (subject, row) in &model.rows {
        prop_assert_eq!(left.iter().any(|it| it == subject), !row.parked, "{}", subject);
    }
    Ok(())
}

impl Model {
    async fn step(
        &mut self,
        db: &TestDb,
        conn: &mut PgConnection,
        happens: &Happens,
        seen: &mut Seen,
    ) -> Result<(), TestCaseError> {
        match *happens {
            Happens::Mark { subject } => self.mark(conn, SUBJECTS[subject], seen).await,
            Happens::Claim { limit } => return self.claim(conn, limit, seen).await,
            Happens::Expire { subject } => {
                let expired = "update task set leased_until = now() - interval '1 second' where lease is not null";
                db.execute(&format!("{expired} and subject = '{}'", SUBJECTS[subject])).await;
                if let Some(row) = self.rows.get_mut(SUBJECTS[subject]) {
                    row.held = row.held.map(|(claim, _)| (claim, true));
                }
            }
            Happens::Wait => {
                db.execute("update task set due_at = now()").await;
                self.rows.values_mut().for_each(|row| row.waits = false);
            }
            Happens::Replay { subject } => {
                let row = self.rows.get_mut(SUBJECTS[subject]);
                let there = task::replay(conn, id_of(db, SUBJECTS[subject]).await).await.expect("asked");
                prop_assert_eq!(there, row.is_some());
                if let Some(row) = row {
                    (row.version, row.attempts, row.parked, row.waits) = (row.version + 1, 0, false, false);
                    self.wanted.insert(SUBJECTS[subject].to_owned());
                }
            }
            Happens::Cancel { subject } => {
                let there = task::cancel(conn, id_of(db, SUBJECTS[subject]).await).await.expect("asked");
                prop_assert_eq!(there, self.rows.remove(SUBJECTS[subject]).is_some());
                self.wanted.remove(SUBJECTS[subject]);
            }
            Happens::Extend { holder }
            | Happens::Begin { holder }
            | Happens::Finish { holder }
            | Happens::Postpone { holder, .. }
            | Happens::Park { holder }
            | Happens::Release { holder, .. } => return self.say(conn, holder, happens, seen).await,
        }
        Ok(())
    }

    async fn mark(&mut self, conn: &mut PgConnection, subject: &'static str, seen: &mut Seen) {
        let task = Task { app_id: 1, payload: None, due_at: Utc::now() - LONG, deadline: None, marks: 1 };
        task::enqueue(conn, &CorpId::from("ww1"), KIND, subject, task).await.expect("enqueued");
        self.wanted.insert(subject.to_owned());
        let new = Row { version: 0, attempts: 0, parked: false, waits: false, begun: false, held: None };
        let row = self.rows.entry(subject).or_insert(new);
        row.version += 1;
        if std::mem::take(&mut row.parked) {
            row.attempts = 0;
            seen.unparked += 1;
        }
    }

    /// A claim returns exactly the due tasks, with the attempt counted; no task has another holder.
    async fn claim(&mut self, conn: &mut PgConnection, limit: i64, seen: &mut Seen) -> Result<(), TestCaseError> {
        let taken = task::claim(conn, KIND, &Room::of(limit), LONG).await.expect("claimed");
        let due = self.rows.values().filter(|row| row.is_due()).count();
        prop_assert_eq!(taken.len(), due.min(usize::try_from(limit).expect("small")), "due are {}", due);
        for task in taken {
            let row = self.rows.iter_mut().find(|(subject, _)| **subject == task.subject).map(|(_, row)| row);
            let Some(row) = row.filter(|row| row.is_due()) else {
                return Err(TestCaseError::fail(format!("{} is not to be taken", task.subject)));
            };
            seen.claims += 1;
            seen.taken_over += usize::from(row.held.is_some());
            row.attempts += 1;
            row.held = Some((self.taken.len(), false));
            self.wanted.remove(&task.subject);
            prop_assert_eq!((task.attempts, task.version), (row.attempts, row.version));
            prop_assert_eq!(task.attempted_at.is_some(), row.begun);
            self.taken.push(task);
        }
        Ok(())
    }

    /// A holder's report counts while its lease is stored, and changes nothing otherwise.
    async fn say(
        &mut self,
        conn: &mut PgConnection,
        holder: usize,
        happens: &Happens,
        seen: &mut Seen,
    ) -> Result<(), TestCaseError> {
        let Some(claim) = self.taken.len().checked_sub(1 + holder) else { return Ok(()) };
        let task = &self.taken[claim];
        let found = self.rows.iter().find(|(_, row)| row.held.is_some_and(|(at, _)| at == claim));
        let (subject, ours) = (found.map(|(subject, _)| *subject), found.is_some());
        let news = found.is_some_and(|(_, row)| row.version > task.version);
        let wait = |later: bool| if later { LONG } else { Duration::ZERO };
        let counted = match *happens {
            Happens::Extend { .. } => {
                let leases = task::extend(conn, &[task.id], &[task.lease], LONG).await.expect("extended");
                leases == [task.lease]
            }
            Happens::Begin { .. } => task::begin_attempt(conn, task).await.expect("asked"),
            Happens::Finish { .. } => {
                let finished = task::finish(conn, task).await.expect("asked");
                seen.marked_again += usize::from(finished == Finished::MarkedAgain);
                prop_assert!(finished != Finished::Done || !news, "a task marked meanwhile counts as done");
                finished != Finished::Lost
            }
            Happens::Postpone { later, .. } => {
                task::postpone(conn, task, wait(later), "busy", false).await.expect("asked")
            }
            Happens::Park { .. } => task::park(conn, task, "broken").await.expect("asked"),
            Happens::Release { later, .. } => task::release(conn, task, wait(later)).await.expect("asked"),
            _ => ours,
        };
        prop_assert_eq!(counted, ours, "whether it counts that {:?} is said", happens);
        seen.lost += usize::from(!ours);
        let Some(subject) = subject else { return Ok(()) };
        if matches!(happens, Happens::Finish { .. }) && !news {
            self.rows.remove(subject);
        } else if let Some(row) = self.rows.get_mut(subject) {
            row.hear(happens, claim, news);
            seen.parked += usize::from(row.parked);
        }
        Ok(())
    }

    /// What the table must hold.
    fn expected(&self) -> Vec<String> {
        let line = |(subject, row): (&&str, &Row)| {
            let hand = match row.held {
                None => "free".to_owned(),
                Some((claim, over)) => format!("{}{}", self.taken[claim].lease, if over { " over" } else { "" }),
            };
            let Row { version, attempts, parked, waits, begun, .. } = row;
            format!("{subject} v{version} a{attempts} parked {parked} waits {waits} begun {begun} {hand}")
        };
        self.rows.iter().map(line).collect()
    }
}

impl Row {
    fn is_due(&self) -> bool {
        !self.parked && !self.waits && self.held.is_none_or(|(_, over)| over)
    }

    /// How it stands after its holder said something that leaves it there. `news`: it was marked since it was taken.
    fn hear(&mut self, happens: &Happens, claim: usize, news: bool) {
        match *happens {
            Happens::Extend { .. } => self.held = Some((claim, false)),
            Happens::Begin { .. } => self.begun = true,
            Happens::Finish { .. } => (self.held, self.begun, self.attempts) = (None, false, 0),
            Happens::Postpone { later, .. } => (self.held, self.waits) = (None, self.waits || later),
            Happens::Park { .. } => {
                (self.held, self.parked) = (None, !news);
                self.attempts = if news { 0 } else { self.attempts };
            }
            Happens::Release { later, .. } => {
                (self.held, self.waits) = (None, self.waits || later);
                self.attempts = (self.attempts - 1).max(0);
            }
            _ => {}
        }
    }
}

/// What the table holds.
async fn found(db: &TestDb) -> Vec<String> {
    let rows = "select format('%s v%s a%s parked %s waits %s begun %s %s', subject, version, attempts,
            (parked_at is not null)::text, (due_at > now())::text, (attempted_at is not null)::text,
            coalesce(lease || case when leased_until <= now() then ' over' else '' end, 'free'))
        from task order by subject";
    db.texts(rows).await
}

/// The number of a subject's task; 0 if there is none.
async fn id_of(db: &TestDb, subject: &str) -> i64 {
    db.count(&format!("select coalesce(max(id), 0) from task where subject = '{subject}'")).await
}
