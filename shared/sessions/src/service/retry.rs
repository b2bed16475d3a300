//! Repeats writes of the store that meet a conflict, with full jitter and a bounded number of tries.

use std::future::Future;

use crate::ports::{Clock, Rng, StoreError, StoreResult};

/// Tries of one conflicting transaction. In 10 000 rounds (see the concurrency test), 32 sign-ins of one user with 30 %
/// injected conflicts need at most 21. The invocation's deadline may end a loop earlier.
pub(super) const MAX_TRIES: u32 = 40;
const BASE_MILLIS: u64 = 10;
const CAP_MILLIS: u64 = 200;

/// Waits a random time between 0 and `min(200, 10 · 2^attempt)` ms ("full jitter", AWS Architecture Blog, 2015).
pub(super) async fn pause<H: Clock + Rng>(host: &H, attempt: u32) {
    let ceiling = CAP_MILLIS.min(BASE_MILLIS << attempt.min(10));
    let random = u64::from_be_bytes(host.random());
    host.sleep(random % (ceiling + 1)).await;
}

/// Repeats a single write while it meets conflicts, because a conflict means that nothing was written. A plain update
/// conflicts while another transaction holds the item, for example when a client submits one code twice.
pub(super) async fn while_busy<T, H, F, Fut>(host: &H, mut call: F) -> StoreResult<T>
where
    H: Clock + Rng,
    F: FnMut() -> Fut,
    Fut: Future<Output = StoreResult<T>>,
{
    for attempt in 0..MAX_TRIES {
        match call().await {
            Err(StoreError::Conflict(_)) => pause(host, attempt).await,
            known => return known,
        }
    }
    Err(StoreError::Conflict("a single write".into()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::time::Millis;

    /// Draws always the same number, and keeps how long it waited last.
    struct Drawing(u64, AtomicU64);

    impl Clock for Drawing {
        fn now(&self) -> Millis {
            Millis::new(0)
        }

        async fn sleep(&self, millis: u64) {
            self.1.store(millis, SeqCst);
        }
    }

    impl Rng for Drawing {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0.to_be_bytes());
        }
    }

    #[test]
    fn pauses_double_up_to_their_limit_and_are_spread_from_nothing() {
        for (attempt, longest) in [(0, 10), (1, 20), (2, 40), (4, 160), (5, 200), (MAX_TRIES - 1, 200)] {
            for (drawn, waits) in [(longest, longest), (longest + 1, 0), (longest - 1, longest - 1)] {
                let host = Drawing(drawn, AtomicU64::new(u64::MAX));
                pause(&host, attempt).now_or_never().expect("nothing to wait for");
                assert_eq!(host.1.load(SeqCst), waits, "attempt {attempt}");
            }
        }
    }
}
