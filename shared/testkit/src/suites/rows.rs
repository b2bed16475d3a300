//! How long each kind of row is kept, and when DynamoDB may delete it.
//!
//! The checks read the rows as a table stores them. They know each kind of row by its keys, and compute from its other
//! attributes when it expires. The numbers are repeated here, because a check that took them from the code could not
//! notice a wrong one. A row of an unknown kind fails, so that a new kind cannot be left out.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_sessions::Millis;

/// A row as a table stores it.
pub type Row = HashMap<String, AttributeValue>;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// The TTLs that a row may have, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// The row has no TTL.
    Always,
    /// The row has exactly this TTL.
    Until(i64),
    /// The TTL is in this range, both ends included.
    Between(i64, i64),
}

fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

fn number(row: &Row, name: &str) -> Option<i64> {
    row.get(name).map(|value| {
        let digits = value.as_n().unwrap_or_else(|_| panic!("{name} is not a number: {value:?}"));
        digits.parse().unwrap_or_else(|_| panic!("{name} is not a whole number: {digits}"))
    })
}

/// The whole second, rounded up, of a time in milliseconds.
fn second(row: &Row, name: &str) -> i64 {
    let millis = number(row, name).unwrap_or_else(|| panic!("a row without {name}: {row:?}"));
    millis.div_euclid(1_000) + i64::from(millis.rem_euclid(1_000) > 0)
}

fn keys(row: &Row) -> (&str, &str) {
    (text(row, "PK").unwrap_or_default(), text(row, "SK").unwrap_or_default())
}

fn check<'a>(rows: &'a [Row], kinds: &[&str], judge: impl Fn(&'a Row) -> (&'static str, Kept)) {
    let mut seen = BTreeSet::new();
    for row in rows {
        let (kind, kept) = judge(row);
        seen.insert(kind);
        // A TTL in milliseconds, or as text, is one that DynamoDB never acts on.
        let ttl = number(row, "ttl");
        let good = match kept {
            Kept::Always => ttl.is_none(),
            Kept::Until(at) => ttl == Some(at),
            Kept::Between(from, to) => ttl.is_some_and(|ttl| (from..=to).contains(&ttl)),
        };
        assert!(good, "{kind}: the TTL is {ttl:?} and must be {kept:?}: {row:?}");
    }
    let expected: BTreeSet<_> = kinds.iter().copied().collect();
    assert_eq!(seen, expected, "the kinds of rows that were written");
}

/// Checks the rows of the table `sessions`. Each is kept until it expires, and at most a day longer. Tombstones of
/// sessions and devices are kept for an hour, and names and accounts permanently.
///
/// # Panics
/// When a row has another TTL, or when a kind of row is missing or unknown.
pub fn of_sessions(rows: &[Row]) {
    let kinds = [
        "e-mail",
        "identity",
        "account",
        "session",
        "tombstone",
        "device",
        "removed device",
        "sign-in",
        "MFA session",
        "attempts",
    ];
    check(rows, &kinds, |row| {
        let (pk, sk) = keys(row);
        let day_after = |name: &str| Kept::Until(second(row, name) + DAY);
        match (pk.split('#').next().unwrap_or_default(), sk.split('#').next().unwrap_or_default()) {
            ("E", "EMAIL") => ("e-mail", Kept::Always),
            ("I", "IDENTITY") => ("identity", Kept::Always),
            ("U", "META") => ("account", Kept::Always),
            ("U", "S") if row.contains_key("endedAt") => ("tombstone", Kept::Until(second(row, "endedAt") + HOUR)),
            ("U", "S") => ("session", day_after("absoluteExpiresAt")),
            ("U", "D") if row.contains_key("removedAt") => {
                ("removed device", Kept::Until(second(row, "removedAt") + HOUR))
            }
            ("U", "D") => ("device", day_after("expiresAt")),
            ("L", "LOGIN") => ("sign-in", day_after("expiresAt")),
            ("L", "MFA") => ("MFA session", day_after("expiresAt")),
            ("A", "ATTEMPTS") => {
                let ends = ["windowEnds", "runEnds", "waitUntil", "knownUntil"];
                let void = ends.into_iter().filter(|name| row.contains_key(*name)).map(|name| second(row, name)).max();
                let void = void.unwrap_or_else(|| panic!("a counter without a window: {row:?}"));
                // An attempt in an open window prolongs the run and leaves the TTL, which stays within the grace.
                ("attempts", Kept::Between(void + 1, void + DAY))
            }
            _ => panic!("a row of an unknown kind; say here how long it is kept: {row:?}"),
        }
    });
}

