//! Handovers under random events: no item is lost, none is without a
//! state, final states stay, WeCom is asked once, and in the end we and WeCom agree on who has whom.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use wecomd::{
    handover::{Driver, Next},
    ids::{ExternalUserId, UserId},
    sandbox::{DropAt, Fault},
    states::ItemState,
};

use crate::support::{Acting, HANDOVER, wait};

/// How many sequences of events are tried.
const STORIES: u32 = 60;

/// Customers of each leaver.
const CUSTOMERS: usize = 4;

const SUCCESSORS: [&str; 2] = ["bob", "cai"];

/// How many days may pass until a sequence reaches its end.
const DAYS_MAX: usize = 6;

/// How many items were overdue in all sequences.
static OVERDUE: AtomicUsize = AtomicUsize::new(0);

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// The leaver leaves.
    Leaves,
    /// Every item without a successor gets this one.
    Planned(usize),
    /// Somebody submits the handover.
    Submitted,
    /// Somebody cancels the handover.
    CalledOff,
    /// The driver runs, with this failure.
    Driven(Trouble),
    /// Time passes.
    Hours(u64),
    /// What WeCom pushed is recorded.
    Recorded,
    /// A customer deletes the leaver.
    Unfollowed(usize),
    /// The leaver deletes a customer.
    Removed(usize),
    /// WeCom gives no results until the items are overdue.
    Silence,
    /// Overdue items are polled after a day.
    DayLater,
}

/// What may go wrong with a run of the driver.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    /// The connection breaks before WeCom did anything.
    Before,
    /// The connection breaks after WeCom did it.
    After,
    /// WeCom answers the first calls with this errcode.
    Says(i64),
    /// The process dies after WeCom carried out the call and before it answered.
    Killed,
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        4 => Just(Trouble::None),
        1 => Just(Trouble::Before),
        2 => Just(Trouble::After),
        1 => prop::sample::select(vec![-1, 45035]).prop_map(Trouble::Says),
        2 => Just(Trouble::Killed),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Leaves),
        3 => (0..SUCCESSORS.len()).prop_map(Event::Planned),
        3 => Just(Event::Submitted),
        1 => Just(Event::CalledOff),
        6 => any_trouble().prop_map(Event::Driven),
        2 => prop::sample::select(vec![1, 12, 25]).prop_map(Event::Hours),
        2 => Just(Event::Recorded),
        1 => (0..CUSTOMERS).prop_map(Event::Unfollowed),
        1 => (0..CUSTOMERS).prop_map(Event::Removed),
        2 => Just(Event::Silence),
        1 => Just(Event::DayLater),
    ]
}

/// A sequence of events, and the customers who refuse.
fn any_story() -> impl Strategy<Value = (Vec<Event>, Vec<bool>)> {
    let refuses = prop::collection::vec(prop::bool::weighted(0.2), CUSTOMERS);
    (prop::collection::vec(any_event(), 3..14), refuses)
}

#[test]
fn no_customer_of_a_leaver_is_lost_or_sent_twice_and_final_states_stay() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let acting = runtime.block_on(company());
    let stories = std::cell::Cell::new(0);
    let handed = std::cell::Cell::new(0);
    let config = Config { cases: STORIES, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let law = runner.run(&any_story(), |(events, refuses)| {
        stories.set(stories.get() + 1);
        let scene = Scene { acting: &acting, number: stories.get() };
        handed.set(handed.get() + runtime.block_on(scene.play(&events, &refuses)));
        Ok(())
    });
    if let Err(failure) = law {
        panic!("{failure}");
    }
    assert!(handed.get() > 40, "only {} customers were handed over", handed.get());
    assert!(OVERDUE.load(Ordering::Relaxed) > 10, "too few items were overdue");
    runtime.block_on(acting.finish());
}

/// A company with two successors.
async fn company() -> Acting {
    let acting = Acting::start().await;
    for user in SUCCESSORS {
        acting.successor(user).await;
    }
    acting
}

/// One leaver's handovers.
struct Scene<'a> {
    acting: &'a Acting,
    number: usize,
}

