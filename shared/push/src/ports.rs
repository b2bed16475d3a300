//! The ports of push, with one narrow trait for each capability.

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
use crate::record::Received;
use crate::socket::{FrameWindow, Socket};
use crate::ticket::TicketRow;

/// The port of tickets.
pub trait Tickets: Send + Sync {
    /// Stores a new ticket.
    fn put_ticket(&self, ticket: &TicketRow) -> impl Future<Output = StoreResult<()>> + Send;
    /// Reads a ticket with a strong read.
    fn ticket(&self, hash: &TokenHash) -> impl Future<Output = StoreResult<Option<TicketRow>>> + Send;
    /// Deletes the ticket if it exists and is valid at `now`, and returns it. Only one caller ever receives it. If the
    /// reply is lost, no caller does.
    fn consume(&self, hash: &TokenHash, now: Millis) -> impl Future<Output = StoreResult<Option<TicketRow>>> + Send;
}

/// The rows of connections. All reads are strong.
pub trait Sockets: Send + Sync {
    /// Writes the rows of a new socket one after the other: its own row first, then the one under its user. The caller
    /// then asks [`Sockets::is_gone`].
    fn open(&self, socket: &Socket, email: &str) -> impl Future<Output = StoreResult<()>> + Send;
    /// Whether the socket is marked as closed.
    fn is_gone(&self, id: &ConnectionId) -> impl Future<Output = StoreResult<bool>> + Send;
    /// Reads one socket.
    fn socket(&self, id: &ConnectionId) -> impl Future<Output = StoreResult<Option<Socket>>> + Send;
    /// Reads the sockets of a user.
    fn of_user(&self, user: UserId) -> impl Future<Output = StoreResult<Vec<Socket>>> + Send;
    /// Deletes every row of a socket, except the mark that it is closed. `user` finds the twin when the socket's own
    /// row is missing.
    fn forget(&self, id: &ConnectionId, user: Option<UserId>) -> impl Future<Output = StoreResult<()>> + Send;
    /// Marks a socket as closed, before its rows are deleted. A `$connect` that still runs sees the mark after it has
    /// written its rows, and deletes them.
    fn mark_gone(&self, id: &ConnectionId, now: Millis) -> impl Future<Output = StoreResult<()>> + Send;
    /// Counts one frame. Returns `None` if there is no such socket.
    fn count_frame(&self, id: &ConnectionId) -> impl Future<Output = StoreResult<Option<FrameWindow>>> + Send;
    /// Counts one frame that begins a new window, if the last window began at least a minute before `now`. Returns `None`
    /// otherwise, and if there is no such socket.
    fn count_after_silence(
        &self,
        id: &ConnectionId,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Option<FrameWindow>>> + Send;
    /// Begins a new window if that of `seen` has ended, with the frames that it carries over, and moves `seenAt` of both
    /// rows to the window. Updates `sessionExpiresAt` on every row. Rows that were deleted stay deleted.
    fn refresh(
        &self,
        seen: &FrameWindow,
        session_expires_at: Millis,
        now: Millis,
    ) -> impl Future<Output = StoreResult<()>> + Send;
    /// Moves `sessionExpiresAt` on every row. The socket's own row comes last, so that an interrupted call is seen and
    /// repeated. Rows that were deleted stay deleted.
    fn extend(&self, socket: &Socket, session_expires_at: Millis) -> impl Future<Output = StoreResult<()>> + Send;
    /// Records in the user's row of a socket that it was open at `now`. The window of its frames does not change.
    fn confirm_open(&self, socket: &Socket, now: Millis) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The result of adding topics to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The socket has all of them.
    Done,
    /// The socket has no rows, because it is closing or closed.
    Closed,
    /// There is no room for all of them, so none was added.
    TooMany,
}

/// The most topics that one call of [`Subscriptions::join`] may add. DynamoDB takes 100 actions in a transaction.
pub const JOIN_AT_ONCE: usize = 50;

/// The subscriptions of sockets to topics.
pub trait Subscriptions: Send + Sync {
    /// Adds topics to a socket, all of them or none. A socket never has more than
    /// [`MAX_TOPICS`](crate::socket::MAX_TOPICS), however many of its frames are served at once. `topics` has at most
    /// [`JOIN_AT_ONCE`] entries, and none that the socket already has. For any other list the answer may be an error,
    /// after which the caller reads again and retries.
    fn join(&self, socket: &Socket, topics: &[Topic]) -> impl Future<Output = StoreResult<Joined>> + Send;
    /// Removes a topic. A topic that the socket does not have is no error.
    fn unsubscribe(&self, id: &ConnectionId, topic: &Topic) -> impl Future<Output = StoreResult<()>> + Send;
    /// Reads the topics of a socket with a strong read.
    fn topics(&self, id: &ConnectionId) -> impl Future<Output = StoreResult<Vec<Topic>>> + Send;
}

/// The authorization hook that decides which topics a user may read.
pub trait TopicAccess: Send + Sync {
    /// Returns those of `topics` that `user` may read. One call names all of them, because it may invoke a function. An
    /// error means that nothing was decided.
    fn readable(
        &self,
        user: UserId,
        topics: BTreeSet<Topic>,
    ) -> impl Future<Output = StoreResult<BTreeSet<Topic>>> + Send;
}

/// The authorization hook that decides whose presence a user may see.
pub trait PresenceAccess: Send + Sync {
    /// Returns those of `users` whose presence `asker` may see. One call names all of them, because it may invoke a
    /// function. An error means that nothing was decided.
    fn visible(
        &self,
        asker: UserId,
        users: BTreeSet<UserId>,
    ) -> impl Future<Output = StoreResult<BTreeSet<UserId>>> + Send;
}

/// The budget of posts that the recoveries of all functions share, and that of tickets.
pub trait RecoveryBudget: Send + Sync {
    /// Takes the reserved posts or tickets. If the window holds less, it takes none and returns `false`. A lost reply
    /// may take them twice.
    fn reserve(&self, reservation: &RecoveryReservation) -> impl Future<Output = StoreResult<bool>> + Send;
}

/// One page of an audience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The sockets of the page.
    pub recipients: Vec<Recipient>,
    /// The socket after which the next page begins; `None` at the end.
    pub next: Option<ConnectionId>,
}

