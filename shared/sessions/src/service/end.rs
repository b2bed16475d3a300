//! Ending sessions: one, or all.

use super::change::{self, MAX_REMOVED, Plan, Reading};
use super::{Current, Revoked, Sessions, retry};
use crate::change::{AccountEdit, DeviceEdit, Origin, SlotEdit, SlotSeen, SlotUpdate};
use crate::error::{Code, Failure};
use crate::ids::{DeviceId, SessionId, SlotNo, UserId};
use crate::ports::{Clock, Devices, Effect, Rng, SessionCache, SessionReads, SessionWrites, StoreError, UserChanges};
use crate::rotation::{self, RefreshVerdict};
use crate::session::{EndReason, Slot};
use crate::token::RefreshToken;
use crate::trusted_device::TrustedDevice;

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionWrites,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Ends the session seen in `slot`, and retries until the outcome is known. The call also succeeds if another
    /// request has ended the session.
    pub(super) async fn end_slot(&self, slot: &Slot, reason: EndReason, origin: &Origin) -> Result<Effect, Failure> {
        let op = self.host.op();
        for attempt in 0..retry::MAX_TRIES {
            match self.store.end(slot.at, slot.sid, reason, origin, self.host.now(), &op).await {
                Ok(_) => return Ok(self.cache.forget(slot.at.user, &[slot.at.slot]).await),
                Err(StoreError::Corrupt(what)) => return Err(StoreError::Corrupt(what).into()),
                Err(_) => retry::pause(&self.host, attempt).await,
            }
        }
        Err(StoreError::Unavailable("end session".into()).into())
    }

    /// Logs the caller's own session out. Its device stays trusted: that is what trust is for.
    pub async fn log_out(&self, current: &Current, origin: &Origin) -> Result<Revoked, Failure> {
        let effect = self.end_slot(&current.slot, EndReason::Logout, origin).await?;
        // This request validated the session as live, so one session was ended, even if another request was first.
        Ok(Revoked { count: 1, effect })
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + SessionWrites,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Logs out the session that this refresh token belongs to, for a client whose access token has expired.
    pub async fn log_out_by_refresh_token(&self, presented: &str, origin: &Origin) -> Result<Revoked, Failure> {
        let token = RefreshToken::parse(presented).map_err(|_| Failure::unauthenticated())?;
        let seen = self.store.slot(token.at).await?;
        let verdict = rotation::judge(seen.as_ref(), token.at.slot, &token, &self.policy, self.host.now());
        let reason = match verdict {
            RefreshVerdict::Unknown => return Err(Failure::unauthenticated()),
            RefreshVerdict::Current | RefreshVerdict::Repeat(_) => EndReason::Logout,
            // An old generation of a live session is theft, even if it is presented for a logout.
            RefreshVerdict::Reused => EndReason::TokenReused,
        };
        let slot = seen.ok_or_else(Failure::unauthenticated)?;
        let effect = self.end_slot(&slot, reason, origin).await?;
        Ok(Revoked { count: 1, effect })
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + SessionWrites + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Ends one of the caller's sessions, and the trust of the device it lives on. If it is the current session, it is
    /// logged out and the device stays trusted. Another user's session is refused like a session that does not exist.
    pub async fn revoke(&self, current: &Current, sid: SessionId, origin: &Origin) -> Result<Revoked, Failure> {
        if sid == current.slot.sid {
            return self.log_out(current, origin).await;
        }
        self.end_with_device(current.slot.at.user, sid, Some(current.slot.sid), EndReason::Revoked, origin).await
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// One transaction: the session, the record of its device, and the trust of every other session on that device.
    pub(super) async fn end_with_device(
        &self,
        user: UserId,
        sid: SessionId,
        caller: Option<SessionId>,
        reason: EndReason,
        origin: &Origin,
    ) -> Result<Revoked, Failure> {
        let not_found = || Failure::new(Code::NotFound, "There is no live session with this id.");
        let done = self
            .change(user, origin, |reading| {
                let mut plan = Plan::new(());
                if let Some(caller) = caller {
                    plan = plan.requires(reading.caller(caller)?);
                }
                let slot = reading.live().find(|slot| slot.sid == sid).ok_or_else(not_found)?;
                // At this version: a session whose trust changes meanwhile is read again.
                plan = plan.slot(slot.at.slot, SlotSeen::Version(sid, slot.version), SlotEdit::End(reason));
                let device: Vec<DeviceId> = slot.trust.iter().map(|trust| trust.device).collect();
                Ok(plan.removing(reading, &device))
            })
            .await?;
        Ok(Revoked { count: 1, effect: done.effect })
    }

    /// Ends every session of the caller, or every other one, in one transaction that also moves the account's epoch, so
    /// that a sign-in begun before it cannot finish after it. The devices of what is ended are no longer trusted.
    pub async fn revoke_all(&self, current: &Current, keep_current: bool, origin: &Origin) -> Result<Revoked, Failure> {
        let sid = current.slot.sid;
        self.end_all(current.slot.at.user, EndReason::RevokedAll, origin, |reading| {
            // The caller's own session must be live: a caller who was logged out meanwhile ends no other session.
            let caller = reading.caller(sid)?;
            let device = reading.device_of(caller).map(|(id, _)| *id).filter(|_| keep_current);
            Ok(Sweep { keep: keep_current.then_some(sid), keep_device: device, edit: AccountEdit::default() })
        })
        .await
    }

    /// Ends all sessions and all trust except what `sweep` keeps. `sweep` checks every new reading: it says what to
    /// keep, or why the change must stop.
    pub(super) async fn end_all(
        &self,
        user: UserId,
        reason: EndReason,
        origin: &Origin,
        sweep: impl Fn(&Reading<'_>) -> Result<Sweep, Failure>,
    ) -> Result<Revoked, Failure> {
        let done = self
            .change(user, origin, |reading| {
                let sweep = sweep(reading)?;
                // The caller receives the number of sessions that were live at this reading and are ended. A slot
                // beyond the limit is ended, too, but its session is not live.
                let count = reading.live().filter(|slot| sweep.keep != Some(slot.sid)).count();
                Ok(sweep_plan(reading, &sweep, reason, count))
            })
            .await?;
        Ok(Revoked { count: done.outcome, effect: done.effect })
    }

    /// One transaction of a user, over this service's store and cache.
    pub(super) async fn change<T>(
        &self,
        user: UserId,
        origin: &Origin,
        plan: impl Fn(&Reading<'_>) -> Result<Plan<T>, Failure>,
    ) -> Result<change::Committed<T>, Failure> {
        change::commit((&self.store, &self.cache, &self.host, &self.policy), user, origin, plan).await
    }
}

/// What an end-all spares and changes.
#[derive(Clone, Default)]
pub(super) struct Sweep {
    pub(super) keep: Option<SessionId>,
    pub(super) keep_device: Option<DeviceId>,
    pub(super) edit: AccountEdit,
}

/// All ten slots as seen: what is live is ended (but what is kept), what is not must still not be. All devices but the one
/// that is kept go.
fn sweep_plan<T>(reading: &Reading<'_>, sweep: &Sweep, reason: EndReason, outcome: T) -> Plan<T> {
    let epoch = reading.state.account.auth_epoch;
    let mut plan = Plan::new(outcome).account(reading, AccountEdit { moves_epoch: true, ..sweep.edit.clone() });
    for number in SlotNo::all() {
        let (seen, edit) = match reading.state.slot(number) {
            None => (SlotSeen::Free, SlotEdit::Keep),
            Some(slot) if slot.ended.is_some() => (SlotSeen::Free, SlotEdit::Keep),
            Some(slot) if sweep.keep == Some(slot.sid) => {
                let loses_trust = slot.trust.is_some_and(|trust| sweep.keep_device != Some(trust.device));
                if loses_trust {
                    let update = SlotUpdate { trust: Some(None), ..SlotUpdate::default() };
                    (SlotSeen::LiveVersion(slot.sid, slot.version), SlotEdit::Update(update))
                } else {
                    (SlotSeen::LiveVersion(slot.sid, slot.version), SlotEdit::Keep)
                }
            }
            // Expired ones are included. A refresh that was checked before the expiry may still be on its way, and
            // would restore a session that was only checked to be expired (holdfast-model, counter-example
            // end-all-leaves-expired).
            Some(slot) => (SlotSeen::Unended(slot.sid), SlotEdit::End(reason)),
        };
        plan = plan.slot(number, seen, edit);
    }
    // A device that is not removed here is invalid all the same, because the epoch moves.
    let is_kept = |(id, _): &&(DeviceId, TrustedDevice)| sweep.keep_device == Some(*id);
    let others = reading.valid_devices().filter(|device| !is_kept(device)).take(MAX_REMOVED);
    for (id, device) in reading.valid_devices().filter(is_kept).chain(others) {
        let seen = device.op.clone();
        plan = if sweep.keep_device == Some(*id) {
            plan.device(*id, DeviceEdit::Keep { seen, auth_epoch: epoch + 1 })
        } else {
            plan.device(*id, DeviceEdit::Delete { seen })
        };
    }
    plan
}
