//! The state of the slot, the tabs and the thief.

use super::Scope;
use crate::invariant::Invariant;

/// Two tabs and a thief.
pub(super) const ACTORS: usize = 3;
/// Who of them is the thief.
pub(super) const THIEF: usize = 2;
/// Rotations of one session at most.
pub(super) const GENERATIONS: usize = 4;

/// A refresh token by its place in the tree of all that can come to be, level by level, one tree after the other.
pub(super) type Token = u8;
/// The value that stands for no token.
pub(super) const NONE: Token = Token::MAX;
/// Tokens of one session: 1 + 3 + 9 + 27 + 81.
pub(super) const TREE: Token = 121;

/// The number of the session that a token belongs to.
pub(super) fn root_of(token: Token) -> u8 {
    token / TREE
}

/// The one it was derived from.
pub(super) fn parent(token: Token) -> Token {
    match token % TREE {
        0 => NONE,
        n => token - n + (n - 1) / 3,
    }
}

/// Rotations that lie before it.
pub(super) fn generation(token: Token) -> usize {
    match parent(token) {
        NONE => 0,
        before => 1 + generation(before),
    }
}

/// Whether `token` is `end` or lies on the way to it.
pub(super) fn on_the_way(token: Token, end: Token) -> bool {
    token == end || (parent(end) != NONE && on_the_way(token, parent(end)))
}

/// The session in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) current: Token,
    pub(super) previous: Token,
    pub(super) rotated_at: u8,
    pub(super) idle_until: u8,
    pub(super) absolute_until: u8,
    pub(super) ended: bool,
}

impl Session {
    pub(super) fn is_over(&self, now: u8) -> bool {
        self.ended || now >= self.idle_until.min(self.absolute_until)
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Idle,
    /// Found current at that tick; the conditional write is under way.
    Writes {
        token: Token,
        at: u8,
    },
    /// Found reused; the end is under way.
    Ends {
        token: Token,
    },
}

impl Phase {
    pub(super) fn presented(self) -> Option<Token> {
        match self {
            Phase::Idle => None,
            Phase::Writes { token, .. } | Phase::Ends { token } => Some(token),
        }
    }
}

/// The whole system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) now: u8,
    pub(super) session: Session,
    pub(super) phases: [Phase; ACTORS],
    pub(super) presents_left: [u8; ACTORS],
    /// What the tabs hold.
    pub(super) owner: Token,
    /// What the thief holds.
    pub(super) thief: Token,
    /// What the thief holds was computed, not copied.
    pub(super) forged: bool,
    pub(super) losses_left: u8,
    pub(super) may_be_replaced: bool,
    /// A successor was made whose reply was lost.
    pub(super) lost: bool,
    /// The owner may be refused from now on: a thief was at work, or a limit that the design accepts was met.
    pub(super) excused: bool,
    /// TOKEN_REUSED was answered for this session: no actor may get a token of it again.
    pub(super) reported: bool,
    pub(super) broken: Option<Invariant>,
}

impl State {
    pub(super) fn new(scope: &Scope) -> Self {
        Self {
            now: 0,
            session: Session {
                current: 0,
                previous: NONE,
                rotated_at: 0,
                idle_until: 3,
                absolute_until: 5,
                ended: false,
            },
            phases: [Phase::Idle; ACTORS],
            presents_left: [scope.presents, scope.presents, scope.thefts],
            owner: 0,
            thief: NONE,
            forged: false,
            losses_left: scope.lost_replies,
            may_be_replaced: scope.replaced,
            lost: false,
            excused: false,
            reported: false,
            broken: None,
        }
    }
}
