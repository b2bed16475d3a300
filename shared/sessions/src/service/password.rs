//! Changing a password.

use super::end::Sweep;
use super::factor::sensitive;
use super::{Current, Revoked, Sessions, budget};
use crate::account::{NO_PASSWORD, PasswordStrength, accept_new_password, check_password};
use crate::change::{AccountEdit, Origin};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::policy::SignInLimits;
use crate::ports::{
    AccountUpkeep, Attempts, Clock, CredentialVerifier, Devices, Rng, SessionCache, SessionReads, SignIns, UserChanges,
};
use crate::session::EndReason;
use crate::signin::LoginFailure;

/// What a client sends to change its password.
#[derive(Clone)]
pub struct PasswordRequest {
    /// The current password, as typed.
    pub current: String,
    /// The new password, as typed.
    pub new: String,
    /// Source address of the client.
    pub ip: String,
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + AccountUpkeep + Attempts + Devices + SignIns + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Replaces the password and ends every other session, in one transaction that also moves the epoch. A sign-in that
    /// checked the old password before it cannot finish after it. No device is trusted any more.
    pub async fn change_password<V: CredentialVerifier + PasswordStrength>(
        &self,
        verifier: &V,
        limits: &SignInLimits,
        current: &Current,
        request: &PasswordRequest,
    ) -> Result<Revoked, Failure> {
        check_password("currentPassword", &request.current)?;
        let (user, sid) = (current.slot.at.user, current.slot.sid);
        let state = self.state(current).await?;
        accept_new_password("newPassword", &request.new, &[&state.account.email], verifier)?;
        sensitive(&state.account, self.own_slot(&state, current)?, self.host.now())?;
        if state.account.password == NO_PASSWORD {
            let detail = "This account has no password: its identity provider authenticates the user.";
            return Err(Failure::new(Code::InvalidCredentials, detail));
        }
        let email = Email::parse(&state.account.email)?;
        let visitor = (&email.key(), request.ip.as_str());
        let drawn = budget::reserve(&self.store, &self.host, limits, visitor, budget::Standing::Session(sid)).await?;
        let kept = state.account.password.clone();
        let verdict = verifier.verify(&email, &request.current, Some(&kept), &self.host.random()).await?;
        if !verdict.proves(&state.account) {
            self.note_failure(current, LoginFailure::WrongPassword, &request.ip).await?;
            return Err(Failure::new(Code::InvalidCredentials, "`currentPassword` is not this account's password."));
        }
        drawn.settle(&self.store).await;
        let password = verifier.change(&email, &request.current, &request.new, &self.host.random()).await?;
        let epoch = state.account.auth_epoch;
        self.end_all(user, EndReason::PasswordChanged, &Origin::client(&request.ip), |reading| {
            reading.caller(sid)?;
            // Another request changed the account after it was read, so the verification no longer counts.
            if reading.state.account.auth_epoch != epoch {
                return Err(Failure::new(Code::InvalidCredentials, "The account has just been changed; try again."));
            }
            let edit = AccountEdit { password: Some(password.clone()), ..AccountEdit::default() };
            Ok(Sweep { keep: Some(sid), keep_device: None, edit })
        })
        .await
    }
}
