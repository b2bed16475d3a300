//! What holds up to a bound and no longer, and what happens to a credential that is nearly right. The clock is set by
//! hand, so these checks run on the store in memory.

use holdfast_sessions::account::Identity;
use holdfast_sessions::attempts;
use holdfast_sessions::change::Origin;
use holdfast_sessions::email::Email;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::{
    ATTEMPT_WINDOW_SECONDS, MAX_DEVICES, Policy, RUN_LIMIT, RUN_MEMORY_SECONDS, SignInLimits,
};
use holdfast_sessions::ports::{
    Clock as _, CredentialVerifier, NewPasswords, PasswordVerdict, Rng as _, StoreResult, Vouched,
};
use holdfast_sessions::service::{
    Current, FirstStep, ReauthenticationRequest, Registration, SignIn, SignInRequest, SignedIn, TrustRequest,
    VerifyRequest,
};
use holdfast_sessions::session::{Slot, Trust};
use holdfast_sessions::token::{DeviceToken, MfaToken};
use holdfast_sessions::{DeviceId, Millis, Secret, SessionId, TokenHash, UserId};

use super::bench::{Bench, PASSWORD, PlainPasswords, Store, UserBox};
use super::mfa::{Armed, code, device_token, refused, settings};
use crate::ManualHost;

/// Runs every check of this suite, each on a store of its own making.
pub async fn at_their_bounds<S: Store>(make: impl Fn() -> S) {
    let host = ManualHost::default;
    budgets_are_shown_until_they_end(make(), host()).await;
    a_token_with_another_secret_opens_no_sign_in(make(), host()).await;
    a_sign_in_waits_out_a_run_of_failures_and_no_longer(make(), host()).await;
    no_user_has_more_devices_than_fit(make(), host()).await;
    a_device_stays_with_the_session_that_stays(make(), host()).await;
    switching_the_factor_moves_the_account_and_touches_no_stranger(make(), host()).await;
    an_answer_says_what_the_store_has(make(), host()).await;
    a_device_that_spent_its_budget_is_a_stranger(make(), host()).await;
    a_device_works_by_its_last_two_secrets_and_by_no_other(make(), host()).await;
    a_provider_takes_over_only_its_own_accounts(make(), host()).await;
}

async fn current<S: Store>(bench: &Bench<S, ManualHost>, signed_in: &SignedIn) -> Current {
    bench.sessions().identify(Some(&signed_in.tokens.access.text())).await.expect("live")
}

async fn stored<S: Store>(bench: &Bench<S, ManualHost>, sid: SessionId) -> Slot {
    bench.live().await.into_iter().find(|slot| slot.sid == sid).expect("live")
}

/// What an answer says about a session, and what a later one would say.
fn facts(slot: &Slot) -> (SessionId, u64, Millis, Option<Millis>, Option<Trust>, Millis) {
    (slot.sid, slot.version, slot.authenticated_at, slot.mfa_verified_at, slot.trust, slot.last_updated_at)
}

fn trust_of(slot: &Slot, trusted: bool) -> TrustRequest {
    TrustRequest { sid: slot.sid, trusted, expected_versions: None, trust_seconds: 2_592_000 }
}

async fn devices<S: Store>(bench: &Bench<S, ManualHost>) -> Vec<DeviceId> {
    let (all, state) = (bench.store.devices(bench.user).await.expect("read"), bench.store.user(bench.user).await);
    let (epoch, now) = (state.expect("read").expect("a user").account.auth_epoch, bench.host.now());
    all.into_iter().filter(|(_, device)| device.is_valid(epoch, now)).map(|(id, _)| id).collect()
}

fn with_limits<S: Store>(
    bench: &Bench<S, ManualHost>,
    limits: SignInLimits,
) -> SignIn<S, holdfast_sessions::service::StrongReads<S>, PlainPasswords, ManualHost> {
    SignIn { limits, ..bench.sign_in_service(Policy::default()) }
}

