//! A sign-in in progress, and the one transaction that turns it into a session.

use crate::claims::Claims;
use crate::device::Device;
use crate::ids::{DeviceId, LoginId, SessionId, SlotNo, UserId};
use crate::mfa::Proof;
use crate::policy::Policy;
use crate::secret::{Domain, Label, Secret, TokenHash, fingerprint};
use crate::session::{Keys, RefreshKeys, Slot, Trust};
use crate::slots::Placement;
use crate::time::Millis;
use crate::token::{AccessToken, Address, DeviceToken, RefreshToken};

/// Where a sign-in stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginState {
    /// Begun; the password is being checked.
    Started,
    /// The password was right; the second factor is awaited.
    MfaRequired,
    /// It became a session.
    Consumed,
    /// The sign-in failed.
    Failed,
}

impl LoginState {
    const ALL: [(LoginState, &str); 4] = [
        (LoginState::Started, "STARTED"),
        (LoginState::MfaRequired, "MFA_REQUIRED"),
        (LoginState::Consumed, "CONSUMED"),
        (LoginState::Failed, "FAILED"),
    ];

    /// The state as it is stored.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("FAILED", |(_, text)| text)
    }

    /// Reads a stored state.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, stored)| *stored == text).map(|(state, _)| *state)
    }
}

/// Why a sign-in failed, as the event says it. Never shown to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginFailure {
    /// No such e-mail.
    UnknownEmail,
    /// The password was wrong.
    WrongPassword,
    /// The account is not active.
    Inactive,
    /// The account changed while the password was being checked.
    Superseded,
    /// The answer to the second factor was wrong.
    WrongCode,
}

impl LoginFailure {
    /// All of them.
    pub const ALL: [LoginFailure; 5] = [
        LoginFailure::UnknownEmail,
        LoginFailure::WrongPassword,
        LoginFailure::Inactive,
        LoginFailure::Superseded,
        LoginFailure::WrongCode,
    ];

    /// The text of the reason in the table and in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            LoginFailure::UnknownEmail => "UNKNOWN_EMAIL",
            LoginFailure::WrongPassword => "WRONG_PASSWORD",
            LoginFailure::Inactive => "INACTIVE",
            LoginFailure::Superseded => "SUPERSEDED",
            LoginFailure::WrongCode => "WRONG_CODE",
        }
    }
}

/// The parent row of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its public name.
    pub id: LoginId,
    /// Where it stands.
    pub state: LoginState,
    /// The user, once known. A sign-in with an unknown e-mail has none.
    pub user: Option<UserId>,
    /// The account's epoch when the password was checked.
    pub auth_epoch: u64,
    /// When it began.
    pub started_at: Millis,
    /// When it expires.
    pub expires_at: Millis,
    /// The session it became.
    pub session: Option<(SlotNo, SessionId)>,
    /// The answer that consumed it, if a second factor was part of it. A client that sends the same answer again gets
    /// the same session.
    pub answered: Option<Answered>,
    /// The tokens go to a browser that keeps them where no script can read them.
    pub to_browser: bool,
    /// Network of the client, for the events.
    pub network: String,
}

/// The answer that consumed a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Hash of the MFA session's secret.
    pub secret: TokenHash,
    /// The accepted answer, keyed by that secret.
    pub attempt: TokenHash,
}

/// The child row of a sign-in: what the second step needs of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaChallenge {
    /// The id of the sign-in, which is the parent row.
    pub login: LoginId,
    /// The user of the sign-in.
    pub user: UserId,
    /// The account's epoch when the password was checked; the parent takes it over.
    pub auth_epoch: u64,
    /// Hash of the secret that answers must come with.
    pub secret: TokenHash,
    /// Random, and never sent to a client. Every token of the session is derived from the MFA secret *and* this seed,
    /// so that a reader of `mfaSessionId` cannot compute a token from it.
    pub seed: [u8; 32],
    /// When it expires, which is not later than the parent.
    pub expires_at: Millis,
    /// What the sign-in asked for.
    pub wishes: SessionOptions,
}

/// Everything random about a session, from a secret and a seed that are drawn once per sign-in: every plan for it makes
/// the same session with the same tokens.
///
/// Where a second factor is asked for, the client holds the secret (in `mfaSessionId`) and only the store holds the seed.
/// Each derivation needs both.
#[derive(Clone, Debug)]
pub struct SessionSecrets {
    /// The session's public name.
    pub sid: SessionId,
    /// The secret half of every derivation.
    pub origin: Secret<32>,
    /// The stored half of every derivation; also the first rotation seed of the slot.
    pub seed: [u8; 32],
}

