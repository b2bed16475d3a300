//! What the domain needs from outside. One narrow trait per capability; each has one contract suite in the test kit
//! that runs against every implementation.

use std::fmt;
use std::future::Future;

use crate::account::{Account, Identity};
use crate::attempts::{Counter, Scope};
use crate::cache::{Cached, Lease};
use crate::change::{Origin, UserChange};
use crate::email::Email;
use crate::error::{Code, Failure};
use crate::ids::{DeviceId, LoginId, SessionId, SlotNo, UserId};
use crate::mfa::Seed;
use crate::secret::TokenHash;
use crate::session::{EndReason, Slot, UserState};
use crate::signin::{Login, LoginFailure, LoginState, MfaChallenge, Plan};
use crate::time::Millis;
use crate::token::Address;
use crate::trusted_device::TrustedDevice;

/// An error of a store. No caller reads one of these as "no such session".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Not reached, or refused for reasons of its own; a write may or may not have happened.
    Unavailable(String),
    /// A conflict: nothing was written, trying again may help.
    Conflict(String),
    /// More than the store takes, again and again: nothing was written, and trying more would make it worse.
    Throttled(String),
    /// What was read is not what this version of Holdfast writes.
    Corrupt(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable(what) => write!(f, "store unavailable: {what}"),
            StoreError::Conflict(what) => write!(f, "store busy: {what}"),
            StoreError::Throttled(what) => write!(f, "store throttled: {what}"),
            StoreError::Corrupt(what) => write!(f, "unreadable record: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Failure::new(Code::Internal, "A stored record could not be read."),
            StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Throttled(_) => Failure::new(
                Code::Unavailable,
                "The session store cannot be reached. A change may or may not have been made; try again.",
            ),
        }
    }
}

/// Result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// The time, and waits.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Millis;
    /// Waits; used only between retries.
    fn sleep(&self, millis: u64) -> impl Future<Output = ()> + Send;
}

/// A cryptographic source of random bytes.
pub trait Rng: Send + Sync {
    /// Fills `bytes` from the source.
    fn fill(&self, bytes: &mut [u8]);

    /// `N` random bytes.
    fn random<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random name for one request's writes.
    fn op(&self) -> String
    where
        Self: Sized,
    {
        crate::ids::encode(&self.random::<12>())
    }
}

/// A conditional write of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conditional<T> {
    /// Written (now, or by an earlier try of the same request whose reply was lost).
    Done,
    /// Not written; this is what was there.
    Refused(T),
}

/// Reads of sessions: always strongly consistent, never through an index.
pub trait SessionReads: Send + Sync {
    /// Reads one slot.
    fn slot(&self, at: Address) -> impl Future<Output = StoreResult<Option<Slot>>> + Send;
    /// Reads the account and its slots in one Query.
    fn user(&self, user: UserId) -> impl Future<Output = StoreResult<Option<UserState>>> + Send;
}

/// Writes that change one session.
pub trait SessionWrites: Send + Sync {
    /// Replaces the keys and times of `next.at` by those of `next` if its refresh hash is still `presented` and it has not
    /// ended or expired at `now`.
    fn rotate(
        &self,
        next: &Slot,
        presented: &TokenHash,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Conditional<Option<Slot>>>> + Send;

    /// Turns a session into a tombstone if `sid` still lives there un-ended.
    fn end(
        &self,
        at: Address,
        sid: SessionId,
        reason: EndReason,
        origin: &Origin,
        now: Millis,
        op: &str,
    ) -> impl Future<Output = StoreResult<Conditional<Option<Slot>>>> + Send;

    /// Moves `lastUsedAt` forward to `now` if `sid` lives there un-ended; no new version.
    fn touch(
        &self,
        at: Address,
        sid: SessionId,
        now: Millis,
        op: &str,
    ) -> impl Future<Output = StoreResult<Conditional<Option<Slot>>>> + Send;
}

/// Outcome of a transaction without a reason of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transacted {
    /// The transaction is committed.
    Done,
    /// Some condition failed: read again and plan anew.
    Refused,
    /// Only conflicts or throttling: the same again, later.
    Busy,
}

/// Changes of a user's records.
pub trait UserChanges: Send + Sync {
    /// Commits the change or nothing.
    fn apply(&self, change: &UserChange) -> impl Future<Output = StoreResult<Transacted>> + Send;
}

