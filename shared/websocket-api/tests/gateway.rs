//! The adapter and the worker before a gateway that does what API Gateway does on a bad day, over HTTP.
//!
//! `HOLDFAST_SOCKETS` is how many sockets the broadcast goes to (4 000 otherwise).

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

#[path = "gateway/posts.rs"]
mod posts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use holdfast_aws::Roots;
use holdfast_fault_proxy::{ConnectionsGateway, Fault, Plan, Quotas};
use holdfast_push::budget::RateLimiters;
use holdfast_push::channel::Channel;
use holdfast_push::data::Data;
use holdfast_push::ids::{ConnectionId, MessageId};
use holdfast_push::job::Job;
use holdfast_push::message::Message;
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::{Count, Gateway as _, Sockets as _};
use holdfast_push::service::{FanOut, Limits, WorkOutcome};
use holdfast_push::socket::Socket;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock as _, Rng as _};
use holdfast_sessions::token::Address;
use holdfast_sessions::{SessionId, SlotNo, UserId};
use holdfast_testkit::host::RealHost;
use holdfast_testkit::push::{Counters, MemoryQueues, MemoryTable, OpenSessions};
use holdfast_websocket_api::Connections;

/// The configuration that functions have on the local cloud, or the one that they have on AWS.
async fn config(local: bool) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    holdfast_aws::sdk_config_with(
        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials)),
        local,
    )
    .load()
    .await
}

async fn gateway(quotas: Quotas, plan: Plan) -> (ConnectionsGateway, Connections) {
    let gateway = ConnectionsGateway::start(quotas, plan).await.unwrap();
    let client = Connections::new(&config(false).await, Roots::System, &gateway.endpoint());
    (gateway, client)
}

fn id(text: &str) -> ConnectionId {
    text.parse().unwrap()
}

const POST: &str = "PostToConnection";

#[tokio::test]
async fn every_answer_means_what_api_gateway_means_by_it() {
    let cases = [
        (None, Posted::Done, 1),
        (Some(Fault::Gone), Posted::Gone, 0),
        (Some(Fault::Throttle), Posted::Throttled, 0),
        (Some(Fault::BufferFull), Posted::Throttled, 0),
        (Some(Fault::Forbidden), Posted::Forbidden, 0),
        (Some(Fault::TooLarge), Posted::TooLarge, 0),
        (Some(Fault::ErrorBefore), Posted::Unknown, 0),
        (Some(Fault::ErrorAfter), Posted::Unknown, 1),
        (Some(Fault::LostRequest), Posted::Unknown, 0),
        (Some(Fault::LostReply), Posted::Unknown, 1),
        (Some(Fault::Delay(Duration::from_millis(300))), Posted::Done, 1),
        (Some(Fault::Freeze), Posted::Unknown, 0),
    ];
    for (fault, answer, effects) in cases {
        let plan = fault.into_iter().fold(Plan::new(1), |plan, fault| plan.with(POST, fault, 1_000));
        let (gateway, client) = gateway(Quotas::default(), plan).await;
        // An id as API Gateway gives them: `=` has to survive the path and the signature.
        let socket = id("L0SM9cOFvHcCIhw=");
        gateway.open(socket.as_str());
        assert_eq!(client.post(&socket, "{}").await, answer, "{fault:?}");
        assert_eq!(gateway.received(socket.as_str()).len(), effects, "{fault:?}");
        // Never repeated by the SDK: whether to try again is decided per connection.
        let tries: u64 = gateway.answers().values().sum();
        assert!(tries <= 1, "{fault:?}: {tries}");
    }
}

