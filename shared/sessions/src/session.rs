//! A session as its slot holds it, and who may pass with which token.

use crate::account::Identity;
use crate::claims::Claims;
use crate::device::Device;
use crate::ids::{DeviceId, SessionId, SlotNo, UserId};
use crate::policy::{Policy, RECENT_SECONDS, TOUCH_SECONDS};
use crate::secret::TokenHash;
use crate::time::Millis;
use crate::token::Address;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The user logged this device out.
    Logout,
    /// The user ended it from another session.
    Revoked,
    /// The user ended all, or all others.
    RevokedAll,
    /// A newer sign-in replaced it, or the limit was lowered.
    Evicted,
    /// An older refresh token came back.
    TokenReused,
    /// The password changed.
    PasswordChanged,
    /// The account was disabled.
    AccountDisabled,
    /// An operator ended it.
    Admin,
    /// The account was deleted.
    AccountDeleted,
}

impl EndReason {
    const ALL: [(EndReason, &str); 9] = [
        (EndReason::AccountDeleted, "ACCOUNT_DELETED"),
        (EndReason::Logout, "LOGOUT"),
        (EndReason::Revoked, "REVOKED"),
        (EndReason::RevokedAll, "REVOKED_ALL"),
        (EndReason::Evicted, "EVICTED"),
        (EndReason::TokenReused, "TOKEN_REUSED"),
        (EndReason::PasswordChanged, "PASSWORD_CHANGED"),
        (EndReason::AccountDisabled, "ACCOUNT_DISABLED"),
        (EndReason::Admin, "ADMIN"),
    ];

    /// The text of the reason in the table and in events.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(reason, _)| *reason == self).map_or("REVOKED", |(_, text)| text)
    }

    /// Reads a stored reason.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, stored)| *stored == text).map(|(reason, _)| *reason)
    }
}

/// A tombstone's two facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The time of the end.
    pub at: Millis,
    /// The reason of the end.
    pub reason: EndReason,
}

/// The hashes that open a session; removed when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Current access token.
    pub access: TokenHash,
    /// When it expires.
    pub access_expires_at: Millis,
    /// The one before, and until when it still opens.
    pub previous_access: Option<(TokenHash, Millis)>,
    /// `None` in a copy that came from a cache: what a cache never holds cannot leak from it.
    pub refresh: Option<RefreshKeys>,
}

/// The data that a refresh token is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshKeys {
    /// How often it was rotated.
    pub generation: u64,
    /// Fixed part of every refresh token of this session.
    pub family: TokenHash,
    /// Current refresh token.
    pub current: TokenHash,
    /// The one before.
    pub previous: Option<TokenHash>,
    /// Random, new at each rotation: from it and the previous token follows the current one.
    pub seed: [u8; 32],
    /// When it was last rotated.
    pub rotated_at: Millis,
}

/// The trust of the device that a session lives on: its device token works until `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The device, which is a record of its own.
    pub device: DeviceId,
    /// When the device became trusted.
    pub since: Millis,
    /// When its token expires.
    pub until: Millis,
}

/// One slot of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it is.
    pub at: Address,
    /// The session that lives (or lived) here.
    pub sid: SessionId,
    /// The e-mail address, for display.
    pub email: String,
    /// What an identity provider calls the user.
    pub identity: Option<Identity>,
    /// What services state about the user, as the account has it.
    pub claims: Claims,
    /// Counts changes; the `ETag`.
    pub version: u64,
    /// `None` once ended.
    pub keys: Option<Keys>,
    /// When the sign-in happened.
    pub created_at: Millis,
    /// When the user last proved to be there: at the sign-in, or by reauthentication.
    pub authenticated_at: Millis,
    /// Exact to [`TOUCH_SECONDS`].
    pub last_used_at: Millis,
    /// For people; ordering is by `version`.
    pub last_updated_at: Millis,
    /// Idle expiry: the session ends at this time unless it is refreshed.
    pub idle_expires_at: Millis,
    /// Absolute expiry: the session ends at this time in any case. It never moves.
    pub absolute_expires_at: Millis,
    /// The longer lifetimes apply.
    pub stay_signed_in: bool,
    /// When the second factor was shown in this session.
    pub mfa_verified_at: Option<Millis>,
    /// The device, for display.
    pub device: Device,
    /// The trust of that device, as its record has it. Both are written in one transaction.
    pub trust: Option<Trust>,
    /// Random id of the request that wrote last: a lost reply is recognised by it.
    pub op: String,
    /// Set once, never removed.
    pub ended: Option<Ended>,
}

