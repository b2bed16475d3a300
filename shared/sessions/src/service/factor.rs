//! Switching the second factor on and off, its recovery codes, and proving to be there once more.

use super::change::Plan;
use super::{Current, Sessions, budget, retry};
use crate::account::{Account, NO_PASSWORD};
use crate::attempts::{self, Scope};
use crate::change::{AccountEdit, FactorEdit, Origin, SlotEdit, SlotSeen, SlotUpdate};
use crate::error::{Code, Failure};
use crate::ids::UserId;
use crate::mfa::{Answer, Factor, KeptSeed, Proof, RecoveryCodes, Seed, step_at};
use crate::policy::SignInLimits;
use crate::ports::{
    AccountUpkeep, Attempts, Clock, Devices, Effect, Rng, SecretBox, SessionCache, SessionReads, SignIns, StoreError,
    StoreResult, UserChanges,
};
use crate::secret::{Secret, TokenHash, fingerprint};
use crate::session::{Slot, UserState};
use crate::signin::LoginFailure;
use crate::time::Millis;

/// What the routes of the second factor are configured with.
#[derive(Clone, Debug)]
pub struct FactorSettings<B> {
    /// The name above the e-mail in an authenticator.
    pub issuer: String,
    /// The limits of attempts.
    pub limits: SignInLimits,
    /// What seals seeds.
    pub secrets: B,
}

/// What switching on answers: the only time the recovery codes are readable.
#[derive(Clone, Debug)]
pub struct Activated {
    /// To be kept by the user.
    pub codes: RecoveryCodes,
    /// The session, which has shown its second factor now.
    pub slot: Slot,
    /// The effect of the change; see [`Effect`].
    pub effect: Effect,
}

pub(super) fn wrong_code() -> Failure {
    Failure::new(Code::InvalidMfaCode, "Check the code, and that it was not used before.")
}

fn is_on() -> Failure {
    Failure::new(Code::MfaAlreadyEnabled, "Switch the second factor off before setting it up anew.")
}

pub(super) fn is_off() -> Failure {
    Failure::new(Code::InvalidMfaCode, "The second factor is not switched on.")
}

/// Refuses a session that has not proved recently that its user is there: with the password, and where a second factor is
/// on, with that, too.
pub(super) fn sensitive(account: &Account, slot: &Slot, now: Millis) -> Result<(), Failure> {
    let required = |detail: &'static str| Err(Failure::new(Code::ReauthenticationRequired, detail));
    if !slot.is_recent(now) {
        return required(
            "The user of this session was authenticated more than 15 minutes ago; reauthenticate with the password first.",
        );
    }
    if account.mfa.enabled.is_some() && !slot.is_recently_verified(now) {
        return required(
            "This session has not shown the second factor within 15 minutes; reauthenticate with password and code first.",
        );
    }
    Ok(())
}

/// The seed, opened. One that version 0.1.0 kept in plain text is sealed on the way; if that fails, the next use does it.
pub(super) async fn open_factor<S: AccountUpkeep, B: SecretBox>(
    store: &S,
    secrets: &B,
    user: UserId,
    factor: &Factor,
) -> StoreResult<Seed> {
    if let KeptSeed::Plain(seed) = &factor.seed {
        if let Ok(sealed) = secrets.seal(user, seed.expose()).await {
            let _ = store.seal_seed(user, seed, &sealed).await;
        }
        return Ok(seed.clone());
    }
    open_seed(secrets, user, &factor.seed).await
}

/// The seed as an authenticator knows it.
pub(super) async fn open_seed<B: SecretBox>(secrets: &B, user: UserId, kept: &KeptSeed) -> StoreResult<Seed> {
    let sealed = match kept {
        KeptSeed::Plain(seed) => return Ok(seed.clone()),
        KeptSeed::Sealed(sealed) => sealed,
    };
    let bytes = secrets.open(user, sealed).await?;
    <[u8; 20]>::try_from(bytes.as_slice())
        .map(Seed::from_bytes)
        .map_err(|_| StoreError::Corrupt("a sealed seed of another length".into()))
}

pub(super) async fn seal<B: SecretBox>(secrets: &B, user: UserId, seed: &Seed) -> StoreResult<KeptSeed> {
    secrets.seal(user, seed.expose()).await.map(KeptSeed::Sealed)
}

/// What an answer counts as in the budgets that hold over sign-ins: the same code at another step of the clock is another
/// guess.
pub(super) fn counted_as(answer: &Answer, seed: &Seed, now: Millis) -> TokenHash {
    let mut key = [0; 32];
    key[..20].copy_from_slice(seed.expose());
    at_step(&answer.attempt(&Secret::new(key)), now)
}

/// Binds an attempt to the present step; see [`counted_as`].
pub(super) fn at_step(attempt: &TokenHash, now: Millis) -> TokenHash {
    let step = step_at(now).to_be_bytes();
    TokenHash::from_bytes(fingerprint("holdfast/attempt-at-step/1", &[attempt.as_bytes(), &step]))
}

