//! Trusting the device of a session, or not.

use super::change::{Plan, Reading};
use super::factor::sensitive;
use super::{Current, Sessions};
use crate::change::{AccountEdit, DeviceEdit, Origin, SlotEdit, SlotSeen, SlotUpdate};
use crate::error::{Code, Failure};
use crate::ids::{DeviceId, SessionId};
use crate::policy::MAX_DEVICES;
use crate::ports::{Clock, Devices, Effect, Rng, SessionCache, SessionReads, UserChanges};
use crate::secret::Secret;
use crate::session::{Slot, Trust};
use crate::token::DeviceToken;
use crate::trusted_device::TrustedDevice;

/// What the caller wants.
#[derive(Clone, Debug)]
pub struct TrustRequest {
    /// One of the caller's sessions.
    pub sid: SessionId,
    /// The new state.
    pub trusted: bool,
    /// The versions that the caller accepts; `None` accepts every version.
    pub expected_versions: Option<Vec<u64>>,
    /// How long the trust lasts, in seconds (`DEVICE_TRUST_SECONDS`).
    pub trust_seconds: i64,
}

/// A session whose trust was set.
#[derive(Clone, Debug)]
pub struct TrustSet {
    /// The session afterwards.
    pub slot: Slot,
    /// What its device shows from now on, where the caller's own session became trusted.
    pub device_token: Option<DeviceToken>,
    /// How surely no session says otherwise.
    pub effect: Effect,
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Makes the device of the caller's own session trusted, or stops trusting the device of any of the caller's sessions.
    ///
    /// Only a device itself can receive its token, so trusting another session's device changes only that session's
    /// version.
    pub async fn set_trust(
        &self,
        current: &Current,
        wish: &TrustRequest,
        origin: &Origin,
    ) -> Result<TrustSet, Failure> {
        let user = current.slot.at.user;
        let fresh = DeviceToken {
            user,
            device: DeviceId::from_bytes(self.host.random()),
            secret: Secret::new(self.host.random()),
        };
        let op = self.host.op();
        let done = self
            .change(user, origin, |reading| {
                let caller = reading.caller(current.slot.sid)?;
                let slot = reading
                    .live()
                    .find(|slot| slot.sid == wish.sid)
                    .ok_or_else(|| Failure::new(Code::NotFound, "You have no live session with this id."))?;
                if wish.expected_versions.as_ref().is_some_and(|versions| !versions.contains(&slot.version)) {
                    return Err(Failure::new(
                        Code::PreconditionFailed,
                        "The session is at another version than the one you named; read it again.",
                    ));
                }
                let own = slot.sid == caller.sid;
                let may = sensitive(&reading.state.account, caller, reading.now);
                let becomes = own && wish.trusted && (may.is_ok() || slot.trusted(reading.now).is_none());
                let (trust, record) = if becomes {
                    may?;
                    let record = new_record(reading, slot, &fresh, wish, origin, &op);
                    let trust = Trust { device: fresh.device, since: record.created_at, until: record.expires_at };
                    (Some(Some(trust)), Some(record))
                } else {
                    ((!wish.trusted).then_some(None), None)
                };
                let update = SlotUpdate { trust, ..SlotUpdate::default() };
                let changed = Slot {
                    version: slot.version + 1,
                    last_updated_at: reading.now,
                    trust: trust.unwrap_or(slot.trust),
                    ..slot.clone()
                };
                let mut plan = Plan::new((changed, becomes));
                if !own {
                    plan = plan.requires(caller);
                }
                let seen = SlotSeen::LiveVersion(slot.sid, slot.version);
                plan = plan.slot(slot.at.slot, seen, SlotEdit::Update(update));
                let mut gone: Vec<DeviceId> = slot.trust.iter().map(|t| t.device).filter(|_| trust.is_some()).collect();
                if let Some(record) = record {
                    // Made under the epoch that was read, or not at all.
                    plan = plan.account(reading, AccountEdit::default());
                    plan = plan.device(fresh.device, DeviceEdit::Create(Box::new(record)));
                    gone.extend(too_many(reading, &gone));
                }
                Ok(plan.removing(reading, &gone))
            })
            .await?;
        let (slot, becomes) = done.outcome;
        Ok(TrustSet { slot, device_token: becomes.then_some(fresh), effect: done.effect })
    }
}

fn new_record(
    reading: &Reading<'_>,
    slot: &Slot,
    token: &DeviceToken,
    wish: &TrustRequest,
    origin: &Origin,
    op: &str,
) -> TrustedDevice {
    TrustedDevice {
        secret: token.hash(),
        previous: None,
        seed: None,
        rotated_at: reading.now,
        auth_epoch: reading.state.account.auth_epoch,
        name: slot.device.name.clone(),
        session: Some(slot.sid),
        network: origin.network.clone(),
        created_at: reading.now,
        last_used_at: reading.now,
        expires_at: reading.now.plus_seconds(wish.trust_seconds),
        op: op.to_owned(),
    }
}

/// The devices that have to go so that one more can come: those that were used longest ago.
pub(super) fn too_many(reading: &Reading<'_>, going: &[DeviceId]) -> Vec<DeviceId> {
    let mut rest: Vec<_> = reading.valid_devices().filter(|(id, _)| !going.contains(id)).collect();
    rest.sort_by_key(|(id, device)| (device.last_used_at, *id));
    let excess = (rest.len() + 1).saturating_sub(MAX_DEVICES);
    rest.into_iter().take(excess.min(super::change::MAX_REMOVED)).map(|(id, _)| *id).collect()
}
