//! What strangers can send: arbitrary bytes, frames and plaintexts, held against laws and not only against panics.
//!
//! Under `cargo test` each target takes a bounded number of random inputs. A failure prints the seed that repeats it:
//! `BOLERO_RANDOM_SEED=… cargo test --test fuzz`. CONTRIBUTING.md says how to let a fuzzer search for hours.

mod envelope;

mod event;

mod frame;

use std::time::Duration;

/// How many inputs a target takes under `cargo test`.
const ITERATIONS: usize = 5_000;

/// How long a target takes under `cargo test`, on however slow a machine.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How long a failing input is made smaller.
const SHRINK_LIMIT: Duration = Duration::from_secs(2);
