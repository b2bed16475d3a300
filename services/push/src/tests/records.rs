//! Each record of a queue: acknowledged when it is done, and delivered again when it is not.

use holdfast_push::close::{CloseRequest, SessionOver};
use holdfast_push::job::Job;
use holdfast_push::outcome::Posted;
use holdfast_push::ports::{Count, Sockets as _};
use holdfast_push::publish::Queued;
use holdfast_push::socket::Socket;
use holdfast_push_wiring::wire::{close_request_to_json, job_to_json};

use super::failures::records_of;
use super::*;

/// Opens a socket of the user's session.
async fn open(world: &World, connection: &str) {
    let now = world.host.now();
    let socket = Socket {
        id: id(connection),
        at: world.at,
        sid: world.sid,
        connected_at: now,
        seen_at: now,
        session_expires_at: now.plus_seconds(3_600),
        expires_at: now.plus_seconds(7_800),
    };
    world.table.calm.open(&socket, "a@example.com").await.unwrap();
    world.gateway.open(&id(connection));
}

/// A publish to the user and to another user, as producers put it into the queue.
fn publish(world: &World) -> String {
    let users = [world.at.user, UserId::from_bytes([9; 16])].map(|user| user.to_string());
    json!({"v": 1, "kind": "publish", "publish": {"to": {"userIds": users}, "kind": "note", "data": 1,
           "idempotencyKey": "k"}})
    .to_string()
}

/// The piece of work that a publish to the user leads to.
async fn job(world: &World) -> Job {
    let (answer, _) = world.queue("push-fanout", &[publish(world)], TIME).await;
    assert_eq!(answer.unwrap(), again(&[]));
    world.queues.calm.next_job().expect("some work").0
}

fn ended(world: &World) -> String {
    let (at, sid) = (world.at, world.sid);
    close_request_to_json(&CloseRequest::SessionEnded { at, sid, over: SessionOver::Ended, ended_at: world.host.now() })
}

#[tokio::test]
async fn a_delivered_message_is_acknowledged() {
    let world = World::new().await;
    open(&world, "c=").await;
    let job = job(&world).await;
    let (answer, recorded) = world.queue("push-fanout", &[job_to_json(&job)], TIME).await;
    assert_eq!((answer.unwrap(), recorded.log), (again(&[]), vec![]));
    assert_eq!((world.gateway.received(&id("c=")).len(), world.counters.of(Count::Delivered)), (1, 1));
}

/// A record that failed once: its copy comes within 10 s, and does all of its work.
#[tokio::test]
async fn a_message_is_delivered_again_whatever_call_of_it_failed() {
    for call in records_of("push-fanout") {
        let world = World::new().await;
        open(&world, "c=").await;
        let is_publish = ["begin_publish", "enqueue"].contains(call);
        let body = if is_publish { publish(&world) } else { job_to_json(&job(&world).await) };
        world.fail_at(call, &Trouble::Unavailable);
        let (answer, recorded) = world.queue("push-fanout", std::slice::from_ref(&body), TIME).await;
        assert_eq!(answer.unwrap(), again(&[]), "{call}: a copy replaces the record");
        assert_eq!(recorded.log, ["WARN the record will be delivered again"], "{call}");
        assert!(world.gateway.received(&id("c=")).is_empty(), "{call}: nothing reached the socket");
        let (copy, delay) = world.queues.calm.next_copy().expect("a copy");
        assert!(delay <= 10 && copy.body == body, "{call}: {delay} s");
        assert_eq!((&*copy.queue, &*copy.id, &*copy.sender), ("env-queue", "m0", "AROA:service"), "{call}");

        world.table.heal();
        world.queues.heal();
        world.host.advance_seconds(i64::from(delay));
        let (answer, recorded) = world.copy("push-fanout", &copy).await;
        assert_eq!((answer.unwrap(), recorded.log), (again(&[]), vec![]), "{call}");
        assert!(world.queues.calm.next_copy().is_none(), "{call}");
        if is_publish {
            // The publish has the id of its first record.
            let published = world.queues.calm.next_job().expect("work").0;
            assert_eq!(published.message().id, Queued::id_of("m0"), "{call}");
        } else {
            assert_eq!(world.gateway.received(&id("c=")).len(), 1, "{call}");
        }
    }
}

/// What a copy does not help, and what cannot be copied, stays with the queue. The queue dead-letters it in the end.
#[tokio::test]
async fn a_record_without_a_copy_is_delivered_again_by_its_queue() {
    for function in ["push-fanout", "push-close-sockets"] {
        for call in records_of(function).iter().filter(|call| **call != "enqueue" && **call != "ask") {
            for (trouble, with_queue) in [(Trouble::Corrupt, true), (Trouble::Unavailable, false)] {
                let world = World::new().await;
                open(&world, "c=").await;
                let body = match (function, *call) {
                    ("push-close-sockets", _) => ended(&world),
                    (_, "begin_publish") => publish(&world),
                    _ => job_to_json(&job(&world).await),
                };
                world.fail_at(call, &trouble);
                world.queues.calm.fail_after(if with_queue { None } else { Some(0) });
                let (answer, recorded) = world.queue(function, &[body], TIME).await;
                assert_eq!(answer.unwrap(), again(&["m0"]), "{function}, {call}, {trouble:?}");
                assert!(recorded.log.iter().all(|line| line.starts_with("WARN ")), "{call}: {recorded:?}");
                assert!(world.queues.calm.next_copy().is_none(), "{function}, {call}");
            }
        }
    }
}

