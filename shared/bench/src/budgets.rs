//! How many requests each operation sends to the table and to the cache, and how many instructions a start, a validation and a delivery
//! take. A request is a round trip that its caller waits for, and each one costs money. So a change of these numbers fails a test,
//! and cannot come by accident.

use std::path::Path;
use std::time::Duration;

use holdfast_dynamodb::SessionsTable;
use holdfast_fault_proxy::DynamoDbProxy;
use holdfast_redis::server::key_of_copy;
use holdfast_redis::{RedisCache, RedisConfig};
use holdfast_sessions::cache::CacheEvent;
use holdfast_sessions::change::Origin;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::LeaseCache as _;
use holdfast_sessions::service::{LeasedCache, Sessions, SignedIn, StrongReads};
use holdfast_testkit::host::RealHost;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::sessions::Bench;
use holdfast_testkit::{LocalCloud, started};

use crate::functions::process::has_callgrind;
use crate::{fanout, functions};

type Cache = LeasedCache<SessionsTable, RedisCache<RealHost>, RealHost>;

/// Requests to the table, and scripts that the cache executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Requests {
    table: usize,
    cache: u64,
}

fn requests(table: usize, cache: u64) -> Requests {
    Requests { table, cache }
}

fn notice(_: CacheEvent) {}

/// A table and a cache that count.
struct World {
    _cloud: LocalCloud,
    proxy: DynamoDbProxy,
    redis: RedisServer,
    bench: Bench<SessionsTable, RealHost, Cache>,
}

impl World {
    async fn start() -> Self {
        let cloud = LocalCloud::start().await;
        let upstream = cloud.endpoint().trim_start_matches("http://");
        let proxy = DynamoDbProxy::recording(upstream).await.unwrap();
        let through = cloud.sdk_config().to_builder().endpoint_url(proxy.endpoint()).build();
        let store = SessionsTable::new(&through, LocalCloud::SESSIONS);
        let redis = RedisServer::start(&[]);
        let config = RedisConfig { url: redis.url(), cluster: false, tokens: None, authority: None };
        let server = RedisCache::new(&config, RealHost).unwrap();
        let cache = LeasedCache { store: store.clone(), server, host: RealHost, max_age_seconds: 60, notice };
        let bench = Bench::behind(store, cache, RealHost).await;
        Self { _cloud: cloud, proxy, redis, bench }
    }

    fn sessions(&self) -> Sessions<SessionsTable, Cache, RealHost> {
        self.bench.sessions()
    }

    /// The scripts that the server has executed so far.
    async fn scripts(&self) -> u64 {
        let client = redis::Client::open(self.redis.url()).unwrap();
        let mut direct = client.get_multiplexed_async_connection().await.unwrap();
        let told: String = redis::cmd("INFO").arg("commandstats").query_async(&mut direct).await.unwrap();
        let calls = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
            line.and_then(|line| line.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        calls("eval") + calls("evalsha") + calls("fcall")
    }

    /// The fewest requests of an operation in some tries. A slow machine makes the cache's readers ask the table as well, and a
    /// conflict makes a writer try again. The first tries also teach the server the scripts.
    async fn fewest(&self, mut once: impl AsyncFnMut() -> Requests) -> Requests {
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(Box::pin(once()).await);
        }
        seen.into_iter().min_by_key(|requests| (requests.table, requests.cache)).unwrap()
    }

    /// What happens while `work` runs.
    async fn during<T>(&self, work: impl Future<Output = T>) -> (T, Requests) {
        self.proxy.exchanges();
        let before = self.scripts().await;
        let output = work.await;
        let table = self.proxy.exchanges().len();
        (output, requests(table, self.scripts().await - before))
    }

