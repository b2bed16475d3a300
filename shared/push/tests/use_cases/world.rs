//! Everything a test needs, built from parts in memory.

use std::collections::BTreeSet;

use holdfast_push::budget::RateLimiters;
use holdfast_push::channel::{Channel, TopicPolicy};
use holdfast_push::close::CloseRequest;
use holdfast_push::frame::ClientFrame;
use holdfast_push::ids::ConnectionId;
use holdfast_push::job::Job;
use holdfast_push::outcome::Posted;
use holdfast_push::ports::{PresenceAccess, Tickets as _};
use holdfast_push::presence::PresencePolicy;
use holdfast_push::publish::{Body, Publish};
use holdfast_push::service::{
    Caller, Closer, ConnectRefusal, Connector, FanOut, Frames, Heads, Limits, Publisher, WorkOutcome,
};
use holdfast_push::socket::Socket;
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock as _, Rng as _, StoreError, StoreResult};
use holdfast_sessions::token::{Address, Ticket};
use holdfast_sessions::{Millis, Secret, SessionId, SlotNo, UserId};
use holdfast_testkit::ManualHost;
use holdfast_testkit::push::{Counters, FakeGateway, MemoryQueues, MemoryTable, OpenSessions};

/// What the rows of a socket live for.
pub(crate) const TTL: i64 = 7_800;
/// Sockets a user may have.
pub(crate) const CAP: usize = 10;

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) sessions: OpenSessions,
    pub(crate) table: MemoryTable,
    pub(crate) gateway: FakeGateway,
    pub(crate) queues: MemoryQueues,
    pub(crate) counters: Counters,
    pub(crate) heads: Heads,
    pub(crate) host: ManualHost,
}

pub(crate) type TestFrames =
    Frames<OpenSessions, MemoryTable, FakeGateway, TopicPolicy, Watchers, Counters, ManualHost>;

pub(crate) type TestFanOut = FanOut<OpenSessions, MemoryTable, FakeGateway, MemoryQueues, Counters, ManualHost>;

/// The authorization of presence.
#[derive(Clone, Debug)]
pub(crate) enum Watchers {
    Policy(PresencePolicy),
    /// A function of the operator that names these users for every caller.
    Names(BTreeSet<UserId>),
    /// A function that does not answer.
    Undecided,
}

impl PresenceAccess for Watchers {
    async fn visible(&self, asker: UserId, users: BTreeSet<UserId>) -> StoreResult<BTreeSet<UserId>> {
        match self {
            Watchers::Policy(policy) => policy.visible(asker, users).await,
            Watchers::Names(names) => Ok(users.intersection(names).copied().collect()),
            Watchers::Undecided => Err(StoreError::Unavailable("no answer".into())),
        }
    }
}

/// A session of a signed-in user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) at: Address,
    pub(crate) sid: SessionId,
}

impl Person {
    pub(crate) fn channel(&self) -> Channel {
        Channel::User(self.at.user)
    }
}

pub(crate) fn id(text: &str) -> ConnectionId {
    text.parse().unwrap()
}

/// A text with which a frame of that kind begins, and one that it holds.
pub(crate) fn says(frames: &[String], kind: &str, what: &str) -> bool {
    frames.iter().any(|frame| frame.starts_with(kind) && frame.contains(what))
}

impl World {
    pub(crate) fn person(&self) -> Person {
        self.person_in(0, UserId::from_bytes(self.host.random()))
    }

    /// A session lasting an hour.
    pub(crate) fn person_in(&self, slot: u8, user: UserId) -> Person {
        let person = Person {
            at: Address { user, slot: SlotNo::new(slot).unwrap() },
            sid: SessionId::from_bytes(self.host.random()),
        };
        self.sessions.open(person.at, person.sid, self.host.now().plus_seconds(3_600));
        person
    }

    pub(crate) async fn ticket(&self, person: &Person) -> String {
        let ticket = Ticket::new(Secret::new(self.host.random()));
        let expires_at = self.host.now().plus_seconds(30);
        let row = TicketRow { hash: ticket.hash(), at: person.at, sid: person.sid, expires_at };
        self.table.put_ticket(&row).await.unwrap();
        ticket.text()
    }

    pub(crate) fn door(&self) -> Connector<OpenSessions, MemoryTable, FakeGateway, MemoryQueues, ManualHost> {
        Connector {
            sessions: self.sessions.clone(),
            table: self.table.clone(),
            gateway: self.gateway.clone(),
            closing: self.queues.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
        }
    }

