//! Publishers, workers and clients over one table, one network and one queue.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use futures_util::future::join_all;
use holdfast_push::budget::RateLimiters;
use holdfast_push::channel::{Channel, Topic, TopicPolicy};
use holdfast_push::frame::ClientFrame;
use holdfast_push::ids::{ConnectionId, MessageId};
use holdfast_push::job::Job;
use holdfast_push::message::Message;
use holdfast_push::ports::{Count, Sockets as _, Tickets as _};
use holdfast_push::presence::PresencePolicy;
use holdfast_push::publish::{Body, Publish};
use holdfast_push::service::{
    Caller, Connector, FanOut, Frames, Heads, Limits, Publisher, Recovery, WorkOutcome, page,
};
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock as _, Rng as _, StoreResult};
use holdfast_sessions::token::{Address, Ticket};
use holdfast_sessions::{Secret, SessionId, SlotNo, UserId};
use holdfast_testkit::push::stepped::{Stepped, dies_after};
use holdfast_testkit::push::{Counters, MemoryTable, OpenSessions};
use holdfast_testkit::seeded::SeededHost;

use crate::client::Client;
use crate::gateway::{Network, Trouble};
use crate::queue::{Queue, Record};

const USERS: usize = 60;
const DEVICES: usize = 90;
const TOPICS: usize = 5;
/// Messages published in one round.
const ROUND: u64 = 20;
/// A round's length.
const ROUND_MILLIS: i64 = 250;
/// Workers at once.
const WORKERS: usize = 4;
/// Devices whose clients do not read.
const STALLED: usize = 3;

#[derive(Clone, Copy)]
struct Person {
    at: Address,
    sid: SessionId,
}

struct Device {
    person: Person,
    client: Client,
    socket: Option<ConnectionId>,
    /// The client never disconnects, and never reads.
    stalled: bool,
}

pub(crate) struct Sim {
    host: SeededHost,
    table: MemoryTable,
    sessions: OpenSessions,
    network: Network,
    queue: Queue,
    counters: Counters,
    heads: Heads,
    people: Vec<Person>,
    devices: Vec<Device>,
    published: u64,
    deaths: u64,
    connects: u64,
    short_lived: BTreeSet<MessageId>,
}

fn topic(n: usize) -> Topic {
    format!("public.{n}").parse().unwrap()
}

impl Sim {
    pub(crate) async fn new(seed: u64) -> Self {
        let host = SeededHost::new(seed);
        let sessions = OpenSessions::default();
        let people: Vec<Person> = (0..USERS)
            .map(|_| {
                let at = Address { user: UserId::from_bytes(host.random()), slot: SlotNo::new(0).unwrap() };
                let person = Person { at, sid: SessionId::from_bytes(host.random()) };
                sessions.open(at, person.sid, host.now().plus_seconds(1_000_000_000));
                person
            })
            .collect();
        let devices = (0..DEVICES)
            .map(|n| {
                let person = people[n % USERS];
                let topics = (0..TOPICS).filter(|t| (n + t) % 3 == 0).map(topic).map(Channel::Topic);
                let channels = [Channel::User(person.at.user), Channel::Broadcast].into_iter().chain(topics);
                Device { person, client: Client::following(channels), socket: None, stalled: n < STALLED }
            })
            .collect();
        let mut sim = Self {
            network: Network::new(host.clone()),
            queue: Queue::new(host.clone()),
            table: MemoryTable::default(),
            counters: Counters::default(),
            heads: Heads::default(),
            host,
            sessions,
            people,
            devices,
            published: 0,
            deaths: 0,
            connects: 0,
            short_lived: BTreeSet::new(),
        };
        for n in 0..DEVICES {
            sim.connect(n).await;
            if sim.devices[n].stalled {
                sim.network.stall(sim.devices[n].socket.as_ref().unwrap(), true);
            }
        }
        sim
    }

    fn one_in(&self, n: u64) -> bool {
        self.host.draw().is_multiple_of(n)
    }

    fn draw(&self, below: usize) -> usize {
        usize::try_from(self.host.draw() % below as u64).unwrap()
    }

