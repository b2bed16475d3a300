//! Sessions for users whom a service has authenticated: an identity is the only key of its account.

use futures_util::future::join_all;
use holdfast_sessions::account::{Identity, NO_PASSWORD, Status};
use holdfast_sessions::change::Origin;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::email::Email;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_sessions::service::{
    FactorSettings, PasswordRequest, ReauthenticationRequest, Registration, SignIn, SignInRequest, SignedIn,
    TrustRequest, Vouched, VouchedRequest,
};
use holdfast_sessions::session::Slot;
use holdfast_sessions::{Failure, Millis, SessionId, UserId};

use super::bench::{Bench, PASSWORD, PlainPasswords, Store, UserBox};

fn identity(provider: &str, subject: &str) -> Identity {
    Identity::accept(provider, subject).expect("an identity")
}

/// What a service says that knows only the identity.
fn asks(identity: &Identity) -> VouchedRequest {
    VouchedRequest {
        identity: identity.clone(),
        email: None,
        claims: None,
        session: None,
        stay_signed_in: false,
        device_name: None,
        mfa_verified: false,
        authenticated_at: None,
        to_browser: false,
        user_agent: "curl/8".into(),
        ip: "192.0.2.1".into(),
    }
}

async fn vouch<S: Store, H: Clock + Rng + Clone + 'static>(
    bench: &Bench<S, H>,
    request: VouchedRequest,
) -> Result<Vouched, Failure> {
    let SignIn { store, cache, host, policy, limits, .. } = bench.sign_in_service(Policy::default());
    SignIn { store, cache, verifier: (), host, policy, limits }.sign_in_vouched(&request).await
}

async fn signed_in<S: Store, H: Clock + Rng + Clone + 'static>(
    bench: &Bench<S, H>,
    request: VouchedRequest,
) -> SignedIn {
    match vouch(bench, request).await.expect("vouched for") {
        Vouched::SignedIn(signed_in) => *signed_in,
        Vouched::Renewed(..) => panic!("no session was named"),
    }
}

async fn refused<S: Store, H: Clock + Rng + Clone + 'static>(bench: &Bench<S, H>, request: VouchedRequest) -> Code {
    vouch(bench, request).await.expect_err("refused").code
}

async fn slots<S: Store, H: Clock + Rng + Clone + 'static>(bench: &Bench<S, H>, user: UserId) -> Vec<Slot> {
    let state = bench.store.user(user).await.expect("read").expect("a user");
    let now = bench.host.now();
    state.slots.into_iter().filter(|slot| slot.is_live(now)).collect()
}

/// A provider of its own, because all checks may share one store.
fn provider<H: Rng>(host: &H) -> String {
    format!("urn:{}", SessionId::from_bytes(host.random()))
}

/// One identity has one account and two identities have two, with the same e-mail address or with others.
pub async fn an_identity_is_the_only_key_of_its_account<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let (one, two) = (provider(&bench.host), provider(&bench.host));
    let with = |identity: &Identity, email: &str| VouchedRequest { email: Some(email.into()), ..asks(identity) };
    let ada = identity(&one, "ada");
    let first = signed_in(&bench, with(&ada, "ada@example.com")).await;
    let user = first.slot.at.user;
    assert_eq!((first.slot.identity.as_ref(), first.slot.email.as_str()), (Some(&ada), "ada@example.com"));
    assert!(bench.sessions().identify(Some(&first.tokens.access.text())).await.is_ok());
    for email in ["ada@example.com", "other@example.com", "ADA@EXAMPLE.COM"] {
        assert_eq!(signed_in(&bench, with(&ada, email)).await.slot.at.user, user, "{email}");
    }
    assert_eq!(signed_in(&bench, asks(&ada)).await.slot.at.user, user, "no e-mail at all");
    let others = [
        identity(&two, "ada"),
        identity(&one, "Ada"),
        identity(&one, "ada "),
        identity(&one, "adà"),
        identity(&one, "ada\u{300}"),
        identity(&one, "ａｄａ"),
        identity(&one, "ADA"),
        // With a Cyrillic letter, which looks the same.
        identity(&one, "ad\u{430}"),
        identity(&one.to_uppercase(), "ada"),
    ];
    let mut users = vec![user];
    for other in &others {
        let made = signed_in(&bench, with(other, "ada@example.com")).await.slot.at.user;
        assert!(!users.contains(&made), "{other:?} reached another account");
        assert_eq!(signed_in(&bench, asks(other)).await.slot.at.user, made, "{other:?}");
        users.push(made);
    }
    assert_eq!(slots(&bench, user).await.len(), 5, "its own sessions only");
}

