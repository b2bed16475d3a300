//! Work that queues itself again. On AWS, a chain of more than about 16 hops looks like a loop, and a loop costs money. So
//! each chain here is longer than that, loses nothing, and ends.

use holdfast_push::channel::{Channel, shard};
use holdfast_push::close::CloseRequest;
use holdfast_push::ids::ConnectionId;
use holdfast_push::job::Job;
use holdfast_push::outcome::Probe;
use holdfast_push::ports::{Count, Sockets as _};
use holdfast_push::publish::{Publish, Queued};
use holdfast_push::service::WorkOutcome;
use holdfast_push::socket::Socket;
use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock as _, StoreError};

use crate::world::{World, id, to, to_all};

/// The hops of a chain that then ends because its cause has passed.
const HOPS: usize = 40;
/// More hops than any chain has before its message expires.
const MOST: usize = 400;

async fn publish(world: &World, publish: &Publish) {
    world.publisher().publish("arn:shop", publish).await.unwrap();
}

fn throttled() -> StoreError {
    StoreError::Throttled("injected".into())
}

/// Does the next job, and returns how long it waited in its queue; `None` when there is none.
async fn hop(world: &World, deadline: impl Fn() -> Millis) -> Option<u32> {
    let (job, delay) = world.queues.next_job()?;
    world.host.advance_seconds(i64::from(delay));
    assert_eq!(world.work(job, deadline()).await, Ok(WorkOutcome::Done));
    Some(delay)
}

fn reached(world: &World, name: &str) -> usize {
    world.gateway.received(&id(name)).len()
}

#[tokio::test]
async fn a_user_whose_channel_is_busy_is_tried_until_the_message_expires() {
    let world = World::default();
    let (ada, bob) = (world.person(), world.person());
    world.connect(&ada, "a").await.unwrap();
    for (n, recovers) in [true, false].into_iter().enumerate() {
        world.table.break_channel(&ada.channel(), Some(throttled()));
        publish(&world, &to(&[&ada, &bob], "1")).await;
        let mut waits = Vec::new();
        while let Some(wait) = hop(&world, || world.soon()).await {
            waits.push(wait);
            assert!(waits.len() <= MOST, "it never ends: {waits:?}");
            if recovers && waits.len() == HOPS {
                world.table.break_channel(&ada.channel(), None);
            }
        }
        assert!(waits[1..].iter().all(|wait| *wait >= 2) && waits.is_sorted(), "{waits:?}");
        assert_eq!(recovers, waits.len() == HOPS + 1, "{}", waits.len());
        assert_eq!((reached(&world, "a"), world.counters.of(Count::Expired)), (1, n));
    }
    world.table.break_channel(&ada.channel(), None);
    assert_eq!(world.table.messages(&ada.channel()).len(), 1, "what expired is not appended");
    assert!(world.queues.dead().is_empty());
}

#[tokio::test]
async fn a_delivery_without_time_waits_and_ends_with_its_message() {
    for people in [1, 2] {
        let world = World::default();
        let persons = [world.person(), world.person()];
        world.connect(&persons[0], "a").await.unwrap();
        let recipients: Vec<_> = persons.iter().take(people).collect();
        publish(&world, &to(&recipients, "1")).await;
        let too_late = || world.host.now();
        for n in 0..HOPS {
            let wait = hop(&world, too_late).await.expect("the rest is queued again");
            assert!(n == 0 || wait >= 2, "{wait}: it comes again at once");
        }
        world.work_off().await;
        assert_eq!((reached(&world, "a"), world.counters.of(Count::Retried)), (1, 0), "no attempt was spent");

        publish(&world, &to(&recipients, "2")).await;
        let mut hops = 0;
        while hop(&world, too_late).await.is_some() {
            hops += 1;
            assert!(hops <= MOST, "it never ends");
        }
        assert!(hops > HOPS, "{hops}");
        assert_eq!((reached(&world, "a"), world.counters.of(Count::Expired)), (1, people));
        assert!(world.queues.dead().is_empty());
    }
}

/// Sockets of one shard, enough for this many pages.
async fn crowd(world: &World, pages: usize) -> Vec<ConnectionId> {
    let (person, now) = (world.person(), world.host.now());
    let ids = (0..).map(|n| id(&format!("s{n:07}"))).filter(|id| shard(id) == 0);
    let ids: Vec<ConnectionId> = ids.take((pages - 1) * 100 + 1).collect();
    for id in &ids {
        let socket = Socket {
            id: id.clone(),
            at: person.at,
            sid: person.sid,
            connected_at: now,
            seen_at: now,
            session_expires_at: now.plus_seconds(3_600),
            expires_at: now.plus_seconds(7_800),
        };
        world.table.open(&socket, "a@example.com").await.unwrap();
        world.gateway.open(id);
    }
    ids
}