async fn budgets_are_shown_until_they_end<S: Store>(store: S, host: ManualHost) {
    let bench = Bench::new(store, host.clone()).await;
    let limits = SignInLimits::default();
    let service = with_limits(&bench, limits.clone());
    let wrong = SignInRequest { password: "wrong password".into(), ..bench.request() };
    for _ in 0..2 {
        assert_eq!(refused(service.sign_in(&wrong).await), Code::InvalidCredentials);
    }
    let begun = host.now();
    let status = async || {
        let all = bench.sessions().attempt_status(&bench.email, "192.0.2.1", &limits).await.expect("status");
        all.into_iter().find(|budget| budget.scope.counts_runs).expect("a budget that counts runs")
    };
    let end = begun.plus_seconds(ATTEMPT_WINDOW_SECONDS);
    host.advance_millis(ATTEMPT_WINDOW_SECONDS * 1000 - 1);
    let last = status().await;
    assert_eq!((last.count, last.window_ends, last.run), (2, Some(end), 2));
    host.advance_millis(1);
    let over = status().await;
    assert_eq!((over.count, over.window_ends, over.run), (0, None, 2), "the window has ended, the run has not");
    host.advance_millis((RUN_MEMORY_SECONDS - ATTEMPT_WINDOW_SECONDS) * 1000 - 1);
    assert_eq!(status().await.run, 2);
    host.advance_millis(1);
    assert_eq!(status().await.run, 0);
}

async fn a_token_with_another_secret_opens_no_sign_in<S: Store>(store: S, host: ManualHost) {
    let armed = Armed::new(store, host.clone()).await;
    let second = armed.challenged().await;
    let made_up = MfaToken { login: second.token.login, secret: Secret::new([7; 32]) };
    let right = code(&armed.seed, armed.step());
    let request =
        VerifyRequest { token: made_up.text(), answer: right.clone(), trust_device: false, ip: "192.0.2.1".into() };
    let service = armed.bench.sign_in_service(Policy::default());
    assert_eq!(refused(service.verify(&UserBox, &request).await), Code::MfaExpired);
    assert!(armed.answer(&second, &right, false).await.is_ok(), "and nothing was spent");
    // It is open until the moment at which it expires.
    for (seconds, opens) in [(299, true), (300, false)] {
        let second = armed.challenged().await;
        host.advance_seconds(seconds);
        let outcome = armed.answer(&second, &code(&armed.seed, armed.step()), false).await;
        assert_eq!(outcome.is_ok(), opens, "{seconds}: {outcome:?}");
    }
}

async fn a_sign_in_waits_out_a_run_of_failures_and_no_longer<S: Store>(store: S, host: ManualHost) {
    let armed = Armed::new(store, host.clone()).await;
    let (bench, limits) = (&armed.bench, SignInLimits::default());
    let scope = attempts::second_factor_network(bench.user, "192.0.2.1", &limits);
    for number in 0..RUN_LIMIT {
        if number % scope.limit == 0 {
            host.advance_seconds(ATTEMPT_WINDOW_SECONDS);
        }
        let attempt = TokenHash::from_bytes([u8::try_from(number).unwrap_or(0); 32]);
        let drawn = bench.store.draw(&scope, Some(&attempt), host.now()).await;
        assert!(matches!(drawn, Ok(Ok(_))), "{number}: {drawn:?}");
    }
    let counters = bench.store.counters(&[scope]).await.expect("read");
    let until = counters[0].wait_until;
    host.advance_millis(until.get() - host.now().get() - 1);
    let second = armed.challenged().await;
    let early = armed.answer(&second, &code(&armed.seed, armed.step()), false).await;
    assert_eq!(refused(early), Code::TooManyAttempts);
    host.advance_millis(1);
    assert!(armed.answer(&second, &code(&armed.seed, armed.step()), false).await.is_ok());
}