/// Parallel first calls make one account, and each makes a session of it.
pub async fn parallel_first_calls_make_one_account<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let new = identity(&provider(&bench.host), "s");
    let made = join_all((0..5).map(|_| signed_in(&bench, asks(&new)))).await;
    let user = made[0].slot.at.user;
    assert!(made.iter().all(|session| session.slot.at.user == user));
    assert_eq!(slots(&bench, user).await.len(), 5);
}

/// Neither an e-mail address nor the id of a session leads to an account with a password.
pub async fn an_identity_reaches_no_account_with_a_password<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let owner = bench.sign_in().await;
    let before = slots(&bench, bench.user).await;
    let new = identity(&provider(&bench.host), "s");
    let by_email = VouchedRequest { email: Some(bench.email.clone()), ..asks(&new) };
    let by_session = VouchedRequest {
        session: Some(owner.slot.sid),
        claims: Some(Claims::parse(r#"{"a":1}"#).expect("an object")),
        mfa_verified: true,
        ..by_email.clone()
    };
    assert_eq!(refused(&bench, by_session.clone()).await, Code::NotFound, "an identity without an account");
    assert_eq!(bench.store.user_of_identity(&new.key()).await, Ok(None), "and none was made");
    let made = signed_in(&bench, by_email).await;
    assert_ne!(made.slot.at.user, bench.user);
    assert_eq!(refused(&bench, by_session).await, Code::NotFound, "an identity with an account");
    assert_eq!(slots(&bench, bench.user).await, before, "the owner's sessions are as they were");
    let account = bench.store.user(bench.user).await.expect("read").expect("a user").account;
    assert_eq!((account.identity, account.claims.is_empty()), (None, true));
    assert_eq!(slots(&bench, made.slot.at.user).await.len(), 1);
    // The address still belongs to its owner, who signs in with it.
    assert_eq!(bench.sign_in().await.slot.at.user, bench.user);
}

/// An attacker labels an account with the address of its victim. Trusted devices of that account give the attacker no more
/// guesses at the victim's password, and its deletion gives none back.
pub async fn a_label_opens_and_clears_no_budget_of_the_owner_of_the_address<
    S: Store,
    H: Clock + Rng + Clone + 'static,
>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let (sessions, origin) = (bench.sessions(), Origin::operator("ops/ada"));
    let limits = SignInLimits { max_login_attempts: 2, ..SignInLimits::default() };
    let SignIn { store, cache, verifier, host, policy, .. } = bench.sign_in_service(Policy::default());
    let service = SignIn { store, cache, verifier, host, policy, limits: limits.clone() };
    let thief = identity(&provider(&bench.host), "thief");
    let made = signed_in(&bench, VouchedRequest { email: Some(bench.email.clone()), ..asks(&thief) }).await;
    let current = sessions.identify(Some(&made.tokens.access.text())).await.expect("live");
    let trust = TrustRequest { sid: made.slot.sid, trusted: true, expected_versions: None, trust_seconds: 3_600 };
    let mut outcomes = Vec::new();
    for number in 0..4 {
        // A new device each time, as a thief can have it.
        let device = sessions.set_trust(&current, &trust, &origin).await.expect("trusted").device_token;
        let guess = SignInRequest {
            password: format!("a wrong guess {number}"),
            device_token: device.map(|token| token.text()),
            ..bench.request()
        };
        assert!(guess.device_token.is_some());
        outcomes.push(service.sign_in(&guess).await.expect_err("a wrong password").code);
    }
    let (wrong, over) = (Code::InvalidCredentials, Code::TooManyAttempts);
    assert_eq!(outcomes, [wrong, wrong, over, over], "the budget of a stranger from this network");
    let counts = || async {
        let status = sessions.attempt_status(&bench.email, "192.0.2.1", &limits).await.expect("status");
        status.iter().map(|budget| budget.count).collect::<Vec<_>>()
    };
    let before = counts().await;
    sessions.begin_deletion(made.slot.at.user, &origin).await.expect("begun");
    sessions.finish_deletion(made.slot.at.user, &limits).await.expect("deleted");
    assert_eq!(counts().await, before, "the owner's budgets are as they were");
    assert_eq!(bench.sign_in().await.slot.at.user, bench.user, "the address is the owner's");
}

