//! The effect of a cache failure on users: a little latency, and nothing else.
//!
//! Validations run under load against a real server that is killed, frozen, filled up, made read-only, flushed and
//! restarted. The store is in memory and takes 3 ms to answer, about as long as DynamoDB. No user may be refused, and
//! no session may be accepted after its end was confirmed.
//!
//! Every worker validates alternately through the cache and without it, so that both meet the same moments of the same
//! machine. Latencies are printed. `HOLDFAST_PROVE=1` also compares those of each period with the same period without a
//! cache.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use holdfast_redis::{RedisCache, RedisConfig};
use holdfast_sessions::UserId;
use holdfast_sessions::cache::CacheEvent;
use holdfast_sessions::change::Origin;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Effect, SessionReads, StoreResult};
use holdfast_sessions::service::{LeasedCache, Sessions, SignedIn, StrongReads};
use holdfast_sessions::session::{Slot, UserState};
use holdfast_sessions::token::Address;
use holdfast_testkit::MemoryStore;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::sessions::Bench;

const WORKERS: usize = 8;
const USERS: usize = 10;
/// About what a strongly consistent read of one item takes within a Region.
const TRUTH_TAKES: Duration = Duration::from_millis(3);

/// The store, with the latency of a network.
#[derive(Clone)]
struct Distant(MemoryStore);

impl SessionReads for Distant {
    async fn slot(&self, at: Address) -> StoreResult<Option<Slot>> {
        tokio::time::sleep(TRUTH_TAKES).await;
        self.0.slot(at).await
    }

    async fn user(&self, user: UserId) -> StoreResult<Option<UserState>> {
        tokio::time::sleep(TRUTH_TAKES).await;
        self.0.user(user).await
    }
}

fn notice(_: CacheEvent) {}

type Behind = LeasedCache<Distant, RedisCache<RealHost>, RealHost>;

struct World {
    store: MemoryStore,
    server: RedisServer,
    /// The cache of a function that has run for a while.
    warm: Behind,
    kept: Vec<SignedIn>,
}

fn behind(store: &MemoryStore, server: &RedisServer) -> Behind {
    let config = RedisConfig { url: server.url(), cluster: false, tokens: None, authority: None };
    let cache = RedisCache::new(&config, RealHost).expect("a good address");
    LeasedCache { store: Distant(store.clone()), server: cache, host: RealHost, max_age_seconds: 60, notice }
}

fn sessions<C>(store: &MemoryStore, cache: C) -> Sessions<MemoryStore, C, RealHost> {
    Sessions { store: store.clone(), cache, host: RealHost, policy: Policy::default() }
}

impl World {
    async fn new() -> Self {
        let store = MemoryStore::default();
        let server = RedisServer::start(&[]);
        let warm = behind(&store, &server);
        let mut kept = Vec::new();
        for _ in 0..USERS {
            let bench = Bench::behind(store.clone(), warm.clone(), RealHost).await;
            kept.push(bench.sign_in().await);
        }
        let world = Self { store, server, warm, kept };
        let calm = world.load(Duration::from_millis(300), async || {}).await;
        assert_eq!(calm.refused, 0);
        world
    }

    /// Runs validations from all workers for `time`, alternately through the cache and without it. `meanwhile` runs
    /// after a fifth of that time.
    async fn load(&self, time: Duration, meanwhile: impl AsyncFnOnce()) -> Seen {
        let stop = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let workers: Vec<_> = (0..WORKERS)
            .map(|nth| {
                let (stop, refused) = (stop.clone(), refused.clone());
                let cached = sessions(&self.store, self.warm.clone());
                let plain = sessions(&self.store, StrongReads(Distant(self.store.clone())));
                let tokens: Vec<_> = self.kept.iter().map(|session| session.tokens.access.text()).collect();
                tokio::spawn(async move {
                    let mut calls = Calls::default();
                    for turn in nth.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let token = Some(tokens[turn % USERS].as_str());
                        let began = Instant::now();
                        let through = cached.identify(token).await;
                        calls.cached.push((began.duration_since(started), began.elapsed()));
                        let began = Instant::now();
                        let without = plain.identify(token).await;
                        calls.plain.push((began.duration_since(started), began.elapsed()));
                        refused.fetch_add(u64::from(through.is_err()) + u64::from(without.is_err()), Ordering::Relaxed);
                    }
                    calls
                })
            })
            .collect();
        tokio::time::sleep(time / 5).await;
        meanwhile().await;
        let struck = started.elapsed();
        tokio::time::sleep(time * 4 / 5).await;
        stop.store(true, Ordering::Relaxed);
        let mut calls = Calls::default();
        for worker in workers {
            let seen = worker.await.expect("a worker");
            calls.cached.extend(seen.cached);
            calls.plain.extend(seen.plain);
        }
        Seen { calls, struck, refused: refused.load(Ordering::Relaxed) }
    }

    /// Ends sessions of a fresh user during the failure, and checks that no confirmed end is ever undone.
    async fn nothing_ended_is_let_in(&self, when: &str) {
        let bench = Bench::behind(self.store.clone(), self.warm.clone(), RealHost).await;
        let service = bench.sessions();
        for _ in 0..3 {
            let session = bench.sign_in().await;
            let token = session.tokens.access.text();
            let current = service.identify(Some(&token)).await.expect("let in");
            let revoked = service.log_out(&current, &Origin::default()).await.expect("ended");
            if revoked.effect == Effect::Immediate {
                for _ in 0..3 {
                    assert!(service.identify(Some(&token)).await.is_err(), "{when}: let in after a confirmed end");
                }
            }
        }
    }
}

