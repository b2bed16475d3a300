//! When a call is repeated: back-off with full jitter, never past the total time-out of the call.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const MAX_ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The clocks, the pause and the chance that calls use. Tests replace them.
pub(crate) trait Timing: Send + Sync {
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// The time of day, for signatures and for the age of a session.
    fn time_of_day(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    }

    /// A number from 0 to 1.
    fn random(&self) -> f64 {
        rand::random()
    }
}

/// The clocks of the machine.
pub(crate) struct SystemTiming;

impl Timing for SystemTiming {}

/// The total time-out of one call. All attempts and all candidates of a request share it.
pub(crate) struct Deadline {
    timing: Arc<dyn Timing>,
    until: Instant,
}

impl Deadline {
    pub(crate) fn new(timing: &Arc<dyn Timing>, after: Duration) -> Self {
        Self { timing: timing.clone(), until: timing.now() + after }
    }

    /// The remaining time.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(self.timing.now())
    }

    /// Waits before the next attempt. Returns false, without a wait, if no further attempt of the length `needed` fits.
    ///
    /// The jitter comes on top of `Retry-After`, so that clients that were refused together do not return together.
    pub(crate) async fn pause(&self, attempt: u32, retry_after: Option<Duration>, needed: Duration) -> bool {
        let longest = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow(attempt - 1));
        let wait = retry_after.unwrap_or_default().saturating_add(longest.mul_f64(self.timing.random()));
        if attempt >= MAX_ATTEMPTS || wait.saturating_add(needed) > self.left() {
            return false;
        }
        self.timing.sleep(wait).await;
        true
    }
}
