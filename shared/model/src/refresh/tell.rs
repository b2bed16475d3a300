//! Steps in words.

use super::state::{NONE, Phase, State, THIEF, TREE, Token, generation, root_of};
use super::steps::Step;
use crate::invariant::Invariant;

const NAMES: [&str; 3] = ["tab 1", "tab 2", "the thief"];

/// `R2 (tab 1's)` is of the second generation, under a seed that the first tab's request drew.
fn token(t: Token) -> String {
    if t == NONE {
        return "nothing".to_owned();
    }
    let session = if root_of(t) == 0 { "" } else { "′" };
    let by = match (generation(t), (t % TREE) % 3) {
        (0, _) => "",
        (_, 1) => " (tab 1's)",
        (_, 2) => " (tab 2's)",
        _ => " (the thief's)",
    };
    format!("R{}{session}{by}", generation(t))
}

fn slot(s: &State) -> String {
    let state = match (s.session.ended, s.session.is_over(s.now)) {
        (true, _) => "ended",
        (_, true) => "expired",
        _ => "live",
    };
    format!("{}, previous {}, {state}", token(s.session.current), token(s.session.previous))
}

fn judged(before: &State, after: &State, actor: usize, presented: Token) -> String {
    let holds = if actor == THIEF { after.thief } else { after.owner };
    let verdict = match after.phases[actor] {
        Phase::Writes { .. } => "current".to_owned(),
        Phase::Ends { .. } => "an older generation: theft".to_owned(),
        Phase::Idle if holds != presented && holds != NONE => format!("a repetition; answered with {}", token(holds)),
        Phase::Idle if after.broken == Some(Invariant::One) => "a repetition, with a seed of its own".to_owned(),
        Phase::Idle => "refused".to_owned(),
    };
    format!("the slot ({}) is read: {verdict}", slot(before))
}

pub(super) fn tell(before: &State, step: Step, after: &State) -> String {
    match step {
        Step::Present(actor) => {
            let presented = if actor == THIEF { before.thief } else { before.owner };
            format!("{} presents {}; {}", NAMES[actor], token(presented), judged(before, after, actor, presented))
        }
        Step::Write(actor, heard) => {
            let presented = before.phases[actor].presented().unwrap_or(NONE);
            if before.session == after.session {
                return format!(
                    "the write of {} is refused; {}",
                    NAMES[actor],
                    judged(before, after, actor, presented)
                );
            }
            let reply = if heard { "the reply arrives" } else { "the reply is lost" };
            format!("{} rotates {}: the slot holds {}; {reply}", NAMES[actor], token(presented), slot(after))
        }
        Step::End(actor) => {
            format!("{} is answered TOKEN_REUSED; the session is {}", NAMES[actor], ended(before, after))
        }
        Step::Steal => format!("the thief copies {}", token(after.thief)),
        Step::Compute => format!("the thief computes {} from mfaSessionId", token(after.thief)),
        Step::Replace => "another session takes the slot".to_owned(),
        Step::Tick => format!("the clock shows {}", after.now),
    }
}

fn ended(before: &State, after: &State) -> &'static str {
    match (before.session.ended, before.session.is_over(before.now), after.session.ended) {
        (true, ..) => "ended already",
        (_, true, _) => "over anyway: it had expired",
        (.., true) => "ended",
        _ => "not ended",
    }
}