    /// Publishes `messages`, one round at a time, while everything else continues.
    pub(crate) async fn run(&mut self, messages: u64) {
        let rounds = messages.div_ceil(ROUND);
        for round in 0..rounds {
            // For a while the configuration is broken: nothing can be posted at all.
            self.network.forbid((rounds / 2..rounds / 2 + 4).contains(&round));
            for _ in 0..ROUND.min(messages - round * ROUND) {
                self.publish().await;
            }
            if self.one_in(10) {
                self.table.contend(self.draw(4));
            }
            self.work().await;
            self.listen();
            self.come_and_go().await;
            self.host.advance_millis(ROUND_MILLIS);
            if round % 500 == 499 {
                eprintln!("  {} of {messages} messages", (round + 1) * ROUND);
            }
        }
        self.network.forbid(false);
    }

    /// Finishes all work under way, and reconnects every client until it misses nothing.
    pub(crate) async fn settle(&mut self) {
        while let Some(due) = self.queue.due() {
            let wait = due - self.host.now().get();
            self.host.advance_millis(wait.max(0));
            self.work().await;
            self.listen();
        }
        for n in 0..self.devices.len() {
            if let Some(socket) = &self.devices[n].socket {
                self.network.stall(socket, false);
            }
            for _ in 0..20 {
                self.host.advance_millis(6_000);
                self.catch_up(n).await;
            }
        }
    }

    async fn publish(&mut self) {
        let pick = self.host.draw() % 100;
        let user_ids = |people: &[Person]| Some(people.iter().map(|person| person.at.user.to_string()).collect());
        let mut body = Body { kind: "note".into(), data: self.published.to_string(), ..Body::default() };
        match pick {
            0..70 => body.user_ids = user_ids(&[self.people[self.draw(USERS)]]),
            70..90 => {
                let from = self.draw(USERS - 12);
                body.user_ids = user_ids(&self.people[from..from + 2 + self.draw(10)]);
            }
            90..97 => body.topic = Some(topic(self.draw(TOPICS)).as_str().to_owned()),
            _ => body.broadcast = Some(true),
        }
        body.ephemeral = self.one_in(40);
        body.ttl_seconds = self.one_in(50).then_some(2);
        body.idempotency_key = Some(format!("k{}", self.published));
        let (short, publish) = (body.ttl_seconds.is_some(), Publish::read(body).unwrap());
        self.published += 1;
        // One publisher in ten stops between two of its calls, and its caller repeats the request.
        if self.one_in(10) {
            let publisher = Publisher {
                table: Stepped(self.table.clone()),
                queue: Stepped(self.queue.clone()),
                tally: self.counters.clone(),
                host: self.host.clone(),
            };
            let steps = self.draw(6);
            let dying = async {
                publisher.publish("arn:shop", &publish).await.unwrap();
            };
            self.deaths += u64::from(!dies_after(steps, Box::pin(dying)));
        }
        let publisher = Publisher {
            table: self.table.clone(),
            queue: self.queue.clone(),
            tally: self.counters.clone(),
            host: self.host.clone(),
        };
        let told = publisher.publish("arn:shop", &publish).await.unwrap();
        if short {
            self.short_lived.insert(told.answer.message_id);
        }
    }

    /// Does all work that is due, some records at a time, as one invocation finds them.
    async fn work(&self) {
        let fan_out = FanOut {
            sessions: self.sessions.clone(),
            policy: Policy::default(),
            table: self.table.clone(),
            gateway: self.network.clone(),
            queue: self.queue.clone(),
            tally: self.counters.clone(),
            host: self.host.clone(),
        };
        loop {
            let records: Vec<Record> = std::iter::from_fn(|| self.queue.take()).take(WORKERS).collect();
            if records.is_empty() {
                return;
            }
            let pace = RateLimiters::new(1_000_000, 1_000_000, self.host.now());
            let limits = Limits { deadline: self.host.now().plus_seconds(50), pace: &pace };
            let (users, others): (Vec<_>, Vec<_>) =
                records.into_iter().partition(|record| matches!(record.job, Job::Users { .. }));
            let jobs: Vec<(Message, Vec<UserId>)> = users
                .iter()
                .filter_map(|record| match &record.job {
                    Job::Users { message, users } => Some((message.clone(), users.clone())),
                    _ => None,
                })
                .collect();
            let others_done = join_all(others.iter().map(|record| fan_out.work(record.job.clone(), &limits)));
            let (users_done, others_done) = futures_util::future::join(fan_out.users(jobs, &limits), others_done).await;
            for (record, done) in users.into_iter().zip(users_done).chain(others.into_iter().zip(others_done)) {
                self.finish(record, done);
            }
        }
    }

