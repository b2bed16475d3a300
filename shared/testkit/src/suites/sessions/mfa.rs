//! What signing in with a second factor promises, with many callers at once.

use futures_util::future::join_all;
use holdfast_sessions::change::Origin;
use holdfast_sessions::error::Code;
use holdfast_sessions::mfa::{Answer, KeptSeed, Seed, step_at};
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_sessions::service::{
    Current, FactorSettings, FirstStep, MfaRequired, PasswordRequest, ReauthenticationRequest, SignIn, SignInRequest,
    SignedIn, StrongReads, TrustRequest, VerifyRequest,
};
use holdfast_sessions::token::DeviceToken;
use holdfast_sessions::{Failure, Millis};

use super::bench::{Bench, PASSWORD, PlainPasswords, Store, UserBox};

const NEW_PASSWORD: &str = "another horse battery";
/// Where these users sign in from: a network that is known to their account.
const HOME: &str = "192.0.2.1";

/// A user with a second factor, and the authenticator that goes with it.
pub(super) struct Armed<S: Store, H> {
    pub(super) bench: Bench<S, H>,
    pub(super) seed: Seed,
    recovery: Vec<String>,
    /// The session that switched it on.
    current: Current,
}

pub(super) fn settings() -> FactorSettings<UserBox> {
    FactorSettings { issuer: "Holdfast".into(), limits: limits(), secrets: UserBox }
}

fn limits() -> SignInLimits {
    SignInLimits { max_login_attempts: 1_000_000, ..SignInLimits::default() }
}

pub(super) fn code(seed: &Seed, step: u64) -> Answer {
    let digits = seed.code(step);
    Answer::read(Some(&String::from_utf8_lossy(&digits)), None).expect("six digits")
}

/// Codes that are not right anywhere near now.
fn wrong_codes(seed: &Seed, now: Millis, count: u32) -> Vec<Answer> {
    let near: Vec<_> = (step_at(now) - 2..step_at(now) + 3).map(|step| seed.code(step)).collect();
    let all = (0..).map(|n: u32| format!("{n:06}")).filter(|text| !near.iter().any(|c| c == text.as_bytes()));
    all.take(usize::try_from(count).unwrap_or(0)).map(|text| Answer::read(Some(&text), None).expect("six")).collect()
}

impl<S: Store, H: Clock + Rng + Clone + 'static> Armed<S, H> {
    /// Switched on with the code of the step before this one, so that this step and the next can still be used.
    pub(super) async fn new(store: S, host: H) -> Self {
        let bench = Bench::new(store, host).await;
        let signed_in = bench.sign_in().await;
        let sessions = bench.sessions();
        let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect("live");
        let (seed, uri) = sessions.enroll(&current, &settings(), &Origin::client(HOME)).await.expect("enrolled");
        assert!(uri.contains(&seed.text()) && uri.starts_with("otpauth://totp/Holdfast:"));
        let answer = code(&seed, step_at(bench.host.now()) - 1);
        let on = sessions.activate(&current, &answer, &settings(), HOME).await.expect("activated");
        assert!(on.slot.mfa_verified_at.is_some() && on.slot.version == current.slot.version + 1);
        Self { bench, seed, recovery: on.codes.expose().to_vec(), current }
    }

    pub(super) fn step(&self) -> u64 {
        step_at(self.bench.host.now())
    }

    fn service(&self) -> SignIn<S, StrongReads<S>, PlainPasswords, H> {
        self.bench.sign_in_service(Policy::default())
    }

    pub(super) async fn first_step(&self, device: Option<String>) -> Result<FirstStep, Failure> {
        let request = SignInRequest { device_token: device, ..self.bench.request() };
        self.service().sign_in(&request).await
    }

    pub(super) async fn challenged(&self) -> MfaRequired {
        match self.first_step(None).await {
            Ok(FirstStep::MfaRequired(second)) => second,
            other => panic!("no second factor was asked for: {other:?}"),
        }
    }

    pub(super) async fn answer(
        &self,
        to: &MfaRequired,
        answer: &Answer,
        trust_device: bool,
    ) -> Result<SignedIn, Failure> {
        let request = VerifyRequest { token: to.token.text(), answer: answer.clone(), trust_device, ip: HOME.into() };
        self.service().verify(&UserBox, &request).await
    }

    async fn through(&self, step: u64, trust_device: bool) -> SignedIn {
        let second = self.challenged().await;
        self.answer(&second, &code(&self.seed, step), trust_device).await.expect("the right code")
    }

    async fn works(&self, signed_in: &SignedIn) -> bool {
        self.bench.sessions().identify(Some(&signed_in.tokens.access.text())).await.is_ok()
    }
}

