//! What operators may do to any user. No token opens this: who may call it is decided by IAM.

use super::end::Sweep;
use super::second_factor::account_scope;
use super::{Revoked, Sessions};
use crate::account::{Account, Status};
use crate::attempts;
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::{SessionId, UserId};
use crate::policy::SignInLimits;
use crate::ports::{Accounts, AttemptRecords, EndAllSessions, Host, SessionCache, SessionReads, SessionWrites};
use crate::session::{self, EndReason, Slot};
use crate::time::Millis;

/// How much of a budget is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptStatus {
    /// What is counted: `account-network`, `account`, `network` or, for accounts that exist, `second-factor`.
    pub scope: &'static str,
    /// Attempts counted in the open window; 0 when none is open.
    pub count: u32,
    /// The budget of a window.
    pub limit: u32,
    /// When the open window ends.
    pub window_ends: Option<Millis>,
}

fn unknown() -> Failure {
    Failure::new(Code::NotFound, "There is no such user.")
}

impl<S, C, H> Sessions<S, C, H>
where
    S: Accounts + SessionReads,
    H: Host,
{
    /// Whose e-mail this is.
    pub async fn user_by_email(&self, email: &str) -> Result<UserId, Failure> {
        let email = Email::parse(email)?;
        self.store.user_of(&email.key()).await?.ok_or_else(unknown)
    }

    /// A user's account and live sessions, most recently used first.
    pub async fn inspect(&self, user: UserId) -> Result<(Account, Vec<Slot>), Failure> {
        let state = self.store.user(user).await?.ok_or_else(unknown)?;
        let now = self.host.now();
        let live = session::most_recent_first(&state.slots, &self.policy, now).into_iter().cloned().collect();
        Ok((state.account, live))
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + SessionWrites + EndAllSessions,
    C: SessionCache,
    H: Host,
{
    /// Ends one session of any user.
    pub async fn end_any(&self, user: UserId, sid: SessionId) -> Result<Revoked, Failure> {
        let not_live = || Failure::new(Code::NotFound, "The user has no live session with this id.");
        let state = self.store.user(user).await?.ok_or_else(unknown)?;
        let now = self.host.now();
        let slot = state.slots.iter().find(|s| s.sid == sid && s.is_live(now)).ok_or_else(not_live)?;
        match self.end_slot(slot, EndReason::Admin).await? {
            (true, effect) => Ok(Revoked { count: 1, effect }),
            (false, _) => Err(not_live()),
        }
    }

    /// Ends all sessions of a user, and every sign-in that was begun before.
    pub async fn end_all_of(&self, user: UserId) -> Result<Revoked, Failure> {
        self.known(user).await?;
        self.end_all(user, EndReason::Admin, |_, _| Ok(Sweep::default())).await
    }

    /// Disables a user, ending all sessions, or enables them again. Repeating it changes nothing that matters.
    pub async fn set_status(&self, user: UserId, status: Status) -> Result<Revoked, Failure> {
        self.known(user).await?;
        let sweep = Sweep { status: Some(status), ..Sweep::default() };
        self.end_all(user, EndReason::AccountDisabled, |_, _| Ok(sweep.clone())).await
    }

    /// Switches a user's second factor off, for somebody who has lost authenticator and recovery codes, and ends all
    /// sessions: whoever has the password signs in anew. Repeating it changes nothing that matters.
    pub async fn reset_factor(&self, user: UserId) -> Result<Revoked, Failure> {
        self.known(user).await?;
        let sweep = Sweep { reset_factor: true, ..Sweep::default() };
        self.end_all(user, EndReason::Admin, |_, _| Ok(sweep.clone())).await
    }

    async fn known(&self, user: UserId) -> Result<(), Failure> {
        self.store.user(user).await?.map(|_| ()).ok_or_else(unknown)
    }
}

impl<S, C, H> Sessions<S, C, H>
where
    S: Accounts + AttemptRecords,
    H: Host,
{
    /// How far an e-mail's and a network's budgets are used. Known and unknown e-mails have budgets alike.
    pub async fn attempt_status(
        &self,
        email: &str,
        ip: &str,
        limits: &SignInLimits,
    ) -> Result<Vec<AttemptStatus>, Failure> {
        let email = Email::parse(email)?;
        let now = self.host.now();
        let mut found = Vec::with_capacity(4);
        for (name, scope) in attempts::NAMES.into_iter().zip(attempts::scopes(&email, ip, limits)) {
            let (count, window_ends) =
                self.store.counted(&scope, now).await?.map_or((0, None), |(n, ends)| (n, Some(ends)));
            found.push(AttemptStatus { scope: name, count, limit: scope.limit, window_ends });
        }
        if let Some(user) = self.store.user_of(&email.key()).await? {
            let scope = account_scope(user, limits);
            let (count, window_ends) =
                self.store.counted(&scope, now).await?.map_or((0, None), |(n, ends)| (n, Some(ends)));
            found.push(AttemptStatus { scope: "second-factor", count, limit: scope.limit, window_ends });
        }
        Ok(found)
    }

    /// Gives back every attempt of an e-mail, and of a network.
    pub async fn clear_attempts(&self, email: &str, ip: &str, limits: &SignInLimits) -> Result<(), Failure> {
        let email = Email::parse(email)?;
        for scope in attempts::scopes(&email, ip, limits) {
            self.store.clear(&scope).await?;
        }
        if let Some(user) = self.store.user_of(&email.key()).await? {
            self.store.clear(&account_scope(user, limits)).await?;
        }
        Ok(())
    }
}
