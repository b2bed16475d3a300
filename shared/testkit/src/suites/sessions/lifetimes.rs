//! The rows that a store must keep while time passes. DynamoDB deletes a row at any time after its TTL, and for two
//! days it may also keep it. Each check holds if `expire` deletes at once, and if it does nothing.

use holdfast_sessions::attempts;
use holdfast_sessions::change::Origin;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::SignInLimits;
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_sessions::service::{FirstStep, SignInRequest, SignedIn};

use super::bench::{Bench, Store};
use super::mfa::{Armed, code, device_token, refused};
use crate::ManualHost;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// A session that was ended stays ended as long as its tokens could be presented, and afterwards. Its tombstone stays
/// for the hour in which a delayed request may still need it.
pub async fn an_ended_session_stays_ended<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let bench = Bench::new(store.clone(), host.clone()).await;
    let sessions = bench.sessions();
    let (ended, other) = (bench.sign_in().await, bench.sign_in().await);
    let current = sessions.identify(Some(&other.tokens.access.text())).await.expect("live");
    sessions.revoke(&current, ended.slot.sid, &Origin::default()).await.expect("ended");
    for (wait, tombstone) in [(0, true), (HOUR - 1, true), (2, false), (2 * DAY, false), (40 * DAY, false)] {
        host.advance_seconds(wait);
        expire().await;
        let there = store.slot(ended.slot.at).await.expect("read");
        assert!(there.is_some() || !tombstone, "the tombstone is gone after {wait} s");
        let access = sessions.identify(Some(&ended.tokens.access.text())).await;
        assert_eq!(refused(access), Code::Unauthenticated);
        let refreshed = sessions.refresh(&ended.tokens.refresh.text(), &Origin::default()).await;
        assert_eq!(refused(refreshed), Code::InvalidRefreshToken);
    }
    bench.sign_in().await;
    assert_eq!(bench.live().await.len(), 1, "all that was is over, and the slots are free");
}

/// A session works until its absolute expiry, and not a second longer.
pub async fn a_session_works_until_it_expires<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let bench = Bench::new(store, host.clone()).await;
    let sessions = bench.sessions();
    let request = SignInRequest { stay_signed_in: true, ..bench.request() };
    let service = bench.sign_in_service(Default::default());
    let Ok(FirstStep::Authenticated(signed_in)) = service.sign_in(&request).await else { panic!("no session") };
    let SignedIn { slot, mut tokens, .. } = *signed_in;
    assert_eq!(slot.absolute_expires_at, slot.created_at.plus_seconds(30 * DAY));
    for wait in [13 * DAY, 13 * DAY, 4 * DAY - 10] {
        host.advance_seconds(wait);
        expire().await;
        tokens = sessions.refresh(&tokens.refresh.text(), &Origin::default()).await.expect("refreshed").1;
    }
    host.advance_seconds(9);
    expire().await;
    sessions.identify(Some(&tokens.access.text())).await.expect("its last second");
    for wait in [1, DAY, DAY, 40 * DAY] {
        host.advance_seconds(wait);
        expire().await;
        assert_eq!(refused(sessions.identify(Some(&tokens.access.text())).await), Code::Unauthenticated);
        let refreshed = sessions.refresh(&tokens.refresh.text(), &Origin::default()).await;
        assert_eq!(refused(refreshed), Code::InvalidRefreshToken);
        let fresh = bench.sign_in().await;
        let current = sessions.identify(Some(&fresh.tokens.access.text())).await.expect("live");
        assert!(sessions.list(&current).await.expect("listed").iter().all(|listed| listed.sid != slot.sid));
    }
}

