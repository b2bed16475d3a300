//! What the session service promises, with many callers at once.

use futures_util::future::join_all;
use holdfast_sessions::UserId;
use holdfast_sessions::account::Account;
use holdfast_sessions::change::Origin;
use holdfast_sessions::email::Email;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Rng, Transacted};
use holdfast_sessions::service::{Registration, SignInRequest, TrustRequest};

use super::bench::{Bench, PlainPasswords, Store, refresh_keys};

/// Twenty tabs present one token: one generation, twenty answers that work.
pub async fn twenty_refreshes_of_one_token_make_one_generation<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let signed_in = bench.sign_in().await;
    let old = signed_in.tokens.refresh.text();
    let sessions = bench.sessions();
    let origin = Origin::default();
    let answers = join_all((0..20).map(|_| sessions.refresh(&old, &origin))).await;
    let mut pairs: Vec<_> = answers.into_iter().map(|a| a.expect("every tab is answered").1.refresh.text()).collect();
    pairs.dedup();
    assert_eq!(pairs.len(), 1);
    let slot = bench.store.slot(signed_in.slot.at).await.expect("read").expect("live");
    assert_eq!(refresh_keys(&slot).generation, 1);
    let (_, tokens, _) = sessions.refresh(&pairs[0], &Origin::default()).await.expect("the successor works");
    assert!(sessions.identify(Some(&tokens.access.text())).await.is_ok());

    // Its successor's successor exists: the first generation is theft now, grace or not.
    assert_eq!(sessions.refresh(&old, &Origin::default()).await.expect_err("refused").code, Code::RefreshTokenReused);
    assert!(sessions.identify(Some(&tokens.access.text())).await.is_err(), "the thief's and the owner's session alike");
    assert_eq!(
        sessions.refresh(&old, &Origin::default()).await.expect_err("refused").code,
        Code::InvalidRefreshToken,
        "no alarm twice"
    );
}

/// In every race, the live sessions never exceed the limit. Every sign-in makes one session, which is live or evicted.
pub async fn concurrent_sign_ins_never_exceed_the_limit<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
    sign_ins: usize,
) {
    let bench = Bench::new(store, host).await;
    let made = join_all((0..sign_ins).map(|_| bench.sign_in())).await;
    let live = bench.live().await;
    assert_eq!(live.len(), sign_ins.min(5));
    let mut sids: Vec<_> = made.iter().map(|s| s.slot.sid).collect();
    sids.sort_unstable();
    sids.dedup();
    assert_eq!(sids.len(), sign_ins, "exactly one session per sign-in");
    let sessions = bench.sessions();
    for signed_in in &made {
        let works = sessions.identify(Some(&signed_in.tokens.access.text())).await.is_ok();
        assert_eq!(works, live.iter().any(|s| s.sid == signed_in.slot.sid));
    }
}

/// When the limit is lowered, the next sign-in ends what is above it.
pub async fn a_lowered_limit_is_enforced_by_the_next_sign_in<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    for _ in 0..5 {
        bench.sign_in().await;
    }
    let policy = Policy { max_sessions: 2, ..Policy::default() };
    let newest = bench.sign_in_under(policy).await;
    let live = bench.live().await;
    assert_eq!(live.len(), 2);
    assert!(live.iter().any(|s| s.sid == newest.slot.sid));
}

/// A session above a lowered limit has already ended. A request that ends all sessions ends its slot and does not count
/// it.
pub async fn what_lies_above_a_lowered_limit_is_ended_and_not_counted<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(bench.sign_in().await);
    }
    let mut sessions = bench.sessions();
    sessions.policy = Policy { max_sessions: 2, ..Policy::default() };
    let caller = made.iter().find(|session| session.slot.at.slot.get() == 0).expect("five slots for five sessions");
    let current = sessions.identify(Some(&caller.tokens.access.text())).await.expect("below the limit");
    let revoked = sessions.revoke_all(&current, true, &Origin::default()).await.expect("ended");
    assert_eq!(revoked.count, 1, "the other one below the limit");
    let live = bench.live().await;
    assert!(live.len() == 1 && live[0].sid == caller.slot.sid, "whatever the limit becomes, nothing else comes back");
}