impl Slot {
    /// Neither ended nor expired. The one definition; every condition in the store says the same.
    pub fn is_live(&self, now: Millis) -> bool {
        self.ended.is_none() && self.keys.is_some() && now < self.expires_at()
    }

    /// The earlier of idle and absolute expiry.
    pub fn expires_at(&self) -> Millis {
        self.idle_expires_at.min(self.absolute_expires_at)
    }

    /// Authenticated within [`RECENT_SECONDS`].
    pub fn is_recent(&self, now: Millis) -> bool {
        now < self.authenticated_at.plus_seconds(RECENT_SECONDS)
    }

    /// The second factor was shown within [`RECENT_SECONDS`].
    pub fn is_recently_verified(&self, now: Millis) -> bool {
        self.mfa_verified_at.is_some_and(|at| now < at.plus_seconds(RECENT_SECONDS))
    }

    /// The trust of this session's device, while its token works.
    pub fn trusted(&self, now: Millis) -> Option<&Trust> {
        self.trust.as_ref().filter(|trust| now < trust.until)
    }

    /// Whether a validation now should move `lastUsedAt`.
    pub fn wants_touch(&self, now: Millis) -> bool {
        now >= self.last_used_at.plus_seconds(TOUCH_SECONDS)
    }
}

/// Returns the session in `slot` if it is live. It is not live if the slot is missing or a tombstone, if the session has expired,
/// or if the slot's number is at or above the limit. It does not compare ids: a caller that
/// expects a certain session compares its id.
pub fn live<'a>(slot: Option<&'a Slot>, number: SlotNo, policy: &Policy, now: Millis) -> Option<&'a Slot> {
    slot.filter(|slot| number.get() < policy.max_sessions && slot.is_live(now))
}

/// Whether the presented access token opens this slot now.
pub fn accepts_access_token(slot: &Slot, presented: &TokenHash, now: Millis) -> bool {
    let Some(keys) = &slot.keys else { return false };
    let current = keys.access == *presented && now < keys.access_expires_at;
    let previous = keys.previous_access.is_some_and(|(hash, until)| hash == *presented && now < until);
    current || previous
}

/// Live sessions of a user, most recently used first.
pub fn most_recent_first<'a>(slots: &'a [Slot], policy: &Policy, now: Millis) -> Vec<&'a Slot> {
    let mut sessions: Vec<_> =
        slots.iter().filter(|slot| live(Some(slot), slot.at.slot, policy, now).is_some()).collect();
    sessions.sort_by_key(|s| (std::cmp::Reverse((s.last_used_at, s.created_at)), s.at.slot));
    sessions
}

/// An account with its slots, read together.
#[derive(Clone, Debug)]
pub struct UserState {
    /// The account of the user.
    pub account: crate::account::Account,
    /// The slots that exist, in key order, ended ones included.
    pub slots: Vec<Slot>,
}

