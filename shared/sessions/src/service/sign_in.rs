//! Signing in with a password: the first step, and where nothing more is asked, the only one.

use super::budget::Standing;
use super::commit::{CommitRefusal, CommitRequest, DeviceGrant};
use super::{Tokens, budget, retry};
use crate::account::{Account, Identity, NO_PASSWORD, Status, check_password};
use crate::attempts;
use crate::change::Origin;
use crate::claims::Claims;
use crate::coordinator::{Input, SignInEffect as Step, step};
use crate::device::Device;
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::{LoginId, UserId};
use crate::policy::{Policy, SignInLimits};
use crate::ports::{
    AccountUpkeep, Accounts, Attempts, Clock, CredentialVerifier, Devices, Effect, PasswordVerdict, Rng, SessionCache,
    SessionReads, SignIns, StoreError, Transacted,
};
use crate::secret::{Domain, Secret};
use crate::session::{Slot, Trust, UserState};
use crate::signin::{
    DeviceRotation, DeviceStep, Login, LoginFailure, LoginState, MfaChallenge, SessionOptions, SessionSecrets,
};
use crate::time::Millis;
use crate::token::{DeviceToken, MfaToken};

/// Turns credentials into sessions.
#[derive(Clone, Debug)]
pub struct SignIn<S, C, P, H> {
    /// The store, which is the source of truth.
    pub store: S,
    /// The cache that drops the copy of a session that was replaced.
    pub cache: C,
    /// The verifier that checks passwords.
    pub verifier: P,
    /// Clock, randomness, patience.
    pub host: H,
    /// Session limits and lifetimes.
    pub policy: Policy,
    /// The limits of attempts.
    pub limits: SignInLimits,
}

/// What a client sends to sign in.
#[derive(Clone, Default)]
pub struct SignInRequest {
    /// E-mail as typed.
    pub email: String,
    /// Password as typed.
    pub password: String,
    /// The longer lifetimes.
    pub stay_signed_in: bool,
    /// What the user calls the device.
    pub device_name: Option<String>,
    /// What a trusted device shows instead of the second factor.
    pub device_token: Option<String>,
    /// The tokens go to a browser that keeps them where no script can read them.
    pub to_browser: bool,
    /// The name that the client program gives itself.
    pub user_agent: String,
    /// Source address as API Gateway saw it.
    pub ip: String,
}

/// A session and its first tokens.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session that was created.
    pub slot: Slot,
    /// The tokens of the session.
    pub tokens: Tokens,
    /// How surely the session it replaced, if any, is refused.
    pub effect: Effect,
    /// What a trusted device shows at its next sign-in.
    pub device_token: Option<DeviceToken>,
    /// Whether the tokens go to a browser that keeps them where no script can read them.
    pub to_browser: bool,
}

/// The second step that is asked for.
#[derive(Clone, Debug)]
pub struct MfaRequired {
    /// The public name of the sign-in.
    pub login: LoginId,
    /// What answers must come with.
    pub token: MfaToken,
    /// The expiry of the MFA session.
    pub expires_at: Millis,
    /// Whether a recovery code is left.
    pub has_recovery: bool,
}

/// What the first step came to.
#[derive(Clone, Debug)]
pub enum FirstStep {
    /// The sign-in is complete, with a session.
    Authenticated(Box<SignedIn>),
    /// A second factor is asked for.
    MfaRequired(MfaRequired),
}

impl FirstStep {
    /// The session, if there is one already.
    pub fn session(self) -> Option<SignedIn> {
        match self {
            FirstStep::Authenticated(signed_in) => Some(*signed_in),
            FirstStep::MfaRequired(_) => None,
        }
    }
}

