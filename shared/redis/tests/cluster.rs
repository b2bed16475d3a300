//! A cluster of three primaries: the same contract, also while a slot moves from one to another.

mod common;
mod patient;

use std::time::{Duration, Instant};

use holdfast_redis::server::key_of_copy;
use holdfast_redis::{RedisCache, RedisConfig};
use holdfast_sessions::cache::CacheEvent;
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Fence, Found, LeaseCache, Rng as _, SessionCache as _};
use holdfast_sessions::service::LeasedCache;
use holdfast_sessions::token::{AccessToken, Address};
use holdfast_sessions::{SlotNo, UserId};
use holdfast_testkit::MemoryStore;
use holdfast_testkit::host::RealHost;
use holdfast_testkit::ports::free_port;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::cache::server as suite;
use holdfast_testkit::suites::sessions::Bench;
use redis::aio::MultiplexedConnection;

const SLOTS: u32 = 16_384;

/// Three servers that share the slots.
struct Cluster {
    nodes: Vec<RedisServer>,
}

async fn raw(server: &RedisServer) -> MultiplexedConnection {
    common::connection(&server.url()).await
}

async fn asked(server: &RedisServer, words: &[&str]) -> redis::RedisResult<redis::Value> {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(word);
    }
    command.query_async(&mut raw(server).await).await
}

