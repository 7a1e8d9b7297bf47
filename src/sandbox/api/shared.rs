//! What the server's connections and the platform's owner share: the world and the journal behind one lock, the
//! faults, and the way out for callbacks.

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
    /// For hints, so that a refusal does not change what happens next in the world.
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

    /// A customer scans a code, and the callback goes out.
    pub(super) async fn scan(&self, config_id: &str, customer: &ExternalUserId) -> Result<(), ScanError> {
        self.change(|world| world.scan(config_id, customer)).await
    }

    /// Somebody does something with their phone, and the callback goes out.
    pub(super) async fn change<E>(&self, act: impl FnOnce(&mut World) -> Result<Push, E>) -> Result<(), E> {
        let push = self.with(act)?;
        self.pushes.push(push).await;
        Ok(())
    }

    /// Makes happen in the world whatever was due by its clock, and the callbacks go out.
    pub(super) fn settle_transfers(&self) {
        let pushes = self.with(World::settle_transfers);
        self.pushes.push_all(pushes);
    }

    /// Makes the answer to a call, with the fault that was drawn for it, and writes it down.
    pub(super) fn answer(&self, ask: &Ask, fault: &Fault) -> Wire {
        // Time passed since the last call, and nobody can have seen what it brought before this one.
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
        // A test whose closure panics fails anyway; others may go on with what is there.
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn note(&mut self, ask: &Ask, errcode: i64, dropped: bool) {
        let corpid = ask.parameter("corpid").map_or_else(|| self.world.corpid.clone(), CorpId::from);
        let at = self.world.clock.now();
        self.journal.add(Call { at, path: ask.path.clone(), corpid, errcode, dropped, body: ask.for_journal() });
    }

    /// The part of an errmsg that helps the platform's people to find a call.
    fn trace(&mut self, ask: &Ask) -> String {
        self.answers += 1;
        let hint = self.hints.text(HEX, HINT_CHARS);
        format!("hint: [{}_{}_{hint}], from ip: {}", self.world.now(), self.answers, ask.from)
    }
}

/// What a refusal of this endpoint holds beside errcode and errmsg.
fn extra(ask: &Ask) -> Map<String, Value> {
    let mut extra = Map::new();
    if network::LISTS.contains(&ask.path.as_str()) {
        extra.insert("ip_list".to_owned(), Value::Array(Vec::new()));
    }
    extra
}
