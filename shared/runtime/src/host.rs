//! The real clock, the system's randomness, and tokio's patience.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock, Rng};

/// The machine this runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl Rng for System {
    /// # Panics
    /// When the system has no randomness to give: no token may be made then, and the invocation fails.
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            panic!("the system's random source failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn the_machine_has_a_clock_and_randomness() {
        // 2026-01-01: this was written later.
        assert!(System.now() > Millis::new(1_767_225_600_000));
        let (one, other): ([u8; 32], [u8; 32]) = (System.random(), System.random());
        assert!(one != other && one != [0; 32]);
    }

    #[tokio::test]
    async fn waiting_takes_time() {
        let mut waiting = pin!(System.sleep(600_000));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
        System.sleep(0).await;
    }
}