    /// A session whose copy is in the cache.
    async fn cached(&self) -> SignedIn {
        let session = self.bench.sign_in().await;
        let token = session.tokens.access.text();
        let client = redis::Client::open(self.redis.url()).unwrap();
        let mut direct = client.get_multiplexed_async_connection().await.unwrap();
        // A reader that was too slow to fill leaves its lease for two seconds.
        for _ in 0..200 {
            self.sessions().identify(Some(&token)).await.unwrap();
            let key = key_of_copy(session.slot.at);
            if redis::cmd("EXISTS").arg(key).query_async::<i64>(&mut direct).await.unwrap() == 1 {
                return session;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing is cached");
    }
}

#[tokio::test]
async fn each_operation_sends_as_many_requests_as_it_needs_and_no_more() {
    let world = World::start().await;
    let (sessions, origin) = (world.sessions(), Origin::default());
    let mut seen = Vec::new();

    let session = world.cached().await;
    let token = session.tokens.access.text();
    let hit = world.fewest(async || world.during(Box::pin(sessions.authenticate(Some(&token)))).await.1).await;
    seen.push(("a validation that the cache answers", hit));

    let at = session.slot.at;
    let miss = world
        .fewest(async || {
            world.bench.cache.server.delete(at.user, &[at.slot]).await.unwrap();
            world.during(Box::pin(sessions.authenticate(Some(&token)))).await.1
        })
        .await;
    // A reader that waits long for the table asks it a second time, and then fills nothing.
    assert!(miss.table == 1 && (1..=2).contains(&miss.cache), "a validation that fills the cache: {miss:?}");

    let store = world.bench.store.clone();
    let plain = Sessions { cache: StrongReads(store.clone()), store, host: RealHost, policy: Policy::default() };
    let strong = world.fewest(async || world.during(Box::pin(plain.authenticate(Some(&token)))).await.1).await;
    seen.push(("a validation without a cache", strong));

    let current = sessions.authenticate(Some(&token)).await.unwrap();
    let list = world.fewest(async || world.during(Box::pin(sessions.list(&current))).await.1).await;
    seen.push(("the list of the sessions of a caller who is known", list));

    let sign_in = world.fewest(async || world.during(Box::pin(world.bench.sign_in())).await.1).await;
    seen.push(("a sign-in", sign_in));

    let refresh = world
        .fewest(async || {
            let session = world.cached().await;
            let token = session.tokens.refresh.text();
            world.during(Box::pin(async { sessions.refresh(&token, &origin).await.unwrap() })).await.1
        })
        .await;
    seen.push(("a refresh", refresh));

    let log_out = world
        .fewest(async || {
            let session = world.cached().await;
            let current = sessions.identify(Some(&session.tokens.access.text())).await.unwrap();
            world.during(Box::pin(async { sessions.log_out(&current, &origin).await.unwrap() })).await.1
        })
        .await;
    seen.push(("a logout of a caller who is known", log_out));

    let end_all = world
        .fewest(async || {
            let session = world.cached().await;
            let current = sessions.identify(Some(&session.tokens.access.text())).await.unwrap();
            world.during(Box::pin(async { sessions.revoke_all(&current, false, &origin).await.unwrap() })).await.1
        })
        .await;
    seen.push(("the end of all sessions of a caller who is known", end_all));
    let expected = [
        ("a validation that the cache answers", requests(0, 1)),
        ("a validation without a cache", requests(1, 0)),
        ("the list of the sessions of a caller who is known", requests(1, 0)),
        ("a sign-in", requests(11, 1)),
        ("a refresh", requests(2, 1)),
        ("a logout of a caller who is known", requests(1, 1)),
        ("the end of all sessions of a caller who is known", requests(3, 1)),
    ];
    assert_eq!(seen, expected);
}

/// Thousands of instructions, counted in the local build on Linux and x86_64. Counts of one build differ by less than 2 %, also on a busy machine. Another
/// processor runs other copies of a few loops, so a count may be 5 % above its budget.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const INSTRUCTIONS: [(&str, u64); 8] = [
    ("start of ops-not-found", 1063),
    ("start of sessions-current", 3382),
    ("start of auth-login", 3521),
    ("start of auth-refresh", 3361),
    ("start of push-fanout", 6278),
    ("validation, cache hit", 306),
    ("validation, dynamodb", 1216),
    ("delivery of a message to a socket", 145),
];

/// As many as two records have.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const RECIPIENTS: usize = 500;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_a_validation_and_a_delivery_take_no_more_instructions_than_their_budget() {
    assert!(has_callgrind(), "valgrind is missing: install your system's package valgrind");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = started::executables(&workspace, functions::STARTED.into_iter().chain(["holdfast-bench"]));
    let folder = built.values().next().and_then(|path| path.parent()).unwrap().to_string_lossy().into_owned();
    let redis = RedisServer::start(&[]);
    let is_low = |of: &str, count: u64| {
        let (_, budget) = INSTRUCTIONS.iter().find(|(name, _)| *name == of).expect("a budget of this name");
        count / 10 <= budget * 105
    };
    let mut counted = Box::pin(functions::instructions(&redis.url(), &folder, is_low)).await.unwrap();
    let gateway = fanout::gateway(Duration::ZERO, RECIPIENTS).unwrap();
    let each = fanout::of_a_delivery(&built["holdfast-bench"], "worker", &gateway, RECIPIENTS).unwrap();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    counted.push(("delivery of a message to a socket".to_owned(), each as u64));
    assert_eq!(counted.len(), INSTRUCTIONS.len());
    let over: Vec<_> = counted.iter().filter(|(name, count)| !is_low(name, *count)).collect();
    assert!(over.is_empty(), "{over:?} of {counted:?}, and the budgets are {INSTRUCTIONS:?} thousand");
}
