//! A circuit breaker for a cache. It decides whether functions ask the cache, and never what a session's state is.
//!
//! Closed: calls go through. Open: calls do not go through until a probe is due. While the probe runs, no other call
//! goes through. The outcome of the probe closes the breaker or opens it for longer. No caller ever waits for a probe.

use crate::time::Millis;

/// This many consecutive failures open the breaker at once.
pub const MAX_FAILURES: u32 = 5;
/// Failures that are at least this far apart, with no success between them, also open the breaker. A slow series of
/// failures is an outage, too.
pub const MAX_TROUBLE_MILLIS: i64 = 250;
/// The first pause before a probe, which doubles after each failed probe.
pub const FIRST_PAUSE_MILLIS: i64 = 500;
/// The longest pause. It makes functions use a recovered server within five seconds.
pub const LAST_PAUSE_MILLIS: i64 = 4_000;
/// A probe without an outcome for this long counts as lost, because an execution environment may be frozen while a
/// probe runs.
pub const PROBE_MILLIS: i64 = 1_000;

/// What to do with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The call may be made.
    Call,
    /// The call must be skipped.
    Skip,
    /// The call must be skipped, and the caller starts a probe.
    Probe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// With the failures since the last success, and when the first of them was.
    Closed { failures: u32, since: Millis },
    /// With the pause it is in, and when that ends.
    Open { pause: i64, until: Millis },
    /// A probe is on its way; it counts as lost after `until`.
    Probing { pause: i64, until: Millis },
}

/// The breaker of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker(State);

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0, since: Millis::new(0) })
    }
}

impl Breaker {
    /// Decides about a call. Callers ask before every call.
    pub fn gate(&mut self, now: Millis) -> Gate {
        match self.0 {
            State::Closed { .. } => Gate::Call,
            State::Open { pause, until } | State::Probing { pause, until } if now >= until => {
                self.0 = State::Probing { pause, until: now.plus_millis(PROBE_MILLIS) };
                Gate::Probe
            }
            State::Open { .. } | State::Probing { .. } => Gate::Skip,
        }
    }

    /// A call or a probe got an answer.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A call or a probe failed or was given up. `random` spreads the probes of many functions: a pause is between half
    /// of its length and all of it. Answers whether this opened the breaker.
    pub fn failed(&mut self, now: Millis, random: u64) -> bool {
        let jittered = |pause: i64| {
            let half = pause / 2;
            now.plus_millis(half + i64::try_from(random % (half.unsigned_abs() + 1)).unwrap_or(0))
        };
        match self.0 {
            State::Closed { failures, since } => {
                let since = if failures == 0 { now } else { since };
                let failures = failures + 1;
                let too_long = now.get().saturating_sub(since.get()) >= MAX_TROUBLE_MILLIS;
                let opens = failures >= MAX_FAILURES || too_long;
                self.0 = if opens {
                    State::Open { pause: FIRST_PAUSE_MILLIS, until: jittered(FIRST_PAUSE_MILLIS) }
                } else {
                    State::Closed { failures, since }
                };
                opens
            }
            State::Probing { pause, .. } => {
                let pause = (pause * 2).min(LAST_PAUSE_MILLIS);
                self.0 = State::Open { pause, until: jittered(pause) };
                false
            }
            // A call that was under way when it opened.
            State::Open { .. } => false,
        }
    }

    /// Whether calls go through.
    pub fn is_closed(&self) -> bool {
        matches!(self.0, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Millis = Millis::new(10_000);

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for nth in 1..=5 {
            assert_eq!(breaker.gate(T0), Gate::Call);
            assert_eq!(breaker.failed(T0, 0), nth == 5);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut breaker = opened();
        assert!(Breaker::default().is_closed());
        assert!(!breaker.is_closed());
        assert_eq!(breaker.gate(T0.plus_millis(249)), Gate::Skip);
    }

    #[test]
    fn a_success_between_keeps_it_closed() {
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            assert!(!breaker.failed(T0, 0));
            breaker.succeeded();
        }
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn trouble_for_a_quarter_of_a_second_opens_it_with_fewer() {
        let mut breaker = Breaker::default();
        assert!(!breaker.failed(T0, 0));
        assert!(!breaker.failed(T0.plus_millis(249), 0));
        assert!(breaker.failed(T0.plus_millis(250), 0));
        // The quarter of a second begins anew with the first failure after a success.
        breaker.succeeded();
        assert!(!breaker.failed(T0.plus_millis(900), 0));
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let mut breaker = opened();
        let due = T0.plus_millis(250);
        assert_eq!(breaker.gate(due), Gate::Probe);
        assert_eq!(breaker.gate(due), Gate::Skip);
        assert!(!breaker.is_closed());
        breaker.succeeded();
        assert_eq!(breaker.gate(due), Gate::Call);
    }

    #[test]
    fn a_failed_probe_doubles_the_pause_up_to_its_limit() {
        let mut breaker = opened();
        let mut now = T0;
        let mut pauses = vec![];
        for _ in 0..6 {
            let since = now;
            while breaker.gate(now) != Gate::Probe {
                now = now.plus_millis(1);
            }
            pauses.push(now.get() - since.get());
            assert!(!breaker.failed(now, 0));
        }
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 2_000, 2_000], "half of each pause: the random part is 0");
    }

    #[test]
    fn the_random_part_makes_a_pause_at_most_whole() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(T0, 250);
        }
        assert_eq!(breaker.gate(T0.plus_millis(499)), Gate::Skip);
        assert_eq!(breaker.gate(T0.plus_millis(500)), Gate::Probe);
    }

    #[test]
    fn a_lost_probe_is_sent_again() {
        let mut breaker = opened();
        let due = T0.plus_millis(250);
        assert_eq!(breaker.gate(due), Gate::Probe);
        assert_eq!(breaker.gate(due.plus_millis(999)), Gate::Skip);
        assert_eq!(breaker.gate(due.plus_millis(1_000)), Gate::Probe);
    }

    #[test]
    fn a_late_failure_of_a_call_changes_nothing_once_it_is_open() {
        let mut breaker = opened();
        let before = breaker;
        assert!(!breaker.failed(T0.plus_millis(100), 0));
        assert_eq!(breaker, before);
    }
}
