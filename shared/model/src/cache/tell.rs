//! Steps in words.

use super::state::{Lease, MAX_REQUESTS, Owed, Phase, State, Value, Writer};
use super::steps::Step;
use crate::invariant::Invariant;

const NAMES: [char; 2] = ['A', 'B'];

fn request(n: usize) -> String {
    format!("{}{}", NAMES[n / MAX_REQUESTS], n % MAX_REQUESTS + 1)
}

/// The request a reader is making, or made last.
fn of(s: &State, i: usize) -> String {
    request(i * MAX_REQUESTS + usize::from(s.readers[i].begun.max(1)) - 1)
}

fn lease(l: Lease) -> String {
    let again = if l.copy == 0 { "" } else { "′" };
    format!("L({}{again}, incarnation {})", request(usize::from(l.request)), l.inc)
}

fn value(v: Value) -> String {
    format!("V(version {}, incarnation {}, until {})", v.version, v.inc, v.until)
}

fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| "nothing".to_owned())
}

fn verdict(token: u8, version: u8) -> &'static str {
    if token == version { "LET IN" } else { "refused" }
}

fn read(before: &State, after: &State, i: usize, version: u8) -> String {
    let (Phase::Asked { token, .. } | Phase::Missed { token, .. }) = before.readers[i].phase else {
        return String::new();
    };
    let late = if version == before.truth { String::new() } else { format!(" (the table holds {})", before.truth) };
    let sent = if after.fills == before.fills { "" } else { "; r3 is sent" };
    format!("finds version {version}{late}: token {token} is {}{sent}", verdict(token, version))
}

fn r1(before: &State, after: &State, i: usize) -> String {
    let found = format!("V = {}, L = {}", or_none(before.v.map(value)), or_none(before.l.map(lease)));
    let outcome = match (before.readers[i].phase, after.readers[i].phase) {
        (_, Phase::Missed { lease: Some(l), .. }) => format!("MISS with lease {}", lease(l)),
        (_, Phase::Missed { lease: None, .. }) => "no lease: the table decides".to_owned(),
        (Phase::Keeps { .. }, _) if after.l == before.l => "no lease".to_owned(),
        (Phase::Keeps { version, .. }, _) => format!("a lease, and r3 is sent with the version {version} read before"),
        (Phase::Asked { token, .. }, _) if after.broken == Some(Invariant::Dur) => {
            format!("HIT, of another session: token {token} is refused")
        }
        (Phase::Asked { token, .. }, _) => format!("HIT: token {token} is LET IN"),
        _ => String::new(),
    };
    format!("{} r1 is executed ({found}): {outcome}", of(before, i))
}

fn promise(writer: Writer) -> &'static str {
    match writer {
        Writer::Immediate | Writer::Promised => "answered `immediate`",
        Writer::Bounded => "answered `bounded`",
        Writer::Idle | Writer::Deleted | Writer::Committed => "nothing answered yet",
    }
}

pub(super) fn tell(before: &State, step: Step, after: &State) -> String {
    let stored = |s: &State| format!("V = {}, L = {}", or_none(s.v.map(value)), or_none(s.l.map(lease)));
    match step {
        Step::Ask(i, token) => {
            let dead = matches!(after.readers[i].phase, Phase::Asked { owed: Owed::Refusal, .. });
            let note = if dead { ", which is revoked by now" } else { "" };
            format!("{} begins: token {token}{note}", of(after, i))
        }
        Step::R1(i) => r1(before, after, i),
        Step::StrayR1(n) => format!("{} r1 is executed once more, unheard: {}", request(n), stored(after)),
        Step::Hedge(i, version) => {
            format!("{} does not wait for r1, reads the table, {}", of(before, i), read(before, after, i, version))
        }
        Step::R2(i, version) => format!("{} r2 {}", of(before, i), read(before, after, i, version)),
        Step::R3(n) => format!("{} r3 is executed: {}", request(n), stored(after)),
        Step::StrayR3(n) => format!("{} r3 is executed, and will be once more: {}", request(n), stored(after)),
        Step::Commit(i) => format!("writer {}: w1 commits version {}; {}", i + 1, i + 1, promise(after.writers[i])),
        Step::Delete(i) => format!("writer {}: w2 leaves {}; {}", i + 1, stored(after), promise(after.writers[i])),
        Step::DeleteLost(i) => format!("writer {}: w2 is lost; {}", i + 1, promise(after.writers[i])),
        Step::Promise(i) => format!("writer {}: {}, before w2", i + 1, promise(after.writers[i])),
        Step::LoseV => "V is evicted".to_owned(),
        Step::LoseL => "L runs out".to_owned(),
        Step::Failover(..) => format!("failover: incarnation {} answers, with {}", after.inc, stored(after)),
        Step::Tick => format!("the clock shows {}", after.now),
    }
}
