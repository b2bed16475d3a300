//! The answer to `hello`: the head of every channel, then all messages that were missed of it, or the statement that
//! they cannot be recovered.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;
use holdfast_sessions::ports::{Clock, Rng, SessionReads, StoreResult};
use holdfast_sessions::{Millis, UserId};

use super::access::readable;
use super::append::head_of;
use super::frames::{Frames, POST_TRIES, closing, forbidden, too_many};
use super::history::{Budget, Recovery, recover};
use super::{close_with_bye, pause};
use crate::Topic;
use crate::budget::RecoveryReservation;
use crate::channel::{Channel, Position};
use crate::close::ByeCode;
use crate::frame::{FrameError, Mark, ServerFrame, Welcomed};
use crate::ids::ConnectionId;
use crate::message::Recorded;
use crate::outcome::Posted;
use crate::ports::{
    Channels, Count, DeliveryMetrics, Gateway, PresenceAccess, RecoveryBudget, Sockets, Subscriptions, TopicAccess,
};
use crate::socket::Socket;

/// The number of channels that are read at once.
const CHANNELS_AT_ONCE: usize = 16;

/// The answer for one channel.
struct Answer {
    welcomed: Welcomed,
    missed: Vec<Recorded>,
}

impl<R, T, G, P, V, M, H> Frames<R, T, G, P, V, M, H>
where
    R: SessionReads,
    T: Sockets + Subscriptions + Channels + RecoveryBudget,
    G: Gateway,
    P: TopicAccess,
    V: PresenceAccess,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    /// Sends the head of every channel, then the missed messages of each. If they cannot be sent in time, the socket is
    /// closed, and the client reconnects with the mark that it reached.
    pub(super) async fn hello(&self, socket: &Socket, marks: Vec<Mark>, deadline: Millis) -> StoreResult<Posted> {
        let mut budget = Budget::default();
        let largest = u32::try_from(budget.messages).unwrap_or(u32::MAX);
        let mut answers = Vec::new();
        let mut errors = Vec::new();
        // All heads are read before the missed messages, because a head that is read later could have moved.
        for (mark, head) in self.heads_of(socket, complete(socket, marks)).await? {
            let head = match head {
                Ok(head) => head,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let found = recover(&self.table, &mark.channel, mark.at, head, &mut budget).await?;
            let (missed, recovered) = match found {
                Recovery::Complete(missed) => (missed, true),
                Recovery::Lost => (Vec::new(), false),
            };
            answers.push(Answer { welcomed: Welcomed { channel: mark.channel, head, recovered }, missed });
        }
        self.within_budget(socket.at.user, &mut answers, largest).await?;
        for error in errors {
            self.say(&socket.id, &ServerFrame::Error(error), deadline).await;
        }
        let last = self.send(&socket.id, answers, deadline).await;
        if last != Posted::Done {
            self.send_away(&socket.id, deadline).await;
        }
        Ok(last)
    }

    /// Reads the head of each channel that the user may read. Topics are subscribed to first.
    async fn heads_of(
        &self,
        socket: &Socket,
        marks: Vec<Mark>,
    ) -> StoreResult<Vec<(Mark, Result<Position, FrameError>)>> {
        let channels: Vec<Channel> = marks.iter().map(|mark| mark.channel.clone()).collect();
        let open = readable(&self.topics, socket.at.user, &channels).await?;
        let wanted: Vec<Topic> =
            channels.iter().filter(|channel| open.contains(channel)).filter_map(Channel::topic).cloned().collect();
        // The rows come first, then the heads: a message that is published in between is delivered, not missed.
        let refused = if wanted.is_empty() { Some(BTreeSet::new()) } else { self.join(socket, &wanted).await? };
        let judged: Vec<_> = marks
            .into_iter()
            .map(|mark| {
                let refusal = match (mark.channel.topic(), &refused) {
                    _ if !open.contains(&mark.channel) => Some(forbidden(&mark.channel)),
                    (None, _) => None,
                    (Some(_), None) => Some(closing()),
                    (Some(topic), Some(refused)) => refused.contains(topic).then(too_many),
                };
                (mark, refusal)
            })
            .collect();
        let heads: Vec<StoreResult<_>> = stream::iter(judged)
            .map(|(mark, refusal)| async move {
                let head = match refusal {
                    Some(error) => Err(error),
                    None => Ok(head_of(&self.table, &self.host, &mark.channel).await?),
                };
                Ok((mark, head))
            })
            .buffered(CHANNELS_AT_ONCE)
            .collect()
            .await;
        heads.into_iter().collect()
    }

    /// Reserves the posts in the budget. Where there is no room, nothing is recovered, and the client loads its state
    /// again.
    async fn within_budget(&self, user: UserId, answers: &mut [Answer], largest: u32) -> StoreResult<()> {
        let posts = u32::try_from(answers.iter().map(|answer| answer.missed.len()).sum::<usize>()).unwrap_or(u32::MAX);
        if posts > 0 {
            let random = u64::from_be_bytes(self.host.random());
            let (rate, now) = (self.recovery_per_second, self.host.now());
            // The user's own part comes first, so that a user who asks for too much takes nothing from the others.
            let own = RecoveryReservation::of_user(user, posts, rate, largest, now);
            let shared = RecoveryReservation::new(posts, rate, largest, now, random);
            if !(self.table.reserve(&own).await? && self.table.reserve(&shared).await?) {
                self.tally.add(Count::RecoveryRefused, 1);
                for answer in answers.iter_mut().filter(|answer| !answer.missed.is_empty()) {
                    answer.missed.clear();
                    answer.welcomed.recovered = false;
                }
            }
        }
        let recovered = answers.iter().filter(|answer| answer.welcomed.recovered).count();
        self.tally.add(Count::Recovered, recovered);
        self.tally.add(Count::NotRecovered, answers.len() - recovered);
        Ok(())
    }

    async fn send(&self, id: &ConnectionId, answers: Vec<Answer>, deadline: Millis) -> Posted {
        let (welcomed, missed): (Vec<Welcomed>, Vec<Vec<Recorded>>) =
            answers.into_iter().map(|answer| (answer.welcomed, answer.missed)).unzip();
        let channels: Vec<Channel> = welcomed.iter().map(|welcomed| welcomed.channel.clone()).collect();
        let welcome = ServerFrame::Welcome { connection: id.clone(), channels: welcomed };
        let mut last = self.say_surely(id, &welcome, deadline).await;
        let now = self.host.now();
        let mut posted = 0;
        'sending: for (channel, missed) in channels.iter().zip(&missed) {
            for recorded in missed {
                if last != Posted::Done {
                    break 'sending;
                }
                last = self.say_surely(id, &ServerFrame::recovered(channel, recorded, now), deadline).await;
                posted += usize::from(last == Posted::Done);
            }
        }
        self.tally.add(Count::RecoveryPosted, posted);
        last
    }

    /// Closes the socket of a client that may expect messages which it did not get. The close is repeated until it
    /// succeeds or `deadline` has passed.
    async fn send_away(&self, id: &ConnectionId, deadline: Millis) {
        let mut closed = close_with_bye(&self.gateway, &self.host, id, ByeCode::StateLost).await;
        for attempt in 0.. {
            if matches!(closed, Posted::Done | Posted::Gone) || self.host.now() >= deadline {
                return;
            }
            pause(&self.host, attempt, 100, 2_000).await;
            closed = self.gateway.close(id).await;
        }
    }

    /// Posts a frame, with a few retries until `deadline`. A socket that API Gateway reports as closed may be open all
    /// the same.
    async fn say_surely(&self, id: &ConnectionId, frame: &ServerFrame, deadline: Millis) -> Posted {
        let text = self.gateway.text(frame);
        for attempt in 0.. {
            if self.host.now() >= deadline {
                return Posted::Unknown;
            }
            match self.gateway.post(id, &text).await {
                Posted::Throttled | Posted::Unknown | Posted::Gone if attempt + 1 < POST_TRIES => {
                    pause(&self.host, attempt, 50, 1_000).await;
                }
                answer => return answer,
            }
        }
        Posted::Unknown
    }
}

/// Returns each channel once, at its first mention, and adds the user's own channel and the broadcast.
fn complete(socket: &Socket, marks: Vec<Mark>) -> Vec<Mark> {
    let always = [Channel::User(socket.at.user), Channel::Broadcast].map(|channel| Mark { channel, at: None });
    let mut seen = BTreeSet::new();
    marks.into_iter().chain(always).filter(|mark| seen.insert(mark.channel.clone())).collect()
}
