//! What a use case leaves in its store, and what it makes of a store that tells another story than the cache. These checks
//! look into the store in memory, or write into it what another version of Holdfast may have written.

use std::sync::{Arc, Mutex, PoisonError};

use holdfast_sessions::account::{Identity, Status};
use holdfast_sessions::change::Origin;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::email::Email;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::{
    Clock as _, CredentialVerifier, Effect, PasswordVerdict, SessionCache, SessionReads as _, StoreResult,
};
use holdfast_sessions::service::{SignIn, SignInRequest, StrongReads, Vouched, VouchedRequest};
use holdfast_sessions::session::Slot;
use holdfast_sessions::signin::LoginFailure;
use holdfast_sessions::token::Address;
use holdfast_sessions::{SessionId, SlotNo, TokenHash, UserId};

use super::bench::{Bench, PASSWORD, PlainPasswords};
use super::mfa::{Armed, code, refused, settings};
use crate::{ManualHost, MemoryStore};

/// Runs every check of this suite.
pub async fn recorded() {
    a_failed_sign_in_says_why().await;
    a_wrong_code_is_noted_and_nothing_else_is().await;
    a_sign_in_whose_account_changed_is_over_whatever_the_code().await;
    a_sign_in_whose_reply_was_lost_finds_its_session().await;
    a_sign_in_that_was_too_slow_makes_no_session().await;
    a_stronger_form_of_a_password_is_kept().await;
    a_touch_that_is_refused_asks_the_store().await;
    equal_claims_change_nothing_and_repair_a_session_without_them().await;
}

async fn a_failed_sign_in_says_why() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store.clone(), host).await;
    let service = bench.sign_in_service(Policy::default());
    let wrong = SignInRequest { password: "wrong password".into(), ..bench.request() };
    let unknown = SignInRequest { email: "nobody@example.com".into(), ..bench.request() };
    for request in [wrong, unknown] {
        assert_eq!(refused(service.sign_in(&request).await), Code::InvalidCredentials);
    }
    assert_eq!(store.failed_sign_ins(), [LoginFailure::WrongPassword, LoginFailure::UnknownEmail]);
}

async fn a_wrong_code_is_noted_and_nothing_else_is() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let armed = Armed::new(store.clone(), host.clone()).await;
    let sessions = armed.bench.sessions();
    let second = armed.challenged().await;
    let signed_in = armed.answer(&second, &code(&armed.seed, armed.step()), false).await.expect("signed in");
    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect("live");
    host.advance_seconds(30);
    let wrong = code(&armed.seed, armed.step() + 100);
    assert_eq!(refused(sessions.disable(&current, &wrong, &settings(), "192.0.2.1").await), Code::InvalidMfaCode);
    let noted = || store.failed_reauthentications().iter().map(|failed| failed.reason).collect::<Vec<_>>();
    assert_eq!(noted(), [LoginFailure::WrongCode]);
    // The session ends between the read of the account and the change: the code was right, and the refusal is another.
    let right = code(&armed.seed, armed.step());
    let ending = Ending { store: store.clone(), host: host.clone(), current: current.slot.clone() };
    let sessions = holdfast_sessions::service::Sessions {
        store: store.clone(),
        cache: StrongReads(store.clone()),
        host: host.clone(),
        policy: Policy::default(),
    };
    let settings = holdfast_sessions::service::FactorSettings {
        issuer: "Holdfast".into(),
        limits: SignInLimits::default(),
        secrets: ending,
    };
    assert_eq!(refused(sessions.disable(&current, &right, &settings, "192.0.2.1").await), Code::Unauthenticated);
    assert_eq!(noted(), [LoginFailure::WrongCode]);
}

/// A box whose seeds take so long to open that the session has ended then.
#[derive(Clone)]
struct Ending {
    store: MemoryStore,
    host: ManualHost,
    current: Slot,
}

impl holdfast_sessions::ports::SecretBox for Ending {
    async fn seal(&self, user: UserId, plain: &[u8]) -> StoreResult<Vec<u8>> {
        super::bench::UserBox.seal(user, plain).await
    }

    async fn open(&self, user: UserId, sealed: &[u8]) -> StoreResult<Vec<u8>> {
        use holdfast_sessions::ports::SessionWrites as _;
        let reason = holdfast_sessions::session::EndReason::Logout;
        let at = self.current.at;
        self.store.end(at, self.current.sid, reason, &Origin::default(), self.host.now(), "another request").await?;
        super::bench::UserBox.open(user, sealed).await
    }
}

async fn a_sign_in_whose_account_changed_is_over_whatever_the_code() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let armed = Armed::new(store, host).await;
    let (sessions, origin) = (armed.bench.sessions(), Origin::operator("ops/ada"));
    let second = armed.challenged().await;
    sessions.set_password(&PlainPasswords, armed.bench.user, PASSWORD, &origin).await.expect("set");
    let wrong = code(&armed.seed, armed.step() + 100);
    assert_eq!(refused(armed.answer(&second, &wrong, false).await), Code::MfaExpired, "another epoch");
    let second = armed.challenged().await;
    sessions.set_status(armed.bench.user, Status::Disabled, &origin).await.expect("disabled");
    assert_eq!(refused(armed.answer(&second, &wrong, false).await), Code::MfaExpired, "not active");
}

async fn a_sign_in_whose_reply_was_lost_finds_its_session() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store.clone(), host).await;
    store.lose_next_commit();
    let signed_in = bench.sign_in().await;
    assert_eq!(bench.live().await.iter().map(|slot| slot.sid).collect::<Vec<_>>(), [signed_in.slot.sid]);
    assert!(bench.sessions().identify(Some(&signed_in.tokens.access.text())).await.is_ok());
}

