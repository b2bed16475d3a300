//! The real clock, the system's randomness, and tokio's patience.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_domain::Millis;
use holdfast_domain::ports::Host;

/// The machine this runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Host for System {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// # Panics
    /// When the system has no randomness to give: no token may be made then, and the invocation fails.
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            panic!("the system's random source failed");
        }
    }

    async fn sleep(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}