/// The port of accounts.
pub trait Accounts: Send + Sync {
    /// Finds the user who has this e-mail.
    fn user_of(&self, email_key: &[u8; 32]) -> impl Future<Output = StoreResult<Option<UserId>>> + Send;
    /// Finds the user who has this identity.
    fn user_of_identity(&self, identity_key: &[u8; 32]) -> impl Future<Output = StoreResult<Option<UserId>>> + Send;
    /// Gives this identity to an account that has none. The account must still keep `password`, and no other account
    /// may have the identity.
    fn bind_identity(
        &self,
        user: UserId,
        identity: &Identity,
        password: &str,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Transacted>> + Send;
    /// Creates the account and claims its e-mail and its identity in one transaction; `Refused` when one is taken. Without
    /// `email_key` the address is only a label.
    fn register(
        &self,
        email_key: Option<&[u8; 32]>,
        account: &Account,
        origin: &Origin,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Transacted>> + Send;
}

/// The end of an account's records.
pub trait AccountDeletion: Send + Sync {
    /// Deletes everything that is kept under a user whose status is
    /// [`Status::Deleted`](crate::account::Status::Deleted). Slots and devices are deleted first. Then one transaction
    /// deletes the account with the claims of its e-mail and identity. A repeated call continues where the last one
    /// stopped.
    fn erase(&self, account: &Account, email_keys: &[[u8; 32]]) -> impl Future<Output = StoreResult<()>> + Send;
}

/// Improvements of how an account is stored. They change nothing that users see.
pub trait AccountUpkeep: Send + Sync {
    /// Replaces what is kept of a password by a stronger form of the same password, unless it has changed meanwhile.
    fn strengthen(&self, user: UserId, old: &str, new: &str) -> impl Future<Output = StoreResult<()>> + Send;
    /// Replaces the plain seed of a second factor by its sealed form, unless it has changed meanwhile.
    fn seal_seed(&self, user: UserId, plain: &Seed, sealed: &[u8]) -> impl Future<Output = StoreResult<()>> + Send;
    /// Claims an e-mail for an account that is stored under another key of the same address, unless an account has the
    /// e-mail.
    fn claim_email(
        &self,
        user: UserId,
        email_key: &[u8; 32],
        now: Millis,
    ) -> impl Future<Output = StoreResult<()>> + Send;
}

/// Encrypts what must be kept but cannot be hashed.
pub trait SecretBox: Send + Sync {
    /// Encrypts `plain` for this user.
    fn seal(&self, user: UserId, plain: &[u8]) -> impl Future<Output = StoreResult<Vec<u8>>> + Send;
    /// Decrypts what was sealed for this user, and for no other.
    fn open(&self, user: UserId, sealed: &[u8]) -> impl Future<Output = StoreResult<Vec<u8>>> + Send;
}

/// The port of trusted devices.
pub trait Devices: Send + Sync {
    /// Reads one device strongly.
    fn device(&self, user: UserId, id: DeviceId) -> impl Future<Output = StoreResult<Option<TrustedDevice>>> + Send;
    /// Reads all devices of a user strongly, invalid ones included.
    fn devices(&self, user: UserId) -> impl Future<Output = StoreResult<Vec<(DeviceId, TrustedDevice)>>> + Send;
}

/// The result of a sign-in's commit. A refusal is checked in the order login, account, factor, device, challenge, slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The sign-in is a session.
    Done,
    /// The sign-in is no longer in the expected state; this is where it stands.
    LoginRefused(Option<Login>),
    /// Epoch or status of the account moved.
    AccountRefused,
    /// The second factor was used meanwhile.
    FactorRefused,
    /// The trusted device is no longer as seen.
    DeviceRefused,
    /// The MFA session has ended or has expired.
    ChallengeRefused,
    /// The slot or the account's claims are no longer as planned: read again and plan anew.
    SlotRefused,
    /// Only conflicts or throttling: the same plan again, later.
    Busy,
}

/// What became of counting an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It may be compared; this many more distinct ones may follow.
    Admitted {
        /// The number of attempts that are left.
        left: u8,
    },
    /// The budget is spent, and this is not one of those counted.
    Spent,
    /// The MFA session has ended or has expired.
    Gone,
}

/// A reauthentication that failed.
#[derive(Clone, Debug)]
pub struct FailedReauthentication {
    /// The name of its row.
    pub id: LoginId,
    /// The user of the session.
    pub user: UserId,
    /// The session that asked.
    pub session: SessionId,
    /// Why it failed.
    pub reason: LoginFailure,
    /// Network of the client.
    pub network: String,
    /// The time of the failure.
    pub now: Millis,
    /// When the row is no longer needed.
    pub expires_at: Millis,
}

