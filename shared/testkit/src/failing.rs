//! Stores, queues and buses with one failing call, so that a test can check the effect of each failure.
//!
//! [`Failing`] passes every call on to the port behind it, and records the call's name. It fails the calls of a given name
//! before they have an effect. A test runs a handler once to learn its calls, and then once for each of them.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_push::budget;
use holdfast_push::channel::{Channel, Position, Topic};
use holdfast_push::close::CloseRequest;
use holdfast_push::ids::{ConnectionId, Epoch};
use holdfast_push::job::{Job, Lane};
use holdfast_push::message::{Message, Recorded};
use holdfast_push::ports::{
    Appended, Audience, Begun, Channels, CloseQueue, DeadLetters, JobQueue, Joined, Page, PresenceAccess, PublishKeys,
    RecoveryBudget, Redelivery, Sockets, Subscriptions, Tickets, TopicAccess,
};
use holdfast_push::publish::{Answer, Pending, PublishKey, Queued};
use holdfast_push::record::Received;
use holdfast_push::socket::{FrameWindow, Socket};
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::account::{Account, Identity, PasswordStrength};
use holdfast_sessions::attempts::{Counter, Scope};
use holdfast_sessions::cache::{Cached, Lease};
use holdfast_sessions::change::{Origin, UserChange};
use holdfast_sessions::email::Email;
use holdfast_sessions::mfa::Seed;
use holdfast_sessions::ports::{
    AccountDeletion, AccountUpkeep, Accounts, AttemptReservation, Attempts, AuditEntry, AuditTrail, BusEntry,
    CacheTrouble, Committed, Conditional, CredentialVerifier, DeviceSeen, Devices, EventBus, FailedReauthentication,
    Fence, Found, LastLogins, LeaseCache, NewPasswords, PasswordVerdict, SecretBox, SeenDevices, SessionReads,
    SessionWrites, SignIns, StoreError, StoreResult, Transacted, Tried, UserChanges, UserData,
};
use holdfast_sessions::session::{EndReason, Slot, UserState};
use holdfast_sessions::signin::{Login, LoginFailure, LoginState, MfaChallenge, Plan};
use holdfast_sessions::token::Address;
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{DeviceId, LoginId, Millis, SessionId, SlotNo, TokenHash, UserId};

/// How a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The store cannot be reached.
    Unavailable,
    /// Others are writing the same rows, now and at every later try.
    Busy,
    /// The store takes no more.
    Throttled,
    /// The record cannot be read.
    Corrupt,
    /// There is no answer, ever.
    Silence,
}

impl Trouble {
    /// Every failure that a store reports by an error.
    pub const ERRORS: [Self; 4] = [Self::Unavailable, Self::Busy, Self::Throttled, Self::Corrupt];

    /// The error that a store reports; none where it does not answer.
    fn error(&self) -> Option<StoreError> {
        let what = "injected".to_owned();
        match self {
            Self::Unavailable => Some(StoreError::Unavailable(what)),
            Self::Busy => Some(StoreError::Conflict(what)),
            Self::Throttled => Some(StoreError::Throttled(what)),
            Self::Corrupt => Some(StoreError::Corrupt(what)),
            Self::Silence => None,
        }
    }

    async fn happens<T>(self) -> StoreResult<T> {
        match self.error() {
            Some(error) => Err(error),
            None => pending().await,
        }
    }
}

