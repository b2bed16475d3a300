//! The adapter against real servers that each test starts for itself.

mod common;
mod patient;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use holdfast_redis::server::{key_of_copy, key_of_lease};
use holdfast_redis::{RedisCache, RedisConfig, TimeLimits};
use holdfast_sessions::cache::{CacheEvent, Cached, Lease};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Effect, Fence, Found, LeaseCache, Rng, SessionCache, SessionReads as _};
use holdfast_sessions::service::{LeasedCache, SignedIn};
use holdfast_sessions::token::Address;
use holdfast_sessions::{SlotNo, UserId};
use holdfast_testkit::host::RealHost;
use holdfast_testkit::redis::RedisServer;
use holdfast_testkit::suites::cache::{provider, server as suite};
use holdfast_testkit::suites::sessions::Bench;
use holdfast_testkit::{ManualHost, MemoryStore};
use redis::AsyncTypedCommands as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

fn config(url: &str) -> RedisConfig {
    RedisConfig { url: url.to_owned(), cluster: false, tokens: None, authority: None }
}

fn cache_at(url: &str) -> RedisCache<RealHost> {
    RedisCache::new(&config(url), RealHost).expect("a good address")
}

async fn raw(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    common::connection(&server.url()).await
}

type World = Bench<MemoryStore, RealHost, LeasedCache<MemoryStore, RedisCache<RealHost>, RealHost>>;

/// A session service behind this server.
async fn world(server: &RedisServer) -> World {
    let store = MemoryStore::default();
    let cache = LeasedCache {
        store: store.clone(),
        server: cache_at(&server.url()),
        host: RealHost,
        max_age_seconds: 60,
        notice,
    };
    Bench::behind(store, cache, RealHost).await
}

fn notice(_: CacheEvent) {}

#[tokio::test]
async fn redis_keeps_the_contract_of_the_cache_server() {
    let server = RedisServer::start(&[]);
    let cache = patient::cache(&config(&server.url()));
    suite::all(&cache, &RealHost).await;
    suite::a_copy_lives_as_long_as_it_was_given(&cache, &RealHost).await;
}

#[tokio::test]
async fn sessions_tell_the_same_story_behind_redis() {
    let server = RedisServer::start(&[]);
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let redis = patient::cache(&config(&server.url()));
    // The service's clock is set by hand; waiting for the server is real.
    let cache =
        LeasedCache { store: store.clone(), server: redis, host: Mixed(host.clone()), max_age_seconds: 60, notice };
    provider::all(&store, &cache, &host).await;
}

/// A host with a manual clock and real waits.
#[derive(Clone, Debug)]
struct Mixed(ManualHost);

impl Clock for Mixed {
    fn now(&self) -> holdfast_sessions::Millis {
        self.0.now()
    }

    async fn sleep(&self, millis: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
    }
}

