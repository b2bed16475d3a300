//! Signing in with a password: the first step, and where nothing more is asked, the only one.

use super::commit::{Commission, Refusal};
use super::{Tokens, budget, retry};
use crate::account::{Account, Status, check_password};
use crate::coordinator::{Effect as Step, Input, step};
use crate::device::{Device, MAX_TEXT};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::{LoginId, UserId};
use crate::policy::{Policy, SignInLimits};
use crate::ports::{
    AccountWrites, Accounts, Attempts, CredentialVerifier, Devices, Effect, Host, SessionCache, SessionReads, SignIns,
    StoreError, Transacted, Verdict,
};
use crate::secret::{Domain, Secret};
use crate::session::{Slot, UserState};
use crate::signin::{Challenge, DeviceStep, Draw, Login, LoginFailure, LoginState, Wishes};
use crate::time::Millis;
use crate::token::{DeviceToken, MfaToken};

/// Turns credentials into sessions.
#[derive(Clone, Debug)]
pub struct SignIn<S, C, P, H> {
    /// The truth.
    pub store: S,
    /// What to do after a session was replaced.
    pub cache: C,
    /// Who knows whether a password is right.
    pub verifier: P,
    /// Clock, randomness, patience.
    pub host: H,
    /// Session limits and lifetimes.
    pub policy: Policy,
    /// Sign-in limits.
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
    /// Tokens as cookies.
    pub cookies: bool,
    /// `User-Agent`.
    pub user_agent: String,
    /// Source address as API Gateway saw it.
    pub ip: String,
}

/// A session and its first tokens.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub slot: Slot,
    /// Its tokens.
    pub tokens: Tokens,
    /// How surely the session it replaced, if any, is refused.
    pub effect: Effect,
    /// What a trusted device shows at its next sign-in.
    pub device_token: Option<String>,
    /// Whether the tokens were asked for as cookies.
    pub cookies: bool,
}

/// The second step that is asked for.
#[derive(Clone, Debug)]
pub struct MfaRequired {
    /// The public name of the sign-in.
    pub login: LoginId,
    /// What answers must come with.
    pub token: MfaToken,
    /// Until when.
    pub expires_at: Millis,
    /// Whether a recovery code is left.
    pub has_recovery: bool,
}

