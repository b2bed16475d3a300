//! What can happen: each step is one read, one conditional write, or one misfortune.

use super::state::{EndAll, FIRST_NEW, Item, KEYS, LIFE, LIMIT, LOGIN_OF, Plan, Refresh, Seen, State, Submit};
use super::{At, Mutant, Slots, real};
use crate::invariant::Invariant;
use crate::protocol::Passed;

/// One step of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The password of a sign-in is right under the present epoch.
    Check(usize),
    /// A submit reads META and slots and plans; the number chooses among free slots.
    Plan(usize, u8),
    /// Its transaction is executed and answered.
    Commit(usize),
    /// Its transaction is executed; the reply is lost.
    CommitUnheard(usize),
    /// A submit that found LOGIN consumed checks whether the session lives.
    Repeat(usize),
    /// An end-all reads META and slots; `true` keeps the first session.
    SeeAll(bool),
    /// Its transaction is executed.
    EndAll,
    /// A refresh of the session in this slot is checked.
    Judge(usize),
    /// Its write is executed.
    Rotate,
    /// A validation moves `lastUsedAt`.
    Touch(usize),
    /// The session in this slot is ended.
    LogOut(usize),
    /// The clock moves on.
    Tick,
}

impl Slots {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(super) fn offer(&self, s: &State, steps: &mut Vec<Step>) {
        for (n, login) in s.logins.iter().enumerate() {
            if login.epoch.is_none() && LOGIN_OF[..self.scope.submits].contains(&n) {
                steps.push(Step::Check(n));
            }
        }
        for (i, submit) in s.submits[..self.scope.submits].iter().enumerate() {
            match submit {
                Submit::Waiting if s.logins[LOGIN_OF[i]].epoch.is_some() => {
                    steps.extend([Step::Plan(i, 0), Step::Plan(i, 1)]);
                }
                Submit::Planned(plan) => {
                    steps.push(Step::Commit(i));
                    if s.losses_left > 0 && self.verdict(s, i, *plan) == Verdict::Done {
                        steps.push(Step::CommitUnheard(i));
                    }
                }
                Submit::Unknown(_) => steps.push(Step::Commit(i)),
                Submit::Repeats => steps.push(Step::Repeat(i)),
                Submit::Waiting | Submit::SignedIn | Submit::Refused => {}
            }
        }
        match s.end_all {
            Some(_) => steps.push(Step::EndAll),
            None if s.end_alls_left > 0 => steps.extend([Step::SeeAll(false), Step::SeeAll(true)]),
            None => {}
        }
        if s.refresh.is_some() {
            steps.push(Step::Rotate);
        }
        for (n, item) in s.slots.iter().enumerate() {
            let Some(item) = item else { continue };
            if !item.is_live(s.now) {
                continue;
            }
            if s.refresh.is_none() && s.refreshes_left > 0 && n < LIMIT {
                steps.push(Step::Judge(n));
            }
            if s.touches_left > 0 && item.used < s.now {
                steps.push(Step::Touch(n));
            }
            if s.logouts_left > 0 {
                steps.push(Step::LogOut(n));
            }
        }
        if s.now < self.scope.ticks {
            steps.push(Step::Tick);
        }
    }