pub(super) fn device_token(signed_in: &SignedIn) -> Option<String> {
    signed_in.device_token.as_ref().map(DeviceToken::text)
}

pub(super) fn refused<T>(outcome: Result<T, Failure>) -> Code {
    outcome.err().expect("refused").code
}

/// On, asked for, shown, off, no longer asked for.
pub async fn a_second_factor_is_switched_on_shown_and_switched_off<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store, host).await;
    let sessions = armed.bench.sessions();
    assert_eq!(
        refused(sessions.enroll(&armed.current, &settings(), &Origin::client(HOME)).await),
        Code::MfaAlreadyEnabled
    );
    let again = code(&armed.seed, armed.step());
    assert_eq!(refused(sessions.activate(&armed.current, &again, &settings(), HOME).await), Code::MfaAlreadyEnabled);

    let second = armed.challenged().await;
    assert!(second.has_recovery && armed.bench.live().await.len() == 1, "no session before the second step");
    let used = code(&armed.seed, armed.step() - 1);
    let failure = armed.answer(&second, &used, false).await.expect_err("the step that switched it on is used");
    assert_eq!((failure.code, failure.attempts_remaining), (Code::InvalidMfaCode, Some(4)));
    let signed_in = armed.answer(&second, &code(&armed.seed, armed.step()), false).await.expect("signed in");
    assert!(signed_in.slot.mfa_verified_at.is_some() && signed_in.device_token.is_none());
    assert!(armed.works(&signed_in).await);

    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect("live");
    let used = code(&armed.seed, armed.step());
    assert_eq!(refused(sessions.disable(&current, &used, &settings(), HOME).await), Code::InvalidMfaCode);
    sessions.disable(&current, &code(&armed.seed, armed.step() + 1), &settings(), HOME).await.expect("off");
    assert!(matches!(armed.first_step(None).await, Ok(FirstStep::Authenticated(_))));
    assert_eq!(refused(sessions.disable(&current, &used, &settings(), HOME).await), Code::InvalidMfaCode);
}

/// However often one code is sent, there is one session, and every submit returns it.
pub async fn thirty_two_submits_of_one_code_make_one_session<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store, host).await;
    let second = armed.challenged().await;
    let right = code(&armed.seed, armed.step());
    let before = armed.bench.live().await.len();
    let answers = join_all((0..32).map(|_| armed.answer(&second, &right, true))).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("every submit is answered")).collect();
    let first = &answers[0];
    for answer in &answers {
        assert_eq!(answer.slot.sid, first.slot.sid);
        assert_eq!(answer.tokens.access.text(), first.tokens.access.text());
        assert_eq!(answer.tokens.refresh.text(), first.tokens.refresh.text());
        assert_eq!(device_token(answer), device_token(first));
    }
    assert!(armed.works(first).await && first.device_token.is_some());
    assert_eq!(armed.bench.live().await.len(), before + 1);

    // The right answer again is the same session; another one is not, though it would be right.
    assert!(armed.answer(&second, &right, true).await.is_ok());
    let next = code(&armed.seed, armed.step() + 1);
    assert_eq!(refused(armed.answer(&second, &next, true).await), Code::MfaExpired);
    // Once the session has been refreshed, its first tokens are history.
    armed.bench.sessions().refresh(&first.tokens.refresh.text(), &Origin::default()).await.expect("refreshed");
    assert_eq!(refused(armed.answer(&second, &right, true).await), Code::MfaExpired);
}

