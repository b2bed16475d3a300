//! The loop around the one transaction that turns a sign-in into a session.

use super::{SignIn, SignedIn, Tokens, retry};
use crate::error::Failure;
use crate::ids::SlotNo;
use crate::mfa::Proof;
use crate::ports::{Clock, Committed, Rng, SessionCache, SessionReads, SignIns, StoreError};
use crate::session::UserState;
use crate::signin::{Answered, DeviceStep, Login, Plan, SessionOptions, SessionSecrets, new_session};
use crate::slots;
use crate::time::Millis;
use crate::token::{Address, DeviceToken, RefreshToken};

/// What is to be committed, the same in every plan for it.
pub(super) struct CommitRequest<'a> {
    pub(super) login: &'a Login,
    pub(super) draw: &'a SessionSecrets,
    pub(super) wishes: &'a SessionOptions,
    pub(super) answered: Option<(Answered, Proof)>,
    pub(super) device: Option<DeviceGrant>,
    /// What a service has proved of the user. Without it, the user is authenticated by this sign-in.
    pub(super) proved: Option<Proved>,
}

/// What a service vouches for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proved {
    /// When the user was authenticated.
    pub(super) at: Millis,
    /// Whether a second factor was part of it.
    pub(super) second_factor: bool,
}

/// What becomes of a trusted device, and the token that it shows from then on.
#[derive(Clone, Debug)]
pub(super) struct DeviceGrant {
    pub(super) step: DeviceStep,
    pub(super) token: DeviceToken,
}

/// Why a sign-in cannot be committed. In each case nothing was written.
#[derive(Debug)]
pub(super) enum CommitRefusal {
    /// The sign-in is no longer open.
    Login,
    /// The account changed.
    Account,
    /// The second factor was used meanwhile.
    Factor,
    /// The trusted device is not one any more.
    Device,
    /// The MFA session has ended or has expired.
    Challenge,
}

impl<S, C, P, H> SignIn<S, C, P, H>
where
    S: SessionReads + SignIns,
    C: SessionCache,
    P: Sync,
    H: Clock + Rng,
{
    /// A plan is repeated under its own token until its outcome is known; only a known refusal makes a new plan.
    pub(super) async fn commit(
        &self,
        what: &CommitRequest<'_>,
        seen: UserState,
    ) -> Result<Result<SignedIn, CommitRefusal>, Failure> {
        let user = seen.user();
        let op = self.host.op();
        let mut planned = Some(self.plan(what, &seen, &op));
        for attempt in 0..retry::MAX_TRIES {
            let (plan, refresh) = match planned.take() {
                Some(planned) => planned,
                None => match self.store.user(user).await? {
                    Some(seen) => self.plan(what, &seen, &op),
                    None => return Ok(Err(CommitRefusal::Account)),
                },
            };
            match self.store.commit(&plan).await {
                Ok(Committed::Done) => return Ok(Ok(self.signed_in(what, &plan, refresh).await)),
                // Consumed by this very request, in an earlier try. A second factor's answer is asked about elsewhere:
                // there, requests with the same answer make the same session.
                Ok(Committed::LoginRefused(Some(row)))
                    if what.answered.is_none() && row.session == Some((plan.slot.at.slot, what.draw.sid)) =>
                {
                    return Ok(Ok(self.signed_in(what, &plan, refresh).await));
                }
                Ok(Committed::LoginRefused(_)) => return Ok(Err(CommitRefusal::Login)),
                Ok(Committed::AccountRefused) => return Ok(Err(CommitRefusal::Account)),
                Ok(Committed::FactorRefused) => return Ok(Err(CommitRefusal::Factor)),
                Ok(Committed::DeviceRefused) => return Ok(Err(CommitRefusal::Device)),
                Ok(Committed::ChallengeRefused) => return Ok(Err(CommitRefusal::Challenge)),
                Ok(Committed::SlotRefused) => retry::pause(&self.host, attempt).await,
                // Known not to have happened, or not known at all: the same plan under the same token settles it.
                Ok(Committed::Busy) | Err(StoreError::Conflict(_) | StoreError::Unavailable(_)) => {
                    planned = Some((plan, refresh));
                    retry::pause(&self.host, attempt).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Conflict("sign-in".into()).into())
    }

    fn plan(&self, what: &CommitRequest<'_>, seen: &UserState, op: &str) -> (Plan, RefreshToken) {
        let now = self.host.now();
        let placement = slots::choose_slot(seen, &self.policy, now, u64::from_be_bytes(self.host.random()));
        let at = Address { user: seen.user(), slot: placement.slot };
        let (mut slot, refresh) =
            new_session(at, &seen.account.email, what.draw, what.wishes, &self.policy, now, op.to_owned());
        slot.identity.clone_from(&seen.account.identity);
        slot.claims.clone_from(&seen.account.claims);
        slot.mfa_verified_at = what.answered.map(|_| now);
        if let Some(proved) = what.proved {
            slot.authenticated_at = proved.at;
            slot.mfa_verified_at = proved.second_factor.then_some(proved.at);
        }
        slot.trust = what.device.as_ref().map(|device| device.step.trust(now));
        let plan = Plan {
            login: what.login.id,
            expected: what.login.state,
            auth_epoch: what.login.auth_epoch,
            placement,
            slot,
            now,
            answered: what.answered,
            device: what.device.as_ref().map(|device| device.step.clone()),
        };
        (plan, refresh)
    }

    async fn signed_in(&self, what: &CommitRequest<'_>, plan: &Plan, refresh: RefreshToken) -> SignedIn {
        let mut touched: Vec<SlotNo> = plan.placement.sessions_over_limit.iter().map(|(slot, _)| *slot).collect();
        touched.push(plan.slot.at.slot);
        let effect = self.cache.forget(plan.slot.at.user, &touched).await;
        SignedIn {
            slot: plan.slot.clone(),
            tokens: Tokens::of(refresh),
            effect,
            device_token: what.device.as_ref().map(|device| device.token.clone()),
            to_browser: what.login.to_browser,
        }
    }
}
