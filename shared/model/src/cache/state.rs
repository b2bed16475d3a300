//! The state of the table, the server, the readers and the writers.

use super::Scope;
use crate::invariant::Invariant;

/// Readers at most.
pub const MAX_READERS: usize = 2;
/// Requests of a reader at most.
pub const MAX_REQUESTS: usize = 2;
/// Writers at most.
pub const MAX_WRITERS: usize = 2;

/// `V`, as r3 stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value {
    pub(super) version: u8,
    /// Incarnation that stored it.
    pub(super) inc: u8,
    /// No hit from then on.
    pub(super) until: u8,
}

/// `L`: made by one execution of r1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    /// The request whose r1 it was, and which execution of it: together they stand for nonce ‖ TIME.
    pub(super) request: u8,
    pub(super) copy: u8,
    pub(super) inc: u8,
}

/// What a request may insist on, settled when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owed {
    /// Its token opens an acknowledged session: the request must be accepted, unless that session is superseded
    /// meanwhile.
    Entry,
    /// Its token was revoked, and that was promised to be in force by now.
    Refusal,
    /// Either will do.
    Nothing,
}

/// What a reader is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// The reader is between requests.
    Idle,
    /// r1 is under way.
    Asked { token: u8, owed: Owed },
    /// r1 was a miss; `before` is the time before r2.
    Missed { token: u8, owed: Owed, lease: Option<Lease>, before: u8 },
    /// Only a mutant waits here: it has answered, and keeps what it read for the lease that r1 may bring.
    Keeps { version: u8, until: u8 },
}

/// The state of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reader {
    /// The number of requests begun.
    pub(super) begun: u8,
    pub(super) phase: Phase,
    /// Incarnation learnt when connecting; only a mutant learns it.
    pub(super) connected_to: Option<u8>,
}

/// The writer of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    Idle,
    /// Only a mutant: w2 came first.
    Deleted,
    /// w1 is done.
    Committed,
    /// Only a mutant: answered, w2 to come.
    Promised,
    /// The writer has answered `immediate`.
    Immediate,
    /// The writer has answered `bounded`.
    Bounded,
}

/// r3 under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fill {
    pub(super) version: u8,
    pub(super) until: u8,
    /// Only a mutant fills without.
    pub(super) lease: Option<Lease>,
}

/// The whole system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) now: u8,
    /// The version in the table.
    pub(super) truth: u8,
    /// When version *k + 1* was committed.
    pub(super) committed_at: [u8; MAX_WRITERS],
    pub(super) v: Option<Value>,
    pub(super) l: Option<Lease>,
    pub(super) inc: u8,
    pub(super) failovers_left: u8,
    pub(super) strays_left: u8,
    /// Every V and L that the server ever held, as bits. They are empty once no failover can restore them.
    pub(super) held_v: u64,
    pub(super) held_l: u64,
    pub(super) readers: [Reader; MAX_READERS],
    pub(super) writers: [Writer; MAX_WRITERS],
    /// The fills, by request.
    pub(super) fills: [Option<Fill>; MAX_READERS * MAX_REQUESTS],
    pub(super) broken: Option<Invariant>,
}

impl State {
    pub(super) fn new(scope: &Scope) -> Self {
        Self {
            now: 0,
            truth: 0,
            committed_at: [0; MAX_WRITERS],
            v: None,
            l: None,
            inc: 0,
            failovers_left: scope.failovers,
            strays_left: scope.strays,
            held_v: 0,
            held_l: 0,
            readers: [Reader { begun: 0, phase: Phase::Idle, connected_to: None }; MAX_READERS],
            writers: [Writer::Idle; MAX_WRITERS],
            fills: [None; MAX_READERS * MAX_REQUESTS],
            broken: None,
        }
    }

    pub(super) fn set_v(&mut self, value: Value) {
        self.v = Some(value);
        if self.failovers_left > 0 {
            self.held_v |= 1 << bit_of_value(value);
        }
    }

    pub(super) fn set_l(&mut self, lease: Lease) {
        self.l = Some(lease);
        if self.failovers_left > 0 {
            self.held_l |= 1 << bit_of_lease(lease);
        }
    }

    /// Nothing, or any value the server ever held.
    pub(super) fn old_values(&self) -> impl Iterator<Item = Option<Value>> + '_ {
        let held = (0..64).filter(|bit| self.held_v & (1 << bit) != 0);
        std::iter::once(None).chain(held.map(|bit| Some(value_of_bit(bit))))
    }

    /// Nothing, or any lease the server ever held.
    pub(super) fn old_leases(&self) -> impl Iterator<Item = Option<Lease>> + '_ {
        let held = (0..64).filter(|bit| self.held_l & (1 << bit) != 0);
        std::iter::once(None).chain(held.map(|bit| Some(lease_of_bit(bit))))
    }
}

// Two bits each: versions, incarnations, ticks, requests and copies are all below 4.
fn bit_of_value(v: Value) -> u8 {
    v.version | v.inc << 2 | v.until << 4
}

fn value_of_bit(bit: u8) -> Value {
    Value { version: bit & 3, inc: bit >> 2 & 3, until: bit >> 4 & 3 }
}

fn bit_of_lease(l: Lease) -> u8 {
    l.request | l.inc << 2 | l.copy << 4
}

fn lease_of_bit(bit: u8) -> Lease {
    Lease { request: bit & 3, inc: bit >> 2 & 3, copy: bit >> 4 & 3 }
}