/// Posts that take longer than a call of DynamoDB may: each reaches its socket once, and no outcome is unknown.
#[tokio::test]
async fn a_gateway_that_is_seconds_late_causes_no_duplicates_and_no_unknown_outcomes() {
    let late = [500, 1_000, 1_500, 2_000, 2_500];
    let plan = late.into_iter().fold(Plan::new(7), |plan, millis| {
        plan.with_all(Fault::Delay(Duration::from_millis(millis)), 1_000 / late.len() as u64)
    });
    let crowd = Crowd::with_plan(100, Quotas::default(), plan).await;
    crowd.broadcast(1_000_000, 0).await;
    let reached = crowd.gateway.counts();
    assert!(reached.values().all(|count| *count == 1) && reached.len() == crowd.sockets, "{reached:?}");
    let tally = &crowd.fan_out.tally;
    assert_eq!((tally.of(Count::Delivered), tally.of(Count::Retried)), (crowd.sockets, 0));
    let one = id(reached.keys().next().unwrap());
    let answers = [Posted::Done, Posted::Gone];
    assert_eq!([crowd.fan_out.gateway.close(&one).await, crowd.fan_out.gateway.close(&one).await], answers);
    assert_eq!(crowd.fan_out.gateway.probe(&one).await, Probe::Gone);
}

#[tokio::test]
async fn gone_full_and_too_long_come_from_the_sockets_themselves() {
    let (gateway, client) = gateway(Quotas::default(), Plan::new(1)).await;
    let [open, full] = ["open", "full"].map(id);
    for socket in [&open, &full] {
        gateway.open(socket.as_str());
    }
    gateway.stall("full", Some(2));
    let answers = [
        client.post(&id("nobody"), "{}").await,
        client.post(&full, "1").await,
        client.post(&full, "2").await,
        client.post(&full, "3").await,
        client.post(&open, &"x".repeat(128 * 1024)).await,
        client.post(&open, &"x".repeat(128 * 1024 + 1)).await,
    ];
    assert_eq!(answers, [Posted::Gone, Posted::Done, Posted::Done, Posted::Throttled, Posted::Done, Posted::TooLarge]);
    assert_eq!(gateway.metered(), 2 + 4, "a message counts once for every 32 KiB");
    assert_eq!((client.probe(&open).await, client.probe(&id("nobody")).await), (Probe::Alive, Probe::Gone));
    assert_eq!((client.close(&open).await, client.close(&open).await), (Posted::Done, Posted::Gone));
    assert!(!gateway.is_open("open"));
}

#[tokio::test]
async fn the_account_grants_its_burst_and_refuses_what_is_over_it() {
    let quotas = Quotas { per_second: 1, burst: 20, ..Quotas::default() };
    let (gateway, client) = gateway(quotas, Plan::new(1)).await;
    gateway.open("s");
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(client.post(&id("s"), "{}").await);
    }
    let granted = answers.iter().filter(|answer| **answer == Posted::Done).count();
    assert!((20..30).contains(&granted), "{granted}");
    assert!(answers.iter().all(|answer| matches!(answer, Posted::Done | Posted::Throttled)));
}

/// Sockets of a broadcast, and what it may post: a quarter of the account's requests.
struct Crowd {
    gateway: Arc<ConnectionsGateway>,
    fan_out: FanOut<OpenSessions, MemoryTable, Connections, MemoryQueues, Counters, RealHost>,
    sockets: usize,
}

/// Workers at once, as Terraform computes it for 2 500 posts a second.
const WORKERS: u32 = 2;

impl Crowd {
    async fn new(sockets: usize, quotas: Quotas) -> Self {
        Self::with_plan(sockets, quotas, Plan::new(1)).await
    }

