//! The session service behind a cache on a faulty wire accepts all live sessions, and no others.

use std::time::Duration;

use holdfast_fault_proxy::{Fault, Plan, RedisProxy};
use holdfast_redis::{RedisCache, RedisConfig};
use holdfast_sessions::cache::CacheEvent;
use holdfast_sessions::change::Origin;
use holdfast_sessions::service::LeasedCache;
use holdfast_testkit::MemoryStore;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::cache::server as suite;
use holdfast_testkit::suites::sessions::Bench;

fn notice(_: CacheEvent) {}

fn cache(url: &str) -> RedisCache<RealHost> {
    let config = RedisConfig { url: url.to_owned(), cluster: false, tokens: None, authority: None };
    RedisCache::new(&config, RealHost).expect("a good address")
}

fn upstream(server: &RedisServer) -> String {
    format!("127.0.0.1:{}", server.port())
}

#[tokio::test]
async fn without_faults_the_wire_changes_nothing() {
    let server = RedisServer::start(&[]);
    let plan = Plan::new(1);
    let proxy = RedisProxy::start(&upstream(&server), plan.clone()).await.expect("a proxy");
    suite::all(&cache(&proxy.url()), &RealHost).await;
    assert_eq!(plan.total(), 0);
}

/// Every kind of fault of the wire, in turn and together, while users sign in and out.
#[tokio::test]
async fn sessions_survive_the_wire() {
    let rounds: u64 = std::env::var("HOLDFAST_WIRE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let server = RedisServer::start(&[]);
    let kinds = [
        Fault::LostReply,
        Fault::LostRequest,
        Fault::OutOfMemory,
        Fault::ReadOnly,
        Fault::TryAgain,
        Fault::Delay(Duration::from_millis(20)),
        Fault::Freeze,
    ];
    let mut injected = 0;
    for seed in 0..rounds {
        let with = |plan: Plan, kind, often| plan.with("FCALL", kind, often).with("EVALSHA", kind, often);
        let mut plans: Vec<_> = kinds.iter().map(|kind| with(Plan::new(seed), *kind, 300)).collect();
        plans.push(kinds.iter().fold(Plan::new(seed), |plan, kind| with(plan, *kind, 50)));
        for plan in plans {
            let proxy = RedisProxy::start(&upstream(&server), plan.clone()).await.expect("a proxy");
            let store = MemoryStore::default();
            let behind = LeasedCache {
                store: store.clone(),
                server: cache(&proxy.url()),
                host: RealHost,
                max_age_seconds: 60,
                notice,
            };
            let bench = Bench::behind(store, behind, RealHost).await;
            let sessions = bench.sessions();
            for _ in 0..4 {
                let (kept, ended) = (bench.sign_in().await, bench.sign_in().await);
                for _ in 0..3 {
                    let current = sessions.identify(Some(&kept.tokens.access.text())).await.expect("let in");
                    assert_eq!(current.slot.sid, kept.slot.sid);
                }
                let current = sessions.identify(Some(&ended.tokens.access.text())).await.expect("let in");
                let revoked = sessions.log_out(&current, &Origin::default()).await.expect("ended");
                let after = sessions.identify(Some(&ended.tokens.access.text())).await;
                // Where the answer said `bounded`, a copy may be served for as long as it says.
                if revoked.effect == holdfast_sessions::ports::Effect::Immediate {
                    assert!(after.is_err(), "seed {seed}: an ended session was let in");
                }
            }
            injected += plan.total();
        }
    }
    eprintln!("{injected} faults on the wire to Redis");
    assert!(injected > 20, "hardly a fault was injected: this shows nothing");
}
