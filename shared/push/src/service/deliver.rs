//! Posts to sockets. Only the recipients that were not reached are tried again, in a new and smaller job. After the
//! last attempt ([`MAX_ATTEMPTS`]) they are dead-lettered with their reasons. In both cases the record itself is done.
//! If a store or a queue fails meanwhile, [`crate::record`] decides when the record is tried again.

use futures_util::StreamExt;
use futures_util::stream;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Rng, SessionReads, StoreResult};
use holdfast_sessions::{Millis, UserId};

use super::renewal::session_expiry;
use crate::budget::RateLimiters;
use crate::channel::{Channel, Position};
use crate::frame::ServerFrame;
use crate::ids::ConnectionId;
use crate::job::{Group, Job, Lane, MAX_ATTEMPTS, Recipient, retry_delay, wait_for_progress};
use crate::message::Message;
use crate::outcome::{Next, Posted, Probe};
use crate::ports::{Audience, Channels, Count, DeadLetters, DeliveryMetrics, Gateway, JobQueue, Sockets};

/// Posts in flight per worker. Beyond 64 one small function gains nothing; at 32 a slow client holds up few others.
pub(super) const IN_FLIGHT: usize = 32;

/// The reason in dead letters if the session of a recipient could not be read.
const SESSION_UNREAD: &str = "SESSION_UNREAD";

/// The limits of one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// The deadline. No post begins after it, and the recipients that are left are requeued.
    pub deadline: Millis,
    /// The rate limits, which all records of the invocation share.
    pub pace: &'a RateLimiters,
}

/// The worker behind the queues `push` and `broadcast`.
#[derive(Clone, Debug)]
pub struct FanOut<R, T, G, Q, M, H> {
    /// The store of sessions.
    pub sessions: R,
    /// The table of sockets and channels.
    pub table: T,
    /// The client of `@connections`.
    pub gateway: G,
    /// The queues and their dead letters.
    pub queue: Q,
    /// The counters of the metrics.
    pub tally: M,
    /// The clock, the timer and the random source.
    pub host: H,
    /// The limits of sessions.
    pub policy: Policy,
}

/// The result of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkOutcome {
    /// The record is finished, because its recipients are delivered, requeued or dead-lettered.
    Done,
    /// The queue has to deliver the same record again.
    Again,
}

/// The result for one recipient.
enum DeliveryResult {
    Finished,
    Later(Recipient),
    /// The recipient can never be reached, so a retry is useless.
    Hopeless(Recipient),
    /// There was no time for this recipient, and no attempt was spent.
    Untried(Recipient),
    Forbidden(Recipient),
}

