use holdfast_push::close::CloseRequest;
use holdfast_push::ports::{Sockets, Tickets};
use holdfast_push::service::{ConnectRefusal, Connector};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::Clock as _;
use holdfast_testkit::push::stepped::{Actor, Stepped, every_schedule};

use crate::world::{CAP, TTL, World, id};

#[tokio::test]
async fn a_ticket_opens_one_socket() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    let door = world.door();
    let admission = door.admit(Some(&ticket)).await.unwrap().unwrap();
    assert_eq!((admission.at, admission.sid), (person.at, person.sid));
    assert!(door.connect(&id("a"), Some(&ticket), TTL, CAP).await.unwrap().is_ok());
    assert_eq!(door.admit(Some(&ticket)).await, Ok(Err(ConnectRefusal::Ticket)));
    assert_eq!(door.connect(&id("b"), Some(&ticket), TTL, CAP).await, Ok(Err(ConnectRefusal::Ticket)));
    assert_eq!(world.table.of_user(person.at.user).await.unwrap().len(), 1);
}

#[tokio::test]
async fn admission_reads_and_nothing_else() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    for _ in 0..3 {
        assert!(world.door().admit(Some(&ticket)).await.unwrap().is_ok());
    }
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

#[tokio::test]
async fn garbage_and_expired_tickets_open_nothing() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    world.host.advance_seconds(30);
    for bad in [None, Some(""), Some("garbage"), Some(ticket.as_str())] {
        assert_eq!(world.door().admit(bad).await, Ok(Err(ConnectRefusal::Ticket)), "{bad:?}");
        assert_eq!(world.door().connect(&id("a"), bad, TTL, CAP).await, Ok(Err(ConnectRefusal::Ticket)), "{bad:?}");
    }
}

#[tokio::test]
async fn an_ended_session_gets_no_socket() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    world.sessions.end(person.at, world.host.now());
    assert_eq!(world.door().admit(Some(&ticket)).await, Ok(Err(ConnectRefusal::SessionOver)));
    assert_eq!(world.door().connect(&id("a"), Some(&ticket), TTL, CAP).await, Ok(Err(ConnectRefusal::SessionOver)));
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

#[tokio::test]
async fn the_session_that_moved_into_the_slot_is_not_the_tickets() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    world.person_in(person.at.slot.get(), person.at.user);
    assert_eq!(world.door().connect(&id("a"), Some(&ticket), TTL, CAP).await, Ok(Err(ConnectRefusal::SessionOver)));
}

/// A session ends and a socket opens in it, in both orders. If it ends before the last read of the session, the
/// handshake finds that. If it ends later, the closer finds the socket.
#[tokio::test]
async fn no_socket_outlives_its_session_whichever_comes_second() {
    for steps_before in 0..2 {
        let world = World::default();
        let person = world.person();
        if steps_before == 0 {
            let ticket = world.ticket(&person).await;
            world.sessions.end(person.at, world.host.now());
            assert!(world.door().connect(&id("a"), Some(&ticket), TTL, CAP).await.unwrap().is_err());
        } else {
            assert!(world.connect(&person, "a").await.is_ok());
            world.sessions.end(person.at, world.host.now());
        }
        let request = CloseRequest::SessionEnded {
            at: person.at,
            sid: person.sid,
            over: holdfast_push::close::SessionOver::Ended,
            ended_at: world.host.now(),
        };
        world.closer().handle(&request).await.unwrap();
        world.close_off(10).await;
        assert!(!world.gateway.is_open(&id("a")));
        assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
    }
}

/// This is the order that only a read of the session after writing can detect. The session ends and its closer finds no
/// socket, then the rows are written.
#[tokio::test]
async fn a_session_that_ends_during_the_handshake_gets_no_socket() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    let (sessions, now) = (world.sessions.clone(), world.host.now());
    world.table.before_open(move || sessions.end(person.at, now));
    assert_eq!(world.door().connect(&id("a"), Some(&ticket), TTL, CAP).await, Ok(Err(ConnectRefusal::SessionOver)));
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

/// A `$disconnect` that overtakes its `$connect`.
#[tokio::test]
async fn a_socket_that_closes_during_the_handshake_leaves_no_row() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    let table = world.table.clone();
    world.table.before_open(move || table.close_at_once(&id("a")));
    assert_eq!(world.door().connect(&id("a"), Some(&ticket), TTL, CAP).await, Ok(Err(ConnectRefusal::HungUp)));
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