/// A code stands for one sign-in.
pub async fn a_code_is_refused_in_another_sign_in<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let armed = Armed::new(store, host).await;
    let (one, other) = (armed.challenged().await, armed.challenged().await);
    let right = code(&armed.seed, armed.step());
    armed.answer(&one, &right, false).await.expect("signed in");
    assert_eq!(refused(armed.answer(&other, &right, false).await), Code::InvalidMfaCode);
    // Both at once: one of them.
    let (third, fourth) = (armed.challenged().await, armed.challenged().await);
    let next = code(&armed.seed, armed.step() + 1);
    let (a, b) = tokio::join!(armed.answer(&third, &next, false), armed.answer(&fourth, &next, false));
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{a:?} {b:?}");
    assert_eq!(a.err().or(b.err()).map(|f| f.code), Some(Code::InvalidMfaCode));
}

/// Four times the budget arrives at once. No more than the budget is compared, the sign-in stays as it is, and a new
/// sign-in is not refused.
pub async fn a_burst_of_codes_never_verifies_more_than_the_budget<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store, host).await;
    let second = armed.challenged().await;
    let wrong = wrong_codes(&armed.seed, armed.bench.host.now(), 20);
    let answers = join_all(wrong.iter().map(|code| armed.answer(&second, code, false))).await;
    let codes: Vec<_> = answers.into_iter().map(refused).collect();
    assert_eq!(codes.iter().filter(|code| **code == Code::InvalidMfaCode).count(), 5);
    assert_eq!(codes.iter().filter(|code| **code == Code::TooManyAttempts).count(), 15);
    let right = code(&armed.seed, armed.step());
    assert_eq!(refused(armed.answer(&second, &right, false).await), Code::TooManyAttempts, "right, but too late");
    // One that was counted may come again: it is not a new attempt.
    let again = join_all(wrong.iter().map(|code| armed.answer(&second, code, false))).await;
    assert_eq!(again.into_iter().map(refused).filter(|code| *code == Code::InvalidMfaCode).count(), 5);
    // A new sign-in is not shut out by it.
    let another = armed.challenged().await;
    assert!(armed.answer(&another, &right, false).await.is_ok());
}

/// The budget of an account holds across its sign-ins.
pub async fn new_sign_ins_bring_no_new_budget<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let armed = Armed::new(store, host).await;
    let wrong = wrong_codes(&armed.seed, armed.bench.host.now(), 5);
    let mut compared = 0;
    for _ in 0..4 {
        let second = armed.challenged().await;
        for code in &wrong {
            let outcome = refused(armed.answer(&second, code, false).await);
            compared += usize::from(outcome == Code::InvalidMfaCode);
            assert!(matches!(outcome, Code::InvalidMfaCode | Code::TooManyAttempts));
        }
    }
    assert_eq!(compared, 10);
    let second = armed.challenged().await;
    let right = code(&armed.seed, armed.step());
    let failure = armed.answer(&second, &right, false).await.expect_err("the account's budget is spent");
    assert_eq!(failure.code, Code::TooManyAttempts);
    assert!(failure.retry_after_seconds.is_some_and(|seconds| seconds > 1), "{failure:?}");
    // Operators see it, and can give it back.
    let sessions = armed.bench.sessions();
    let status = sessions.attempt_status(&armed.bench.email, "192.0.2.1", &limits()).await.expect("status");
    let factor = status.iter().find(|budget| budget.scope.name == "second-factor-network").expect("an account has one");
    assert_eq!((factor.count, factor.scope.limit), (10, 10), "home is known");
    sessions.clear_attempts(&armed.bench.email, "192.0.2.1", &limits()).await.expect("cleared");
    assert!(armed.answer(&second, &right, false).await.is_ok());
}

