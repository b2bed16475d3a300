//! The faults of calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What may become of a call. Not every fault means something to every proxy; what does not is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Held back for this long, then let through.
    Delay(Duration),
    /// `ProvisionedThroughputExceededException` of DynamoDB, and 429 of @connections, before any effect.
    Throttle,
    /// DynamoDB: a transaction is cancelled by a conflict with another; a single write meets
    /// `TransactionConflictException`. Nothing is written.
    Conflict,
    /// DynamoDB, @connections: 500 before any effect.
    ErrorBefore,
    /// DynamoDB, @connections: the effect happens, and the answer is 500.
    ErrorAfter,
    /// The effect happens, and the connection breaks instead of an answer.
    LostReply,
    /// The connection breaks before any effect.
    LostRequest,
    /// DynamoDB: an eventually consistent read is answered with what the same read said the time before. Strongly
    /// consistent ones are let through.
    Stale,
    /// Redis: `-OOM`, without effect.
    OutOfMemory,
    /// Redis: `-READONLY`, without effect.
    ReadOnly,
    /// Redis: `-TRYAGAIN`, without effect.
    TryAgain,
    /// @connections: 410, although the socket lives.
    Gone,
    /// @connections: 429, because this client's buffer is full.
    BufferFull,
    /// @connections: 403, without effect.
    Forbidden,
    /// @connections: 413, without effect.
    TooLarge,
    /// The call is taken and never answered, until the proxy is dropped.
    Freeze,
}

/// Which share of an operation's calls meets which fault.
#[derive(Clone, Debug)]
struct Rule {
    operation: Option<String>,
    fault: Fault,
    per_mille: u64,
}

/// What was injected so far, by operation and fault.
pub type Injected = BTreeMap<(String, Fault), u64>;

#[derive(Debug, Default)]
struct Counts {
    calls: BTreeMap<String, u64>,
    injected: Injected,
}

/// Seeded rules. Clones share their counters.
#[derive(Clone, Debug)]
pub struct Plan {
    seed: u64,
    rules: Vec<Rule>,
    counts: Arc<Mutex<Counts>>,
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Plan {
    /// Without rules, everything is let through.
    pub fn new(seed: u64) -> Self {
        Self { seed, rules: Vec::new(), counts: Arc::default() }
    }

    /// Adds a fault for `per_mille` of 1 000 calls of an operation. Rules of one operation share the thousand: their
    /// shares add up, and what they leave over is let through.
    #[must_use]
    pub fn with(mut self, operation: &str, fault: Fault, per_mille: u64) -> Self {
        self.rules.push(Rule { operation: Some(operation.to_owned()), fault, per_mille });
        self
    }

    /// The same for every operation.
    #[must_use]
    pub fn with_all(mut self, fault: Fault, per_mille: u64) -> Self {
        self.rules.push(Rule { operation: None, fault, per_mille });
        self
    }

    /// What becomes of the `nth` call of `operation`: a function of these, the seed and the rules, and of nothing else.
    pub fn decide(&self, operation: &str, nth: u64) -> Option<Fault> {
        let name = operation.bytes().fold(self.seed, |state, byte| mix(state ^ u64::from(byte)));
        let mut roll = mix(name ^ mix(nth)) % 1000;
        for rule in self.rules.iter().filter(|rule| rule.operation.as_deref().is_none_or(|name| name == operation)) {
            if roll < rule.per_mille {
                return Some(rule.fault);
            }
            roll -= rule.per_mille;
        }
        None
    }

    /// Counts a call of `operation`, and says what becomes of it.
    pub(crate) fn next(&self, operation: &str) -> Option<Fault> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = counts.calls.entry(operation.to_owned()).or_default();
        let fault = self.decide(operation, *nth);
        *nth += 1;
        if let Some(fault) = fault {
            *counts.injected.entry((operation.to_owned(), fault)).or_default() += 1;
        }
        fault
    }

    /// What was injected so far.
    pub fn injected(&self) -> Injected {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).injected.clone()
    }

    /// How many faults were injected so far.
    pub fn total(&self) -> u64 {
        self.injected().values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_same_again_whatever_else_is_called() {
        let plan = || Plan::new(7).with("PutItem", Fault::Throttle, 300).with_all(Fault::LostReply, 100);
        let (one, two) = (plan(), plan());
        let first: Vec<_> = (0..200).map(|_| one.next("PutItem")).collect();
        let second: Vec<_> = (0..200)
            .map(|_| {
                two.next("GetItem");
                two.next("PutItem")
            })
            .collect();
        assert_eq!(first, second);
        assert_ne!(
            first,
            (0..200)
                .map(|nth| Plan::new(8).with("PutItem", Fault::Throttle, 300).decide("PutItem", nth))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn shares_are_what_they_say() {
        let plan =
            Plan::new(1).with("A", Fault::Conflict, 300).with("A", Fault::LostReply, 50).with("B", Fault::Stale, 1000);
        for _ in 0..10_000 {
            plan.next("A");
            plan.next("B");
            plan.next("C");
        }
        let injected = plan.injected();
        let of = |operation: &str, fault| injected.get(&(operation.to_owned(), fault)).copied().unwrap_or_default();
        assert!((2_700..3_300).contains(&of("A", Fault::Conflict)), "{injected:?}");
        assert!((350..650).contains(&of("A", Fault::LostReply)), "{injected:?}");
        assert_eq!(of("B", Fault::Stale), 10_000);
        assert_eq!(plan.total(), injected.values().sum::<u64>());
        assert!(!injected.keys().any(|(operation, _)| operation == "C"));
    }
}
