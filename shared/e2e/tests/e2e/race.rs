//! A handshake while its session is ended, many times: no socket outlives its session. `make prove` runs a thousand.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use holdfast_e2e::path::ticket;
use holdfast_e2e::{Handshake, Person, Socket};

use crate::world::World;

/// Users who race at once, each with one session at a time.
const LANES: usize = 8;

#[derive(Default)]
struct Seen {
    refused: usize,
    /// From the answer to the logout to the close of a socket that had come through.
    closed: Vec<Duration>,
}

/// How long a handshake takes here that nothing disturbs.
async fn undisturbed(world: &World, person: &Person) -> Duration {
    let session = world.api.sign_in(person, "race").await.unwrap();
    let url = ticket(&world.api, &session.access).await.unwrap();
    let began = Instant::now();
    let socket = Socket::connect("first", &url, None).await.unwrap().open().unwrap();
    let took = began.elapsed();
    socket.close().await;
    world.api.log_out(&session.access).await.unwrap().expect(200).unwrap();
    took
}

async fn race(world: &World, person: &Person, delay: Duration, seen: &mut Seen) {
    let session = world.api.sign_in(person, "race").await.unwrap();
    let url = ticket(&world.api, &session.access).await.unwrap();
    let logout = async {
        tokio::time::sleep(delay).await;
        world.api.log_out(&session.access).await.unwrap().expect(200).unwrap();
        Instant::now()
    };
    let (handshake, ended) = join(Socket::connect("race", &url, None), logout).await;
    match handshake.unwrap() {
        Handshake::Open(mut socket) => {
            socket.expect_closed().await.unwrap_or_else(|fault| panic!("a socket outlived its session: {fault}"));
            seen.closed.push(ended.elapsed());
        }
        Handshake::Refused(_) => seen.refused += 1,
    }
}

#[tokio::test]
#[ignore = "a thousand sign-ins; `make prove` runs it"]
async fn no_socket_outlives_its_session_whatever_the_race() {
    let rounds: usize = std::env::var("HOLDFAST_SOCKET_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(80);
    let world = World::open().await;
    let lanes = (0..LANES).map(|lane| {
        let world = &world;
        async move {
            let person = world.person().await;
            let mut seen = Seen::default();
            let took = undisturbed(world, &person).await;
            for round in 0..rounds.div_ceil(LANES) {
                // From a logout that comes first to one that comes when the handshake has long been done.
                let place = ((round * LANES + lane) as u32 * 7_919) % 1_000;
                let delay = took * 2 * place / 1_000;
                race(world, &person, delay, &mut seen).await;
                if lane == 0 && round % 25 == 24 {
                    eprintln!("  {} of {rounds} rounds", (round + 1) * LANES);
                }
            }
            seen
        }
    });
    let mut all = Seen::default();
    for seen in join_all(lanes).await {
        all.refused += seen.refused;
        all.closed.extend(seen.closed);
    }
    all.closed.sort();
    let at = |share: usize| all.closed.get((all.closed.len() * share / 100).min(all.closed.len().saturating_sub(1)));
    let show = |share| at(share).map_or(0, Duration::as_millis);
    eprintln!(
        "{} handshakes raced the end of their session: {} refused, {} closed; after the logout's answer p50 {} ms, p99 {} ms, at \
         most {} ms; 0 left",
        all.refused + all.closed.len(),
        all.refused,
        all.closed.len(),
        show(50),
        show(99),
        show(100)
    );
    assert!(!all.closed.is_empty(), "the race was never close");
}
