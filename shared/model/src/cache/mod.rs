//! The cache protocol (docs/correctness.md): readers that fill under a lease, writers that only delete, one slot.
//!
//! The slot's content is a version number. Version *k* is a session (or a tombstone) of its own: only token *k* opens it,
//! and committing *k + 1* revokes it, whether by logout, rotation or eviction. A request is one presentation of a token.

mod state;
mod steps;
mod tell;

use crate::invariant::Invariant;
use crate::protocol::{Passed, Protocol};

pub use state::{MAX_READERS, MAX_REQUESTS, MAX_WRITERS, State};
pub use steps::Step;

/// The cache protocol, or a variant of it.
#[derive(Clone, Debug)]
pub struct Cache {
    /// How much of it.
    pub scope: Scope,
    /// What the servers are like.
    pub world: World,
    /// What is wrong with it, if anything.
    pub mutant: Option<Mutant>,
}

/// How many of everything.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Concurrent readers, at most [`MAX_READERS`].
    pub readers: usize,
    /// Requests each of them makes, at most [`MAX_REQUESTS`].
    pub requests: usize,
    /// Commits, each by a writer of its own, at most [`MAX_WRITERS`].
    pub writers: usize,
    /// Failovers, at most 2.
    pub failovers: u8,
    /// Executions of scripts beyond the one that was waited for: late or repeated r1, repeated r3. At most 2.
    pub strays: u8,
    /// Ticks of the clock, and how many of them a cached value lives: together at most 3.
    pub ticks: u8,
    /// The maximum age of a copy; see [`Scope::ticks`].
    pub max_age: u8,
}

/// The behaviour of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// One primary at a time. A failover restores any value and lease that it ever held, under a new incarnation.
    OnePrimary,
    /// INFO is hidden from scripts: no incarnation can be distinguished from another, so every writer answers
    /// `bounded`.
    NoFence,
    /// The other primary answers now and then: what was deleted here is still there, under an incarnation that was never
    /// given up. Only the bound is promised.
    TwoPrimaries,
}

/// Faults that a model must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Every reader that misses stores what it read.
    FillWithoutLease,
    /// w2 leaves the lease alone.
    DeletesValueOnly,
    /// Every lease has the same id (and the server's incarnation).
    ConstantNonce,
    /// A hit does not compare the incarnation.
    NoIncarnationOnValue,
    /// r3 does not compare the incarnation.
    NoIncarnationOnLease,
    /// w2 comes before w1.
    DeleteBeforeCommit,
    /// w3 comes before w2.
    AcknowledgeBeforeDelete,
    /// r2 may read an earlier version.
    EventualRead,
    /// What a hedged read found is stored under the lease that r1 brings later.
    HedgedReadFills,
    /// The lease id comes with the request, so a repeated r1 has it again.
    ClientMadeLease,
    /// The reader compares with the incarnation it learnt when it connected.
    IncarnationOncePerConnection,
    /// w2 stores the new value instead of deleting.
    WriterSets,
    /// A hit does not check `validUntil`.
    NoMaxAge,
    /// `validUntil` counts from r3 and not from before r2.
    AgeCountsFromFill,
    /// A delete that was not confirmed is answered `immediate`.
    LostDeleteIsImmediate,
    /// A value that is another session's is answered with 401.
    MismatchIsRefusal,
    /// A value accepts a request without a comparison of its secret.
    SecretNotCompared,
}

/// Places that a run must pass, so that a cache that never hits proves nothing.
#[derive(Clone, Copy, Debug)]
enum At {
    Filled,
    Hit,
    FillRejected,
    LetIn,
    Refused,
    Immediate,
    Bounded,
    StaleWithinBound,
    OldIncarnationMissed,
    OutOfAge,
    HedgedRead,
    StrayR1,
    StrayR3,
}

impl Protocol for Cache {
    type State = State;
    type Step = Step;

    const INVARIANTS: &'static [Invariant] = &[Invariant::Auth, Invariant::Dur, Invariant::Iso];

    fn start(&self) -> Vec<State> {
        vec![State::new(&self.scope)]
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.offer(state, steps);
    }

    fn apply(&self, state: &mut State, step: &Step, passed: &mut Passed) {
        self.take(state, *step, passed);
    }

    fn broken(state: &State) -> Option<Invariant> {
        state.broken
    }

    fn landmarks(&self) -> Vec<(&'static str, u8)> {
        let fence = self.world == World::OnePrimary;
        let all = [
            (true, "a value is stored under a lease", At::Filled),
            (true, "a hit", At::Hit),
            (true, "a fill whose lease is dead is rejected", At::FillRejected),
            (true, "a request is let in", At::LetIn),
            (true, "a request is refused", At::Refused),
            (self.world != World::NoFence, "a writer answers immediate", At::Immediate),
            (true, "a writer answers bounded", At::Bounded),
            (true, "a stale answer within the bound", At::StaleWithinBound),
            (
                fence && self.scope.failovers > 0,
                "a value of an earlier incarnation is no hit",
                At::OldIncarnationMissed,
            ),
            (self.scope.ticks > 0, "a value past its age is no hit", At::OutOfAge),
            (true, "a hedged read answers", At::HedgedRead),
            (self.scope.strays > 0, "r1 runs late or twice", At::StrayR1),
            (self.scope.strays > 0, "r3 runs twice", At::StrayR3),
        ];
        all.into_iter().filter(|(here, ..)| *here).map(|(_, name, at)| (name, at as u8)).collect()
    }

    fn tell(&self, before: &State, step: &Step, after: &State) -> String {
        tell::tell(before, *step, after)
    }
}
