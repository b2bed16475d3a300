use holdfast_push::budget::RateLimiters;
use holdfast_push::job::{Job, Lane, MAX_ATTEMPTS};
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::{Count, Sockets, Subscriptions};
use holdfast_push::publish::Publish;
use holdfast_push::service::{Limits, WorkOutcome};
use holdfast_sessions::ports::{Clock as _, StoreError};

use crate::world::{World, id, says, to, to_all, to_topic};

const SHOP: &str = "arn:shop";

async fn publish(world: &World, publish: &Publish) {
    world.publisher().publish(SHOP, publish).await.unwrap();
}

fn got(world: &World, name: &str) -> usize {
    world.gateway.received(&id(name)).iter().filter(|frame| frame.starts_with("Message")).count()
}

#[tokio::test]
async fn a_message_reaches_every_socket_of_its_user_and_nobody_elses() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    let ada_elsewhere = world.person_in(1, ada.at.user);
    for (who, name) in [(&ada, "a1"), (&ada, "a2"), (&ada_elsewhere, "a3"), (&bob, "b")] {
        world.connect(who, name).await.unwrap();
    }
    publish(&world, &to(&[&ada], "{\"n\":1}")).await;
    world.work_off().await;
    for name in ["a1", "a2", "a3"] {
        assert_eq!(got(&world, name), 1, "{name}");
    }
    assert_eq!(got(&world, "b"), 0);
    assert_eq!(world.counters.of(Count::Delivered), 3);
}

#[tokio::test]
async fn each_of_many_users_gets_it_at_an_offset_of_its_own() {
    let world = World::default();
    let people: Vec<_> = (0..30).map(|_| world.person()).collect();
    for (n, person) in people.iter().enumerate() {
        world.connect(person, &format!("s{n}")).await.unwrap();
    }
    publish(&world, &to(&[&people[0]], "0")).await;
    publish(&world, &to(&people.iter().collect::<Vec<_>>(), "1")).await;
    world.work_off().await;
    assert_eq!(got(&world, "s0"), 2);
    assert!(says(&world.gateway.received(&id("s0")), "Message", "offset: 2"));
    for n in 1..30 {
        assert!(says(&world.gateway.received(&id(&format!("s{n}"))), "Message", "offset: 1"));
    }
}

#[tokio::test]
async fn a_broadcast_reaches_everybody_page_by_page() {
    let world = World::default();
    let people: Vec<_> = (0..300).map(|_| world.person()).collect();
    for (n, person) in people.iter().enumerate() {
        world.connect(person, &format!("s{n:04}x{}", n * 7919)).await.unwrap();
    }
    publish(&world, &to_all("1")).await;
    world.work_off().await;
    assert_eq!(world.counters.of(Count::Delivered), 300);
    assert_eq!(world.gateway.posts(), 300);
}

#[tokio::test]
async fn a_topic_reaches_its_subscribers_only() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    let a = world.connect(&ada, "a").await.unwrap();
    world.connect(&bob, "b").await.unwrap();
    world.table.join(&a, &["public.x".parse().unwrap()]).await.unwrap();
    publish(&world, &to_topic("public.x", "1")).await;
    world.work_off().await;
    assert_eq!((got(&world, "a"), got(&world, "b")), (1, 0));
}

#[tokio::test]
async fn only_the_undelivered_are_tried_again() {
    let world = World::default();
    let ada = world.person();
    for name in ["a", "b", "c"] {
        world.connect(&ada, name).await.unwrap();
    }
    world.gateway.script(&id("b"), [Posted::Unknown, Posted::Throttled]);
    publish(&world, &to(&[&ada], "1")).await;
    assert_eq!(world.work_one().await, WorkOutcome::Done);
    let (job, delay) = world.queues.next_job().unwrap();
    match &job {
        Job::Deliver { groups, attempt, .. } => {
            assert_eq!((*attempt, groups.len(), groups[0].recipients.len()), (2, 1, 1));
            assert_eq!(groups[0].recipients[0].connection, id("b"));
            assert_eq!(groups[0].recipients[0].reason.as_deref(), Some("UNKNOWN"));
        }
        other => panic!("{other:?}"),
    }
    assert!(delay >= 1);
    world.work(job, world.soon()).await.unwrap();
    world.work_off().await;
    for name in ["a", "b", "c"] {
        assert_eq!(got(&world, name), 1, "{name}");
    }
    assert_eq!(world.gateway.posts(), 5);
    assert_eq!((world.counters.of(Count::Retried), world.counters.of(Count::Throttled)), (2, 1));
    assert!(world.queues.dead().is_empty());
}