/// Ten codes for those who lose their authenticator, each for one sign-in.
pub async fn a_recovery_code_works_once<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let armed = Armed::new(store, host).await;
    assert_eq!(armed.recovery.len(), 10);
    let typed = Answer::read(None, Some(&armed.recovery[3].to_lowercase())).expect("a code");
    let second = armed.challenged().await;
    let signed_in = armed.answer(&second, &typed, false).await.expect("signed in");
    assert!(armed.works(&signed_in).await);
    let another = armed.challenged().await;
    assert_eq!(refused(armed.answer(&another, &typed, false).await), Code::InvalidMfaCode);
    let other = Answer::read(None, Some(&armed.recovery[4])).expect("a code");
    let signed_in = armed.answer(&another, &other, false).await.expect("signed in");
    // Who has only these left can switch it off.
    let sessions = armed.bench.sessions();
    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect("live");
    let last = Answer::read(None, Some(&armed.recovery[5])).expect("a code");
    sessions.disable(&current, &last, &settings(), HOME).await.expect("off");
    assert!(matches!(armed.first_step(None).await, Ok(FirstStep::Authenticated(_))));
}

/// For who has lost everything: an operator.
pub async fn an_operator_switches_a_lost_second_factor_off<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store, host).await;
    let second = armed.challenged().await;
    let revoked =
        armed.bench.sessions().reset_factor(armed.bench.user, &Origin::operator("ops/ada")).await.expect("reset");
    assert_eq!(revoked.count, 1);
    let right = code(&armed.seed, armed.step());
    assert_eq!(refused(armed.answer(&second, &right, false).await), Code::MfaExpired, "begun before");
    assert!(matches!(armed.first_step(None).await, Ok(FirstStep::Authenticated(_))));
}

/// What a device shows works once, and only instead of the code.
pub async fn a_trusted_device_skips_the_second_factor_and_its_secret_rotates<
    S: Store,
    H: Clock + Rng + Clone + 'static,
>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store.clone(), host.clone()).await;
    let trusting = armed.through(armed.step(), true).await;
    let first = device_token(&trusting).expect("a device token");
    let now = armed.bench.host.now();
    assert!(trusting.slot.trusted(now).is_some());

    let Ok(FirstStep::Authenticated(skipped)) = armed.first_step(Some(first.clone())).await else {
        panic!("the device did not skip the second factor");
    };
    let second = device_token(&skipped).expect("the next one");
    assert_ne!(first, second);
    assert!(skipped.slot.mfa_verified_at.is_none(), "a device is not a second factor");
    assert_eq!(skipped.slot.trusted(now), trusting.slot.trusted(now));
    // A second tab that shows the same token within the grace is given the same next one.
    let Ok(FirstStep::Authenticated(again)) = armed.first_step(Some(first)).await else {
        panic!("the previous token is good within the grace");
    };
    assert_eq!(device_token(&again).as_ref(), Some(&second));
    // The password is still asked for.
    let wrong = SignInRequest {
        device_token: Some(second.clone()),
        password: "not the password".into(),
        ..armed.bench.request()
    };
    assert_eq!(refused(armed.service().sign_in(&wrong).await), Code::InvalidCredentials);
    // The device of another user does not belong to this account.
    let stranger = Armed::new(store, host).await;
    assert!(matches!(stranger.first_step(Some(second.clone())).await, Ok(FirstStep::MfaRequired(_))));
    for garbage in ["", "hf1", "hf1.a.0.b.c", &second[1..]] {
        assert!(matches!(armed.first_step(Some(garbage.into())).await, Ok(FirstStep::MfaRequired(_))), "{garbage}");
    }
    // Two at once: both skip, and both devices hold the same token afterwards.
    let (a, b) = tokio::join!(armed.first_step(Some(second.clone())), armed.first_step(Some(second.clone())));
    let tokens: Vec<_> = [a, b].into_iter().map(|outcome| outcome.expect("answered").session()).collect();
    let tokens: Vec<_> = tokens.iter().map(|made| made.as_ref().and_then(device_token)).collect();
    assert!(tokens[0].is_some() && tokens[0] == tokens[1], "{tokens:?}");
    assert_ne!(tokens[0].as_ref(), Some(&second));
}

