//! A store, a clock, one user, and the shortest ways to a session.

use holdfast_sessions::account::PasswordStrength;
use holdfast_sessions::change::Origin;
use holdfast_sessions::email::Email;
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::{
    AccountDeletion, AccountUpkeep, Accounts, Attempts, Clock, Committed, CredentialVerifier, Devices, NewPasswords,
    PasswordVerdict, Rng, SecretBox, SessionCache, SessionReads, SessionWrites, SignIns, StoreError, StoreResult,
    UserChanges,
};
use holdfast_sessions::service::{FirstStep, Registration, Sessions, SignIn, SignInRequest, SignedIn, StrongReads};
use holdfast_sessions::session::{RefreshKeys, Slot};
use holdfast_sessions::signin::{Login, LoginState, Plan, SessionOptions, SessionSecrets, new_session};
use holdfast_sessions::slots::{Placement, Victim};
use holdfast_sessions::token::Address;
use holdfast_sessions::{LoginId, Secret, SessionId, SlotNo, UserId};

/// Everything the session service asks of a store.
pub trait Store:
    SessionReads
    + SessionWrites
    + UserChanges
    + Accounts
    + AccountDeletion
    + AccountUpkeep
    + Devices
    + SignIns
    + Attempts
    + Clone
    + Send
    + Sync
    + 'static
{
}
impl<S> Store for S where
    S: SessionReads
        + SessionWrites
        + UserChanges
        + Accounts
        + AccountDeletion
        + AccountUpkeep
        + Devices
        + SignIns
        + Attempts
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// A password check without the slowness: these suites are about the store.
#[derive(Clone, Copy, Debug)]
pub struct PlainPasswords;

impl NewPasswords for PlainPasswords {
    fn keep(&self, password: &str, _salt: &[u8; 16]) -> StoreResult<String> {
        Ok(format!("plain:{password}"))
    }
}

impl CredentialVerifier for PlainPasswords {
    async fn verify(
        &self,
        _email: &Email,
        password: &str,
        stored: Option<&str>,
        _salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        let right = stored.is_some_and(|stored| stored == format!("plain:{password}"));
        Ok(if right { PasswordVerdict::Right } else { PasswordVerdict::Wrong })
    }

    async fn change(&self, _email: &Email, _current: &str, new: &str, salt: &[u8; 16]) -> StoreResult<String> {
        self.keep(new, salt)
    }

    fn adopted(&self) -> String {
        "nobody's".into()
    }
}

impl PasswordStrength for PlainPasswords {
    fn weakness(&self, password: &str, _context: &[&str]) -> Option<String> {
        password.chars().all(|c| c.is_ascii_digit()).then(|| "It has only digits.".to_owned())
    }
}

/// Seals by a key that is the user's id: what was sealed for one user does not open for another.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserBox;

const SEAL: &[u8] = b"sealed";

impl SecretBox for UserBox {
    async fn seal(&self, user: UserId, plain: &[u8]) -> StoreResult<Vec<u8>> {
        let mixed = plain.iter().zip(user.as_bytes().iter().cycle()).map(|(byte, key)| byte ^ key);
        Ok(SEAL.iter().chain(user.as_bytes()).copied().chain(mixed).collect())
    }

    async fn open(&self, user: UserId, sealed: &[u8]) -> StoreResult<Vec<u8>> {
        let own = sealed.strip_prefix(SEAL).and_then(|rest| rest.strip_prefix(user.as_bytes().as_slice()));
        let mixed = own.ok_or_else(|| StoreError::Corrupt("sealed for another user".into()))?;
        Ok(mixed.iter().zip(user.as_bytes().iter().cycle()).map(|(byte, key)| byte ^ key).collect())
    }
}

/// The seed of the tokens of planned sessions, which is known so that a check can present them.
pub(super) const SEED: [u8; 32] = [1; 32];

pub(super) fn origin() -> Secret<32> {
    Secret::new([1; 32])
}

/// The keys that check the refresh token of a slot that is known to be live.
pub(super) fn refresh_keys(slot: &Slot) -> &RefreshKeys {
    slot.keys.as_ref().and_then(|keys| keys.refresh.as_ref()).expect("a live slot")
}

/// The password of every user of these suites.
pub const PASSWORD: &str = "correct horse battery";

/// A store, a clock, and one registered user.
pub struct Bench<S, H, C = StrongReads<S>> {
    /// The store under test.
    pub store: S,
    /// The cache that validations use.
    pub cache: C,
    /// The clock of the suite.
    pub host: H,
    /// The user's e-mail.
    pub email: String,
    /// The user of the suite.
    pub user: UserId,
}

