//! Signing in with a password.

use futures_util::future::join_all;

use super::{Tokens, retry};
use crate::account::{Account, Status};
use crate::attempts;
use crate::device::{Device, MAX_TEXT};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::{LoginId, SessionId, SlotNo, UserId};
use crate::policy::{Policy, SignInLimits};
use crate::ports::{
    Accounts, Attempts, Committed, Effect, Host, Passwords, Reservation, SessionCache, SessionReads, SignIns,
    StoreError,
};
use crate::secret::Secret;
use crate::session::{Slot, UserState};
use crate::signin::{Draw, Login, LoginFailure, LoginState, Plan, Wishes, new_session};
use crate::slots;
use crate::token::{Address, RefreshToken};

/// Turns credentials into sessions.
#[derive(Clone, Debug)]
pub struct SignIn<S, C, P, H> {
    /// The truth.
    pub store: S,
    /// What to do after a session was replaced.
    pub cache: C,
    /// How passwords are checked.
    pub passwords: P,
    /// Clock, randomness, patience.
    pub host: H,
    /// Session limits and lifetimes.
    pub policy: Policy,
    /// Sign-in limits.
    pub limits: SignInLimits,
}

/// What a client sends to sign in.
#[derive(Clone)]
pub struct SignInRequest {
    /// E-mail as typed.
    pub email: String,
    /// Password as typed.
    pub password: String,
    /// The longer lifetimes.
    pub stay_signed_in: bool,
    /// What the user calls the device.
    pub device_name: Option<String>,
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
}

/// The longest password that is looked at, in bytes: 256 characters of at most four.
const MAX_PASSWORD_BYTES: usize = 1024;

