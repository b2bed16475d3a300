//! Changes of a user's records: the account, the session slots and the trusted devices, in one transaction.
//!
//! Every use case that changes more than one slot builds a [`UserChange`] from one strong reading of the user. The
//! store commits all of it or nothing. So the sessions, the list of devices and the device tokens never disagree about
//! the devices that are trusted.

use crate::account::Status;
use crate::claims::Claims;
use crate::ids::{DeviceId, SessionId, SlotNo, UserId};
use crate::mfa::{KeptSeed, Proof};
use crate::secret::{TokenHash, fingerprint};
use crate::session::{EndReason, Trust};
use crate::time::Millis;
use crate::trusted_device::TrustedDevice;

/// Where a change comes from, as its events say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Network of the client, /24 or /48.
    pub network: Option<String>,
    /// The operator who made the change: role and session name.
    pub actor: Option<String>,
}

impl Origin {
    /// A change that a client at this address asks for.
    pub fn client(ip: &str) -> Self {
        Self { network: Some(crate::attempts::network(ip)), actor: None }
    }

    /// A change that an operator makes.
    pub fn operator(actor: impl Into<String>) -> Self {
        Self { network: None, actor: Some(actor.into()) }
    }
}

/// One transaction over the records of one user.
#[derive(Clone, Debug)]
pub struct UserChange {
    /// The user whose records change.
    pub user: UserId,
    /// The account's part, if it takes part at all.
    pub account: Option<AccountChange>,
    /// The slots that take part.
    pub slots: Vec<SlotChange>,
    /// The trusted devices that take part.
    pub devices: Vec<DeviceChange>,
    /// Where the change comes from.
    pub origin: Origin,
    /// The time at which every condition is checked.
    pub now: Millis,
    /// Random id of the request.
    pub op: String,
    /// Number of this plan within its request: a plan made after a new reading has another.
    pub plan: u32,
}

impl UserChange {
    /// At most 36 characters: the same for the same plan of the same request, and for no other.
    pub fn token(&self) -> String {
        let hash = fingerprint("holdfast/user-change/1", &[self.op.as_bytes(), &self.plan.to_be_bytes()]);
        crate::ids::encode(&hash[..24])
    }
}

/// The account's part: it must be at the epoch that was read.
#[derive(Clone, Debug)]
pub struct AccountChange {
    /// The epoch as read.
    pub auth_epoch: u64,
    /// The change of the account.
    pub edit: AccountEdit,
}

/// What changes of an account. The default changes nothing and only requires the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountEdit {
    /// The epoch moves: sign-ins that began before can no longer finish, older devices become invalid, and a pending
    /// seed is dropped.
    pub moves_epoch: bool,
    /// The new status.
    pub status: Option<Status>,
    /// What the account keeps of its new password.
    pub password: Option<String>,
    /// What changes of the second factor.
    pub factor: Option<FactorEdit>,
    /// The new claims. The same change gives them to every slot that has not ended.
    pub claims: Option<Claims>,
}

impl AccountEdit {
    /// Whether only the epoch is required.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What changes of a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactorEdit {
    /// A session receives a seed. It replaces the pending seed that was read, and no other.
    Enroll {
        /// The new pending seed.
        pending: KeptSeed,
        /// The session that asked for it, and that alone may activate it.
        session: SessionId,
        /// The pending seed as read.
        seen: Option<KeptSeed>,
    },
    /// The pending seed works: from now on, sign-ins ask for its codes.
    Activate {
        /// The pending seed as read.
        pending: KeptSeed,
        /// How it is kept from now on.
        kept: KeptSeed,
        /// The step that is spent by showing it.
        step: u64,
        /// Hashes of the recovery codes.
        recovery: Vec<TokenHash>,
    },
    /// The second factor was verified once more, and the proof is spent.
    Spend(Proof),
    /// The user switches it off with this proof.
    Disable(Proof),
    /// An operator switches it off.
    Reset,
    /// New recovery codes replace the old ones.
    RenewRecovery(Vec<TokenHash>),
}

/// One slot's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotChange {
    /// The slot that changes.
    pub slot: SlotNo,
    /// What must still be there.
    pub seen: SlotSeen,
    /// What becomes of it.
    pub edit: SlotEdit,
}

/// What a slot looked like when the change was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotSeen {
    /// Nothing usable is there.
    Free,
    /// This session has no tombstone; it may have expired.
    Unended(SessionId),
    /// This session, at this version, has no tombstone; it may have expired.
    Version(SessionId, u64),
    /// This session is live.
    Live(SessionId),
    /// This session is live at this version.
    LiveVersion(SessionId, u64),
}

/// What becomes of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotEdit {
    /// Nothing: it is only required to be as seen.
    Keep,
    /// It is ended.
    End(EndReason),
    /// It is changed, and its version grows by one.
    Update(SlotUpdate),
}

/// What changes of a live session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotUpdate {
    /// The trust of its device: given, renewed, or taken away (`Some(None)`).
    pub trust: Option<Option<Trust>>,
    /// When its second factor was shown.
    pub mfa_verified_at: Option<Millis>,
    /// When its user was last authenticated.
    pub authenticated_at: Option<Millis>,
    /// The claims of the account.
    pub claims: Option<Claims>,
}

/// One trusted device's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceChange {
    /// The device that changes.
    pub id: DeviceId,
    /// What becomes of it.
    pub edit: DeviceEdit,
}

/// What becomes of a trusted device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEdit {
    /// There must be no record: the reading found none.
    Absent,
    /// A new record; there must be none.
    Create(Box<TrustedDevice>),
    /// The record goes, if it was last written by `seen`.
    Delete {
        /// The `op` of the record as read.
        seen: String,
    },
    /// The record moves to the account's new epoch, if it was last written by `seen`: it outlives the change.
    Keep {
        /// The `op` of the record as read.
        seen: String,
        /// The new epoch.
        auth_epoch: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(op: &str, plan: u32) -> UserChange {
        UserChange {
            user: UserId::from_bytes([1; 16]),
            account: None,
            slots: vec![],
            devices: vec![],
            origin: Origin::default(),
            now: Millis::new(0),
            op: op.into(),
            plan,
        }
    }

    #[test]
    fn a_plan_made_after_a_new_reading_is_another_request() {
        assert_eq!(change("a", 0).token(), change("a", 0).token(), "a repetition is recognised");
        assert!(change("a", 0).token().len() <= 36, "ClientRequestToken takes at most 36 characters");
        assert_ne!(change("a", 0).token(), change("a", 1).token());
        assert_ne!(change("a", 0).token(), change("b", 0).token());
    }
}
