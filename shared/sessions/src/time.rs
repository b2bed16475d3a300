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

/// Reads an RFC 3339 timestamp with any offset. Parts of a millisecond are cut off.
impl std::str::FromStr for Millis {
    type Err = NoTimestamp;

    fn from_str(text: &str) -> Result<Self, NoTimestamp> {
        parse(text).ok_or(NoTimestamp)
    }
}

/// A text is no RFC 3339 timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTimestamp;

impl fmt::Display for NoTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an RFC 3339 timestamp, such as 2026-11-28T10:15:00.000Z")
    }
}

impl std::error::Error for NoTimestamp {}

/// RFC 3339 §5.6: `full-date "T" partial-time time-offset`.
fn parse(text: &str) -> Option<Millis> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let (millis, offset) = fraction(rest)?;
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    // A leap second counts as the second before it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = date.midnight().assume_utc().unix_timestamp() + hour * 3_600 + minute * 60 + second.min(59);
    Some(Millis::new((seconds - offset_seconds(offset)?) * 1_000 + millis))
}

/// Three numbers of these lengths with a separator between them.
fn numbers(text: &str, separator: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (number, length) in found.iter_mut().zip(lengths) {
        *number = digits(parts.next()?, length)?;
    }
    parts.next().is_none().then_some(found)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The milliseconds of a fraction, if there is one, and what follows it.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return None;
    }
    let millis: String = rest[..length].chars().chain("000".chars()).take(3).collect();
    Some((millis.parse().ok()?, &rest[length..]))
}

fn offset_seconds(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// RFC 3339 in UTC with milliseconds, the form of every timestamp that leaves Holdfast.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.div_euclid(1_000), self.0.rem_euclid(1_000));
        let t = time::OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        let millis = u32::try_from(millis).map_err(|_| fmt::Error)?;
        let (month, day) = (u32::from(u8::from(t.month())), u32::from(t.day()));
        let (hour, minute, second) = (u32::from(t.hour()), u32::from(t.minute()), u32::from(t.second()));
        // A session has seven of these, and the machinery of `write!` would take most of the time of its answer.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [(5..7, month), (8..10, day), (11..13, hour), (14..16, minute), (17..19, second), (20..23, millis)];
        for (place, number) in parts {
            put(&mut text[place], number);
        }
        let from = match u32::try_from(t.year()) {
            Ok(year) => {
                put(&mut text[..4], year);
                0
            }
            Err(_) => {
                write!(f, "{:04}", t.year())?;
                4
            }
        };
        f.write_str(std::str::from_utf8(&text[from..]).map_err(|_| fmt::Error)?)
    }
}

/// Writes a number in decimal digits, with zeros in front.
fn put(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
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
    fn every_part_of_a_timestamp_is_written_with_all_its_digits() {
        // A step that is prime, so that every part takes all its values. From a year before 0 to the year 9999.
        for at in (-62_200_000_000_001_i64..=253_402_300_799_999).step_by(9_999_999_967) {
            let t = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000).unwrap();
            let (date, clock) = ((t.year(), u8::from(t.month()), t.day()), (t.hour(), t.minute(), t.second()));
            let date = format!("{:04}-{:02}-{:02}", date.0, date.1, date.2);
            let expected = format!("{date}T{:02}:{:02}:{:02}.{:03}Z", clock.0, clock.1, clock.2, t.millisecond());
            assert_eq!(Millis::new(at).to_string(), expected);
        }
        assert_eq!(Millis::new(253_402_300_799_999).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn an_offset_has_less_than_a_day_and_less_than_sixty_minutes() {
        let read = |text: &str| text.parse::<Millis>();
        assert_eq!(read("1970-01-02T00:00:00+23:59"), Ok(Millis::new(60_000)));
        for text in ["1970-01-02T00:00:00+24:00", "1970-01-02T00:00:00+00:60", "1970-01-02T00:00:00+24:60"] {
            assert_eq!(read(text), Err(NoTimestamp), "{text}");
        }
        assert_eq!(NoTimestamp.to_string(), "must be an RFC 3339 timestamp, such as 2026-11-28T10:15:00.000Z");
    }

    #[test]
    fn a_timestamp_reads_back_and_may_have_an_offset() {
        for at in [0, 951_827_696_789, 1_795_860_900_001, -1] {
            assert_eq!(Millis::new(at).to_string().parse(), Ok(Millis::new(at)));
        }
        for (text, at) in [
            ("1970-01-01T00:00:01Z", 1_000),
            ("1970-01-01t00:00:00.5z", 500),
            ("1970-01-01T00:00:00.123999999Z", 123),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T19:30:00-04:30", 0),
            ("1970-01-01T00:00:60Z", 59_000),
        ] {
            assert_eq!(text.parse(), Ok(Millis::new(at)), "{text}");
        }
        for text in [
            "",
            "now",
            "0",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01 00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-02-30T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:61Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00+1:00",
            "1970-01-01T00:00:00+24:00",
            "+970-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z ",
            "1970-1-01T00:00:00Z",
            "1970-01-0éT00:00:00Z",
        ] {
            assert_eq!(text.parse::<Millis>(), Err(NoTimestamp), "{text:?}");
        }
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