impl Rng for Mixed {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// What the cache says of a session. A call has milliseconds: on a busy machine a later one is in time.
async fn answered(cache: &RedisCache<RealHost>, at: Address) -> Found {
    for _ in 0..200 {
        if let Ok(found) = cache.read(at).await {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it did not answer")
}

/// What a copy looks like that was filled the right way. A call of the cache has milliseconds: on a busy machine the first
/// one may be too late, and then the next one fills it.
async fn filled(world: &World) -> (SignedIn, String) {
    let session = world.sign_in().await;
    let token = session.tokens.access.text();
    for _ in 0..200 {
        world.sessions().identify(Some(&token)).await.expect("live");
        if matches!(world.cache.server.read(session.slot.at).await, Ok(Found::Hit(_))) {
            return (session, token);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was not filled")
}

#[tokio::test]
async fn a_revoked_session_is_refused_while_redis_is_down() {
    let mut server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (_, token) = filled(&world).await;
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    server.kill();
    let revoked = world.sessions().log_out(&current, &Origin::default()).await.expect("logged out");
    assert_eq!(revoked.effect, Effect::Bounded(60), "nobody confirmed the delete");
    assert!(world.sessions().identify(Some(&token)).await.is_err());
}

/// Returns what a reader holds before its fill: the lease of a miss, and a copy of the session in the store.
async fn paused_refill(world: &World, server: &RedisServer, session: &SignedIn) -> (Lease, Cached) {
    raw(server).await.del(key_of_copy(session.slot.at)).await.expect("dropped, as for want of memory");
    let Ok(Found::Miss(Some(lease))) = world.cache.server.read(session.slot.at).await else {
        panic!("a miss, and a lease")
    };
    let truth = world.store.slot(session.slot.at).await.expect("asked").expect("live");
    (lease, Cached::of(&truth, RealHost.now(), 60).expect("may be cached"))
}

#[tokio::test]
async fn a_refill_that_pauses_across_a_logout_cannot_bring_the_session_back() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    // Without a logout in between it is a fill like any other.
    let (kept, _) = filled(&world).await;
    let (lease, copy) = paused_refill(&world, &server, &kept).await;
    assert_eq!(world.cache.server.fill(kept.slot.at, &lease, &copy, 60_000).await, Ok(true));

    let (session, token) = filled(&world).await;
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    let (lease, copy) = paused_refill(&world, &server, &session).await;
    assert_eq!(
        world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
        Effect::Immediate
    );
    assert_eq!(world.cache.server.fill(session.slot.at, &lease, &copy, 60_000).await, Ok(false));
    assert!(matches!(world.cache.server.read(session.slot.at).await, Ok(Found::Miss(_))), "nothing was stored");
    assert!(world.sessions().identify(Some(&token)).await.is_err());
}

#[tokio::test]
async fn a_logout_whose_cache_delete_fails_says_so_and_a_restart_cannot_bring_the_session_back() {
    // The server keeps its data across the restart, so it still holds the copy of the ended session.
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let world = world(&server).await;
    let (session, token) = filled(&world).await;
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    server.kill();
    assert_eq!(
        world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
        Effect::Bounded(60)
    );
    server.start_again();
    let remembered = raw(&server).await.exists(key_of_copy(session.slot.at)).await.expect("asked");
    assert!(remembered, "else this shows nothing");
    let again = cache_at(&server.url());
    assert!(matches!(answered(&again, session.slot.at).await, Found::Miss(_)), "another incarnation remembers it");
}

#[tokio::test]
async fn what_a_promoted_replica_remembers_is_not_a_hit() {
    let mut primary = RedisServer::start(&[]);
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &primary.port().to_string()]);
    let world = world(&primary).await;
    let (session, token) = filled(&world).await;
    let mut direct = raw(&replica).await;
    while !direct.exists(key_of_copy(session.slot.at)).await.expect("asked") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let behind = cache_at(&replica.url());
    assert!(behind.read(session.slot.at).await.is_err(), "a replica answers nobody");
    assert!(behind.delete(session.slot.at.user, &[session.slot.at.slot]).await.is_err());
    // The link breaks, the session ends, the primary stops, and the replica is promoted with its old data.
    replica.freeze();
    let cut: usize = redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("REPLICA")
        .query_async(&mut raw(&primary).await)
        .await
        .expect("cut");
    assert_eq!(cut, 1);
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    assert_eq!(
        world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
        Effect::Immediate
    );
    primary.kill();
    replica.thaw();
    let () = redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async(&mut direct).await.expect("promoted");
    let remembered = direct.exists(key_of_copy(session.slot.at)).await.expect("asked");
    assert!(remembered, "else this shows nothing");
    match behind.read(session.slot.at).await {
        Ok(Found::Hit(_)) => panic!("a revoked session came back with the replica"),
        other => assert!(other.is_ok(), "a primary answers: {other:?}"),
    }
}

#[tokio::test]
async fn deletes_work_when_memory_is_full_and_nothing_is_filled() {
    let server = RedisServer::start(&["--maxmemory-policy", "noeviction"]);
    let world = world(&server).await;
    let (session, token) = filled(&world).await;
    let () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("1")
        .query_async(&mut raw(&server).await)
        .await
        .expect("set");
    let other = world.sign_in().await;
    assert_eq!(other.effect, Effect::Immediate, "its delete was confirmed");
    assert_eq!(world.cache.server.read(other.slot.at).await, Ok(Found::Miss(None)), "no memory, no lease");
    assert!(matches!(world.cache.server.read(session.slot.at).await, Ok(Found::Hit(_))), "copies still serve");
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    assert_eq!(
        world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
        Effect::Immediate
    );
    assert!(world.sessions().identify(Some(&token)).await.is_err());
}

#[tokio::test]
async fn a_frozen_server_costs_nobody_a_session() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (_, token) = filled(&world).await;
    server.freeze();
    for _ in 0..30 {
        assert!(world.sessions().identify(Some(&token)).await.is_ok());
    }
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    assert_eq!(
        world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
        Effect::Bounded(60)
    );
    assert!(world.sessions().identify(Some(&token)).await.is_err());
    server.thaw();
}

#[tokio::test]
async fn a_server_that_hides_info_is_never_believed() {
    let server = RedisServer::start(&["--rename-command", "INFO", ""]);
    let cache = cache_at(&server.url());
    let user = UserId::from_bytes([1; 16]);
    let slots: Vec<_> = SlotNo::all().collect();
    assert_eq!(cache.delete(user, &slots).await, Ok(Fence::Off));
    assert_eq!(cache.check().await, Ok(Fence::Off));
    let world = world(&server).await;
    let session = world.sign_in().await;
    assert_eq!(session.effect, Effect::Bounded(60));
    assert_eq!(world.cache.server.read(session.slot.at).await, Ok(Found::Miss(None)));
    assert!(world.sessions().identify(Some(&session.tokens.access.text())).await.is_ok());
}

#[tokio::test]
async fn garbage_in_the_cache_is_a_miss_and_is_removed() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (session, token) = filled(&world).await;
    let mut direct = raw(&server).await;
    let key = key_of_copy(session.slot.at);
    let stored: String = direct.get(&key).await.expect("asked").expect("a copy");
    let incarnation = stored.split('\n').next().expect("a first line").to_owned();
    direct.set(&key, format!("{incarnation}\n{{\"f\":1}}")).await.expect("set");
    assert_eq!(world.cache.server.read(session.slot.at).await, Ok(Found::Unreadable));
    assert!(world.sessions().identify(Some(&token)).await.is_ok());
    assert!(!direct.exists(&key).await.expect("asked"));
    // Of another type altogether.
    direct.del(&key).await.expect("deleted");
    let _: usize = direct.lpush(&key, "x").await.expect("pushed");
    assert!(world.sessions().identify(Some(&token)).await.is_ok());
    assert!(!direct.exists(&key).await.expect("asked"), "not for ever");
}