#[tokio::test]
async fn the_dead_letters_are_exactly_the_undelivered_with_their_reasons() {
    let world = World::default();
    let ada = world.person();
    for name in ["a", "b"] {
        world.connect(&ada, name).await.unwrap();
    }
    world.gateway.script(&id("b"), std::iter::repeat_n(Posted::Unknown, MAX_ATTEMPTS as usize));
    publish(&world, &to(&[&ada], "1")).await;
    world.work_off().await;
    assert_eq!((got(&world, "a"), got(&world, "b")), (1, 0));
    assert_eq!(world.gateway.posts(), 1 + MAX_ATTEMPTS as usize);
    let dead = world.queues.dead();
    assert_eq!(dead.len(), 1);
    match &dead[0] {
        (Lane::Direct, Job::Deliver { groups, .. }) => {
            assert_eq!(groups[0].recipients.len(), 1);
            assert_eq!(groups[0].recipients[0].connection, id("b"));
            assert_eq!(groups[0].recipients[0].reason.as_deref(), Some("UNKNOWN"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.counters.of(Count::DeadLettered), 1);
}

#[tokio::test]
async fn a_410_is_believed_when_it_is_repeated_and_the_handshake_is_over() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.gateway.drop_socket(&id("a"));
    publish(&world, &to(&[&ada], "1")).await;
    world.work_one().await;
    assert_eq!(world.table.of_user(ada.at.user).await.unwrap().len(), 1, "too young to be dead");
    world.work_off().await;
    assert_eq!(world.table.of_user(ada.at.user).await, Ok(vec![]));
    assert_eq!(world.counters.of(Count::Gone), 1);
    assert!(world.queues.dead().is_empty());
}

/// The client hung up between the two rows of the handshake, and its function stopped after them.
#[tokio::test]
async fn a_row_of_a_user_without_the_sockets_own_row_is_deleted_by_the_first_post() {
    let world = World::default();
    let ada = world.person();
    let socket = world.connect(&ada, "a").await.unwrap();
    world.table.forget(&id("a"), None).await.unwrap();
    let mut opening = Box::pin(world.table.open(&socket, "a@example.com"));
    assert!(futures_util::poll!(&mut opening).is_pending(), "the socket's own row is written");
    world.table.forget(&id("a"), None).await.unwrap();
    opening.await.unwrap();
    world.gateway.drop_socket(&id("a"));
    assert_eq!(world.table.socket(&id("a")).await, Ok(None));
    assert_eq!(world.table.of_user(ada.at.user).await.unwrap().len(), 1, "else this shows nothing");
    publish(&world, &to(&[&ada], "1")).await;
    world.work_off().await;
    assert_eq!(world.table.of_user(ada.at.user).await, Ok(vec![]));
    assert_eq!(world.counters.of(Count::Gone), 1);
}

#[tokio::test]
async fn a_live_socket_survives_a_false_410() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.host.advance_seconds(60);
    world.gateway.script(&id("a"), [Posted::Gone]);
    publish(&world, &to(&[&ada], "1")).await;
    world.work_off().await;
    assert_eq!(got(&world, "a"), 1);
    assert_eq!(world.table.of_user(ada.at.user).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_probe_without_an_answer_removes_nothing() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.host.advance_seconds(60);
    world.gateway.drop_socket(&id("a"));
    world.gateway.script_probe(&id("a"), Probe::Unknown);
    publish(&world, &to(&[&ada], "1")).await;
    world.work_off().await;
    assert_eq!(world.table.of_user(ada.at.user).await.unwrap().len(), 1);
    assert_eq!(world.counters.of(Count::DeadLettered), 1);
}

#[tokio::test]
async fn what_can_never_be_delivered_is_put_aside_at_once_with_its_reason() {
    let world = World::default();
    let ada = world.person();
    for name in ["a", "b"] {
        world.connect(&ada, name).await.unwrap();
    }
    world.gateway.script(&id("a"), [Posted::TooLarge]);
    world.gateway.script(&id("b"), [Posted::Rejected]);
    publish(&world, &to(&[&ada], "1")).await;
    world.work_off().await;
    assert_eq!(world.gateway.posts(), 2);
    assert_eq!((world.counters.of(Count::Undeliverable), world.counters.of(Count::DeadLettered)), (2, 2));
    let [(Lane::Direct, Job::Deliver { groups, .. })] = &world.queues.dead()[..] else { panic!("one dead letter") };
    let mut why: Vec<_> =
        groups[0].recipients.iter().map(|r| (r.connection.as_str(), r.reason.as_deref().unwrap_or_default())).collect();
    why.sort_unstable();
    assert_eq!(why, [("a", "TOO_LARGE"), ("b", "REJECTED")]);
}

#[tokio::test]
async fn a_forbidden_post_fails_the_record() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.gateway.script(&id("a"), [Posted::Forbidden]);
    publish(&world, &to(&[&ada], "1")).await;
    assert_eq!(world.work_one().await, WorkOutcome::Again);
    assert_eq!(world.counters.of(Count::Forbidden), 1);
    assert!(world.queues.next_job().is_none());
}

#[tokio::test]
async fn what_came_too_late_is_not_posted() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    publish(&world, &Publish { ttl_seconds: Some(5), ..to(&[&ada], "1") }).await;
    world.host.advance_seconds(5);
    world.work_off().await;
    assert_eq!(world.gateway.posts(), 0);
    assert_eq!(world.counters.of(Count::Expired), 1);
}

