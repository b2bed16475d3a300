//! What can happen: each step is one read with its check, one conditional write, or one misfortune.

use super::real::Judged;
use super::state::{
    ACTORS, GENERATIONS, NONE, Phase, Session, State, THIEF, TREE, Token, generation, on_the_way, parent, root_of,
};
use super::{At, Mutant, Refresh};
use crate::invariant::Invariant;
use crate::protocol::Passed;

/// One step of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An actor presents the token it holds: the slot is read and the token checked.
    Present(usize),
    /// The rotation is written, and the reply arrives (or not).
    Write(usize, bool),
    /// The session is ended for reuse.
    End(usize),
    /// The thief copies what the tabs hold.
    Steal,
    /// The thief, who has seen `mfaSessionId`, computes what follows from it.
    Compute,
    /// Another session takes the slot.
    Replace,
    /// The clock moves on.
    Tick,
}

impl Refresh {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(super) fn offer(&self, s: &State, steps: &mut Vec<Step>) {
        for actor in 0..ACTORS {
            match s.phases[actor] {
                Phase::Idle if s.presents_left[actor] > 0 && may_present(s, actor) => {
                    steps.push(Step::Present(actor));
                }
                Phase::Idle => {}
                Phase::Writes { .. } => {
                    steps.push(Step::Write(actor, true));
                    if s.losses_left > 0 {
                        steps.push(Step::Write(actor, false));
                    }
                }
                Phase::Ends { .. } => steps.push(Step::End(actor)),
            }
        }
        if s.presents_left[THIEF] > 0 && s.thief != s.owner {
            steps.push(Step::Steal);
        }
        if s.presents_left[THIEF] > 0 && s.thief == NONE {
            steps.push(Step::Compute);
        }
        if s.may_be_replaced {
            steps.push(Step::Replace);
        }
        if s.now < self.scope.ticks {
            steps.push(Step::Tick);
        }
    }

    pub(super) fn take(&self, s: &mut State, step: Step, passed: &mut Passed) {
        match step {
            Step::Present(actor) => {
                s.presents_left[actor] -= 1;
                if actor == THIEF {
                    s.excused = true;
                }
                let token = held(s, actor);
                self.judged(s, actor, token, passed);
            }
            Step::Write(actor, heard) => {
                if let Phase::Writes { token, at } = s.phases[actor] {
                    self.write(s, actor, token, at, heard, passed);
                }
            }
            Step::End(actor) => {
                if let Phase::Ends { token } = s.phases[actor] {
                    s.phases[actor] = Phase::Idle;
                    self.end(s, actor, token, passed);
                }
            }
            Step::Steal => (s.thief, s.forged) = (s.owner, false),
            Step::Compute => {
                s.thief = self.tokens.computed();
                s.forged = s.thief != NONE;
                if !s.forged {
                    passed.at(At::NothingComputed as u8);
                }
            }
            Step::Replace => {
                s.may_be_replaced = false;
                s.excused = true;
                s.reported = false;
                let (idle_until, absolute_until) = (s.now + 3, s.now + 5);
                s.session = Session {
                    current: TREE,
                    previous: NONE,
                    rotated_at: s.now,
                    idle_until,
                    absolute_until,
                    ended: false,
                };
            }
            Step::Tick => s.now += 1,
        }
    }

    fn judge(&self, s: &State, token: Token) -> Judged {
        let (session, now) = (&s.session, s.now);
        let same = root_of(token) == root_of(session.current);
        let old = same && token != session.current;
        let in_grace = now <= session.rotated_at + 1;
        let verdict = self.tokens.judge(session, token, now);
        match (self.mutant, verdict) {
            // A tombstone keeps no hashes: what this variant misjudges is an expired session.
            (Some(Mutant::TheftBeforeExpiry), Judged::Unknown) if old && !session.ended => Judged::Reused,
            (Some(Mutant::NoGrace), Judged::Repeat(_)) => Judged::Reused,
            (Some(Mutant::AnyGenerationInGrace), Judged::Reused) if in_grace => Judged::Repeat(session.current),
            (Some(Mutant::FamilyNotChecked), Judged::Unknown) if !session.is_over(now) => Judged::Reused,
            _ => verdict,
        }
    }