/// Of many edits under one `If-Match` exactly one succeeds.
pub async fn one_if_match_lets_one_edit_through<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let signed_in = bench.sign_in().await;
    let sessions = bench.sessions();
    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect("live");
    let wish = TrustRequest {
        sid: signed_in.slot.sid,
        trusted: true,
        expected_versions: Some(vec![signed_in.slot.version]),
        trust_seconds: 60,
    };
    let origin = Origin::default();
    let answers = join_all((0..8).map(|_| sessions.set_trust(&current, &wish, &origin))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 7));
    for refusal in bad {
        assert_eq!(refusal.err().map(|f| f.code), Some(Code::PreconditionFailed));
    }
}

/// A refresh that was checked before its session expired cannot restore the session after all were ended.
pub async fn an_end_all_buries_what_has_expired<S: Store>(store: S, host: crate::ManualHost) {
    use holdfast_sessions::ports::Conditional;
    use holdfast_sessions::rotation;
    use holdfast_sessions::token::RefreshToken;

    let bench = Bench::new(store.clone(), host.clone()).await;
    let sessions = bench.sessions();
    let (idle, kept) = (bench.sign_in().await, bench.sign_in().await);
    // The refresh is checked a moment before the session expires, and is then under way for a while.
    host.advance_seconds(1_800);
    let (_, kept, _) = sessions.refresh(&kept.tokens.refresh.text(), &Origin::default()).await.expect("refreshed");
    host.advance_seconds(1_799);
    let token = RefreshToken::parse(&idle.tokens.refresh.text()).expect("a token");
    let judged = host.now();
    let op = host.op();
    let (late, _) = rotation::rotate(&idle.slot, &token, host.random(), &Policy::default(), judged, op);
    host.advance_seconds(2);
    let (slot, kept, _) = sessions.refresh(&kept.refresh.text(), &Origin::default()).await.expect("refreshed");
    let current = sessions.identify(Some(&kept.access.text())).await.expect("live");
    assert_eq!(current.slot.sid, slot.sid);
    let revoked = sessions.revoke_all(&current, true, &Origin::default()).await.expect("revoked");
    assert_eq!(revoked.count, 0, "nothing else was live");
    let written = store.rotate(&late, &token.hash(), judged).await.expect("judged");
    assert!(matches!(written, Conditional::Refused(Some(there)) if there.ended.is_some()), "it came back");
}

/// Version 0.1.0 keyed some addresses by another form. From its owner's first sign-in on, such an account has every
/// spelling.
pub async fn an_account_of_before_has_every_spelling_of_its_address<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store, host).await;
    let unique = holdfast_sessions::SessionId::from_bytes(bench.host.random()).to_string().to_lowercase();
    let (small, capital) = (
        format!("\u{3bd}\u{3b9}\u{3ba}\u{3bf}\u{3c2}@{unique}.example.com"),
        format!("\u{39d}\u{399}\u{39a}\u{39f}\u{3a3}@{unique}.example.com"),
    );
    let email = Email::parse(&small).expect("an address");
    let legacy = email.legacy_key().expect("0.1.0 kept the final sigma");
    let state = bench.store.user(bench.user).await.expect("read").expect("there");
    let account = Account { user: UserId::from_bytes(bench.host.random()), email: small.clone(), ..state.account };
    let registered = bench.store.register(Some(&legacy), &account, &Origin::default(), bench.host.now()).await;
    assert_eq!(registered, Ok(Transacted::Done));

    let service = bench.sign_in_service(Policy::default());
    let signed_in = async |email: &str| {
        let first = service.sign_in(&SignInRequest { email: email.into(), ..bench.request() }).await;
        first.map(|first| first.session().expect("no second factor").slot.at.user).map_err(|failure| failure.code)
    };
    assert_eq!(signed_in(&capital).await, Err(Code::InvalidCredentials), "not before its owner was there");
    assert_eq!(signed_in(&small).await, Ok(account.user));
    assert_eq!(signed_in(&capital).await, Ok(account.user));
    let registration = Registration {
        store: bench.store.clone(),
        passwords: PlainPasswords,
        host: bench.host.clone(),
        open: true,
        per_network: 1,
    };
    let capital = Email::parse(&capital).expect("an address");
    let again = registration.create(&capital, "another long passphrase", &Origin::default()).await;
    assert_eq!(again.expect_err("taken").code, Code::EmailTaken);
}