/// An account of an identity gets no password and no second factor of its own: no sign-in would ask for them.
pub async fn an_account_of_an_identity_has_no_password_and_no_second_factor<
    S: Store,
    H: Clock + Rng + Clone + 'static,
>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let (sessions, origin) = (bench.sessions(), Origin::operator("ops/ada"));
    let own = identity(&provider(&bench.host), "s");
    let made = signed_in(&bench, asks(&own)).await;
    let user = made.slot.at.user;
    let current = sessions.identify(Some(&made.tokens.access.text())).await.expect("live");
    let new = "another correct horse";
    let set = sessions.set_password(&PlainPasswords, user, new, &origin).await;
    assert_eq!(set.map_err(|failure| failure.code), Err(Code::InvalidRequest));
    let settings = FactorSettings { issuer: "Holdfast".into(), limits: SignInLimits::default(), secrets: UserBox };
    let enrolled = sessions.enroll(&current, &settings, &origin).await;
    assert_eq!(enrolled.map(|_| ()).map_err(|failure| failure.code), Err(Code::Forbidden));
    let again = ReauthenticationRequest { password: PASSWORD.into(), answer: None, ip: "192.0.2.1".into() };
    let shown = sessions.reauthenticate(&PlainPasswords, &settings, &current, &again).await;
    assert_eq!(shown.map(|_| ()).map_err(|failure| failure.code), Err(Code::InvalidCredentials));
    let change = PasswordRequest { current: PASSWORD.into(), new: new.into(), ip: "192.0.2.1".into() };
    let changed = sessions.change_password(&PlainPasswords, &SignInLimits::default(), &current, &change).await;
    assert_eq!(changed.map(|_| ()).map_err(|failure| failure.code), Err(Code::InvalidCredentials));
    let account = bench.store.user(user).await.expect("read").expect("a user").account;
    assert!(account.mfa.pending.is_none() && account.password == NO_PASSWORD);
    assert_eq!(slots(&bench, user).await.len(), 1, "and its session lives on");
}

/// The rules of sessions hold: the limit, the status of the account, and its end.
pub async fn the_rules_of_sessions_hold_for_an_identity<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let (sessions, origin) = (bench.sessions(), Origin::operator("ops/ada"));
    let user_of = identity(&provider(&bench.host), "s");
    let first = signed_in(&bench, VouchedRequest { stay_signed_in: true, ..asks(&user_of) }).await;
    let user = first.slot.at.user;
    assert!(first.slot.stay_signed_in && first.slot.absolute_expires_at > first.slot.created_at.plus_seconds(86_400));
    for _ in 0..6 {
        signed_in(&bench, asks(&user_of)).await;
    }
    assert_eq!(slots(&bench, user).await.len(), 5);
    let (_, tokens, _) = {
        let last = signed_in(&bench, asks(&user_of)).await;
        sessions.refresh(&last.tokens.refresh.text(), &origin).await.expect("refreshed")
    };
    sessions.set_status(user, Status::Disabled, &origin).await.expect("disabled");
    assert!(sessions.identify(Some(&tokens.access.text())).await.is_err());
    for request in [asks(&user_of), VouchedRequest { session: Some(first.slot.sid), ..asks(&user_of) }] {
        assert_eq!(refused(&bench, request).await, Code::AccountDisabled);
    }
    sessions.set_status(user, Status::Active, &origin).await.expect("enabled");
    assert_eq!(signed_in(&bench, asks(&user_of)).await.slot.at.user, user);
    // A deleted user is never found again. The next session of the identity belongs to a new user.
    sessions.begin_deletion(user, &origin).await.expect("begun");
    assert_eq!(refused(&bench, asks(&user_of)).await, Code::AccountDisabled);
    sessions.finish_deletion(user, &SignInLimits::default()).await.expect("deleted");
    let made = signed_in(&bench, asks(&user_of)).await;
    assert_ne!(made.slot.at.user, user);
    assert!(made.slot.claims.is_empty());
}