#[tokio::test]
async fn a_duplicated_read_cannot_revive_a_dead_lease() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let session = world.sign_in().await;
    let at = session.slot.at;
    let cache = &world.cache.server;
    let Ok(Found::Miss(Some(first))) = cache.read(at).await else { panic!("a lease was due") };
    cache.delete(at.user, &[at.slot]).await.expect("deleted");
    let Ok(Found::Miss(Some(second))) = cache.read(at).await else { panic!("a lease was due") };
    assert_ne!(first, second);
    let copy = Cached::of(&session.slot, RealHost.now(), 60).expect("live");
    assert_eq!(cache.fill(at, &first, &copy, 1_000).await, Ok(false));
    assert!(raw(&server).await.exists(key_of_lease(at)).await.expect("asked"), "the second lease is untouched");
    assert_eq!(cache.fill(at, &second, &copy, 1_000).await, Ok(true));
}

/// Sends words to the server, on a connection that is not the one under test.
async fn tell(server: &RedisServer, words: &[&str]) {
    let () = redis::cmd(words[0]).arg(&words[1..]).query_async(&mut raw(server).await).await.expect("done");
}

#[tokio::test]
async fn the_scripts_are_loaded_again_after_the_server_forgot_them() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (session, token) = filled(&world).await;
    tell(&server, &["SCRIPT", "FLUSH"]).await;
    tell(&server, &["FUNCTION", "FLUSH"]).await;
    assert!(world.sessions().identify(Some(&token)).await.is_ok());
    assert!(matches!(world.cache.server.read(session.slot.at).await, Ok(Found::Hit(_))));
    let all: Vec<_> = SlotNo::all().collect();
    assert_eq!(world.cache.forget(world.user, &all).await, Effect::Immediate);
}

