//! One user with a session over an in-memory store whose calls can fail. The tests of the HTTP handlers use it.

use std::collections::BTreeSet;

use holdfast_sessions::UserId;
use holdfast_sessions::change::Origin;
use holdfast_sessions::mfa::{Answer, Seed, step_at};
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::Clock as _;
use holdfast_sessions::service::{FactorSettings, Registration, Sessions, SignIn, SignedIn, StrongReads};

use crate::failing::{Failing, Trouble};
use crate::suites::sessions::{Bench, PASSWORD, PlainPasswords, UserBox, real_now};
use crate::{ManualHost, MemoryStore};

/// The in-memory store with failing calls.
pub type TestStore = Failing<MemoryStore>;
/// The cache, which is the store.
pub type TestCache = StrongReads<TestStore>;
/// The session service.
pub type TestSessions = Sessions<TestStore, TestCache, ManualHost>;
/// The network of the client.
pub const HOME: &str = "192.0.2.1";

/// A user whose password is [`PASSWORD`], signed in once.
#[derive(Debug)]
pub struct World {
    /// The store of the world.
    pub store: TestStore,
    /// The clock of the world.
    pub host: ManualHost,
    /// The verifier of passwords.
    pub passwords: Failing<PlainPasswords>,
    /// The box that seals the seeds of second factors.
    pub secrets: Failing<UserBox>,
    /// The user's e-mail.
    pub email: String,
    /// The id of the user.
    pub user: UserId,
    /// The user's session.
    pub session: SignedIn,
}

/// A second factor that is switched on.
#[derive(Debug)]
pub struct Armed {
    /// The seed of its codes.
    pub seed: Seed,
    /// Its recovery codes.
    pub recovery: Vec<String>,
}

impl World {
    /// A user with one session. The clock starts now: answers that hold a remaining time use the real one.
    pub async fn new() -> Self {
        let (store, host) = (Failing::new(MemoryStore::default()), ManualHost::at(real_now()));
        let bench = Bench::new(store.clone(), host.clone()).await;
        let session = bench.sign_in().await;
        let passwords = Failing::new(PlainPasswords);
        let secrets = Failing::new(UserBox);
        Self { store, host, passwords, secrets, email: bench.email, user: bench.user, session }
    }

    /// The access token of the user's session.
    pub fn access(&self) -> String {
        self.session.tokens.access.text()
    }

    /// The refresh token of the user's session.
    pub fn refresh(&self) -> String {
        self.session.tokens.refresh.text()
    }

    /// The right password.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The session service.
    pub fn sessions(&self) -> TestSessions {
        Sessions {
            cache: StrongReads(self.store.clone()),
            store: self.store.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
        }
    }

    /// The use case of signing in.
    pub fn sign_in(&self) -> SignIn<TestStore, TestCache, Failing<PlainPasswords>, ManualHost> {
        self.sign_in_with(self.passwords.clone())
    }

    /// Sign-in with another verifier of passwords, or none.
    pub fn sign_in_with<P>(&self, verifier: P) -> SignIn<TestStore, TestCache, P, ManualHost> {
        SignIn {
            cache: StrongReads(self.store.clone()),
            store: self.store.clone(),
            verifier,
            host: self.host.clone(),
            policy: Policy::default(),
            limits: SignInLimits::default(),
        }
    }

    /// The use case of registering, which is open.
    pub fn registration(&self) -> Registration<TestStore, Failing<PlainPasswords>, ManualHost> {
        Registration {
            store: self.store.clone(),
            passwords: self.passwords.clone(),
            host: self.host.clone(),
            open: true,
            per_network: 10,
        }
    }

    /// The settings of second factors.
    pub fn factor_settings(&self) -> FactorSettings<Failing<UserBox>> {
        FactorSettings { issuer: "Holdfast".into(), limits: SignInLimits::default(), secrets: self.secrets.clone() }
    }

    /// Issues a seed that waits for its first code.
    ///
    /// # Panics
    /// Panics if it is refused.
    pub async fn enrolled(&self) -> Seed {
        let sessions = self.sessions();
        let current = sessions.identify([self.access()]).await.expect("a live session");
        sessions.enroll(&current, &self.factor_settings(), &Origin::client(HOME)).await.expect("a seed").0
    }

    /// Switches the second factor on, with the code of the step before this one.
    ///
    /// # Panics
    /// Panics if it is refused.
    pub async fn armed(&self) -> Armed {
        let seed = self.enrolled().await;
        let sessions = self.sessions();
        let current = sessions.identify([self.access()]).await.expect("a live session");
        let answer = Answer::read(Some(&self.code(&seed, -1)), None).expect("six digits");
        let on = sessions.activate(&current, &answer, &self.factor_settings(), HOME).await.expect("switched on");
        Armed { seed, recovery: on.codes.expose().to_vec() }
    }

    /// The code of this step of the clock, or of one before or after it.
    pub fn code(&self, seed: &Seed, offset: i64) -> String {
        let step = step_at(self.host.now()).saturating_add_signed(offset);
        String::from_utf8_lossy(&seed.code(step)).into_owned()
    }

    /// From now on calls of this name fail.
    pub fn fail_at(&self, call: &'static str, trouble: &Trouble) {
        self.store.fail_at(call, trouble.clone());
        self.passwords.fail_at(call, trouble.clone());
        self.secrets.fail_at(call, trouble.clone());
    }

    /// From now on no call fails.
    pub fn heal(&self) {
        self.store.heal();
        self.passwords.heal();
        self.secrets.heal();
    }

    /// The names of the calls since the last time this was asked.
    pub fn calls(&self) -> BTreeSet<&'static str> {
        let mut calls = self.store.calls();
        calls.extend(self.passwords.calls());
        calls.extend(self.secrets.calls());
        calls
    }
}
