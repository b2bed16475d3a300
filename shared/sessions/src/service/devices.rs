//! The devices that a user trusts.

use super::change::{MAX_REMOVED, Plan};
use super::{Current, Sessions};
use crate::change::Origin;
use crate::error::{Code, Failure};
use crate::ids::DeviceId;
use crate::ports::{Clock, Devices, Effect, Rng, SessionCache, SessionReads, UserChanges};
use crate::trusted_device::TrustedDevice;

/// A trusted device, as its user sees it.
#[derive(Clone, Debug)]
pub struct ListedDevice {
    /// The id of the device.
    pub id: DeviceId,
    /// The record of the device.
    pub record: TrustedDevice,
    /// Whether the session that asks lives on it.
    pub current: bool,
}

/// Devices that are no longer trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The number of removed devices.
    pub count: usize,
    /// How surely no session says otherwise.
    pub effect: Effect,
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// The caller's trusted devices, the one used last first. A caller whom only a cache still took for live is refused.
    pub async fn devices(&self, current: &Current) -> Result<Vec<ListedDevice>, Failure> {
        let all = self.store.devices(current.slot.at.user).await?;
        let state = self.state(current).await?;
        let now = self.host.now();
        let own = self.own_slot(&state, current)?.trusted(now).map(|trust| trust.device);
        let mut listed: Vec<_> = all
            .into_iter()
            .filter(|(_, record)| record.is_valid(state.account.auth_epoch, now))
            .map(|(id, record)| ListedDevice { id, record, current: own == Some(id) })
            .collect();
        listed.sort_by_key(|device| (std::cmp::Reverse(device.record.last_used_at), device.id));
        Ok(listed)
    }

    /// Stops trusting one device: its token is invalid at once.
    pub async fn remove_device(&self, current: &Current, id: DeviceId, origin: &Origin) -> Result<Removed, Failure> {
        let not_found = || Failure::new(Code::NotFound, "You have no trusted device with this id.");
        let done = self
            .change(current.slot.at.user, origin, |reading| {
                let caller = reading.caller(current.slot.sid)?;
                reading.valid_devices().find(|(valid, _)| *valid == id).ok_or_else(not_found)?;
                Ok(Plan::new(()).requires(caller).removing(reading, &[id]))
            })
            .await?;
        Ok(Removed { count: 1, effect: done.effect })
    }

    /// Stops trusting every device, the caller's own included.
    pub async fn remove_all_devices(&self, current: &Current, origin: &Origin) -> Result<Removed, Failure> {
        let mut removed = Removed { count: 0, effect: Effect::Immediate };
        loop {
            let done = self
                .change(current.slot.at.user, origin, |reading| {
                    let ids: Vec<_> = reading.valid_devices().map(|(id, _)| *id).take(MAX_REMOVED).collect();
                    let caller = reading.caller(current.slot.sid)?;
                    Ok(Plan::new(ids.len()).requires(caller).removing(reading, &ids))
                })
                .await?;
            removed.count += done.outcome;
            removed.effect = removed.effect.and(done.effect);
            if done.outcome < MAX_REMOVED {
                return Ok(removed);
            }
        }
    }
}