/// A new password, or a factor that is switched off and on, starts trust anew.
pub async fn a_trusted_device_is_forgotten_with_the_password_or_the_factor<
    S: Store,
    H: Clock + Rng + Clone + 'static,
>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store.clone(), host.clone()).await;
    let trusting = armed.through(armed.step(), true).await;
    let device = device_token(&trusting).expect("a device token");
    let sessions = armed.bench.sessions();
    let current = sessions.identify(Some(&trusting.tokens.access.text())).await.expect("live");
    sessions.disable(&current, &code(&armed.seed, armed.step() + 1), &settings(), HOME).await.expect("off");
    let (seed, _) = sessions.enroll(&current, &settings(), &Origin::client(HOME)).await.expect("enrolled");
    sessions.activate(&current, &code(&seed, armed.step()), &settings(), HOME).await.expect("on again");
    assert!(matches!(armed.first_step(Some(device)).await, Ok(FirstStep::MfaRequired(_))), "another factor");

    let armed = Armed::new(store, host).await;
    let trusting = armed.through(armed.step(), true).await;
    let device = device_token(&trusting).expect("a device token");
    let sessions = armed.bench.sessions();
    let current = sessions.identify(Some(&trusting.tokens.access.text())).await.expect("live");
    let change = PasswordRequest { current: PASSWORD.into(), new: NEW_PASSWORD.into(), ip: "192.0.2.1".into() };
    let revoked = sessions.change_password(&PlainPasswords, &limits(), &current, &change).await.expect("changed");
    assert_eq!(revoked.count, 1, "the session that switched the factor on");
    assert!(armed.works(&trusting).await, "the session that changed it stays");
    let request = SignInRequest { device_token: Some(device), password: NEW_PASSWORD.into(), ..armed.bench.request() };
    assert!(matches!(armed.service().sign_in(&request).await, Ok(FirstStep::MfaRequired(_))));
    assert_eq!(refused(armed.first_step(None).await), Code::InvalidCredentials, "the old password");
}

/// A sign-in that waits for its second factor belongs to the account as it was.
pub async fn a_sign_in_that_waits_dies_with_the_account_it_began_with<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store, host).await;
    let second = armed.challenged().await;
    let sessions = armed.bench.sessions();
    let change = PasswordRequest { current: PASSWORD.into(), new: NEW_PASSWORD.into(), ip: "192.0.2.1".into() };
    sessions.change_password(&PlainPasswords, &limits(), &armed.current, &change).await.expect("changed");
    let right = code(&armed.seed, armed.step());
    assert_eq!(refused(armed.answer(&second, &right, false).await), Code::MfaExpired);
    assert_eq!(refused(armed.answer(&second, &right, false).await), Code::MfaExpired);
    assert_eq!(armed.bench.live().await.len(), 1);
}