async fn no_user_has_more_devices_than_fit<S: Store>(store: S, host: ManualHost) {
    let armed = Armed::new(store.clone(), host.clone()).await;
    let mut made = Vec::new();
    for _ in 0..MAX_DEVICES + 2 {
        host.advance_seconds(30);
        let second = armed.challenged().await;
        let signed_in = armed.answer(&second, &code(&armed.seed, armed.step()), true).await.expect("signed in");
        made.push(signed_in.device_token.expect("a device").device);
        assert!(devices(&armed.bench).await.len() <= MAX_DEVICES);
    }
    let mut left = devices(&armed.bench).await;
    left.sort();
    made.drain(..2);
    made.sort();
    assert_eq!(left, made, "the two that were used longest ago are gone");

    let bench = Bench::new(store, host.clone()).await;
    let mut made = Vec::new();
    let mut last = None;
    for _ in 0..MAX_DEVICES + 2 {
        host.advance_seconds(30);
        let signed_in = bench.sign_in().await;
        let caller = current(&bench, &signed_in).await;
        let set = bench.sessions().set_trust(&caller, &trust_of(&signed_in.slot, true), &Origin::default()).await;
        made.push(set.expect("trusted").device_token.expect("a device").device);
        last = Some((caller, signed_in.slot));
    }
    made.drain(..2);
    // A session that becomes trusted again gives up its own device, and no other has to go.
    let (caller, slot) = last.expect("the last one");
    let again = bench.sessions().set_trust(&caller, &trust_of(&slot, true), &Origin::default()).await.expect("trusted");
    made.pop();
    made.push(again.device_token.expect("a device").device);
    made.sort();
    let mut left = devices(&bench).await;
    left.sort();
    assert_eq!(left, made);
}

async fn a_device_stays_with_the_session_that_stays<S: Store>(store: S, host: ManualHost) {
    let bench = Bench::new(store, host.clone()).await;
    let (sessions, origin) = (bench.sessions(), Origin::default());
    let mut own = Vec::new();
    for _ in 0..2 {
        let signed_in = bench.sign_in().await;
        let caller = current(&bench, &signed_in).await;
        let set = sessions.set_trust(&caller, &trust_of(&signed_in.slot, true), &origin).await.expect("trusted");
        own.push((signed_in, set.device_token.expect("a device").device));
    }
    let (kept, device) = &own[0];
    let caller = current(&bench, kept).await;
    assert_eq!(sessions.revoke_all(&caller, true, &origin).await.expect("revoked").count, 1);
    assert_eq!(devices(&bench).await, [*device], "it works under the new epoch, and the other does not");
    assert_eq!(bench.store.devices(bench.user).await.expect("read").len(), 1, "the other is gone");
    assert!(stored(&bench, kept.slot.sid).await.trusted(host.now()).is_some());
    assert_eq!(sessions.revoke_all(&caller, true, &origin).await.expect("revoked").count, 0);
    assert_eq!(devices(&bench).await, [*device]);
}

async fn switching_the_factor_moves_the_account_and_touches_no_stranger<S: Store>(store: S, host: ManualHost) {
    let bench = Bench::new(store, host.clone()).await;
    let (sessions, origin) = (bench.sessions(), Origin::client("192.0.2.1"));
    let other = bench.sign_in().await;
    let signed_in = bench.sign_in().await;
    let caller = current(&bench, &signed_in).await;
    sessions.set_trust(&caller, &trust_of(&signed_in.slot, true), &origin).await.expect("trusted");
    let epoch = async || bench.store.user(bench.user).await.expect("read").expect("a user").account.auth_epoch;
    let before = epoch().await;
    let (seed, _) = sessions.enroll(&caller, &settings(), &origin).await.expect("enrolled");
    host.advance_seconds(30);
    let step = holdfast_sessions::mfa::step_at(host.now());
    let on = sessions.activate(&caller, &code(&seed, step), &settings(), "192.0.2.1").await.expect("on");
    assert_eq!(facts(&on.slot), facts(&stored(&bench, signed_in.slot.sid).await));
    assert!(on.slot.trust.is_none() && devices(&bench).await.is_empty(), "no device is trusted any more");
    assert_eq!(epoch().await, before + 1, "sign-ins that began before are over");
    assert_eq!(
        stored(&bench, other.slot.sid).await.version,
        other.slot.version,
        "nothing of the other session changed"
    );
    let off = sessions.disable(&caller, &code(&seed, step + 1), &settings(), "192.0.2.1").await;
    off.expect("off");
    assert_eq!(epoch().await, before + 2);
    assert_eq!(stored(&bench, other.slot.sid).await.version, other.slot.version);
}

