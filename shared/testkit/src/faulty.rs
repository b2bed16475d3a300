//! A store that conflicts and loses replies, which the local cloud never does.
//!
//! A conflict happens before anything was written; a lost reply after everything was. Only the writes that change
//! sessions fail, or, with [`Faulty::everywhere`], every call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_sessions::account::{Account, Identity};
use holdfast_sessions::attempts::{Counter, Scope};
use holdfast_sessions::change::{Origin, UserChange};
use holdfast_sessions::mfa::Seed;
use holdfast_sessions::ports::{
    AccountDeletion, AccountUpkeep, Accounts, AttemptReservation, Attempts, Committed, Conditional, Devices,
    FailedReauthentication, SessionReads, SessionWrites, SignIns, StoreError, StoreResult, Transacted, Tried,
    UserChanges,
};
use holdfast_sessions::session::{EndReason, Slot, UserState};
use holdfast_sessions::signin::{Login, LoginFailure, LoginState, MfaChallenge, Plan};
use holdfast_sessions::token::Address;
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{DeviceId, LoginId, Millis, SessionId, TokenHash, UserId};

/// How often faults happen, in per cent of the writes.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Per cent of the writes that conflict.
    pub conflicts: u64,
    /// Per cent of the writes whose reply is lost.
    pub lost: u64,
}

#[derive(Debug)]
struct Shared {
    rates: Rates,
    everywhere: bool,
    seed: u64,
    calls: AtomicU64,
    injected: AtomicU64,
}

/// A decorator over any store. Clones share its counters.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    /// The store behind it.
    pub calm: S,
    shared: Arc<Shared>,
}

enum Fault {
    None,
    Conflict,
    Lost,
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(crate) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn lost() -> StoreError {
    StoreError::Unavailable("injected: the reply was lost".into())
}

fn conflict() -> StoreError {
    StoreError::Conflict("injected: a conflict".into())
}

impl<S> Faulty<S> {
    /// Creates a store whose faults follow from `seed`, with one draw per call.
    pub fn new(calm: S, rates: Rates, seed: u64) -> Self {
        let shared = Shared { rates, everywhere: false, seed, calls: AtomicU64::new(0), injected: AtomicU64::new(0) };
        Self { calm, shared: Arc::new(shared) }
    }

    /// Creates a store whose other calls also fail as often: reads, counters, rows of sign-ins.
    pub fn everywhere(calm: S, rates: Rates, seed: u64) -> Self {
        let shared = Shared { rates, everywhere: true, seed, calls: AtomicU64::new(0), injected: AtomicU64::new(0) };
        Self { calm, shared: Arc::new(shared) }
    }

    /// The number of faults so far.
    pub fn injected(&self) -> u64 {
        self.shared.injected.load(Ordering::Relaxed)
    }

    /// Lets others run first, up to three times, and returns the fault of this call.
    async fn fault(&self) -> Fault {
        let call = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let draw = mix(self.shared.seed ^ mix(call));
        for _ in 0..draw >> 62 {
            tokio::task::yield_now().await;
        }
        let Rates { conflicts, lost } = self.shared.rates;
        let fault = match draw % 100 {
            roll if roll < conflicts => Fault::Conflict,
            roll if roll < conflicts + lost => Fault::Lost,
            _ => return Fault::None,
        };
        self.shared.injected.fetch_add(1, Ordering::Relaxed);
        fault
    }
}

/// One write through the faults. Each port reports a conflict in its own way.
macro_rules! through {
    ($self:ident, $conflict:expr, $call:expr) => {
        match $self.fault().await {
            Fault::Conflict => $conflict,
            Fault::Lost => {
                let _ = $call.await?;
                Err(lost())
            }
            Fault::None => $call.await,
        }
    };
}

/// A call that only fails if the faults are everywhere.
macro_rules! quietly {
    ($self:ident, $call:expr) => {
        if $self.shared.everywhere { through!($self, Err(conflict()), $call) } else { $call.await }
    };
}

impl<S: SessionReads> SessionReads for Faulty<S> {
    async fn slot(&self, at: Address) -> StoreResult<Option<Slot>> {
        quietly!(self, self.calm.slot(at))
    }

    async fn user(&self, user: UserId) -> StoreResult<Option<UserState>> {
        tokio::task::yield_now().await;
        quietly!(self, self.calm.user(user))
    }
}

impl<S: SessionWrites> SessionWrites for Faulty<S> {
    async fn rotate(&self, next: &Slot, presented: &TokenHash, now: Millis) -> StoreResult<Conditional<Option<Slot>>> {
        through!(self, Err(conflict()), self.calm.rotate(next, presented, now))
    }

    async fn end(
        &self,
        at: Address,
        sid: SessionId,
        reason: EndReason,
        origin: &Origin,
        now: Millis,
        op: &str,
    ) -> StoreResult<Conditional<Option<Slot>>> {
        through!(self, Err(conflict()), self.calm.end(at, sid, reason, origin, now, op))
    }