impl<R, T, G, Q, M, H> FanOut<R, T, G, Q, M, H>
where
    R: SessionReads,
    T: Sockets + Channels + Audience,
    G: Gateway,
    Q: JobQueue + DeadLetters,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    /// Posts `message` to `groups`, then requeues or dead-letters the recipients that it did not reach.
    pub(super) async fn deliver(
        &self,
        message: &Message,
        groups: Vec<Group>,
        attempt: u32,
        limits: &Limits<'_>,
    ) -> StoreResult<WorkOutcome> {
        let everybody: usize = groups.iter().map(|group| group.recipients.len()).sum();
        if !message.is_current(self.host.now()) {
            self.tally.add(Count::Expired, everybody);
            return Ok(WorkOutcome::Done);
        }
        let places: Vec<(Channel, Option<Position>)> = groups.iter().map(|g| (g.channel.clone(), g.at)).collect();
        let texts: Vec<String> =
            places.iter().map(|(channel, at)| self.gateway.text(&frame(message, channel, *at))).collect();
        let texts = &texts;
        let places = &places;
        let posts: Vec<(usize, Recipient)> = groups
            .into_iter()
            .enumerate()
            .flat_map(|(group, g)| g.recipients.into_iter().map(move |recipient| (group, recipient)))
            .collect();
        let results: Vec<(usize, DeliveryResult)> = stream::iter(posts)
            .map(|(group, to)| async move {
                let frame = (&places[group].0, texts[group].as_str());
                (group, self.post(message, frame, to, limits).await)
            })
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;

        let mut later = Remainder::new(places);
        let mut untried = Remainder::new(places);
        let mut given_up = Remainder::new(places);
        let mut forbidden = false;
        for (group, result) in results {
            match result {
                DeliveryResult::Finished => {}
                DeliveryResult::Later(recipient) if attempt >= MAX_ATTEMPTS => given_up.add(group, recipient),
                DeliveryResult::Later(recipient) => later.add(group, recipient),
                DeliveryResult::Hopeless(recipient) => given_up.add(group, recipient),
                DeliveryResult::Untried(recipient) => untried.add(group, recipient),
                // The configuration is broken for every recipient. The record is delivered again until an operator
                // repairs the configuration. If that takes too long, its queue dead-letters the record with an alarm.
                DeliveryResult::Forbidden(recipient) => {
                    forbidden = true;
                    untried.add(group, recipient);
                }
            }
        }
        if forbidden {
            return Ok(WorkOutcome::Again);
        }
        // A record that came too late for any post waits before it comes again. Otherwise it would return at once, and many
        // times a second.
        let is_stuck = untried.count == everybody;
        let wait = if is_stuck { wait_for_progress(message.sent_at, self.host.now()) } else { 0 };
        self.requeue(message, untried, attempt, wait).await?;
        let delay = retry_delay(attempt, u64::from_be_bytes(self.host.random()));
        self.tally.add(Count::Retried, self.requeue(message, later, attempt + 1, delay).await?);
        self.dead_letter(message, given_up, attempt).await?;
        Ok(WorkOutcome::Done)
    }

    /// Queues a new job for the recipients that are left, and returns how many they are.
    async fn requeue(&self, message: &Message, rest: Remainder, attempt: u32, delay: u32) -> StoreResult<usize> {
        let count = rest.count;
        if count > 0 {
            let job = Job::Deliver { message: message.clone(), groups: rest.groups(), attempt };
            self.queue.enqueue(&job, delay).await?;
        }
        Ok(count)
    }

    async fn dead_letter(&self, message: &Message, rest: Remainder, attempt: u32) -> StoreResult<()> {
        let count = rest.count;
        if count > 0 {
            let job = Job::Deliver { message: message.clone(), groups: rest.groups(), attempt };
            self.queue.dead_letter(job.lane(), &job).await?;
            self.tally.add(Count::DeadLettered, count);
        }
        Ok(())
    }

    async fn post(
        &self,
        message: &Message,
        (channel, text): (&Channel, &str),
        mut recipient: Recipient,
        limits: &Limits<'_>,
    ) -> DeliveryResult {
        let lane = Lane::of(channel);
        let user = if let Channel::User(user) = channel { Some(*user) } else { None };
        let wait = limits.pace.of(lane).take(self.host.now());
        if self.host.now().plus_millis(i64::try_from(wait).unwrap_or(i64::MAX)) >= limits.deadline {
            return DeliveryResult::Untried(recipient);
        }
        if wait > 0 {
            self.host.sleep(wait).await;
        }
        match self.may_post(message, &mut recipient).await {
            Ok(true) => {}
            Ok(false) => {
                self.tally.add(Count::Expired, 1);
                return DeliveryResult::Finished;
            }
            Err(_) => {
                recipient.reason = Some(SESSION_UNREAD.to_owned());
                return DeliveryResult::Later(recipient);
            }
        }
        let answer = self.gateway.post(&recipient.connection, text).await;
        recipient.reason = Some(answer.as_str().to_owned());
        if answer == Posted::Throttled {
            self.tally.add(Count::Throttled, 1);
            limits.pace.of(lane).throttled(self.host.now());
        }
        match answer.next() {
            Next::Finished => {
                self.tally.add(Count::Delivered, 1);
                self.tally.latency(message.id, self.host.now().get() - message.sent_at.get());
                DeliveryResult::Finished
            }
            Next::Again => DeliveryResult::Later(recipient),
            Next::GiveUp => {
                self.tally.add(Count::Undeliverable, 1);
                DeliveryResult::Hopeless(recipient)
            }
            Next::Fail => {
                self.tally.add(Count::Forbidden, 1);
                DeliveryResult::Forbidden(recipient)
            }
            Next::Probe => match self.is_dead(&recipient.connection, user).await {
                Ok(true) => {
                    self.tally.add(Count::Gone, 1);
                    DeliveryResult::Finished
                }
                Ok(false) | Err(_) => DeliveryResult::Later(recipient),
            },
        }
    }

    /// Whether the message is current and the session of the recipient is live.
    async fn may_post(&self, message: &Message, recipient: &mut Recipient) -> StoreResult<bool> {
        let now = self.host.now();
        if !message.is_current(now) {
            return Ok(false);
        }
        if now < recipient.until {
            return Ok(true);
        }
        let Some(socket) = self.table.socket(&recipient.connection).await? else { return Ok(false) };
        let expiry = session_expiry(&self.sessions, &self.table, &self.host, &self.policy, &socket, now).await?;
        recipient.until = expiry.unwrap_or(recipient.until);
        Ok(expiry.is_some())
    }

    /// Whether a 410 is final. It is, if API Gateway repeats it and the handshake must have ended. The rows are deleted
    /// then. `user` is the one whose row named the socket.
    async fn is_dead(&self, id: &ConnectionId, user: Option<UserId>) -> StoreResult<bool> {
        if self.gateway.probe(id).await != Probe::Gone {
            return Ok(false);
        }
        match self.table.socket(id).await? {
            // A handshake writes the user's row last. So this one is of a handshake that failed, or of a socket that closed.
            None => {
                if user.is_some() {
                    self.table.forget(id, user).await?;
                }
                Ok(true)
            }
            Some(socket) if socket.is_settled(self.host.now()) => {
                self.table.forget(id, Some(socket.at.user)).await?;
                Ok(true)
            }
            Some(_) => Ok(false),
        }
    }
}

fn frame(message: &Message, channel: &Channel, at: Option<Position>) -> ServerFrame {
    ServerFrame::Message {
        id: message.id,
        channel: channel.clone(),
        at,
        kind: message.kind.clone(),
        data: message.data.clone(),
        sent_at: message.sent_at,
    }
}

/// Recipients left over, in the groups they came in.
struct Remainder {
    groups: Vec<Group>,
    count: usize,
}

impl Remainder {
    fn new(places: &[(Channel, Option<Position>)]) -> Self {
        let group = |(channel, at): &(Channel, Option<Position>)| Group {
            channel: channel.clone(),
            at: *at,
            recipients: Vec::new(),
        };
        Self { groups: places.iter().map(group).collect(), count: 0 }
    }

    fn add(&mut self, group: usize, recipient: Recipient) {
        self.groups[group].recipients.push(recipient);
        self.count += 1;
    }

    fn groups(self) -> Vec<Group> {
        self.groups.into_iter().filter(|group| !group.recipients.is_empty()).collect()
    }
}
