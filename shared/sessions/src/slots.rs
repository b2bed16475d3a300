//! The choice of the slot that a sign-in takes.
//!
//! Only [`SLOT_KEYS`](crate::ids::SLOT_KEYS) keys exist per user, and a sign-in writes only below the limit. So the
//! number of keys guarantees "never more than N live sessions", and no counter is needed.

use crate::ids::{SessionId, SlotNo};
use crate::policy::Policy;
use crate::session::{Slot, UserState};
use crate::time::Millis;

/// The session a sign-in replaces, exactly as it was seen. The store refuses when it is no longer so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victim {
    /// The session that is replaced.
    pub sid: SessionId,
    /// Its version as seen.
    pub version: u64,
    /// Its last use as seen: a session used since is no longer the least recently used.
    pub last_used_at: Millis,
}

/// Where a sign-in goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The slot to write.
    pub slot: SlotNo,
    /// The live session that is evicted, if no slot was free.
    pub victim: Option<Victim>,
    /// Live sessions above the limit (it was lowered): ended in the same transaction.
    pub sessions_over_limit: Vec<(SlotNo, SessionId)>,
}

/// Missing before ended before least recently used. `random` spreads concurrent sign-ins over the free slots.
pub fn choose_slot(state: &UserState, policy: &Policy, now: Millis, random: u64) -> Placement {
    let below = |slot: &SlotNo| slot.get() < policy.max_sessions;
    let sessions_over_limit =
        state.slots.iter().filter(|s| !below(&s.at.slot) && s.is_live(now)).map(|s| (s.at.slot, s.sid)).collect();
    let pick = |free: &[SlotNo]| usize::try_from(random % free.len() as u64).map_or(free[0], |i| free[i]);

    let missing: Vec<_> = SlotNo::all().filter(below).filter(|n| state.slot(*n).is_none()).collect();
    if !missing.is_empty() {
        return Placement { slot: pick(&missing), victim: None, sessions_over_limit };
    }
    let ended: Vec<_> =
        SlotNo::all().filter(below).filter(|n| !state.slot(*n).is_some_and(|s| s.is_live(now))).collect();
    if !ended.is_empty() {
        return Placement { slot: pick(&ended), victim: None, sessions_over_limit };
    }
    let oldest = |s: &&Slot| (s.last_used_at, s.created_at, s.at.slot);
    match state.slots.iter().filter(|s| below(&s.at.slot)).min_by_key(oldest) {
        Some(s) => Placement {
            slot: s.at.slot,
            victim: Some(Victim { sid: s.sid, version: s.version, last_used_at: s.last_used_at }),
            sessions_over_limit,
        },
        // max_sessions ≥ 1 means there is always slot 0; with none the store's condition still decides.
        None => Placement { slot: state.slots.first().map_or(FIRST, |s| s.at.slot), victim: None, sessions_over_limit },
    }
}

const FIRST: SlotNo = match SlotNo::new(0) {
    Some(slot) => slot,
    None => unreachable!(),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, Status};
    use crate::ids::UserId;
    use crate::session::tests::slot;
    use crate::session::{EndReason, Ended};

    fn state(slots: Vec<Slot>) -> UserState {
        UserState {
            account: Account {
                user: UserId::from_bytes([1; 16]),
                email: String::new(),
                password: String::new(),
                auth_epoch: 0,
                status: Status::Active,
                version: 0,
                mfa: crate::mfa::Mfa::default(),
                epoch_moved_at: None,
                identity: None,
                claims: crate::claims::Claims::default(),
            },
            slots,
        }
    }

    const NOW: Millis = Millis::new(1_000);

    #[test]
    fn a_missing_slot_is_taken_first() {
        let mut dead = slot(0, 1);
        dead.ended = Some(Ended { at: NOW, reason: EndReason::Logout });
        let p = choose_slot(&state(vec![dead, slot(1, 1)]), &Policy::default(), NOW, 2);
        assert_eq!((p.slot.get(), p.victim), (4, None));
    }

    #[test]
    fn then_an_ended_one() {
        let mut slots: Vec<_> = (0..5).map(|n| slot(n, 1)).collect();
        slots[3].ended = Some(Ended { at: NOW, reason: EndReason::Logout });
        let p = choose_slot(&state(slots), &Policy::default(), NOW, 7);
        assert_eq!((p.slot.get(), p.victim), (3, None));
    }

    #[test]
    fn then_the_least_recently_used_and_not_the_oldest() {
        let mut slots: Vec<_> = (0..5).map(|n| slot(n, 100 + i64::from(n))).collect();
        slots[0].last_used_at = Millis::new(900);
        let p = choose_slot(&state(slots.clone()), &Policy::default(), NOW, 7);
        assert_eq!(p.slot.get(), 1);
        assert_eq!(p.victim, Some(Victim { sid: slots[1].sid, version: 1, last_used_at: Millis::new(101) }));
    }

    #[test]
    fn a_lowered_limit_ends_what_is_above_it() {
        let slots: Vec<_> = (0..5).map(|n| slot(n, 100 + i64::from(n))).collect();
        let policy = Policy { max_sessions: 2, ..Policy::default() };
        let p = choose_slot(&state(slots.clone()), &policy, NOW, 7);
        assert_eq!(p.slot.get(), 0);
        assert_eq!(p.sessions_over_limit, slots[2..].iter().map(|s| (s.at.slot, s.sid)).collect::<Vec<_>>());
    }
}