    /// Runs a handshake as API Gateway does. The socket is open after `$connect` has accepted it.
    pub(crate) async fn connect(&self, person: &Person, name: &str) -> Result<Socket, ConnectRefusal> {
        let ticket = self.ticket(person).await;
        let door = self.door();
        door.admit(Some(&ticket)).await.unwrap()?;
        let connected = door.connect(&id(name), Some(&ticket), TTL, CAP).await.unwrap();
        if connected.is_ok() {
            self.gateway.open(&id(name));
        }
        connected
    }

    pub(crate) fn frames(&self, prefixes: &[&str]) -> TestFrames {
        Frames {
            sessions: self.sessions.clone(),
            table: self.table.clone(),
            gateway: self.gateway.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
            topics: TopicPolicy::public(prefixes.iter().map(|p| (*p).to_owned())),
            presence: Watchers::Policy(PresencePolicy::default()),
            tally: self.counters.clone(),
            recovery_per_second: 1_000,
            heads: self.heads.clone(),
        }
    }

    /// One frame; topics that begin with `public.` are open.
    pub(crate) async fn say(&self, person: &Person, name: &str, frame: ClientFrame) -> Posted {
        let caller = Caller { connection: id(name), at: person.at, sid: person.sid };
        self.frames(&["public."]).receive(&caller, Ok(frame), self.soon()).await
    }

    /// A deadline that is far away.
    pub(crate) fn soon(&self) -> Millis {
        self.host.now().plus_seconds(60)
    }

    pub(crate) fn publisher(&self) -> Publisher<MemoryTable, MemoryQueues, Counters, ManualHost> {
        Publisher {
            table: self.table.clone(),
            queue: self.queues.clone(),
            tally: self.counters.clone(),
            host: self.host.clone(),
        }
    }

    pub(crate) fn fan_out(&self) -> TestFanOut {
        FanOut {
            sessions: self.sessions.clone(),
            policy: Policy::default(),
            table: self.table.clone(),
            gateway: self.gateway.clone(),
            queue: self.queues.clone(),
            tally: self.counters.clone(),
            host: self.host.clone(),
        }
    }

    pub(crate) fn closer(&self) -> Closer<MemoryTable, FakeGateway, MemoryQueues, ManualHost> {
        Closer {
            table: self.table.clone(),
            gateway: self.gateway.clone(),
            queue: self.queues.clone(),
            host: self.host.clone(),
        }
    }

    /// Does one job at a high rate.
    pub(crate) async fn work(&self, job: Job, deadline: Millis) -> StoreResult<WorkOutcome> {
        let pace = RateLimiters::new(10_000, 10_000, self.host.now());
        self.fan_out().work(job, &Limits { deadline, pace: &pace }).await
    }

    /// Does all jobs, and lets time pass by the delays of the queue. A job that is not done is repeated, `patience`
    /// times in total.
    pub(crate) async fn work_off(&self) {
        let mut patience = 1_000;
        while let Some((job, delay)) = self.queues.next_job() {
            self.host.advance_seconds(i64::from(delay));
            while self.work(job.clone(), self.soon()).await != Ok(WorkOutcome::Done) {
                patience -= 1;
                assert!(patience > 0, "a job never ends: {job:?}");
            }
        }
    }

    /// Does one piece of work, its first delivery.
    pub(crate) async fn work_one(&self) -> WorkOutcome {
        let (job, _) = self.queues.next_job().expect("some work");
        self.work(job, self.soon()).await.unwrap()
    }

    /// Handles close requests until none is left, or `rounds` are done.
    pub(crate) async fn close_off(&self, rounds: usize) {
        for _ in 0..rounds {
            let Some((request, delay)) = self.queues.next_close() else { return };
            self.host.advance_seconds(i64::from(delay));
            self.closer().handle(&request).await.unwrap();
        }
    }

    pub(crate) fn next_close(&self) -> CloseRequest {
        self.queues.next_close().expect("a close request").0
    }
}

/// A publish to these people.
pub(crate) fn to(people: &[&Person], data: &str) -> Publish {
    let user_ids = people.iter().map(|person| person.at.user.to_string()).collect();
    Publish::read(Body { user_ids: Some(user_ids), kind: "note".into(), data: data.into(), ..Body::default() }).unwrap()
}

/// A publish to all users.
pub(crate) fn to_all(data: &str) -> Publish {
    Publish::read(Body { broadcast: Some(true), kind: "note".into(), data: data.into(), ..Body::default() }).unwrap()
}

/// A publish to a topic.
pub(crate) fn to_topic(topic: &str, data: &str) -> Publish {
    Publish::read(Body { topic: Some(topic.into()), kind: "note".into(), data: data.into(), ..Body::default() })
        .unwrap()
}
