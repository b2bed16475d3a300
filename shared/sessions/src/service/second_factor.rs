//! The second step of a sign-in: the answer to the second factor.

use super::change::{self, Plan};
use super::commit::{CommitRefusal, CommitRequest, DeviceGrant};
use super::factor::{at_step, open_factor, too_many_codes};
use super::trust::too_many;
use super::{SignIn, SignedIn, Tokens, budget, retry};
use crate::account::Status;
use crate::attempts::{self, Passwords, Scope};
use crate::change::{AccountEdit, Origin};
use crate::coordinator::{Input, SignInEffect as Step, step};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::UserId;
use crate::mfa::{Answer, Proof};
use crate::policy::MAX_DEVICES;
use crate::ports::{
    AccountUpkeep, Attempts, Clock, Devices, Rng, SecretBox, SessionCache, SessionReads, SignIns, Tried, UserChanges,
};
use crate::secret::{Domain, TokenHash};
use crate::session::{self, UserState};
use crate::signin::{Answered, DeviceStep, Login, LoginFailure, LoginState, MfaChallenge, SessionSecrets};
use crate::time::Millis;
use crate::token::{Address, MfaToken, RefreshToken};

/// What a client sends as its second step.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// The token of the MFA session (`mfaSessionId`).
    pub token: String,
    /// The answer of the user.
    pub answer: Answer,
    /// Skip this step on this device from now on.
    pub trust_device: bool,
    /// Source address of the client.
    pub ip: String,
}

fn expired() -> Failure {
    Failure::new(Code::MfaExpired, "The second step was not taken in time, or was taken already; sign in again.")
}

fn spent(now: Millis, until: Millis) -> Failure {
    Failure::new(Code::TooManyAttempts, "Too many wrong codes; wait, then sign in again.")
        .retry_after(until.retry_after(now))
}

/// A sign-in that waits for its second step, as it was read.
struct Waiting<'a> {
    login: Login,
    challenge: MfaChallenge,
    token: MfaToken,
    request: &'a VerifyRequest,
    attempt: TokenHash,
    /// Distinct answers that may follow.
    left: u8,
}

