use holdfast_push::close::{CloseRequest, SessionOver};
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::Sockets;
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{Clock as _, StoreError};

use crate::world::{Person, World, id, says};

fn ended(world: &World, person: &Person, over: SessionOver) -> CloseRequest {
    CloseRequest::SessionEnded { at: person.at, sid: person.sid, over, ended_at: world.host.now() }
}

#[tokio::test]
async fn every_socket_of_the_session_is_told_and_closed_and_no_other() {
    let world = World::default();
    let person = world.person();
    let elsewhere = world.person_in(1, person.at.user);
    for (who, name) in [(&person, "a"), (&person, "b"), (&elsewhere, "c")] {
        world.connect(who, name).await.unwrap();
    }
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    for name in ["a", "b"] {
        assert!(says(&world.gateway.received(&id(name)), "Bye", "SessionEnded"), "{name}");
        assert!(!world.gateway.is_open(&id(name)), "{name}");
    }
    assert!(world.gateway.is_open(&id("c")));
    assert_eq!(world.gateway.received(&id("c")), Vec::<String>::new());
}

#[tokio::test]
async fn an_expired_session_says_so() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.closer().handle(&ended(&world, &person, SessionOver::Expired)).await.unwrap();
    assert!(says(&world.gateway.received(&id("a")), "Bye", "SessionExpired"));
}

#[tokio::test]
async fn rows_go_only_after_two_confirmations_half_a_minute_apart() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    assert_eq!(world.table.of_user(person.at.user).await.unwrap().len(), 1, "one 410 proves nothing");
    let (request, delay) = world.queues.next_close().unwrap();
    assert!(delay > 30);
    // Delivered early: the second look does not count yet.
    world.host.advance_seconds(29);
    world.closer().handle(&request).await.unwrap();
    assert_eq!(world.table.of_user(person.at.user).await.unwrap().len(), 1);
    world.close_off(1).await;
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
    assert!(world.queues.next_close().is_none());
}

#[tokio::test]
async fn a_handshake_that_completes_after_the_first_look_is_closed_too() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.gateway.drop_socket(&id("a"));
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    world.gateway.open(&id("a"));
    let before = world.host.now();
    world.close_off(1).await;
    assert!(world.host.now() <= before.plus_seconds(2), "a socket that was not there is looked for soon");
    assert!(!world.gateway.is_open(&id("a")));
    assert!(says(&world.gateway.received(&id("a")), "Bye", "SessionEnded"));
    world.close_off(5).await;
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

#[tokio::test]
async fn a_look_without_an_answer_counts_for_nothing() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.gateway.script_probe(&id("a"), Probe::Unknown);
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    world.close_off(5).await;
    assert_eq!(world.table.of_user(person.at.user).await.unwrap().len(), 1);
    world.gateway.script_probe(&id("a"), Probe::Gone);
    world.close_off(2).await;
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
}

/// A socket that cannot be checked is checked again, soon at first. In the end the request fails, so that the queue
/// dead-letters it with an alarm.
#[tokio::test]
async fn looks_become_rare_and_come_to_an_end() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.gateway.drop_socket(&id("a"));
    world.gateway.script_probe(&id("a"), Probe::Unknown);
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    let mut looks = Vec::new();
    let outcome = loop {
        let (request, delay) = world.queues.next_close().unwrap();
        let CloseRequest::Confirm { attempt, .. } = &request else { panic!("{request:?}") };
        looks.push((*attempt, delay));
        assert!(looks.len() <= 400, "it never ends");
        if let Err(error) = world.closer().handle(&request).await {
            break error;
        }
    };
    assert_eq!(outcome, StoreError::Unavailable("a socket could not be closed".into()));
    let expected: Vec<_> = (1..=300).map(|attempt| (attempt, if attempt <= 2 { 2 } else { 31 })).collect();
    assert_eq!(looks, expected);
    assert!(world.queues.next_close().is_none());
}

#[tokio::test]
async fn a_bye_that_cannot_be_said_does_not_keep_the_socket_open() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.gateway.script(&id("a"), [Posted::Throttled; 3]);
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    assert!(!world.gateway.is_open(&id("a")));
    assert_eq!(world.gateway.received(&id("a")), Vec::<String>::new());
}

#[tokio::test]
async fn a_throttled_bye_is_said_again() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.gateway.script(&id("a"), [Posted::Throttled; 2]);
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    assert!(says(&world.gateway.received(&id("a")), "Bye", "SessionEnded"));
    assert!(!world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn a_bye_of_unknown_fate_gets_its_time_to_arrive() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.gateway.script(&id("a"), [Posted::Unknown]);
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    assert_eq!(world.host.waited(), 600);
    assert!(!world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn a_replaced_socket_is_told_that_it_was() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    let request = CloseRequest::Replaced { user: person.at.user, connection: id("a") };
    world.closer().handle(&request).await.unwrap();
    assert!(says(&world.gateway.received(&id("a")), "Bye", "Replaced"));
    assert!(!world.gateway.is_open(&id("a")));
}

#[tokio::test]
async fn a_user_without_sockets_is_no_trouble() {
    let world = World::default();
    let person = world.person_in(0, UserId::from_bytes([9; 16]));
    world.closer().handle(&ended(&world, &person, SessionOver::Ended)).await.unwrap();
    assert!(world.queues.next_close().is_none());
}
