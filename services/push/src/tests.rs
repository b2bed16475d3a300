//! Tests of the handlers over tables, queues and a gateway in memory: the table of failures, and one test for each branch.

mod answers;
mod failures;
mod records;
mod sockets;

use std::future::Future;
use std::time::Duration;

use holdfast_push::ConnectionId;
use holdfast_push::channel::TopicPolicy;
use holdfast_push::ports::Tickets as _;
use holdfast_push::presence::PresencePolicy;
use holdfast_push::record::Received;
use holdfast_push::service::{Closer, Connector, FanOut, Frames, Heads, Publisher};
use holdfast_push::ticket::TicketRow;
use holdfast_runtime::Env;
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::queue::SqsEvent;
use holdfast_runtime::recording::{Answer, Call, Recorded, answered_within, recorded};
use holdfast_runtime::websocket::SocketEvent;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock as _, Rng as _};
use holdfast_sessions::service::{Sessions, StrongReads};
use holdfast_sessions::token::{AccessToken, Address, RefreshToken, Ticket};
use holdfast_sessions::{Secret, SessionId, SlotNo, UserId};
use holdfast_testkit::ManualHost;
use holdfast_testkit::failing::{Failing, Trouble};
use holdfast_testkit::push::{Counters, FakeGateway, MemoryQueues, MemoryTable, OpenSessions};
use serde_json::{Value, json};

use crate::*;

/// Long enough for everything here.
const TIME: Duration = Duration::from_secs(60);

/// Everything that the functions of this service call, and one user with one session.
struct World {
    sessions: Failing<OpenSessions>,
    table: Failing<MemoryTable>,
    topics: Failing<TopicPolicy>,
    gateway: FakeGateway,
    queues: Failing<MemoryQueues>,
    counters: Counters,
    host: ManualHost,
    at: Address,
    sid: SessionId,
    access: String,
}