/// How often this server has executed a command so far.
async fn executions(direct: &mut redis::aio::MultiplexedConnection, command: &str) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(direct).await.expect("asked");
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split_once(',')).map_or(0, |(count, _)| count.parse().expect("a number"))
}

/// A script has about a kilobyte, and its name 40 bytes.
#[tokio::test]
async fn a_script_is_sent_whole_once_and_by_its_name_afterwards() {
    let server = RedisServer::start(&[]);
    let cache = cache_at(&server.url());
    let mut direct = raw(&server).await;
    for _ in 0..3 {
        cache.check().await.expect("a primary");
        assert_eq!(executions(&mut direct, "eval").await, 1);
    }
    // The first one was not known by its name.
    assert_eq!(executions(&mut direct, "evalsha").await, 3);
}

#[tokio::test]
async fn the_library_is_sent_once_and_its_function_is_called_afterwards() {
    let server = RedisServer::start(&[]);
    let (one, two) = (patient::cache(&config(&server.url())), patient::cache(&config(&server.url())));
    let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).expect("a slot") };
    let mut direct = raw(&server).await;
    for cache in [&one, &two, &one] {
        cache.read(at).await.expect("answered");
        assert_eq!(executions(&mut direct, "function|load").await, 1);
        assert_eq!(executions(&mut direct, "evalsha").await, 0);
    }
    // The first call did not know the function.
    assert_eq!(executions(&mut direct, "fcall").await, 4);
}

#[tokio::test]
async fn callers_that_load_the_library_at_the_same_time_all_get_an_answer() {
    let server = RedisServer::start(&[]);
    let caches: Vec<_> = (0..16).map(|_| patient::cache(&config(&server.url()))).collect();
    for cache in &caches {
        cache.check().await.expect("a primary");
    }
    let at = |nth| Address { user: UserId::from_bytes([nth; 16]), slot: SlotNo::new(0).expect("a slot") };
    // Nothing is executed between a call and the load that follows it, until all have called.
    let reads = (0_u8..).zip(&caches).map(|(nth, cache)| cache.read(at(nth)));
    for found in futures_util::future::join_all(reads).await {
        assert!(matches!(found, Ok(Found::Miss(Some(_)))), "{found:?}");
    }
    let mut direct = raw(&server).await;
    assert_eq!(executions(&mut direct, "evalsha").await, 16, "only of the checks");
    assert!(executions(&mut direct, "function|load").await > 1, "else this shows nothing");
}

/// Servers before version 7, and users without the rights. Asking for the function again would cost each read a request.
#[tokio::test]
async fn a_server_without_functions_is_asked_with_the_script() {
    let without: [&[&str]; 3] = [
        &["--rename-command", "FCALL", ""],
        &["--user", "default", "on", "nopass", "~*", "&*", "+@all", "-fcall"],
        &["--user", "default", "on", "nopass", "~*", "&*", "+@all", "-function"],
    ];
    for arguments in without {
        let server = RedisServer::start(arguments);
        let world = world(&server).await;
        let (session, _) = filled(&world).await;
        let mut direct = raw(&server).await;
        let before = (executions(&mut direct, "evalsha").await, executions(&mut direct, "fcall").await);
        for _ in 0..5 {
            let found = answered(&world.cache.server, session.slot.at).await;
            assert!(matches!(found, Found::Hit(_)), "{arguments:?}: {found:?}");
        }
        let after = (executions(&mut direct, "evalsha").await, executions(&mut direct, "fcall").await);
        assert!(after.0 >= before.0 + 5, "{arguments:?}");
        assert_eq!(after.1, before.1, "{arguments:?}: it is not tried again on the same connection");
        assert_eq!(executions(&mut direct, "function|load").await, 0, "{arguments:?}: no library is sent in vain");
    }
}