/// No sign-in of such an account asks Holdfast for a second factor. Its owner could also never switch it off again,
/// because that needs the password.
fn belongs_to_the_provider() -> Failure {
    let detail = "This account has no password: its identity provider asks for the second factor.";
    Failure::new(Code::Forbidden, detail)
}

pub(super) fn too_many_codes(now: Millis, until: Millis) -> Failure {
    Failure::new(Code::TooManyAttempts, "Too many wrong codes; wait, then try again.")
        .retry_after(until.retry_after(now))
}

impl<S, C, H> Sessions<S, C, H>
where
    S: SessionReads + AccountUpkeep + Attempts + Devices + SignIns + UserChanges,
    C: SessionCache,
    H: Clock + Rng,
{
    /// Issues a seed. No sign-in asks for it until its first code has been verified. While it waits for that code, the
    /// session that asked for it receives the same seed again. Another session receives a new seed, and the earlier one
    /// becomes invalid. So a seed that a thief has seen never becomes the owner's.
    pub async fn enroll<B: SecretBox>(
        &self,
        current: &Current,
        settings: &FactorSettings<B>,
        origin: &Origin,
    ) -> Result<(Seed, String), Failure> {
        let user = current.slot.at.user;
        // Checked before anything is sealed, so that a refused request costs no call of the key.
        let state = self.state(current).await?;
        sensitive(&state.account, self.own_slot(&state, current)?, self.host.now())?;
        // No account gains or loses its password, so this is not asked again.
        if state.account.password == NO_PASSWORD {
            return Err(belongs_to_the_provider());
        }
        let fresh = Seed::from_bytes(self.host.random());
        let sealed = seal(&settings.secrets, user, &fresh).await?;
        let done = self
            .change(user, origin, |reading| {
                let caller = reading.caller(current.slot.sid)?;
                let account = &reading.state.account;
                sensitive(account, caller, reading.now)?;
                if account.mfa.enabled.is_some() {
                    return Err(is_on());
                }
                let pending = account.mfa.pending.as_ref();
                let open = pending.filter(|pending| pending.is_open_to(caller.sid, reading.now)).cloned();
                let outcome = (open.clone(), account.email.clone());
                let plan = Plan::new(outcome).requires(caller);
                Ok(if open.is_some() {
                    plan.account(reading, AccountEdit::default())
                } else {
                    let seen = pending.map(|pending| pending.seed.clone());
                    let factor = FactorEdit::Enroll { pending: sealed.clone(), session: caller.sid, seen };
                    plan.account(reading, AccountEdit { factor: Some(factor), ..AccountEdit::default() })
                })
            })
            .await?;
        let (open, email) = done.outcome;
        let seed = match open {
            Some(pending) => open_seed(&settings.secrets, user, &pending.seed).await?,
            None => fresh,
        };
        let uri = seed.uri(&settings.issuer, &email);
        Ok((seed, uri))
    }

    /// Switches the second factor on with a code of the pending seed. Sign-ins that began before become invalid, and no
    /// device is trusted any more.
    pub async fn activate<B: SecretBox>(
        &self,
        current: &Current,
        answer: &Answer,
        settings: &FactorSettings<B>,
        ip: &str,
    ) -> Result<Activated, Failure> {
        let (user, origin) = (current.slot.at.user, Origin::client(ip));
        let state = self.state(current).await?;
        self.own_slot(&state, current)?;
        if state.account.mfa.enabled.is_some() {
            return Err(is_on());
        }
        let (sid, now) = (current.slot.sid, self.host.now());
        let Some(pending) = state.account.mfa.pending.filter(|pending| pending.is_open_to(sid, now)) else {
            return Err(Failure::new(
                Code::InvalidRequest,
                "There is no seed to activate: enroll again, and send the first code within 15 minutes.",
            ));
        };
        let seed = open_seed(&settings.secrets, user, &pending.seed).await?;
        let kept = match &pending.seed {
            KeptSeed::Plain(seed) => seal(&settings.secrets, user, seed).await?,
            sealed @ KeptSeed::Sealed(_) => sealed.clone(),
        };
        let scope = attempts::second_factor_session(current.slot.sid, &settings.limits);
        self.counted((current, ip), scope, &seed, answer, async || {
            let codes = RecoveryCodes::generate(|| self.host.random());
            let recovery = codes.hashes();
            let done = self
                .change(user, &origin, |reading| {
                    let caller = reading.caller(current.slot.sid)?;
                    let mfa = &reading.state.account.mfa;
                    if mfa.enabled.is_some() {
                        return Err(is_on());
                    }
                    let candidate = Factor { seed: pending.seed.clone(), last_step: None, recovery: vec![] };
                    let proof = answer.judge(&seed, &candidate, reading.now);
                    let (Some(Proof::Step(step)), true) = (proof, mfa.pending.as_ref() == Some(&pending)) else {
                        return Err(wrong_code());
                    };
                    let factor = FactorEdit::Activate {
                        pending: pending.seed.clone(),
                        kept: kept.clone(),
                        step,
                        recovery: recovery.clone(),
                    };
                    let edit = AccountEdit { moves_epoch: true, factor: Some(factor), ..AccountEdit::default() };
                    // The session has shown its second factor: that is part of what it is.
                    let update =
                        SlotUpdate { mfa_verified_at: Some(reading.now), trust: Some(None), ..SlotUpdate::default() };
                    let seen = SlotSeen::LiveVersion(caller.sid, caller.version);
                    let slot = Slot {
                        mfa_verified_at: Some(reading.now),
                        trust: None,
                        version: caller.version + 1,
                        last_updated_at: reading.now,
                        ..caller.clone()
                    };
                    Ok(Plan::new(slot)
                        .account(reading, edit)
                        .slot(caller.at.slot, seen, SlotEdit::Update(update))
                        .removing_all(reading))
                })
                .await?;
            Ok(Activated { codes, slot: done.outcome, effect: done.effect })
        })
        .await
    }

    /// Switches the second factor off. Sign-ins that began before become invalid, and no device is trusted any more.
    pub async fn disable<B: SecretBox>(
        &self,
        current: &Current,
        answer: &Answer,
        settings: &FactorSettings<B>,
        ip: &str,
    ) -> Result<(), Failure> {
        let (user, origin) = (current.slot.at.user, Origin::client(ip));
        let state = self.state(current).await?;
        sensitive(&state.account, self.own_slot(&state, current)?, self.host.now())?;
        let epoch = state.account.auth_epoch;
        let factor = state.account.mfa.enabled.ok_or_else(is_off)?;
        let seed = open_factor(&self.store, &settings.secrets, user, &factor).await?;
        let scope = attempts::second_factor_session(current.slot.sid, &settings.limits);
        self.counted((current, ip), scope, &seed, answer, async || {
            self.change(user, &origin, |reading| {
                let caller = reading.caller(current.slot.sid)?;
                // The epoch moves with every other factor.
                let account = &reading.state.account;
                let there = account.mfa.enabled.as_ref().filter(|_| account.auth_epoch == epoch);
                let proof = there.and_then(|there| answer.judge(&seed, there, reading.now)).ok_or_else(wrong_code)?;
                let factor = Some(FactorEdit::Disable(proof));
                let edit = AccountEdit { moves_epoch: true, factor, ..AccountEdit::default() };
                Ok(Plan::new(()).account(reading, edit).requires(caller).removing_all(reading))
            })
            .await
            .map(|_| ())
        })
        .await
    }

    /// Replaces the recovery codes by new ones.
    pub async fn renew_recovery_codes(&self, current: &Current, origin: &Origin) -> Result<RecoveryCodes, Failure> {
        let codes = RecoveryCodes::generate(|| self.host.random());
        let hashes = codes.hashes();
        self.change(current.slot.at.user, origin, |reading| {
            let caller = reading.caller(current.slot.sid)?;
            let account = &reading.state.account;
            if account.mfa.enabled.is_none() {
                return Err(Failure::new(
                    Code::Forbidden,
                    "The second factor is not switched on, so there are no recovery codes.",
                ));
            }
            sensitive(account, caller, reading.now)?;
            let edit =
                AccountEdit { factor: Some(FactorEdit::RenewRecovery(hashes.clone())), ..AccountEdit::default() };
            Ok(Plan::new(()).account(reading, edit).requires(caller))
        })
        .await?;
        Ok(codes)
    }

    /// Counts an answer before it is checked, and gives it back if it was right.
    pub(super) async fn counted<T>(
        &self,
        (current, ip): (&Current, &str),
        scope: Scope,
        seed: &Seed,
        answer: &Answer,
        judged: impl AsyncFnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let now = self.host.now();
        let attempt = counted_as(answer, seed, now);
        let drawn = retry::while_busy(&self.host, || self.store.draw(&scope, Some(&attempt), now)).await?;
        let reservation = drawn.map_err(|until| too_many_codes(now, until))?;
        let outcome = judged().await;
        match &outcome {
            Ok(_) => budget::settle(&self.store, &[reservation], None).await,
            Err(failure) if failure.code == Code::InvalidMfaCode => {
                self.note_failure(current, LoginFailure::WrongCode, ip).await?;
            }
            Err(_) => {}
        }
        outcome
    }
}

impl<S: SessionReads, C, H: Clock + Rng> Sessions<S, C, H> {
    pub(super) async fn state(&self, current: &Current) -> Result<UserState, Failure> {
        self.store.user(current.slot.at.user).await?.ok_or_else(Failure::unauthenticated)
    }

    /// The caller's session in a reading, which must be live.
    pub(super) fn own_slot<'a>(&self, state: &'a UserState, current: &Current) -> Result<&'a Slot, Failure> {
        let number = current.slot.at.slot;
        crate::session::live(state.slot(number), number, &self.policy, self.host.now())
            .filter(|slot| slot.sid == current.slot.sid)
            .ok_or_else(Failure::unauthenticated)
    }
}
