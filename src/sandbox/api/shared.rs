//! The state shared by the server's connections and the platform's owner: the world and the journal behind one lock,
//! the faults, and the callback queue.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::answer::{self, Answer, Wire, tomorrow};
use super::ask::{Ask, WRONG_TYPE};
use super::fault::{DropAt, Fault, Faults};
use super::gate;
use super::journal::{Call, Journal};
use super::network;
use super::push::Pushes;
use super::refusal::{BUSY, OK, Refusal};
use crate::ids::{CorpId, ExternalUserId};
use crate::sandbox::chance::{Chance, HEX};
use crate::sandbox::push::Push;
use crate::sandbox::world::{Clock, ScanError, World};

/// The random part of a hint.
const HINT_CHARS: usize = 32;

pub(super) struct Shared {
    pub(super) base_url: Arc<str>,
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    pub(super) pushes: Pushes,
    state: Mutex<State>,
}

struct State {
    world: World,
    journal: Journal,
    /// A separate generator for hints, so that a refusal does not change what the world draws next.
    hints: Chance,
    answers: u64,
}

impl Shared {
    pub(super) fn new(world: World, base_url: Arc<str>, pushes: Pushes) -> Self {
        let (clock, faults) = (world.clock.clone(), Faults::new(world.seed));
        let hints = Chance::new(world.seed, "hints");
        let state = Mutex::new(State { world, journal: Journal::default(), hints, answers: 0 });
        Self { base_url, clock, faults, pushes, state }
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        self.lock(|state| f(&mut state.world))
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.lock(|state| state.journal.calls().cloned().collect())
    }

    pub(super) fn calls_of(&self, path: &str) -> Vec<Call> {
        self.lock(|state| state.journal.calls().filter(|call| call.path == path).cloned().collect())
    }

    /// A customer scans a code, and the callback is sent.
    pub(super) async fn scan(&self, config_id: &str, customer: &ExternalUserId) -> Result<(), ScanError> {
        self.change(|world| world.scan(config_id, customer)).await
    }

    /// Somebody acts with their phone, and the callback is sent.
    pub(super) async fn change<E>(&self, act: impl FnOnce(&mut World) -> Result<Push, E>) -> Result<(), E> {
        let push = self.with(act)?;
        self.pushes.push(push).await;
        Ok(())
    }

    /// Settles what is due by the world's clock, and sends the callbacks.
    pub(super) fn settle_transfers(&self) {
        let pushes = self.with(World::settle_transfers);
        self.pushes.push_all(pushes);
    }

    /// Answers a call with the fault drawn for it, and records it.
    pub(super) fn answer(&self, ask: &Ask, fault: &Fault) -> Wire {
        // Settled first, so that every call sees the results of the time that has passed.
        self.settle_transfers();
        let revokes = ask.path != gate::GETTOKEN && self.faults.revokes();
        self.lock(|state| {
            ask.tolerant.set(state.world.tolerates_wrong_types);
            let outcome = match (fault.drop, fault.errcode) {
                (Some(DropAt::Before), _) => Err(Refusal::of(BUSY)),
                (_, Some(errcode)) => Err(Refusal::of(errcode)),
                _ => gate::pass(&mut state.world, ask),
            };
            if let (true, Some(token)) = (revokes, ask.parameter("access_token")) {
                state.world.tokens.revoke(token);
            }
            let errcode = outcome.as_ref().map_or_else(|refusal| refusal.errcode, |_| OK);
            state.note(ask, errcode, fault.drop.is_some());
            match outcome {
                Ok(mut answer) => {
                    if let Answer::Fields(fields) = &mut answer {
                        tomorrow(&state.world, fields);
                        if let Some(unsaid) = self.faults.unsaid(&ask.path) {
                            fields.remove(&unsaid);
                        }
                    }
                    answer::wire(answer, if ask.met_wrong_type.get() { WRONG_TYPE } else { "" })
                }
                Err(refusal) => {
                    let trace = state.trace(ask);
                    answer::refused(&refusal, &trace, extra(ask))
                }
            }
        })
    }

    fn lock<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // A test whose closure panics fails anyway; other callers may continue.
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn note(&mut self, ask: &Ask, errcode: i64, dropped: bool) {
        let corpid = ask.parameter("corpid").map_or_else(|| self.world.corpid.clone(), CorpId::from);
        let at = self.world.clock.now();
        self.journal.add(Call { at, path: ask.path.clone(), corpid, errcode, dropped, body: ask.for_journal() });
    }

    /// The part of an errmsg by which the platform's support finds a call.
    fn trace(&mut self, ask: &Ask) -> String {
        self.answers += 1;
        let hint = self.hints.text(HEX, HINT_CHARS);
        format!("hint: [{}_{}_{hint}], from ip: {}", self.world.now(), self.answers, ask.from)
    }
}

/// Extra fields in a refusal of this endpoint.
fn extra(ask: &Ask) -> Map<String, Value> {
    let mut extra = Map::new();
    if network::LISTS.contains(&ask.path.as_str()) {
        extra.insert("ip_list".to_owned(), Value::Array(Vec::new()));
    }
    extra
}