/// The refusal passes, so it must not cost the connection its functions.
#[tokio::test]
async fn a_library_that_does_not_fit_into_memory_is_loaded_later() {
    let server = RedisServer::start(&["--maxmemory-policy", "noeviction"]);
    let world = world(&server).await;
    let (session, _) = filled(&world).await;
    tell(&server, &["FUNCTION", "FLUSH"]).await;
    tell(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    for _ in 0..2 {
        assert!(matches!(answered(&world.cache.server, session.slot.at).await, Found::Hit(_)), "the script serves");
    }
    tell(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    let mut direct = raw(&server).await;
    let before = executions(&mut direct, "evalsha").await;
    assert!(matches!(answered(&world.cache.server, session.slot.at).await, Found::Hit(_)));
    assert_eq!(executions(&mut direct, "evalsha").await, before, "the function serves again");
}

/// The function keeps the id of the process. A server that was a replica in the meantime is the same process, but it may have missed
/// a delete.
#[tokio::test]
async fn what_a_server_remembers_of_its_time_before_it_was_a_replica_is_not_a_hit() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (session, _) = filled(&world).await;
    assert!(matches!(answered(&world.cache.server, session.slot.at).await, Found::Hit(_)));
    tell(&server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    tell(&server, &["REPLICAOF", "NO", "ONE"]).await;
    let remembered = raw(&server).await.exists(key_of_copy(session.slot.at)).await.expect("asked");
    assert!(remembered, "else this shows nothing");
    let found = answered(&world.cache.server, session.slot.at).await;
    assert!(matches!(found, Found::Miss(Some(_))), "{found:?}");
}

#[tokio::test]
async fn a_cache_that_is_warmed_up_has_the_connection_that_its_first_call_needs() {
    let mut server = RedisServer::start(&[]);
    let cache = cache_at(&server.url());
    let mut direct = raw(&server).await;
    let before = connections(&mut direct).await;
    cache.warm_up().await;
    assert_eq!(connections(&mut direct).await, before + 1);
    cache.check().await.expect("a primary");
    assert_eq!(connections(&mut direct).await, before + 1);
    server.kill();
    cache_at(&server.url()).warm_up().await;
}

/// Serves connections like a cache server, but answers every script with this reply. `NONCE` in it stands for the nonce
/// of a read. With an empty reply it closes the connection.
async fn a_server_that_answers(reply: &'static str) -> String {
    a_counting_server_that_answers(reply, Duration::ZERO).await.0
}

/// The same, with the number of connections that it has been asked for.
async fn a_counting_server_that_answers(reply: &'static str, wait: Duration) -> (String, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut stream = BufReader::new(stream);
            while let Some(words) = command(&mut stream).await {
                let nonce = words.get(5).map_or("", String::as_str);
                let is_script = words[0].starts_with("EVAL") || words[0] == "FCALL";
                let answer = if is_script { reply.replace("NONCE", nonce) } else { "+OK\r\n".to_owned() };
                if is_script {
                    tokio::time::sleep(wait).await;
                }
                if answer.is_empty() {
                    break;
                }
                stream.write_all(answer.as_bytes()).await.expect("answered");
            }
        }
    });
    (format!("redis://{address}/0"), connections)
}

/// The words of the next command; `None` when the connection ends.
async fn command(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number_after('*', stream).await? {
        let mut word = vec![0; number_after('$', stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word).trim_end().to_owned());
    }
    Some(words)
}

async fn number_after(mark: char, stream: &mut BufReader<tokio::net::TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}

