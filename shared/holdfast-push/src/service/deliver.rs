//! Posting to sockets. Only the undelivered are tried again, as a new and smaller piece of work; after the last attempt
//! they are put aside with their reasons. The record itself then counts as done.

use futures_util::StreamExt;
use futures_util::stream;
use holdfast_domain::Millis;
use holdfast_domain::ports::{Host, Stored};

use crate::budget::Pace;
use crate::channel::{Channel, Position};
use crate::frame::ServerFrame;
use crate::ids::ConnectionId;
use crate::job::{Group, Job, Lane, MAX_ATTEMPTS, Recipient, retry_delay};
use crate::message::Message;
use crate::outcome::{Next, Posted, Probe};
use crate::ports::{Audience, Channels, Count, DeadLetters, Gateway, JobQueue, Sockets, Tally};

/// Posts in flight per worker. Beyond 64 one small function gains nothing; at 32 a slow client holds up few others.
pub(super) const IN_FLIGHT: usize = 32;

/// What bounds one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Nothing is begun from then on; what is left is handed over.
    pub deadline: Millis,
    /// How fast it may post, shared by its records.
    pub pace: &'a Pace,
}

/// The worker behind the queues `push` and `broadcast`.
#[derive(Clone, Debug)]
pub struct FanOut<T, G, Q, M, H> {
    /// Sockets and channels.
    pub table: T,
    /// @connections.
    pub gateway: G,
    /// The queues and their dead letters.
    pub queue: Q,
    /// Counters.
    pub tally: M,
    /// Clock, randomness, patience.
    pub host: H,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Finished: delivered, handed on, or put aside.
    Done,
    /// To be delivered again as it is.
    Again,
}

/// What became of one recipient.
enum Fate {
    Finished,
    Later(Recipient),
    /// Never to be reached: it will not get better.
    Hopeless(Recipient),
    /// Not tried for want of time: no attempt was spent.
    Untried(Recipient),
    Forbidden(Recipient),
}

impl<T, G, Q, M, H> FanOut<T, G, Q, M, H>
where
    T: Sockets + Channels + Audience,
    G: Gateway,
    Q: JobQueue + DeadLetters,
    M: Tally,
    H: Host,
{
    /// Posts `message` to `groups` and sees to those it did not reach.
    pub(super) async fn deliver(
        &self,
        message: &Message,
        groups: Vec<Group>,
        attempt: u32,
        limits: &Limits<'_>,
    ) -> Stored<Outcome> {
        let everybody: usize = groups.iter().map(|group| group.recipients.len()).sum();
        if !message.is_current(self.host.now()) {
            self.tally.add(Count::Expired, everybody);
            return Ok(Outcome::Done);
        }
        let places: Vec<(Channel, Option<Position>)> = groups.iter().map(|g| (g.channel.clone(), g.at)).collect();
        let texts: Vec<String> =
            places.iter().map(|(channel, at)| self.gateway.text(&frame(message, channel, *at))).collect();
        let texts = &texts;
        let lane = places.first().map_or(Lane::Direct, |(channel, _)| Lane::of(channel));
        let posts: Vec<(usize, Recipient)> = groups
            .into_iter()
            .enumerate()
            .flat_map(|(group, g)| g.recipients.into_iter().map(move |recipient| (group, recipient)))
            .collect();
        let fates: Vec<(usize, Fate)> = stream::iter(posts)
            .map(|(group, to)| async move { (group, self.post(message, lane, &texts[group], to, limits).await) })
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;

        let mut later = Remainder::new(&places);
        let mut untried = Remainder::new(&places);
        let mut hopeless = Remainder::new(&places);
        let mut forbidden = false;
        for (group, fate) in fates {
            match fate {
                Fate::Finished => {}
                Fate::Later(recipient) if attempt >= MAX_ATTEMPTS => hopeless.add(group, recipient),
                Fate::Later(recipient) => later.add(group, recipient),
                Fate::Hopeless(recipient) => hopeless.add(group, recipient),
                Fate::Untried(recipient) => untried.add(group, recipient),
                // The configuration is broken for everybody: the record comes back until it is repaired, and its queue
                // buries it with an alarm if it is not.
                Fate::Forbidden(recipient) => {
                    forbidden = true;
                    untried.add(group, recipient);
                }
            }
        }
        if forbidden {
            return Ok(Outcome::Again);
        }
        self.hand_on(message, untried, attempt, 0).await?;
        let delay = retry_delay(attempt, u64::from_be_bytes(self.host.random()));
        self.tally.add(Count::Retried, self.hand_on(message, later, attempt + 1, delay).await?);
        self.bury(message, hopeless, attempt).await?;
        Ok(Outcome::Done)
    }

    /// Makes a new piece of work of what is left over; for how many.
    async fn hand_on(&self, message: &Message, rest: Remainder, attempt: u32, delay: u32) -> Stored<usize> {
        let count = rest.count;
        if count > 0 {
            let job = Job::Deliver { message: message.clone(), groups: rest.groups(), attempt };
            self.queue.enqueue(&job, delay).await?;
        }
        Ok(count)
    }

    async fn bury(&self, message: &Message, rest: Remainder, attempt: u32) -> Stored<()> {
        let count = rest.count;
        if count > 0 {
            let job = Job::Deliver { message: message.clone(), groups: rest.groups(), attempt };
            self.queue.bury(job.lane(), &job).await?;
            self.tally.add(Count::DeadLettered, count);
        }
        Ok(())
    }

    async fn post(
        &self,
        message: &Message,
        lane: Lane,
        text: &str,
        mut recipient: Recipient,
        limits: &Limits<'_>,
    ) -> Fate {
        let wait = limits.pace.of(lane).take(self.host.now());
        if self.host.now().plus_millis(i64::try_from(wait).unwrap_or(i64::MAX)) >= limits.deadline {
            return Fate::Untried(recipient);
        }
        if wait > 0 {
            self.host.sleep(wait).await;
        }
        let now = self.host.now();
        if !message.is_current(now) || now >= recipient.until {
            self.tally.add(Count::Expired, 1);
            return Fate::Finished;
        }
        let answer = self.gateway.post(&recipient.connection, text).await;
        recipient.reason = Some(answer.text().to_owned());
        if answer == Posted::Throttled {
            self.tally.add(Count::Throttled, 1);
            limits.pace.of(lane).throttled(self.host.now());
        }
        match answer.next() {
            Next::Finished => {
                self.tally.add(Count::Delivered, 1);
                self.tally.latency(message.id, self.host.now().get() - message.sent_at.get());
                Fate::Finished
            }
            Next::Again => Fate::Later(recipient),
            Next::GiveUp => {
                self.tally.add(Count::Undeliverable, 1);
                Fate::Hopeless(recipient)
            }
            Next::Fail => {
                self.tally.add(Count::Forbidden, 1);
                Fate::Forbidden(recipient)
            }
            Next::Probe => match self.is_dead(&recipient.connection).await {
                Ok(true) => {
                    self.tally.add(Count::Gone, 1);
                    Fate::Finished
                }
                Ok(false) | Err(_) => Fate::Later(recipient),
            },
        }
    }

    /// After a 410: believed only if API Gateway repeats it and the handshake must be over. The rows go then.
    async fn is_dead(&self, id: &ConnectionId) -> Stored<bool> {
        if self.gateway.probe(id).await != Probe::Gone {
            return Ok(false);
        }
        match self.table.socket(id).await? {
            None => Ok(true),
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
