//! Time that only moves when told to; randomness as usual.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use holdfast_sessions::Millis;
use holdfast_sessions::ports::Host;

/// A clock set by hand. Clones share it. Waiting costs no time: it yields, so that others run first.
#[derive(Clone, Debug)]
pub struct ManualHost {
    now: Arc<AtomicI64>,
    waited: Arc<AtomicU64>,
}

impl ManualHost {
    /// Starts at this moment.
    pub fn at(now: Millis) -> Self {
        Self { now: Arc::new(AtomicI64::new(now.get())), waited: Arc::default() }
    }

    /// Moves the clock on.
    pub fn advance_seconds(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Moves on by milliseconds.
    pub fn advance_millis(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// How long everybody together would have waited, in milliseconds.
    pub fn waited(&self) -> u64 {
        self.waited.load(Ordering::SeqCst)
    }
}

impl Default for ManualHost {
    /// 2026-01-01: DynamoDB deletes items whose TTL lies in the past of its own clock, so tests against the emulator pick
    /// a moment of their own; this one is for stores in memory.
    fn default() -> Self {
        Self::at(Millis::new(1_767_225_600_000))
    }
}

impl Host for ManualHost {
    fn now(&self) -> Millis {
        Millis::new(self.now.load(Ordering::SeqCst))
    }

    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            panic!("no randomness");
        }
    }

    async fn sleep(&self, millis: u64) {
        self.waited.fetch_add(millis, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}

/// The real clock and real patience: for tests in which a server's idea of a second counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealHost;

impl Host for RealHost {
    fn now(&self) -> Millis {
        crate::suites::sessions::real_now()
    }

    fn fill(&self, bytes: &mut [u8]) {
        ManualHost::default().fill(bytes);
    }

    async fn sleep(&self, millis: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
    }
}
