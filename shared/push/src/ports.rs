//! What push needs from outside. One narrow trait per capability.

use std::collections::BTreeSet;
use std::future::Future;

use holdfast_sessions::ports::StoreResult;
use holdfast_sessions::{Millis, TokenHash, UserId};

use crate::budget::RecoveryReservation;
use crate::channel::{Channel, Position, Topic};
use crate::close::CloseRequest;
use crate::frame::ServerFrame;
use crate::ids::{ConnectionId, Epoch, MessageId};
use crate::job::{Job, Lane, Recipient};
use crate::message::{Message, Recorded};
use crate::outcome::{Posted, Probe};
use crate::publish::{Answer, Pending, PublishKey, Queued};
use crate::socket::{FrameWindow, Socket};
use crate::ticket::TicketRow;

/// The port of tickets.
pub trait Tickets: Send + Sync {
    /// Keeps a new one.
    fn put_ticket(&self, ticket: &TicketRow) -> impl Future<Output = StoreResult<()>> + Send;
    /// Reads one strongly.
    fn ticket(&self, hash: &TokenHash) -> impl Future<Output = StoreResult<Option<TicketRow>>> + Send;
    /// Takes it away if it is there and valid at `now`. Whoever gets it is the only one who ever will; when a reply is
    /// lost, nobody does.
    fn consume(&self, hash: &TokenHash, now: Millis) -> impl Future<Output = StoreResult<Option<TicketRow>>> + Send;
}

/// The rows of connections. All reads are strong.
pub trait Sockets: Send + Sync {
    /// Writes every row of a new socket, or none if it is closed already (`false`).
    fn open(&self, socket: &Socket, email: &str) -> impl Future<Output = StoreResult<bool>> + Send;
    /// One socket.
    fn socket(&self, id: &ConnectionId) -> impl Future<Output = StoreResult<Option<Socket>>> + Send;
    /// A user's sockets.
    fn of_user(&self, user: UserId) -> impl Future<Output = StoreResult<Vec<Socket>>> + Send;
    /// Deletes every row of a socket (not that it is gone). `user` finds the twin when the socket's own row is missing.
    fn forget(&self, id: &ConnectionId, user: Option<UserId>) -> impl Future<Output = StoreResult<()>> + Send;
    /// Remembers that a socket was closed, so that a `$connect` that is still under way writes nothing.
    fn mark_gone(&self, id: &ConnectionId, now: Millis) -> impl Future<Output = StoreResult<()>> + Send;
    /// Counts one frame; `None` if there is no such socket.
    fn count_frame(&self, id: &ConnectionId) -> impl Future<Output = StoreResult<Option<FrameWindow>>> + Send;
    /// Begins a new window if `seen`'s is over, with what it leaves in it, moves `seenAt` there, and `sessionExpiresAt` on every row.
    /// Rows that are gone stay gone.
    fn refresh(
        &self,
        seen: &FrameWindow,
        session_expires_at: Millis,
        now: Millis,
    ) -> impl Future<Output = StoreResult<()>> + Send;
}

/// How adding topics to a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The socket has all of them.
    Done,
    /// The socket has no rows: it is closing, or closed.
    Closed,
    /// There is no room for all of them. Nothing was added.
    TooMany,
}

/// Topics that one call of [`Subscriptions::join`] may add: DynamoDB takes 100 actions in a transaction.
pub const JOIN_AT_ONCE: usize = 50;

/// Who listens to what.
pub trait Subscriptions: Send + Sync {
    /// Adds topics to a socket, all of them or none. A socket never has more than
    /// [`MAX_TOPICS`](crate::socket::MAX_TOPICS), however many of its frames are served at once. `topics` has at most
    /// [`JOIN_AT_ONCE`], and none that the socket has already: for such a list the answer may be an error that asks for a
    /// repetition after another reading.
    fn join(&self, socket: &Socket, topics: &[Topic]) -> impl Future<Output = StoreResult<Joined>> + Send;
    /// Takes one away; one that the socket does not have is no error.
    fn unsubscribe(&self, id: &ConnectionId, topic: &Topic) -> impl Future<Output = StoreResult<()>> + Send;
    /// A socket's topics, strongly read.
    fn topics(&self, id: &ConnectionId) -> impl Future<Output = StoreResult<Vec<Topic>>> + Send;
}