    async fn with_plan(sockets: usize, quotas: Quotas, plan: Plan) -> Self {
        let (gateway, client) = gateway(Quotas { keep: false, ..quotas }, plan).await;
        let table = MemoryTable::default();
        let host = RealHost;
        let now = host.now();
        for n in 0..sockets {
            let at = Address { user: UserId::from_bytes(host.random()), slot: SlotNo::new(0).unwrap() };
            let socket = Socket {
                id: id(&format!("s{n:07}{:04x}", u16::from_be_bytes(host.random()))),
                at,
                sid: SessionId::from_bytes(host.random()),
                connected_at: now,
                seen_at: now,
                session_expires_at: now.plus_seconds(3_600),
                expires_at: now.plus_seconds(7_800),
            };
            table.open(&socket, "a@example.com").await.unwrap();
            gateway.open(socket.id.as_str());
        }
        let fan_out = FanOut {
            sessions: OpenSessions::default(),
            policy: Policy::default(),
            table,
            gateway: client,
            queue: MemoryQueues::default(),
            tally: Counters::default(),
            host,
        };
        Self { gateway: Arc::new(gateway), fan_out, sockets }
    }

    /// Broadcasts one message with workers that may post `per_second` together, beside `others` requests a second of
    /// other APIs; what became of those.
    async fn broadcast(&self, per_second: u32, others: u64) -> Others {
        let now = RealHost.now();
        let message = Message {
            id: MessageId::from_bytes(RealHost.random()),
            kind: "note".into(),
            data: Data::compact("1").unwrap(),
            sent_at: now,
            expires_at: now.plus_seconds(3_600),
            ephemeral: true,
        };
        let first = Job::Channel { message, channel: Channel::Broadcast, at: None, cursor: None };
        let pace = RateLimiters::new(per_second, per_second / WORKERS, now);
        let limits = Limits { deadline: now.plus_seconds(50), pace: &pace };
        assert_eq!(self.fan_out.work(first, &limits).await, Ok(WorkOutcome::Done));
        let done = Arc::new(AtomicBool::new(false));
        let traffic = tokio::spawn(requests(self.gateway.clone(), others, done.clone()));
        let working = AtomicU64::new(0);
        futures_util::future::join_all((0..WORKERS).map(|_| self.worker(per_second / WORKERS, &working))).await;
        done.store(true, Ordering::SeqCst);
        traffic.await.unwrap()
    }

