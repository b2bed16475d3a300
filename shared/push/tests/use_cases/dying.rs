//! A publisher that stops between any two of its calls. Nothing acknowledged is lost, and nothing is published twice.

use std::cell::RefCell;
use std::collections::BTreeSet;

use holdfast_push::budget::RateLimiters;
use holdfast_push::channel::Channel;
use holdfast_push::ports::Subscriptions as _;
use holdfast_push::publish::{Publish, Queued};
use holdfast_push::service::{FanOut, Limits, Published, Publisher};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::Clock as _;
use holdfast_testkit::ManualHost;
use holdfast_testkit::push::stepped::{Actor, Stepped, dies_after};
use holdfast_testkit::push::{Counters, MemoryQueues, MemoryTable};

use crate::world::{Person, World, id, to, to_all, to_topic};

const SHOP: &str = "arn:shop";

type SteppedPublisher = Publisher<Stepped<MemoryTable>, Stepped<MemoryQueues>, Counters, ManualHost>;

fn publisher(world: &World) -> SteppedPublisher {
    Publisher {
        table: Stepped(world.table.clone()),
        queue: Stepped(world.queues.clone()),
        tally: world.counters.clone(),
        host: world.host.clone(),
    }
}

/// Runs work that is not stepped. It must not run around stepped work, because a turn must not depend on a runtime.
fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Two people with a socket each, both subscribed to `public.x`.
async fn world() -> (World, [Person; 2]) {
    let world = World::default();
    let people = [world.person(), world.person()];
    for (person, name) in people.iter().zip(["a", "b"]) {
        let socket = world.connect(person, name).await.unwrap();
        world.table.join(&socket, &["public.x".parse().unwrap()]).await.unwrap();
    }
    (world, people)
}

/// Each kind of publish, with its name.
fn kinds(people: &[Person; 2]) -> Vec<(&'static str, Publish)> {
    let key = |publish: Publish| Publish { idempotency_key: Some("k".to_owned()), ..publish };
    vec![
        ("one user", key(to(&[&people[0]], "1"))),
        ("many users", key(to(&[&people[0], &people[1]], "1"))),
        ("topic", key(to_topic("public.x", "1"))),
        ("broadcast", key(to_all("1"))),
        ("ephemeral", key(Publish { ephemeral: true, ..to(&[&people[0]], "1") })),
    ]
}

/// The ids of the messages that reached the socket.
fn reached(world: &World, name: &str) -> BTreeSet<String> {
    let frames = world.gateway.received(&id(name));
    frames.iter().filter_map(|frame| frame.split("MessageId(").nth(1)?.split(')').next().map(str::to_owned)).collect()
}

fn channels(people: &[Person; 2]) -> [Channel; 4] {
    [people[0].channel(), people[1].channel(), Channel::Topic("public.x".parse().unwrap()), Channel::Broadcast]
}

/// Publishes, and stops after `steps` calls. Returns the answer if the publish was finished by then.
fn publish_and_die(world: &World, publish: &Publish, steps: usize) -> Option<Published> {
    let first = RefCell::new(None);
    let publisher = publisher(world);
    let attempt = async {
        *first.borrow_mut() = Some(publisher.publish(SHOP, publish).await.unwrap());
    };
    dies_after(steps, Box::pin(attempt) as Actor<'_>);
    first.into_inner()
}

#[test]
fn a_publisher_that_dies_anywhere_and_asks_again_has_published_once() {
    let mut deaths = 0;
    for kind in 0..5 {
        for steps in 0.. {
            let (world, people) = wait(world());
            let (name, publish) = kinds(&people).swap_remove(kind);
            let first = publish_and_die(&world, &publish, steps);
            // A message that was acknowledged is delivered without another request.
            if let Some(first) = first {
                wait(world.work_off());
                let told = first.answer.message_id.to_string();
                assert!(reached(&world, "a").contains(&told), "{name}");
                assert!(steps > 0, "{name}: a publish takes calls");
                break;
            }
            deaths += 1;
            let again = wait(world.publisher().publish(SHOP, &publish)).unwrap();
            let third = wait(world.publisher().publish(SHOP, &publish)).unwrap();
            assert_eq!((&third.answer, third.duplicate), (&again.answer, true), "{name} after {steps}");
            wait(world.work_off());
            let told = BTreeSet::from([again.answer.message_id.to_string()]);
            assert_eq!(reached(&world, "a"), told, "{name} after {steps} calls");
            for channel in channels(&people) {
                assert!(world.table.messages(&channel).len() <= 1, "{name} after {steps}: {channel}");
            }
        }
    }
    eprintln!("publishers that died between two calls and asked again: {deaths}");
    assert!(deaths > 15, "{deaths}");
}

#[test]
fn a_queued_publish_whose_reader_dies_anywhere_is_published_once() {
    for kind in 0..5 {
        for steps in 0.. {
            let (world, people) = wait(world());
            let (name, publish) = kinds(&people).swap_remove(kind);
            let queued = Queued {
                publish: Publish { idempotency_key: None, ..publish },
                publisher: "sqs:shop".into(),
                id: Queued::id_of("record-1"),
                sent_at: world.host.now(),
            };
            let publisher = publisher(&world);
            let reader = async {
                publisher.publish_queued(&queued).await.unwrap();
            };
            let finished = dies_after(steps, Box::pin(reader) as Actor<'_>);
            // The queue delivers the record again, as it does after a reader has stopped.
            wait(world.publisher().publish_queued(&queued)).unwrap();
            wait(world.work_off());
            assert_eq!(reached(&world, "a"), BTreeSet::from([queued.id.to_string()]), "{name} after {steps}");
            for channel in channels(&people) {
                assert!(world.table.messages(&channel).len() <= 1, "{name} after {steps}: {channel}");
            }
            if finished {
                break;
            }
        }
    }
}

#[test]
fn a_worker_that_dies_anywhere_leaves_its_record_to_another() {
    let mut deaths = 0;
    for kind in 0..5 {
        for steps in 0.. {
            let (world, people) = wait(world());
            let (name, publish) = kinds(&people).swap_remove(kind);
            let told = wait(world.publisher().publish(SHOP, &publish)).unwrap().answer.message_id.to_string();
            let (job, _) = world.queues.next_job().unwrap();
            let finished = {
                let pace = RateLimiters::new(10_000, 10_000, world.host.now());
                let limits = Limits { deadline: world.soon(), pace: &pace };
                let worker = FanOut {
                    sessions: Stepped(world.sessions.clone()),
                    policy: Policy::default(),
                    table: Stepped(world.table.clone()),
                    gateway: Stepped(world.gateway.clone()),
                    queue: Stepped(world.queues.clone()),
                    tally: world.counters.clone(),
                    host: world.host.clone(),
                };
                let job = job.clone();
                let work = async {
                    worker.work(job, &limits).await.unwrap();
                };
                dies_after(steps, Box::pin(work) as Actor<'_>)
            };
            if !finished {
                deaths += 1;
                wait(world.work(job, world.soon())).unwrap();
            }
            wait(world.work_off());
            assert_eq!(reached(&world, "a"), BTreeSet::from([told]), "{name} after {steps}");
            for channel in channels(&people) {
                assert!(world.table.messages(&channel).len() <= 1, "{name} after {steps}: {channel}");
            }
            if finished {
                break;
            }
        }
    }
    assert!(deaths > 10, "{deaths}");
}