/// Sign-ins with the old password race its change: none of them is left when the change is answered.
pub async fn an_old_password_never_outlives_its_change<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
    rounds: usize,
) {
    let bench = Bench::new(store, host).await;
    let (mut old, mut new) = (PASSWORD, NEW_PASSWORD);
    for round in 0..rounds {
        let service = bench.sign_in_service(Policy::default());
        let request = |password: &str| SignInRequest { password: password.into(), ..bench.request() };
        let Ok(FirstStep::Authenticated(signed_in)) = service.sign_in(&request(old)).await else {
            panic!("round {round}")
        };
        let sessions = bench.sessions();
        let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect("live");
        let change = PasswordRequest { current: old.into(), new: new.into(), ip: "192.0.2.1".into() };
        let (racing, limits) = (request(old), limits());
        let (changed, raced) = tokio::join!(
            sessions.change_password(&PlainPasswords, &limits, &current, &change),
            join_all((0..4).map(|_| service.sign_in(&racing)))
        );
        match changed {
            Ok(_) => {}
            // One of the four evicted the very session that asks.
            Err(failure) => assert_eq!(failure.code, Code::Unauthenticated, "round {round}"),
        }
        let state = bench.store.user(bench.user).await.expect("read").expect("a user");
        if state.account.password == format!("plain:{new}") {
            let live = bench.live().await;
            assert_eq!(live.len(), 1, "round {round}: a session of the old password lives");
            assert_eq!(live[0].sid, current.slot.sid);
            for answer in raced.into_iter().flatten() {
                let FirstStep::Authenticated(other) = answer else { panic!("no second factor") };
                assert!(sessions.identify(Some(&other.tokens.access.text())).await.is_err(), "round {round}");
            }
            std::mem::swap(&mut old, &mut new);
        }
    }
}

/// Wrong passwords from one network leave the others alone; known and unknown e-mails are answered alike.
pub async fn a_stranger_elsewhere_locks_nobody_out<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let mut service = bench.sign_in_service(Policy::default());
    service.limits = SignInLimits::default();
    let from = |ip: &str, password: &str| SignInRequest { ip: ip.into(), password: password.into(), ..bench.request() };
    let mut codes = Vec::new();
    for _ in 0..7 {
        codes.push(refused(service.sign_in(&from("198.51.100.9", "not the password")).await));
    }
    assert_eq!(codes[..5], [Code::InvalidCredentials; 5]);
    assert_eq!(codes[5..], [Code::TooManyAttempts; 2]);
    assert_eq!(refused(service.sign_in(&from("198.51.100.9", PASSWORD)).await), Code::TooManyAttempts);
    assert!(service.sign_in(&from("192.0.2.1", PASSWORD)).await.is_ok(), "the owner is elsewhere");
    let key = holdfast_sessions::email::Email::parse(&bench.email).expect("an e-mail").key();
    let budgets = holdfast_sessions::attempts::Passwords::new(&key, HOME, &service.limits);
    let counters = bench.store.counters(&[budgets.account_network]).await.expect("read");
    assert_eq!((counters[0].count, counters[0].run), (0, 0), "a sign-in that completes gives its attempt back");
    assert!(counters[0].is_known(bench.host.now()), "and its network is known");
}

/// A pending seed belongs to the session that requested it. No other session receives it, and it ends with the account
/// epoch.
pub async fn a_pending_seed_belongs_to_the_session_that_asked<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let sessions = bench.sessions();
    let (one, other) = (bench.sign_in().await, bench.sign_in().await);
    let thief = sessions.identify(Some(&one.tokens.access.text())).await.expect("live");
    let owner = sessions.identify(Some(&other.tokens.access.text())).await.expect("live");
    let origin = Origin::client(HOME);
    let asked = settings();
    let parallel = join_all((0..4).map(|_| sessions.enroll(&thief, &asked, &origin))).await;
    let seeds: Vec<_> = parallel.into_iter().map(|answer| answer.expect("a seed").0).collect();
    assert!(seeds.iter().all(|seed| *seed == seeds[0]), "one session, one seed");
    let (own, _) = sessions.enroll(&owner, &settings(), &origin).await.expect("a seed of its own");
    assert_ne!(own, seeds[0], "a thief's seed never becomes the owner's");
    let now = step_at(bench.host.now());
    let outcome = sessions.activate(&thief, &code(&own, now), &settings(), HOME).await;
    assert_eq!(refused(outcome), Code::InvalidRequest, "it was handed out to another session");
    // A changed password deletes it.
    let change = PasswordRequest { current: PASSWORD.into(), new: NEW_PASSWORD.into(), ip: HOME.into() };
    sessions.change_password(&PlainPasswords, &limits(), &owner, &change).await.expect("changed");
    let outcome = sessions.activate(&owner, &code(&own, now), &settings(), HOME).await;
    assert_eq!(refused(outcome), Code::InvalidRequest);
    let (fresh, _) = sessions.enroll(&owner, &settings(), &origin).await.expect("another");
    assert_ne!(fresh, own);
    let on = sessions.activate(&owner, &code(&fresh, now), &settings(), HOME).await.expect("on");
    assert!(on.slot.mfa_verified_at.is_some());
}

