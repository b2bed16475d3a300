//! Switching the second factor on and off.

use super::second_factor::{account_scope, too_many};
use super::{Current, Sessions, retry};
use crate::account::Account;
use crate::error::{Code, Failure};
use crate::mfa::{Answer, Factor, Proof, RecoveryCodes, Seed};
use crate::policy::SignInLimits;
use crate::ports::{
    AccountWrites, Attempts, Effect, FactorChange, FactorStep, Host, SessionCache, SessionReads, StoreError, Transacted,
};
use crate::secret::Secret;
use crate::session::{self, Slot, UserState};
use crate::time::Millis;

/// What the routes of the second factor are configured with.
#[derive(Clone, Debug)]
pub struct FactorSettings {
    /// The name above the e-mail in an authenticator.
    pub issuer: String,
    /// Attempt budgets.
    pub limits: SignInLimits,
}

/// What switching on answers: the only time the recovery codes are readable.
#[derive(Clone, Debug)]
pub struct Activated {
    /// To be kept by the user.
    pub codes: RecoveryCodes,
    /// The session, which has shown its second factor now.
    pub slot: Slot,
    /// See [`Effect`].
    pub effect: Effect,
}

fn wrong() -> Failure {
    Failure::new(Code::InvalidMfaCode, "Check the code, and that it was not used before.")
}

fn is_on() -> Failure {
    Failure::new(Code::MfaAlreadyEnabled, "Switch the second factor off before setting it up anew.")
}

