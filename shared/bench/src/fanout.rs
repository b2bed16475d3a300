//! One worker of the fan-out against a bare HTTP client, posting to the same gateway (one of ours, over loopback) in turns.
//!
//! The worker is what the function `push-fanout` runs: the domain's fan-out, the adapter of the gateway, two records of 250
//! recipients at a time with 32 posts in flight each. The bare client signs nothing, reads nothing and decides nothing: 64
//! connections, on each of them one post after another. Both run on one thread, as a function does.
//!
//! Under callgrind, the SDK's client and the adapter alone are contestants too. They show what the adapter takes of a worker's
//! instructions, and what posts through the SDK would take.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_apigatewaymanagement as sdk;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use holdfast_aws::Roots;
use holdfast_fault_proxy::{ConnectionsGateway, Plan, Quotas};
use holdfast_push::budget::RateLimiters;
use holdfast_push::channel::Channel;
use holdfast_push::data::Data;
use holdfast_push::ids::{ConnectionId, MessageId};
use holdfast_push::job::{Group, Job, MAX_RECIPIENTS, Recipient};
use holdfast_push::message::Message;
use holdfast_push::outcome::Posted;
use holdfast_push::ports::{Count, DeliveryMetrics, Gateway as _};
use holdfast_push::service::{FanOut, Limits, WorkOutcome};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock as _, Rng as _};
use holdfast_testkit::host::RealHost;
use holdfast_testkit::push::{MemoryQueues, MemoryTable, OpenSessions};
use holdfast_websocket_api::Connections;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::figures::{figure, ratio};
use crate::functions::process::{has_callgrind, resident, total};

/// How long the gateway takes to answer, in milliseconds: not at all, and what Terraform reckons with (its default 20).
const LATENCIES: [u64; 3] = [0, 5, 20];
/// Records of one round, ten to an invocation.
const RECORDS: usize = 20;
const RECORDS_AT_ONCE: usize = 2;
/// Of records of few recipients, the function handles more at once.
const SMALL_RECORDS_AT_ONCE: usize = 10;
const FEW_RECIPIENTS: usize = 10;
const IN_FLIGHT: usize = 64;
/// Rounds of each that count; one more of each goes before them.
const ROUNDS: usize = 7;
const SOCKETS: usize = RECORDS * MAX_RECIPIENTS;
/// Two runs under callgrind with these numbers of rounds; the difference is free of the start.
const FEW: usize = 1;
const MANY: usize = 3;
/// The peer: one post of the SDK for each socket.
const NODE: &str = "Node, the SDK";
const PATIENCE: Duration = Duration::from_secs(60);

type Done<T = ()> = Result<T, String>;

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A gateway on a thread of its own, as it is a machine of its own; where it is.
pub(crate) fn gateway(latency: Duration, sockets: usize) -> Done<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(said)?;
        runtime.block_on(async {
            let quotas = Quotas { per_second: u32::MAX, burst: u32::MAX, latency, keep: false, ..Quotas::default() };
            let gateway = ConnectionsGateway::start(quotas, Plan::new(1)).await.map_err(said)?;
            (0..sockets).for_each(|n| gateway.open(&socket(n)));
            tell.send(gateway.endpoint()).map_err(said)?;
            std::future::pending::<Done>().await
        })
    });
    told.recv_timeout(Duration::from_secs(10)).map_err(|_| "the gateway did not start".into())
}

/// As long as API Gateway's.
fn socket(n: usize) -> String {
    format!("L0SM9cOFv{n:06}=")
}

/// Counts deliveries and keeps nothing else.
#[derive(Default)]
struct Delivered(AtomicUsize);

impl DeliveryMetrics for Delivered {
    fn add(&self, what: Count, n: usize) {
        if what == Count::Delivered {
            self.0.fetch_add(n, Ordering::Relaxed);
        }
    }

    fn latency(&self, _: MessageId, _: i64) {}
}

pub(crate) struct Worker {
    sdk: sdk::Client,
    fan_out: FanOut<OpenSessions, MemoryTable, Connections, MemoryQueues, Delivered, RealHost>,
    message: Message,
    pace: RateLimiters,
}

