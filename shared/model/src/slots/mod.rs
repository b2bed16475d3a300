//! Sign-ins, ends and refreshes of one user (docs/correctness.md): every write is a transaction or a conditional update, planned on
//! what was read before, and arrives whenever it likes.
//!
//! Where a sign-in goes is decided by [`holdfast_sessions::slots::choose_slot`] itself, on real slots made from the state.

mod real;
mod state;
mod steps;
mod tell;

use crate::invariant::Invariant;
use crate::protocol::{Passed, Protocol};

pub use state::{KEYS, LIMIT, SUBMITS, State};
pub use steps::Step;

/// The slots of one user, or a variant of them.
#[derive(Clone, Debug)]
pub struct Slots {
    /// How much of it.
    pub scope: Scope,
    /// What is wrong with it, if anything.
    pub mutant: Option<Mutant>,
}

/// How many of everything.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Submits, at most [`SUBMITS`]. The first two are of one sign-in, as after a double click.
    pub submits: usize,
    /// End-alls (or password changes, or disablings) that may succeed.
    pub end_alls: u8,
    /// The number of refreshes.
    pub refreshes: u8,
    /// Touches of `lastUsedAt`.
    pub touches: u8,
    /// Logouts of a single session.
    pub logouts: u8,
    /// Replies lost after the commit.
    pub lost_replies: u8,
    /// Ticks of the clock, at most 3; a session lives one or two.
    pub ticks: u8,
}

/// Ways to get it wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// End-all has no condition on the slots that were seen empty.
    EndsOnlyWhatItSaw,
    /// End-all checks that an expired session is still over, and leaves it un-ended.
    LeavesExpiredUnended,
    /// The commit does not check `authEpoch`.
    EpochNotChecked,
    /// The commit does not consume LOGIN.
    LoginNotConsumed,
    /// The Put has no condition.
    SlotNotChecked,
    /// A lowered limit ends nothing.
    SurplusLives,
    /// Sessions are counted, and the new one goes wherever there is room (the article's "evict oldest").
    CountsThenPuts,
    /// A transaction that was cancelled for its slot is taken for a success.
    CancelledIsSuccess,
}

/// Places that a run must pass.
#[derive(Clone, Copy, Debug)]
enum At {
    SignedIn,
    Evicted,
    TookEnded,
    SlotRefused,
    EpochRefused,
    Repeated,
    LostReplySettled,
    EndedAll,
    EndAllRefused,
    KeptOne,
    SurplusEnded,
    Refreshed,
    RefreshRefused,
    EndedExpired,
}

impl Protocol for Slots {
    type State = State;
    type Step = Step;

    const INVARIANTS: &'static [Invariant] = &[Invariant::Auth, Invariant::Cap, Invariant::One, Invariant::Dur];

    fn start(&self) -> Vec<State> {
        State::starts(&self.scope)
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.offer(state, steps);
    }

    fn apply(&self, state: &mut State, step: &Step, passed: &mut Passed) {
        self.take(state, *step, passed);
        if state.broken.is_none() {
            state.broken = state.wrong();
        }
    }

    fn broken(state: &State) -> Option<Invariant> {
        state.broken
    }

    fn landmarks(&self) -> Vec<(&'static str, u8)> {
        let s = &self.scope;
        let all = [
            (true, "a sign-in becomes a session", At::SignedIn),
            (true, "a session is evicted", At::Evicted),
            (s.ticks > 0 || s.logouts > 0, "a slot that was over is taken", At::TookEnded),
            (true, "a commit finds its slot changed", At::SlotRefused),
            (s.end_alls > 0, "a commit finds the epoch moved", At::EpochRefused),
            (s.submits > 1, "a second submit gets the same session", At::Repeated),
            (s.lost_replies > 0, "a lost reply is settled by asking again", At::LostReplySettled),
            (s.end_alls > 0, "all sessions are ended", At::EndedAll),
            (s.end_alls > 0, "an end-all finds a slot changed", At::EndAllRefused),
            (s.end_alls > 0, "the caller's session is kept", At::KeptOne),
            (true, "a session above the limit is ended", At::SurplusEnded),
            (s.refreshes > 0, "a refresh is written", At::Refreshed),
            (s.refreshes > 0, "a refresh comes too late", At::RefreshRefused),
            (s.end_alls > 0 && s.ticks > 0, "an expired session is ended", At::EndedExpired),
        ];
        all.into_iter().filter(|(here, ..)| *here).map(|(_, name, at)| (name, at as u8)).collect()
    }

    fn tell(&self, before: &State, step: &Step, after: &State) -> String {
        tell::tell(before, *step, after)
    }
}