#[tokio::test]
async fn a_reply_that_no_script_gives_is_trouble_and_no_miss() {
    let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).expect("a slot") };
    let lease = cache_at(&a_server_that_answers("*2\r\n$5\r\nlease\r\n$18\r\nNONCE:1\r\n").await).read(at).await;
    assert!(matches!(lease, Ok(Found::Miss(Some(_)))), "else this shows nothing: {lease:?}");
    let odd = [
        "",
        "*0\r\n",
        "*1\r\n$3\r\nodd\r\n",
        "*2\r\n$3\r\nodd\r\n$18\r\nNONCE:1\r\n",
        "*2\r\n$5\r\nlease\r\n$5\r\nother\r\n",
    ];
    for reply in odd {
        let read = cache_at(&a_server_that_answers(reply).await).read(at).await;
        assert!(read.is_err(), "{reply:?}: {read:?}");
    }
}

#[tokio::test]
async fn a_command_has_all_of_its_time_and_a_call_of_several_commands_has_twice_as_much() {
    let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).expect("a slot") };
    let limits = TimeLimits { command: Duration::from_millis(1_500), ..TimeLimits::default() };
    let of = async |reply| {
        let (url, _) = a_counting_server_that_answers(reply, Duration::from_millis(1_200)).await;
        RedisCache::with_time_limits(&config(&url), RealHost, limits).expect("a good address").read(at).await
    };
    assert_eq!(of("*1\r\n$4\r\nmiss\r\n").await, Ok(Found::Miss(None)));
    // The function, its library, the function again and the script: the third answer is too late.
    let refused = of("-ERR Function not found\r\n").await;
    assert_eq!(refused, Err(holdfast_sessions::ports::CacheTrouble("no reply in time".into())));
}

/// How many warnings the code under test has written.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicU64>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("holdfast_redis")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_server_that_hides_info_or_refuses_commands_is_reported_once() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).expect("a slot") };
    for (reply, reported) in [("*1\r\n$6\r\nhidden\r\n", 1), ("-OOM command not allowed\r\n", 2)] {
        let cache = cache_at(&a_server_that_answers(reply).await);
        for _ in 0..3 {
            assert_eq!(cache.read(at).await, Ok(Found::Miss(None)));
            assert_eq!(warnings.0.load(Ordering::SeqCst), reported, "{reply:?}");
        }
    }
}

/// How many connections this server has been asked for so far.
async fn connections(direct: &mut redis::aio::MultiplexedConnection) -> u64 {
    let stats: String = redis::cmd("INFO").arg("stats").query_async(direct).await.expect("asked");
    let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:")).expect("counted");
    count.trim().parse().expect("a number")
}

/// Its address may lead to another server by now, so each failure asks for a new connection, until the breaker opens.
#[tokio::test]
async fn a_server_that_can_help_nobody_is_asked_again_by_its_address_and_then_left_alone() {
    let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).expect("a slot") };
    for reply in ["*1\r\n$7\r\nreplica\r\n", "-READONLY a replica\r\n", "-LOADING its data\r\n", "-NOPERM\r\n"] {
        let (url, connections) = a_counting_server_that_answers(reply, Duration::ZERO).await;
        let cache = cache_at(&url);
        for _ in 0..100 {
            let _ = cache.read(at).await;
        }
        let opened = connections.load(Ordering::SeqCst);
        assert!((2..=8).contains(&opened), "{reply:?}: {opened} connections");
    }
}

/// A request has less time than the cache's own deadline, so its caller is the one that gives up.
#[tokio::test]
async fn a_server_that_callers_give_up_on_is_left_alone() {
    let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).expect("a slot") };
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let cache = cache_at(&format!("redis://{}/0", silent.local_addr().expect("an address")));
    for _ in 0..20 {
        let read = tokio::time::timeout(std::time::Duration::from_millis(1), cache.read(at)).await;
        if read.is_ok() {
            break;
        }
    }
    let read = cache.read(at).await;
    assert_eq!(read, Err(holdfast_sessions::ports::CacheTrouble("the breaker is open".into())));
}