#[tokio::test]
async fn nothing_is_posted_after_the_session_has_run_out() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.host.advance_seconds(3_600);
    publish(&world, &to(&[&ada], "1")).await;
    world.work_off().await;
    assert_eq!(world.gateway.posts(), 0);
}

/// No frame has told the socket's rows that the session was extended. Messages arrive nevertheless.
#[tokio::test]
async fn a_socket_that_sends_only_keep_alives_receives_while_its_session_is_extended() {
    for to_everybody in [false, true] {
        let world = World::default();
        let ada = world.person();
        world.connect(&ada, "a").await.unwrap();
        world.host.advance_seconds(3_600);
        let later = world.host.now().plus_seconds(3_600);
        world.sessions.open(ada.at, ada.sid, later);
        publish(&world, &if to_everybody { to_all("1") } else { to(&[&ada], "1") }).await;
        world.work_off().await;
        assert_eq!(world.gateway.received(&id("a")).len(), 1);
        assert_eq!(world.counters.of(Count::Expired), 0);
    }
}

/// Most reads of a session write nothing, because the next message may be the last. The session of a busy socket is not read permanently.
#[tokio::test]
async fn the_rows_of_a_busy_socket_follow_its_session_after_some_messages() {
    let world = World::default();
    let people: Vec<_> = (0..64).map(|_| world.person()).collect();
    for (n, person) in people.iter().enumerate() {
        world.connect(person, &format!("s{n}")).await.unwrap();
    }
    world.host.advance_seconds(3_600);
    let later = world.host.now().plus_seconds(3_600);
    for person in &people {
        world.sessions.open(person.at, person.sid, later);
    }
    let all: Vec<_> = people.iter().collect();
    let mut moved = Vec::new();
    // Each row moves by chance. That none moves with four messages, or that one stays after 300, happens once in millions of runs.
    for n in 0..300 {
        publish(&world, &to(&all, &n.to_string())).await;
        world.work_off().await;
        let mut count = 0;
        for person in &people {
            count += usize::from(world.table.of_user(person.at.user).await.unwrap()[0].session_expires_at == later);
        }
        moved.push(count);
    }
    assert!(moved[0] <= 24 && (1..=40).contains(&moved[3]), "{moved:?}");
    assert_eq!(moved.last(), Some(&64), "{moved:?}");
    // The rows are right, so the sessions are not read any more.
    world.sessions.set_down(true);
    publish(&world, &to(&all, "last")).await;
    world.work_off().await;
    assert_eq!(world.gateway.posts(), 301 * 64);
}

#[tokio::test]
async fn nothing_is_posted_to_the_socket_of_another_session_or_of_none() {
    let world = World::default();
    let [ada, bob] = [world.person(), world.person()];
    world.connect(&ada, "a").await.unwrap();
    world.connect(&bob, "b").await.unwrap();
    world.host.advance_seconds(3_600);
    // The slot belongs to a later session of the same user, and the other session was ended before it expired.
    world.sessions.open(ada.at, holdfast_sessions::SessionId::from_bytes([9; 16]), world.host.now().plus_seconds(60));
    world.sessions.open(bob.at, bob.sid, world.host.now().plus_seconds(60));
    world.sessions.end(bob.at, world.host.now());
    publish(&world, &to(&[&ada, &bob], "1")).await;
    world.work_off().await;
    assert_eq!(world.gateway.posts(), 0);
    assert_eq!(world.counters.of(Count::Expired), 2);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_is_read_again_later() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.host.advance_seconds(3_600);
    world.sessions.open(ada.at, ada.sid, world.host.now().plus_seconds(3_600));
    world.sessions.set_down(true);
    publish(&world, &to(&[&ada], "1")).await;
    assert_eq!(world.work_one().await, WorkOutcome::Done);
    assert_eq!((world.gateway.posts(), world.counters.of(Count::Retried)), (0, 1));
    world.sessions.set_down(false);
    world.work_off().await;
    assert_eq!(world.gateway.received(&id("a")).len(), 1);
}