/// The sockets of a topic, or of all users. They are read through an index, which is eventually consistent. A socket
/// that is missed recovers by `hello`.
pub trait Audience: Send + Sync {
    /// One page of one shard. A user's channel has no shards and no pages here.
    fn page(
        &self,
        channel: &Channel,
        shard: u8,
        after: Option<&ConnectionId>,
    ) -> impl Future<Output = StoreResult<Page>> + Send;
}

/// The result of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// All messages were appended, with offsets in order.
    Done,
    /// Nothing was appended, because these messages are in the channel already: `(index, position)`.
    Already(Vec<(usize, Position)>),
    /// Nothing was appended, because the head has moved or others are writing.
    Moved,
}

/// The messages of channels.
pub trait Channels: Send + Sync {
    /// Reads the head with a strong read; `None` if no caller has written or read the channel before.
    fn head(&self, channel: &Channel) -> impl Future<Output = StoreResult<Option<Position>>> + Send;
    /// Reads the head at half the price. It may be some milliseconds old.
    fn recent_head(&self, channel: &Channel) -> impl Future<Output = StoreResult<Option<Position>>> + Send;
    /// Begins the numbering under `epoch` unless it has begun, and returns the head.
    fn begin(&self, channel: &Channel, epoch: Epoch, now: Millis)
    -> impl Future<Output = StoreResult<Position>> + Send;
    /// Appends `messages` after `head`, all of them in one transaction or none.
    fn append(
        &self,
        channel: &Channel,
        head: Position,
        messages: &[&Message],
    ) -> impl Future<Output = StoreResult<Appended>> + Send;
    /// Puts a message at the place after the head, where no reader sees it yet. Returns the message that is at that
    /// place already, if there is one; then nothing is put there.
    fn record(
        &self,
        channel: &Channel,
        place: Position,
        message: &Message,
    ) -> impl Future<Output = StoreResult<Option<Recorded>>> + Send;
    /// Moves the head by one, to the message that is recorded there. Returns `false` if the head is not where it has to be
    /// for that, or of another epoch; then nothing changes.
    fn advance(&self, channel: &Channel, to: &Recorded) -> impl Future<Output = StoreResult<bool>> + Send;
    /// Reads the message at a place with a strong read; `None` if there is none.
    fn message(&self, channel: &Channel, place: Position)
    -> impl Future<Output = StoreResult<Option<Recorded>>> + Send;
    /// Reads the messages from `after + 1` to `head.offset`, in order, with strong reads. Messages that were deleted
    /// are left out. The read stops after `max_bytes` of data.
    fn range(
        &self,
        channel: &Channel,
        after: u64,
        head: Position,
        max_bytes: usize,
    ) -> impl Future<Output = StoreResult<Vec<Recorded>>> + Send;
}

