//! Steps in words.

use super::state::{Item, LOGIN_OF, Plan, State, Submit};
use super::steps::{Step, sid_of};

fn session(sid: u8) -> String {
    format!("session {sid}")
}

fn submit(i: usize) -> String {
    format!("submit {} of sign-in {}", i + 1, LOGIN_OF[i] + 1)
}

fn item(now: u8, item: Option<Item>) -> String {
    match item {
        None => "–".to_owned(),
        Some(item) if item.ended => format!("{} ended", item.sid),
        Some(item) if !item.is_live(now) => format!("{} expired", item.sid),
        Some(item) => format!("{} until {}", item.sid, item.expires),
    }
}

/// The table in one line.
pub(super) fn table(s: &State) -> String {
    let slots: Vec<_> = s.slots.iter().map(|i| item(s.now, *i)).collect();
    format!("[{}] epoch {}", slots.join(" | "), s.epoch)
}

fn place(plan: Plan) -> String {
    let over = plan.victim.map(|(sid, ..)| format!(" over {}", session(sid))).unwrap_or_default();
    let also = plan
        .sessions_over_limit
        .map(|(slot, sid)| format!(", ending {} in slot {slot}", session(sid)))
        .unwrap_or_default();
    format!("slot {}{over}{also}", plan.slot)
}

fn outcome(after: Submit, i: usize) -> String {
    match after {
        Submit::SignedIn => format!("{} is answered", session(sid_of(i))),
        Submit::Refused => "refused".to_owned(),
        Submit::Repeats => "LOGIN is consumed".to_owned(),
        Submit::Waiting => "the slot has changed: plan anew".to_owned(),
        Submit::Planned(_) | Submit::Unknown(_) => "the reply is lost".to_owned(),
    }
}

pub(super) fn tell(before: &State, step: Step, after: &State) -> String {
    match step {
        Step::Check(n) => format!("sign-in {}: the password is right under epoch {}", n + 1, before.epoch),
        Step::Plan(i, _) => match after.submits[i] {
            Submit::Planned(plan) => format!("{} reads {} and plans {}", submit(i), table(before), place(plan)),
            _ => String::new(),
        },
        Step::Commit(i) | Step::CommitUnheard(i) | Step::Repeat(i) => {
            format!("{} commits: {}; {}", submit(i), outcome(after.submits[i], i), table(after))
        }
        Step::SeeAll(keep) => {
            let who = if keep { ", all but session 0" } else { "" };
            format!("end-all{who} reads {}", table(before))
        }
        Step::EndAll if after.epoch == before.epoch => "end-all is refused: something has changed".to_owned(),
        Step::EndAll => format!("end-all commits: {}", table(after)),
        Step::Judge(n) => {
            let sid = before.slots[n].map_or(0, |item| item.sid);
            format!("a refresh of {} is judged at {}: current", session(sid), before.now)
        }
        Step::Rotate => format!("the refresh judged before is written: {}", table(after)),
        Step::Touch(n) => format!("slot {n} is touched"),
        Step::LogOut(n) => format!("slot {n} is logged out: {}", table(after)),
        Step::Tick => format!("the clock shows {}", after.now),
    }
}