/// What the first step came to.
#[derive(Clone, Debug)]
pub enum FirstStep {
    /// A session.
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
    S: Accounts + AccountWrites + SessionReads + SignIns + Attempts + Devices,
    C: SessionCache,
    P: CredentialVerifier,
    H: Host,
{
    /// A session for these credentials, or the second step. Everything that is wrong with them answers alike.
    pub async fn sign_in(&self, request: &SignInRequest) -> Result<FirstStep, Failure> {
        let email = Email::parse(&request.email)?;
        check_password("password", &request.password)?;
        if let Some(name) = &request.device_name
            && (name.is_empty() || name.len() > MAX_TEXT || name.chars().any(char::is_control))
        {
            return Err(Failure::new(
                Code::InvalidRequest,
                "`deviceName` must have 1 to 64 bytes and no control characters.",
            ));
        }
        let reserved = budget::reserve(&self.store, &self.host, &self.limits, &email, &request.ip).await?;
        let outcome = self.with_password(&email, request).await?;
        // The password was right: what counts against it are failures.
        budget::release(&self.store, reserved).await;
        Ok(outcome)
    }

    async fn with_password(&self, email: &Email, request: &SignInRequest) -> Result<FirstStep, Failure> {
        let user = self.store.user_of(&email.key()).await?;
        // An unknown e-mail costs the same reads, the same row and the same hash as a known one.
        let asked = user.unwrap_or_else(|| UserId::from_bytes(self.host.random()));
        let mut state = self.store.user(asked).await?;
        let account = state.as_ref().map(|s| &s.account);

        let now = self.host.now();
        let login = Login {
            id: LoginId::from_bytes(self.host.random()),
            state: LoginState::Started,
            user: account.map(|a| a.user),
            auth_epoch: account.map_or(FIRST_EPOCH, |a| a.auth_epoch),
            started_at: now,
            expires_at: now.plus_seconds(self.limits.login_seconds),
            session: None,
            answered: None,
            cookies: request.cookies,
        };
        retry::while_busy(&self.host, || self.store.begin(&login)).await?;

        let kept = account.map(|a| a.password.as_str());
        let verdict = self.verifier.verify(email, &request.password, kept, &self.host.random()).await?;
        let refusal = match (&verdict, account) {
            (Verdict::Wrong, None) => Some(LoginFailure::UnknownEmail),
            (Verdict::Wrong, Some(_)) => Some(LoginFailure::WrongPassword),
            (_, Some(Account { status: Status::Disabled, .. })) => Some(LoginFailure::Inactive),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return self.refuse(&login, refusal).await;
        }
        if let (Verdict::Outdated(stronger), Some(account)) = (&verdict, account) {
            // The same password in a stronger form. If this fails, the next sign-in tries again.
            let _ = self.store.strengthen(account.user, &account.password, stronger).await;
        }
        if state.is_none() {
            state = self.adopt(email).await?;
        }
        match state {
            Some(state) => self.with_right_password(&login, state, request).await,
            None => self.refuse(&login, LoginFailure::UnknownEmail).await,
        }
    }

    /// The provider knows somebody whom Holdfast meets for the first time.
    async fn adopt(&self, email: &Email) -> Result<Option<UserState>, Failure> {
        let account = Account {
            user: UserId::from_bytes(self.host.random()),
            email: email.written().to_owned(),
            password: self.verifier.adopted(),
            auth_epoch: FIRST_EPOCH,
            status: Status::Active,
            version: 1,
            mfa: crate::mfa::Mfa::default(),
        };
        super::register::claim(&self.store, &self.host, email, &account).await?;
        // Perhaps a parallel sign-in was first: whoever has the e-mail is meant.
        match self.store.user_of(&email.key()).await? {
            Some(user) => Ok(self.store.user(user).await?),
            None => Ok(None),
        }
    }

    async fn with_right_password(
        &self,
        login: &Login,
        state: UserState,
        request: &SignInRequest,
    ) -> Result<FirstStep, Failure> {
        let wishes = Wishes {
            stay_signed_in: request.stay_signed_in,
            device: Device::seen(request.device_name.as_deref(), &request.user_agent, &request.ip),
        };
        let draw = Draw::of(Secret::new(self.host.random()));
        let has_recovery = match &state.account.mfa.enabled {
            None => {
                let Some((_, Step::CreateSession { with_mfa: false })) =
                    step(Some(login.state), Input::PasswordSuffices)
                else {
                    return Err(took_too_long());
                };
                return match self.commit(&Commission::of(login, &draw, &wishes, None), state).await? {
                    Ok(signed_in) => Ok(FirstStep::Authenticated(Box::new(signed_in))),
                    Err(refusal) => self.refused(login, refusal).await,
                };
            }
            Some(factor) => !factor.recovery.is_empty(),
        };
        let user = state.user();
        if let Some(device) = self.trusted_device(&state, &draw, request).await? {
            match self.commit(&Commission::of(login, &draw, &wishes, Some(device)), state).await? {
                Ok(signed_in) => return Ok(FirstStep::Authenticated(Box::new(signed_in))),
                // Used or revoked meanwhile: it skips nothing any more.
                Err(Refusal::Device) => {}
                Err(refusal) => return self.refused(login, refusal).await,
            }
        }
        let Some((_, Step::OpenChild)) = step(Some(login.state), Input::SecondFactorNeeded) else {
            return Err(took_too_long());
        };
        let token = MfaToken { login: login.id, secret: draw.origin };
        let now = self.host.now();
        let challenge = Challenge {
            login: login.id,
            user,
            secret: token.secret.hash(Domain::Mfa),
            expires_at: now.plus_seconds(self.limits.mfa_seconds).min(login.expires_at),
            wishes,
        };
        self.open_child(&challenge, now).await?;
        Ok(FirstStep::MfaRequired(MfaRequired {
            login: login.id,
            token,
            expires_at: challenge.expires_at,
            has_recovery,
        }))
    }

    /// The device that this token shows, if it may stand in for the second factor now.
    async fn trusted_device(
        &self,
        state: &UserState,
        draw: &Draw,
        request: &SignInRequest,
    ) -> Result<Option<DeviceStep>, Failure> {
        let shown = request.device_token.as_deref().and_then(|text| DeviceToken::parse(text).ok());
        let Some(shown) = shown.filter(|token| token.user == state.user()) else { return Ok(None) };
        let presented = shown.secret.hash(Domain::Device);
        let now = self.host.now();
        let device = self.store.device(shown.user, shown.device).await?.filter(|device| {
            device.secret == presented && device.auth_epoch == state.account.auth_epoch && now < device.expires_at
        });
        let next = draw.device_hash();
        Ok(device.map(|device| DeviceStep::Rotate { id: shown.device, presented, next, since: device.created_at }))
    }

    async fn open_child(&self, challenge: &Challenge, now: Millis) -> Result<(), Failure> {
        for attempt in 0..retry::MAX_TRIES {
            match self.store.challenge(challenge, now).await {
                Ok(Transacted::Done) => return Ok(()),
                Ok(Transacted::Refused) => return Err(took_too_long()),
                Ok(Transacted::Busy) | Err(StoreError::Busy(_) | StoreError::Unavailable(_)) => {
                    retry::pause(&self.host, attempt).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Busy("second factor".into()).into())
    }

    async fn refused<T>(&self, login: &Login, refusal: Refusal) -> Result<T, Failure> {
        match refusal {
            Refusal::Login | Refusal::Challenge => Err(took_too_long()),
            Refusal::Account | Refusal::Factor | Refusal::Device => self.refuse(login, LoginFailure::Superseded).await,
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

/// Of accounts that are made now.
pub(super) const FIRST_EPOCH: u64 = 1;

fn took_too_long() -> Failure {
    Failure::new(Code::InvalidCredentials, "The sign-in took too long; start again.")
}

impl<'a> Commission<'a> {
    /// Without a second factor.
    fn of(login: &'a Login, draw: &'a Draw, wishes: &'a Wishes, device: Option<DeviceStep>) -> Self {
        Self { login, draw, wishes, answered: None, device }
    }
}