async fn ask(server: &RedisServer, words: &[&str]) -> redis::Value {
    asked(server, words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

async fn text(server: &RedisServer, words: &[&str]) -> String {
    redis::from_redis_value(ask(server, words).await).expect("a text")
}

impl Cluster {
    async fn start() -> Self {
        let nodes: Vec<_> = (0..3)
            .map(|_| {
                // The default, the node's port plus 10 000, may be beyond the last port or in use.
                let bus = free_port().to_string();
                RedisServer::start(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--cluster-node-timeout",
                    "2000",
                    // As ElastiCache has it: one shard's loss is not everybody's.
                    "--cluster-require-full-coverage",
                    "no",
                ])
            })
            .collect();
        for (nth, node) in (0..3).zip(&nodes) {
            let (first, last) = (SLOTS * nth / 3, SLOTS * (nth + 1) / 3 - 1);
            ask(node, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
        }
        for node in &nodes[1..] {
            let bus = ask(node, &["CONFIG", "GET", "cluster-port"]).await;
            let bus: Vec<String> = redis::from_redis_value(bus).expect("name and value");
            let port = node.port().to_string();
            ask(&nodes[0], &["CLUSTER", "MEET", "127.0.0.1", &port, &bus[1]]).await;
        }
        let cluster = Self { nodes };
        cluster.settle().await;
        cluster
    }

    /// Waits until every node reports that the cluster is healthy.
    async fn settle(&self) {
        let started = Instant::now();
        loop {
            let mut good = 0;
            for node in &self.nodes {
                let info = text(node, &["CLUSTER", "INFO"]).await;
                good += usize::from(info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3"));
            }
            if good == 3 {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "the cluster did not come together");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn config(&self) -> RedisConfig {
        RedisConfig { url: self.nodes[0].url(), cluster: true, tokens: None, authority: None }
    }

    fn cache(&self) -> RedisCache<RealHost> {
        patient::cache(&self.config())
    }

    async fn slot_of(&self, at: Address) -> u32 {
        let answer = ask(&self.nodes[0], &["CLUSTER", "KEYSLOT", &key_of_copy(at)]).await;
        redis::from_redis_value(answer).expect("a number")
    }

    async fn id(&self, node: usize) -> String {
        text(&self.nodes[node], &["CLUSTER", "MYID"]).await
    }

    /// Begins to move a slot, and leaves it there. Keys that have left the old owner are requested from the new one.
    async fn begin_to_move(&self, slot: u32, from: usize, to: usize) {
        let (slot, from_id, to_id) = (slot.to_string(), self.id(from).await, self.id(to).await);
        ask(&self.nodes[to], &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).await;
        ask(&self.nodes[from], &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).await;
    }

    /// Moves the keys of a slot, and then the slot.
    async fn finish_moving(&self, slot: u32, from: usize, to: usize) {
        let slot = slot.to_string();
        let keys = ask(&self.nodes[from], &["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await;
        let keys: Vec<String> = redis::from_redis_value(keys).expect("keys");
        for key in keys {
            let port = self.nodes[to].port().to_string();
            let words = ["MIGRATE", "127.0.0.1", &port, &key, "0", "1000", "REPLACE"];
            let started = Instant::now();
            // On a busy machine a node misses heartbeats, and its new owner refuses keys until it has heard of the others again.
            while let Err(error) = asked(&self.nodes[from], &words).await {
                assert!(started.elapsed() < Duration::from_secs(20), "{words:?}: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let to_id = self.id(to).await;
        for node in [to, from, 3 - to - from] {
            ask(&self.nodes[node], &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await;
        }
    }
}

fn notice(_: CacheEvent) {}

#[tokio::test]
async fn a_cluster_keeps_the_contract_of_the_cache_server() {
    let cluster = Cluster::start().await;
    suite::all(&cluster.cache(), &RealHost).await;
    // On every node: users spread over all slots.
    let cache = cluster.cache();
    let mut owners = [0; 3];
    for _ in 0..60 {
        let at = Address { user: UserId::from_bytes(RealHost.random()), slot: SlotNo::new(0).expect("a slot") };
        assert!(matches!(cache.read(at).await, Ok(Found::Miss(Some(_)))));
        assert_eq!(
            cache.delete(at.user, &SlotNo::all().collect::<Vec<_>>()).await,
            Ok(Fence::On),
            "one slot, one script"
        );
        owners[usize::try_from(cluster.slot_of(at).await * 3 / SLOTS).expect("small")] += 1;
    }
    assert!(owners.iter().all(|owned| *owned > 0), "{owners:?}");
    // Each node was sent the library once, by the first read of a key of its own.
    for node in &cluster.nodes {
        let done = text(node, &["INFO", "commandstats"]).await;
        assert!(done.contains("cmdstat_function|load:calls=1,"), "{done}");
        assert!(done.contains("cmdstat_fcall:"), "{done}");
    }
}

/// One of three shards falls silent. Its users are served from the store, and no other user notices.
#[tokio::test]
async fn one_lost_shard_is_only_its_own_users_trouble() {
    let cluster = Cluster::start().await;
    let store = MemoryStore::default();
    let behind = LeasedCache {
        store: store.clone(),
        server: RedisCache::new(&cluster.config(), RealHost).expect("a good address"),
        host: RealHost,
        max_age_seconds: 60,
        notice,
    };
    let mut homes: Vec<Vec<_>> = (0..3).map(|_| Vec::new()).collect();
    while homes.iter().any(|users| users.len() < 3) {
        let bench = Bench::behind(store.clone(), behind.clone(), RealHost).await;
        let session = bench.sign_in().await;
        let home = usize::try_from(cluster.slot_of(session.slot.at).await * 3 / SLOTS).expect("small");
        homes[home].push(session);
    }
    let sessions = Bench::behind(store.clone(), behind.clone(), RealHost).await.sessions();
    for session in homes.iter().flatten() {
        sessions.identify(Some(&session.tokens.access.text())).await.expect("let in");
    }
    // Dropped packets or a node that hangs are worse than a node that is down, which refuses at once.
    cluster.nodes[2].freeze();
    let (mut hits, mut asked) = (0, 0);
    for _ in 0..40 {
        // Enough in a row to open a breaker that all shared.
        for session in homes[2].iter().cycle().take(6) {
            sessions.identify(Some(&session.tokens.access.text())).await.expect("let in");
        }
        for session in homes[..2].iter().flatten() {
            sessions.identify(Some(&session.tokens.access.text())).await.expect("let in");
            asked += 1;
            hits += u32::from(matches!(behind.server.read(session.slot.at).await, Ok(Found::Hit(_))));
        }
    }
    // A reconnect in the middle of a read may cost one; a shared breaker would cost half of them.
    assert!(hits * 100 >= asked * 95, "{hits} hits of {asked} at the shards that live");
    let lost = &homes[2][0];
    let slots: Vec<_> = SlotNo::all().collect();
    assert!(behind.server.delete(lost.slot.at.user, &slots).await.is_err(), "nobody confirms it");
    let kept = &homes[0][0];
    assert_eq!(behind.server.delete(kept.slot.at.user, &slots).await, Ok(Fence::On));
}

/// Every node closes its connections to a function that is frozen. The client opens them again before the next request.
#[tokio::test]
async fn connections_of_a_cluster_that_died_meanwhile_cost_no_read_of_the_truth() {
    let cluster = Cluster::start().await;
    let store = MemoryStore::default();
    let behind =
        LeasedCache { store: store.clone(), server: cluster.cache(), host: RealHost, max_age_seconds: 60, notice };
    let mut sessions = Vec::new();
    for _ in 0..6 {
        // Users are spread over the nodes.
        let bench = Bench::behind(store.clone(), behind.clone(), RealHost).await;
        let session = bench.sign_in().await;
        // A read that misses takes the lease, so the validation that fills goes first.
        bench.sessions().identify(Some(&session.tokens.access.text())).await.expect("let in");
        let found = behind.server.read(session.slot.at).await;
        assert!(matches!(found, Ok(Found::Hit(_))), "{found:?}");
        sessions.push(session);
    }
    for node in &cluster.nodes {
        ask(node, &["CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES"]).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for session in &sessions {
        let found = behind.server.read(session.slot.at).await;
        assert!(matches!(found, Ok(Found::Hit(_))), "{found:?}");
    }
}

/// While a user's slot moves, a request may be redirected, refused or asked to retry. In each case the user is
/// accepted, and a session that was ended is not.
#[tokio::test]
async fn while_a_slot_moves_nobody_is_refused_and_nothing_stale_is_served() {
    let cluster = Cluster::start().await;
    let store = MemoryStore::default();
    let behind =
        LeasedCache { store: store.clone(), server: cluster.cache(), host: RealHost, max_age_seconds: 60, notice };
    let bench = Bench::behind(store, behind, RealHost).await;
    let sessions = bench.sessions();
    let (kept, ended) = (bench.sign_in().await, bench.sign_in().await);
    let let_in = async |token: &AccessToken| sessions.identify(Some(&token.text())).await.is_ok();
    // Both are in the cache.
    for _ in 0..3 {
        assert!(let_in(&kept.tokens.access).await && let_in(&ended.tokens.access).await);
    }
    let slot = cluster.slot_of(kept.slot.at).await;
    let from = usize::try_from(slot * 3 / SLOTS).expect("small");
    let to = (from + 1) % 3;
    cluster.begin_to_move(slot, from, to).await;
    for _ in 0..3 {
        assert!(let_in(&kept.tokens.access).await, "while it moves");
    }
    let current = sessions.identify(Some(&ended.tokens.access.text())).await.expect("live");
    let revoked = sessions.log_out(&current, &Origin::default()).await.expect("ended");
    for _ in 0..3 {
        assert!(!let_in(&ended.tokens.access).await, "ended while it moves ({:?})", revoked.effect);
        assert!(let_in(&kept.tokens.access).await);
    }
    cluster.finish_moving(slot, from, to).await;
    for _ in 0..5 {
        assert!(!let_in(&ended.tokens.access).await, "ended before it had moved");
        assert!(let_in(&kept.tokens.access).await, "after it has moved");
    }
    // The new owner is found, and caches again.
    let at = kept.slot.at;
    let started = Instant::now();
    while !matches!(bench.cache.server.read(at).await, Ok(Found::Hit(_))) {
        assert!(let_in(&kept.tokens.access).await);
        assert!(started.elapsed() < Duration::from_secs(10), "nothing is cached at the new owner");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = bench.cache.look_up(at, &kept.tokens.access.hash()).await;
    assert!(matches!(found, Ok(Some(_))));
}