#[tokio::test]
async fn a_demoted_server_is_left_alone() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (session, token) = filled(&world).await;
    let mut direct = raw(&server).await;
    let () = redis::cmd("REPLICAOF").arg("127.0.0.1").arg("1").query_async(&mut direct).await.expect("demoted");
    let before = connections(&mut direct).await;
    for _ in 0..200 {
        assert!(world.sessions().identify(Some(&token)).await.is_ok(), "the truth is read");
    }
    let asked = connections(&mut direct).await - before;
    assert!(asked <= 6, "{asked} connections for five failures and a probe");
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    assert_eq!(
        world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
        Effect::Bounded(60)
    );
    assert!(world.sessions().identify(Some(&token)).await.is_err());
    let () = redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async(&mut direct).await.expect("promoted");
    let cache = &world.cache.server;
    let patience = std::time::Instant::now();
    while !matches!(cache.read(session.slot.at).await, Ok(Found::Miss(Some(_)))) {
        assert!(patience.elapsed() < std::time::Duration::from_secs(10), "it is not used again");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What a reader sees of a connection that has lost step: a reply to another question.
#[tokio::test]
async fn another_users_copy_admits_nobody_and_ends_the_connection() {
    let server = RedisServer::start(&[]);
    let mine = world(&server).await;
    let other = world(&server).await;
    let ((my_session, my_token), (other_session, _)) = (filled(&mine).await, filled(&other).await);
    let mut direct = raw(&server).await;
    let swapped: String = direct.get(key_of_copy(other_session.slot.at)).await.expect("asked").expect("a copy");
    direct.set(key_of_copy(my_session.slot.at), swapped).await.expect("set");
    let before = connections(&mut direct).await;
    let current = mine.sessions().identify(Some(&my_token)).await.expect("live");
    assert_eq!(current.slot.sid, my_session.slot.sid, "mine, from the truth");
    assert_eq!(connections(&mut direct).await, before + 1, "the read left its connection, the delete opened another");
    assert!(!direct.exists(key_of_copy(my_session.slot.at)).await.expect("asked"));
}

/// A function that was frozen for long resumes with a connection that the server has closed.
#[tokio::test]
async fn a_connection_that_died_meanwhile_costs_no_delete_its_confirmation() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (_, token) = filled(&world).await;
    let current = world.sessions().identify(Some(&token)).await.expect("live");
    let mut direct = raw(&server).await;
    let cut: usize = redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("NORMAL")
        .arg("SKIPME")
        .arg("YES")
        .query_async(&mut direct)
        .await
        .expect("cut");
    assert_eq!(cut, 1);
    assert_eq!(
        world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
        Effect::Immediate
    );
    assert!(world.sessions().identify(Some(&token)).await.is_err());
}

/// The same when it resumes with a validation. The closed connection is noticed before anything is sent on it, so no request is
/// repeated and none is lost.
#[tokio::test]
async fn a_connection_that_died_meanwhile_costs_no_read_of_the_truth() {
    let server = RedisServer::start(&[]);
    let world = world(&server).await;
    let (session, _) = filled(&world).await;
    let mut direct = raw(&server).await;
    for _ in 0..3 {
        let cut: usize = redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "NORMAL", "SKIPME", "YES"])
            .query_async(&mut direct)
            .await
            .expect("cut");
        assert_eq!(cut, 1);
        // The client reads that the connection is closed.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let before = executions(&mut direct, "fcall").await;
        let found = world.cache.server.read(session.slot.at).await;
        assert!(matches!(found, Ok(Found::Hit(_))), "{found:?}");
        assert_eq!(executions(&mut direct, "fcall").await, before + 1, "it was sent once");
    }
}