/// A store that does not recover: the copies have an end, and then the queue counts the deliveries.
#[tokio::test]
async fn the_copies_of_a_record_have_an_end() {
    for (function, call) in [("push-fanout", "of_user"), ("push-close-sockets", "of_user")] {
        let world = World::new().await;
        open(&world, "c=").await;
        let body = if function == "push-fanout" { job_to_json(&job(&world).await) } else { ended(&world) };
        world.fail_at(call, &Trouble::Unavailable);
        let (mut answer, _) = world.queue(function, &[body], TIME).await;
        let mut delays = Vec::new();
        while let Some((copy, delay)) = world.queues.calm.next_copy() {
            assert_eq!(answer.unwrap(), again(&[]), "{function}");
            delays.push(delay);
            assert!(delays.len() <= 6, "{function}: {delays:?}");
            world.host.advance_seconds(i64::from(delay));
            (answer, _) = world.copy(function, &copy).await;
        }
        assert_eq!((answer.unwrap(), delays.len()), (again(&["copy"]), 6), "{function}");
        assert!(delays.is_sorted(), "{function}: {delays:?}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_fails_alone() {
    for function in ["push-fanout", "push-close-sockets"] {
        let world = World::new().await;
        open(&world, "c=").await;
        let good = if function == "push-fanout" { job_to_json(&job(&world).await) } else { ended(&world) };
        let bodies = ["poison".into(), good, r#"{"v":1,"kind":"publish","publish":{}}"#.into()];
        let (answer, recorded) = world.queue(function, &bodies, TIME).await;
        assert_eq!(answer.unwrap(), again(&["m0", "m2"]), "{function}");
        let metric = if function == "push-fanout" { "PUSH_UNREADABLE" } else { "CLOSE_UNREADABLE" };
        assert_eq!(recorded.counts.get(metric), Some(&2), "{function}");
        let lines = recorded.log.iter().filter(|line| *line == "ERROR a record cannot be read");
        assert_eq!(lines.count(), 2, "{function}: {recorded:?}");
    }
}

#[tokio::test]
async fn posts_that_are_forbidden_are_an_error_and_come_again() {
    let world = World::new().await;
    open(&world, "c=").await;
    let job = job(&world).await;
    world.gateway.script(&id("c="), [Posted::Forbidden]);
    let (answer, recorded) = world.queue("push-fanout", &[job_to_json(&job)], TIME).await;
    assert_eq!(answer.unwrap(), again(&["m0"]));
    assert!(recorded.log.iter().any(|line| line.starts_with("ERROR posts are forbidden")), "{recorded:?}");
}

#[tokio::test]
async fn a_publish_of_the_queue_is_accepted_once() {
    let world = World::new().await;
    for _ in 0..2 {
        let (answer, _) = world.queue("push-fanout", &[publish(&world)], TIME).await;
        assert_eq!(answer.unwrap(), again(&[]));
    }
    assert!(world.queues.calm.next_job().is_some() && world.queues.calm.next_job().is_none());
    assert_eq!(world.counters.of(Count::Accepted), 1);
}

#[tokio::test]
async fn what_there_is_no_time_for_comes_again() {
    let world = World::new().await;
    open(&world, "c=").await;
    let body = job_to_json(&job(&world).await);
    for (function, body) in [("push-fanout", body), ("push-close-sockets", ended(&world))] {
        let (answer, _) = world.queue(function, &[body], Duration::from_millis(10)).await;
        assert_eq!(answer.unwrap(), again(&["m0"]), "{function}");
    }
    assert!(world.gateway.received(&id("c=")).is_empty() && world.gateway.closed().is_empty());
}

#[tokio::test]
async fn sockets_of_an_ended_session_are_closed_and_looked_at_again() {
    let world = World::new().await;
    open(&world, "c=").await;
    let (answer, recorded) = world.queue("push-close-sockets", &[ended(&world)], TIME).await;
    assert_eq!((answer.unwrap(), recorded.log), (again(&[]), vec![]));
    assert_eq!(world.gateway.closed(), [id("c=")]);
    assert!(world.queues.calm.next_close().is_some());
}

#[tokio::test]
async fn a_socket_is_closed_again_whatever_call_of_it_failed() {
    for call in records_of("push-close-sockets") {
        for trouble in Trouble::ERRORS.into_iter().filter(|trouble| *trouble != Trouble::Corrupt) {
            let world = World::new().await;
            open(&world, "c=").await;
            world.fail_at(call, &trouble);
            let (answer, recorded) = world.queue("push-close-sockets", &[ended(&world)], TIME).await;
            assert_eq!(answer.unwrap(), again(&[]), "{call}, {trouble:?}");
            assert_eq!(recorded.log, ["WARN the record will be delivered again"], "{call}");
            let (copy, delay) = world.queues.calm.next_copy().expect("a copy");
            assert!(delay <= 10, "{call}: {delay} s");
            world.table.heal();
            world.queues.heal();
            let (answer, _) = world.copy("push-close-sockets", &copy).await;
            assert_eq!(answer.unwrap(), again(&[]), "{call}, {trouble:?}");
            assert!(world.queues.calm.next_close().is_some(), "{call}: the socket is checked again");
            assert!(!world.gateway.is_open(&id("c=")), "{call}");
        }
    }
}