/// Who may read which topic: the authorization hook.
pub trait TopicAccess: Send + Sync {
    /// Those of `topics` that `user` may read. All are asked about at once: an answer may cost a call. An error means that
    /// nothing was decided.
    fn readable(
        &self,
        user: UserId,
        topics: BTreeSet<Topic>,
    ) -> impl Future<Output = StoreResult<BTreeSet<Topic>>> + Send;
}

/// Who may see whether somebody is online: the authorization hook of presence.
pub trait PresenceAccess: Send + Sync {
    /// Those of `users` whose presence `asker` may see. All are asked about at once: an answer may cost a call. An error
    /// means that nothing was decided.
    fn visible(
        &self,
        asker: UserId,
        users: BTreeSet<UserId>,
    ) -> impl Future<Output = StoreResult<BTreeSet<UserId>>> + Send;
}

/// What recoveries of all functions together may post.
pub trait RecoveryBudget: Send + Sync {
    /// Takes what is reserved of recoveries or tickets, or nothing of it (`false`) when the window holds less. A lost reply may take it twice.
    fn reserve(&self, reservation: &RecoveryReservation) -> impl Future<Output = StoreResult<bool>> + Send;
}

/// One page of an audience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The sockets of the page.
    pub recipients: Vec<Recipient>,
    /// After whom the next page begins; `None` at the end.
    pub next: Option<ConnectionId>,
}

/// The sockets of topics and of everybody: through an index, so eventually consistent. Who is missed recovers by `hello`.
pub trait Audience: Send + Sync {
    /// One page of one shard. A user's channel has no shards and no pages here.
    fn page(
        &self,
        channel: &Channel,
        shard: u8,
        after: Option<&ConnectionId>,
    ) -> impl Future<Output = StoreResult<Page>> + Send;
}

/// How an append ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// All of them, with offsets in order.
    Done,
    /// Nothing: these are in the channel already. `(index, where)`.
    Already(Vec<(usize, Position)>),
    /// Nothing: the head is not where it was seen, or others are writing.
    Moved,
}

/// Messages in channels.
pub trait Channels: Send + Sync {
    /// The newest message's place, strongly read; `None` if nobody ever wrote or read here.
    fn head(&self, channel: &Channel) -> impl Future<Output = StoreResult<Option<Position>>> + Send;
    /// The same, possibly some milliseconds old and at half the price.
    fn recent_head(&self, channel: &Channel) -> impl Future<Output = StoreResult<Option<Position>>> + Send;
    /// Begins the numbering under `epoch` unless it has begun; the head either way.
    fn begin(&self, channel: &Channel, epoch: Epoch, now: Millis)
    -> impl Future<Output = StoreResult<Position>> + Send;
    /// Appends `messages` after `head`, all of them in one transaction or none.
    fn append(
        &self,
        channel: &Channel,
        head: Position,
        messages: &[&Message],
    ) -> impl Future<Output = StoreResult<Appended>> + Send;
    /// Messages from `after + 1` to `head.offset`, in order, strongly read; those that are gone are left out. Stops after
    /// `max_bytes` of data.
    fn range(
        &self,
        channel: &Channel,
        after: u64,
        head: Position,
        max_bytes: usize,
    ) -> impl Future<Output = StoreResult<Vec<Recorded>>> + Send;
}

/// What is known under a publisher's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing was: it is ours now.
    New,
    /// Accepted before, and not known to be handed over: repeat exactly this.
    Pending(Pending),
    /// Handed over before: this was the answer.
    Queued(Answer),
}