impl Worker {
    pub(crate) async fn new(endpoint: &str) -> Done<Self> {
        // As long as those of a function's role, which every request carries and signs.
        let credentials = Credentials::new("test", "test", Some("t".repeat(900)), None, "bench");
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        // Under callgrind a post takes fifty times as long.
        let patience = TimeoutConfig::builder()
            .connect_timeout(PATIENCE)
            .operation_attempt_timeout(PATIENCE)
            .operation_timeout(PATIENCE)
            .build();
        let config = holdfast_aws::sdk_config_with(loader, true).timeout_config(patience).load().await;
        let now = RealHost.now();
        let until = now.plus_seconds(3_600);
        let without_retries = sdk::config::Builder::from(&config)
            .endpoint_url(endpoint)
            .retry_config(sdk::config::retry::RetryConfig::disabled())
            .build();
        Ok(Self {
            sdk: sdk::Client::from_conf(without_retries),
            fan_out: FanOut {
                sessions: OpenSessions::default(),
                policy: Policy::default(),
                table: MemoryTable::default(),
                gateway: Connections::new(&config, Roots::System, endpoint),
                queue: MemoryQueues::default(),
                tally: Delivered::default(),
                host: RealHost,
            },
            message: Message {
                id: MessageId::from_bytes(RealHost.random()),
                kind: "note".into(),
                data: Data::compact(r#"{"text":"Your order has left the warehouse.","order":1234567}"#)
                    .map_err(|_| "data that is none")?,
                sent_at: now,
                expires_at: until,
                ephemeral: true,
            },
            // No budget: what is measured is how fast it can go.
            pace: RateLimiters::new(1, 1_000_000, now),
        })
    }

    /// What it posts.
    fn text(&self) -> String {
        self.fan_out.gateway.text(&holdfast_push::frame::ServerFrame::Message {
            id: self.message.id,
            channel: Channel::Broadcast,
            at: None,
            kind: self.message.kind.clone(),
            data: self.message.data.clone(),
            sent_at: self.message.sent_at,
        })
    }

    /// The adapter posts to all sockets, and nothing else happens.
    async fn adapter_round(&self, text: &str, sockets: usize) -> Done {
        let ids: Vec<ConnectionId> = self.ids(sockets)?;
        let posts = stream::iter(&ids).map(|id| self.fan_out.gateway.post(id, text)).buffer_unordered(IN_FLIGHT);
        let delivered = posts.filter(|outcome| std::future::ready(*outcome == Posted::Done)).count().await;
        if delivered == sockets { Ok(()) } else { Err(format!("{delivered} of {sockets} were delivered")) }
    }

    /// The SDK's client posts to all sockets.
    async fn sdk_round(&self, text: &str, sockets: usize) -> Done {
        let ids: Vec<ConnectionId> = self.ids(sockets)?;
        stream::iter(&ids)
            .map(async |id| {
                let data = sdk::primitives::Blob::new(text.as_bytes());
                self.sdk.post_to_connection().connection_id(id.as_str()).data(data).send().await
            })
            .buffer_unordered(IN_FLIGHT)
            .map_ok(drop)
            .try_collect()
            .await
            .map_err(said)
    }

    fn ids(&self, sockets: usize) -> Done<Vec<ConnectionId>> {
        (0..sockets).map(|n| self.recipient(n).map(|recipient| recipient.connection)).collect()
    }

    /// Delivers the message to the sockets from 0, ten records to an invocation.
    pub(crate) async fn deliver(&self, sockets: usize) -> Done {
        self.deliver_in_records_of(MAX_RECIPIENTS, sockets).await
    }

    /// The same with so many sockets in each record. A message to one user is a record of that user's sockets.
    pub(crate) async fn deliver_in_records_of(&self, recipients: usize, sockets: usize) -> Done {
        let before = self.fan_out.tally.0.load(Ordering::Relaxed);
        for first in (0..sockets).step_by(10 * recipients) {
            let last = sockets.min(first + 10 * recipients);
            let all: Vec<Recipient> = (first..last).map(|n| self.recipient(n)).collect::<Done<_>>()?;
            let at_once = if recipients <= FEW_RECIPIENTS { SMALL_RECORDS_AT_ONCE } else { RECORDS_AT_ONCE };
            self.invocation(all.chunks(recipients), at_once).await?;
        }
        let delivered = self.fan_out.tally.0.load(Ordering::Relaxed) - before;
        if delivered == sockets { Ok(()) } else { Err(format!("{delivered} of {sockets} were delivered")) }
    }

    fn recipient(&self, n: usize) -> Done<Recipient> {
        let connection: ConnectionId = socket(n).parse().map_err(|_| "an id that is none")?;
        Ok(Recipient { connection, until: self.message.expires_at, reason: None })
    }

    async fn invocation(&self, records: impl Iterator<Item = &[Recipient]>, at_once: usize) -> Done {
        let limits = Limits { deadline: RealHost.now().plus_seconds(3_600), pace: &self.pace };
        stream::iter(records.map(<[Recipient]>::to_vec))
            .map(|recipients| {
                let groups = vec![Group { channel: Channel::Broadcast, at: None, recipients }];
                self.fan_out.work(Job::Deliver { message: self.message.clone(), groups, attempt: 1 }, &limits)
            })
            .buffer_unordered(at_once)
            .map(|outcome| match outcome {
                Ok(WorkOutcome::Done) => Ok(()),
                other => Err(format!("a record ended as {other:?}")),
            })
            .try_collect::<()>()
            .await
    }
}

/// 64 connections, kept.
struct Bare {
    authority: String,
    lanes: Vec<SendRequest<Full<Bytes>>>,
}

impl Bare {
    async fn new(endpoint: &str) -> Done<Self> {
        let authority =
            endpoint.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/v1")).ok_or("another address")?;
        let mut lanes = Vec::new();
        for _ in 0..IN_FLIGHT {
            let stream = TcpStream::connect(authority).await.map_err(said)?;
            stream.set_nodelay(true).map_err(said)?;
            let (sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
            tokio::spawn(connection);
            lanes.push(sender);
        }
        Ok(Self { authority: authority.to_owned(), lanes })
    }

    async fn round(&mut self, text: &str, sockets: usize) -> Done {
        let body = Bytes::copy_from_slice(text.as_bytes());
        let authority = &self.authority;
        let lanes = self.lanes.iter_mut().enumerate().map(|(lane, sender)| {
            let body = body.clone();
            async move {
                for n in (lane..sockets).step_by(IN_FLIGHT) {
                    let path = format!("/v1/@connections/{}", socket(n).replace('=', "%3D"));
                    let request = hyper::Request::post(path)
                        .header("host", authority)
                        .body(Full::new(body.clone()))
                        .map_err(said)?;
                    let answer = sender.send_request(request).await.map_err(said)?;
                    if answer.status() != 200 {
                        return Err(format!("the gateway answered {}", answer.status()));
                    }
                    answer.into_body().collect().await.map_err(said)?;
                    sender.ready().await.map_err(said)?;
                }
                Ok(())
            }
        });
        futures_util::future::try_join_all(lanes).await.map(drop)
    }
}

/// What rounds took, on the clock and on the processor.
#[derive(Default)]
struct Took {
    wall: Vec<Duration>,
    processor: Vec<Duration>,
}

impl Took {
    async fn measure(&mut self, round: impl Future<Output = Done>) -> Done {
        let (began, busy) = (Instant::now(), processor_time()?);
        round.await?;
        self.wall.push(began.elapsed());
        self.processor.push(processor_time()? - busy);
        Ok(())
    }