#[tokio::test]
async fn a_busy_channel_costs_no_delivery_attempt() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    world.connect(&ada, "a").await.unwrap();
    world.connect(&bob, "b").await.unwrap();
    publish(&world, &to(&[&ada, &bob], "1")).await;
    world.table.contend(usize::MAX);
    let clock = world.host.clone();
    let passing = tokio::spawn(async move {
        loop {
            clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    });
    let (job, _) = world.queues.next_job().unwrap();
    let far = world.host.now().plus_seconds(1_000_000);
    assert_eq!(world.work(job, far).await, Ok(WorkOutcome::Done));
    passing.abort();
    world.table.contend(0);
    assert!(world.counters.of(Count::AppendDelayed) > 0);
    world.work_off().await;
    assert_eq!((got(&world, "a"), got(&world, "b")), (1, 1));
}

/// Busy users wait a while. For the last one there was no time at all, so this user continues at once.
#[tokio::test]
async fn a_user_for_whom_there_was_no_time_does_not_wait_with_the_busy_ones() {
    let world = World::default();
    let people: Vec<_> = (0..17).map(|_| world.person()).collect();
    publish(&world, &to(&people.iter().collect::<Vec<_>>(), "1")).await;
    world.table.contend(usize::MAX);
    let clock = world.host.clone();
    let passing = tokio::spawn(async move {
        loop {
            clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    });
    let (job, _) = world.queues.next_job().unwrap();
    assert_eq!(world.work(job, world.host.now().plus_seconds(1)).await, Ok(WorkOutcome::Done));
    passing.abort();
    let mut rest = Vec::new();
    while let Some((Job::Users { users, .. }, delay)) = world.queues.next_job() {
        rest.push((users.len(), delay > 0));
    }
    assert_eq!(rest, [(16, true), (1, false)]);
}

#[tokio::test]
async fn a_user_whose_rows_cannot_be_read_holds_up_nobody_else() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    world.connect(&ada, "a").await.unwrap();
    world.connect(&bob, "b").await.unwrap();
    world.table.break_channel(&ada.channel(), Some(StoreError::Corrupt("no epoch".into())));
    publish(&world, &to(&[&ada, &bob], "1")).await;
    assert_eq!(world.work_one().await, WorkOutcome::Done);
    assert_eq!((got(&world, "a"), got(&world, "b")), (0, 1));
    // It is a record of its own now, and only that one comes back.
    let (rest, _) = world.queues.next_job().unwrap();
    assert!(matches!(&rest, Job::Users { users, .. } if *users == [ada.at.user]), "{rest:?}");
    assert!(world.work(rest.clone(), world.soon()).await.is_err());
    assert!(world.queues.next_job().is_none());
    world.table.break_channel(&ada.channel(), None);
    assert_eq!(world.work(rest, world.soon()).await, Ok(WorkOutcome::Done));
    assert_eq!((got(&world, "a"), got(&world, "b")), (1, 1));
}

#[tokio::test]
async fn several_messages_to_one_user_are_appended_in_one_transaction_and_in_order() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    world.connect(&ada, "a").await.unwrap();
    for n in 0..3 {
        publish(&world, &to(&[&ada, &bob], &n.to_string())).await;
    }
    let mut jobs = Vec::new();
    while let Some((Job::Users { message, users }, _)) = world.queues.next_job() {
        jobs.push((message, users));
    }
    // One of them comes twice, as a redelivered record does.
    jobs.push(jobs[1].clone());
    let pace = RateLimiters::new(10_000, 10_000, world.host.now());
    let limits = Limits { deadline: world.soon(), pace: &pace };
    let before = world.table.appends();
    let done = world.fan_out().users(jobs, &limits).await;
    assert_eq!(done, vec![Ok(WorkOutcome::Done); 4]);
    assert_eq!(world.table.appends() - before, 2, "one for each user");
    for person in [&ada, &bob] {
        let said: Vec<_> =
            world.table.messages(&person.channel()).iter().map(|m| m.message.data.as_str().to_owned()).collect();
        assert_eq!(said, ["0", "1", "2"]);
    }
    assert_eq!(got(&world, "a"), 4, "the redelivered record is posted again, and dropped by its id");
}

