//! Sessions for users whom a service of the platform has authenticated itself.
//!
//! The service vouches for an identity. Only the identity finds the account: an e-mail address is a label, and a session's
//! id names a session of that identity or nothing. So a service that is deceived about an address or an id reaches no
//! account with a password.

use super::change::{self, Plan, Reading};
use super::commit::{CommitRefusal, CommitRequest, Proved};
use super::sign_in::{FIRST_EPOCH, SignIn, SignedIn};
use super::{register, retry};
use crate::account::{Account, Identity, NO_PASSWORD, Status};
use crate::attempts;
use crate::change::{AccountEdit, Origin, SlotEdit, SlotSeen, SlotUpdate};
use crate::claims::Claims;
use crate::device::Device;
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::{LoginId, SessionId, UserId};
use crate::ports::{Accounts, Clock, Devices, Effect, Rng, SessionCache, SessionReads, SignIns, UserChanges};
use crate::secret::Secret;
use crate::session::{Slot, UserState};
use crate::signin::{Login, LoginFailure, LoginState, SessionOptions, SessionSecrets};
use crate::time::Millis;

/// How far the clock of a service may be ahead, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 60;

/// What a service states about a user whom it has authenticated.
#[derive(Clone, Debug)]
pub struct VouchedRequest {
    /// The identity of the user. It finds the account, or names the account that is created.
    pub identity: Identity,
    /// The label of an account that is created.
    pub email: Option<String>,
    /// The claims of the user from now on; `None` keeps them.
    pub claims: Option<Claims>,
    /// The session that becomes recent, instead of a new one.
    pub session: Option<SessionId>,
    /// The longer lifetimes.
    pub stay_signed_in: bool,
    /// What the user calls the device.
    pub device_name: Option<String>,
    /// Whether the user has shown a second factor to the service.
    pub mfa_verified: bool,
    /// When the service authenticated the user; now, if it does not say.
    pub authenticated_at: Option<Millis>,
    /// The tokens go to a browser that keeps them where no script can read them.
    pub to_browser: bool,
    /// The program of the user.
    pub user_agent: String,
    /// The address of the user.
    pub ip: String,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Vouched {
    /// A new session.
    SignedIn(Box<SignedIn>),
    /// A session that is recent now.
    Renewed(Box<Slot>, Effect),
}

impl<S, C, P, H> SignIn<S, C, P, H>
where
    S: Accounts + Devices + SessionReads + SignIns + UserChanges,
    C: SessionCache,
    P: Sync,
    H: Clock + Rng,
{
    /// Creates a session for an identity, with its account at the first call, or makes one of its sessions recent.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a form that is not valid, `NOT_FOUND` for a session that is not the identity's, and
    /// `ACCOUNT_DISABLED`.
    pub async fn sign_in_vouched(&self, request: &VouchedRequest) -> Result<Vouched, Failure> {
        let email = request.email.as_deref().map(Email::parse).transpose()?;
        let name = request.device_name.as_deref().map(Device::check_name).transpose()?;
        let proved = Proved { at: self.authenticated_at(request)?, second_factor: request.mfa_verified };
        let known = self.store.user_of_identity(&request.identity.key()).await?;
        if let Some(sid) = request.session {
            let user = known.ok_or_else(no_such_session)?;
            return self.renew(user, sid, request, &proved).await;
        }
        let user = match known {
            Some(user) => user,
            None => self.new_account(request, email.as_ref()).await?,
        };
        let (state, claimed) = self.with_claims(user, request).await?;
        let wishes = SessionOptions {
            stay_signed_in: request.stay_signed_in,
            device: Device::seen(name.as_deref(), &request.user_agent, &request.ip),
        };
        let mut signed_in = self.new_session(state, request, &wishes, proved).await?;
        signed_in.effect = signed_in.effect.and(claimed);
        Ok(Vouched::SignedIn(Box::new(signed_in)))
    }

    fn authenticated_at(&self, request: &VouchedRequest) -> Result<Millis, Failure> {
        let now = self.host.now();
        match request.authenticated_at {
            Some(at) if at > now.plus_seconds(CLOCK_SKEW_SECONDS) => {
                Err(Failure::new(Code::InvalidRequest, "`authenticatedAt` must not be in the future."))
            }
            Some(at) if at < Millis::new(0) => {
                Err(Failure::new(Code::InvalidRequest, "`authenticatedAt` must not be before 1970."))
            }
            at => Ok(at.unwrap_or(now).min(now)),
        }
    }

    /// The account of an identity that has none. Of parallel calls one creates it, and all find it.
    async fn new_account(&self, request: &VouchedRequest, email: Option<&Email>) -> Result<UserId, Failure> {
        let account = Account {
            user: UserId::from_bytes(self.host.random()),
            email: email.map(|email| email.written().to_owned()).unwrap_or_default(),
            password: NO_PASSWORD.to_owned(),
            auth_epoch: FIRST_EPOCH,
            epoch_moved_at: None,
            status: Status::Active,
            version: 1,
            mfa: crate::mfa::Mfa::default(),
            identity: Some(request.identity.clone()),
            claims: request.claims.clone().unwrap_or_default(),
        };
        if register::claim(&self.store, &self.host, None, &account, &Origin::client(&request.ip)).await? {
            return Ok(account.user);
        }
        self.store.user_of_identity(&request.identity.key()).await?.ok_or_else(changed_meanwhile)
    }

    /// The user with the claims of the request, and how surely every validation answers with them.
    async fn with_claims(&self, user: UserId, request: &VouchedRequest) -> Result<(UserState, Effect), Failure> {
        let state = self.active(user).await?;
        let Some(claims) = &request.claims else { return Ok((state, Effect::Immediate)) };
        // A version that knows no claims may have written slots without them.
        let same = state.slots.iter().filter(|slot| slot.ended.is_none()).all(|slot| slot.claims == *claims);
        if state.account.claims == *claims && same {
            // An earlier call may have written them without learning that, so what is cached is dropped here, too.
            let slots: Vec<_> = state.slots.iter().filter(|s| s.ended.is_none()).map(|s| s.at.slot).collect();
            let effect = if slots.is_empty() { Effect::Immediate } else { self.cache.forget(user, &slots).await };
            return Ok((state, effect));
        }
        let place = (&self.store, &self.cache, &self.host, &self.policy);
        let origin = Origin::client(&request.ip);
        let done = change::commit(place, user, &origin, |reading| {
            is_active(&reading.state)?;
            let edit = AccountEdit { claims: Some(claims.clone()), ..AccountEdit::default() };
            Ok(Plan::new(()).account(reading, edit).claiming(reading, claims))
        });
        let done = done.await.map_err(gone_meanwhile)?;
        Ok((self.active(user).await?, done.effect))
    }

    async fn active(&self, user: UserId) -> Result<UserState, Failure> {
        let state = self.store.user(user).await?.ok_or_else(changed_meanwhile)?;
        is_active(&state)?;
        Ok(state)
    }

    /// A sign-in like every other: it is consumed once, and it ends the least recently used session at the limit.
    async fn new_session(
        &self,
        state: UserState,
        request: &VouchedRequest,
        wishes: &SessionOptions,
        proved: Proved,
    ) -> Result<SignedIn, Failure> {
        let (user, now) = (state.user(), self.host.now());
        let login = Login {
            id: LoginId::from_bytes(self.host.random()),
            state: LoginState::Started,
            user: Some(user),
            auth_epoch: state.account.auth_epoch,
            started_at: now,
            expires_at: now.plus_seconds(self.limits.login_seconds),
            session: None,
            answered: None,
            to_browser: request.to_browser,
            network: attempts::network(&request.ip),
        };
        retry::while_busy(&self.host, || self.store.begin(&login)).await?;
        let draw = SessionSecrets::of(Secret::new(self.host.random()), self.host.random());
        let what = CommitRequest { proved: Some(proved), ..CommitRequest::of(&login, &draw, wishes, None) };
        match self.commit(&what, state).await? {
            Ok(signed_in) => Ok(signed_in),
            Err(CommitRefusal::Login | CommitRefusal::Challenge) => Err(changed_meanwhile()),
            Err(CommitRefusal::Account | CommitRefusal::Factor | CommitRefusal::Device) => {
                let failed = || self.store.fail(login.id, login.state, LoginFailure::Superseded, self.host.now());
                retry::while_busy(&self.host, failed).await?;
                self.active(user).await?;
                Err(changed_meanwhile())
            }
        }
    }

    async fn renew(
        &self,
        user: UserId,
        sid: SessionId,
        request: &VouchedRequest,
        proved: &Proved,
    ) -> Result<Vouched, Failure> {
        let place = (&self.store, &self.cache, &self.host, &self.policy);
        let origin = Origin::client(&request.ip);
        let done = change::commit(place, user, &origin, |reading| {
            is_active(&reading.state)?;
            let there = reading.live().find(|slot| slot.sid == sid).ok_or_else(no_such_session)?;
            let slot = renewed(there, request, proved, reading);
            let update = SlotUpdate {
                authenticated_at: Some(slot.authenticated_at),
                mfa_verified_at: slot.mfa_verified_at,
                claims: request.claims.clone(),
                ..SlotUpdate::default()
            };
            let edit = AccountEdit { claims: request.claims.clone(), ..AccountEdit::default() };
            let seen = SlotSeen::LiveVersion(there.sid, there.version);
            let plan = Plan::new(slot).account(reading, edit).slot(there.at.slot, seen, SlotEdit::Update(update));
            Ok(match &request.claims {
                Some(claims) => plan.claiming(reading, claims),
                None => plan,
            })
        });
        let done = done.await.map_err(gone_meanwhile)?;
        Ok(Vouched::Renewed(Box::new(done.outcome), done.effect))
    }
}

/// The session as the change leaves it. What was proved later than this stays.
fn renewed(there: &Slot, request: &VouchedRequest, proved: &Proved, reading: &Reading<'_>) -> Slot {
    Slot {
        authenticated_at: there.authenticated_at.max(proved.at),
        mfa_verified_at: there.mfa_verified_at.max(proved.second_factor.then_some(proved.at)),
        claims: request.claims.clone().unwrap_or_else(|| there.claims.clone()),
        version: there.version + 1,
        last_updated_at: reading.now,
        ..there.clone()
    }
}

fn is_active(state: &UserState) -> Result<(), Failure> {
    match state.account.status {
        Status::Active => Ok(()),
        Status::Disabled | Status::Deleted => {
            Err(Failure::new(Code::AccountDisabled, "The account of this identity is disabled or being deleted."))
        }
    }
}

/// The same answer for a session that does not exist and for one of another user.
fn no_such_session() -> Failure {
    Failure::new(Code::NotFound, "This identity has no live session with this id.")
}

/// Nothing was decided, and the same request can be sent again.
fn changed_meanwhile() -> Failure {
    Failure::new(Code::Unavailable, "The account has just been changed; send the request again.")
}

/// A user who is deleted while the change is planned: the calling service is not the one who lacks a session.
fn gone_meanwhile(failure: Failure) -> Failure {
    if failure.code == Code::Unauthenticated { changed_meanwhile() } else { failure }
}