fn first_half(secret: &Secret<32>) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&secret.expose()[..16]);
    half
}

impl SessionSecrets {
    /// All of it follows from the sign-in's secret and seed together.
    pub fn of(origin: Secret<32>, seed: [u8; 32]) -> Self {
        let sid = SessionId::from_bytes(first_half(&origin.derive(Label::SessionName, &seed)));
        Self { sid, origin, seed }
    }

    /// The name of the device that this sign-in makes trusted, if it does.
    pub fn device_id(&self) -> DeviceId {
        DeviceId::from_bytes(first_half(&self.origin.derive(Label::DeviceName, &self.seed)))
    }

    fn device_secret(&self) -> Secret<32> {
        self.origin.derive(Label::DeviceSecret, &self.seed)
    }

    /// What the record of a device keeps that this sign-in makes trusted.
    pub fn device_hash(&self) -> TokenHash {
        self.device_secret().hash(Domain::Device)
    }

    /// What such a device shows at its next sign-in.
    pub fn device_token(&self, user: UserId) -> DeviceToken {
        DeviceToken { user, device: self.device_id(), secret: self.device_secret() }
    }
}

/// What becomes of a trusted device when a sign-in commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceStep {
    /// It replaced the second factor, and its secret rotates.
    Rotate(DeviceRotation),
    /// It replaced the second factor by the secret before the current one, within the grace: nothing rotates.
    Repeat {
        /// The id of the device.
        id: DeviceId,
        /// The `op` of its record as read. After any other write in between, the device is checked again.
        seen: String,
        /// The trust that the session takes over.
        trust: Trust,
    },
    /// The user trusts it from now on.
    Create {
        /// The id of the device.
        id: DeviceId,
        /// Its first secret.
        secret: TokenHash,
        /// When its token expires.
        until: Millis,
    },
}

/// A rotation of a trusted device's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRotation {
    /// The id of the device.
    pub id: DeviceId,
    /// The secret it showed.
    pub presented: TokenHash,
    /// The next one.
    pub next: TokenHash,
    /// The seed that leads from the one to the other; only the store has it.
    pub seed: [u8; 32],
    /// The trust that the session takes over.
    pub trust: Trust,
}

impl DeviceStep {
    /// The trust of the session that the sign-in makes at `now`.
    pub const fn trust(&self, now: Millis) -> Trust {
        match self {
            DeviceStep::Rotate(DeviceRotation { trust, .. }) | DeviceStep::Repeat { trust, .. } => *trust,
            DeviceStep::Create { id, until, .. } => Trust { device: *id, since: now, until: *until },
        }
    }
}

/// What the sign-in asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// The longer lifetimes.
    pub stay_signed_in: bool,
    /// Shown in lists.
    pub device: Device,
}

/// One attempt to commit: the same plan under the same token may be sent any number of times.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The sign-in that is consumed.
    pub login: LoginId,
    /// The state it must still be in.
    pub expected: LoginState,
    /// The account's epoch when the password was checked.
    pub auth_epoch: u64,
    /// Where the session goes, and over whom.
    pub placement: Placement,
    /// The session as it will be stored.
    pub slot: Slot,
    /// The time at which every condition is checked. It is part of the plan, so that a repetition is identical.
    pub now: Millis,
    /// The second factor: consumed with the sign-in.
    pub answered: Option<(Answered, Proof)>,
    /// What becomes of a trusted device.
    pub device: Option<DeviceStep>,
}

impl Plan {
    /// At most 36 characters, the same for the same plan and for no other.
    pub fn token(&self) -> String {
        let p = &self.placement;
        let victim = p.victim.map_or([0; 16], |v| *v.sid.as_bytes());
        let versions = p.victim.map_or([0; 16], |v| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&v.version.to_be_bytes());
            bytes[8..].copy_from_slice(&v.last_used_at.get().to_be_bytes());
            bytes
        });
        let hash = fingerprint(
            "holdfast/sign-in-plan/2",
            &[
                self.login.as_bytes(),
                self.slot.sid.as_bytes(),
                &[p.slot.get()],
                &victim,
                &versions,
                &self.now.get().to_be_bytes(),
                self.slot.op.as_bytes(),
                self.slot.claims.as_str().as_bytes(),
            ],
        );
        crate::ids::encode(&hash[..24])
    }
}

