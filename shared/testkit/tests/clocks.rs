//! Functions whose clocks differ. The expiry of a session may differ by as much, but a session that was ended stays
//! ended.

use holdfast_sessions::change::Origin;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::Clock as _;
use holdfast_sessions::service::Sessions;
use holdfast_testkit::cache::leased;
use holdfast_testkit::suites::sessions::Bench;
use holdfast_testkit::{ManualHost, MemoryCache, MemoryStore};

/// Far more than clocks that are synchronised ever differ by.
const OFF: i64 = 300;

#[tokio::test]
async fn a_clock_five_minutes_off_brings_no_ended_session_back() {
    for off in [-OFF, OFF] {
        let (store, here) = (MemoryStore::default(), ManualHost::default());
        let there = ManualHost::at(here.now().plus_seconds(off));
        let server = MemoryCache::new(here.clone());
        let bench = Bench::behind(store.clone(), leased(&store, &server, &here), here.clone()).await;
        let elsewhere = Sessions {
            store: store.clone(),
            cache: leased(&store, &server, &there),
            host: there,
            policy: Policy::default(),
        };
        let session = bench.sign_in().await;
        let token = session.tokens.access.text();
        // Both have it in their cache. The one whose clock is ahead by more than a copy lives reads the store.
        let current = bench.sessions().identify(Some(&token)).await.expect("live");
        elsewhere.identify(Some(&token)).await.expect("live there, too");
        bench.sessions().log_out(&current, &Origin::default()).await.expect("ended");
        let refusal = elsewhere.identify(Some(&token)).await.expect_err("ended is ended");
        assert_eq!(refusal.code, Code::Unauthenticated);
        let refusal =
            elsewhere.refresh(&session.tokens.refresh.text(), &Origin::default()).await.expect_err("no way back");
        assert_eq!(refusal.code, Code::InvalidRefreshToken);
    }
}

#[tokio::test]
async fn a_session_outlives_its_expiry_by_no_more_than_a_clock_is_behind() {
    let (store, here) = (MemoryStore::default(), ManualHost::default());
    let bench = Bench::new(store.clone(), here.clone()).await;
    let session = bench.sign_in().await;
    let behind = ManualHost::at(here.now().plus_seconds(-OFF));
    let late = Bench::new(store.clone(), behind.clone()).await;
    let service = Sessions { store, cache: late.cache.clone(), host: behind.clone(), policy: Policy::default() };
    let token = session.tokens.access.text();
    behind.advance_seconds(900 + OFF - 1);
    assert!(service.identify(Some(&token)).await.is_ok(), "its access token has a second left by that clock");
    behind.advance_seconds(1);
    assert!(service.identify(Some(&token)).await.is_err());
}