/// Checks a password for longer than a sign-in may take.
struct Slow(ManualHost);

impl CredentialVerifier for Slow {
    async fn verify(&self, _: &Email, _: &str, _: Option<&str>, _: &[u8; 16]) -> StoreResult<PasswordVerdict> {
        self.0.advance_seconds(SignInLimits::default().login_seconds);
        Ok(PasswordVerdict::Right)
    }

    async fn change(&self, _: &Email, _: &str, new: &str, _: &[u8; 16]) -> StoreResult<String> {
        Ok(new.to_owned())
    }

    fn adopted(&self) -> String {
        String::new()
    }
}

async fn a_sign_in_that_was_too_slow_makes_no_session() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store, host.clone()).await;
    let SignIn { store, cache, policy, limits, .. } = bench.sign_in_service(Policy::default());
    let service = SignIn { store, cache, verifier: Slow(host.clone()), host, policy, limits };
    assert_eq!(refused(service.sign_in(&bench.request()).await), Code::InvalidCredentials);
    assert!(bench.live().await.is_empty());
}

/// Finds every password right, and kept in an older form than its own.
struct Stronger;

impl CredentialVerifier for Stronger {
    async fn verify(&self, _: &Email, _: &str, _: Option<&str>, _: &[u8; 16]) -> StoreResult<PasswordVerdict> {
        Ok(PasswordVerdict::Outdated("stronger".into()))
    }

    async fn change(&self, _: &Email, _: &str, new: &str, _: &[u8; 16]) -> StoreResult<String> {
        Ok(new.to_owned())
    }

    fn adopted(&self) -> String {
        String::new()
    }
}

async fn a_stronger_form_of_a_password_is_kept() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store.clone(), host).await;
    let kept = async || store.user(bench.user).await.expect("read").expect("a user").account.password;
    let signing_in = async || {
        let SignIn { store, cache, host, policy, limits, .. } = bench.sign_in_service(Policy::default());
        SignIn { store, cache, verifier: Stronger, host, policy, limits }.sign_in(&bench.request()).await
    };
    let before = kept().await;
    let (sessions, origin) = (bench.sessions(), Origin::operator("ops/ada"));
    sessions.set_status(bench.user, Status::Disabled, &origin).await.expect("disabled");
    assert_eq!(refused(signing_in().await), Code::InvalidCredentials);
    assert_eq!(kept().await, before, "nothing is written for an account that nobody may use");
    sessions.set_status(bench.user, Status::Active, &origin).await.expect("enabled");
    assert!(signing_in().await.is_ok());
    assert_eq!(kept().await, "stronger");
}

/// A cache that answers with the copy that it was given.
#[derive(Clone)]
struct Held(Arc<Mutex<Option<Slot>>>);

impl SessionCache for Held {
    async fn look_up(&self, _: Address, _: &TokenHash) -> StoreResult<Option<Slot>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn forget(&self, _: UserId, _: &[SlotNo]) -> Effect {
        Effect::Bounded(60)
    }
}

async fn a_touch_that_is_refused_asks_the_store() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store.clone(), host.clone()).await;
    let signed_in = bench.sign_in().await;
    let (token, copy) = (signed_in.tokens.access.text(), signed_in.slot.clone());
    let held = Held(Arc::new(Mutex::new(Some(copy.clone()))));
    let behind =
        Bench { store: store.clone(), cache: held, host: host.clone(), email: bench.email.clone(), user: bench.user };
    host.advance_seconds(301);
    bench.sessions().authenticate(Some(&token)).await.expect("live");
    let again = behind.sessions().authenticate(Some(&token)).await.expect("another request has touched it");
    assert_eq!(again.slot.last_used_at, host.now());
    let other = Slot { sid: SessionId::from_bytes([9; 16]), last_used_at: host.now(), ..copy.clone() };
    store.put_slot(other);
    assert_eq!(refused(behind.sessions().authenticate(Some(&token)).await), Code::Unauthenticated, "another session");
    store.put_slot(copy.clone());
    let current = bench.sessions().identify(Some(&token)).await.expect("live");
    bench.sessions().log_out(&current, &Origin::default()).await.expect("logged out");
    assert_eq!(refused(behind.sessions().authenticate(Some(&token)).await), Code::Unauthenticated, "it has ended");
}

async fn equal_claims_change_nothing_and_repair_a_session_without_them() {
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store.clone(), host).await;
    let claims = Claims::parse(r#"{"role":"editor"}"#).expect("an object");
    let request = VouchedRequest {
        identity: Identity::accept("urn:pool", "ada").expect("an identity"),
        email: None,
        claims: Some(claims.clone()),
        session: None,
        stay_signed_in: false,
        device_name: None,
        mfa_verified: false,
        authenticated_at: None,
        to_browser: false,
        user_agent: "curl/8".into(),
        ip: "192.0.2.1".into(),
    };
    let signed_in = async || {
        let SignIn { store, cache, host, policy, limits, .. } = bench.sign_in_service(Policy::default());
        let service = SignIn { store, cache, verifier: (), host, policy, limits };
        match service.sign_in_vouched(&request).await.expect("vouched for") {
            Vouched::SignedIn(signed_in) => signed_in.slot,
            Vouched::Renewed(..) => panic!("no session was named"),
        }
    };
    let first = signed_in().await;
    let state = async || store.user(first.at.user).await.expect("read").expect("a user");
    let before = state().await.account.version;
    signed_in().await;
    assert_eq!(state().await.account.version, before, "the account is as it was");
    store.put_slot(Slot { claims: Claims::default(), ..first.clone() });
    signed_in().await;
    assert!(state().await.slots.iter().all(|slot| slot.claims == claims));
}