impl<S, C, P, H> SignIn<S, C, P, H>
where
    S: SessionReads + AccountUpkeep + SignIns + Attempts + Devices + UserChanges,
    C: SessionCache,
    P: Sync,
    H: Clock + Rng,
{
    /// Returns a session for the right answer. Every client that sends this answer with the same `mfaSessionId` gets
    /// the same session, until it is first refreshed or the login session expires.
    pub async fn verify<B: SecretBox>(&self, secrets: &B, request: &VerifyRequest) -> Result<SignedIn, Failure> {
        let token = MfaToken::parse(&request.token).map_err(|_| expired())?;
        let attempt = request.answer.attempt(&token.secret);
        let (login, challenge) = self.store.sign_in(token.login).await?.ok_or_else(expired)?;
        let now = self.host.now();
        let presented = token.secret.hash(Domain::Mfa);
        let is_open = |c: &MfaChallenge| c.secret == presented && now < c.expires_at && now < login.expires_at;
        let challenge = match challenge {
            Some(challenge) if login.state == LoginState::MfaRequired && is_open(&challenge) => challenge,
            _ => return self.repeat(&login, &token, &attempt).await,
        };

        let Some(state) = self.store.user(challenge.user).await? else { return self.superseded(&login).await };
        let network = self.account_network(&state, &request.ip);
        let scope = self.answers(&state, network.as_ref(), &request.ip).await?;
        // A long run of failures waits; nothing is counted against this sign-in meanwhile.
        let counters = self.store.counters(&[scope]).await?;
        if let Some(until) = counters.first().map(|counter| counter.wait_until).filter(|until| now < *until) {
            return Err(too_many_codes(now, until));
        }
        let max = self.limits.max_mfa_attempts;
        let tried = retry::while_busy(&self.host, || self.store.try_answer(login.id, &attempt, max, now)).await?;
        let left = match tried {
            Tried::Admitted { left } => left,
            Tried::Spent => return Err(spent(now, challenge.expires_at)),
            Tried::Gone => return self.look_again(&token, &attempt).await,
        };
        let counted = at_step(&attempt, now);
        let drawn = retry::while_busy(&self.host, || self.store.draw(&scope, Some(&counted), now)).await?;
        let reservation = drawn.map_err(|until| too_many_codes(now, until))?;

        let waiting = Waiting { login, challenge, token, request, attempt, left };
        let outcome = self.judge(&waiting, secrets, state).await;
        if outcome.is_ok() {
            // Failing to give it back costs the user one attempt, not the session.
            budget::settle(&self.store, &[reservation], None).await;
            if let Some(network) = network {
                let _ = self.store.remember(&network, attempts::known_until(self.host.now())).await;
            }
        }
        outcome
    }

    /// The budget whose counter records that this network is known to the account.
    fn account_network(&self, state: &UserState, ip: &str) -> Option<Scope> {
        let key = Email::parse(&state.account.email).ok()?.key();
        Some(Passwords::new(&key, ip, &self.limits).account_network)
    }

    /// The budget that an answer from here draws on: a known network has one of its own.
    async fn answers(&self, state: &UserState, network: Option<&Scope>, ip: &str) -> Result<Scope, Failure> {
        let known = match network {
            None => false,
            Some(scope) => {
                let now = self.host.now();
                self.store.counters(&[*scope]).await?.first().is_some_and(|counter| counter.is_known(now))
            }
        };
        Ok(if known {
            attempts::second_factor_network(state.user(), ip, &self.limits)
        } else {
            attempts::second_factor(state.user(), &self.limits)
        })
    }

    async fn judge<B: SecretBox>(
        &self,
        waiting: &Waiting<'_>,
        secrets: &B,
        state: UserState,
    ) -> Result<SignedIn, Failure> {
        let Waiting { login, challenge, token, request, attempt, .. } = waiting;
        let as_begun = state.account.auth_epoch == login.auth_epoch && state.account.status == Status::Active;
        let (Some(factor), true) = (state.account.mfa.enabled.clone(), as_begun) else {
            return self.superseded(login).await;
        };
        let seed = open_factor(&self.store, secrets, state.user(), &factor).await?;
        let Some(proof) = request.answer.judge(&seed, &factor, self.host.now()) else {
            return self.wrong(waiting).await;
        };
        let answered = Answered { secret: challenge.secret, attempt: *attempt };
        match self.create(waiting, (answered, proof), state).await? {
            Ok(signed_in) => Ok(signed_in),
            // Another request was first. If it had the same answer, its session is the result.
            Err(CommitRefusal::Login | CommitRefusal::Challenge) => self.look_again(token, attempt).await,
            Err(CommitRefusal::Factor) => self.wrong(waiting).await,
            Err(CommitRefusal::Account | CommitRefusal::Device) => self.superseded(login).await,
        }
    }

    async fn create(
        &self,
        waiting: &Waiting<'_>,
        answered: (Answered, Proof),
        state: UserState,
    ) -> Result<Result<SignedIn, CommitRefusal>, Failure> {
        let Waiting { login, challenge, token, request, .. } = waiting;
        let Some((_, Step::CreateSession { with_mfa: true })) = step(Some(login.state), Input::RightAnswer) else {
            return Err(expired());
        };
        let draw = SessionSecrets::of(token.secret.clone(), challenge.seed);
        let device = request.trust_device.then(|| DeviceGrant {
            step: DeviceStep::Create {
                id: draw.device_id(),
                secret: draw.device_hash(),
                until: self.host.now().plus_seconds(self.limits.device_trust_seconds),
            },
            token: draw.device_token(state.user()),
        });
        if device.is_some() {
            self.make_room_for_a_device(state.user(), state.account.auth_epoch, &request.ip).await?;
        }
        let answered = Some(answered);
        let what = CommitRequest { answered, ..CommitRequest::of(login, &draw, &challenge.wishes, device) };
        self.commit(&what, state).await
    }

    /// A user's trusted devices are bounded: the one that was used longest ago goes.
    async fn make_room_for_a_device(&self, user: UserId, auth_epoch: u64, ip: &str) -> Result<(), Failure> {
        let (all, now) = (self.store.devices(user).await?, self.host.now());
        if all.iter().filter(|(_, device)| device.is_valid(auth_epoch, now)).count() < MAX_DEVICES {
            return Ok(());
        }
        let over = (&self.store, &self.cache, &self.host, &self.policy);
        change::commit(over, user, &Origin::client(ip), |reading| {
            let gone = too_many(reading, &[]);
            Ok(Plan::new(()).account(reading, AccountEdit::default()).removing(reading, &gone))
        })
        .await
        .map(|_| ())
    }

    async fn look_again(&self, token: &MfaToken, attempt: &TokenHash) -> Result<SignedIn, Failure> {
        let (login, _) = self.store.sign_in(token.login).await?.ok_or_else(expired)?;
        self.repeat(&login, token, attempt).await
    }

    /// Repeats the result for the same answer: the same session with the same tokens, as long as nothing has changed
    /// since. The tokens follow from the client's MFA secret and the slot's seed together.
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
        let draw = SessionSecrets::of(token.secret.clone(), keys.seed);
        let own = slot.trust.is_some_and(|trust| trust.device == draw.device_id());
        let device_token = own.then(|| draw.device_token(user));
        let effect = self.cache.forget(user, &[number]).await;
        Ok(SignedIn {
            slot: slot.clone(),
            tokens: Tokens::of(refresh),
            effect,
            device_token,
            to_browser: login.to_browser,
        })
    }

    /// A wrong answer, unless another request has just made it the right one that is spent.
    async fn wrong(&self, waiting: &Waiting<'_>) -> Result<SignedIn, Failure> {
        let Waiting { token, attempt, left, .. } = waiting;
        if let Some((login, _)) = self.store.sign_in(token.login).await?
            && login.state != LoginState::MfaRequired
        {
            return self.repeat(&login, token, attempt).await;
        }
        if let Some((_, Step::NoteWrongAnswer)) = step(Some(LoginState::MfaRequired), Input::WrongAnswer) {
            let (now, network) = (self.host.now(), attempts::network(&waiting.request.ip));
            retry::while_busy(&self.host, || self.store.wrong_answer(token.login, attempt, &network, now)).await?;
        }
        let mut failure = Failure::new(Code::InvalidMfaCode, "Check the code, and that it was not used before.");
        failure.attempts_remaining = Some(*left);
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