/// Checks the rows of the table `connections`. Each is kept until it expires, and most of them an hour longer. `began`
/// is when the first row was written, and `now` when the last one was, or later.
///
/// # Panics
/// When a row has another TTL, or when a kind of row is missing or unknown.
pub fn of_connections(rows: &[Row], began: Millis, now: Millis) {
    let kinds = [
        "connection",
        "connection of a user",
        "subscription",
        "closed connection",
        "ticket",
        "head",
        "message",
        "appended id",
        "idempotency key",
        "recovery budget",
        "recovery budget of a user",
        "tickets of a user",
    ];
    let offset = |row: &Row| (keys(row).0.to_owned(), number(row, "offset"));
    let sent: HashMap<_, _> = rows
        .iter()
        .filter(|row| keys(row).1.starts_with("MSG#"))
        .map(|row| (offset(row), second(row, "sentAt")))
        .collect();
    check(rows, &kinds, |row| {
        let (pk, sk) = keys(row);
        let socket = || Kept::Until(second(row, "connectedAt") + 7_800);
        let budget = |seconds: i64| {
            let window: i64 = sk.strip_prefix("WINDOW#").and_then(|n| n.parse().ok()).expect("a window");
            Kept::Until((window + 1) * seconds + HOUR)
        };
        match (pk.split('#').next().unwrap_or_default(), sk.split('#').next().unwrap_or_default()) {
            ("CONNECTION", "METADATA") => ("connection", socket()),
            ("USER", "CONNECTION") => ("connection of a user", socket()),
            ("CONNECTION", "TOPIC") => ("subscription", socket()),
            ("CONNECTION", "GONE") => ("closed connection", Kept::Until(second(row, "goneAt") + HOUR)),
            ("TICKET", "TICKET") => ("ticket", Kept::Until(second(row, "expiresAt") + HOUR)),
            ("CHANNEL", "HEAD") => {
                let month = 30 * DAY + HOUR;
                ("head", Kept::Between(began.seconds_up() + month, now.seconds_up() + month))
            }
            ("CHANNEL", "MSG") => ("message", Kept::Until(second(row, "sentAt") + DAY + HOUR)),
            ("CHANNEL", "ID") => {
                let sent = sent.get(&offset(row)).unwrap_or_else(|| panic!("an id without its message: {row:?}"));
                ("appended id", Kept::Until(sent + 3 * DAY + HOUR))
            }
            ("PUBLISH", "KEY") => ("idempotency key", Kept::Until(second(row, "expiresAt") + HOUR)),
            ("BUDGET", "WINDOW") => match pk.split('#').nth(1).unwrap_or_default() {
                "RECOVERY" => ("recovery budget", budget(5)),
                "RECOVERY-OF" => ("recovery budget of a user", budget(5)),
                "TICKETS-OF" => ("tickets of a user", budget(60)),
                _ => panic!("a budget of an unknown kind; say here how long it is kept: {row:?}"),
            },
            _ => panic!("a row of an unknown kind; say here how long it is kept: {row:?}"),
        }
    });
}

/// Checks the rows of the table `activity`. An event is kept as long as the caller asked for, and the rest permanently.
///
/// # Panics
/// When a row has another TTL, or when a kind of row is missing or unknown.
pub fn of_activity(rows: &[Row], delete_after: Millis) {
    check(rows, &["event", "last sign-in", "devices"], |row| match keys(row).1.split('#').next().unwrap_or_default() {
        "E" => ("event", Kept::Until(delete_after.seconds_up())),
        "LAST_LOGIN" => ("last sign-in", Kept::Always),
        "DEVICES" => ("devices", Kept::Always),
        _ => panic!("a row of an unknown kind; say here how long it is kept: {row:?}"),
    });
}