/// The rows of sign-ins.
pub trait SignIns: Send + Sync {
    /// Writes the parent row, once.
    fn begin(&self, login: &Login) -> impl Future<Output = StoreResult<()>> + Send;
    /// Moves the parent to waiting for the second factor and writes the child, if the parent is as begun.
    fn challenge(&self, challenge: &MfaChallenge, now: Millis) -> impl Future<Output = StoreResult<Transacted>> + Send;
    /// Parent and child, read strongly together.
    fn sign_in(&self, id: LoginId) -> impl Future<Output = StoreResult<Option<(Login, Option<MfaChallenge>)>>> + Send;
    /// Counts an answer before it is compared: at most `max` distinct ones per child.
    fn try_answer(
        &self,
        id: LoginId,
        attempt: &TokenHash,
        max: u8,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Tried>> + Send;
    /// Notes that a counted answer was wrong; once per answer.
    fn wrong_answer(
        &self,
        id: LoginId,
        attempt: &TokenHash,
        network: &str,
        now: Millis,
    ) -> impl Future<Output = StoreResult<()>> + Send;
    /// Marks it failed and deletes the child, if it is still in `expected`.
    fn fail(
        &self,
        id: LoginId,
        expected: LoginState,
        reason: LoginFailure,
        now: Millis,
    ) -> impl Future<Output = StoreResult<()>> + Send;
    /// Notes a failed reauthentication of a session, for its event.
    fn note_failed_reauthentication(
        &self,
        failed: &FailedReauthentication,
    ) -> impl Future<Output = StoreResult<()>> + Send;
    /// Turns it into a session.
    fn commit(&self, plan: &Plan) -> impl Future<Output = StoreResult<Committed>> + Send;
}

/// A drawn attempt, to be given back when it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptReservation {
    /// The budget that the attempt was drawn from.
    pub scope: Scope,
    /// The window it was drawn in.
    pub window_ends: Millis,
    /// The answer that was counted, where distinct answers are.
    pub answer: Option<TokenHash>,
}

/// Durable attempt counters.
pub trait Attempts: Send + Sync {
    /// The counters of these budgets, read strongly; nothing is written.
    fn counters(&self, scopes: &[Scope]) -> impl Future<Output = StoreResult<Vec<Counter>>> + Send;
    /// Counts one attempt, or says until when none is admitted. Where an `answer` is given, distinct answers count, and the
    /// same one in a window counts once.
    fn draw(
        &self,
        scope: &Scope,
        answer: Option<&TokenHash>,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Result<AttemptReservation, Millis>>> + Send;
    /// Gives back an attempt that was drawn before another budget refused.
    fn give_back(&self, reservation: &AttemptReservation) -> impl Future<Output = StoreResult<()>> + Send;
    /// Records that the attempt succeeded: it is given back, and the run of failures ends. With `known_until`, the
    /// network or device of this budget is known until then.
    fn settle(
        &self,
        reservation: &AttemptReservation,
        known_until: Option<Millis>,
    ) -> impl Future<Output = StoreResult<()>> + Send;
    /// The network or device of this budget is known until then.
    fn remember(&self, scope: &Scope, known_until: Millis) -> impl Future<Output = StoreResult<()>> + Send;
    /// Forgets a counter.
    fn clear(&self, scope: &Scope) -> impl Future<Output = StoreResult<()>> + Send;
}

/// How sure it is that no later request is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No later request is accepted.
    Immediate,
    /// A cache may still accept for this many seconds.
    Bounded(i64),
}

impl Effect {
    /// The effect of two changes together: the later of the two.
    pub fn and(self, other: Effect) -> Effect {
        match (self, other) {
            (Effect::Bounded(a), Effect::Bounded(b)) => Effect::Bounded(a.max(b)),
            (Effect::Bounded(seconds), _) | (_, Effect::Bounded(seconds)) => Effect::Bounded(seconds),
            (Effect::Immediate, Effect::Immediate) => Effect::Immediate,
        }
    }
}

/// Reads for validation, through the cache that `CACHE_PROVIDER` names. The store stays the source of truth.
pub trait SessionCache: Send + Sync {
    /// Returns the slot at `at`. A cached copy is returned only if it accepts the holder of `presented`. In every other
    /// case the slot is read strongly, so that a cache never refuses a request.
    fn look_up(&self, at: Address, presented: &TokenHash) -> impl Future<Output = StoreResult<Option<Slot>>> + Send;