/// Refuses a session that is too old for a sensitive change.
pub(super) fn recent(slot: &Slot, now: Millis) -> Result<(), Failure> {
    if slot.is_recent(now) {
        return Ok(());
    }
    Err(Failure::new(Code::ReauthenticationRequired, "This session was signed in more than 15 minutes ago."))
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + AccountWrites + Attempts,
    C: SessionCache,
    H: Host,
{
    /// Hands out a seed. Nothing is asked for at a sign-in until it has been shown to work.
    pub async fn enroll(&self, current: &Current, settings: &FactorSettings) -> Result<(Seed, String), Failure> {
        let seed = Seed::from_bytes(self.host.random());
        let change = |state: &UserState, _: &Slot, now: Millis| {
            recent(&current.slot, now)?;
            if state.account.mfa.enabled.is_some() {
                return Err(is_on());
            }
            Ok(FactorStep::Enroll(seed.clone()))
        };
        let (account, ..) = self.change_factor(current, change).await?;
        let uri = seed.uri(&settings.issuer, &account.email);
        Ok((seed, uri))
    }

    /// Switches it on with a code of the pending seed. Sign-ins begun before it die; trusted devices are forgotten.
    pub async fn activate(
        &self,
        current: &Current,
        answer: &Answer,
        settings: &FactorSettings,
    ) -> Result<Activated, Failure> {
        let state = self.state(current).await?;
        if state.account.mfa.enabled.is_some() {
            return Err(is_on());
        }
        let Some(pending) = state.account.mfa.pending.clone() else {
            return Err(Failure::new(Code::InvalidRequest, "Set it up first: `POST /v1/auth/mfa/enroll`."));
        };
        self.counted(current, &pending, answer, settings, async || {
            let codes = RecoveryCodes::generate(|| self.host.random());
            let hashes = codes.hashes();
            let change = |state: &UserState, _: &Slot, now: Millis| {
                let candidate = Factor { seed: pending.clone(), last_step: None, recovery: vec![] };
                match (answer.judge(&candidate, now), state.account.mfa.pending.as_ref()) {
                    _ if state.account.mfa.enabled.is_some() => Err(is_on()),
                    (Some(Proof::Step(step)), Some(there)) if *there == pending => {
                        Ok(FactorStep::Activate { pending: pending.clone(), step, recovery: hashes.clone() })
                    }
                    _ => Err(wrong()),
                }
            };
            let (_, slot, now) = self.change_factor(current, change).await?;
            let effect = self.cache.forget(slot.at.user, &[slot.at.slot]).await;
            let version = slot.version + 1;
            let slot = Slot { mfa_verified_at: Some(now), version, last_updated_at: now, ..slot };
            Ok(Activated { codes, slot, effect })
        })
        .await
    }

    /// Switches it off. Sign-ins begun before it die; trusted devices are forgotten.
    pub async fn disable(&self, current: &Current, answer: &Answer, settings: &FactorSettings) -> Result<(), Failure> {
        recent(&current.slot, self.host.now())?;
        let state = self.state(current).await?;
        let Some(factor) = state.account.mfa.enabled else {
            return Err(Failure::new(Code::InvalidMfaCode, "The second factor is not switched on."));
        };
        self.counted(current, &factor.seed, answer, settings, async || {
            let change = |state: &UserState, _: &Slot, now: Millis| {
                let factor = state.account.mfa.enabled.as_ref();
                let proof = factor.and_then(|factor| answer.judge(factor, now)).ok_or_else(wrong)?;
                Ok(FactorStep::Disable(proof))
            };
            self.change_factor(current, change).await.map(|_| ())
        })
        .await
    }

    /// Counts an answer before it is looked at, in the account's one budget, and gives it back if it was right.
    async fn counted<T>(
        &self,
        current: &Current,
        seed: &Seed,
        answer: &Answer,
        settings: &FactorSettings,
        judged: impl AsyncFnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut key = [0; 32];
        key[..20].copy_from_slice(seed.expose());
        let attempt = answer.attempt(&Secret::new(key));
        let scope = account_scope(current.slot.at.user, &settings.limits);
        let now = self.host.now();
        if let Err(until) = retry::while_busy(&self.host, || self.store.admit(&scope, &attempt, now)).await? {
            return Err(too_many(now, until));
        }
        let outcome = judged().await;
        if outcome.is_ok() {
            // Failing to give it back costs the user one attempt, not the change.
            let _ = self.store.give_back(&scope, &attempt).await;
        }
        outcome
    }

    async fn state(&self, current: &Current) -> Result<UserState, Failure> {
        self.store.user(current.slot.at.user).await?.ok_or_else(Failure::unauthenticated)
    }

    /// The loop around one change: every new reading is judged by `change`. Answers the account and the caller's session
    /// as read, and the moment of the change.
    async fn change_factor(
        &self,
        current: &Current,
        change: impl Fn(&UserState, &Slot, Millis) -> Result<FactorStep, Failure>,
    ) -> Result<(Account, Slot, Millis), Failure> {
        let op = self.host.op();
        let mut planned: Option<(FactorChange, Account, Slot)> = None;
        for attempt in 0..retry::MAX_TRIES {
            let (plan, account, slot) = match planned.take() {
                Some(planned) => planned,
                None => {
                    let state = self.state(current).await?;
                    let now = self.host.now();
                    let slot = session::live(state.slot(current.slot.at.slot), current.slot.at.slot, &self.policy, now)
                        .filter(|slot| slot.sid == current.slot.sid)
                        .cloned()
                        .ok_or_else(Failure::unauthenticated)?;
                    let plan = FactorChange {
                        user: state.user(),
                        auth_epoch: state.account.auth_epoch,
                        caller: (slot.at.slot, slot.sid, slot.version),
                        step: change(&state, &slot, now)?,
                        now,
                        op: op.clone(),
                    };
                    (plan, state.account, slot)
                }
            };
            match self.store.change_factor(&plan).await {
                Ok(Transacted::Done) => return Ok((account, slot, plan.now)),
                Ok(Transacted::Refused) => {}
                // Known not to have happened, or not known at all: the same plan again settles it.
                Ok(Transacted::Busy) | Err(StoreError::Busy(_) | StoreError::Unavailable(_)) => {
                    planned = Some((plan, account, slot));
                    retry::pause(&self.host, attempt).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Busy("second factor".into()).into())
    }
}
