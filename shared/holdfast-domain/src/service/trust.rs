//! Trusting a device, or not.

use super::{Current, Sessions, retry};
use crate::error::{Code, Failure};
use crate::ids::{DeviceId, SessionId};
use crate::ports::{Effect, Host, SessionCache, SessionReads, SessionWrites, StoreError, Transacted, TrustEdit};
use crate::secret::{Domain, Secret};
use crate::session::{self, Slot};
use crate::token::DeviceToken;

/// What the caller wants.
#[derive(Clone, Debug)]
pub struct TrustRequest {
    /// Which of its sessions.
    pub sid: SessionId,
    /// The new state.
    pub trusted: bool,
    /// The version the caller read, from `If-Match`.
    pub if_match: Option<u64>,
    /// `DEVICE_TRUST_SECONDS`.
    pub trust_seconds: i64,
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + SessionWrites,
    C: SessionCache,
    H: Host,
{
    /// Marks one of the caller's sessions trusted or not. The device secret is given out only when the caller's own
    /// session becomes trusted: nobody else holds that device.
    pub async fn set_trust(
        &self,
        current: &Current,
        wish: &TrustRequest,
    ) -> Result<(Slot, Option<String>, Effect), Failure> {
        let user = current.slot.at.user;
        let op = self.host.op();
        for attempt in 0..retry::MAX_TRIES {
            let not_found = || Failure::new(Code::NotFound, "You have no live session with this id.");
            let state = self.store.user(user).await?.ok_or_else(not_found)?;
            let now = self.host.now();
            let is_live = |s: &&Slot| session::live(Some(s), s.at.slot, &self.policy, now).is_some();
            if !state.slots.iter().filter(is_live).any(|s| s.sid == current.slot.sid) {
                return Err(Failure::unauthenticated());
            }
            let slot = state.slots.iter().filter(is_live).find(|s| s.sid == wish.sid).ok_or_else(not_found)?;
            if wish.if_match.is_some_and(|version| version != slot.version) {
                return Err(Failure::new(
                    Code::PreconditionFailed,
                    "The session is at another version than `If-Match` names; read it again.",
                ));
            }
            let own = slot.sid == current.slot.sid;
            // A session that its device alone brought past the second factor may keep that device trusted, not start anew:
            // else one code would last for ever.
            let shown = state.account.mfa.enabled.is_none() || slot.mfa_verified_at.is_some();
            if own && wish.trusted && !slot.trusted && !shown {
                return Err(Failure::new(
                    Code::ReauthenticationRequired,
                    "Only a session that has shown the second factor can trust its device.",
                ));
            }
            let fresh = (own && wish.trusted && shown).then(|| {
                let secret = Secret::<32>::new(self.host.random());
                (DeviceId::from_bytes(self.host.random()), secret, now.plus_seconds(wish.trust_seconds))
            });
            let edit = TrustEdit {
                at: slot.at,
                sid: slot.sid,
                version: slot.version,
                caller: (current.slot.at.slot, current.slot.sid),
                auth_epoch: state.account.auth_epoch,
                trusted: wish.trusted,
                trusted_at: wish.trusted.then(|| slot.trusted_at.filter(|_| slot.trusted).unwrap_or(now)),
                new_device: fresh.as_ref().map(|(id, secret, until)| (*id, secret.hash(Domain::Device), *until)),
                old_device: slot.device_id.filter(|_| fresh.is_some() || !wish.trusted),
                now,
                op: op.clone(),
            };
            let mut outcome = self.store.set_trust(&edit).await;
            // Known not to have happened, or not known at all: the same edit again settles it, and a caller's `If-Match` is
            // not refused because of its own write.
            for again in attempt..retry::MAX_TRIES {
                if !matches!(outcome, Ok(Transacted::Busy) | Err(StoreError::Busy(_) | StoreError::Unavailable(_))) {
                    break;
                }
                retry::pause(&self.host, again).await;
                outcome = self.store.set_trust(&edit).await;
            }
            match outcome {
                Ok(Transacted::Done) => {
                    let effect = self.cache.forget(user, &[slot.at.slot]).await;
                    let device_id = match (&edit.new_device, wish.trusted) {
                        (Some((id, ..)), _) => Some(*id),
                        (None, true) => slot.device_id,
                        (None, false) => None,
                    };
                    let changed = Slot {
                        version: slot.version + 1,
                        trusted: edit.trusted,
                        trusted_at: edit.trusted_at,
                        device_id,
                        last_updated_at: now,
                        ..slot.clone()
                    };
                    let token = fresh.map(|(id, secret, _)| DeviceToken { user, device: id, secret }.text());
                    return Ok((changed, token, effect));
                }
                Ok(Transacted::Refused) => {}
                // Unknown to the last: a new reading might take this edit for somebody else's.
                Ok(Transacted::Busy) => break,
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Busy("trust".into()).into())
    }
}
