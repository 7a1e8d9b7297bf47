//! A cached lookup: one caller looks, the others wait for its result.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

/// A looked-up value that is kept for a while.
#[derive(Debug)]
pub(super) struct Lately<T> {
    keep: Duration,
    /// Locked while one caller looks.
    kept: Mutex<Option<(Instant, Arc<T>)>>,
}

impl<T> Lately<T> {
    /// An empty cache whose value lives for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, kept: Mutex::new(None) }
    }

    /// The cached value, or what `look` finds now.
    pub(super) async fn get(&self, look: impl Future<Output = T>) -> Arc<T> {
        self.get_by(Instant::now, look).await
    }

    /// The same with a given clock. A value's age counts from the moment it was found.
    async fn get_by(&self, clock: impl Fn() -> Instant, look: impl Future<Output = T>) -> Arc<T> {
        let mut kept = self.kept.lock().await;
        match &*kept {
            Some((found_at, found)) if clock().duration_since(*found_at) < self.keep => found.clone(),
            _ => {
                let found = Arc::new(look.await);
                *kept = Some((clock(), found.clone()));
                found
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn concurrent_callers_share_one_lookup() {
        let (lately, looks) = (Lately::new(Duration::from_secs(1)), Cell::new(0));
        let now = Cell::new(Instant::now());
        let later = |millis| now.set(now.get() + Duration::from_millis(millis));
        let ask = async || {
            let look = async {
                // Looking takes longer than what is found is kept.
                later(1_500);
                tokio::task::yield_now().await;
                looks.set(looks.get() + 1);
                looks.get()
            };
            *lately.get_by(|| now.get(), look).await
        };
        let (first, second, third) = tokio::join!(ask(), ask(), ask());
        assert_eq!([first, second, third], [1, 1, 1]);
        later(999);
        assert_eq!(ask().await, 1);
        later(1);
        assert_eq!(ask().await, 2);
    }

    #[tokio::test]
    async fn a_cancelled_lookup_is_repeated_by_the_next_caller() {
        let lately = Lately::new(Duration::from_secs(1));
        let gone = lately.get(std::future::pending::<u32>());
        assert!(tokio::time::timeout(Duration::from_millis(1), gone).await.is_err());
        assert_eq!(*lately.get(async { 7 }).await, 7);
    }
}
