//! Faults on demand: slow answers, errcodes, broken connections, odd answers, revoked tokens.
//!
//! A fault belongs to a path, applies to a share of its calls and may end after a number of them. The seed and the
//! calls' order decide which calls it applies to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use crate::sandbox::chance::Chance;

/// The path for all paths without a fault of their own.
pub const EVERY_PATH: &str = "*";

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The delay of the answer; the call takes effect at once.
    pub latency: Duration,
    /// The call is refused with this errcode, without any effect.
    pub errcode: Option<i64>,
    /// When the connection breaks, if it does.
    pub drop: Option<DropAt>,
    /// Bodies that replace the answer's, in turn and then from the first again. The call takes effect.
    pub bodies: Vec<Vec<u8>>,
    /// Texts in the answer's body, and their replacements.
    pub garble: Vec<(String, Vec<u8>)>,
    /// Headers of the answer, and their values; `None` removes a header.
    pub headers: Vec<(String, Option<String>)>,
    /// The share of calls that it applies to, 0 to 1.
    pub share: f64,
    /// How many calls it applies to before it ends; without a number it never ends.
    pub times: Option<u32>,
}

/// When a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropAt {
    /// Before the call had any effect.
    Before,
    /// After it took effect, which the caller cannot know.
    After,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            errcode: None,
            drop: None,
            bodies: Vec::new(),
            garble: Vec::new(),
            headers: Vec::new(),
            share: 1.0,
            times: None,
        }
    }
}

/// The faults that are set; a clone sets the same ones.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    by_path: HashMap<String, Fault>,
    unsaid: HashMap<String, String>,
    revoked_share: f64,
    chance: Chance,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let state = State {
            by_path: HashMap::new(),
            unsaid: HashMap::new(),
            revoked_share: 0.0,
            chance: Chance::new(seed, "faults"),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Sets the fault of a path such as `externalcontact/get`, replacing the earlier one.
    pub fn set(&self, path: &str, fault: Fault) {
        let path = path.trim_start_matches("/cgi-bin/");
        self.with(|state| state.by_path.insert(path.to_owned(), fault));
    }

    /// After each call of the API but `gettoken` its token is revoked with this probability.
    pub fn revoke_tokens(&self, share: f64) {
        self.with(|state| state.revoked_share = share);
    }

    /// From now on this path's answers lack the field, although the calls take effect.
    pub fn leave_out(&self, path: &str, field: &str) {
        self.with(|state| state.unsaid.insert(path.to_owned(), field.to_owned()));
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.with(|state| {
            state.by_path.clear();
            state.unsaid.clear();
            state.revoked_share = 0.0;
        });
    }

    /// The fault of this call.
    pub(super) fn draw(&self, path: &str) -> Fault {
        let fine = Fault::default();
        self.with(|state| {
            let set = if state.by_path.contains_key(path) { path } else { EVERY_PATH };
            let Some(fault) = state.by_path.get_mut(set) else { return fine };
            if fault.times == Some(0) || !state.chance.happens(fault.share) {
                return fine;
            }
            fault.times = fault.times.map(|left| left - 1);
            let drawn = fault.clone();
            if !fault.bodies.is_empty() {
                fault.bodies.rotate_left(1);
            }
            drawn
        })
    }

    /// The field that this path's answers lack, if any.
    pub(super) fn unsaid(&self, path: &str) -> Option<String> {
        self.with(|state| state.unsaid.get(path).cloned())
    }

    /// Whether the token of this call is revoked after it.
    pub(super) fn revokes(&self) -> bool {
        self.with(|state| state.revoked_share > 0.0 && state.chance.happens(state.revoked_share))
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // Nothing here panics while it holds the lock, so a poisoned lock's data is intact.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