/// What a live session may guess is counted for the session, from however many networks it does.
pub async fn a_stolen_session_guesses_no_more_from_more_networks<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let armed = Armed::new(store, host).await;
    let sessions = armed.bench.sessions();
    let few = FactorSettings { limits: SignInLimits::default(), ..settings() };
    let mut compared = 0;
    for network in 0..12 {
        let request = ReauthenticationRequest {
            password: "not the password".into(),
            answer: None,
            ip: format!("198.51.{network}.1"),
        };
        let outcome = sessions.reauthenticate(&PlainPasswords, &few, &armed.current, &request).await;
        compared += usize::from(refused(outcome) == Code::InvalidCredentials);
    }
    assert_eq!(compared, 5, "the budget of one session");
    let mut compared = 0;
    for (network, wrong) in wrong_codes(&armed.seed, armed.bench.host.now(), 14).into_iter().enumerate() {
        let outcome = sessions.disable(&armed.current, &wrong, &few, &format!("198.51.{network}.1")).await;
        compared += usize::from(refused(outcome) == Code::InvalidMfaCode);
    }
    assert_eq!(compared, 10);
    // The owner, at home, signs in and reauthenticates as before.
    let owner = armed.through(armed.step(), false).await;
    let current = sessions.identify(Some(&owner.tokens.access.text())).await.expect("live");
    let request = ReauthenticationRequest {
        password: PASSWORD.into(),
        answer: Some(code(&armed.seed, armed.step() + 1)),
        ip: HOME.into(),
    };
    let (slot, _) = sessions.reauthenticate(&PlainPasswords, &few, &current, &request).await.expect("there");
    assert!(slot.mfa_verified_at.is_some());
    // A code is spent, wherever it was shown.
    assert_eq!(refused(sessions.reauthenticate(&PlainPasswords, &few, &current, &request).await), Code::InvalidMfaCode);
}

