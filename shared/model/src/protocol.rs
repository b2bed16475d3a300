//! The interface of every model. [`check`](crate::check) turns it into properties for stateright.

use std::hash::Hash;

use crate::invariant::Invariant;

/// Places of interest that a run has passed: a model in which nothing happens must not count as proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed(u32);

impl Passed {
    /// Notes that `landmark` was passed.
    pub fn at(&mut self, landmark: u8) {
        self.0 |= 1 << landmark;
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}

/// One protocol as a state machine: every interleaving of its steps is explored.
pub trait Protocol: Clone + Send + Sync + 'static {
    /// Everything that decides what can happen next, and which invariant was broken, if one was.
    type State: Clone + PartialEq + Hash + Send + Sync + 'static;
    /// Something that happens at once: a script, a conditional write, a message lost, a tick of the clock.
    type Step: Clone + PartialEq + Send + Sync + 'static;

    /// Which invariants this model can break.
    const INVARIANTS: &'static [Invariant];

    /// Where it may begin.
    fn start(&self) -> Vec<Self::State>;

    /// What can happen in `state`. The order is part of the result: of several shortest counter-examples it picks one.
    fn steps(&self, state: &Self::State, steps: &mut Vec<Self::Step>);

    /// Takes a step that [`Protocol::steps`] offered.
    fn apply(&self, state: &mut Self::State, step: &Self::Step, passed: &mut Passed);

    /// The invariant that was broken on the way here.
    fn broken(state: &Self::State) -> Option<Invariant>;

    /// What must be passed somewhere, at most 16: name and number as given to [`Passed::at`].
    fn landmarks(&self) -> Vec<(&'static str, u8)>;

    /// A step in words.
    fn tell(&self, before: &Self::State, step: &Self::Step, after: &Self::State) -> String;
}