/// A user who was deleted and is made again has another account. Nothing that the first one was given opens it, and a deletion
/// of the first one that is repeated late deletes nothing of it.
pub async fn a_user_who_is_made_again_gets_nothing_of_the_first<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let (sessions, origin) = (bench.sessions(), Origin::operator("ops/ada"));
    let own = identity(&provider(&bench.host), "s");
    let claims = Claims::parse(r#"{"role":"admin"}"#).expect("an object");
    let request = VouchedRequest { email: Some("ada@example.com".into()), claims: Some(claims), ..asks(&own) };
    let old = signed_in(&bench, request).await;
    let current = sessions.identify(Some(&old.tokens.access.text())).await.expect("live");
    let trust = TrustRequest { sid: old.slot.sid, trusted: true, expected_versions: None, trust_seconds: 3_600 };
    sessions.set_trust(&current, &trust, &origin).await.expect("trusted");
    let first = old.slot.at.user;
    sessions.begin_deletion(first, &origin).await.expect("begun");
    sessions.finish_deletion(first, &SignInLimits::default()).await.expect("deleted");

    let new = signed_in(&bench, asks(&own)).await;
    let user = new.slot.at.user;
    assert_ne!(user, first);
    assert!(new.slot.claims.is_empty() && new.slot.email.is_empty() && new.slot.trust.is_none());
    assert!(bench.store.devices(user).await.expect("read").is_empty(), "no device is trusted");
    assert!(sessions.identify(Some(&old.tokens.access.text())).await.is_err(), "its access token");
    assert!(sessions.refresh(&old.tokens.refresh.text(), &origin).await.is_err(), "its refresh token");
    let renewal = VouchedRequest { session: Some(old.slot.sid), ..asks(&own) };
    assert_eq!(refused(&bench, renewal).await, Code::NotFound, "the id of its session");
    assert!(sessions.end_any(user, old.slot.sid, &origin).await.is_err(), "it is no session of the second user");

    let again = sessions.finish_deletion(first, &SignInLimits::default()).await;
    assert_eq!(again.map_err(|failure| failure.code), Err(Code::NotFound));
    assert_eq!(bench.store.user_of_identity(&own.key()).await, Ok(Some(user)), "the identity is the second user's");
    assert!(sessions.identify(Some(&new.tokens.access.text())).await.is_ok());

    // The same for an account with a password, which is registered again with another spelling of its address.
    let old = bench.sign_in().await;
    sessions.begin_deletion(bench.user, &origin).await.expect("begun");
    sessions.finish_deletion(bench.user, &SignInLimits::default()).await.expect("deleted");
    let registration = Registration {
        store: bench.store.clone(),
        passwords: PlainPasswords,
        host: bench.host.clone(),
        open: true,
        per_network: 1,
    };
    let address = Email::parse(&bench.email.to_uppercase()).expect("an address");
    let new = registration.create(&address, PASSWORD, &Origin::default()).await.expect("registered");
    assert_ne!(new.user, bench.user);
    assert_eq!(bench.sign_in().await.slot.at.user, new.user);
    assert!(sessions.identify(Some(&old.tokens.access.text())).await.is_err(), "its access token");
    assert!(sessions.refresh(&old.tokens.refresh.text(), &origin).await.is_err(), "its refresh token");
    let again = sessions.finish_deletion(bench.user, &SignInLimits::default()).await;
    assert_eq!(again.map_err(|failure| failure.code), Err(Code::NotFound));
    assert_eq!(bench.sign_in().await.slot.at.user, new.user, "the address is the second user's");
}