/// The server neither answers nor refuses. Its queue of connections is full, which has the effect of dropped packets.
#[tokio::test]
async fn a_black_hole_ends_at_the_deadlines_and_opens_the_breaker() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // Linux accepts what the backlog (128) holds, and lets every later connection wait without an end.
    let mut held = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200)) {
        held.push(stream);
    }
    let cache = cache_at(&format!("redis://{address}/0"));
    let store = MemoryStore::default();
    let behind = LeasedCache { store: store.clone(), server: cache, host: RealHost, max_age_seconds: 60, notice };
    let world = Bench::behind(store, behind, RealHost).await;
    let session = world.sign_in().await;
    assert_eq!(session.effect, Effect::Bounded(60));
    let at = session.slot.at;
    // Connecting takes at most 250 ms, and there are two attempts. A client without deadlines would wait much longer.
    let gone = std::time::Duration::from_secs(5);
    let deleted = tokio::time::timeout(gone, world.cache.server.delete(at.user, &[at.slot])).await;
    assert!(matches!(deleted, Ok(Err(_))), "{deleted:?}");
    for _ in 0..30 {
        let token = session.tokens.access.text();
        assert!(world.sessions().identify(Some(&token)).await.is_ok());
    }
    let read = world.cache.server.read(at).await;
    assert_eq!(read, Err(holdfast_sessions::ports::CacheTrouble("the breaker is open".into())));
}

/// A server that is too small for its keys evicts copies and leases. That costs a read and nothing else.
#[tokio::test]
async fn evictions_admit_nobody_and_refuse_nobody() {
    let server = RedisServer::start(&["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"]);
    let world = world(&server).await;
    let mut direct = raw(&server).await;
    let evicted = async |direct: &mut redis::aio::MultiplexedConnection| {
        let stats: String = redis::cmd("INFO").arg("stats").query_async(direct).await.expect("asked");
        !stats.contains("evicted_keys:0\r")
    };
    for round in 0..3_u8 {
        let (session, token) = (world.sign_in().await, world.sign_in().await.tokens.access.text());
        let mine = session.tokens.access.text();
        for nth in 0..60 {
            direct.set(format!("other:{round}:{nth}"), vec![b'x'; 50_000]).await.expect("set");
            assert!(world.sessions().identify(Some(&mine)).await.is_ok());
        }
        let current = world.sessions().identify(Some(&token)).await.expect("live");
        assert_eq!(
            world.sessions().log_out(&current, &Origin::default()).await.expect("logged out").effect,
            Effect::Immediate
        );
        assert!(world.sessions().identify(Some(&token)).await.is_err());
    }
    assert!(evicted(&mut direct).await, "else this shows nothing");
}

/// The exception to `immediate` is two servers that both act as primary. The copies of the isolated one are used until
/// they reach the maximum age, and no longer.
#[tokio::test]
async fn an_isolated_primary_is_believed_for_the_maximum_age_and_no_longer() {
    let (isolated, elected) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let (store, host) = (MemoryStore::default(), ManualHost::default());
    let behind = |server: &RedisServer| {
        let redis = patient::cache(&config(&server.url()));
        LeasedCache { store: store.clone(), server: redis, host: Mixed(host.clone()), max_age_seconds: 60, notice }
    };
    let reader = Bench::behind(store.clone(), behind(&isolated), host.clone()).await;
    let session = reader.sign_in().await;
    let token = session.tokens.access.text();
    let current = reader.sessions().identify(Some(&token)).await.expect("live, and cached");
    let writer = holdfast_sessions::service::Sessions {
        store: store.clone(),
        cache: behind(&elected),
        host: host.clone(),
        policy: holdfast_sessions::policy::Policy::default(),
    };
    assert_eq!(writer.log_out(&current, &Origin::default()).await.expect("logged out").effect, Effect::Immediate);
    assert!(writer.identify(Some(&token)).await.is_err());
    assert!(reader.sessions().identify(Some(&token)).await.is_ok(), "else this shows nothing");
    host.advance_seconds(59);
    assert!(reader.sessions().identify(Some(&token)).await.is_ok());
    host.advance_seconds(1);
    assert!(reader.sessions().identify(Some(&token)).await.is_err());
}
