//! Wall-clock time in whole milliseconds: a function may be frozen for minutes, so nothing here is monotonic.

use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(i64);

impl Millis {
    /// From milliseconds since the epoch.
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded up: a TTL attribute must never name a moment before the one meant.
    pub const fn seconds_up(self) -> i64 {
        self.0.div_euclid(1000) + if self.0.rem_euclid(1000) == 0 { 0 } else { 1 }
    }

    /// This moment moved by whole seconds.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// This moment moved by milliseconds.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Seconds from `now` until this moment, rounded up, at least 1: what a `Retry-After` says.
    pub const fn retry_after(self, now: Millis) -> u32 {
        let seconds = (self.0.saturating_sub(now.0)).saturating_add(999).div_euclid(1000);
        if seconds < 1 {
            1
        } else if seconds > u32::MAX as i64 {
            u32::MAX
        } else {
            seconds as u32
        }
    }
}

/// RFC 3339 in UTC with milliseconds, the form of every timestamp that leaves Holdfast.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let Ok(t) = time::OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
            return Err(fmt::Error);
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.millisecond()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_with_milliseconds() {
        assert_eq!(Millis::new(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Millis::new(951_827_696_789).to_string(), "2000-02-29T12:34:56.789Z");
    }

    #[test]
    fn a_ttl_is_never_before_the_moment_meant() {
        assert_eq!(Millis::new(1_000).seconds_up(), 1);
        assert_eq!(Millis::new(1_001).seconds_up(), 2);
    }

    #[test]
    fn retry_after_is_at_least_one_second() {
        assert_eq!(Millis::new(5).retry_after(Millis::new(5_000)), 1);
        assert_eq!(Millis::new(5_001).retry_after(Millis::new(0)), 6);
    }

    #[test]
    fn retry_after_of_a_moment_too_far_away_is_the_longest_that_can_be_said() {
        assert_eq!(Millis::new(i64::MAX).retry_after(Millis::new(0)), u32::MAX);
    }
}