impl<S: Store, H: Clock + Rng + Clone + 'static> Bench<S, H> {
    /// Registers a user that no other check has.
    pub async fn new(store: S, host: H) -> Self {
        let cache = StrongReads(store.clone());
        Self::behind(store, cache, host).await
    }
}

impl<S, H, C> Bench<S, H, C>
where
    S: Store,
    H: Clock + Rng + Clone + 'static,
    C: SessionCache + Clone,
{
    /// Registers a user, with validations through this cache.
    pub async fn behind(store: S, cache: C, host: H) -> Self {
        let email = format!("{}@example.com", SessionId::from_bytes(host.random()));
        let registration = Registration {
            store: store.clone(),
            passwords: PlainPasswords,
            host: host.clone(),
            open: true,
            per_network: 1,
        };
        let name = Email::parse(&email).expect("an address");
        let account = registration.create(&name, PASSWORD, &Origin::default()).await.expect("registered");
        Self { store, cache, host, email, user: account.user }
    }

    pub(super) fn at(&self, slot: u8) -> Address {
        Address { user: self.user, slot: SlotNo::new(slot).expect("a slot") }
    }

    /// The session service.
    pub fn sessions(&self) -> Sessions<S, C, H> {
        Sessions {
            cache: self.cache.clone(),
            store: self.store.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
        }
    }

    /// The use case of signing in, with enough attempts for any test.
    pub fn sign_in_service(&self, policy: Policy) -> SignIn<S, C, PlainPasswords, H> {
        SignIn {
            cache: self.cache.clone(),
            store: self.store.clone(),
            verifier: PlainPasswords,
            host: self.host.clone(),
            policy,
            limits: SignInLimits { max_login_attempts: 1_000_000, ..SignInLimits::default() },
        }
    }

    /// A request with the right e-mail and password.
    pub fn request(&self) -> SignInRequest {
        SignInRequest {
            email: self.email.clone(),
            password: PASSWORD.into(),
            ip: "192.0.2.1".into(),
            ..SignInRequest::default()
        }
    }

    pub(super) async fn sign_in_under(&self, policy: Policy) -> SignedIn {
        match self.sign_in_service(policy).sign_in(&self.request()).await.expect("signed in") {
            FirstStep::Authenticated(signed_in) => *signed_in,
            FirstStep::MfaRequired(_) => panic!("no second factor was set up"),
        }
    }

    /// Signs in the usual way.
    pub async fn sign_in(&self) -> SignedIn {
        self.sign_in_under(Policy::default()).await
    }

    /// The live sessions in the store.
    pub async fn live(&self) -> Vec<Slot> {
        let now = self.host.now();
        let state = self.store.user(self.user).await.expect("read").expect("a user");
        state.slots.into_iter().filter(|slot| slot.is_live(now)).collect()
    }

    pub(super) async fn login(&self) -> Login {
        let now = self.host.now();
        let login = Login {
            id: LoginId::from_bytes(self.host.random()),
            state: LoginState::Started,
            user: Some(self.user),
            auth_epoch: 1,
            started_at: now,
            expires_at: now.plus_seconds(600),
            session: None,
            answered: None,
            to_browser: false,
            network: "192.0.2.0/24".into(),
        };
        self.store.begin(&login).await.expect("begun");
        login
    }

    pub(super) fn plan(&self, login: &Login, slot: u8, victim: Option<Victim>) -> Plan {
        let now = self.host.now();
        let draw = SessionSecrets { sid: SessionId::from_bytes(self.host.random()), origin: origin(), seed: SEED };
        let wishes = SessionOptions::default();
        let (made, _) =
            new_session(self.at(slot), &self.email, &draw, &wishes, &Policy::default(), now, self.host.op());
        Plan {
            login: login.id,
            expected: LoginState::Started,
            auth_epoch: 1,
            placement: Placement { slot: made.at.slot, victim, sessions_over_limit: vec![] },
            slot: made,
            now,
            answered: None,
            device: None,
        }
    }

    /// A sign-in whose password was right, and the plan to turn it into a session.
    pub async fn planned(&self, slot: u8) -> Plan {
        let login = self.login().await;
        self.plan(&login, slot, None)
    }

    /// Creates a session in that slot, in the shortest way.
    pub(super) async fn put_session(&self, slot: u8) -> Slot {
        let plan = self.planned(slot).await;
        assert_eq!(self.store.commit(&plan).await, Ok(Committed::Done));
        plan.slot
    }
}