/// The session that `draw` makes in `at`, and its first tokens.
pub fn new_session(
    at: Address,
    email: &str,
    draw: &SessionSecrets,
    wishes: &SessionOptions,
    policy: &Policy,
    now: Millis,
    op: String,
) -> (Slot, RefreshToken) {
    let refresh = RefreshToken::first(at, &draw.origin, &draw.seed);
    let absolute_expires_at = policy.absolute_expiry(now, wishes.stay_signed_in);
    let idle_expires_at = policy.idle_expiry(now, wishes.stay_signed_in, absolute_expires_at);
    let slot = Slot {
        at,
        sid: draw.sid,
        email: email.to_owned(),
        identity: None,
        claims: Claims::default(),
        version: 1,
        keys: Some(Keys {
            access: AccessToken::of(&refresh).hash(),
            access_expires_at: policy.access_expiry(now, idle_expires_at),
            previous_access: None,
            refresh: Some(RefreshKeys {
                generation: 0,
                family: refresh.family_hash(),
                current: refresh.hash(),
                previous: None,
                seed: draw.seed,
                rotated_at: now,
            }),
        }),
        created_at: now,
        authenticated_at: now,
        last_used_at: now,
        last_updated_at: now,
        idle_expires_at,
        absolute_expires_at,
        stay_signed_in: wishes.stay_signed_in,
        mfa_verified_at: None,
        device: wishes.device.clone(),
        trust: None,
        op,
        ended: None,
    };
    (slot, refresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(stay: bool) -> (Slot, RefreshToken) {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).unwrap() };
        let draw = SessionSecrets { sid: SessionId::from_bytes([2; 16]), origin: Secret::new([3; 32]), seed: [4; 32] };
        let wishes = SessionOptions { stay_signed_in: stay, ..SessionOptions::default() };
        new_session(at, "a@b", &draw, &wishes, &Policy::default(), Millis::new(0), "op".into())
    }

    #[test]
    fn a_session_lives_an_hour_idle_and_a_day_at_most() {
        let (slot, _) = session(false);
        assert_eq!(slot.idle_expires_at, Millis::new(3_600_000));
        assert_eq!(slot.absolute_expires_at, Millis::new(86_400_000));
    }

    #[test]
    fn staying_signed_in_means_two_weeks_idle_and_thirty_days_at_most() {
        let (slot, _) = session(true);
        assert_eq!(slot.idle_expires_at, Millis::new(1_209_600_000));
        assert_eq!(slot.absolute_expires_at, Millis::new(2_592_000_000));
    }

    #[test]
    fn a_repeated_plan_has_the_same_token_and_another_plan_another() {
        let (slot, _) = session(false);
        let plan = Plan {
            login: LoginId::from_bytes([5; 16]),
            expected: LoginState::Started,
            auth_epoch: 0,
            placement: Placement { slot: slot.at.slot, victim: None, sessions_over_limit: vec![] },
            slot,
            now: Millis::new(0),
            answered: None,
            device: None,
        };
        assert_eq!(plan.token(), plan.clone().token());
        assert!(plan.token().len() <= 36);
        let other = Plan { now: Millis::new(1), ..plan.clone() };
        assert_ne!(plan.token(), other.token());
    }

    #[test]
    fn everything_about_a_session_follows_from_the_secret_and_the_seed_of_its_sign_in() {
        let draw = |secret, seed| SessionSecrets::of(Secret::new([secret; 32]), [seed; 32]);
        let user = UserId::from_bytes([9; 16]);
        let at = Address { user, slot: SlotNo::new(0).unwrap() };
        let everything = |draw: &SessionSecrets| {
            let first = RefreshToken::first(at, &draw.origin, &draw.seed);
            let device = draw.device_token(user);
            (draw.sid, draw.device_id(), device.text(), first.text(), AccessToken::of(&first).text())
        };
        let (one, same) = (everything(&draw(1, 1)), everything(&draw(1, 1)));
        assert_eq!(one, same);
        for other in [draw(2, 1), draw(1, 2)] {
            let other = everything(&other);
            assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2 && one.3 != other.3 && one.4 != other.4);
        }
    }

    #[test]
    fn states_read_back() {
        for (state, text) in LoginState::ALL {
            assert_eq!(LoginState::parse(text), Some(state));
            assert_eq!(state.as_str(), text);
        }
    }

    #[test]
    fn reasons_of_failures_are_told_apart() {
        let texts = LoginFailure::ALL.map(LoginFailure::as_str);
        assert_eq!(texts, ["UNKNOWN_EMAIL", "WRONG_PASSWORD", "INACTIVE", "SUPERSEDED", "WRONG_CODE"]);
    }
}