/// The port of idempotency keys.
pub trait PublishKeys: Send + Sync {
    /// Takes the key for `pending`, or says what it stands for already (a key older than a day stands for nothing).
    fn begin_publish(
        &self,
        key: &PublishKey,
        pending: &Pending,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Begun>> + Send;
    /// The publish is handed over; from now on the key answers.
    fn finish_publish(&self, key: &PublishKey, answer: &Answer) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The port of `@connections`.
pub trait Gateway: Send + Sync {
    /// A frame as it is posted: written once, posted to many.
    fn text(&self, frame: &ServerFrame) -> String;
    /// Posts; never retries by itself.
    fn post(&self, to: &ConnectionId, text: &str) -> impl Future<Output = Posted> + Send;
    /// Closes the socket. [`Posted::Done`] and [`Posted::Gone`] both mean that it is not open any more, as far as API
    /// Gateway knows.
    fn close(&self, id: &ConnectionId) -> impl Future<Output = Posted> + Send;
    /// Asks whether the socket is there.
    fn probe(&self, id: &ConnectionId) -> impl Future<Output = Probe> + Send;
}

/// The queue `close`.
pub trait CloseQueue: Send + Sync {
    /// Asks for a socket, or a session's sockets, to be closed.
    fn ask(&self, request: &CloseRequest, delay_seconds: u32) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The queues `push` and `broadcast`.
pub trait JobQueue: Send + Sync {
    /// Hands a piece of work over, to the queue of its lane.
    fn enqueue(&self, job: &Job, delay_seconds: u32) -> impl Future<Output = StoreResult<()>> + Send;
    /// Hands in a publish, to be accepted later.
    fn hand_in(&self, queued: &Queued, delay_seconds: u32) -> impl Future<Output = StoreResult<()>> + Send;
}

/// Their dead-letter queues.
pub trait DeadLetters: Send + Sync {
    /// Puts aside what could not be delivered, with the reasons.
    fn dead_letter(&self, lane: Lane, job: &Job) -> impl Future<Output = StoreResult<()>> + Send;
}

/// What happened to deliveries, counted.
pub trait DeliveryMetrics: Send + Sync {
    /// Counts `n` of `what`.
    fn add(&self, what: Count, n: usize);
    /// Records how long after its acceptance a message reached a socket.
    fn latency(&self, message: MessageId, millis: i64);
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// A publish was accepted.
    Accepted,
    /// Posts answered with 200.
    Delivered,
    /// Sockets that were gone; nobody is left undelivered by them.
    Gone,
    /// A post was throttled (429).
    Throttled,
    /// Recipients handed on to a later attempt.
    Retried,
    /// Recipients given up after the last attempt.
    DeadLettered,
    /// Recipients for whom the message came too late.
    Expired,
    /// Recipients that can never get it (400, 413).
    Undeliverable,
    /// Posts refused by our own configuration (403).
    Forbidden,
    /// Users whose channel was too busy to append to; tried again until it is not.
    AppendDelayed,
    /// Channels of which a `hello` recovered every missed message.
    Recovered,
    /// Channels of which it could not: too much, too old, another epoch.
    NotRecovered,
    /// Messages that recoveries posted.
    RecoveryPosted,
    /// `hello`s whose recovery had no room in the budget.
    RecoveryRefused,
}

impl Count {
    /// The metric's name.
    pub const fn text(self) -> &'static str {
        match self {
            Count::Accepted => "PUSH_ACCEPTED",
            Count::Delivered => "PUSH_DELIVERED",
            Count::Gone => "PUSH_GONE",
            Count::Throttled => "PUSH_THROTTLED",
            Count::Retried => "PUSH_RETRIED",
            Count::DeadLettered => "PUSH_DEAD_LETTERED",
            Count::Expired => "PUSH_EXPIRED",
            Count::Undeliverable => "PUSH_UNDELIVERABLE",
            Count::Forbidden => "PUSH_FORBIDDEN",
            Count::AppendDelayed => "PUSH_APPEND_DELAYED",
            Count::Recovered => "PUSH_RECOVERED",
            Count::NotRecovered => "PUSH_NOT_RECOVERED",
            Count::RecoveryPosted => "PUSH_RECOVERY_POSTED",
            Count::RecoveryRefused => "PUSH_RECOVERY_REFUSED",
        }
    }
}