#[tokio::test]
async fn a_client_that_hung_up_leaves_no_row() {
    let world = World::default();
    let person = world.person();
    world.table.mark_gone(&id("a"), world.host.now()).await.unwrap();
    assert_eq!(world.connect(&person, "a").await, Err(ConnectRefusal::HungUp));
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

#[tokio::test]
async fn a_store_that_is_down_decides_nothing() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    world.sessions.set_down(true);
    assert!(world.door().admit(Some(&ticket)).await.is_err());
    assert!(world.door().connect(&id("a"), Some(&ticket), TTL, CAP).await.is_err());
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

#[tokio::test]
async fn one_socket_too_many_replaces_the_oldest() {
    let world = World::default();
    let person = world.person();
    for n in 0..CAP {
        assert!(world.connect(&person, &format!("s{n}")).await.is_ok());
        world.host.advance_seconds(1);
    }
    assert!(world.queues.next_close().is_none());
    assert!(world.connect(&person, "one-more").await.is_ok());
    assert_eq!(world.next_close(), CloseRequest::Replaced { user: person.at.user, connection: id("s0") });
    assert!(world.queues.next_close().is_none());
}

/// All are silent in the table, because keep-alives reach no function. A socket whose client left without an event makes
/// room before one that is open.
#[tokio::test]
async fn a_silent_socket_is_replaced_before_an_older_one_only_if_it_is_closed() {
    for (closed, replaced) in [(None, "s0"), (Some("s4"), "s4")] {
        let world = World::default();
        let person = world.person();
        for n in 0..CAP {
            assert!(world.connect(&person, &format!("s{n}")).await.is_ok());
            world.host.advance_seconds(1);
        }
        if let Some(closed) = closed {
            world.gateway.drop_socket(&id(closed));
        }
        // It is not asked about sockets that sent a frame lately: their handshake may still run.
        let asked_too_early = world.connect(&person, "one-more").await;
        assert!(asked_too_early.is_ok());
        assert_eq!(world.next_close(), CloseRequest::Replaced { user: person.at.user, connection: id("s0") });
        world.table.forget(&id("one-more"), None).await.unwrap();
        world.host.advance_seconds(660);
        assert!(world.connect(&person, "later").await.is_ok());
        assert_eq!(world.next_close(), CloseRequest::Replaced { user: person.at.user, connection: id(replaced) });
        assert!(world.queues.next_close().is_none());
    }
}

/// Handshakes of one user run at once. Each sees some of the others, and together they close as many sockets as are too
/// many.
#[test]
fn handshakes_at_once_leave_as_many_sockets_as_may_be() {
    for cap in 1..=2 {
        let count = every_schedule(|schedule| {
            let world = World::default();
            let person = world.person();
            let names = ["x", "y"];
            let connect = |name: &'static str| {
                let door = Connector {
                    sessions: world.sessions.clone(),
                    table: Stepped(world.table.clone()),
                    gateway: world.gateway.clone(),
                    closing: Stepped(world.queues.clone()),
                    host: world.host.clone(),
                    policy: Policy::default(),
                };
                let world = &world;
                async move {
                    let ticket = world.ticket(&person).await;
                    door.connect(&id(name), Some(&ticket), TTL, cap).await.unwrap().unwrap();
                }
            };
            schedule.run(names.iter().map(|name| -> Actor<'_> { Box::pin(connect(name)) }).collect());
            let mut closed = std::collections::BTreeSet::new();
            while let Some((request, _)) = world.queues.next_close() {
                let CloseRequest::Replaced { connection, .. } = request else { panic!("{request:?}") };
                closed.insert(connection);
            }
            assert_eq!(closed.len(), names.len() - cap, "{closed:?}");
        });
        assert!(count > 10, "{count}");
    }
}

#[tokio::test]
async fn a_handshake_that_cannot_be_finished_leaves_no_row() {
    let world = World::default();
    let person = world.person();
    for n in 0..CAP {
        assert!(world.connect(&person, &format!("s{n}")).await.is_ok());
        world.host.advance_seconds(1);
    }
    let ticket = world.ticket(&person).await;
    world.queues.fail_after(Some(0));
    assert!(world.door().connect(&id("one-more"), Some(&ticket), TTL, CAP).await.is_err());
    assert_eq!(world.table.socket(&id("one-more")).await, Ok(None));
    assert_eq!(world.table.of_user(person.at.user).await.unwrap().len(), CAP);
}

#[tokio::test]
async fn tickets_are_spent_even_by_handshakes_that_fail() {
    let world = World::default();
    let person = world.person();
    let ticket = world.ticket(&person).await;
    world.table.mark_gone(&id("a"), world.host.now()).await.unwrap();
    let _ = world.door().connect(&id("a"), Some(&ticket), TTL, CAP).await;
    let hash = holdfast_sessions::token::Ticket::parse(&ticket).unwrap().hash();
    assert_eq!(world.table.ticket(&hash).await, Ok(None));
}
