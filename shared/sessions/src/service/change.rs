//! The loop around one transaction over a user's records: read, plan, commit, and plan again when something has
//! changed.

use super::retry;
use crate::change::{
    AccountChange, AccountEdit, DeviceChange, DeviceEdit, Origin, SlotChange, SlotEdit, SlotSeen, SlotUpdate,
    UserChange,
};
use crate::error::Failure;
use crate::ids::{DeviceId, SessionId, SlotNo, UserId};
use crate::policy::Policy;
use crate::ports::{Clock, Devices, Effect, Rng, SessionCache, SessionReads, StoreError, Transacted, UserChanges};
use crate::session::{self, Slot, UserState};
use crate::time::Millis;
use crate::trusted_device::TrustedDevice;

/// Records of devices that one transaction removes at most: with the account and ten slots it stays below DynamoDB's limit
/// of 100 actions. Version 0.1.0 did not bound their number.
pub(super) const MAX_REMOVED: usize = 60;

/// One strong reading of a user. The devices are read first: a sign-in by device writes the device and the slot together, so
/// a slot that this reading misses has changed its device's record since.
pub(super) struct Reading<'a> {
    pub(super) state: UserState,
    pub(super) devices: Vec<(DeviceId, TrustedDevice)>,
    pub(super) policy: &'a Policy,
    pub(super) now: Millis,
}

impl Reading<'_> {
    /// The caller's own session, which must be live.
    pub(super) fn caller(&self, sid: SessionId) -> Result<&Slot, Failure> {
        self.live().find(|slot| slot.sid == sid).ok_or_else(Failure::unauthenticated)
    }

    /// The live sessions.
    pub(super) fn live(&self) -> impl Iterator<Item = &Slot> {
        self.state.slots.iter().filter(|s| session::live(Some(s), s.at.slot, self.policy, self.now).is_some())
    }

    /// The devices whose tokens work.
    pub(super) fn valid_devices(&self) -> impl Iterator<Item = &(DeviceId, TrustedDevice)> {
        self.devices.iter().filter(|(_, device)| device.is_valid(self.state.account.auth_epoch, self.now))
    }

    /// The device that a session lives on, while its token works.
    pub(super) fn device_of(&self, slot: &Slot) -> Option<&(DeviceId, TrustedDevice)> {
        let trust = slot.trusted(self.now)?;
        self.valid_devices().find(|(id, _)| *id == trust.device)
    }
}

/// What a reading leads to.
pub(super) struct Plan<T> {
    account: Option<AccountChange>,
    slots: Vec<SlotChange>,
    devices: Vec<DeviceChange>,
    /// What the caller wants to know once it is committed.
    outcome: T,
}

impl<T> Plan<T> {
    pub(super) fn new(outcome: T) -> Self {
        Self { account: None, slots: Vec::new(), devices: Vec::new(), outcome }
    }

    /// The account must be at the epoch that was read, and changes so.
    pub(super) fn account(mut self, reading: &Reading<'_>, edit: AccountEdit) -> Self {
        self.account = Some(AccountChange { auth_epoch: reading.state.account.auth_epoch, edit });
        self
    }

    /// One slot's part; a slot that has a part already keeps it.
    pub(super) fn slot(mut self, slot: SlotNo, seen: SlotSeen, edit: SlotEdit) -> Self {
        if !self.slots.iter().any(|part| part.slot == slot) {
            self.slots.push(SlotChange { slot, seen, edit });
        }
        self
    }

    /// The caller's session must still be live.
    pub(super) fn requires(self, caller: &Slot) -> Self {
        self.slot(caller.at.slot, SlotSeen::Live(caller.sid), SlotEdit::Keep)
    }

    pub(super) fn device(mut self, id: DeviceId, edit: DeviceEdit) -> Self {
        self.devices.push(DeviceChange { id, edit });
        self
    }

    /// Ends the trust of a session in the plan that removes its device. A session that is only required to be live is
    /// changed, too. A session that ends, or whose trust is set already, stays as planned.
    fn untrust(mut self, slot: &Slot) -> Self {
        let update = SlotUpdate { trust: Some(None), ..SlotUpdate::default() };
        let version = (slot.sid, slot.version);
        match self.slots.iter_mut().find(|part| part.slot == slot.at.slot) {
            None => {
                // Expired sessions are included, because a refresh that was checked before the expiry may still be on
                // its way.
                self.slot(slot.at.slot, SlotSeen::Version(version.0, version.1), SlotEdit::Update(update))
            }
            Some(part) => {
                match &mut part.edit {
                    SlotEdit::End(_) => {}
                    SlotEdit::Update(there) => there.trust = there.trust.or(update.trust),
                    SlotEdit::Keep => {
                        part.seen = SlotSeen::LiveVersion(version.0, version.1);
                        part.edit = SlotEdit::Update(update);
                    }
                }
                self
            }
        }
    }