impl UserState {
    /// The slot with that number, if it exists.
    pub fn slot(&self, number: SlotNo) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.at.slot == number)
    }

    /// The user of this state.
    pub fn user(&self) -> UserId {
        self.account.user
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::token::{AccessToken, RefreshToken};

    pub(crate) fn slot(number: u8, used: i64) -> Slot {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(number).unwrap() };
        let refresh = RefreshToken::first(at, &Secret::new([number; 32]), &[2; 32]);
        Slot {
            at,
            sid: SessionId::from_bytes([number + 100; 16]),
            email: "a@example.com".into(),
            identity: None,
            claims: Claims::default(),
            version: 1,
            keys: Some(Keys {
                access: AccessToken::of(&refresh).hash(),
                access_expires_at: Millis::new(900_000),
                previous_access: None,
                refresh: Some(RefreshKeys {
                    generation: 0,
                    family: refresh.family_hash(),
                    current: refresh.hash(),
                    previous: None,
                    seed: [2; 32],
                    rotated_at: Millis::new(0),
                }),
            }),
            created_at: Millis::new(0),
            authenticated_at: Millis::new(0),
            last_used_at: Millis::new(used),
            last_updated_at: Millis::new(0),
            idle_expires_at: Millis::new(3_600_000),
            absolute_expires_at: Millis::new(86_400_000),
            stay_signed_in: false,
            mfa_verified_at: None,
            device: Device::default(),
            trust: None,
            op: String::new(),
            ended: None,
        }
    }

    #[test]
    fn a_session_is_over_at_its_expiry_and_not_a_millisecond_later() {
        let slot = slot(0, 0);
        assert!(slot.is_live(Millis::new(3_599_999)));
        assert!(!slot.is_live(Millis::new(3_600_000)));
        let capped = Slot { absolute_expires_at: Millis::new(10), ..slot };
        assert!(!capped.is_live(Millis::new(10)));
    }

    #[test]
    fn a_tombstone_opens_for_nobody() {
        let mut slot = slot(0, 0);
        let token = slot.keys.as_ref().unwrap().access;
        assert!(accepts_access_token(&slot, &token, Millis::new(1)));
        slot.keys = None;
        slot.ended = Some(Ended { at: Millis::new(1), reason: EndReason::Logout });
        assert!(!accepts_access_token(&slot, &token, Millis::new(1)));
        assert!(!slot.is_live(Millis::new(1)));
    }

    #[test]
    fn the_previous_access_token_lives_until_the_grace_and_no_longer() {
        let mut slot = slot(0, 0);
        let old = slot.keys.as_ref().unwrap().access;
        let keys = slot.keys.as_mut().unwrap();
        keys.access = TokenHash::from_bytes([0; 32]);
        keys.previous_access = Some((old, Millis::new(50)));
        assert!(accepts_access_token(&slot, &old, Millis::new(49)));
        assert!(!accepts_access_token(&slot, &old, Millis::new(50)));
    }

    #[test]
    fn tokens_die_at_their_expiry_and_not_after_it() {
        let slot = slot(0, 0);
        let token = slot.keys.as_ref().unwrap().access;
        assert!(accepts_access_token(&slot, &token, Millis::new(899_999)));
        assert!(!accepts_access_token(&slot, &token, Millis::new(900_000)));
    }

    #[test]
    fn recent_is_less_than_fifteen_minutes_after_the_sign_in() {
        let slot = slot(0, 0);
        assert!(slot.is_recent(Millis::new(899_999)));
        assert!(!slot.is_recent(Millis::new(900_000)));
    }

    #[test]
    fn reauthentication_makes_a_session_recent_again() {
        let slot =
            Slot { authenticated_at: Millis::new(5_000_000), mfa_verified_at: Some(Millis::new(0)), ..slot(0, 0) };
        assert!(slot.is_recent(Millis::new(5_899_999)) && !slot.is_recent(Millis::new(5_900_000)));
        assert!(slot.is_recently_verified(Millis::new(899_999)) && !slot.is_recently_verified(Millis::new(900_000)));
        assert!(!Slot { mfa_verified_at: None, ..slot }.is_recently_verified(Millis::new(0)));
    }

    #[test]
    fn a_device_is_trusted_until_its_token_is_void() {
        let trust = Trust { device: DeviceId::from_bytes([1; 16]), since: Millis::new(0), until: Millis::new(10) };
        let slot = Slot { trust: Some(trust), ..slot(0, 0) };
        assert_eq!(slot.trusted(Millis::new(9)), Some(&trust));
        assert_eq!(slot.trusted(Millis::new(10)), None);
    }

    #[test]
    fn use_is_noted_every_five_minutes() {
        let slot = slot(0, 1_000);
        assert!(!slot.wants_touch(Millis::new(300_999)));
        assert!(slot.wants_touch(Millis::new(301_000)));
    }

    #[test]
    fn a_slot_beyond_the_limit_is_ended() {
        let slot = slot(4, 0);
        let policy = |max_sessions| Policy { max_sessions, ..Policy::default() };
        assert!(live(Some(&slot), slot.at.slot, &policy(5), Millis::new(1)).is_some());
        assert!(live(Some(&slot), slot.at.slot, &policy(4), Millis::new(1)).is_none());
    }

    #[test]
    fn lists_are_most_recently_used_first() {
        let slots = [slot(0, 5), slot(1, 9), slot(2, 7)];
        let order: Vec<_> =
            most_recent_first(&slots, &Policy::default(), Millis::new(10)).iter().map(|s| s.at.slot.get()).collect();
        assert_eq!(order, [1, 2, 0]);
    }

    #[test]
    fn reasons_read_back() {
        for (reason, text) in EndReason::ALL {
            assert_eq!(reason.as_str(), text);
            assert_eq!(EndReason::parse(text), Some(reason));
        }
    }
}