/// A session becomes recent without a second one, by the identity that it belongs to and by no other.
pub async fn an_identity_renews_its_own_session<S: Store>(store: S, host: crate::ManualHost) {
    let bench = Bench::new(store, host.clone()).await;
    let (own, other) = (identity(&provider(&host), "own"), identity(&provider(&host), "other"));
    let at = host.now().plus_seconds(-1_000);
    let made = signed_in(&bench, VouchedRequest { authenticated_at: Some(at), mfa_verified: true, ..asks(&own) }).await;
    signed_in(&bench, asks(&other)).await;
    let user = made.slot.at.user;
    assert_eq!((made.slot.authenticated_at, made.slot.mfa_verified_at), (at, Some(at)));
    assert!(!made.slot.is_recent(host.now()), "the service authenticated the user long ago");
    let renewal = |identity: &Identity| VouchedRequest { session: Some(made.slot.sid), ..asks(identity) };
    assert_eq!(refused(&bench, renewal(&other)).await, Code::NotFound);
    let unknown = VouchedRequest { session: Some(SessionId::from_bytes([9; 16])), ..asks(&own) };
    assert_eq!(refused(&bench, unknown).await, Code::NotFound);
    let Vouched::Renewed(slot, _) = vouch(&bench, renewal(&own)).await.expect("renewed") else {
        panic!("another session was made")
    };
    let there = slots(&bench, user).await;
    assert_eq!(there.len(), 1, "no second session");
    let facts = |slot: &Slot| (slot.sid, slot.version, slot.authenticated_at, slot.mfa_verified_at);
    assert_eq!(facts(&there[0]), facts(&slot), "the store has what was answered");
    assert!(slot.is_recent(host.now()) && slot.version == made.slot.version + 1);
    assert_eq!(slot.mfa_verified_at, Some(at), "no second factor was shown this time");
    // What a service says late takes nothing back.
    let late = VouchedRequest { authenticated_at: Some(at), ..renewal(&own) };
    let Vouched::Renewed(later, _) = vouch(&bench, late).await.expect("renewed") else { panic!("another session") };
    assert_eq!(later.authenticated_at, slot.authenticated_at);
    assert!(bench.sessions().identify(Some(&made.tokens.access.text())).await.is_ok(), "its tokens stay");
    let future = VouchedRequest { authenticated_at: Some(host.now().plus_seconds(61)), ..asks(&own) };
    assert_eq!(refused(&bench, future).await, Code::InvalidRequest);
    let ancient = VouchedRequest { authenticated_at: Some(Millis::new(-1)), ..asks(&own) };
    assert_eq!(refused(&bench, ancient).await, Code::InvalidRequest);
    let skewed = VouchedRequest { authenticated_at: Some(host.now().plus_seconds(60)), ..asks(&own) };
    assert_eq!(signed_in(&bench, skewed).await.slot.authenticated_at, host.now(), "never later than now");
    let oldest = VouchedRequest { authenticated_at: Some(Millis::new(0)), ..asks(&own) };
    assert_eq!(signed_in(&bench, oldest).await.slot.authenticated_at, Millis::new(0));
    // A renewal with a second factor and with claims: the store has both, and everything that was answered.
    host.advance_seconds(60);
    let claims = Claims::parse(r#"{"role":"editor"}"#).expect("an object");
    let full = VouchedRequest { mfa_verified: true, claims: Some(claims.clone()), ..renewal(&own) };
    let Vouched::Renewed(full, _) = vouch(&bench, full).await.expect("renewed") else { panic!("another session") };
    let there = slots(&bench, user).await.into_iter().find(|slot| slot.sid == made.slot.sid).expect("live");
    assert_eq!((facts(&there), there.last_updated_at), (facts(&full), full.last_updated_at));
    assert_eq!((there.mfa_verified_at, there.last_updated_at, &there.claims), (Some(host.now()), host.now(), &claims));
    assert_eq!(bench.store.user(user).await.expect("read").expect("a user").account.claims, claims);
}

/// The claims of a request are those of every session; a request without claims keeps them.
pub async fn a_service_sets_claims_with_a_session<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let own = identity(&provider(&bench.host), "s");
    let claims = |text: &str| Some(Claims::parse(text).expect("an object"));
    let (editor, reader) = (claims(r#"{"role":"editor"}"#), claims(r#"{"role":"reader"}"#));
    let first = signed_in(&bench, VouchedRequest { claims: editor.clone(), ..asks(&own) }).await;
    assert_eq!(Some(first.slot.claims.clone()), editor);
    assert_eq!(Some(signed_in(&bench, asks(&own)).await.slot.claims), editor, "kept");
    let again = signed_in(&bench, VouchedRequest { claims: editor.clone(), ..asks(&own) }).await;
    assert_eq!(Some(again.slot.claims), editor);
    signed_in(&bench, VouchedRequest { claims: reader.clone(), ..asks(&own) }).await;
    let user = first.slot.at.user;
    assert!(slots(&bench, user).await.iter().all(|slot| Some(&slot.claims) == reader.as_ref()));
    assert_eq!(slots(&bench, user).await.len(), 4, "nothing ended");
    let renewal = VouchedRequest { session: Some(first.slot.sid), claims: editor.clone(), ..asks(&own) };
    let Vouched::Renewed(slot, _) = vouch(&bench, renewal).await.expect("renewed") else { panic!("another session") };
    assert_eq!(Some(&slot.claims), editor.as_ref());
    assert!(slots(&bench, user).await.iter().all(|slot| Some(&slot.claims) == editor.as_ref()));
}
