//! The second step of a sign-in: the answer to the second factor.

use super::commit::{Commission, Refusal};
use super::{SignIn, SignedIn, Tokens, retry};
use crate::account::Status;
use crate::attempts::Scope;
use crate::coordinator::{Effect as Step, Input, step};
use crate::error::{Code, Failure};
use crate::mfa::{self, Answer, Proof};
use crate::policy::{MFA_ACCOUNT_ATTEMPTS_FACTOR, SignInLimits};
use crate::ports::{Attempts, Host, SessionCache, SessionReads, SignIns, Tried};
use crate::secret::{Domain, TokenHash};
use crate::session::UserState;
use crate::signin::{Answered, Challenge, DeviceStep, Draw, Login, LoginFailure, LoginState};
use crate::time::Millis;
use crate::token::{Address, MfaToken, RefreshToken};
use crate::{UserId, session};

/// What a client sends as its second step.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// `mfaSessionId`.
    pub token: String,
    /// The answer.
    pub answer: Answer,
    /// Skip this step on this device from now on.
    pub trust_device: bool,
}

fn expired() -> Failure {
    Failure::new(Code::MfaExpired, "The second step was not taken in time, or was taken already; sign in again.")
}

/// An account's budget of answers across its sign-ins.
pub(super) fn account_scope(user: UserId, limits: &SignInLimits) -> Scope {
    Scope {
        key: mfa::account_scope(user),
        limit: u32::from(limits.max_mfa_attempts).saturating_mul(MFA_ACCOUNT_ATTEMPTS_FACTOR),
    }
}

pub(super) fn too_many(now: Millis, until: Millis) -> Failure {
    Failure::new(Code::TooManyAttempts, "Too many wrong codes; wait, then sign in again.")
        .retry_after(until.retry_after(now))
}