#[derive(Debug, Default)]
struct Script {
    fails: Option<(&'static str, Trouble)>,
    calls: BTreeSet<&'static str>,
}

/// A port with one failing call. Clones share the plan and the recorded calls.
#[derive(Clone, Debug, Default)]
pub struct Failing<T> {
    /// The port behind it.
    pub calm: T,
    plan: Arc<Mutex<Script>>,
}

impl<T> Failing<T> {
    /// A port that does not fail yet.
    pub fn new(calm: T) -> Self {
        Self { calm, plan: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls of this name fail, and no others.
    pub fn fail_at(&self, call: &'static str, trouble: Trouble) {
        self.lock().fails = Some((call, trouble));
    }

    /// From now on no call fails.
    pub fn heal(&self) {
        self.lock().fails = None;
    }

    /// The names of the calls since the last time this was asked.
    pub fn calls(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Records a call, and returns its failure if it has one. It is for ports that tests implement.
    pub fn call(&self, name: &'static str) -> Option<Trouble> {
        let mut plan = self.lock();
        plan.calls.insert(name);
        plan.fails.as_ref().filter(|(call, _)| *call == name).map(|(_, trouble)| trouble.clone())
    }

    /// Fails if this call is to fail.
    ///
    /// # Errors
    /// Fails as [`fail_at`](Self::fail_at) has said.
    pub async fn check(&self, name: &'static str) -> StoreResult<()> {
        match self.call(name) {
            Some(trouble) => trouble.happens().await,
            None => Ok(()),
        }
    }
}

macro_rules! failing {
    ($trait:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)* }) => {
        impl<T: $trait> $trait for Failing<T> {
            $(async fn $name(&self, $($arg: $type),*) -> $result {
                self.check(stringify!($name)).await?;
                self.calm.$name($($arg),*).await
            })*
        }
    };
}

failing!(SessionReads {
    fn slot(at: Address) -> StoreResult<Option<Slot>>;
    fn user(user: UserId) -> StoreResult<Option<UserState>>;
});
failing!(SessionWrites {
    fn rotate(next: &Slot, presented: &TokenHash, now: Millis) -> StoreResult<Conditional<Option<Slot>>>;
    fn end(at: Address, sid: SessionId, reason: EndReason, origin: &Origin, now: Millis, op: &str)
        -> StoreResult<Conditional<Option<Slot>>>;
    fn touch(at: Address, sid: SessionId, now: Millis, op: &str) -> StoreResult<Conditional<Option<Slot>>>;
});
failing!(UserChanges {
    fn apply(change: &UserChange) -> StoreResult<Transacted>;
});
failing!(Accounts {
    fn user_of(email_key: &[u8; 32]) -> StoreResult<Option<UserId>>;
    fn user_of_identity(identity_key: &[u8; 32]) -> StoreResult<Option<UserId>>;
    fn bind_identity(user: UserId, identity: &Identity, password: &str, now: Millis) -> StoreResult<Transacted>;
    fn register(email_key: Option<&[u8; 32]>, account: &Account, origin: &Origin, now: Millis) -> StoreResult<Transacted>;
});
failing!(AccountDeletion {
    fn erase(account: &Account, email_keys: &[[u8; 32]]) -> StoreResult<()>;
});
failing!(AccountUpkeep {
    fn strengthen(user: UserId, old: &str, new: &str) -> StoreResult<()>;
    fn seal_seed(user: UserId, plain: &Seed, sealed: &[u8]) -> StoreResult<()>;
    fn claim_email(user: UserId, email_key: &[u8; 32], now: Millis) -> StoreResult<()>;
});
failing!(Devices {
    fn device(user: UserId, id: DeviceId) -> StoreResult<Option<TrustedDevice>>;
    fn devices(user: UserId) -> StoreResult<Vec<(DeviceId, TrustedDevice)>>;
});
failing!(SignIns {
    fn begin(login: &Login) -> StoreResult<()>;
    fn challenge(challenge: &MfaChallenge, now: Millis) -> StoreResult<Transacted>;
    fn sign_in(id: LoginId) -> StoreResult<Option<(Login, Option<MfaChallenge>)>>;
    fn try_answer(id: LoginId, attempt: &TokenHash, max: u8, now: Millis) -> StoreResult<Tried>;
    fn wrong_answer(id: LoginId, attempt: &TokenHash, network: &str, now: Millis) -> StoreResult<()>;
    fn fail(id: LoginId, expected: LoginState, reason: LoginFailure, now: Millis) -> StoreResult<()>;
    fn note_failed_reauthentication(failed: &FailedReauthentication) -> StoreResult<()>;
    fn commit(plan: &Plan) -> StoreResult<Committed>;
});
failing!(Attempts {
    fn counters(scopes: &[Scope]) -> StoreResult<Vec<Counter>>;
    fn draw(scope: &Scope, answer: Option<&TokenHash>, now: Millis) -> StoreResult<Result<AttemptReservation, Millis>>;
    fn give_back(reservation: &AttemptReservation) -> StoreResult<()>;
    fn settle(reservation: &AttemptReservation, known_until: Option<Millis>) -> StoreResult<()>;
    fn remember(scope: &Scope, known_until: Millis) -> StoreResult<()>;
    fn clear(scope: &Scope) -> StoreResult<()>;
});
failing!(SecretBox {
    fn seal(user: UserId, plain: &[u8]) -> StoreResult<Vec<u8>>;
    fn open(user: UserId, sealed: &[u8]) -> StoreResult<Vec<u8>>;
});
failing!(AuditTrail {
    fn append(entry: &AuditEntry<'_>, delete_after: Millis) -> StoreResult<()>;
});
failing!(LastLogins {
    fn last_login(user: &str, session: &str, at: &str, device: Option<&str>) -> StoreResult<()>;
});
failing!(SeenDevices {
    fn device(user: &str, name: &str) -> StoreResult<DeviceSeen>;
});
failing!(UserData {
    fn forget_user(user: UserId) -> StoreResult<()>;
});
failing!(EventBus {
    fn publish(entries: &[BusEntry]) -> StoreResult<()>;
});
failing!(Tickets {
    fn put_ticket(ticket: &TicketRow) -> StoreResult<()>;
    fn ticket(hash: &TokenHash) -> StoreResult<Option<TicketRow>>;
    fn consume(hash: &TokenHash, now: Millis) -> StoreResult<Option<TicketRow>>;
});
failing!(Sockets {
    fn open(socket: &Socket, email: &str) -> StoreResult<()>;
    fn is_gone(id: &ConnectionId) -> StoreResult<bool>;
    fn socket(id: &ConnectionId) -> StoreResult<Option<Socket>>;
    fn of_user(user: UserId) -> StoreResult<Vec<Socket>>;
    fn forget(id: &ConnectionId, user: Option<UserId>) -> StoreResult<()>;
    fn mark_gone(id: &ConnectionId, now: Millis) -> StoreResult<()>;
    fn count_frame(id: &ConnectionId) -> StoreResult<Option<FrameWindow>>;
    fn count_after_silence(id: &ConnectionId, now: Millis) -> StoreResult<Option<FrameWindow>>;
    fn refresh(seen: &FrameWindow, session_expires_at: Millis, now: Millis) -> StoreResult<()>;
    fn extend(socket: &Socket, session_expires_at: Millis) -> StoreResult<()>;
    fn confirm_open(socket: &Socket, now: Millis) -> StoreResult<()>;
});
failing!(Subscriptions {
    fn join(socket: &Socket, topics: &[Topic]) -> StoreResult<Joined>;
    fn unsubscribe(id: &ConnectionId, topic: &Topic) -> StoreResult<()>;
    fn topics(id: &ConnectionId) -> StoreResult<Vec<Topic>>;
});
failing!(TopicAccess {
    fn readable(user: UserId, topics: BTreeSet<Topic>) -> StoreResult<BTreeSet<Topic>>;
});
failing!(PresenceAccess {
    fn visible(asker: UserId, users: BTreeSet<UserId>) -> StoreResult<BTreeSet<UserId>>;
});
failing!(Audience {
    fn page(channel: &Channel, shard: u8, after: Option<&ConnectionId>) -> StoreResult<Page>;
});
failing!(Channels {
    fn head(channel: &Channel) -> StoreResult<Option<Position>>;
    fn recent_head(channel: &Channel) -> StoreResult<Option<Position>>;
    fn begin(channel: &Channel, epoch: Epoch, now: Millis) -> StoreResult<Position>;
    fn append(channel: &Channel, head: Position, messages: &[&Message]) -> StoreResult<Appended>;
    fn record(channel: &Channel, place: Position, message: &Message) -> StoreResult<Option<Recorded>>;
    fn advance(channel: &Channel, to: &Recorded) -> StoreResult<bool>;
    fn message(channel: &Channel, place: Position) -> StoreResult<Option<Recorded>>;
    fn range(channel: &Channel, after: u64, head: Position, max_bytes: usize) -> StoreResult<Vec<Recorded>>;
});
failing!(PublishKeys {
    fn begin_publish(key: &PublishKey, pending: &Pending, now: Millis) -> StoreResult<Begun>;
    fn finish_publish(key: &PublishKey, answer: &Answer) -> StoreResult<()>;
});
failing!(RecoveryBudget {
    fn reserve(reservation: &budget::RecoveryReservation) -> StoreResult<bool>;
});
failing!(CloseQueue {
    fn ask(request: &CloseRequest, delay_seconds: u32) -> StoreResult<()>;
});
failing!(JobQueue {
    fn enqueue(job: &Job, delay_seconds: u32) -> StoreResult<()>;
    fn hand_in(queued: &Queued, delay_seconds: u32) -> StoreResult<()>;
});
failing!(Redelivery {
    fn redeliver(record: &Received, delay_seconds: u32) -> StoreResult<()>;
});
failing!(DeadLetters {
    fn dead_letter(lane: Lane, job: &Job) -> StoreResult<()>;
});

impl<T: CredentialVerifier> CredentialVerifier for Failing<T> {
    async fn verify(
        &self,
        email: &Email,
        password: &str,
        stored: Option<&str>,
        salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        self.check("verify").await?;
        self.calm.verify(email, password, stored, salt).await
    }

    async fn change(&self, email: &Email, current: &str, new: &str, salt: &[u8; 16]) -> StoreResult<String> {
        self.check("change").await?;
        self.calm.change(email, current, new, salt).await
    }

    fn adopted(&self) -> String {
        self.calm.adopted()
    }
}

impl<T: PasswordStrength> PasswordStrength for Failing<T> {
    fn weakness(&self, password: &str, context: &[&str]) -> Option<String> {
        self.calm.weakness(password, context)
    }
}

impl<T: NewPasswords> NewPasswords for Failing<T> {
    fn keep(&self, password: &str, salt: &[u8; 16]) -> StoreResult<String> {
        match self.call("keep").and_then(|trouble| trouble.error()) {
            Some(error) => Err(error),
            None => self.calm.keep(password, salt),
        }
    }
}

impl<T: LeaseCache> LeaseCache for Failing<T> {
    async fn read(&self, at: Address) -> Result<Found, CacheTrouble> {
        self.check("read").await.map_err(|error| CacheTrouble(error.to_string()))?;
        self.calm.read(at).await
    }

    async fn fill(&self, at: Address, lease: &Lease, copy: &Cached, life_millis: u64) -> Result<bool, CacheTrouble> {
        self.check("fill").await.map_err(|error| CacheTrouble(error.to_string()))?;
        self.calm.fill(at, lease, copy, life_millis).await
    }

    async fn delete(&self, user: UserId, slots: &[SlotNo]) -> Result<Fence, CacheTrouble> {
        self.check("delete").await.map_err(|error| CacheTrouble(error.to_string()))?;
        self.calm.delete(user, slots).await
    }
}