/// The publish that is stored under a publisher's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing was stored, and the key now belongs to this publish.
    New,
    /// The publish was accepted before, and may not be queued completely: repeat exactly this one.
    Pending(Pending),
    /// The publish was queued before, and this was its answer.
    Queued(Answer),
}

/// The port of idempotency keys.
pub trait PublishKeys: Send + Sync {
    /// Takes the key for `pending`, or returns what is stored under it. A key that is older than a day holds nothing.
    fn begin_publish(
        &self,
        key: &PublishKey,
        pending: &Pending,
        now: Millis,
    ) -> impl Future<Output = StoreResult<Begun>> + Send;
    /// Stores the answer of a publish that has been queued. From now on the key returns it.
    fn finish_publish(&self, key: &PublishKey, answer: &Answer) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The port of `@connections`.
pub trait Gateway: Send + Sync {
    /// Writes the text of a frame, which can be posted to many sockets.
    fn text(&self, frame: &ServerFrame) -> String;
    /// Posts a text once, without retries.
    fn post(&self, to: &ConnectionId, text: &str) -> impl Future<Output = Posted> + Send;
    /// Closes the socket. [`Posted::Done`] and [`Posted::Gone`] both mean that API Gateway knows of no open socket with
    /// this id.
    fn close(&self, id: &ConnectionId) -> impl Future<Output = Posted> + Send;
    /// Asks API Gateway whether the socket is open.
    fn probe(&self, id: &ConnectionId) -> impl Future<Output = Probe> + Send;
}

/// The queue `close`.
pub trait CloseQueue: Send + Sync {
    /// Sends a request to close a socket, or the sockets of a session.
    fn ask(&self, request: &CloseRequest, delay_seconds: u32) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The queues `push` and `broadcast`.
pub trait JobQueue: Send + Sync {
    /// Sends a job to the queue of its lane.
    fn enqueue(&self, job: &Job, delay_seconds: u32) -> impl Future<Output = StoreResult<()>> + Send;
    /// Sends a publish to its queue, to be accepted later.
    fn hand_in(&self, queued: &Queued, delay_seconds: u32) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The dead-letter queues of `push` and `broadcast`.
pub trait DeadLetters: Send + Sync {
    /// Dead-letters a job that could not be delivered, with the reasons.
    fn dead_letter(&self, lane: Lane, job: &Job) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The port that sends a record to its queue once more.
pub trait Redelivery: Send + Sync {
    /// Sends a copy of a record to the queue that the record came from. The caller acknowledges the record afterwards,
    /// and only then. After an error the copy may have been sent.
    fn redeliver(&self, record: &Received, delay_seconds: u32) -> impl Future<Output = StoreResult<()>> + Send;
}

/// The counters of deliveries.
pub trait DeliveryMetrics: Send + Sync {
    /// Counts `n` of `what`.
    fn add(&self, what: Count, n: usize);
    /// Records how long after its acceptance a message reached a socket.
    fn latency(&self, message: MessageId, millis: i64);
}

/// The name of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// A publish was accepted.
    Accepted,
    /// A post was answered with 200.
    Delivered,
    /// A socket was already closed. That is no failed delivery.
    Gone,
    /// A post was throttled (429).
    Throttled,
    /// Recipients that were requeued for a later attempt.
    Retried,
    /// Recipients that were dead-lettered.
    DeadLettered,
    /// Recipients whose message or session expired before the post.
    Expired,
    /// Recipients that can never receive the message (400, 413).
    Undeliverable,
    /// A post was refused because of our own configuration (403).
    Forbidden,
    /// Users whose channel was too busy for an append. The append is tried again until it succeeds.
    AppendDelayed,
    /// A `hello` recovered every missed message of a channel.
    Recovered,
    /// A `hello` could not recover a channel: too many messages, too old, another epoch, or no room in the budget.
    NotRecovered,
    /// Messages that recoveries posted.
    RecoveryPosted,
    /// A `hello` whose recovery had no room in the budget.
    RecoveryRefused,
}

impl Count {
    /// The name of the metric.
    pub const fn as_str(self) -> &'static str {
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