impl World {
    async fn new() -> Self {
        let host = ManualHost::default();
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(3).unwrap() };
        let sid = SessionId::from_bytes([2; 16]);
        let token = AccessToken::of(&RefreshToken::first(at, &Secret::new([3; 32]), &[4; 32]));
        let sessions = Failing::new(OpenSessions::default());
        sessions.calm.open_with(at, sid, host.now().plus_seconds(3_600), token.hash());
        Self {
            sessions,
            table: Failing::default(),
            topics: Failing::new(TopicPolicy::public(["public.".to_owned()])),
            gateway: FakeGateway::default(),
            queues: Failing::default(),
            counters: Counters::default(),
            host,
            at,
            sid,
            access: token.text(),
        }
    }

    fn fail_at(&self, call: &'static str, trouble: &Trouble) {
        self.sessions.fail_at(call, trouble.clone());
        self.table.fail_at(call, trouble.clone());
        self.topics.fail_at(call, trouble.clone());
        self.queues.fail_at(call, trouble.clone());
    }

    fn calls(&self) -> std::collections::BTreeSet<&'static str> {
        let mut calls = self.sessions.calls();
        calls.extend(self.table.calls());
        calls.extend(self.topics.calls());
        calls.extend(self.queues.calls());
        calls
    }

    fn session_service(&self) -> Sessions<Failing<OpenSessions>, StrongReads<Failing<OpenSessions>>, ManualHost> {
        Sessions {
            cache: StrongReads(self.sessions.clone()),
            store: self.sessions.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
        }
    }

    fn publisher(&self) -> Publisher<Failing<MemoryTable>, Failing<MemoryQueues>, Counters, ManualHost> {
        Publisher {
            table: self.table.clone(),
            queue: self.queues.clone(),
            tally: self.counters.clone(),
            host: self.host.clone(),
        }
    }

    fn door<G, Q>(
        &self,
        gateway: G,
        closing: Q,
    ) -> Connector<Failing<OpenSessions>, Failing<MemoryTable>, G, Q, ManualHost> {
        Connector {
            sessions: self.sessions.clone(),
            table: self.table.clone(),
            gateway,
            closing,
            host: self.host.clone(),
            policy: Policy::default(),
        }
    }

    /// A ticket for the user's session.
    async fn ticket(&self) -> String {
        let ticket = Ticket::new(Secret::new(self.host.random()));
        let expires_at = self.host.now().plus_seconds(30);
        let row = TicketRow { hash: ticket.hash(), at: self.at, sid: self.sid, expires_at };
        self.table.calm.put_ticket(&row).await.unwrap();
        ticket.text()
    }

    /// Answers a call as the function of this name does.
    async fn serve(&self, function: &str, call: &Call, budget: Duration) -> (Answer, Recorded) {
        let (env, sessions, table) = (Env::of([]), self.session_service(), self.table.clone());
        let host = self.host.clone();
        macro_rules! through {
            ($query:expr, $deps:expr, $handle:path) => {{
                let deps = $deps;
                recorded(Box::pin(answered_within(budget, &env, $query, call, |request| $handle(&deps, request)))).await
            }};
        }
        match function {
            "push-ticket" => {
                let url = "wss://push.example.com/v1".to_owned();
                through!(&[], ticket::Deps { sessions, table, host, url }, ticket::handle)
            }
            "push-publish" => through!(&[], publish::Deps { publisher: self.publisher() }, publish::handle),
            "push-history" => {
                let topics = self.topics.clone();
                through!(history::QUERY, history::Deps { sessions, table, topics, host }, history::handle)
            }
            other => panic!("{other} is no function of this service with a route"),
        }
    }

    /// Delivers an event of a socket.
    async fn socket(
        &self,
        function: &str,
        event: SocketEvent,
        budget: Duration,
    ) -> (Result<Value, InvocationError>, Recorded) {
        match function {
            "push-connect" => {
                let door = self.door(self.gateway.clone(), self.queues.clone());
                let deps = connect::Deps { door, ttl_seconds: 7_800, max_connections: 1 };
                recorded(Box::pin(connect::handle(&deps, event, budget))).await
            }
            "push-disconnect" => {
                let deps = disconnect::Deps { table: self.table.clone(), host: self.host.clone() };
                recorded(Box::pin(disconnect::handle(&deps, event, budget))).await
            }
            "push-default" => {
                let frames = Frames {
                    sessions: self.sessions.clone(),
                    table: self.table.clone(),
                    gateway: self.gateway.clone(),
                    host: self.host.clone(),
                    policy: Policy::default(),
                    topics: self.topics.clone(),
                    presence: PresencePolicy::Own,
                    tally: self.counters.clone(),
                    recovery_per_second: 1_000,
                    heads: Heads::default(),
                };
                recorded(Box::pin(default::handle(&frames, event, budget))).await
            }
            other => panic!("{other} serves no socket"),
        }
    }

    /// Asks the authorizer.
    async fn authorize(&self, event: Value) -> (Result<Value, InvocationError>, Recorded) {
        let deps = authorizer::Deps { door: self.door((), ()), origins: vec!["https://app.example.com".to_owned()] };
        recorded(authorizer::handle(&deps, event, TIME)).await
    }

    /// Delivers records of a queue.
    async fn queue(
        &self,
        function: &str,
        bodies: &[String],
        budget: Duration,
    ) -> (Result<Value, InvocationError>, Recorded) {
        let sent_at = self.host.now().get().to_string();
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(n, body)| {
                json!({"messageId": format!("m{n}"), "body": body,
                                    "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:env-queue",
                                    "attributes": {"SenderId": "AROA:service", "SentTimestamp": sent_at}})
            })
            .collect();
        self.records(function, &records, budget).await
    }

    /// Delivers a copy of a record that failed, as the queue does after its delay.
    async fn copy(&self, function: &str, copy: &Received) -> (Result<Value, InvocationError>, Recorded) {
        let text = |value: String| json!({"stringValue": value, "dataType": "String"});
        let record = json!({"messageId": "copy", "body": copy.body,
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{}", copy.queue),
            "attributes": {"SenderId": "AROA:reader", "SentTimestamp": self.host.now().get().to_string()},
            "messageAttributes": {"HoldfastMessageId": text(copy.id.clone()), "HoldfastSenderId": text(copy.sender.clone()),
                "HoldfastSentTimestamp": text(copy.sent_at.get().to_string()), "HoldfastCopy": text(copy.copy.to_string())}});
        self.records(function, &[record], TIME).await
    }

    async fn records(
        &self,
        function: &str,
        records: &[Value],
        budget: Duration,
    ) -> (Result<Value, InvocationError>, Recorded) {
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        match function {
            "push-fanout" => {
                let fan_out = FanOut {
                    sessions: self.sessions.clone(),
                    policy: Policy::default(),
                    table: self.table.clone(),
                    gateway: self.gateway.clone(),
                    queue: self.queues.clone(),
                    tally: self.counters.clone(),
                    host: self.host.clone(),
                };
                let deps = fanout::Deps { fan_out, publisher: self.publisher(), shares: (1_000, 1_000) };
                recorded(Box::pin(fanout::handle(Box::leak(Box::new(deps)), event, budget))).await
            }
            "push-close-sockets" => {
                let closer = Closer {
                    table: self.table.clone(),
                    gateway: self.gateway.clone(),
                    queue: self.queues.clone(),
                    host: self.host.clone(),
                };
                let deps = close_sockets::Deps { closer };
                recorded(Box::pin(close_sockets::handle(Box::leak(Box::new(deps)), event, budget))).await
            }
            other => panic!("{other} reads no queue"),
        }
    }
}

/// Runs `work` while the clock moves on by a second whenever it waits.
async fn while_time_passes<T>(host: &ManualHost, work: impl Future<Output = T>) -> T {
    let passing = async {
        loop {
            tokio::task::yield_now().await;
            host.advance_seconds(1);
        }
    };
    tokio::select! {
        biased;
        output = work => output,
        () = passing => unreachable!("time does not end"),
    }
}

fn id(text: &str) -> ConnectionId {
    text.parse().unwrap()
}

/// The answer of a batch whose records with these ids are delivered again.
fn again(ids: &[&str]) -> Value {
    json!({"batchItemFailures": ids.iter().map(|id| json!({"itemIdentifier": id})).collect::<Vec<_>>()})
}

/// An event of a socket.
fn socket_event(world: &World, kind: &str, connection: &str) -> SocketEvent {
    let text = |name: &str, value: String| (name.to_owned(), value);
    SocketEvent {
        connection_id: connection.into(),
        event_type: kind.into(),
        context: vec![
            text("userId", world.at.user.to_string()),
            text("sid", world.sid.to_string()),
            text("slot", world.at.slot.to_string()),
        ],
        ..SocketEvent::default()
    }
}

/// A handshake with this ticket.
fn handshake(world: &World, connection: &str, ticket: &str) -> SocketEvent {
    SocketEvent { query: vec![("ticket".into(), ticket.into())], ..socket_event(world, "CONNECT", connection) }
}