    fn finish(&self, record: Record, done: StoreResult<WorkOutcome>) {
        match done {
            Ok(WorkOutcome::Done) => self.queue.done(record),
            Ok(WorkOutcome::Again) | Err(_) => self.queue.failed(record),
        }
    }

    /// Clients read what has arrived.
    fn listen(&mut self) {
        for device in self.devices.iter_mut().filter(|device| !device.stalled) {
            let Some(socket) = device.socket.clone() else { continue };
            for frame in self.network.take(&socket) {
                device.client.receive(frame);
            }
            if device.client.must_leave {
                device.client.must_leave = false;
                device.socket = None;
            }
        }
    }

    async fn come_and_go(&mut self) {
        for n in 0..self.devices.len() {
            if self.devices[n].stalled {
                continue;
            }
            match self.devices[n].socket.clone() {
                None if self.one_in(8) => self.connect(n).await,
                None => {}
                Some(socket) if self.one_in(150) => {
                    self.network.drop_line(&socket);
                    self.devices[n].socket = None;
                    // `$disconnect` is best effort.
                    if self.one_in(2) {
                        self.table.mark_gone(&socket, self.host.now()).await.unwrap();
                        self.table.forget(&socket, Some(self.devices[n].person.at.user)).await.unwrap();
                    }
                }
                Some(_) if self.one_in(60) => self.say(n, ClientFrame::Ping).await,
                Some(_) if self.devices[n].client.is_behind && self.one_in(20) => self.hello(n).await,
                Some(_) => {}
            }
        }
    }

    /// Handshake, then `hello` with the marks.
    async fn connect(&mut self, n: usize) {
        let person = self.devices[n].person;
        let ticket = Ticket::new(Secret::new(self.host.random()));
        let expires_at = self.host.now().plus_seconds(30);
        let row = TicketRow { hash: ticket.hash(), at: person.at, sid: person.sid, expires_at };
        self.table.put_ticket(&row).await.unwrap();
        self.connects += 1;
        let id: ConnectionId = format!("c{:06}{:08x}", self.connects, self.host.draw() as u32).parse().unwrap();
        let door = Connector {
            sessions: self.sessions.clone(),
            table: self.table.clone(),
            gateway: self.network.clone(),
            closing: self.queue.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
        };
        door.connect(&id, Some(&ticket.text()), 7_800, 1_000).await.unwrap().unwrap();
        self.network.open(&id);
        self.devices[n].socket = Some(id);
        self.hello(n).await;
    }

    async fn hello(&mut self, n: usize) {
        self.devices[n].client.is_behind = false;
        let marks = self.devices[n].client.marks();
        self.say(n, ClientFrame::Hello(marks)).await;
        self.reload(n).await;
    }

    async fn say(&mut self, n: usize, frame: ClientFrame) {
        let device = &mut self.devices[n];
        let Some(socket) = device.socket.clone() else { return };
        let frames = Frames {
            sessions: self.sessions.clone(),
            table: self.table.clone(),
            gateway: self.network.calm(),
            topics: TopicPolicy::public(["public.".to_owned()]),
            presence: PresencePolicy::Own,
            tally: self.counters.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
            recovery_per_second: 2_000,
            heads: self.heads.clone(),
        };
        let caller = Caller { connection: socket.clone(), at: device.person.at, sid: device.person.sid };
        frames.receive(&caller, Ok(frame), self.host.now().plus_seconds(60)).await;
        for frame in self.network.take(&socket) {
            device.client.receive(frame);
        }
        if device.client.must_leave {
            device.client.must_leave = false;
            device.socket = None;
        }
    }

    /// Reads what could not be recovered through the history route, one page at a time.
    async fn reload(&mut self, n: usize) {
        let reloads = std::mem::take(&mut self.devices[n].client.reloads);
        for (channel, mut mark, head) in reloads {
            while mark.offset < head.offset {
                let found = page(&self.table, &channel, Some(mark), head, 1_000).await.unwrap();
                let Recovery::Complete(messages) = found else { panic!("history has a hole after {mark:?}") };
                for recorded in messages {
                    self.devices[n].client.reload(&channel, recorded.at, recorded.message.id);
                    mark = recorded.at;
                }
            }
        }
    }