#[tokio::test]
async fn what_is_there_already_keeps_its_place_among_new_ones() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    for n in 0..2 {
        publish(&world, &to(&[&ada, &bob], &n.to_string())).await;
    }
    let Some((Job::Users { message: first, users }, _)) = world.queues.next_job() else { panic!("work") };
    let Some((Job::Users { message: second, .. }, _)) = world.queues.next_job() else { panic!("work") };
    let pace = RateLimiters::new(10_000, 10_000, world.host.now());
    let limits = Limits { deadline: world.soon(), pace: &pace };
    let fan_out = world.fan_out();
    for jobs in [vec![(second.clone(), users.clone())], vec![(first, users.clone()), (second, users)]] {
        assert!(fan_out.users(jobs, &limits).await.iter().all(|done| done == &Ok(WorkOutcome::Done)));
    }
    let said: Vec<_> =
        world.table.messages(&ada.channel()).iter().map(|m| m.message.data.as_str().to_owned()).collect();
    assert_eq!(said, ["1", "0"]);
}

#[tokio::test]
async fn a_record_that_is_delivered_twice_appends_once() {
    let world = World::default();
    let people: Vec<_> = (0..3).map(|_| world.person()).collect();
    publish(&world, &to(&people.iter().collect::<Vec<_>>(), "1")).await;
    let (job, _) = world.queues.next_job().unwrap();
    for _ in 0..3 {
        assert_eq!(world.work(job.clone(), world.soon()).await, Ok(WorkOutcome::Done));
    }
    for person in &people {
        assert_eq!(world.table.messages(&person.channel()).len(), 1);
    }
}

#[tokio::test]
async fn what_there_is_no_time_for_is_handed_over_and_no_attempt_is_spent() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    world.connect(&ada, "a").await.unwrap();
    world.connect(&bob, "b").await.unwrap();
    for message in [to(&[&ada], "1"), to(&[&ada, &bob], "2")] {
        publish(&world, &message).await;
        let (job, _) = world.queues.next_job().unwrap();
        assert_eq!(world.work(job, world.host.now()).await, Ok(WorkOutcome::Done));
        let (left, _) = world.queues.next_job().expect("handed over");
        match &left {
            Job::Deliver { attempt, .. } => assert_eq!(*attempt, 1),
            Job::Users { users, .. } => assert_eq!(users.len(), 2),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.gateway.posts(), 0);
    }
}

#[tokio::test]
async fn an_ephemeral_message_reaches_who_is_there() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    world.connect(&ada, "a").await.unwrap();
    publish(&world, &Publish { ephemeral: true, ..to(&[&ada, &bob], "1") }).await;
    world.work_off().await;
    assert!(says(&world.gateway.received(&id("a")), "Message", "at: None"));
    assert_eq!(world.table.messages(&bob.channel()).len(), 0);
}

#[tokio::test]
async fn when_the_rest_cannot_be_handed_on_the_record_comes_back() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    publish(&world, &to(&[&ada], "1")).await;
    world.gateway.script(&id("a"), [Posted::Unknown]);
    let (job, _) = world.queues.next_job().unwrap();
    world.queues.fail_after(Some(0));
    assert!(world.work(job, world.soon()).await.is_err());
}

#[tokio::test]
async fn a_429_slows_the_worker_down() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.gateway.script(&id("a"), [Posted::Throttled]);
    publish(&world, &to(&[&ada], "1")).await;
    let (job, _) = world.queues.next_job().unwrap();
    let pace = RateLimiters::new(1_000, 1_000, world.host.now());
    let limits = Limits { deadline: world.soon(), pace: &pace };
    world.fan_out().work(job, &limits).await.unwrap();
    assert_eq!((pace.of(Lane::Direct).per_second(), pace.of(Lane::Broadcast).per_second()), (500, 1_000));
}

#[tokio::test]
async fn what_the_budget_has_no_room_for_is_handed_over() {
    let world = World::default();
    let ada = world.person();
    for n in 0..10 {
        world.connect(&ada, &format!("s{n}")).await.unwrap();
    }
    publish(&world, &to(&[&ada], "1")).await;
    let (job, _) = world.queues.next_job().unwrap();
    // Four posts in two seconds, and the clock stands still: the fifth would wait past the deadline.
    let pace = RateLimiters::new(2, 2, world.host.now());
    let limits = Limits { deadline: world.host.now().plus_seconds(2), pace: &pace };
    assert_eq!(world.fan_out().work(job, &limits).await, Ok(WorkOutcome::Done));
    let posted = world.gateway.posts();
    assert!((1..=4).contains(&posted), "{posted}");
    match world.queues.next_job() {
        Some((Job::Deliver { groups, attempt: 1, .. }, 0)) => assert_eq!(groups[0].recipients.len(), 10 - posted),
        other => panic!("{other:?}"),
    }
}
