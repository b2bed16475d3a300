//! A clock that only moves when a test moves it, with the usual randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock, Rng};

/// A clock that tests set. Clones share it. A wait takes no time: it yields, so that others run first.
#[derive(Clone, Debug)]
pub struct ManualHost {
    now: Arc<AtomicI64>,
    waited: Arc<AtomicU64>,
}

impl ManualHost {
    /// Creates a clock that starts at this moment.
    pub fn at(now: Millis) -> Self {
        Self { now: Arc::new(AtomicI64::new(now.get())), waited: Arc::default() }
    }

    /// Moves the clock forward.
    pub fn advance_seconds(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Moves the clock forward by milliseconds.
    pub fn advance_millis(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// How long all callers together would have waited, in milliseconds.
    pub fn waited(&self) -> u64 {
        self.waited.load(Ordering::SeqCst)
    }
}

impl Default for ManualHost {
    /// The clock starts on 2026-01-01, and is for stores in memory. DynamoDB deletes items whose TTL is in the past of
    /// its own clock, so tests against the emulator choose another moment.
    fn default() -> Self {
        Self::at(Millis::new(1_767_225_600_000))
    }
}

impl Clock for ManualHost {
    fn now(&self) -> Millis {
        Millis::new(self.now.load(Ordering::SeqCst))
    }

    async fn sleep(&self, millis: u64) {
        self.waited.fetch_add(millis, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}

impl Rng for ManualHost {
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            panic!("no randomness");
        }
    }
}

/// The real clock and real waits, for tests that depend on the seconds of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealHost;

impl Clock for RealHost {
    fn now(&self) -> Millis {
        crate::suites::sessions::real_now()
    }

    async fn sleep(&self, millis: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
    }
}

impl Rng for RealHost {
    fn fill(&self, bytes: &mut [u8]) {
        ManualHost::default().fill(bytes);
    }
}

/// A clock that only moves when a test moves it, with real waits: for tests with a server that takes time to answer.
#[derive(Clone, Debug)]
pub struct PatientHost(pub ManualHost);

impl Clock for PatientHost {
    fn now(&self) -> Millis {
        self.0.now()
    }

    async fn sleep(&self, millis: u64) {
        RealHost.sleep(millis).await;
    }
}

impl Rng for PatientHost {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}
