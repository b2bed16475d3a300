//! Ending sessions: one, or all.

use super::{Current, Revoked, Sessions, retry};
use crate::account::Status;
use crate::error::{Code, Failure};
use crate::ids::{SessionId, SlotNo, UserId};
use crate::ports::{
    Conditional, Effect, EndAll, EndAllSessions, Host, SessionCache, SessionReads, SessionWrites, SlotSeen, StoreError,
    Transacted,
};
use crate::session::{self, EndReason, Slot, UserState};
use crate::time::Millis;

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionWrites,
    C: SessionCache,
    H: Host,
{
    /// Ends the session seen in `slot`. Retried until the outcome is known; ended by somebody else is ended.
    pub(super) async fn end_slot(&self, slot: &Slot, reason: EndReason) -> Result<(bool, Effect), Failure> {
        let op = self.host.op();
        for attempt in 0..retry::MAX_TRIES {
            match self.store.end(slot.at, slot.sid, reason, self.host.now(), &op).await {
                Ok(outcome) => {
                    let effect = self.cache.forget(slot.at.user, &[slot.at.slot]).await;
                    return Ok((outcome == Conditional::Done, effect));
                }
                Err(StoreError::Corrupt(what)) => return Err(StoreError::Corrupt(what).into()),
                Err(_) => retry::pause(&self.host, attempt).await,
            }
        }
        Err(StoreError::Unavailable("end session".into()).into())
    }

    /// Logs the caller's own session out.
    pub async fn log_out(&self, current: &Current) -> Result<Revoked, Failure> {
        let (_, effect) = self.end_slot(&current.slot, EndReason::Logout).await?;
        // Validated as live by this very request: one session was ended, whoever was first.
        Ok(Revoked { count: 1, effect })
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + SessionWrites,
    C: SessionCache,
    H: Host,
{
    /// Ends one of the caller's sessions. Somebody else's is as unknown as none at all.
    pub async fn revoke(&self, current: &Current, sid: SessionId) -> Result<Revoked, Failure> {
        if sid == current.slot.sid {
            return self.log_out(current).await;
        }
        let not_found = || Failure::new(Code::NotFound, "You have no live session with this id.");
        let state = self.store.user(current.slot.at.user).await?.ok_or_else(not_found)?;
        let now = self.host.now();
        let slot = state
            .slots
            .iter()
            .find(|s| s.sid == sid && session::live(Some(s), s.at.slot, &self.policy, now).is_some())
            .ok_or_else(not_found)?;
        match self.end_slot(slot, EndReason::Revoked).await? {
            (true, effect) => Ok(Revoked { count: 1, effect }),
            (false, _) => Err(not_found()),
        }
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + EndAllSessions,
    C: SessionCache,
    H: Host,
{
    /// Ends every session of the caller, or every other one, in one transaction that also moves the account's epoch, so
    /// that a sign-in begun before it cannot finish after it.
    pub async fn revoke_all(&self, current: &Current, keep_current: bool) -> Result<Revoked, Failure> {
        let sid = current.slot.sid;
        self.end_all(current.slot.at.user, EndReason::RevokedAll, |state, now| {
            // The caller's own session is a condition: who was logged out meanwhile ends nobody else's.
            if !state.slots.iter().any(|s| s.sid == sid && s.is_live(now)) {
                return Err(Failure::unauthenticated());
            }
            Ok(Sweep { keep: keep_current.then_some(sid), ..Sweep::default() })
        })
        .await
    }

    /// The loop around the one transaction: every new reading is judged by `sweep`, which says what to keep or why not
    /// to go on.
    pub(super) async fn end_all(
        &self,
        user: UserId,
        reason: EndReason,
        sweep: impl Fn(&UserState, Millis) -> Result<Sweep, Failure>,
    ) -> Result<Revoked, Failure> {
        let op = self.host.op();
        let mut planned: Option<(EndAll, usize)> = None;
        for attempt in 0..retry::MAX_TRIES {
            let (plan, live) = match planned.take() {
                Some(planned) => planned,
                None => {
                    let state = self.store.user(user).await?.ok_or_else(Failure::unauthenticated)?;
                    let now = self.host.now();
                    let sweep = sweep(&state, now)?;
                    let keep = sweep.keep;
                    // What the caller is told: sessions live at this reading, of those that are ended. Beyond the limit
                    // none is, though its slot is ended, too.
                    let is_counted = |s: &&Slot| {
                        session::live(Some(s), s.at.slot, &self.policy, now).is_some() && keep != Some(s.sid)
                    };
                    let live = state.slots.iter().filter(is_counted).count();
                    (plan(&state, sweep, reason, now, &op), live)
                }
            };
            match self.store.end_all(&plan).await {
                Ok(Transacted::Done) => {
                    let all: Vec<_> = SlotNo::all().collect();
                    let effect = self.cache.forget(user, &all).await;
                    return Ok(Revoked { count: live, effect });
                }
                Ok(Transacted::Refused) => {}
                // Known not to have happened, or not known at all: the same plan again settles it.
                Ok(Transacted::Busy) | Err(StoreError::Busy(_) | StoreError::Unavailable(_)) => {
                    planned = Some((plan, live));
                    retry::pause(&self.host, attempt).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Busy("end all sessions".into()).into())
    }
}

/// What an end-all spares and changes.
#[derive(Clone, Default)]
pub(super) struct Sweep {
    pub(super) keep: Option<SessionId>,
    pub(super) status: Option<Status>,
    /// What the account keeps of its new password.
    pub(super) password: Option<String>,
    /// Whether the second factor goes with them.
    pub(super) reset_factor: bool,
}

/// All ten slots as seen: what is live is ended (but what is kept), what is not must still not be.
fn plan(state: &UserState, sweep: Sweep, reason: EndReason, now: Millis, op: &str) -> EndAll {
    let slots = SlotNo::all()
        .map(|number| match state.slot(number) {
            None => SlotSeen::Missing(number),
            Some(slot) if slot.ended.is_some() => SlotSeen::Over(number, slot.sid),
            Some(slot) if sweep.keep == Some(slot.sid) => SlotSeen::Keep(number, slot.sid),
            // Expired ones too: a refresh that was judged before the expiry may still be on its way, and would bring back
            // what was only checked to be over (holdfast-model, counter-example end-all-leaves-expired).
            Some(slot) => SlotSeen::End(number, slot.sid),
        })
        .collect();
    EndAll {
        user: state.user(),
        auth_epoch: state.account.auth_epoch,
        slots,
        status: sweep.status,
        password: sweep.password,
        reset_factor: sweep.reset_factor,
        reason,
        now,
        op: op.to_owned(),
    }
}