    /// Deliveries in a second of the clock and of the processor, of the rounds in the middle. The first round opens
    /// connections and fills caches.
    fn rates(&mut self) -> [f64; 2] {
        [&mut self.wall, &mut self.processor].map(|times| {
            times.remove(0);
            times.sort_unstable();
            #[allow(clippy::cast_precision_loss)]
            let rate = SOCKETS as f64 / times[times.len() / 2].as_secs_f64();
            rate
        })
    }
}

/// Time of this thread on a processor.
fn processor_time() -> Done<Duration> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(said)?;
    let nanos = line.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| "the kernel does not say how long a thread ran".into())
}

/// As the runtime of a function does it.
fn on_one_thread(work: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(said)?.block_on(work)
}

/// Rounds of a peer in Node: seconds of each, on the clock and on processors. `folder` is that of the peers.
fn node_rounds(folder: &str, endpoint: &str, text: &str) -> Done<Took> {
    let arguments = [endpoint, text, &SOCKETS.to_string(), &(ROUNDS + 1).to_string()];
    let output = Command::new("node")
        .arg(Path::new(folder).join("fanout.js"))
        .args(arguments)
        // The SDK warns about versions of Node that it will not support.
        .env("NODE_NO_WARNINGS", "1")
        .stderr(Stdio::inherit())
        .output()
        .map_err(said)?;
    let rounds: Vec<[f64; 2]> = serde_json::from_slice(&output.stdout).map_err(|_| "the peer in Node has failed")?;
    let column = |of: usize| rounds.iter().map(|round| Duration::from_secs_f64(round[of])).collect();
    Ok(Took { wall: column(0), processor: column(1) })
}