    /// Recovers until nothing is missing.
    async fn catch_up(&mut self, n: usize) {
        match &self.devices[n].socket {
            Some(socket) if self.network.is_open(socket) => self.hello(n).await,
            _ => self.connect(n).await,
        }
    }

    pub(crate) fn every_client_has_everything_once_and_in_order(&self) {
        for (n, device) in self.devices.iter().enumerate() {
            for channel in device.client.channels() {
                let truth: Vec<(u64, MessageId)> =
                    self.table.messages(channel).iter().map(|m| (m.at.offset, m.message.id)).collect();
                let given = device.client.given(channel);
                let first = given.first().map_or(truth.len(), |(offset, _)| usize::try_from(offset - 1).unwrap());
                assert_eq!(given, &truth[first..], "device {n} on {channel}");
                let mark = device.client.mark(channel).unwrap();
                assert_eq!(mark.offset, truth.len() as u64, "device {n} on {channel}");
            }
        }
    }

    pub(crate) fn every_post_is_accounted_for(&self) {
        let pairs = self.network.pairs();
        for (pair, ledger) in &pairs {
            let allowed = 1 + ledger.lost_replies + self.queue.repeats_of(pair);
            assert!(ledger.effects <= allowed, "{pair:?}: {ledger:?}, {allowed} allowed");
        }
        let (posts, reached, repeated, failed) = self.posts();
        assert_eq!(posts, reached + repeated + failed);
    }

    /// Posts; those that were the first to reach their socket; those that reached it again; those without effect.
    fn posts(&self) -> (u64, u64, u64, u64) {
        let pairs = self.network.pairs();
        let reached = pairs.values().filter(|pair| pair.effects > 0).count() as u64;
        let repeated = pairs.values().map(|pair| u64::from(pair.effects.saturating_sub(1))).sum();
        let failed = self
            .network
            .troubles()
            .iter()
            .filter(|(trouble, _)| !matches!(trouble, Trouble::LostReply | Trouble::Slow))
            .map(|(_, n)| n)
            .sum();
        (self.network.posts(), reached, repeated, failed)
    }

    pub(crate) fn the_dead_letters_are_what_could_not_be_delivered(&self) {
        let lasting = |id: &MessageId| !self.short_lived.contains(id);
        let dead: BTreeSet<(ConnectionId, MessageId)> =
            self.queue.dead().into_iter().map(|(to, id, _)| (to, id)).filter(|(_, id)| lasting(id)).collect();
        let hopeless: BTreeSet<(ConnectionId, MessageId)> = self
            .network
            .pairs()
            .into_iter()
            .filter(|((_, id), pair)| lasting(id) && (pair.stalled > 0 || pair.too_large > 0))
            .map(|(pair, _)| pair)
            .collect();
        assert!(!hopeless.is_empty());
        assert_eq!(dead, hopeless);
        assert!(self.queue.dead().iter().all(|(_, _, reason)| reason == "THROTTLED" || reason == "TOO_LARGE"));
    }

    pub(crate) fn report(&self, seed: u64) -> String {
        let (posts, reached, repeated, failed) = self.posts();
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for (_, _, reason) in self.queue.dead() {
            *reasons.entry(reason).or_default() += 1;
        }
        let duplicates: u64 = self.devices.iter().map(|device| device.client.duplicates).sum();
        let mut text =
            format!("{} messages, seed {seed}: 0 lost, 0 doubled, in order for {DEVICES} clients\n", self.published);
        let _ = writeln!(
            text,
            "  posts {posts} = first to reach a socket {reached} + reached it again {repeated} + no effect {failed}"
        );
        let _ = writeln!(text, "  troubles met: {:?}", self.network.troubles());
        let _ = writeln!(
            text,
            "  records delivered again {}, publishers that died {}, sockets opened {}",
            self.queue.repeats(),
            self.deaths,
            self.connects
        );
        let _ = writeln!(
            text,
            "  dropped by clients as known {duplicates}, recovered by hello {}",
            self.counters.of(Count::RecoveryPosted)
        );
        let _ = write!(text, "  dead letters {reasons:?}: exactly what could not be delivered");
        text
    }
}