impl Scene<'_> {
    fn leaver(&self) -> UserId {
        UserId(format!("ann{}", self.number))
    }

    fn customer(&self, which: usize) -> ExternalUserId {
        ExternalUserId(format!("wmSTORY{:04}CUSTOMER{which}", self.number))
    }

    /// Plays a sequence and its end; returns how many customers were handed over.
    async fn play(&self, events: &[Event], refuses: &[bool]) -> usize {
        let id = self.begin(refuses).await;
        for event in events {
            // Two changes of one contact within one second could not be ordered.
            self.acting.platform.advance(Duration::from_secs(1));
            self.happens(id, event).await;
            self.check(id).await;
        }
        self.end(id).await;
        self.check(id).await;
        self.agree(id).await
    }

    /// The leaver, their customers, and a handover before they leave.
    async fn begin(&self, refuses: &[bool]) -> i64 {
        let customers: Vec<_> = (0..CUSTOMERS).map(|it| self.customer(it)).collect();
        self.acting.platform.with(|world| {
            let refusing = customers.iter().zip(refuses).filter(|(_, refuses)| **refuses);
            world.transfer_rules.refusers.extend(refusing.map(|(customer, _)| customer.clone()));
        });
        self.acting.leaver(self.leaver().as_str(), &customers).await
    }

    async fn happens(&self, id: i64, event: &Event) {
        let platform = &self.acting.platform;
        match event {
            Event::Leaves => drop(platform.leave(&self.leaver()).await),
            Event::Planned(successor) => self.acting.plan(id, SUCCESSORS[*successor]).await,
            Event::Submitted => self.acting.let_go(id).await,
            Event::CalledOff => {
                let off = "update handover set cancelled_at = now(), cancelled_by = 'chief' where cancelled_at is null and id =";
                self.acting.app.db.execute(&format!("{off} {id}")).await;
            }
            Event::Driven(trouble) => drop(self.drive(id, *trouble).await),
            Event::Hours(hours) => platform.advance(Duration::from_secs(hours * 3600)),
            Event::Recorded => {
                platform.pushed().await;
                self.acting.app.drain().await;
            }
            Event::Unfollowed(which) => drop(platform.unfollow(&self.leaver(), &self.customer(*which)).await),
            Event::Removed(which) => drop(platform.remove(&self.leaver(), &self.customer(*which)).await),
            Event::Silence => self.fall_silent(id).await,
            Event::DayLater => self.day_later(id).await,
        }
    }

    /// The announced time is long over, and WeCom's results say nothing.
    async fn fall_silent(&self, id: i64) {
        let over = "update handover_item set takeover_at = now() - interval '27 hours' where state = 'waiting' and handover_id =";
        self.acting.app.db.execute(&format!("{over} {id}")).await;
        for path in ["externalcontact/transfer_result", "externalcontact/resigned/transfer_result"] {
            self.acting.platform.faults().leave_out(path, "customer");
        }
        self.drive(id, Trouble::None).await;
        OVERDUE.fetch_add(self.overdue(id).await, Ordering::Relaxed);
    }

    async fn overdue(&self, id: i64) -> usize {
        let overdue = format!("select count(*) from handover_item where state = 'overdue' and handover_id = {id}");
        usize::try_from(self.acting.app.db.count(&overdue).await).expect("small")
    }

    async fn day_later(&self, id: i64) {
        let later = "update handover set overdue_polled_at = overdue_polled_at - interval '1 day' where id =";
        self.acting.app.db.execute(&format!("{later} {id}")).await;
    }

    async fn drive(&self, id: i64, trouble: Trouble) -> Option<Next> {
        let faults = self.acting.platform.faults();
        let fault = match trouble {
            Trouble::None => None,
            Trouble::Before => Some(Fault { drop: Some(DropAt::Before), ..Fault::default() }),
            Trouble::After => Some(Fault { drop: Some(DropAt::After), ..Fault::default() }),
            Trouble::Says(code) => Some(Fault { errcode: Some(code), ..Fault::default() }),
            Trouble::Killed => Some(Fault { latency: Duration::from_secs(3600), ..Fault::default() }),
        };
        for path in ["externalcontact/transfer_customer", "externalcontact/resigned/transfer_customer"] {
            if let Some(fault) = &fault {
                faults.set(path, Fault { times: Some(1), ..fault.clone() });
            }
        }
        let pool = self.acting.app.db.pool.clone();
        let wecom = self.acting.app.app.admin_half.wecom.clone();
        let before = self.transfers();
        let run = tokio::spawn(async move { Driver::new(&pool, &wecom, &HANDOVER, id).run().await.ok() });
        let next = match trouble {
            Trouble::Killed => self.kill(run, before).await,
            _ => run.await.expect("it does not panic"),
        };
        faults.clear();
        next
    }

    /// How often WeCom was asked for a transfer.
    fn transfers(&self) -> usize {
        let of = |path| self.acting.platform.calls_of(path).len();
        of("externalcontact/transfer_customer") + of("externalcontact/resigned/transfer_customer")
    }

    /// Waits until WeCom processes a transfer, or there was none, and kills the driver.
    async fn kill(&self, run: tokio::task::JoinHandle<Option<Next>>, before: usize) -> Option<Next> {
        let what = "WeCom has a transfer in hand, or there is none";
        wait::until(what, async || run.is_finished() || self.transfers() > before).await;
        run.abort();
        run.await.ok().flatten()
    }

    /// Checks the laws that hold at any time.
    async fn check(&self, id: i64) {
        let db = &self.acting.app.db;
        let states = db.texts(&format!("select state from handover_item where handover_id = {id}")).await;
        assert!(states.iter().all(|it| it.parse::<ItemState>().is_ok()), "{states:?}");
        let lost = format!(
            "select external_userid from customer_wechat_contact contact
             where wechat_userid = '{}' and not exists (
                 select from handover_item where handover_id = {id} and subject = external_userid
             )",
            self.leaver()
        );
        assert_eq!(db.texts(&lost).await, [""; 0], "a customer is in no item");
        let log = format!(
            "select item_id || ' ' || from_state || ' ' || to_state from handover_log
             where handover_id = {id} and item_id is not null order by id"
        );
        let mut last: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
        for line in db.texts(&log).await {
            let [item, from, to] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let before = last.insert(item.to_owned(), to.to_owned()).unwrap_or_else(|| "open".to_owned());
            assert_eq!(before, from, "the log has a hole: {line}");
            assert!(!before.parse::<ItemState>().expect("a state").is_final(), "a final state was left: {line}");
        }
        let now = format!("select id || ' ' || state from handover_item where handover_id = {id}");
        for line in db.texts(&now).await {
            let (item, state) = line.split_once(' ').expect("two words");
            assert_eq!(last.get(item).map_or("open", String::as_str), state, "a transition is missing in the log");
        }
        for which in 0..CUSTOMERS {
            let customer = self.customer(which);
            let accepted = self.acting.platform.with(|world| world.transfers_accepted(&customer));
            let rounds =
                format!("select count(*) from handover_item where subject = '{customer}' and call_id is not null");
            let rounds = usize::try_from(db.count(&rounds).await).expect("small");
            assert!(accepted <= rounds, "{customer} was sent {accepted} times in {rounds} rounds");
        }
    }

    /// From here on nothing fails: every item gets a successor, and days pass until every item is final.
    async fn end(&self, id: i64) {
        for _ in 0..DAYS_MAX {
            self.acting.plan(id, SUCCESSORS[0]).await;
            self.acting.let_go(id).await;
            self.day_later(id).await;
            let next = self.drive(id, Trouble::None).await;
            self.happens(id, &Event::Recorded).await;
            let over = format!("select count(*) from handover where id = {id} and state in ('done', 'cancelled')");
            if next == Some(Next::Over) && self.acting.app.db.count(&over).await == 1 {
                return;
            }
            self.acting.platform.advance(Duration::from_secs(25 * 3600));
        }
        let items = format!(
            "select concat_ws(' ', subject, round, state, errcode, reason) from handover_item where handover_id = {id}"
        );
        panic!("it does not end: {:#?}", self.acting.app.db.texts(&items).await);
    }

    /// Checks that we and WeCom agree on who has each customer; returns how many were handed over.
    async fn agree(&self, id: i64) -> usize {
        let db = &self.acting.app.db;
        let state = db.texts(&format!("select state from handover where id = {id}")).await;
        assert!(state == ["done"] || state == ["cancelled"], "{state:?}");
        let mut handed = 0;
        for which in 0..CUSTOMERS {
            let customer = self.customer(which);
            let mut there = self.acting.platform.with(|world| world.followers_of(&customer));
            there.sort();
            let here = format!(
                "select wechat_userid from customer_wechat_contact
                 where external_userid = '{customer}' and status in ('assumed', 'contacted', 'lost') order by 1"
            );
            let here: Vec<_> = db.texts(&here).await.into_iter().map(UserId).collect();
            assert_eq!(here, there, "{customer}");
            handed += usize::from(there.iter().any(|user| SUCCESSORS.contains(&user.as_str())));
        }
        handed
    }
}