/// `node` is the folder of the peers in Node, or an empty text.
pub(crate) fn run(node: &str) -> Done {
    on_one_thread(async {
        for latency in LATENCIES {
            let endpoint = gateway(Duration::from_millis(latency), SOCKETS)?;
            let worker = Worker::new(&endpoint).await?;
            let mut bare = Bare::new(&endpoint).await?;
            let text = worker.text();
            let (mut ours, mut theirs) = (Took::default(), Took::default());
            eprintln!("posts that take {latency} ms: {ROUNDS} rounds of {SOCKETS} each, in turns");
            for _ in 0..=ROUNDS {
                ours.measure(worker.deliver(SOCKETS)).await?;
                theirs.measure(bare.round(&text, SOCKETS)).await?;
            }
            let (ours, theirs) = (ours.rates(), theirs.rates());
            for (of, rates) in [("a worker", ours), ("a bare client", theirs)] {
                figure(&format!("{of}, posts of {latency} ms"), "deliveries", rates[0], "a second");
                figure(&format!("{of}, posts of {latency} ms"), "deliveries by processor", rates[1], "a second of it");
            }
            ratio(&format!("worker, {latency} ms"), "bare client", ours[0], theirs[0]);
            ratio(&format!("worker, {latency} ms"), "bare client: processor", ours[1], theirs[1]);
            if !node.is_empty() {
                let rates = node_rounds(node, &endpoint, &text)?.rates();
                let of = format!("{NODE}, posts of {latency} ms");
                figure(&of, "deliveries", rates[0], "a second");
                figure(&of, "deliveries by processor", rates[1], "a second of it");
                ratio(&format!("worker, {latency} ms"), NODE, ours[0], rates[0]);
                ratio(&format!("worker, {latency} ms"), &format!("{NODE}: processor"), ours[1], rates[1]);
            }
        }
        Ok(())
    })?;
    if has_callgrind() { instructions() } else { Ok(()) }
}

const CONTESTANTS: [&str; 4] = ["bare", "sdk", "adapter", "worker"];

/// Instructions of one delivery, by contestant.
fn instructions() -> Done {
    let endpoint = gateway(Duration::ZERO, SOCKETS)?;
    let executable = std::env::current_exe().map_err(said)?;
    for contestant in CONTESTANTS {
        let each = of_a_delivery(&executable, contestant, &endpoint, SOCKETS)?;
        figure(contestant, "instructions of a delivery", each / 1_000.0, "thousand");
    }
    Ok(())
}

/// Instructions of one of a contestant's deliveries to so many sockets, in the mean. `executable` is that of the benchmarks.
pub(crate) fn of_a_delivery(executable: &Path, contestant: &str, endpoint: &str, sockets: usize) -> Done<f64> {
    let [few, many] = [FEW, MANY].map(|rounds| counted(executable, contestant, endpoint, sockets, rounds));
    #[allow(clippy::cast_precision_loss)]
    let each = (many? - few?) as f64 / ((MANY - FEW) * sockets) as f64;
    Ok(each)
}

/// Instructions of a process of its own that posts so many rounds.
fn counted(executable: &Path, contestant: &str, endpoint: &str, sockets: usize, rounds: usize) -> Done<u64> {
    let file = std::env::temp_dir().join(format!("holdfast-bench-{}.callgrind", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", &format!("--callgrind-out-file={}", file.display())])
        .arg(executable)
        .args(["fanout", contestant, endpoint, &sockets.to_string(), &rounds.to_string()])
        .stdout(Stdio::null())
        .status()
        .map_err(said)?;
    let counted = if status.success() { total(&file) } else { Err(format!("{contestant} under callgrind: {status}")) };
    let _ = std::fs::remove_file(file);
    counted
}

/// The memory, in bytes, of a process of its own that has delivered a message to so many sockets.
pub(crate) fn memory_of_worker(endpoint: &str, sockets: usize) -> Done<u64> {
    let executable = std::env::current_exe().map_err(said)?;
    let said_of = Command::new(executable)
        .args(["fanout", "worker", endpoint, &sockets.to_string(), "1"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(said)?;
    String::from_utf8_lossy(&said_of.stdout).trim().parse().map_err(|_| "the worker did not deliver".into())
}

/// The process whose instructions are counted. At the end it prints how much memory it has, in bytes.
pub(crate) fn post_rounds(contestant: &str, endpoint: &str, sockets: &str, rounds: &str) -> Done {
    let (sockets, rounds): (usize, usize) = (sockets.parse().map_err(said)?, rounds.parse().map_err(said)?);
    on_one_thread(async {
        let worker = Worker::new(endpoint).await?;
        let text = worker.text();
        let mut bare = Bare::new(endpoint).await?;
        for _ in 0..rounds {
            match contestant {
                "bare" => bare.round(&text, sockets).await?,
                "sdk" => worker.sdk_round(&text, sockets).await?,
                "adapter" => worker.adapter_round(&text, sockets).await?,
                "worker" => worker.deliver(sockets).await?,
                other => return Err(format!("{other} is none of {CONTESTANTS:?}")),
            }
        }
        println!("{}", resident(std::process::id())?);
        Ok(())
    })
}