async fn an_answer_says_what_the_store_has<S: Store>(store: S, host: ManualHost) {
    let armed = Armed::new(store, host.clone()).await;
    let (bench, sessions) = (&armed.bench, armed.bench.sessions());
    let second = armed.challenged().await;
    let signed_in = armed.answer(&second, &code(&armed.seed, armed.step()), false).await.expect("signed in");
    let caller = current(bench, &signed_in).await;
    host.advance_seconds(60);
    let again = ReauthenticationRequest {
        password: PASSWORD.into(),
        answer: Some(code(&armed.seed, armed.step())),
        ip: "192.0.2.1".into(),
    };
    let (slot, _) = sessions.reauthenticate(&PlainPasswords, &settings(), &caller, &again).await.expect("recent");
    assert_eq!(facts(&slot), facts(&stored(bench, slot.sid).await));
    assert_eq!((slot.authenticated_at, slot.mfa_verified_at), (host.now(), Some(host.now())));
    let at = host.now();
    host.advance_seconds(60);
    let by_password = ReauthenticationRequest { answer: None, ..again };
    let (slot, _) = sessions.reauthenticate(&PlainPasswords, &settings(), &caller, &by_password).await.expect("recent");
    assert_eq!(facts(&slot), facts(&stored(bench, slot.sid).await));
    assert_eq!(slot.mfa_verified_at, Some(at), "the password alone takes nothing back");
    host.advance_seconds(60);
    for trusted in [true, false] {
        let set = sessions.set_trust(&caller, &trust_of(&slot, trusted), &Origin::default()).await.expect("set");
        assert_eq!(facts(&set.slot), facts(&stored(bench, slot.sid).await));
        assert_eq!(set.slot.last_updated_at, host.now());
    }
}

async fn a_device_that_spent_its_budget_is_a_stranger<S: Store>(store: S, host: ManualHost) {
    let bench = Bench::new(store, host).await;
    let signed_in = bench.sign_in().await;
    let caller = current(&bench, &signed_in).await;
    let set = bench.sessions().set_trust(&caller, &trust_of(&signed_in.slot, true), &Origin::default()).await;
    let shown = set.expect("trusted").device_token.map(|token| token.text());
    let limits = SignInLimits { max_login_attempts: 2, ..SignInLimits::default() };
    let service = with_limits(&bench, limits);
    let guess = SignInRequest { password: "wrong password".into(), device_token: shown.clone(), ..bench.request() };
    let mut outcomes = Vec::new();
    for _ in 0..5 {
        outcomes.push(refused(service.sign_in(&guess).await));
    }
    let (wrong, over) = (Code::InvalidCredentials, Code::TooManyAttempts);
    assert_eq!(outcomes, [wrong, wrong, wrong, wrong, over], "its own budget, then that of its network");
}

async fn a_device_works_by_its_last_two_secrets_and_by_no_other<S: Store>(store: S, host: ManualHost) {
    let armed = Armed::new(store, host.clone()).await;
    let second = armed.challenged().await;
    let trusting = armed.answer(&second, &code(&armed.seed, armed.step()), true).await.expect("signed in");
    let first = trusting.device_token.clone().expect("a device token");
    let Ok(FirstStep::Authenticated(rotated)) = armed.first_step(device_token(&trusting)).await else {
        panic!("not by device")
    };
    let next = device_token(&rotated).expect("the next one");
    // Strangers of this network have spent their budget: only a device is let in.
    let limits = SignInLimits { max_login_attempts: 1, ..SignInLimits::default() };
    let service = with_limits(&armed.bench, limits);
    let wrong = SignInRequest { password: "wrong password".into(), ..armed.bench.request() };
    assert_eq!(refused(service.sign_in(&wrong).await), Code::InvalidCredentials);
    let with = |token: String| SignInRequest { device_token: Some(token), ..armed.bench.request() };
    let made_up = DeviceToken { secret: Secret::new([9; 32]), ..first.clone() };
    assert_eq!(refused(service.sign_in(&with(made_up.text())).await), Code::TooManyAttempts);
    let second_tab = service.sign_in(&with(first.text())).await;
    assert!(matches!(&second_tab, Ok(FirstStep::Authenticated(_))), "within the grace: {second_tab:?}");
    // A secret that is made up is no device, though the grace of the real one is open.
    let outcome = armed.first_step(Some(made_up.text())).await;
    assert!(matches!(&outcome, Ok(FirstStep::MfaRequired(_))), "{outcome:?}");
    host.advance_seconds(10);
    let outcome = armed.first_step(Some(first.text())).await;
    assert!(matches!(&outcome, Ok(FirstStep::Authenticated(_))), "the last second of the grace: {outcome:?}");
    host.advance_millis(1);
    let outcome = armed.first_step(Some(first.text())).await;
    assert!(matches!(&outcome, Ok(FirstStep::MfaRequired(_))), "after the grace: {outcome:?}");
    let outcome = armed.first_step(Some(next)).await;
    assert!(matches!(&outcome, Ok(FirstStep::Authenticated(_))), "{outcome:?}");
}