    fn judged(&self, s: &mut State, actor: usize, token: Token, passed: &mut Passed) {
        if actor != THIEF && late(s, token) {
            s.excused = true; // An accepted limit: a lost reply and more than the grace offline.
        }
        s.phases[actor] = Phase::Idle;
        let verdict = self.judge(s, token);
        // A thief must not receive the session from what the client was sent before the session existed.
        if actor == THIEF && s.forged && matches!(verdict, Judged::Current | Judged::Repeat(_)) {
            s.broken = Some(Invariant::Iso);
        }
        match verdict {
            Judged::Current => s.phases[actor] = Phase::Writes { token, at: s.now },
            Judged::Repeat(successor) => {
                passed.at(At::Repeated as u8);
                if s.lost {
                    passed.at(At::LostThenRepeated as u8);
                }
                let fresh = token * 3 + 1 + u8::try_from(actor).unwrap_or(0);
                let successor = if self.is(Mutant::FreshSuccessor) { fresh } else { successor };
                if s.broken.is_none() {
                    check_answer(s, token, successor);
                }
                hand_over(s, actor, successor, passed);
            }
            Judged::Reused => {
                s.phases[actor] = Phase::Ends { token };
                if s.session.is_over(s.now) {
                    s.broken = Some(Invariant::Alarm);
                }
            }
            Judged::Unknown => {
                let seen = if root_of(token) != root_of(s.session.current) {
                    At::Stranger
                } else if s.session.ended {
                    At::AfterEnd
                } else {
                    At::Expired
                };
                passed.at(seen as u8);
                if actor != THIEF && !s.excused && !s.session.is_over(s.now) {
                    s.broken = Some(Invariant::Dur);
                }
            }
        }
    }

    /// The condition of the write: the presented token is the current one, and the session was live when it was
    /// checked.
    fn write(&self, s: &mut State, actor: usize, token: Token, at: u8, heard: bool, passed: &mut Passed) {
        let blind = self.is(Mutant::BlindWrite) && root_of(token) == root_of(s.session.current);
        let same = s.session.current == token || blind;
        if !same || s.session.is_over(at) {
            passed.at(At::Overtaken as u8);
            self.judged(s, actor, token, passed);
            return;
        }
        let before = s.session.current;
        s.session = self.tokens.rotate(&s.session, token, actor, at);
        s.phases[actor] = Phase::Idle;
        passed.at(At::Rotated as u8);
        if s.reported {
            s.broken = Some(Invariant::Auth);
        }
        if !on_the_way(before, s.session.current) {
            s.broken = Some(Invariant::One);
        }
        if heard {
            hand_over(s, actor, s.session.current, passed);
        } else {
            s.losses_left -= 1;
            s.lost = true;
        }
    }

    fn end(&self, s: &mut State, actor: usize, token: Token, passed: &mut Passed) {
        let own = root_of(token) == root_of(s.session.current);
        if !own && !self.is(Mutant::FamilyNotChecked) {
            return; // The end names its session: another one that lives there now is not meant.
        }
        passed.at(At::Reused as u8);
        if actor == THIEF {
            passed.at(At::ThiefCaught as u8);
        }
        if !own || !s.excused {
            s.broken = Some(Invariant::Dur);
        }
        s.session.ended |= !self.is(Mutant::ReuseEndsNothing);
        s.reported = true;
    }
}

/// Tabs present one token at a time: none is presented whose predecessor is still under way. The tree is as deep as it is.
fn may_present(s: &State, actor: usize) -> bool {
    let token = held(s, actor);
    if token == NONE || generation(token) >= GENERATIONS {
        return false;
    }
    let others = s.phases[..THIEF].iter().filter_map(|phase| phase.presented());
    actor == THIEF || others.into_iter().all(|other| other == token)
}

fn held(s: &State, actor: usize) -> Token {
    if actor == THIEF { s.thief } else { s.owner }
}

/// The previous token, after the grace.
fn late(s: &State, token: Token) -> bool {
    s.session.previous == token && s.now > s.session.rotated_at + 1
}

/// What an answer without a write must satisfy.
fn check_answer(s: &mut State, token: Token, successor: Token) {
    let previous_in_grace = s.session.previous == token && s.now <= s.session.rotated_at + 1;
    s.broken = if root_of(successor) != root_of(token) {
        Some(Invariant::Iso)
    } else if s.session.is_over(s.now) || s.reported || !previous_in_grace {
        Some(Invariant::Auth)
    } else if !on_the_way(successor, s.session.current) || parent(successor) != token {
        Some(Invariant::One)
    } else {
        None
    };
}

fn hand_over(s: &mut State, actor: usize, successor: Token, passed: &mut Passed) {
    if actor == THIEF {
        passed.at(At::ThiefAnswered as u8);
        s.thief = successor;
    } else if generation(successor) > generation(s.owner) {
        s.owner = successor;
    }
}
