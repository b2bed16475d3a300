//! Proving once more that the user of a session is there.

use super::change::Plan;
use super::factor::{FactorSettings, counted_as, is_off, open_factor, too_many_codes, wrong_code};
use super::{Current, Sessions, budget, retry};
use crate::account::{NO_PASSWORD, check_password};
use crate::attempts;
use crate::change::{AccountEdit, FactorEdit, Origin, SlotEdit, SlotSeen, SlotUpdate};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::LoginId;
use crate::mfa::Answer;
use crate::ports::{
    AccountUpkeep, Attempts, Clock, CredentialVerifier, Devices, Effect, FailedReauthentication, Rng, SecretBox,
    SessionCache, SessionReads, SignIns, UserChanges,
};
use crate::session::Slot;
use crate::signin::LoginFailure;

/// What a client sends to reauthenticate.
#[derive(Clone)]
pub struct ReauthenticationRequest {
    /// The password as typed.
    pub password: String,
    /// The answer to the second factor, if one is given.
    pub answer: Option<Answer>,
    /// Source address of the client.
    pub ip: String,
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + AccountUpkeep + Attempts + Devices + SignIns + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Makes the caller's session recent, and with a second factor verified, without making another session.
    pub async fn reauthenticate<V: CredentialVerifier, B: SecretBox>(
        &self,
        verifier: &V,
        settings: &FactorSettings<B>,
        current: &Current,
        request: &ReauthenticationRequest,
    ) -> Result<(Slot, Effect), Failure> {
        check_password("password", &request.password)?;
        let state = self.state(current).await?;
        self.own_slot(&state, current)?;
        let account = &state.account;
        if account.password == NO_PASSWORD {
            let detail = "This account has no password: its identity provider authenticates the user.";
            return Err(Failure::new(Code::InvalidCredentials, detail));
        }
        let email = Email::parse(&account.email)?;
        let factor = match (&request.answer, &account.mfa.enabled) {
            (Some(_), None) => return Err(is_off()),
            (answer, factor) => answer.as_ref().zip(factor.as_ref()),
        };

        let visitor = (&email.key(), request.ip.as_str());
        let standing = budget::Standing::Session(current.slot.sid);
        let drawn = budget::reserve(&self.store, &self.host, &settings.limits, visitor, standing).await?;
        let kept = Some(account.password.as_str());
        let verdict = verifier.verify(&email, &request.password, kept, &self.host.random()).await?;
        if !verdict.proves(account) {
            self.note_failure(current, LoginFailure::WrongPassword, &request.ip).await?;
            return Err(Failure::new(Code::InvalidCredentials, "The password is wrong."));
        }
        drawn.settle(&self.store).await;

        let user = account.user;
        let mut counted = None;
        let mut proved = None;
        if let Some((answer, factor)) = factor {
            let seed = open_factor(&self.store, &settings.secrets, user, factor).await?;
            let scope = attempts::second_factor_session(current.slot.sid, &settings.limits);
            let now = self.host.now();
            let attempt = counted_as(answer, &seed, now);
            let draw = retry::while_busy(&self.host, || self.store.draw(&scope, Some(&attempt), now)).await?;
            counted = Some(draw.map_err(|until| too_many_codes(now, until))?);
            if answer.judge(&seed, factor, self.host.now()).is_none() {
                self.note_failure(current, LoginFailure::WrongCode, &request.ip).await?;
                return Err(wrong_code());
            }
            proved = Some((answer, seed));
        }

        let epoch = account.auth_epoch;
        let done = self
            .change(user, &Origin::client(&request.ip), |reading| {
                let caller = reading.caller(current.slot.sid)?;
                let account = &reading.state.account;
                // Another request changed the account after it was read, so the verification no longer counts.
                if account.auth_epoch != epoch {
                    return Err(Failure::new(
                        Code::InvalidCredentials,
                        "The account has just been changed; try again.",
                    ));
                }
                let spent = match &proved {
                    None => None,
                    Some((answer, seed)) => {
                        let there = account.mfa.enabled.as_ref();
                        let proof = there.and_then(|there| answer.judge(seed, there, reading.now));
                        Some(FactorEdit::Spend(proof.ok_or_else(wrong_code)?))
                    }
                };
                let update = SlotUpdate {
                    authenticated_at: Some(reading.now),
                    mfa_verified_at: spent.as_ref().map(|_| reading.now),
                    ..SlotUpdate::default()
                };
                let slot = Slot {
                    authenticated_at: reading.now,
                    mfa_verified_at: update.mfa_verified_at.or(caller.mfa_verified_at),
                    version: caller.version + 1,
                    last_updated_at: reading.now,
                    ..caller.clone()
                };
                Ok(Plan::new(slot).account(reading, AccountEdit { factor: spent, ..AccountEdit::default() }).slot(
                    caller.at.slot,
                    SlotSeen::LiveVersion(caller.sid, caller.version),
                    SlotEdit::Update(update),
                ))
            })
            .await?;
        budget::settle(&self.store, counted.as_slice(), None).await;
        Ok((done.outcome, done.effect))
    }
}

impl<S: SignIns, C, H: Clock + Rng> Sessions<S, C, H> {
    /// The event of a failure: it counts like one of a sign-in.
    pub(super) async fn note_failure(&self, current: &Current, reason: LoginFailure, ip: &str) -> Result<(), Failure> {
        let now = self.host.now();
        let failed = FailedReauthentication {
            id: LoginId::from_bytes(self.host.random()),
            user: current.slot.at.user,
            session: current.slot.sid,
            reason,
            network: attempts::network(ip),
            now,
            expires_at: now,
        };
        retry::while_busy(&self.host, || self.store.note_failed_reauthentication(&failed)).await?;
        Ok(())
    }
}