impl<S, C, P, H> SignIn<S, C, P, H>
where
    S: SessionReads + SignIns + Attempts,
    C: SessionCache,
    P: Sync,
    H: Host,
{
    /// A session for the right answer: the same one for everybody who gives it with the same `mfaSessionId`, until it is
    /// first refreshed or the login session expires.
    pub async fn verify(&self, request: &VerifyRequest) -> Result<SignedIn, Failure> {
        let token = MfaToken::parse(&request.token).map_err(|_| expired())?;
        let attempt = request.answer.attempt(&token.secret);
        let (login, challenge) = self.store.sign_in(token.login).await?.ok_or_else(expired)?;
        let now = self.host.now();
        let presented = token.secret.hash(Domain::Mfa);
        let is_open = |c: &Challenge| c.secret == presented && now < c.expires_at && now < login.expires_at;
        let challenge = match challenge {
            Some(challenge) if login.state == LoginState::MfaRequired && is_open(&challenge) => challenge,
            _ => return self.repeat(&login, &token, &attempt).await,
        };

        let max = self.limits.max_mfa_attempts;
        let tried = retry::while_busy(&self.host, || self.store.try_answer(login.id, &attempt, max, now)).await?;
        let left = match tried {
            Tried::Admitted { left } => left,
            Tried::Spent => return Err(too_many(now, challenge.expires_at)),
            Tried::Gone => return self.look_again(&token, &attempt).await,
        };
        let scope = account_scope(challenge.user, &self.limits);
        if let Err(until) = retry::while_busy(&self.host, || self.store.admit(&scope, &attempt, now)).await? {
            return Err(too_many(now, until));
        }

        let outcome = self.judge(&login, &challenge, &token, request, &attempt, left).await;
        if outcome.is_ok() {
            // Failing to give it back costs the user one attempt, not the session.
            let _ = self.store.give_back(&scope, &attempt).await;
        }
        outcome
    }

    async fn judge(
        &self,
        login: &Login,
        challenge: &Challenge,
        token: &MfaToken,
        request: &VerifyRequest,
        attempt: &TokenHash,
        left: u8,
    ) -> Result<SignedIn, Failure> {
        let Some(state) = self.store.user(challenge.user).await? else { return self.superseded(login).await };
        let as_begun = state.account.auth_epoch == login.auth_epoch && state.account.status == Status::Active;
        let (Some(factor), true) = (&state.account.mfa.enabled, as_begun) else {
            return self.superseded(login).await;
        };
        let Some(proof) = request.answer.judge(factor, self.host.now()) else {
            return self.wrong(token, attempt, left).await;
        };
        let answered = Answered { secret: challenge.secret, attempt: *attempt };
        match self.create(login, challenge, token, (answered, proof), request.trust_device, state).await? {
            Ok(signed_in) => Ok(signed_in),
            // Somebody was first: with this answer, it is this session.
            Err(Refusal::Login | Refusal::Challenge) => self.look_again(token, attempt).await,
            Err(Refusal::Factor) => self.wrong(token, attempt, left).await,
            Err(Refusal::Account | Refusal::Device) => self.superseded(login).await,
        }
    }

    async fn create(
        &self,
        login: &Login,
        challenge: &Challenge,
        token: &MfaToken,
        answered: (Answered, Proof),
        trust_device: bool,
        state: UserState,
    ) -> Result<Result<SignedIn, Refusal>, Failure> {
        let Some((_, Step::CreateSession { with_mfa: true })) = step(Some(login.state), Input::RightAnswer) else {
            return Err(expired());
        };
        let draw = Draw::of(token.secret.clone());
        let device = trust_device.then(|| DeviceStep::Create {
            id: draw.device_id(),
            secret: draw.device_hash(),
            until: self.host.now().plus_seconds(self.limits.device_trust_seconds),
        });
        let what = Commission { login, draw: &draw, wishes: &challenge.wishes, answered: Some(answered), device };
        self.commit(&what, state).await
    }

    async fn look_again(&self, token: &MfaToken, attempt: &TokenHash) -> Result<SignedIn, Failure> {
        let (login, _) = self.store.sign_in(token.login).await?.ok_or_else(expired)?;
        self.repeat(&login, token, attempt).await
    }

    /// The same answer again: the same session with the same tokens, which follow from the MFA secret and the slot's
    /// seed, as long as nothing has moved since.
    async fn repeat(&self, login: &Login, token: &MfaToken, attempt: &TokenHash) -> Result<SignedIn, Failure> {
        let now = self.host.now();
        let (Some(answered), Some(user), Some((number, sid))) = (&login.answered, login.user, login.session) else {
            return Err(expired());
        };
        let same = answered.secret == token.secret.hash(Domain::Mfa) && answered.attempt == *attempt;
        if !same || login.state != LoginState::Consumed || now >= login.expires_at {
            return Err(expired());
        }
        let at = Address { user, slot: number };
        let found = self.store.slot(at).await?;
        let slot = session::live(found.as_ref(), number, &self.policy, now).filter(|slot| slot.sid == sid);
        let keys = slot.and_then(|slot| slot.keys.as_ref()).and_then(|keys| keys.refresh.as_ref());
        let (Some(slot), Some(keys)) = (slot, keys.filter(|keys| keys.generation == 0)) else {
            return Err(expired());
        };
        let refresh = RefreshToken::first(at, &token.secret, &keys.seed);
        if refresh.hash() != keys.current {
            return Err(expired());
        }
        let draw = Draw::of(token.secret.clone());
        let device_token = slot.device_id.filter(|id| *id == draw.device_id()).map(|id| draw.device_token(user, id));
        let effect = self.cache.forget(user, &[number]).await;
        Ok(SignedIn { slot: slot.clone(), tokens: Tokens::of(refresh), effect, device_token, cookies: login.cookies })
    }

    /// A wrong answer, unless another request has just made it the right one that is spent.
    async fn wrong(&self, token: &MfaToken, attempt: &TokenHash, left: u8) -> Result<SignedIn, Failure> {
        if let Some((login, _)) = self.store.sign_in(token.login).await?
            && login.state != LoginState::MfaRequired
        {
            return self.repeat(&login, token, attempt).await;
        }
        if let Some((_, Step::NoteWrongAnswer)) = step(Some(LoginState::MfaRequired), Input::WrongAnswer) {
            let now = self.host.now();
            retry::while_busy(&self.host, || self.store.wrong_answer(token.login, attempt, now)).await?;
        }
        let mut failure = Failure::new(Code::InvalidMfaCode, "Check the code, and that it was not used before.");
        failure.attempts_remaining = Some(left);
        Err(failure)
    }

    async fn superseded(&self, login: &Login) -> Result<SignedIn, Failure> {
        if let Some((_, Step::Fail(reason))) = step(Some(login.state), Input::Superseded) {
            debug_assert_eq!(reason, LoginFailure::Superseded);
            let now = self.host.now();
            retry::while_busy(&self.host, || self.store.fail(login.id, login.state, reason, now)).await?;
        }
        Err(expired())
    }
}