/// Attempts are kept as long as they count: in their window, as part of a long run, and as a known network.
pub async fn attempts_are_remembered_as_long_as_they_count<S: Store>(
    store: S,
    host: ManualHost,
    expire: impl AsyncFn(),
) {
    let limits = SignInLimits::default();
    let budgets = attempts::Passwords::new(&host.random(), "192.0.2.1", &limits);
    let plain = attempts::Scope { key: host.random(), ..attempts::registrations("192.0.2.1", 3) };
    for scope in [budgets.account_network, plain] {
        let mut ends = host.now();
        for _ in 0..scope.limit {
            ends = store.draw(&scope, None, host.now()).await.expect("counted").expect("admitted").window_ends;
            host.advance_seconds(1);
            expire().await;
        }
        host.advance_seconds((ends.get() - host.now().get()) / 1_000 - 1);
        expire().await;
        assert_eq!(store.draw(&scope, None, host.now()).await, Ok(Err(ends)), "{} in its last second", scope.name);
        host.advance_seconds(1);
        expire().await;
        assert!(matches!(store.draw(&scope, None, host.now()).await, Ok(Ok(_))), "{}: a new window", scope.name);
    }

    let scope = budgets.account;
    let mut last = None;
    for _ in 0..102 {
        let drawn = match store.draw(&scope, None, host.now()).await.expect("counted") {
            Ok(drawn) => drawn,
            Err(until) => {
                host.advance_seconds((until.get() - host.now().get()) / 1_000);
                expire().await;
                store.draw(&scope, None, host.now()).await.expect("counted").expect("admitted")
            }
        };
        last = Some(drawn);
    }
    host.advance_seconds(29 * DAY);
    expire().await;
    let counter = store.counters(&[scope]).await.expect("read")[0];
    assert_eq!(counter.run, 102, "a run of failures is remembered for thirty days");
    assert!(counter.run_ends > host.now());
    let until = attempts::known_until(host.now());
    store.settle(&last.expect("drawn"), Some(until)).await.expect("settled");
    store.remember(&budgets.account_network, until).await.expect("remembered");
    host.advance_seconds(30 * DAY - 1);
    expire().await;
    for scope in [budgets.account, budgets.account_network] {
        let counter = store.counters(&[scope]).await.expect("read")[0];
        assert!(counter.is_known(host.now()), "{}: known for thirty days", scope.name);
    }
    host.advance_seconds(1);
    expire().await;
    for scope in [budgets.account, budgets.account_network] {
        let counter = store.counters(&[scope]).await.expect("read")[0];
        assert!(!counter.is_known(host.now()), "{}: and no longer", scope.name);
    }
}

/// A sign-in waits for its code until it expires, and never becomes a second session; a device is trusted until its
/// trust ends.
pub async fn a_code_and_a_device_work_until_they_expire<S: Store>(store: S, host: ManualHost, expire: impl AsyncFn()) {
    let armed = Armed::new(store, host.clone()).await;
    let (late, used) = (armed.challenged().await, armed.challenged().await);
    host.advance_seconds(299);
    expire().await;
    let right = code(&armed.seed, armed.step());
    let trusting = armed.answer(&used, &right, true).await.expect("its last second");
    let mut device = device_token(&trusting);
    host.advance_seconds(1);
    expire().await;
    for wait in [0, DAY, 2 * DAY] {
        host.advance_seconds(wait);
        expire().await;
        let next = code(&armed.seed, armed.step() + 1);
        assert_eq!(refused(armed.answer(&late, &next, false).await), Code::MfaExpired);
        if wait > 0 {
            assert_eq!(refused(armed.answer(&used, &right, false).await), Code::MfaExpired, "the session has expired");
        }
    }
    host.advance_seconds(27 * DAY - 2);
    expire().await;
    match armed.first_step(device.clone()).await {
        Ok(FirstStep::Authenticated(by_device)) => device = device_token(&by_device).or(device),
        other => panic!("trusted for thirty days: {other:?}"),
    }
    for wait in [1, DAY, DAY] {
        host.advance_seconds(wait);
        expire().await;
        assert!(matches!(armed.first_step(device.clone()).await, Ok(FirstStep::MfaRequired(_))));
    }
}