    /// Drops the cached copies of these slots after a committed change. The result says how soon no copy is used any
    /// more.
    fn forget(&self, user: UserId, slots: &[SlotNo]) -> impl Future<Output = Effect> + Send;
}

/// Why a cache could not be used. It never decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheTrouble(pub String);

impl fmt::Display for CacheTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CacheTrouble {}

/// The state of a slot in a cache server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A copy that this incarnation of the server received.
    Hit(Box<Cached>),
    /// There is no copy. The lease permits this reader to fill, unless another reader holds it.
    Miss(Option<Lease>),
    /// Something that is not a copy of a slot.
    Unreadable,
}

/// Whether a server can tell its incarnations apart, so that an entry of an earlier one is not a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// The server can distinguish its incarnations.
    On,
    /// It names an incarnation, but nothing proves that another server in its place has another one. What it confirms
    /// holds until the entries are too old to be used.
    Unproven,
    /// It hides its incarnation, or is not a primary: nothing that it confirms is final.
    Off,
}

/// The cache server, as the protocol sees it. Each call is atomic on the server; a call that failed may still take
/// effect later, and may take effect twice.
pub trait LeaseCache: Send + Sync {
    /// The copy of a slot, or permission to fill.
    fn read(&self, at: Address) -> impl Future<Output = Result<Found, CacheTrouble>> + Send;

    /// Stores a copy for at most `life_millis` if `lease` still lives; the lease is spent. Answers whether it did.
    fn fill(
        &self,
        at: Address,
        lease: &Lease,
        copy: &Cached,
        life_millis: u64,
    ) -> impl Future<Output = Result<bool, CacheTrouble>> + Send;

    /// Deletes copies and leases of these slots.
    fn delete(&self, user: UserId, slots: &[SlotNo]) -> impl Future<Output = Result<Fence, CacheTrouble>> + Send;
}

/// The verdict of a credential verifier.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// The password is the account's.
    Right,
    /// The password is right, and from now on the account should keep this text.
    Outdated(String),
    /// The password is wrong, or there is no such account.
    Wrong,
    /// An identity provider checked the password and vouches for this user. Only the provider's name finds the account.
    Vouched(Vouched),
}

/// What an identity provider reports about a user whose password is right.
#[derive(Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The identity of the user at the provider.
    pub identity: Identity,
    /// Whether the provider has verified that the e-mail address belongs to the user.
    pub email_is_verified: bool,
}

impl PasswordVerdict {
    /// Whether it proves that the user of this account is there.
    pub fn proves(&self, account: &Account) -> bool {
        match self {
            PasswordVerdict::Right | PasswordVerdict::Outdated(_) => true,
            PasswordVerdict::Vouched(vouched) => account.identity.as_ref() == Some(&vouched.identity),
            PasswordVerdict::Wrong => false,
        }
    }
}

impl fmt::Debug for PasswordVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PasswordVerdict::Right => "Right",
            PasswordVerdict::Outdated(_) => "Outdated(…)",
            PasswordVerdict::Wrong => "Wrong",
            PasswordVerdict::Vouched(_) => "Vouched(…)",
        })
    }
}

/// Checks passwords. A team implements this port to connect its own identity provider.
///
/// An implementation does the same work for accounts that do not exist as for those that do. It reports an outage as an
/// error and never as a verdict. It keeps no password.
pub trait CredentialVerifier: Send + Sync {
    /// Checks `password`. `stored` is what the account keeps of it (see [`change`](Self::change)); `None` means that
    /// there is no account with this e-mail. A provider that keeps the passwords itself answers
    /// [`PasswordVerdict::Vouched`]. The caller creates an account for an identity that is new to Holdfast. `salt` is
    /// fresh and random.
    fn verify(
        &self,
        email: &Email,
        password: &str,
        stored: Option<&str>,
        salt: &[u8; 16],
    ) -> impl Future<Output = StoreResult<PasswordVerdict>> + Send;

    /// Takes a new password over in place of `current`, which [`verify`](Self::verify) has just found right. Answers what
    /// the account keeps of it: a hash, or a word that says whose it is.
    fn change(
        &self,
        email: &Email,
        current: &str,
        new: &str,
        salt: &[u8; 16],
    ) -> impl Future<Output = StoreResult<String>> + Send;

    /// What an account keeps whose password this provider found right before there was an account.
    fn adopted(&self) -> String;
}

