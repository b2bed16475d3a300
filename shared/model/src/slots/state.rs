//! The state of the table, the submits and the other requests.

use super::Scope;
use crate::invariant::Invariant;

/// Slots that may live.
pub const LIMIT: usize = 2;
/// Slot keys that are modelled: one of them above the limit, which was lowered.
pub const KEYS: usize = 3;
/// Submits at most.
pub const SUBMITS: usize = 3;

/// The sign-in of each submit.
pub(super) const LOGIN_OF: [usize; SUBMITS] = [0, 0, 1];
/// Sessions of sign-ins are numbered from here; below are those that lived at the start.
pub(super) const FIRST_NEW: u8 = KEYS as u8;
/// Ticks that a session lives after it was made or refreshed.
pub(super) const LIFE: u8 = 2;

/// A slot that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Item {
    pub(super) sid: u8,
    pub(super) version: u8,
    pub(super) used: u8,
    pub(super) expires: u8,
    pub(super) ended: bool,
    /// `authEpoch` it was made under, or last allowed to stay by: only the invariant reads it.
    pub(super) epoch: u8,
}

impl Item {
    pub(super) fn is_live(self, now: u8) -> bool {
        !self.ended && now < self.expires
    }
}

/// A sign-in's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Login {
    /// `authEpoch` at the password check, once there was one.
    pub(super) epoch: Option<u8>,
    pub(super) consumed: bool,
    /// A session was created from it: only the invariant reads it.
    pub(super) made: bool,
}

/// Where a commit is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    pub(super) slot: u8,
    /// sid, version, last use.
    pub(super) victim: Option<(u8, u8, u8)>,
    /// Slot and sid above the limit.
    pub(super) sessions_over_limit: Option<(u8, u8)>,
    pub(super) now: u8,
}

/// One request of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Submit {
    Waiting,
    Planned(Plan),
    /// Committed, and the reply was lost: the same plan is sent again until the outcome is known.
    Unknown(Plan),
    /// Answered that LOGIN is consumed: checks whether the session lives.
    Repeats,
    SignedIn,
    Refused,
}

/// What an end-all saw in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Seen {
    /// Nothing that opens a session: it must still be so.
    Free,
    Keep(u8),
    End(u8),
}

/// An end-all under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct EndAll {
    pub(super) epoch: u8,
    pub(super) slots: [Seen; KEYS],
    pub(super) now: u8,
}

/// A refresh under way: checked, not yet written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Refresh {
    pub(super) slot: u8,
    pub(super) sid: u8,
    pub(super) version: u8,
    pub(super) now: u8,
}

/// The whole system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) now: u8,
    pub(super) epoch: u8,
    pub(super) slots: [Option<Item>; KEYS],
    pub(super) logins: [Login; 2],
    pub(super) submits: [Submit; SUBMITS],
    pub(super) end_all: Option<EndAll>,
    pub(super) refresh: Option<Refresh>,
    /// The limit was lowered and no sign-in has followed yet.
    pub(super) lowered: bool,
    pub(super) end_alls_left: u8,
    pub(super) refreshes_left: u8,
    pub(super) touches_left: u8,
    pub(super) logouts_left: u8,
    pub(super) losses_left: u8,
    pub(super) broken: Option<Invariant>,
}

impl State {
    /// One session, as many as may be, or one more than that.
    pub(super) fn starts(scope: &Scope) -> Vec<Self> {
        // The first session expires before the others.
        let item = |sid: u8| Item { sid, version: 1, used: 0, expires: LIFE.min(sid + 1), ended: false, epoch: 0 };
        (1..=KEYS)
            .map(|live| Self {
                now: 0,
                epoch: 0,
                slots: std::array::from_fn(|n| (n < live).then(|| item(u8::try_from(n).unwrap_or(u8::MAX)))),
                logins: [Login::default(); 2],
                submits: [Submit::Waiting; SUBMITS],
                end_all: None,
                refresh: None,
                lowered: live > LIMIT,
                end_alls_left: scope.end_alls,
                refreshes_left: scope.refreshes,
                touches_left: scope.touches,
                logouts_left: scope.logouts,
                losses_left: scope.lost_replies,
                broken: None,
            })
            .collect()
    }

    fn live(&self) -> impl Iterator<Item = &Item> {
        self.slots.iter().flatten().filter(|item| item.is_live(self.now))
    }

    /// The invariant that the table breaks, if it breaks one.
    pub(super) fn wrong(&self) -> Option<Invariant> {
        if self.live().any(|item| item.epoch < self.epoch) {
            return Some(Invariant::Auth);
        }
        let made = |i: usize| self.logins[LOGIN_OF[i]].made;
        if (0..SUBMITS).any(|i| self.submits[i] == Submit::SignedIn && !made(i)) {
            return Some(Invariant::Dur);
        }
        let too_many = self.live().count() > LIMIT && !self.lowered;
        too_many.then_some(Invariant::Cap)
    }
}