#[tokio::test]
async fn a_broadcast_of_forty_pages_reaches_every_socket_once() {
    let world = World::default();
    let ids = crowd(&world, HOPS + 1).await;
    publish(&world, &to_all("1")).await;
    let mut pages = 0;
    while let Some((job, _)) = world.queues.next_job() {
        pages += usize::from(matches!(job, Job::Channel { .. }));
        assert_eq!(world.work(job, world.soon()).await, Ok(WorkOutcome::Done));
    }
    assert_eq!(pages, HOPS + 1);
    assert!(ids.iter().all(|id| world.gateway.received(id).len() == 1));
    assert_eq!(world.gateway.posts(), ids.len());
}

#[tokio::test]
async fn a_broadcast_ends_when_it_expires_and_where_a_page_repeats() {
    let world = World::default();
    crowd(&world, 3).await;
    let pages = |world: &World| {
        std::iter::from_fn(|| world.queues.next_job()).filter(|(job, _)| matches!(job, Job::Channel { .. })).count()
    };
    publish(&world, &Publish { ttl_seconds: Some(5), ..to_all("1") }).await;
    assert_eq!(world.work_one().await, WorkOutcome::Done);
    let (page, _) = std::iter::from_fn(|| world.queues.next_job())
        .find(|(job, _)| matches!(job, Job::Channel { channel: Channel::Broadcast, cursor: Some(_), .. }))
        .unwrap();
    world.host.advance_seconds(5);
    assert_eq!(world.work(page, world.soon()).await, Ok(WorkOutcome::Done));
    assert_eq!((pages(&world), world.counters.of(Count::Expired)), (0, 1));

    publish(&world, &to_all("2")).await;
    assert_eq!(world.work_one().await, WorkOutcome::Done);
    let (page, _) =
        std::iter::from_fn(|| world.queues.next_job()).find(|(job, _)| matches!(job, Job::Channel { .. })).unwrap();
    world.table.repeat_pages();
    let done = world.work(page, world.soon()).await;
    assert_eq!(done, Err(StoreError::Corrupt("a page that continues where it began".into())));
    assert_eq!(pages(&world), 0);
}

#[tokio::test]
async fn a_socket_that_is_gone_after_forty_looks_ends_its_chain() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    world.gateway.script_probe(&id("a"), Probe::Unknown);
    let request = CloseRequest::Replaced { user: person.at.user, connection: id("a") };
    world.closer().handle(&request).await.unwrap();
    world.close_off(HOPS).await;
    assert_eq!(world.table.of_user(person.at.user).await.unwrap().len(), 1, "nothing is decided without an answer");
    world.gateway.script_probe(&id("a"), Probe::Gone);
    world.close_off(2).await;
    assert_eq!(world.table.of_user(person.at.user).await, Ok(vec![]));
    assert!(world.queues.next_close().is_none());
}

#[tokio::test]
async fn a_queued_publish_to_a_busy_channel_is_tried_until_it_expires() {
    for recovers in [true, false] {
        let world = World::default();
        let person = world.person();
        world.table.break_channel(&person.channel(), Some(throttled()));
        let first = Queued {
            publish: to(&[&person], "1"),
            publisher: "sqs:shop".into(),
            id: Queued::id_of("m1"),
            sent_at: world.host.now(),
        };
        let (mut next, mut waits) = (Some((first.clone(), 0)), Vec::new());
        while let Some((queued, wait)) = next {
            assert_eq!(queued, first);
            waits.push(wait);
            assert!(waits.len() <= MOST, "it never ends: {waits:?}");
            if recovers && waits.len() == HOPS {
                world.table.break_channel(&person.channel(), None);
            }
            world.host.advance_seconds(i64::from(wait));
            world.publisher().publish_queued(&queued).await.unwrap();
            next = world.queues.next_handed_in();
        }
        assert!(waits[1..].iter().all(|wait| *wait >= 2) && waits.is_sorted(), "{waits:?}");
        let accepted = usize::from(recovers);
        assert_eq!((world.counters.of(Count::Accepted), world.counters.of(Count::Expired)), (accepted, 1 - accepted));
        assert_eq!(recovers, waits.len() == HOPS, "{}", waits.len());
    }
}
