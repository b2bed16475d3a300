//! Changing a password.

use super::end::Sweep;
use super::factor::recent;
use super::{Current, Revoked, Sessions, budget};
use crate::account::{check_new_password, check_password};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::policy::SignInLimits;
use crate::ports::{Attempts, CredentialVerifier, EndAllSessions, Host, SessionCache, SessionReads, Verdict};
use crate::session::EndReason;

/// What a client sends to change its password.
#[derive(Clone)]
pub struct PasswordRequest {
    /// As typed.
    pub current: String,
    /// As typed.
    pub new: String,
    /// Source address as API Gateway saw it.
    pub ip: String,
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + EndAllSessions + Attempts,
    C: SessionCache,
    H: Host,
{
    /// Replaces the password and ends every other session, in one transaction that also moves the epoch: a sign-in that
    /// checked the old password before it cannot finish after it, and no device is trusted any more.
    pub async fn change_password<V: CredentialVerifier>(
        &self,
        verifier: &V,
        limits: &SignInLimits,
        current: &Current,
        request: &PasswordRequest,
    ) -> Result<Revoked, Failure> {
        check_password("currentPassword", &request.current)?;
        check_new_password("newPassword", &request.new)?;
        recent(&current.slot, self.host.now())?;
        let (user, sid) = (current.slot.at.user, current.slot.sid);
        let state = self.store.user(user).await?.ok_or_else(Failure::unauthenticated)?;
        let email = Email::parse(&state.account.email)?;
        let reserved = budget::reserve(&self.store, &self.host, limits, &email, &request.ip).await?;
        let kept = state.account.password.clone();
        let verdict = verifier.verify(&email, &request.current, Some(&kept), &self.host.random()).await?;
        if verdict == Verdict::Wrong {
            return Err(Failure::new(Code::InvalidCredentials, "`currentPassword` is not this account's password."));
        }
        budget::release(&self.store, reserved).await;
        let password = verifier.change(&email, &request.current, &request.new, &self.host.random()).await?;
        let epoch = state.account.auth_epoch;
        self.end_all(user, EndReason::PasswordChanged, |state, now| {
            if !state.slots.iter().any(|s| s.sid == sid && s.is_live(now)) {
                return Err(Failure::unauthenticated());
            }
            // What was verified is no longer what is there: somebody else changed it meanwhile.
            if state.account.auth_epoch != epoch {
                return Err(Failure::new(Code::InvalidCredentials, "The account has just been changed; try again."));
            }
            Ok(Sweep { keep: Some(sid), password: Some(password.clone()), ..Sweep::default() })
        })
        .await
    }
}
