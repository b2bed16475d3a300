//! Refresh rotation (docs/correctness.md): two tabs that share a token store, a thief who may know
//! `mfaSessionId` or copy a token, lost replies, a clock.
//!
//! The model uses real tokens: a token of the model is a number for one of them. [`holdfast_sessions::rotation::judge`]
//! decides what a presented token means, and [`holdfast_sessions::rotation::rotate`] what a slot becomes.

mod real;
mod state;
mod steps;
mod tell;

use std::sync::Arc;

use crate::invariant::Invariant;
use crate::protocol::{Passed, Protocol};

pub use state::State;
pub use steps::Step;

use real::Tokens;

/// Refresh rotation, or a variant of it.
#[derive(Clone, Debug)]
pub struct Refresh {
    scope: Scope,
    mutant: Option<Mutant>,
    tokens: Arc<Tokens>,
}

/// How many of everything.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Presentations by each tab.
    pub presents: u8,
    /// Presentations by the thief.
    pub thefts: u8,
    /// Replies lost after the write.
    pub lost_replies: u8,
    /// Ticks of a second. The grace is one of them, an idle session lives three and any session five.
    pub ticks: u8,
    /// Whether another session may take the slot.
    pub replaced: bool,
}

/// Faults that the model must catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// An old token is theft even if its session has ended or expired.
    TheftBeforeExpiry,
    /// The previous token is theft at once.
    NoGrace,
    /// The write has no condition on the hash that was presented.
    BlindWrite,
    /// A repetition draws a seed of its own.
    FreshSuccessor,
    /// Within the grace every generation is answered.
    AnyGenerationInGrace,
    /// An unknown token is theft even if it is of another family.
    FamilyNotChecked,
    /// TOKEN_REUSED is answered before the session is ended, and then it is not.
    ReuseEndsNothing,
    /// The first tokens follow from the secret in `mfaSessionId` alone.
    SeedDropped,
}

/// Places that a run must pass.
#[derive(Clone, Copy, Debug)]
enum At {
    Rotated,
    Repeated,
    LostThenRepeated,
    Overtaken,
    Reused,
    ThiefAnswered,
    ThiefCaught,
    Expired,
    AfterEnd,
    Stranger,
    NothingComputed,
}

impl Refresh {
    /// The protocol, or with a mutant a variant of it.
    pub fn new(scope: Scope, mutant: Option<Mutant>) -> Self {
        Self { scope, mutant, tokens: Arc::new(Tokens::new(mutant == Some(Mutant::SeedDropped))) }
    }
}

impl Protocol for Refresh {
    type State = State;
    type Step = Step;

    const INVARIANTS: &'static [Invariant] =
        &[Invariant::Auth, Invariant::One, Invariant::Dur, Invariant::Iso, Invariant::Alarm];

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
        let thief = self.scope.thefts > 0;
        let all = [
            (true, "a token is rotated", At::Rotated),
            (true, "a second tab gets the same successor", At::Repeated),
            (self.scope.lost_replies > 0, "a lost reply is made good", At::LostThenRepeated),
            (true, "a write finds its token rotated", At::Overtaken),
            (true, "an older token ends the session", At::Reused),
            (thief, "a thief within the grace is answered", At::ThiefAnswered),
            (thief, "a thief is caught", At::ThiefCaught),
            (thief, "a thief who knows mfaSessionId computes no token", At::NothingComputed),
            (self.scope.ticks > 2, "an expired session refuses", At::Expired),
            (true, "an ended session refuses", At::AfterEnd),
            (self.scope.replaced, "another session's token changes nothing", At::Stranger),
        ];
        all.into_iter().filter(|(here, ..)| *here).map(|(_, name, at)| (name, at as u8)).collect()
    }

    fn tell(&self, before: &State, step: &Step, after: &State) -> String {
        tell::tell(before, *step, after)
    }
}