    /// Invocations of one worker, one after another, until there is nothing left to do.
    async fn worker(&self, per_second: u32, working: &AtomicU64) {
        loop {
            let pace = RateLimiters::new(1, per_second, RealHost.now());
            let limits = Limits { deadline: RealHost.now().plus_seconds(50), pace: &pace };
            // Ten records, two at a time.
            for _ in 0..5 {
                let records: Vec<Job> =
                    std::iter::from_fn(|| self.fan_out.queue.next_job()).take(2).map(|(job, _)| job).collect();
                if records.is_empty() {
                    if working.load(Ordering::SeqCst) == 0 {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
                working.fetch_add(1, Ordering::SeqCst);
                let work = records.into_iter().map(|job| self.fan_out.work(job, &limits));
                for done in futures_util::future::join_all(work).await {
                    assert_eq!(done, Ok(WorkOutcome::Done));
                }
                working.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

/// What became of the account's other requests.
#[derive(Debug, Default)]
struct Others {
    asked: u64,
    /// Of the first attempts.
    refused: u64,
    /// How long each was kept from being served, in ms, the shortest first: 0 for all that were granted at once.
    waited: Vec<u64>,
}

impl Others {
    /// The wait that `part` (0 to 1) of the requests did not exceed.
    fn waited(&self, part: f64) -> u64 {
        let last = self.waited.len().saturating_sub(1);
        self.waited.get((last as f64 * part) as usize).copied().unwrap_or_default()
    }
}

/// Sign-ins and other requests of the account, evenly, until `done`. A refused request is repeated like in browsers' libraries,
/// after a random wait below 100 ms. The limit of the wait doubles each time.
async fn requests(gateway: Arc<ConnectionsGateway>, per_second: u64, done: Arc<AtomicBool>) -> Others {
    let mut others = Others::default();
    let mut again: Vec<(Instant, Instant, u32)> = Vec::new();
    let began = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = Instant::now();
        let mut asking = Vec::new();
        again.retain(|one| {
            let waits = one.1 > now;
            asking.extend((!waits).then_some((one.0, one.2)));
            waits
        });
        if !done.load(Ordering::SeqCst) {
            let due = began.elapsed().as_millis() as u64 * per_second / 1_000;
            // What came too late to be asked for in its time is not asked for in a rush.
            let fresh = (due - others.asked).min(per_second / 20);
            asking.extend((0..fresh).map(|_| (now, 0)));
            others.asked = due;
        } else if asking.is_empty() && again.is_empty() {
            others.waited.sort_unstable();
            return others;
        }
        for (first, attempt) in asking {
            if gateway.another_request() {
                others.waited.push(first.elapsed().as_millis() as u64);
            } else {
                others.refused += u64::from(attempt == 0);
                let most = 100_u64 << attempt.min(6);
                let wait = u64::from(u32::from_be_bytes(RealHost.random())) % most;
                again.push((first, now + Duration::from_millis(wait), attempt + 1));
            }
        }
    }
}

fn sockets() -> usize {
    std::env::var("HOLDFAST_SOCKETS").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_keeps_within_its_budget_and_leaves_the_rest_to_sign_ins() {
    let crowd = Crowd::new(sockets(), Quotas::default()).await;
    let budget = 2_500;
    let began = Instant::now();
    let others = crowd.broadcast(budget, 7_000).await;
    let took = began.elapsed().as_secs_f64();
    let reached = crowd.gateway.counts();
    assert!(reached.values().all(|count| *count == 1) && reached.len() == crowd.sockets);
    assert_eq!(crowd.fan_out.tally.of(Count::Throttled), 0);
    assert_eq!(others.refused, 0, "of {} other requests", others.asked);
    // A worker may have saved up a tenth of a second, and 64 posts may be waiting for their turn.
    let most = u64::from(budget) * 11 / 10 + 64 * u64::from(WORKERS);
    let posts = crowd.gateway.posts_granted();
    let peak = posts.values().max().copied().unwrap_or_default();
    assert!(peak <= most, "{peak} posts in one second: {posts:?}");
    eprintln!(
        "broadcast to {} sockets in {took:.1} s beside 7 000 other requests/s: at most {peak} posts in a second (budget \
         {budget}), 0 throttled, 0 of {} other requests refused, which waited {} ms at most",
        crowd.sockets,
        others.asked,
        others.waited(1.0),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_budget_a_broadcast_takes_what_sign_ins_need() {
    // A tenth of an account, so that any machine can use it up.
    let crowd = Crowd::new(2_000, Quotas { per_second: 1_000, burst: 500, ..Quotas::default() }).await;
    let others = crowd.broadcast(1_000_000, 700).await;
    eprintln!(
        "without a budget {} of {} other requests were refused, and waited {} ms (p95), {} ms at most",
        others.refused,
        others.asked,
        others.waited(0.95),
        others.waited(1.0)
    );
    assert!(others.refused > 0 && crowd.fan_out.tally.of(Count::Throttled) > 0, "{others:?}");
}

#[tokio::test]
async fn a_stalled_client_costs_nobody_else_anything_and_is_put_aside() {
    let crowd = Crowd::new(50, Quotas::default()).await;
    let stalled = crowd.gateway.counts().into_keys().next().unwrap();
    crowd.gateway.stall(&stalled, Some(0));
    crowd.broadcast(1_000_000, 0).await;
    let reached = crowd.gateway.counts();
    assert_eq!(reached.values().sum::<u64>(), 49);
    let dead = crowd.fan_out.queue.dead();
    let [(_, Job::Deliver { groups, .. })] = &dead[..] else { panic!("{dead:?}") };
    let recipients: Vec<_> = groups.iter().flat_map(|group| &group.recipients).collect();
    assert_eq!(recipients.len(), 1);
    assert_eq!((recipients[0].connection.as_str(), recipients[0].reason.as_deref()), (&stalled[..], Some("THROTTLED")));
}
