//! Time, patience and randomness that follow from a seed: what happened once happens again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock, Rng};

/// A host without any surprise. Clones share clock and randomness.
#[derive(Clone, Debug)]
pub struct SeededHost {
    state: Arc<AtomicU64>,
    clock: Arc<AtomicI64>,
}

impl SeededHost {
    /// Everything follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(AtomicU64::new(seed)), clock: Arc::new(AtomicI64::new(1_767_225_600_000)) }
    }

    /// Moves the clock on.
    pub fn advance_millis(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    /// The next number.
    pub fn draw(&self) -> u64 {
        crate::faulty::mix(self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst))
    }
}

impl Clock for SeededHost {
    fn now(&self) -> Millis {
        Millis::new(self.clock.load(Ordering::SeqCst))
    }

    /// Waiting costs a millisecond of the clock and lets others run.
    async fn sleep(&self, _millis: u64) {
        self.advance_millis(1);
        tokio::task::yield_now().await;
    }
}

impl Rng for SeededHost {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes()[..chunk.len()]);
        }
    }
}
