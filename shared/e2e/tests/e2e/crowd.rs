//! Many sockets at once on a local cloud. `make prove` runs it, with files enough for a thousand of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use futures_util::{StreamExt, stream};
use holdfast_e2e::path::open_socket;
use holdfast_e2e::{Person, Socket};
use serde_json::json;

use crate::world::World;

/// Sockets of one user: the most there may be.
const EACH: usize = 10;
/// Handshakes at once.
const AT_ONCE: usize = 8;
/// Sign-ins before the broadcast, one after another.
const SIGN_INS: usize = 20;

fn wanted() -> usize {
    std::env::var("HOLDFAST_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

async fn crowd(world: &World) -> Vec<Socket> {
    let users = wanted().div_ceil(EACH);
    stream::iter(0..users)
        .map(|user| async move {
            let (_, session) = world.signed_in().await;
            let mut sockets = Vec::new();
            for number in 0..EACH {
                sockets.push(open_socket(&world.api, &session.access, &format!("{user}-{number}")).await.unwrap());
            }
            sockets
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// Signs in and returns how long it took, in ms.
async fn sign_in(world: &World, person: &Person) -> u128 {
    let began = Instant::now();
    world.api.sign_in(person, "beside").await.unwrap();
    began.elapsed().as_millis()
}

fn median(times: &mut [u128]) -> u128 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[tokio::test]
#[ignore = "a thousand sockets; `make prove` runs it"]
async fn a_broadcast_reaches_a_thousand_real_sockets() {
    let world = World::open().await;
    let began = Instant::now();
    let mut sockets = crowd(&world).await;
    let opened = began.elapsed();
    let person = world.person().await;
    let mut alone = Vec::new();
    for _ in 0..SIGN_INS {
        alone.push(sign_in(&world, &person).await);
    }
    let done = AtomicBool::new(false);
    let mut beside = Vec::new();
    let began = Instant::now();
    let body = json!({"to": {"broadcast": true}, "kind": "note", "data": {"to": "everybody"}});
    let id = world.api.publish(&body).await.unwrap().expect(202).unwrap().text("/messageId").unwrap();
    let receiving = async {
        let received = join_all(sockets.iter_mut().map(|socket| socket.expect_message(&id))).await;
        done.store(true, Ordering::SeqCst);
        (received, began.elapsed())
    };
    let signing_in = async {
        while !done.load(Ordering::SeqCst) {
            beside.push(sign_in(&world, &person).await);
        }
    };
    let ((received, took), ()) = join(receiving, signing_in).await;
    let missed: Vec<_> = received.into_iter().filter_map(Result::err).collect();
    assert!(missed.is_empty(), "{} sockets got nothing: {}", missed.len(), missed[0]);
    // What came twice would have come by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let repeats: usize = sockets.iter().map(|socket| socket.repeats(&id)).sum();
    eprintln!(
        "{} real sockets received a broadcast, opened in {:.1} s, reached in {:.1} s, {repeats} repeats; a sign-in took {} ms before and {} ms beside it \
         (medians of {} and {})",
        sockets.len(),
        opened.as_secs_f64(),
        took.as_secs_f64(),
        median(&mut alone),
        median(&mut beside),
        alone.len(),
        beside.len()
    );
    assert_eq!(repeats, 0);
    join_all(sockets.into_iter().map(Socket::close)).await;
}