/// When each call began, and how long it took.
#[derive(Default)]
struct Calls {
    cached: Vec<(Duration, Duration)>,
    plain: Vec<(Duration, Duration)>,
}

struct Seen {
    calls: Calls,
    struck: Duration,
    refused: u64,
}

impl Seen {
    /// The 99th percentile through the cache and without it, of the calls that began within this time.
    fn p99(&self, within: impl Fn(Duration) -> bool) -> (Duration, Duration) {
        (percentile(&self.calls.cached, &within), percentile(&self.calls.plain, &within))
    }
}

fn percentile(calls: &[(Duration, Duration)], within: impl Fn(Duration) -> bool) -> Duration {
    let mut took: Vec<_> = calls.iter().filter(|(at, _)| within(*at)).map(|(_, took)| *took).collect();
    took.sort_unstable();
    assert!(took.len() > 50, "too few calls to say anything: {}", took.len());
    took[(took.len() - 1) * 99 / 100]
}

fn ratio(cached: Duration, plain: Duration) -> f64 {
    cached.as_secs_f64() / plain.as_secs_f64()
}

async fn admin(port: u16, words: &[&str]) {
    let mut connection = common::connection(&format!("redis://127.0.0.1:{port}/0")).await;
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(word);
    }
    command.exec_async(&mut connection).await.expect("done");
}

async fn strike(what: &str, server: &std::sync::Mutex<RedisServer>, port: u16) {
    match what {
        "killed" => server.lock().expect("ours").kill(),
        "frozen" => server.lock().expect("ours").freeze(),
        "out of memory" => admin(port, &["CONFIG", "SET", "maxmemory", "1"]).await,
        "read-only" => admin(port, &["REPLICAOF", "127.0.0.1", "1"]).await,
        "flushed" => admin(port, &["FLUSHALL"]).await,
        _ => {
            admin(port, &["SAVE"]).await;
            let mut server = server.lock().expect("ours");
            server.kill();
            server.start_again();
        }
    }
}

async fn mend(what: &str, server: &mut RedisServer) {
    match what {
        "killed" => server.start_again(),
        "frozen" => server.thaw(),
        "out of memory" => admin(server.port(), &["CONFIG", "SET", "maxmemory", "0"]).await,
        "read-only" => admin(server.port(), &["REPLICAOF", "NO", "ONE"]).await,
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_cache_is_in_trouble_users_notice_nothing_but_latency() {
    let judged = std::env::var("HOLDFAST_PROVE").is_ok_and(|wanted| !wanted.is_empty());
    let time = Duration::from_millis(if judged { 5_000 } else { 1_000 });
    let mut world = World::new().await;
    let calm = world.load(time, async || {}).await;
    let (cached, plain) = calm.p99(|_| true);
    println!("p99 of {} calls each way; at first (until the breaker opens), then", calm.calls.cached.len());
    println!("{:24} {cached:7.2?}, without {plain:7.2?}", "the cache as it should be");
    assert_eq!(calm.refused, 0);

    let (mut worst_first, mut worst_then) = (Duration::ZERO, 0.0_f64);
    for what in ["killed", "frozen", "out of memory", "read-only", "flushed", "restarted with old data"] {
        let port = world.server.port();
        let server = std::sync::Mutex::new(std::mem::replace(&mut world.server, RedisServer::start(&[])));
        let seen = world.load(time, async || strike(what, &server, port).await).await;
        assert_eq!(seen.refused, 0, "{what}: users were refused");
        world.nothing_ended_is_let_in(what).await;
        // The breaker opens within 250 ms of the failure.
        let opened = seen.struck + Duration::from_millis(500);
        let first = seen.p99(|at| at >= seen.struck && at < opened);
        let then = seen.p99(|at| at >= opened);
        let (more, times) = (first.0.saturating_sub(first.1), ratio(then.0, then.1));
        println!(
            "{what:24} {:7.2?}, without {:7.2?} (+{more:.2?}); then {:7.2?}, without {:7.2?} ({times:.2} x)",
            first.0, first.1, then.0, then.1
        );
        if judged {
            assert!(more <= Duration::from_millis(15), "{what}: at first {first:?}");
            assert!(times <= 1.3, "{what}: then {then:?}");
        }
        (worst_first, worst_then) = (worst_first.max(more), worst_then.max(times));
        let mut server = server.into_inner().expect("ours");
        mend(what, &mut server).await;
        world.server = server;
        // Until the breaker has closed again.
        tokio::time::sleep(Duration::from_millis(600)).await;
        world.load(Duration::from_millis(500), async || {}).await;
        world.nothing_ended_is_let_in(&format!("after {what}")).await;
    }
    println!(
        "0 refused, 0 stale; at first at most {worst_first:.1?} more, then at most {worst_then:.2} times, of no cache"
    );
}