impl<S, C, P, H> SignIn<S, C, P, H>
where
    S: Accounts + AccountUpkeep + SessionReads + SignIns + Attempts + Devices,
    C: SessionCache,
    P: CredentialVerifier,
    H: Clock + Rng,
{
    /// A session for these credentials, or the second step. Everything that is wrong with them answers alike.
    pub async fn sign_in(&self, request: &SignInRequest) -> Result<FirstStep, Failure> {
        let email = Email::parse(&request.email)?;
        check_password("password", &request.password)?;
        let name = request.device_name.as_deref().map(Device::check_name).transpose()?;
        let wishes = SessionOptions {
            stay_signed_in: request.stay_signed_in,
            device: Device::seen(name.as_deref(), &request.user_agent, &request.ip),
        };
        let shown = request.device_token.as_deref().and_then(|text| DeviceToken::parse(text).ok());
        let standing = self.standing(&email, shown.as_ref()).await?;
        let visitor = (&email.key(), request.ip.as_str());
        let drawn = match budget::reserve(&self.store, &self.host, &self.limits, visitor, standing).await {
            // An attacker may have copied the token and spent its budget. The owner's network may still be known.
            Err(failure) if failure.code == Code::TooManyAttempts && standing != Standing::Stranger => {
                budget::reserve(&self.store, &self.host, &self.limits, visitor, Standing::Stranger).await?
            }
            outcome => outcome?,
        };
        let outcome = self.with_password(&email, request, &wishes, shown.as_ref()).await?;
        // The password was right: what counts against it are failures.
        match &outcome {
            FirstStep::Authenticated(_) => drawn.complete(&self.store, self.host.now()).await,
            FirstStep::MfaRequired(_) => drawn.settle(&self.store).await,
        }
        Ok(outcome)
    }

    /// Whether a trusted device of this account asks. A token that is made up costs one small read.
    async fn standing(&self, email: &Email, shown: Option<&DeviceToken>) -> Result<Standing, Failure> {
        let Some(shown) = shown else { return Ok(Standing::Stranger) };
        let device = self.store.device(shown.user, shown.device).await?;
        let presented = shown.hash();
        if !device.is_some_and(|device| device.secret == presented || device.previous == Some(presented)) {
            return Ok(Standing::Stranger);
        }
        let Some(state) = self.store.user(shown.user).await? else { return Ok(Standing::Stranger) };
        // The address of an account without a password is a label that nobody has verified: it may be that of another.
        if state.account.password == NO_PASSWORD {
            return Ok(Standing::Stranger);
        }
        // The device must belong to the account of this e-mail, as addresses are compared.
        if Email::parse(&state.account.email).ok().map(|own| own.key()) != Some(email.key()) {
            return Ok(Standing::Stranger);
        }
        let known = self.device_grant(&state, shown).await?;
        Ok(if known.is_some() { Standing::Device(shown.device) } else { Standing::Stranger })
    }

    async fn with_password(
        &self,
        email: &Email,
        request: &SignInRequest,
        wishes: &SessionOptions,
        shown: Option<&DeviceToken>,
    ) -> Result<FirstStep, Failure> {
        let user = super::register::user_of(&self.store, email).await?;
        // An unknown e-mail costs the same reads, the same row and the same hash as a known one.
        let asked = user.unwrap_or_else(|| UserId::from_bytes(self.host.random()));
        let mut state = self.store.user(asked).await?;
        let account = state.as_ref().map(|s| &s.account);

        let now = self.host.now();
        let mut login = Login {
            id: LoginId::from_bytes(self.host.random()),
            state: LoginState::Started,
            user: account.map(|a| a.user),
            auth_epoch: account.map_or(FIRST_EPOCH, |a| a.auth_epoch),
            started_at: now,
            expires_at: now.plus_seconds(self.limits.login_seconds),
            session: None,
            answered: None,
            to_browser: request.to_browser,
            network: attempts::network(&request.ip),
        };
        retry::while_busy(&self.host, || self.store.begin(&login)).await?;

        let kept = account.map(|a| a.password.as_str());
        let verdict = self.verifier.verify(email, &request.password, kept, &self.host.random()).await?;
        match &verdict {
            PasswordVerdict::Wrong if account.is_none() => {
                return self.refuse(&login, LoginFailure::UnknownEmail).await;
            }
            PasswordVerdict::Wrong => return self.refuse(&login, LoginFailure::WrongPassword).await,
            // The same password in a stronger form. If this fails, the next sign-in tries again.
            PasswordVerdict::Outdated(stronger) => {
                if let Some(account) = account.filter(|account| account.status == Status::Active) {
                    let _ = self.store.strengthen(account.user, &account.password, stronger).await;
                }
            }
            PasswordVerdict::Right => {}
            PasswordVerdict::Vouched(vouched) => {
                state = self.of_identity(email, &vouched.identity, vouched.email_is_verified, state).await?;
            }
        }
        let Some(state) = state else { return self.refuse(&login, LoginFailure::UnknownEmail).await };
        // The provider checked the password before the account was read. If the epoch has moved since the start, this
        // sign-in ends.
        let is_late = state.account.epoch_moved_at.is_some_and(|at| at >= login.started_at);
        if is_late && matches!(verdict, PasswordVerdict::Vouched(_)) {
            return self.refuse(&login, LoginFailure::Superseded).await;
        }
        if state.account.status != Status::Active {
            return self.refuse(&login, LoginFailure::Inactive).await;
        }
        self.claim_spellings(email, state.user()).await;
        login.user = Some(state.user());
        login.auth_epoch = state.account.auth_epoch;
        self.with_right_password(&login, state, wishes, shown).await
    }

    /// Claims the present form of an address for an account that version 0.1.0 keyed by another form. Then every
    /// spelling belongs to the account, and no other user can register one. If this fails, the next sign-in tries
    /// again.
    async fn claim_spellings(&self, email: &Email, user: UserId) {
        let Some(legacy) = email.legacy_key() else { return };
        let is_its = matches!(self.store.user_of(&legacy).await, Ok(Some(owner)) if owner == user);
        if is_its && matches!(self.store.user_of(&email.key()).await, Ok(None)) {
            let _ = self.store.claim_email(user, &email.key(), self.host.now()).await;
        }
    }

    /// The account of a user for whom a provider vouches. Only the provider's own name for the user decides. An e-mail
    /// address finds no account of another identity, links none and takes none over.
    async fn of_identity(
        &self,
        email: &Email,
        identity: &Identity,
        email_is_verified: bool,
        by_email: Option<UserState>,
    ) -> Result<Option<UserState>, Failure> {
        if let Some(user) = self.store.user_of_identity(&identity.key()).await? {
            return Ok(self.store.user(user).await?);
        }
        // Accounts that version 0.1.0 made for this provider carry no identity yet. The first sign-in whose e-mail the
        // provider has verified binds it, once and for good.
        let unbound = by_email.filter(|state| {
            email_is_verified && state.account.identity.is_none() && state.account.password == self.verifier.adopted()
        });
        if let Some(state) = unbound {
            let bound = retry::while_busy(&self.host, || {
                self.store.bind_identity(state.user(), identity, &state.account.password, self.host.now())
            });
            match bound.await? {
                Transacted::Done => return Ok(self.store.user(state.user()).await?),
                Transacted::Refused | Transacted::Busy => {}
            }
        } else {
            let account = Account {
                user: UserId::from_bytes(self.host.random()),
                email: email.written().to_owned(),
                password: self.verifier.adopted(),
                auth_epoch: FIRST_EPOCH,
                status: Status::Active,
                version: 1,
                mfa: crate::mfa::Mfa::default(),
                epoch_moved_at: None,
                identity: Some(identity.clone()),
                claims: Claims::default(),
            };
            let origin = Origin::default();
            super::register::claim(&self.store, &self.host, None, &account, &origin).await?;
        }
        // A parallel sign-in may have been first: the account that has the identity now is used.
        match self.store.user_of_identity(&identity.key()).await? {
            Some(user) => Ok(self.store.user(user).await?),
            None => Ok(None),
        }
    }

    async fn with_right_password(
        &self,
        login: &Login,
        mut state: UserState,
        wishes: &SessionOptions,
        shown: Option<&DeviceToken>,
    ) -> Result<FirstStep, Failure> {
        let draw = SessionSecrets::of(Secret::new(self.host.random()), self.host.random());
        let user = state.user();
        // A trusted device is recognized whether a second factor is on or not. A parallel sign-in with the same token
        // rotates it. Then the record is checked once more.
        for _ in 0..DEVICE_TRIES {
            let Some(shown) = shown else { break };
            let Some(grant) = self.device_grant(&state, shown).await? else { break };
            match self.commit(&CommitRequest::of(login, &draw, wishes, Some(grant)), state).await? {
                Ok(signed_in) => return Ok(FirstStep::Authenticated(Box::new(signed_in))),
                Err(CommitRefusal::Device) => {}
                Err(refusal) => return self.refused(login, refusal).await,
            }
            state = match self.store.user(user).await? {
                Some(state) => state,
                None => return self.refused(login, CommitRefusal::Account).await,
            };
        }
        let Some(factor) = &state.account.mfa.enabled else {
            let Some((_, Step::CreateSession { with_mfa: false })) = step(Some(login.state), Input::PasswordSuffices)
            else {
                return Err(took_too_long());
            };
            return match self.commit(&CommitRequest::of(login, &draw, wishes, None), state).await? {
                Ok(signed_in) => Ok(FirstStep::Authenticated(Box::new(signed_in))),
                Err(refusal) => self.refused(login, refusal).await,
            };
        };
        let has_recovery = !factor.recovery.is_empty();
        let Some((_, Step::OpenChild)) = step(Some(login.state), Input::SecondFactorNeeded) else {
            return Err(took_too_long());
        };
        let token = MfaToken { login: login.id, secret: draw.origin };
        let now = self.host.now();
        let challenge = MfaChallenge {
            login: login.id,
            user,
            auth_epoch: login.auth_epoch,
            secret: token.secret.hash(Domain::Mfa),
            seed: draw.seed,
            expires_at: now.plus_seconds(self.limits.mfa_seconds).min(login.expires_at),
            wishes: wishes.clone(),
        };
        self.open_child(&challenge, now).await?;
        Ok(FirstStep::MfaRequired(MfaRequired {
            login: login.id,
            token,
            expires_at: challenge.expires_at,
            has_recovery,
        }))
    }

    /// Returns what this token grants, if it may replace the second factor now. The current secret rotates. Within the
    /// grace, the secret before it leads to the same next token.
    async fn device_grant(&self, state: &UserState, shown: &DeviceToken) -> Result<Option<DeviceGrant>, Failure> {
        if shown.user != state.user() {
            return Ok(None);
        }
        let presented = shown.hash();
        let now = self.host.now();
        let device = self.store.device(shown.user, shown.device).await?;
        let Some(device) = device.filter(|device| device.is_valid(state.account.auth_epoch, now)) else {
            return Ok(None);
        };
        let id = shown.device;
        let trust = Trust { device: id, since: device.created_at, until: device.expires_at };
        if device.secret == presented {
            let seed: [u8; 32] = self.host.random();
            let token = shown.next(&seed);
            let rotation = DeviceRotation { id, presented, next: token.hash(), seed, trust };
            return Ok(Some(DeviceGrant { step: DeviceStep::Rotate(rotation), token }));
        }
        let in_grace = now <= device.rotated_at.plus_seconds(self.limits.device_grace_seconds);
        match device.seed {
            Some(seed) if in_grace && device.previous == Some(presented) => {
                let step = DeviceStep::Repeat { id, seen: device.op, trust };
                Ok(Some(DeviceGrant { step, token: shown.next(&seed) }))
            }
            _ => Ok(None),
        }
    }

    async fn open_child(&self, challenge: &MfaChallenge, now: Millis) -> Result<(), Failure> {
        for attempt in 0..retry::MAX_TRIES {
            match self.store.challenge(challenge, now).await {
                Ok(Transacted::Done) => return Ok(()),
                Ok(Transacted::Refused) => return Err(took_too_long()),
                Ok(Transacted::Busy) | Err(StoreError::Conflict(_) | StoreError::Unavailable(_)) => {
                    retry::pause(&self.host, attempt).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Conflict("second factor".into()).into())
    }

    async fn refused<T>(&self, login: &Login, refusal: CommitRefusal) -> Result<T, Failure> {
        match refusal {
            CommitRefusal::Login | CommitRefusal::Challenge => Err(took_too_long()),
            CommitRefusal::Account | CommitRefusal::Factor | CommitRefusal::Device => {
                self.refuse(login, LoginFailure::Superseded).await
            }
        }
    }

    async fn refuse<T>(&self, login: &Login, reason: LoginFailure) -> Result<T, Failure> {
        let input = match reason {
            LoginFailure::Superseded => Input::Superseded,
            other => Input::Refused(other),
        };
        if let Some((_, Step::Fail(reason))) = step(Some(login.state), input) {
            let now = self.host.now();
            retry::while_busy(&self.host, || self.store.fail(login.id, login.state, reason, now)).await?;
        }
        Err(Failure::new(Code::InvalidCredentials, "Check both and try again."))
    }
}

/// Judgements of one device token in one sign-in, at most.
const DEVICE_TRIES: usize = 8;

/// Of accounts that are made now.
pub(super) const FIRST_EPOCH: u64 = 1;

fn took_too_long() -> Failure {
    Failure::new(Code::InvalidCredentials, "The sign-in took too long; start again.")
}

impl<'a> CommitRequest<'a> {
    /// Without a second factor.
    pub(super) fn of(
        login: &'a Login,
        draw: &'a SessionSecrets,
        wishes: &'a SessionOptions,
        device: Option<DeviceGrant>,
    ) -> Self {
        Self { login, draw, wishes, answered: None, device, proved: None }
    }
}
