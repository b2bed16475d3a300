//! The promises of the session service with any cache in front of the store. The same checks run with each provider.

use holdfast_sessions::SlotNo;
use holdfast_sessions::change::Origin;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::TOUCH_SECONDS;
use holdfast_sessions::ports::{Clock, Effect, SessionCache};
use holdfast_sessions::service::{SignedIn, TrustRequest};

use crate::ManualHost;
use crate::suites::sessions::{Bench, Store};

type World<S, C> = Bench<S, ManualHost, C>;

/// Runs every check, each with a user of its own.
pub async fn all<S: Store, C: SessionCache + Clone>(store: &S, cache: &C, host: &ManualHost) {
    let world = || Bench::behind(store.clone(), cache.clone(), host.clone());
    a_validated_session_is_the_one_that_signed_in(&world().await).await;
    a_logged_out_session_is_refused_at_once(&world().await).await;
    a_session_revoked_from_another_is_refused_at_once(&world().await).await;
    revoking_all_others_spares_the_caller(&world().await).await;
    the_evicted_session_is_refused_at_once(&world().await).await;
    a_rotated_access_token_opens_until_the_grace_ends(&world().await).await;
    an_expired_access_token_is_refused(&world().await).await;
    an_edit_is_seen_by_the_next_reader(&world().await).await;
    a_touch_is_seen_by_the_next_reader(&world().await).await;
    a_reused_refresh_token_ends_the_session_at_once(&world().await).await;
    nobody_is_let_in_by_anothers_token(&world().await, &world().await).await;
    a_disabled_user_is_refused_at_once(&world().await).await;
    new_claims_are_seen_by_the_next_reader(&world().await).await;
}

async fn is_let_in<S: Store, C: SessionCache + Clone>(world: &World<S, C>, session: &SignedIn) -> bool {
    let token = session.tokens.access.text();
    match world.sessions().authenticate(Some(&token)).await {
        Ok(current) => {
            assert_eq!(current.slot.sid, session.slot.sid, "somebody else's session");
            true
        }
        Err(failure) => {
            assert_eq!(failure.code, Code::Unauthenticated);
            false
        }
    }
}

/// Twice: the first fills a cache, the second is answered by it.
async fn warm<S: Store, C: SessionCache + Clone>(world: &World<S, C>, session: &SignedIn) {
    for _ in 0..2 {
        assert!(is_let_in(world, session).await);
    }
}

async fn a_validated_session_is_the_one_that_signed_in<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let session = world.sign_in().await;
    warm(world, &session).await;
    let current = world.sessions().identify(Some(&session.tokens.access.text())).await.expect("live");
    let (seen, made) = (current.slot, &session.slot);
    assert_eq!((seen.at, seen.sid, seen.version), (made.at, made.sid, made.version));
    assert_eq!((&seen.email, &seen.device, seen.created_at), (&made.email, &made.device, made.created_at));
    assert_eq!((seen.idle_expires_at, seen.absolute_expires_at), (made.idle_expires_at, made.absolute_expires_at));
}

async fn a_logged_out_session_is_refused_at_once<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let session = world.sign_in().await;
    warm(world, &session).await;
    let current = world.sessions().identify(Some(&session.tokens.access.text())).await.expect("live");
    let revoked = world.sessions().log_out(&current, &Origin::default()).await.expect("logged out");
    assert_eq!((revoked.count, revoked.effect), (1, Effect::Immediate));
    assert!(!is_let_in(world, &session).await);
}

async fn a_session_revoked_from_another_is_refused_at_once<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let (mine, other) = (world.sign_in().await, world.sign_in().await);
    warm(world, &mine).await;
    warm(world, &other).await;
    let current = world.sessions().identify(Some(&mine.tokens.access.text())).await.expect("live");
    world.sessions().revoke(&current, other.slot.sid, &Origin::default()).await.expect("revoked");
    assert!(!is_let_in(world, &other).await);
    assert!(is_let_in(world, &mine).await);
}

async fn revoking_all_others_spares_the_caller<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let (mine, one, two) = (world.sign_in().await, world.sign_in().await, world.sign_in().await);
    for session in [&mine, &one, &two] {
        warm(world, session).await;
    }
    let current = world.sessions().identify(Some(&mine.tokens.access.text())).await.expect("live");
    let revoked = world.sessions().revoke_all(&current, true, &Origin::default()).await.expect("revoked");
    assert_eq!((revoked.count, revoked.effect), (2, Effect::Immediate));
    assert!(is_let_in(world, &mine).await);
    assert!(!is_let_in(world, &one).await && !is_let_in(world, &two).await);
    world.sessions().revoke_all(&current, false, &Origin::default()).await.expect("revoked");
    assert!(!is_let_in(world, &mine).await);
}

async fn the_evicted_session_is_refused_at_once<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let first = world.sign_in().await;
    warm(world, &first).await;
    let mut others = vec![];
    for _ in 0..5 {
        world.host.advance_seconds(1);
        others.push(world.sign_in().await);
    }
    assert_eq!(others.last().map(|s| s.effect), Some(Effect::Immediate));
    assert!(!is_let_in(world, &first).await);
    for session in &others {
        assert!(is_let_in(world, session).await);
    }
}

