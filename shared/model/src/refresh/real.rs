//! Tokens and slots of the model as the domain's own, and back.

use std::collections::HashMap;

use holdfast_sessions::device::Device;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::rotation::{self, RefreshVerdict};
use holdfast_sessions::secret::{Secret, TokenHash};
use holdfast_sessions::session::{EndReason, Ended, Keys, RefreshKeys, Slot};
use holdfast_sessions::token::{Address, RefreshToken};
use holdfast_sessions::{Millis, SessionId, SlotNo, UserId};

use super::state::{ACTORS, GENERATIONS, NONE, Session, Token, root_of};

/// Every token that can come to be: two roots, and from each token one successor per actor who may draw its seed.
#[derive(Debug)]
pub(super) struct Tokens {
    known: Vec<Known>,
    numbers: HashMap<[u8; 32], Token>,
    /// The token that an attacker computes who knows the first session's `mfaSessionId`, and nothing that only the
    /// store has.
    computed: Token,
    policy: Policy,
}

/// The secret in the `mfaSessionId` of a session's sign-in. Its client knows it, and so does an attacker who reads that
/// answer.
fn origin(session: u8) -> Secret<32> {
    Secret::new([session; 32])
}

/// The seed of a sign-in, which only the store has.
const STORED_SEED: [u8; 32] = [9; 32];

#[derive(Debug)]
struct Known {
    token: RefreshToken,
    hash: TokenHash,
    family: TokenHash,
    seed: [u8; 32],
}

/// What the domain says of a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Unknown,
    Current,
    Repeat(Token),
    Reused,
}

/// Seeds are random: no other actor draws this one.
pub(super) fn seed(actor: usize) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[0] = u8::try_from(actor).unwrap_or(u8::MAX);
    seed
}

fn at(tick: u8) -> Millis {
    Millis::new(0).plus_seconds(i64::from(tick))
}

fn tick(at: Millis) -> u8 {
    u8::try_from(at.get() / 1000).unwrap_or(u8::MAX)
}

fn address() -> Option<Address> {
    SlotNo::new(0).map(|slot| Address { user: UserId::from_bytes([1; 16]), slot })
}

impl Tokens {
    /// Of this protocol, or of the variant that derives tokens from the sign-in's secret alone.
    pub(super) fn new(drops_seed: bool) -> Self {
        let first_seed = if drops_seed { [0; 32] } else { STORED_SEED };
        let mut known = Vec::new();
        for session in 0..2 {
            let Some(at) = address() else { continue };
            let first = RefreshToken::first(at, &origin(session), &first_seed);
            let mut level = vec![Known::new(first, first_seed)];
            for _ in 0..GENERATIONS {
                let next = level
                    .iter()
                    .flat_map(|parent| {
                        (0..ACTORS).map(|actor| Known::new(parent.token.next(&seed(actor)), seed(actor)))
                    })
                    .collect();
                known.append(&mut std::mem::replace(&mut level, next));
            }
            known.append(&mut level);
        }
        let policy = Policy {
            access_seconds: 1,
            idle_seconds: 3,
            absolute_seconds: 5,
            refresh_grace_seconds: 1,
            ..Policy::default()
        };
        let numbers: HashMap<_, _> = known.iter().zip(0..).map(|(k, number)| (*k.hash.as_bytes(), number)).collect();
        // Everything about the derivation is public but the stored seed: without it, nothing is a better guess than none.
        let guess = address().map(|at| RefreshToken::first(at, &origin(0), &[0; 32]).hash());
        let computed = guess.and_then(|hash| numbers.get(hash.as_bytes()).copied()).unwrap_or(NONE);
        Self { known, numbers, computed, policy }
    }

    /// The token of the first session that follows from its `mfaSessionId`, if one does.
    pub(super) fn computed(&self) -> Token {
        self.computed
    }

    fn of(&self, token: Token) -> &Known {
        &self.known[usize::from(token)]
    }

    fn number(&self, hash: &TokenHash) -> Token {
        self.numbers.get(hash.as_bytes()).copied().unwrap_or(NONE)
    }

    fn slot(&self, s: &Session) -> Option<Slot> {
        let at_slot = address()?;
        let current = self.of(s.current);
        let keys = Keys {
            access: current.hash,
            access_expires_at: at(s.idle_until),
            previous_access: None,
            refresh: Some(RefreshKeys {
                generation: 0,
                family: current.family,
                current: current.hash,
                previous: (s.previous != NONE).then(|| self.of(s.previous).hash),
                seed: current.seed,
                rotated_at: at(s.rotated_at),
            }),
        };
        Some(Slot {
            at: at_slot,
            sid: SessionId::from_bytes([root_of(s.current); 16]),
            email: String::new(),
            identity: None,
            claims: holdfast_sessions::claims::Claims::default(),
            version: 1,
            keys: (!s.ended).then_some(keys),
            created_at: at(0),
            authenticated_at: at(0),
            last_used_at: at(0),
            last_updated_at: at(0),
            idle_expires_at: at(s.idle_until),
            absolute_expires_at: at(s.absolute_until),
            stay_signed_in: false,
            mfa_verified_at: None,
            device: Device::default(),
            trust: None,
            op: String::new(),
            ended: s.ended.then_some(Ended { at: at(0), reason: EndReason::TokenReused }),
        })
    }

    /// The domain's judgement.
    pub(super) fn judge(&self, s: &Session, presented: Token, now: u8) -> Judged {
        let Some(slot) = self.slot(s) else { return Judged::Unknown };
        match rotation::judge(Some(&slot), slot.at.slot, &self.of(presented).token, &self.policy, at(now)) {
            RefreshVerdict::Unknown => Judged::Unknown,
            RefreshVerdict::Current => Judged::Current,
            RefreshVerdict::Repeat(successor) => Judged::Repeat(self.number(&successor.hash())),
            RefreshVerdict::Reused => Judged::Reused,
        }
    }

    /// The domain's rotation of `presented` under the seed that `actor` drew, checked at `now`.
    pub(super) fn rotate(&self, s: &Session, presented: Token, actor: usize, now: u8) -> Session {
        let Some(slot) = self.slot(s) else { return *s };
        let (next, successor) =
            rotation::rotate(&slot, &self.of(presented).token, seed(actor), &self.policy, at(now), String::new());
        let previous = next.keys.and_then(|keys| keys.refresh).and_then(|keys| keys.previous);
        Session {
            current: self.number(&successor.hash()),
            previous: previous.map_or(NONE, |hash| self.number(&hash)),
            rotated_at: tick(next.last_updated_at),
            idle_until: tick(next.idle_expires_at),
            absolute_until: tick(next.absolute_expires_at),
            ended: s.ended,
        }
    }
}

impl Known {
    fn new(token: RefreshToken, seed: [u8; 32]) -> Self {
        Self { hash: token.hash(), family: token.family_hash(), token, seed }
    }
}