    /// Removes these devices. Sessions that live on them are no longer trusted.
    pub(super) fn removing(mut self, reading: &Reading<'_>, gone: &[DeviceId]) -> Self {
        for id in gone {
            let there = reading.devices.iter().find(|(known, _)| known == id);
            // A slot names a device that is not among the devices that were read. It was deleted, or it was made after
            // the reading. In the second case the plan is refused and made anew.
            let edit = there.map_or(DeviceEdit::Absent, |(_, device)| DeviceEdit::Delete { seen: device.op.clone() });
            self = self.device(*id, edit);
        }
        let on_them = |slot: &&Slot| {
            slot.ended.is_none() && slot.trust.as_ref().is_some_and(|trust| gone.contains(&trust.device))
        };
        for slot in reading.state.slots.iter().filter(on_them) {
            self = self.untrust(slot);
        }
        self
    }

    /// Stops trusting every device, also in the sessions. The account's epoch must move in the same plan: it
    /// invalidates the devices beyond [`MAX_REMOVED`].
    pub(super) fn removing_all(mut self, reading: &Reading<'_>) -> Self {
        for (id, device) in reading.valid_devices().take(MAX_REMOVED) {
            self = self.device(*id, DeviceEdit::Delete { seen: device.op.clone() });
        }
        for slot in reading.state.slots.iter().filter(|slot| slot.ended.is_none() && slot.trust.is_some()) {
            self = self.untrust(slot);
        }
        self
    }

    fn touched(&self) -> Vec<SlotNo> {
        self.slots.iter().filter(|part| part.edit != SlotEdit::Keep).map(|part| part.slot).collect()
    }
}

/// A plan that was committed.
pub(super) struct Committed<T> {
    pub(super) outcome: T,
    pub(super) effect: Effect,
}

/// Repeats reading and planning until a plan is committed or refused by `plan`; a plan whose outcome is unknown is repeated
/// under its own token.
pub(super) async fn commit<S, C, H, T>(
    (store, cache, host, policy): (&S, &C, &H, &Policy),
    user: UserId,
    origin: &Origin,
    plan: impl Fn(&Reading<'_>) -> Result<Plan<T>, Failure>,
) -> Result<Committed<T>, Failure>
where
    S: SessionReads + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    let op = host.op();
    let mut planned: Option<(UserChange, Vec<SlotNo>, T)> = None;
    let mut trouble = StoreError::Conflict("change of a user".into());
    for attempt in 0..retry::MAX_TRIES {
        let (change, touched, outcome) = match planned.take() {
            Some(planned) => planned,
            None => {
                let devices = store.devices(user).await?;
                let state = store.user(user).await?.ok_or_else(Failure::unauthenticated)?;
                let reading = Reading { state, devices, policy, now: host.now() };
                let plan = plan(&reading)?;
                let touched = plan.touched();
                let change = UserChange {
                    user,
                    account: plan.account,
                    slots: plan.slots,
                    devices: plan.devices,
                    origin: origin.clone(),
                    now: reading.now,
                    op: op.clone(),
                    plan: attempt,
                };
                (change, touched, plan.outcome)
            }
        };
        match store.apply(&change).await {
            Ok(Transacted::Done) => {
                let effect = if touched.is_empty() { Effect::Immediate } else { cache.forget(user, &touched).await };
                return Ok(Committed { outcome, effect });
            }
            // Another change was first: read again and plan anew.
            Ok(Transacted::Refused) => {}
            // Known not to have happened, or not known at all: the same plan again settles it.
            Ok(Transacted::Busy) => {
                planned = Some((change, touched, outcome));
                retry::pause(host, attempt).await;
            }
            Err(unknown @ (StoreError::Conflict(_) | StoreError::Unavailable(_))) => {
                trouble = unknown;
                planned = Some((change, touched, outcome));
                retry::pause(host, attempt).await;
            }
            Err(other) => return Err(other.into()),
        }
    }
    // It may have happened: what is cached of these slots must not be served as if it had not.
    if let Some((_, touched, _)) = planned {
        cache.forget(user, &touched).await;
    }
    Err(trouble.into())
}