/// Passwords of new accounts, where accounts are made here.
pub trait NewPasswords: Send + Sync {
    /// What the account keeps.
    fn keep(&self, password: &str, salt: &[u8; 16]) -> StoreResult<String>;
}

/// Everything that the session service asks of its store, for what takes the store as a whole.
pub trait SessionStore:
    AccountDeletion + AccountUpkeep + Accounts + Attempts + Devices + SessionReads + SessionWrites + SignIns + UserChanges
{
}

impl<S> SessionStore for S where
    S: AccountDeletion
        + AccountUpkeep
        + Accounts
        + Attempts
        + Devices
        + SessionReads
        + SessionWrites
        + SignIns
        + UserChanges
{
}

/// One event of the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditEntry<'a> {
    /// The event's id.
    pub id: &'a str,
    /// The text that orders the events of one session or of one sign-in.
    pub seq: &'a str,
    /// The type of the event.
    pub kind: &'a str,
    /// When it happened, RFC 3339.
    pub at: &'a str,
    /// The user it is about. Events without a user (a sign-in with an e-mail that has no account) are not kept: a flood
    /// of them would be a flood of rows.
    pub user: &'a str,
    /// The session it is about.
    pub session: Option<&'a str>,
    /// The sign-in it is about.
    pub login: Option<&'a str>,
    /// Why it happened.
    pub reason: Option<&'a str>,
    /// The device of the client.
    pub device: Option<&'a str>,
    /// The network of the client.
    pub network: Option<&'a str>,
    /// The operator who caused it.
    pub actor: Option<&'a str>,
}

/// The audit trail. An entry that is there is never changed.
pub trait AuditTrail: Send + Sync {
    /// Appends an event, once however often it is delivered. The entry is deleted after `delete_after`.
    fn append(&self, entry: &AuditEntry<'_>, delete_after: Millis) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The time and device of each user's latest sign-in.
pub trait LastLogins: Send + Sync {
    /// Notes a sign-in, unless a later one has been noted: events may come in any order.
    fn last_login(
        &self,
        user: &str,
        session: &str,
        at: &str,
        device: Option<&str>,
    ) -> impl Future<Output = StoreResult<()>> + Send;
}

/// Whether a user has used a device before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSeen {
    /// It is the first device of this user.
    First,
    /// The user has used others, but not this one.
    New,
    /// The user has used it before.
    Known,
}

/// The names of the devices that each user has used.
pub trait SeenDevices: Send + Sync {
    /// Stores a device by its name, and reports whether the user has used it before.
    fn device(&self, user: &str, name: &str) -> impl Future<Output = StoreResult<DeviceSeen>> + Send;
}

/// Records about users outside the table of sessions.
pub trait UserData: Send + Sync {
    /// Deletes what is kept of a deleted user. A repeated call continues where the last one stopped.
    fn forget_user(&self, user: UserId) -> impl Future<Output = StoreResult<()>> + Send;
}

/// An event as the event bus takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEntry {
    /// The source of the event, in the form `holdfast.<service>`.
    pub source: &'static str,
    /// The event's name.
    pub detail_type: &'static str,
    /// The event as text.
    pub detail: String,
}

/// The event bus.
pub trait EventBus: Send + Sync {
    /// Publishes all of `entries`, in order.
    ///
    /// # Errors
    /// An error may leave some of them published: the caller repeats all, and subscribers drop repetitions by id.
    fn publish(&self, entries: &[BusEntry]) -> impl Future<Output = StoreResult<()>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_changes_have_the_later_effect() {
        let (now, soon, late) = (Effect::Immediate, Effect::Bounded(1), Effect::Bounded(60));
        for (one, other, both) in
            [(now, now, now), (now, soon, soon), (late, now, late), (soon, late, late), (late, soon, late)]
        {
            assert_eq!(one.and(other), both);
        }
    }

    #[test]
    fn a_verdict_prints_no_hash_and_no_subject() {
        let identity = Identity::accept("urn:pool", "ada").unwrap();
        let vouched = Vouched { identity, email_is_verified: true };
        for (verdict, text) in [
            (PasswordVerdict::Right, "Right"),
            (PasswordVerdict::Wrong, "Wrong"),
            (PasswordVerdict::Outdated("a hash".into()), "Outdated(…)"),
            (PasswordVerdict::Vouched(vouched), "Vouched(…)"),
        ] {
            assert_eq!(format!("{verdict:?}"), text);
        }
    }
}
