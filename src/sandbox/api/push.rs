//! Pushes callbacks from the world to the service: a queue, several deliveries at once, and a count of the unfinished
//! ones.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::sandbox::deliver::Sender;
use crate::sandbox::push::Push;

/// How many callbacks the queue holds; further ones wait for a place.
const QUEUE_MAX: usize = 10_000;

/// How many callbacks are delivered at once.
const ON_THEIR_WAY_MAX: usize = 64;

/// A queued callback; dropping it counts it as done.
pub(super) struct Waiting {
    push: Push,
    sender: Sender,
    count: watch::Sender<usize>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// The queue's entrance.
pub(super) struct Pushes {
    sender: Mutex<Option<Sender>>,
    queue: mpsc::Sender<Waiting>,
    count: watch::Sender<usize>,
}

impl Pushes {
    /// Both ends.
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        (Self { sender: Mutex::new(None), queue, count: watch::Sender::new(0) }, waiting)
    }

    pub(super) fn send_to(&self, sender: Sender) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }

    /// Queues a callback; without a service it is dropped.
    pub(super) async fn push(&self, push: Push) {
        if let Some(waiting) = self.waiting(push) {
            // If the receiver is gone, it is returned and dropped, which counts it as done.
            let _ = self.queue.send(waiting).await;
        }
    }

    /// The same for many, without waiting: they are sent even if the caller hangs up.
    pub(super) fn push_all(&self, pushes: Vec<Push>) {
        let waiting: Vec<Waiting> = pushes.into_iter().filter_map(|push| self.waiting(push)).collect();
        if waiting.is_empty() {
            return;
        }
        let queue = self.queue.clone();
        // It ends when all are queued, or when the receiver is gone.
        tokio::spawn(async move {
            for waiting in waiting {
                let _ = queue.send(waiting).await;
            }
        });
    }

    /// A callback that counts as unfinished from now on.
    fn waiting(&self, push: Push) -> Option<Waiting> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        self.count.send_modify(|count| *count += 1);
        Some(Waiting { push, sender, count: self.count.clone() })
    }

    /// Waits until no callback is unfinished.
    pub(super) async fn done(&self) {
        // The channel stays open here, because one of its senders is in `self`.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Delivers queued callbacks as the platform would: in no fixed order, and again if there is no answer.
pub(super) async fn deliver(mut queue: mpsc::Receiver<Waiting>) {
    let mut on_their_way = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = on_their_way.join_next() => {}
            waiting = queue.recv(), if on_their_way.len() < ON_THEIR_WAY_MAX => {
                let Some(waiting) = waiting else { return };
                on_their_way.spawn(async move {
                    let delivered = waiting.sender.deliver(&waiting.push).await;
                    tracing::debug!(status = delivered.status, attempts = delivered.attempts, "a callback was pushed");
                });
            }
        }
    }
}