/// A user pool that vouches for one user.
#[derive(Clone, Debug)]
struct Pool {
    identity: Identity,
    is_verified: bool,
}

const OF_A_POOL: &str = "of a pool";

impl CredentialVerifier for Pool {
    async fn verify(
        &self,
        _email: &Email,
        _password: &str,
        _stored: Option<&str>,
        _salt: &[u8; 16],
    ) -> StoreResult<PasswordVerdict> {
        let vouched = Vouched { identity: self.identity.clone(), email_is_verified: self.is_verified };
        Ok(PasswordVerdict::Vouched(vouched))
    }

    async fn change(&self, _email: &Email, _current: &str, _new: &str, _salt: &[u8; 16]) -> StoreResult<String> {
        Ok(OF_A_POOL.to_owned())
    }

    fn adopted(&self) -> String {
        OF_A_POOL.to_owned()
    }
}

async fn a_provider_takes_over_only_its_own_accounts<S: Store>(store: S, host: ManualHost) {
    let bench = Bench::new(store, host.clone()).await;
    let pool = |subject: &str, is_verified| Pool {
        identity: Identity::accept("urn:pool", subject).expect("an identity"),
        is_verified,
    };
    let through = async |pool: Pool, email: &str| -> UserId {
        let SignIn { store, cache, policy, limits, .. } = bench.sign_in_service(Policy::default());
        let service = SignIn { store, cache, verifier: pool, host: host.clone(), policy, limits };
        let request = SignInRequest { email: email.to_owned(), ..bench.request() };
        // A sign-in later than the change of an account that it follows.
        host.advance_seconds(1);
        match service.sign_in(&request).await.expect("signed in") {
            FirstStep::Authenticated(signed_in) => signed_in.slot.at.user,
            FirstStep::MfaRequired(_) => panic!("no second factor was set up"),
        }
    };
    assert_ne!(
        through(pool("a", true), &bench.email).await,
        bench.user,
        "an account with a password stays its owner's"
    );
    // An account that version 0.1.0 made for the pool has no identity yet.
    let email = format!("{}@example.com", SessionId::from_bytes(host.random()));
    let address = Email::parse(&email).expect("an address");
    let registration = Registration {
        store: bench.store.clone(),
        passwords: PoolPasswords,
        host: host.clone(),
        open: true,
        per_network: 9,
    };
    let old = registration.create(&address, PASSWORD, &Origin::default()).await.expect("registered").user;
    assert_ne!(through(pool("b", false), &email).await, old, "the pool has not verified the address");
    assert_eq!(through(pool("c", true), &email).await, old, "bound, once and for good");
    assert_eq!(through(pool("c", false), "other@example.com").await, old, "by its identity");
    assert_ne!(through(pool("d", true), &email).await, old, "it belongs to another identity");
}

/// Keeps what version 0.1.0 kept for users of a pool.
#[derive(Clone, Copy, Debug)]
struct PoolPasswords;

impl NewPasswords for PoolPasswords {
    fn keep(&self, _password: &str, _salt: &[u8; 16]) -> StoreResult<String> {
        Ok(OF_A_POOL.to_owned())
    }
}

impl holdfast_sessions::account::PasswordStrength for PoolPasswords {
    fn weakness(&self, _password: &str, _context: &[&str]) -> Option<String> {
        None
    }
}
