//! Reads a request's body within limits: per body, in time, and for all half read bodies together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::{sync::oneshot, time::timeout};

use super::Limits;

/// How many bytes of unfinished bodies may be in memory at once, over all listeners.
const HALF_READ_BYTES_MAX: usize = 64 << 20;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It took longer than allowed: 408.
    Slow,
    /// It is larger than allowed: 413.
    TooLarge,
    /// The connection broke or the framing is wrong: 400.
    Broken,
    /// Too many unfinished bodies were in memory, and this one was the oldest: 429.
    Crowded,
}

impl BodyError {
    /// The HTTP status for this error.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Slow => 408,
            Self::TooLarge => 413,
            Self::Broken => 400,
            Self::Crowded => 429,
        }
    }

    /// The HTTP status for a callback. None closes the connection without an answer, so that WeCom repeats the
    /// callback: a body that was dropped for want of room may have been genuine.
    pub(super) fn callback_status(self) -> Option<u16> {
        (self != Self::Crowded).then(|| self.status())
    }

    /// A stable word for a counter.
    pub(super) fn step(self) -> &'static str {
        match self {
            Self::Slow => "body_slow",
            Self::TooLarge => "body_too_large",
            Self::Broken => "body_broken",
            Self::Crowded => "body_crowded",
        }
    }
}

/// The memory that unfinished bodies may use together. Clones share it.
///
/// A caller that sends half a body and stops looks like a slow one, so nobody waits for room: when it is used up, the
/// body that began first is dropped. WeCom's bodies arrive whole within milliseconds and are rarely the oldest.
/// for long.
#[derive(Debug, Clone)]
pub struct BodyRoom(Arc<Mutex<HalfRead>>);

#[derive(Debug)]
struct HalfRead {
    bytes_max: usize,
    bytes: usize,
    next: u64,
    /// Keyed by the order in which they began.
    bodies: BTreeMap<u64, HalfBody>,
}

#[derive(Debug)]
struct HalfBody {
    bytes: usize,
    /// Dropped when the body is given up, which tells its reader.
    _keep: oneshot::Sender<()>,
}

/// One body's share of the room; it is given back when this is dropped.
struct Share {
    room: BodyRoom,
    number: u64,
    given_up: oneshot::Receiver<()>,
}

impl Default for BodyRoom {
    fn default() -> Self {
        Self::of(HALF_READ_BYTES_MAX)
    }
}

impl BodyRoom {
    /// Room for `bytes_max` bytes.
    fn of(bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(HalfRead { bytes_max, bytes: 0, next: 0, bodies: BTreeMap::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, HalfRead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Share {
        let (keep, given_up) = oneshot::channel();
        let mut half_read = self.lock();
        let number = half_read.next;
        half_read.next += 1;
        half_read.bodies.insert(number, HalfBody { bytes: 0, _keep: keep });
        Share { room: self.clone(), number, given_up }
    }
}

impl HalfRead {
    /// Records that a body grew, and drops the oldest ones until all fit.
    fn grow(&mut self, number: u64, bytes: usize) {
        let Some(body) = self.bodies.get_mut(&number) else { return };
        body.bytes += bytes;
        self.bytes += bytes;
        while self.bytes > self.bytes_max
            && let Some((_, oldest)) = self.bodies.pop_first()
        {
            self.bytes -= oldest.bytes;
        }
    }

    fn leave(&mut self, number: u64) {
        if let Some(body) = self.bodies.remove(&number) {
            self.bytes -= body.bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.lock().leave(self.number);
    }
}

/// Reads the whole body. A body whose announced length is too large is refused before a byte of it is read.
pub(super) async fn read(body: Incoming, limits: &Limits) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > limits.body_bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    match timeout(limits.body_timeout, collect(body, limits)).await {
        Err(_) => Err(BodyError::Slow),
        Ok(read) => read,
    }
}

async fn collect(mut body: Incoming, limits: &Limits) -> Result<Bytes, BodyError> {
    let mut share = limits.body_room.enter();
    // Reserving the announced length takes no memory yet, and saves the copies that a growing buffer makes.
    let announced = usize::try_from(body.size_hint().exact().unwrap_or_default()).unwrap_or_default();
    let mut whole = BytesMut::with_capacity(announced.min(limits.body_bytes_max));
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // Nothing is ever sent; the sender is dropped when the room runs out.
            _ = &mut share.given_up => return Err(BodyError::Crowded),
        };
        let Some(frame) = frame else { return Ok(whole.freeze()) };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if whole.len() + data.len() > limits.body_bytes_max {
            return Err(BodyError::TooLarge);
        }
        share.room.lock().grow(share.number, data.len());
        // Copied, because a frame is a slice of the connection's buffer and would keep all of it alive.
        whole.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_unfinished_bodies_are_dropped_until_the_others_fit() {
        let room = BodyRoom::of(100);
        let (mut first, mut second, mut third) = (room.enter(), room.enter(), room.enter());
        for share in [&first, &second, &third] {
            room.lock().grow(share.number, 33);
        }
        assert!([&mut first, &mut second, &mut third].into_iter().all(|it| it.given_up.try_recv() == empty()));
        room.lock().grow(third.number, 50);
        assert!([&mut first, &mut second].into_iter().all(|it| it.given_up.try_recv() == gone()), "49 bytes too many");
        assert_eq!(third.given_up.try_recv(), empty());
        assert_eq!(room.lock().bytes, 83);
    }

    #[test]
    fn a_body_over_the_whole_limit_is_dropped_and_finished_bodies_free_their_room() {
        let room = BodyRoom::of(100);
        let mut only = room.enter();
        room.lock().grow(only.number, 101);
        assert_eq!(only.given_up.try_recv(), gone());
        assert_eq!(room.lock().bytes, 0);
        let ended = room.enter();
        room.lock().grow(ended.number, 60);
        drop((only, ended));
        let half_read = room.lock();
        assert_eq!((half_read.bytes, half_read.bodies.len()), (0, 0));
    }

    fn empty() -> Result<(), oneshot::error::TryRecvError> {
        Err(oneshot::error::TryRecvError::Empty)
    }

    fn gone() -> Result<(), oneshot::error::TryRecvError> {
        Err(oneshot::error::TryRecvError::Closed)
    }
}