    async fn touch(
        &self,
        at: Address,
        sid: SessionId,
        now: Millis,
        op: &str,
    ) -> StoreResult<Conditional<Option<Slot>>> {
        through!(self, Err(conflict()), self.calm.touch(at, sid, now, op))
    }
}

impl<S: UserChanges> UserChanges for Faulty<S> {
    async fn apply(&self, change: &UserChange) -> StoreResult<Transacted> {
        through!(self, Ok(Transacted::Busy), self.calm.apply(change))
    }
}

impl<S: AccountDeletion> AccountDeletion for Faulty<S> {
    async fn erase(&self, account: &Account, email_keys: &[[u8; 32]]) -> StoreResult<()> {
        through!(self, Err(conflict()), self.calm.erase(account, email_keys))
    }
}

impl<S: Accounts> Accounts for Faulty<S> {
    async fn user_of(&self, email_key: &[u8; 32]) -> StoreResult<Option<UserId>> {
        quietly!(self, self.calm.user_of(email_key))
    }

    async fn user_of_identity(&self, identity_key: &[u8; 32]) -> StoreResult<Option<UserId>> {
        quietly!(self, self.calm.user_of_identity(identity_key))
    }

    async fn bind_identity(
        &self,
        user: UserId,
        identity: &Identity,
        password: &str,
        now: Millis,
    ) -> StoreResult<Transacted> {
        quietly!(self, self.calm.bind_identity(user, identity, password, now))
    }

    async fn register(
        &self,
        email_key: Option<&[u8; 32]>,
        account: &Account,
        origin: &Origin,
        now: Millis,
    ) -> StoreResult<Transacted> {
        quietly!(self, self.calm.register(email_key, account, origin, now))
    }
}

impl<S: SignIns> SignIns for Faulty<S> {
    async fn begin(&self, login: &Login) -> StoreResult<()> {
        quietly!(self, self.calm.begin(login))
    }

    async fn challenge(&self, challenge: &MfaChallenge, now: Millis) -> StoreResult<Transacted> {
        through!(self, Ok(Transacted::Busy), self.calm.challenge(challenge, now))
    }

    async fn sign_in(&self, id: LoginId) -> StoreResult<Option<(Login, Option<MfaChallenge>)>> {
        tokio::task::yield_now().await;
        quietly!(self, self.calm.sign_in(id))
    }

    async fn try_answer(&self, id: LoginId, attempt: &TokenHash, max: u8, now: Millis) -> StoreResult<Tried> {
        quietly!(self, self.calm.try_answer(id, attempt, max, now))
    }

    async fn wrong_answer(&self, id: LoginId, attempt: &TokenHash, network: &str, now: Millis) -> StoreResult<()> {
        quietly!(self, self.calm.wrong_answer(id, attempt, network, now))
    }

    async fn note_failed_reauthentication(&self, failed: &FailedReauthentication) -> StoreResult<()> {
        quietly!(self, self.calm.note_failed_reauthentication(failed))
    }

    async fn fail(&self, id: LoginId, expected: LoginState, reason: LoginFailure, now: Millis) -> StoreResult<()> {
        quietly!(self, self.calm.fail(id, expected, reason, now))
    }

    async fn commit(&self, plan: &Plan) -> StoreResult<Committed> {
        through!(self, Ok(Committed::Busy), self.calm.commit(plan))
    }
}

impl<S: AccountUpkeep> AccountUpkeep for Faulty<S> {
    async fn strengthen(&self, user: UserId, old: &str, new: &str) -> StoreResult<()> {
        quietly!(self, self.calm.strengthen(user, old, new))
    }

    async fn seal_seed(&self, user: UserId, plain: &Seed, sealed: &[u8]) -> StoreResult<()> {
        quietly!(self, self.calm.seal_seed(user, plain, sealed))
    }

    async fn claim_email(&self, user: UserId, email_key: &[u8; 32], now: Millis) -> StoreResult<()> {
        quietly!(self, self.calm.claim_email(user, email_key, now))
    }
}

impl<S: Devices> Devices for Faulty<S> {
    async fn device(&self, user: UserId, id: DeviceId) -> StoreResult<Option<TrustedDevice>> {
        quietly!(self, self.calm.device(user, id))
    }

    async fn devices(&self, user: UserId) -> StoreResult<Vec<(DeviceId, TrustedDevice)>> {
        quietly!(self, self.calm.devices(user))
    }
}

impl<S: Attempts> Attempts for Faulty<S> {
    async fn counters(&self, scopes: &[Scope]) -> StoreResult<Vec<Counter>> {
        quietly!(self, self.calm.counters(scopes))
    }

    async fn draw(
        &self,
        scope: &Scope,
        answer: Option<&TokenHash>,
        now: Millis,
    ) -> StoreResult<Result<AttemptReservation, Millis>> {
        quietly!(self, self.calm.draw(scope, answer, now))
    }

    async fn give_back(&self, reservation: &AttemptReservation) -> StoreResult<()> {
        quietly!(self, self.calm.give_back(reservation))
    }

    async fn settle(&self, reservation: &AttemptReservation, known_until: Option<Millis>) -> StoreResult<()> {
        quietly!(self, self.calm.settle(reservation, known_until))
    }

    async fn remember(&self, scope: &Scope, known_until: Millis) -> StoreResult<()> {
        quietly!(self, self.calm.remember(scope, known_until))
    }

    async fn clear(&self, scope: &Scope) -> StoreResult<()> {
        quietly!(self, self.calm.clear(scope))
    }
}