/// A session that came by a trusted device is no second factor: it changes nothing sensitive before it has shown one.
pub async fn a_session_by_device_is_not_verified<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let armed = Armed::new(store, host).await;
    let trusting = armed.through(armed.step(), true).await;
    let Ok(FirstStep::Authenticated(by_device)) = armed.first_step(device_token(&trusting)).await else {
        panic!("not by device");
    };
    let sessions = armed.bench.sessions();
    let current = sessions.identify(Some(&by_device.tokens.access.text())).await.expect("live");
    let origin = Origin::client(HOME);
    let change = PasswordRequest { current: PASSWORD.into(), new: NEW_PASSWORD.into(), ip: HOME.into() };
    let next = code(&armed.seed, armed.step() + 1);
    let trust = TrustRequest { sid: by_device.slot.sid, trusted: true, expected_versions: None, trust_seconds: 60 };
    for outcome in [
        sessions.change_password(&PlainPasswords, &limits(), &current, &change).await.err(),
        sessions.disable(&current, &next, &settings(), HOME).await.err(),
        sessions.renew_recovery_codes(&current, &origin).await.err(),
    ] {
        assert_eq!(outcome.map(|failure| failure.code), Some(Code::ReauthenticationRequired));
    }
    let kept = sessions.set_trust(&current, &trust, &origin).await.expect("already trusted: only its version grows");
    assert!(kept.device_token.is_none(), "a device alone never makes itself a new token");
    // The password alone does not make it verified either.
    let password = ReauthenticationRequest { password: PASSWORD.into(), answer: None, ip: HOME.into() };
    sessions.reauthenticate(&PlainPasswords, &settings(), &current, &password).await.expect("recent");
    let outcome = sessions.change_password(&PlainPasswords, &limits(), &current, &change).await;
    assert_eq!(refused(outcome), Code::ReauthenticationRequired);
    let both = ReauthenticationRequest { answer: Some(next), ..password };
    sessions.reauthenticate(&PlainPasswords, &settings(), &current, &both).await.expect("verified");
    let renewed = sessions.renew_recovery_codes(&current, &origin).await.expect("renewed");
    assert_eq!(renewed.expose().len(), 10);
    assert!(renewed.expose().iter().all(|code| !armed.recovery.contains(code)));
    sessions.change_password(&PlainPasswords, &limits(), &current, &change).await.expect("changed");
    // Nothing is trusted any more: neither flag, nor list, nor token.
    let current = sessions.identify(Some(&by_device.tokens.access.text())).await.expect("live");
    assert!(current.slot.trust.is_none() && sessions.devices(&current).await.expect("read").is_empty());
    let request = SignInRequest {
        device_token: device_token(&by_device),
        password: NEW_PASSWORD.into(),
        ..armed.bench.request()
    };
    assert!(matches!(armed.service().sign_in(&request).await, Ok(FirstStep::MfaRequired(_))));
}

/// Trusting and ending race: a session that was ended leaves no device that works.
pub async fn a_revoked_session_leaves_no_trusted_device<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let sessions = bench.sessions();
    let origin = Origin::client(HOME);
    for round in 0..12 {
        let (owner, thief) = (bench.sign_in().await, bench.sign_in().await);
        let mine = sessions.identify(Some(&owner.tokens.access.text())).await.expect("live");
        let theirs = sessions.identify(Some(&thief.tokens.access.text())).await.expect("live");
        let trust = TrustRequest { sid: thief.slot.sid, trusted: true, expected_versions: None, trust_seconds: 60 };
        let (ended, trusted, again) = tokio::join!(
            sessions.revoke(&mine, thief.slot.sid, &origin),
            sessions.set_trust(&theirs, &trust, &origin),
            sessions.set_trust(&theirs, &trust, &origin),
        );
        assert_eq!(ended.expect("ended").count, 1);
        let left = sessions.devices(&mine).await.expect("read");
        assert!(left.is_empty(), "round {round}: {trusted:?} {again:?}");
        sessions.revoke_all(&mine, false, &origin).await.expect("ended");
    }
}

/// A seed that version 0.1.0 kept in plain text is sealed at its next use, and does not open for another user.
pub async fn a_plain_seed_is_sealed_at_its_next_use<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let armed = Armed::new(store.clone(), host).await;
    let state = store.user(armed.bench.user).await.expect("read").expect("a user");
    let sealed = match state.account.mfa.enabled.expect("on").seed {
        KeptSeed::Sealed(sealed) => sealed,
        KeptSeed::Plain(_) => panic!("a new seed is never kept in plain text"),
    };
    use holdfast_sessions::ports::SecretBox as _;
    let other = holdfast_sessions::UserId::from_bytes([77; 16]);
    assert!(UserBox.open(other, &sealed).await.is_err(), "sealed for one user");
    let signed_in = armed.through(armed.step(), false).await;
    assert!(armed.works(&signed_in).await);
    // What another request has sealed meanwhile is left alone.
    store.seal_seed(armed.bench.user, &armed.seed, b"something else").await.expect("not plain any more");
    let state = store.user(armed.bench.user).await.expect("read").expect("a user");
    assert_eq!(state.account.mfa.enabled.expect("on").seed, KeptSeed::Sealed(sealed));
}
