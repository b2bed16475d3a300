//! What operators may do to any user. No token opens this: who may call it is decided by IAM.

use super::change::Plan;
use super::devices::Removed;
use super::end::Sweep;
use super::{Revoked, Sessions};
use crate::DeviceId;
use crate::account::{Account, NO_PASSWORD, PasswordStrength, Status, accept_new_password};
use crate::attempts::{self, Passwords, Scope};
use crate::change::{AccountEdit, FactorEdit, Origin};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::{SessionId, UserId};
use crate::policy::SignInLimits;
use crate::ports::{
    AccountDeletion, Accounts, Attempts, Clock, Devices, NewPasswords, Rng, SessionCache, SessionReads, SessionWrites,
    UserChanges,
};
use crate::session::{self, EndReason, Slot};
use crate::time::Millis;
use crate::trusted_device::TrustedDevice;

/// How much of a budget is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptStatus {
    /// The budget of the attempts.
    pub scope: Scope,
    /// Attempts counted in the open window; 0 when none is open.
    pub count: u32,
    /// When the open window ends.
    pub window_ends: Option<Millis>,
    /// Failures in a row, over windows.
    pub run: u32,
    /// No attempt before this time, after a long run.
    pub wait_until: Option<Millis>,
    /// Until when the network is known to the account.
    pub known_until: Option<Millis>,
}

/// A user, as operators see them.
#[derive(Clone, Debug)]
pub struct UserReport {
    /// The account of the user.
    pub account: Account,
    /// Live sessions, most recently used first.
    pub sessions: Vec<Slot>,
    /// The trusted devices of the user.
    pub devices: Vec<(DeviceId, TrustedDevice)>,
}

/// The refusal of a change of a user whose deletion has begun.
pub(super) fn is_being_deleted() -> Failure {
    Failure::new(Code::NotFound, "This user is being deleted; repeat `delete` to finish it.")
}

pub(super) fn unknown() -> Failure {
    Failure::new(Code::NotFound, "There is no such user.")
}