async fn a_rotated_access_token_opens_until_the_grace_ends<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let session = world.sign_in().await;
    warm(world, &session).await;
    let (slot, tokens, effect) =
        world.sessions().refresh(&session.tokens.refresh.text(), &Origin::default()).await.expect("refreshed");
    assert_eq!(effect, Effect::Immediate);
    let next = SignedIn { slot, tokens, effect, device_token: None, to_browser: false };
    warm(world, &next).await;
    assert!(is_let_in(world, &session).await, "within the grace");
    world.host.advance_seconds(11);
    assert!(!is_let_in(world, &session).await, "after the grace");
    assert!(is_let_in(world, &next).await);
}

async fn an_expired_access_token_is_refused<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let session = world.sign_in().await;
    warm(world, &session).await;
    world.host.advance_seconds(890);
    assert!(is_let_in(world, &session).await);
    world.host.advance_seconds(10);
    assert!(!is_let_in(world, &session).await);
    world
        .sessions()
        .refresh(&session.tokens.refresh.text(), &Origin::default())
        .await
        .expect("the session itself lives");
}

async fn an_edit_is_seen_by_the_next_reader<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let session = world.sign_in().await;
    warm(world, &session).await;
    let sessions = world.sessions();
    let token = session.tokens.access.text();
    let current = sessions.identify(Some(&token)).await.expect("live");
    let wish = TrustRequest { sid: session.slot.sid, trusted: true, expected_versions: None, trust_seconds: 60 };
    let set = sessions.set_trust(&current, &wish, &Origin::default()).await.expect("trusted");
    let seen = sessions.identify(Some(&token)).await.expect("live").slot;
    assert!(seen.trust.is_some() && seen.trust == set.slot.trust);
    assert_eq!(seen.version, set.slot.version);
    let device = set.slot.trust.expect("trusted").device;
    sessions.remove_device(&current, device, &Origin::default()).await.expect("removed");
    let seen = sessions.identify(Some(&token)).await.expect("live").slot;
    assert_eq!(seen.trust, None, "the list and the session never disagree");
}

async fn new_claims_are_seen_by_the_next_reader<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let (one, two) = (world.sign_in().await, world.sign_in().await);
    for text in [r#"{"role":"admin"}"#, r#"{"role":"reader"}"#, "{}"] {
        warm(world, &one).await;
        warm(world, &two).await;
        let claims = Claims::parse(text).expect("an object");
        let effect = world.sessions().set_claims(world.user, &claims, &Origin::default()).await;
        assert_eq!(effect, Ok(Effect::Immediate));
        for session in [&one, &two] {
            // Twice: the second answer may come from a copy that was made after the change.
            for _ in 0..2 {
                let current = world.sessions().identify(Some(&session.tokens.access.text())).await.expect("live");
                assert_eq!(current.slot.claims, claims);
            }
        }
    }
}

async fn a_touch_is_seen_by_the_next_reader<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let session = world.sign_in().await;
    warm(world, &session).await;
    world.host.advance_seconds(TOUCH_SECONDS);
    let now = world.host.now();
    for _ in 0..2 {
        let current = world.sessions().authenticate(Some(&session.tokens.access.text())).await.expect("live");
        assert_eq!(current.slot.last_used_at, now);
    }
}

async fn a_reused_refresh_token_ends_the_session_at_once<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    let session = world.sign_in().await;
    let old = session.tokens.refresh.text();
    let (slot, tokens, effect) = world.sessions().refresh(&old, &Origin::default()).await.expect("refreshed");
    let next = SignedIn { slot, tokens, effect, device_token: None, to_browser: false };
    warm(world, &next).await;
    world.host.advance_seconds(11);
    let refusal = world.sessions().refresh(&old, &Origin::default()).await.expect_err("an older generation");
    assert_eq!(refusal.code, Code::RefreshTokenReused);
    assert!(!is_let_in(world, &next).await);
}

async fn nobody_is_let_in_by_anothers_token<S: Store, C: SessionCache + Clone>(
    mine: &World<S, C>,
    other: &World<S, C>,
) {
    let (a, b) = (mine.sign_in().await, other.sign_in().await);
    for _ in 0..3 {
        assert!(is_let_in(mine, &a).await);
        assert!(is_let_in(other, &b).await);
    }
    let all: Vec<_> = SlotNo::all().collect();
    mine.cache.forget(mine.user, &all).await;
    assert!(is_let_in(other, &b).await && is_let_in(mine, &a).await);
}

async fn a_disabled_user_is_refused_at_once<S: Store, C: SessionCache + Clone>(world: &World<S, C>) {
    use holdfast_sessions::account::Status;
    let sessions = world.sessions();
    let (one, two) = (world.sign_in().await, world.sign_in().await);
    warm(world, &one).await;
    warm(world, &two).await;
    let revoked = sessions.set_status(world.user, Status::Disabled, &Origin::default()).await.expect("disabled");
    assert_eq!((revoked.count, revoked.effect), (2, Effect::Immediate));
    assert!(!is_let_in(world, &one).await && !is_let_in(world, &two).await);
    let refusal = world.sign_in_service(sessions.policy.clone()).sign_in(&world.request()).await;
    assert_eq!(refusal.err().map(|f| f.code), Some(Code::InvalidCredentials));
    sessions.set_status(world.user, Status::Active, &Origin::default()).await.expect("enabled");
    assert!(is_let_in(world, &world.sign_in().await).await);
    assert!(!is_let_in(world, &one).await, "nothing comes back to life");
}