impl<S, C, P, H> SignIn<S, C, P, H>
where
    S: Accounts + SessionReads + SignIns + Attempts,
    C: SessionCache,
    P: Passwords,
    H: Host,
{
    /// A session for these credentials. Everything that is wrong with them answers alike.
    pub async fn sign_in(&self, request: &SignInRequest) -> Result<SignedIn, Failure> {
        let email = Email::parse(&request.email)?;
        if request.password.is_empty() || request.password.len() > MAX_PASSWORD_BYTES {
            return Err(Failure::new(Code::InvalidRequest, "`password` must have 1 to 256 characters."));
        }
        if let Some(name) = &request.device_name
            && (name.is_empty() || name.len() > MAX_TEXT || name.chars().any(char::is_control))
        {
            return Err(Failure::new(
                Code::InvalidRequest,
                "`deviceName` must have 1 to 64 bytes and no control characters.",
            ));
        }
        let reserved = self.reserve(&email, &request.ip).await?;
        let signed_in = self.with_password(&email, request).await?;
        // A reservation returns when the sign-in completes; failing to return one costs the user an attempt, not the
        // session.
        join_all(reserved.into_iter().map(|reservation| self.store.release(reservation))).await;
        Ok(signed_in)
    }

    /// Draws on all three budgets before anything is verified; gives back what it drew if one of them is spent.
    async fn reserve(&self, email: &Email, ip: &str) -> Result<Vec<Reservation>, Failure> {
        let now = self.host.now();
        let scopes = attempts::scopes(email, ip, &self.limits);
        let answers = join_all(scopes.iter().map(|scope| self.store.reserve(scope, now))).await;
        let (mut reserved, mut refusal) = (Vec::with_capacity(scopes.len()), None);
        for answer in answers {
            match answer {
                Ok(Ok(reservation)) => reserved.push(reservation),
                Ok(Err(window_ends)) => refusal = refusal.max(Some(window_ends)),
                // What was drawn elsewhere stays drawn until the window ends: too few attempts, never too many.
                Err(trouble) => return Err(trouble.into()),
            }
        }
        let Some(window_ends) = refusal else { return Ok(reserved) };
        join_all(reserved.into_iter().map(|reservation| self.store.release(reservation))).await;
        Err(Failure::new(Code::TooManyAttempts, "Too many failed sign-ins; wait and try again.")
            .retry_after(window_ends.retry_after(now)))
    }

    async fn with_password(&self, email: &Email, request: &SignInRequest) -> Result<SignedIn, Failure> {
        let user = self.store.user_of(&email.key()).await?;
        // An unknown e-mail costs the same reads, the same row and the same hash as a known one.
        let asked = user.unwrap_or_else(|| UserId::from_bytes(self.host.random()));
        let state = self.store.user(asked).await?;
        let account = state.as_ref().map(|s| &s.account);

        let now = self.host.now();
        let login = Login {
            id: LoginId::from_bytes(self.host.random()),
            state: LoginState::Started,
            user: account.map(|a| a.user),
            auth_epoch: account.map_or(0, |a| a.auth_epoch),
            started_at: now,
            expires_at: now.plus_seconds(self.limits.login_seconds),
            session: None,
        };
        self.store.begin(&login).await?;

        let right = self.passwords.verify(&request.password, account.map(|a| a.password.as_str()));
        let refusal = match account {
            None => Some(LoginFailure::UnknownEmail),
            Some(_) if !right => Some(LoginFailure::WrongPassword),
            Some(Account { status: Status::Disabled, .. }) => Some(LoginFailure::Inactive),
            Some(_) => None,
        };
        match (refusal, state) {
            (None, Some(state)) => self.commit(&login, state, request).await,
            (refusal, _) => self.refuse(&login, refusal.unwrap_or(LoginFailure::UnknownEmail)).await,
        }
    }

    async fn refuse<T>(&self, login: &Login, reason: LoginFailure) -> Result<T, Failure> {
        self.store.fail(login.id, login.state, reason, self.host.now()).await?;
        Err(Failure::new(Code::InvalidCredentials, "Check both and try again."))
    }

    /// The loop around the one transaction. A plan is repeated under its own token until its outcome is known; only a
    /// known refusal makes a new plan.
    async fn commit(&self, login: &Login, state: UserState, request: &SignInRequest) -> Result<SignedIn, Failure> {
        let user = state.user();
        let draw = Draw {
            sid: SessionId::from_bytes(self.host.random()),
            origin: Secret::new(self.host.random()),
            seed: self.host.random(),
        };
        let wishes = Wishes {
            stay_signed_in: request.stay_signed_in,
            device: Device::seen(request.device_name.as_deref(), &request.user_agent, &request.ip),
        };
        let op = self.host.op();
        let mut planned = Some(self.plan(login, &state, &draw, &wishes, &op));
        for attempt in 0..retry::MAX_TRIES {
            let (plan, refresh) = match planned.take() {
                Some(planned) => planned,
                None => match self.store.user(user).await? {
                    Some(seen) => self.plan(login, &seen, &draw, &wishes, &op),
                    None => return self.refuse(login, LoginFailure::Superseded).await,
                },
            };
            match self.store.commit(&plan).await {
                Ok(Committed::Done) => return Ok(self.signed_in(&plan, refresh).await),
                // Consumed by this very sign-in, in an earlier try.
                Ok(Committed::LoginRefused(Some(row))) if row.session == Some((plan.slot.at.slot, draw.sid)) => {
                    return Ok(self.signed_in(&plan, refresh).await);
                }
                Ok(Committed::LoginRefused(_)) => {
                    return Err(Failure::new(Code::InvalidCredentials, "The sign-in took too long; start again."));
                }
                Ok(Committed::AccountRefused) => return self.refuse(login, LoginFailure::Superseded).await,
                Ok(Committed::SlotRefused) => retry::pause(&self.host, attempt).await,
                // Known not to have happened, or not known at all: the same plan under the same token settles it.
                Ok(Committed::Busy) | Err(StoreError::Busy(_) | StoreError::Unavailable(_)) => {
                    planned = Some((plan, refresh));
                    retry::pause(&self.host, attempt).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Busy("sign-in".into()).into())
    }

    fn plan(&self, login: &Login, seen: &UserState, draw: &Draw, wishes: &Wishes, op: &str) -> (Plan, RefreshToken) {
        let now = self.host.now();
        let placement = slots::place(seen, &self.policy, now, u64::from_be_bytes(self.host.random()));
        let at = Address { user: seen.user(), slot: placement.slot };
        let (slot, refresh) = new_session(at, &seen.account.email, draw, wishes, &self.policy, now, op.to_owned());
        let plan = Plan { login: login.id, expected: login.state, auth_epoch: login.auth_epoch, placement, slot, now };
        (plan, refresh)
    }

    async fn signed_in(&self, plan: &Plan, refresh: RefreshToken) -> SignedIn {
        let mut touched: Vec<SlotNo> = plan.placement.surplus.iter().map(|(slot, _)| *slot).collect();
        touched.push(plan.slot.at.slot);
        let effect = self.cache.forget(plan.slot.at.user, &touched).await;
        SignedIn { slot: plan.slot.clone(), tokens: Tokens::of(refresh), effect }
    }
}