    pub(super) fn take(&self, s: &mut State, step: Step, passed: &mut Passed) {
        match step {
            Step::Check(n) => s.logins[n].epoch = Some(s.epoch),
            Step::Plan(i, random) => {
                let count = s.slots.iter().flatten().filter(|item| item.is_live(s.now)).count();
                let anywhere = self.is(Mutant::CountsThenPuts) && count < LIMIT;
                let limit = if anywhere { real::ANYWHERE } else { LIMIT };
                s.submits[i] = Submit::Planned(real::plan(s, u64::from(random), limit));
            }
            Step::Commit(i) => self.commit(s, i, passed),
            Step::CommitUnheard(i) => {
                if let Submit::Planned(plan) = s.submits[i] {
                    s.losses_left -= 1;
                    self.write(s, i, plan, passed);
                    s.submits[i] = Submit::Unknown(plan);
                }
            }
            Step::Repeat(i) => {
                let sid = sid_of(i);
                let lives = s.slots[..LIMIT].iter().flatten().any(|item| item.sid == sid && item.is_live(s.now));
                s.submits[i] = if lives { Submit::SignedIn } else { Submit::Refused };
                if lives {
                    passed.at(At::Repeated as u8);
                }
            }
            Step::SeeAll(keep) => s.end_all = Some(self.see_all(s, keep)),
            Step::EndAll => self.end_all(s, passed),
            Step::Judge(n) => {
                if let (Some(item), Ok(slot)) = (s.slots[n], u8::try_from(n)) {
                    s.refreshes_left -= 1;
                    s.refresh = Some(Refresh { slot, sid: item.sid, version: item.version, now: s.now });
                }
            }
            Step::Rotate => rotate(s, passed),
            Step::Touch(n) => {
                s.touches_left -= 1;
                let now = s.now;
                s.slots[n].iter_mut().for_each(|item| item.used = now);
            }
            Step::LogOut(n) => {
                s.logouts_left -= 1;
                s.slots[n].iter_mut().for_each(end);
            }
            Step::Tick => s.now += 1,
        }
    }

    fn see_all(&self, s: &State, keep: bool) -> EndAll {
        let slots = s.slots.map(|item| match item {
            Some(item) if keep && item.sid == 0 && item.is_live(s.now) => Seen::Keep(item.sid),
            Some(item) if item.is_live(s.now) => Seen::End(item.sid),
            Some(item) if !item.ended && !self.is(Mutant::LeavesExpiredUnended) => Seen::End(item.sid),
            _ => Seen::Free,
        });
        EndAll { epoch: s.epoch, slots, now: s.now }
    }

    fn end_all(&self, s: &mut State, passed: &mut Passed) {
        let Some(plan) = s.end_all.take() else { return };
        let as_seen = s.slots.iter().zip(&plan.slots).all(|(item, seen)| match *seen {
            Seen::Free => self.is(Mutant::EndsOnlyWhatItSaw) || is_free(*item, plan.now),
            Seen::Keep(sid) => item.is_some_and(|item| item.sid == sid && item.is_live(plan.now)),
            Seen::End(sid) => item.is_some_and(|item| item.sid == sid && !item.ended),
        });
        if plan.epoch != s.epoch || !as_seen {
            passed.at(At::EndAllRefused as u8);
            return;
        }
        s.epoch += 1;
        s.end_alls_left -= 1;
        passed.at(At::EndedAll as u8);
        let (now, epoch) = (s.now, s.epoch);
        for (item, seen) in s.slots.iter_mut().zip(plan.slots) {
            match (item, seen) {
                (Some(item), Seen::End(_)) => {
                    if !item.is_live(now) {
                        passed.at(At::EndedExpired as u8);
                    }
                    end(item);
                }
                (Some(item), Seen::Keep(_)) => {
                    item.epoch = epoch;
                    passed.at(At::KeptOne as u8);
                }
                _ => {}
            }
        }
    }

    /// The reasons of a refusal are checked in the order LOGIN, epoch, slot.
    fn verdict(&self, s: &State, i: usize, plan: Plan) -> Verdict {
        let login = s.logins[LOGIN_OF[i]];
        let item = s.slots[usize::from(plan.slot)];
        let victim_as_seen = |item: Item| plan.victim == Some((item.sid, item.version, item.used)) && !item.ended;
        let all_over_limit_as_seen = plan
            .sessions_over_limit
            .filter(|_| !self.is(Mutant::SurplusLives))
            .is_none_or(|(slot, sid)| s.slots[usize::from(slot)].is_some_and(|item| item.sid == sid && !item.ended));
        if login.consumed {
            Verdict::Consumed
        } else if login.epoch != Some(s.epoch) && !self.is(Mutant::EpochNotChecked) {
            Verdict::Superseded
        } else if (is_free(item, plan.now) || item.is_some_and(victim_as_seen) || self.is(Mutant::SlotNotChecked))
            && all_over_limit_as_seen
        {
            Verdict::Done
        } else {
            Verdict::SlotChanged
        }
    }

