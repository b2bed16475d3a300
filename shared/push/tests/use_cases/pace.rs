//! Fan-out under a clock that moves only while all tasks wait. The workers wait for their rate, and the latency is
//! measured.

use std::sync::{Arc, Mutex};

use holdfast_push::budget::RateLimiters;
use holdfast_push::frame::ServerFrame;
use holdfast_push::ids::ConnectionId;
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::{Count, Gateway};
use holdfast_push::service::{FanOut, Limits, WorkOutcome};
use holdfast_sessions::Millis;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Rng};
use holdfast_testkit::ManualHost;
use holdfast_testkit::push::FakeGateway;

use crate::world::{World, id, to, to_all};

/// Waiting lasts as long as it says, by a clock that [`passing`] moves.
#[derive(Clone, Debug)]
struct Waiting(ManualHost);

impl Clock for Waiting {
    fn now(&self) -> Millis {
        self.0.now()
    }

    async fn sleep(&self, millis: u64) {
        let until = self.now().plus_millis(i64::try_from(millis).unwrap());
        while self.now() < until {
            tokio::task::yield_now().await;
        }
    }
}

impl Rng for Waiting {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// Runs `work` while the clock moves, by one millisecond after all tasks have had a turn.
async fn passing<T>(clock: &ManualHost, work: impl Future<Output = T>) -> T {
    let moving = async {
        loop {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            clock.advance_millis(1);
        }
    };
    tokio::select! {
        done = work => done,
        () = moving => unreachable!("it moves for ever"),
    }
}

/// Notes when each post was sent.
#[derive(Clone, Debug)]
struct Timed {
    gateway: FakeGateway,
    clock: ManualHost,
    posted: Arc<Mutex<Vec<i64>>>,
}

impl Gateway for Timed {
    fn text(&self, frame: &ServerFrame) -> String {
        self.gateway.text(frame)
    }

    async fn post(&self, to: &ConnectionId, text: &str) -> Posted {
        self.posted.lock().unwrap().push(self.clock.now().get());
        self.gateway.post(to, text).await
    }

    async fn close(&self, id: &ConnectionId) -> Posted {
        self.gateway.close(id).await
    }

    async fn probe(&self, id: &ConnectionId) -> Probe {
        self.gateway.probe(id).await
    }
}

/// Posts a broadcast to so many sockets at so many a second; when each post was sent, in milliseconds from the start.
async fn broadcast(world: &World, sockets: usize, per_second: u32) -> Vec<i64> {
    for n in 0..sockets {
        let person = world.person();
        world.connect(&person, &format!("s{n:03}")).await.unwrap();
    }
    world.publisher().publish("arn", &to_all("1")).await.unwrap();
    let gateway = Timed { gateway: world.gateway.clone(), clock: world.host.clone(), posted: Arc::default() };
    let fan_out = FanOut {
        sessions: world.sessions.clone(),
        policy: Policy::default(),
        table: world.table.clone(),
        gateway: gateway.clone(),
        queue: world.queues.clone(),
        tally: world.counters.clone(),
        host: Waiting(world.host.clone()),
    };
    let start = world.host.now();
    let pace = RateLimiters::new(per_second, per_second, start);
    let limits = Limits { deadline: start.plus_seconds(600), pace: &pace };
    passing(&world.host, async {
        while let Some((job, _)) = world.queues.next_job() {
            assert_eq!(fan_out.work(job, &limits).await, Ok(WorkOutcome::Done));
        }
    })
    .await;
    let mut posted: Vec<i64> = gateway.posted.lock().unwrap().iter().map(|at| at - start.get()).collect();
    posted.sort_unstable();
    posted
}

#[tokio::test]
async fn posts_are_as_far_apart_as_the_pace_says() {
    for (sockets, per_second) in [(40, 20), (60, 50)] {
        let world = World::default();
        let posted = broadcast(&world, sockets, per_second).await;
        assert_eq!((posted.len(), world.counters.of(Count::Delivered)), (sockets, sockets));
        assert!(world.queues.dead().is_empty());
        let rate = i64::from(per_second);
        let burst = 1 + rate / 10;
        for (first, start) in posted.iter().enumerate() {
            let within = posted[first..].iter().take_while(|at| **at < start + 1_000).count();
            assert!(i64::try_from(within).unwrap() <= rate + burst, "{within} posts in a second: {posted:?}");
        }
        let whole = i64::try_from(sockets).unwrap() * 1_000 / rate;
        let last = *posted.last().unwrap();
        assert!(last >= whole - 200 && last <= whole + 1_000, "{last} ms for what takes {whole} ms");
    }
}

/// Direct messages and broadcasts have a share each: what one lane spends is not missing in the other.
#[tokio::test]
async fn a_lane_waits_for_its_own_pace_only() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.publisher().publish("arn", &to_all("1")).await.unwrap();
    let fan_out = FanOut {
        sessions: world.sessions.clone(),
        policy: Policy::default(),
        table: world.table.clone(),
        gateway: world.gateway.clone(),
        queue: world.queues.clone(),
        tally: world.counters.clone(),
        host: Waiting(world.host.clone()),
    };
    let start = world.host.now();
    // The broadcast lane is slow; the direct one is not.
    let pace = RateLimiters::new(1_000, 1, start);
    let limits = Limits { deadline: start.plus_seconds(600), pace: &pace };
    world.publisher().publish("arn", &to(&[&ada], "2")).await.unwrap();
    let mut waits = Vec::new();
    while let Some((job, _)) = world.queues.next_job() {
        let before = world.host.now();
        let posts = world.gateway.posts();
        passing(&world.host, fan_out.work(job, &limits)).await.unwrap();
        if world.gateway.posts() > posts {
            waits.push((world.host.now().get() - before.get()) >= 900);
        }
    }
    waits.sort_unstable();
    assert_eq!(waits, [false, true], "one waited a second, the other did not");
}

/// From the acceptance to the answer of API Gateway, in milliseconds.
#[tokio::test]
async fn the_latency_of_a_delivery_is_the_time_since_its_acceptance() {
    let world = World::default();
    let ada = world.person();
    world.connect(&ada, "a").await.unwrap();
    world.connect(&ada, "b").await.unwrap();
    let published = world.publisher().publish("arn", &to(&[&ada], "1")).await.unwrap();
    world.host.advance_millis(1_234);
    world.gateway.script(&id("b"), [Posted::Unknown]);
    world.work_one().await;
    let message = published.answer.message_id;
    assert_eq!(world.counters.latencies(), [(message, 1_234)], "what was not delivered has no latency");
    world.host.advance_millis(5_000);
    world.work_one().await;
    assert_eq!(world.counters.latencies(), [(message, 1_234), (message, 6_234)]);
}
