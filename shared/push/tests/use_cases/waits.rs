//! How long is waited before the next try: a random part of a time that doubles up to a limit.

use std::sync::{Arc, Mutex};

use holdfast_push::channel::TopicPolicy;
use holdfast_push::frame::ClientFrame;
use holdfast_push::outcome::Posted;
use holdfast_push::presence::PresencePolicy;
use holdfast_push::service::{Caller, Frames, Publisher};
use holdfast_sessions::Millis;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_testkit::ManualHost;

use crate::world::{Watchers, World, id, to};

/// A host whose random bytes are known, and which notes how long it is asked to wait.
#[derive(Clone, Debug)]
struct Noting {
    clock: ManualHost,
    waits: Arc<Mutex<Vec<u64>>>,
}

const RANDOM: u64 = u64::from_be_bytes([7; 8]);

impl Noting {
    fn of(world: &World) -> Self {
        Self { clock: world.host.clone(), waits: Arc::default() }
    }

    fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().clone()
    }
}

impl Clock for Noting {
    fn now(&self) -> Millis {
        self.clock.now()
    }

    async fn sleep(&self, millis: u64) {
        self.waits.lock().unwrap().push(millis);
        tokio::task::yield_now().await;
    }
}

impl Rng for Noting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// The waits after so many failures: up to `base`, twice as much, and so on, but never more than `limit`.
fn doubling(base: u64, limit: u64, count: u32) -> Vec<u64> {
    (0..count).map(|attempt| RANDOM % (limit.min(base * 2_u64.pow(attempt)) + 1)).collect()
}

#[tokio::test]
async fn an_append_waits_longer_after_every_conflict() {
    let world = World::default();
    let person = world.person();
    let host = Noting::of(&world);
    world.table.contend(9);
    let publisher = Publisher {
        table: world.table.clone(),
        queue: world.queues.clone(),
        tally: world.counters.clone(),
        host: host.clone(),
    };
    publisher.publish("arn", &to(&[&person], "1")).await.unwrap();
    assert_eq!(host.waits(), doubling(8, 250, 9));
}

#[tokio::test]
async fn an_answer_waits_longer_after_every_throttle() {
    let world = World::default();
    let person = world.person();
    world.connect(&person, "a").await.unwrap();
    let host = Noting::of(&world);
    let frames = Frames {
        sessions: world.sessions.clone(),
        table: world.table.clone(),
        gateway: world.gateway.clone(),
        host: host.clone(),
        policy: Policy::default(),
        topics: TopicPolicy::default(),
        presence: Watchers::Policy(PresencePolicy::default()),
        tally: world.counters.clone(),
        recovery_per_second: 1_000,
        heads: world.heads.clone(),
    };
    let caller = Caller { connection: id("a"), at: person.at, sid: person.sid };
    world.gateway.script(&id("a"), [Posted::Throttled; 3]);
    assert_eq!(frames.receive(&caller, Ok(ClientFrame::Ping), world.soon()).await, Posted::Done);
    assert_eq!(host.waits(), doubling(50, 1_000, 3));
    // A recovery waits the same way, also where it is not known whether the post arrived.
    let before = host.waits().len();
    world.gateway.script(&id("a"), [Posted::Unknown, Posted::Throttled, Posted::Gone]);
    assert_eq!(frames.receive(&caller, Ok(ClientFrame::Hello(vec![])), world.soon()).await, Posted::Done);
    assert_eq!(host.waits()[before..], doubling(50, 1_000, 3));
}