    fn commit(&self, s: &mut State, i: usize, passed: &mut Passed) {
        let (plan, unknown) = match s.submits[i] {
            Submit::Planned(plan) => (plan, false),
            // Within ten minutes the token is known; later LOGIN says that this very session was made. Both are success.
            Submit::Unknown(plan) => (plan, true),
            _ => return,
        };
        if unknown {
            passed.at(At::LostReplySettled as u8);
            s.submits[i] = Submit::SignedIn;
            return;
        }
        match self.verdict(s, i, plan) {
            Verdict::Done => {
                self.write(s, i, plan, passed);
                s.submits[i] = Submit::SignedIn;
            }
            Verdict::Consumed => s.submits[i] = Submit::Repeats,
            Verdict::Superseded => {
                passed.at(At::EpochRefused as u8);
                s.submits[i] = Submit::Refused;
            }
            Verdict::SlotChanged if self.is(Mutant::CancelledIsSuccess) => s.submits[i] = Submit::SignedIn,
            Verdict::SlotChanged => {
                passed.at(At::SlotRefused as u8);
                s.submits[i] = Submit::Waiting;
            }
        }
    }

    fn write(&self, s: &mut State, i: usize, plan: Plan, passed: &mut Passed) {
        let target = usize::from(plan.slot);
        passed.at(At::SignedIn as u8);
        if let Some(old) = s.slots[target] {
            let named = plan.victim.is_some_and(|(sid, ..)| sid == old.sid);
            match (old.is_live(s.now), named) {
                (true, true) => passed.at(At::Evicted as u8),
                // The session was acknowledged, and no request ended it.
                (true, false) => s.broken = Some(Invariant::Dur),
                (false, _) => passed.at(At::TookEnded as u8),
            }
        }
        let login = &mut s.logins[LOGIN_OF[i]];
        if login.made {
            s.broken = Some(Invariant::One);
        }
        login.made = true;
        login.consumed = !self.is(Mutant::LoginNotConsumed);
        let epoch = login.epoch.unwrap_or(0);
        s.slots[target] =
            Some(Item { sid: sid_of(i), version: 1, used: plan.now, expires: plan.now + LIFE, ended: false, epoch });
        s.lowered = false;
        if let Some((slot, _)) = plan.sessions_over_limit.filter(|_| !self.is(Mutant::SurplusLives)) {
            passed.at(At::SurplusEnded as u8);
            s.slots[usize::from(slot)].iter_mut().for_each(end);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Consumed,
    Superseded,
    SlotChanged,
}

/// The design's condition on an empty or ended slot, at the moment of the plan.
fn is_free(item: Option<Item>, now: u8) -> bool {
    item.is_none_or(|item| !item.is_live(now))
}

fn end(item: &mut Item) {
    item.ended = true;
    item.version += 1;
}

/// A tombstone keeps no hashes, and `now` is the time of the check.
fn rotate(s: &mut State, passed: &mut Passed) {
    let Some(plan) = s.refresh.take() else { return };
    let as_seen = |item: &&mut Item| item.sid == plan.sid && item.version == plan.version && item.is_live(plan.now);
    match s.slots[usize::from(plan.slot)].as_mut().filter(as_seen) {
        Some(item) => {
            item.version += 1;
            item.used = item.used.max(plan.now);
            item.expires = plan.now + LIFE;
            passed.at(At::Refreshed as u8);
        }
        None => passed.at(At::RefreshRefused as u8),
    }
}

/// One session per sign-in, whichever submit makes it.
pub(super) fn sid_of(submit: usize) -> u8 {
    FIRST_NEW + u8::from(LOGIN_OF[submit] > 0)
}

const _: () = assert!(KEYS > LIMIT, "one slot is above the limit");
