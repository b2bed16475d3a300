//! Kills the primary after a delete that its replica never received, promotes the replica and reads from it, many
//! times.
//!
//! `HOLDFAST_PROMOTIONS` is the number of rounds (20 if it is not set; `make prove` sets 1 000).

mod common;

use holdfast_redis::server::key_of_copy;
use holdfast_redis::{RedisCache, RedisConfig};
use holdfast_sessions::cache::Cached;
use holdfast_sessions::device::Device;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Fence, Found, LeaseCache, Rng};
use holdfast_sessions::signin::{SessionOptions, SessionSecrets, new_session};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Secret, SessionId, SlotNo, UserId};
use holdfast_testkit::host::RealHost;
use holdfast_testkit::redis::RedisServer;
use redis::AsyncTypedCommands as _;
use redis::aio::MultiplexedConnection;

async fn raw(server: &RedisServer) -> MultiplexedConnection {
    common::connection(&server.url()).await
}

fn cache(server: &RedisServer) -> RedisCache<RealHost> {
    let config = RedisConfig { url: server.url(), cluster: false, tokens: None, authority: None };
    RedisCache::new(&config, RealHost).expect("a good address")
}

fn copy() -> Cached {
    let host = RealHost;
    let at = Address { user: UserId::from_bytes(host.random()), slot: SlotNo::new(0).expect("a slot") };
    let draw = SessionSecrets { sid: SessionId::from_bytes([1; 16]), origin: Secret::new([2; 32]), seed: [3; 32] };
    let wishes = SessionOptions { stay_signed_in: false, device: Device::default() };
    let (slot, _) = new_session(at, "a@b", &draw, &wishes, &Policy::default(), host.now(), "op".into());
    Cached::of(&slot, host.now(), 60).expect("live")
}

async fn follow(server: &mut MultiplexedConnection, primary: Option<u16>) {
    let (host, port) = primary.map_or(("NO".into(), "ONE".into()), |port| ("127.0.0.1".to_owned(), port.to_string()));
    let () = redis::cmd("REPLICAOF").arg(host).arg(port).query_async(server).await.expect("taken");
}

/// Whether the promoted replica physically still held the copy; its being a hit fails the test.
async fn cycle(primary: &mut RedisServer, replica: &RedisServer, seen_by: &RedisCache<RealHost>) -> bool {
    let copy = copy();
    let at = copy.slot.at;
    let before = cache(primary);
    let Ok(Found::Miss(Some(lease))) = before.read(at).await else { panic!("a lease was due") };
    assert_eq!(before.fill(at, &lease, &copy, 60_000).await, Ok(true));
    let mut direct = raw(replica).await;
    while !direct.exists(key_of_copy(at)).await.expect("asked") {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    // The primary confirms the delete, which never reaches the replica: its link is cut, and it cannot make another.
    replica.freeze();
    let kill = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("REPLICA").to_owned();
    let cut: usize = kill.query_async(&mut raw(primary).await).await.expect("cut");
    assert_eq!(cut, 1);
    assert_eq!(before.delete(at.user, &[at.slot]).await, Ok(Fence::On));
    primary.kill();
    replica.thaw();
    follow(&mut direct, None).await;
    let remembered = direct.exists(key_of_copy(at)).await.expect("asked");
    match seen_by.read(at).await {
        Ok(Found::Hit(_)) => panic!("a stale hit: the promoted server was believed"),
        Ok(_) => {}
        // It was a replica when this connection last asked: the connection is made anew.
        Err(_) => assert!(!matches!(seen_by.read(at).await, Ok(Found::Hit(_))), "a stale hit"),
    }
    remembered
}

#[tokio::test]
async fn what_a_promoted_server_remembers_is_never_a_hit() {
    let cycles: usize = std::env::var("HOLDFAST_PROMOTIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let (mut one, mut two) = (
        RedisServer::start(&["--repl-diskless-sync-delay", "0"]),
        RedisServer::start(&["--repl-diskless-sync-delay", "0"]),
    );
    let mut remembered = 0;
    for _ in 0..cycles {
        follow(&mut raw(&two).await, Some(one.port())).await;
        // The connection of a function that was there all along: REPLICAOF does not close it.
        let seen_by = cache(&two);
        let _ = seen_by.check().await;
        remembered += usize::from(cycle(&mut one, &two, &seen_by).await);
        one.start_again();
        std::mem::swap(&mut one, &mut two);
    }
    eprintln!("{cycles} promotions, {remembered} of them with the dead session still in memory, 0 stale hits");
    assert!(remembered * 2 > cycles, "only {remembered} of {cycles} replicas remembered anything: this shows nothing");
}