impl<S, C, H> Sessions<S, C, H>
where
    S: Accounts + Devices + SessionReads,
    H: Clock + Rng,
{
    /// Returns the user who has this e-mail.
    pub async fn user_by_email(&self, email: &str) -> Result<UserId, Failure> {
        let email = Email::parse(email)?;
        super::register::user_of(&self.store, &email).await?.ok_or_else(unknown)
    }

    /// A user's account, live sessions and trusted devices.
    pub async fn inspect(&self, user: UserId) -> Result<UserReport, Failure> {
        let mut devices = self.store.devices(user).await?;
        let state = self.store.user(user).await?.ok_or_else(unknown)?;
        let now = self.host.now();
        let sessions = session::most_recent_first(&state.slots, &self.policy, now).into_iter().cloned().collect();
        devices.retain(|(_, device)| device.is_valid(state.account.auth_epoch, now));
        Ok(UserReport { account: state.account, sessions, devices })
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + SessionWrites + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Ends one session of any user, and the trust of its device.
    pub async fn end_any(&self, user: UserId, sid: SessionId, origin: &Origin) -> Result<Revoked, Failure> {
        self.known(user).await?;
        self.end_with_device(user, sid, None, EndReason::Admin, origin).await
    }

    /// Stops trusting one device of any user. Its token is invalid at once. The sessions on it stay.
    pub async fn remove_device_of(&self, user: UserId, id: DeviceId, origin: &Origin) -> Result<Removed, Failure> {
        self.known(user).await?;
        let not_found = || Failure::new(Code::NotFound, "The user has no trusted device with this id.");
        let done = self
            .change(user, origin, |reading| {
                reading.valid_devices().find(|(valid, _)| *valid == id).ok_or_else(not_found)?;
                Ok(Plan::new(()).removing(reading, &[id]))
            })
            .await?;
        Ok(Removed { count: 1, effect: done.effect })
    }

    /// Ends all sessions of a user, every sign-in that was begun before, and the trust of every device.
    pub async fn end_all_of(&self, user: UserId, origin: &Origin) -> Result<Revoked, Failure> {
        self.sweep(user, EndReason::Admin, origin, AccountEdit::default()).await
    }

    /// Disables a user and ends all sessions, or enables the user again. The call may be repeated.
    pub async fn set_status(&self, user: UserId, status: Status, origin: &Origin) -> Result<Revoked, Failure> {
        let edit = AccountEdit { status: Some(status), ..AccountEdit::default() };
        self.sweep(user, EndReason::AccountDisabled, origin, edit).await
    }

    /// Switches a user's second factor off and ends all sessions, for a user who has lost the authenticator and the
    /// recovery codes. The next sign-in needs only the password. The call may be repeated.
    pub async fn reset_factor(&self, user: UserId, origin: &Origin) -> Result<Revoked, Failure> {
        let edit = AccountEdit { factor: Some(FactorEdit::Reset), ..AccountEdit::default() };
        self.sweep(user, EndReason::Admin, origin, edit).await
    }

    /// Gives a user another password and ends all sessions.
    pub async fn set_password<P: NewPasswords + PasswordStrength>(
        &self,
        passwords: &P,
        user: UserId,
        password: &str,
        origin: &Origin,
    ) -> Result<Revoked, Failure> {
        let state = self.store.user(user).await?.ok_or_else(unknown)?;
        if state.account.password == NO_PASSWORD {
            let detail = "This account has no password: its identity provider authenticates the user.";
            return Err(Failure::new(Code::InvalidRequest, detail));
        }
        accept_new_password("password", password, &[&state.account.email], passwords)?;
        let password = Some(passwords.keep(password, &self.host.random())?);
        self.sweep(user, EndReason::PasswordChanged, origin, AccountEdit { password, ..AccountEdit::default() }).await
    }

    async fn sweep(
        &self,
        user: UserId,
        reason: EndReason,
        origin: &Origin,
        edit: AccountEdit,
    ) -> Result<Revoked, Failure> {
        self.known(user).await?;
        self.end_all(user, reason, origin, |reading| {
            // A deletion that was begun is only finished.
            if reading.state.account.status == Status::Deleted && edit.status != Some(Status::Deleted) {
                return Err(is_being_deleted());
            }
            Ok(Sweep { keep: None, keep_device: None, edit: edit.clone() })
        })
        .await
    }
}

impl<S: SessionReads, C, H> Sessions<S, C, H> {
    /// Refuses a user who does not exist.
    pub(super) async fn known(&self, user: UserId) -> Result<(), Failure> {
        self.store.user(user).await?.map(|_| ()).ok_or_else(unknown)
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: AccountDeletion + Accounts + Attempts + SessionReads + SessionWrites + Devices + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Begins to delete a user: all sessions end, and the user can no longer sign in.
    pub async fn begin_deletion(&self, user: UserId, origin: &Origin) -> Result<Revoked, Failure> {
        let edit = AccountEdit { status: Some(Status::Deleted), ..AccountEdit::default() };
        self.sweep(user, EndReason::AccountDeleted, origin, edit).await
    }

    /// Finishes the deletion: every record is deleted, the account last. A repeated deletion continues where the last
    /// one stopped.
    pub async fn finish_deletion(&self, user: UserId, limits: &SignInLimits) -> Result<(), Failure> {
        let state = self.store.user(user).await?.ok_or_else(unknown)?;
        let email = Email::parse(&state.account.email).ok();
        let key = email.as_ref().map(Email::key);
        // A budget of an address belongs to the account that signs in with the address. The address of an account without
        // a password is a label, which may be the address of another account.
        let signs_in = key.filter(|_| state.account.password != NO_PASSWORD);
        for scope in account_scopes(user, signs_in.as_ref(), limits) {
            self.store.clear(&scope).await?;
        }
        // Version 0.1.0 or a provider's label may have left an e-mail without a claim of this account. Only a claim of
        // this account is deleted.
        let mut keys: Vec<[u8; 32]> = key.into_iter().collect();
        // Version 0.1.0 accepted addresses that are refused now.
        keys.extend(match &email {
            Some(email) => email.legacy_key(),
            None => Some(Email::legacy_key_of(&state.account.email)),
        });
        let mut claims = Vec::new();
        for key in keys {
            if self.store.user_of(&key).await? == Some(user) {
                claims.push(key);
            }
        }
        self.store.erase(&state.account, &claims).await?;
        Ok(())
    }
}

/// The budgets of an account that can be named without knowing a network.
fn account_scopes(user: UserId, key: Option<&[u8; 32]>, limits: &SignInLimits) -> Vec<Scope> {
    let mut scopes = vec![attempts::second_factor(user, limits)];
    scopes.extend(key.map(|key| Passwords::new(key, "", limits).account));
    scopes
}

impl<S, C, H> Sessions<S, C, H>
where
    S: Accounts + Attempts,
    H: Clock + Rng,
{
    async fn budgets(&self, email: &str, ip: &str, limits: &SignInLimits) -> Result<Vec<Scope>, Failure> {
        let email = Email::parse(email)?;
        let Passwords { network, account_network, account } = Passwords::new(&email.key(), ip, limits);
        let mut scopes = vec![account_network, account, network];
        if let Some(user) = super::register::user_of(&self.store, &email).await? {
            scopes.push(attempts::second_factor(user, limits));
            scopes.push(attempts::second_factor_network(user, ip, limits));
        }
        Ok(scopes)
    }

    /// How far an e-mail's and a network's budgets are used. Known and unknown e-mails have budgets alike.
    pub async fn attempt_status(
        &self,
        email: &str,
        ip: &str,
        limits: &SignInLimits,
    ) -> Result<Vec<AttemptStatus>, Failure> {
        let scopes = self.budgets(email, ip, limits).await?;
        let counters = self.store.counters(&scopes).await?;
        let now = self.host.now();
        let ahead = |time: Millis| Some(time).filter(|time| *time > now);
        let status = |(scope, counter): (Scope, attempts::Counter)| AttemptStatus {
            scope,
            count: if counter.window_ends > now { counter.count } else { 0 },
            window_ends: ahead(counter.window_ends),
            run: if counter.run_ends > now { counter.run } else { 0 },
            wait_until: ahead(counter.wait_until),
            known_until: ahead(counter.known_until),
        };
        Ok(scopes.into_iter().zip(counters).map(status).collect())
    }

    /// Gives back every attempt of an e-mail, and of a network.
    pub async fn clear_attempts(&self, email: &str, ip: &str, limits: &SignInLimits) -> Result<(), Failure> {
        for scope in self.budgets(email, ip, limits).await? {
            self.store.clear(&scope).await?;
        }
        Ok(())
    }
}
