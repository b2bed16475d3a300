//! One frame of one socket. Nothing is served before the session has been read strongly.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use holdfast_domain::policy::Policy;
use holdfast_domain::ports::{Host, SessionReads, Stored};
use holdfast_domain::token::Address;
use holdfast_domain::{Millis, SessionId, UserId};

use super::append::head_of;
use super::history::{Budget, Recovery, recover};
use super::{dismiss, pause};
use crate::channel::{Channel, Position, Topic, TopicPolicy};
use crate::close::ByeCode;
use crate::frame::{ClientFrame, ErrorCode, FrameError, Mark, ServerFrame, Welcomed};
use crate::ids::ConnectionId;
use crate::message::Recorded;
use crate::outcome::Posted;
use crate::ports::{Channels, Gateway, Sockets, Subscriptions};
use crate::socket::{MAX_TOPICS, Seen, Socket, standing};

/// Tries of one recovery post.
const POST_TRIES: u32 = 4;

/// Whose frame it is, as the authorizer said at the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The socket.
    pub connection: ConnectionId,
    /// Where its session lived.
    pub at: Address,
    /// Which session.
    pub sid: SessionId,
}

/// Serves frames.
#[derive(Clone, Debug)]
pub struct Frames<R, T, G, H> {
    /// Sessions.
    pub sessions: R,
    /// Sockets, subscriptions, channels.
    pub table: T,
    /// @connections.
    pub gateway: G,
    /// Clock, randomness, patience.
    pub host: H,
    /// Session limits.
    pub policy: Policy,
    /// Who may read which topic.
    pub topics: TopicPolicy,
}

impl<R, T, G, H> Frames<R, T, G, H>
where
    R: SessionReads,
    T: Sockets + Subscriptions + Channels,
    G: Gateway,
    H: Host,
{
    /// Serves one frame until `deadline`; what became of the last thing said.
    pub async fn receive(&self, caller: &Caller, frame: Result<ClientFrame, FrameError>, deadline: Millis) -> Posted {
        let id = &caller.connection;
        let served = match self.standing(caller).await {
            Ok(Ok(socket)) => match frame {
                Ok(frame) => self.serve(&socket, frame, deadline).await,
                Err(error) => Ok(self.say(id, &ServerFrame::Error(error)).await),
            },
            Ok(Err(code)) => Ok(dismiss(&self.gateway, &self.host, id, code).await),
            // Neither served nor closed: nobody knows whether the session lives.
            Err(error) => Err(error),
        };
        match served {
            Ok(posted) => posted,
            Err(_) => self.say(id, &unavailable()).await,
        }
    }

    /// Whether the socket may be served; if not, what it is told before it is closed.
    async fn standing(&self, caller: &Caller) -> Stored<Result<Socket, ByeCode>> {
        let (slot, seen) = join(self.sessions.slot(caller.at), self.table.count_frame(&caller.connection)).await;
        let now = self.host.now();
        let slot = slot?;
        let expires = match standing(slot.as_ref(), caller.at, caller.sid, &self.policy, now) {
            Ok(live) => live.expires_at(),
            Err(over) => return Ok(Err(over.bye())),
        };
        let Some(mut seen) = seen?.filter(|seen| seen.socket.sid == caller.sid) else {
            return Ok(Err(ByeCode::StateLost));
        };
        if seen.is_too_fast(now) {
            return Ok(Err(ByeCode::RateLimited));
        }
        if seen.window_is_over(now) || seen.socket.session_expires_at != expires {
            self.refresh(&mut seen, expires, now).await?;
        }
        Ok(Ok(seen.socket))
    }

    async fn refresh(&self, seen: &mut Seen, expires: Millis, now: Millis) -> Stored<()> {
        self.table.refresh(seen, expires, now).await?;
        seen.socket.session_expires_at = expires;
        seen.socket.seen_at = now;
        Ok(())
    }

    async fn say(&self, id: &ConnectionId, frame: &ServerFrame) -> Posted {
        self.gateway.post(id, &self.gateway.text(frame)).await
    }

    async fn serve(&self, socket: &Socket, frame: ClientFrame, deadline: Millis) -> Stored<Posted> {
        let answer = match frame {
            ClientFrame::Ping => ServerFrame::Pong(self.heads(socket).await?),
            ClientFrame::Hello(marks) => return self.hello(socket, marks, deadline).await,
            ClientFrame::Subscribe(topic) => match self.subscribe(socket, &topic).await? {
                Ok(head) => ServerFrame::Subscribed(topic, head),
                Err(error) => ServerFrame::Error(error),
            },
            ClientFrame::Unsubscribe(topic) => {
                self.table.unsubscribe(&socket.id, &topic).await?;
                ServerFrame::Unsubscribed(topic)
            }
            ClientFrame::Presence(users) => ServerFrame::Presence(self.presence(users).await?),
        };
        Ok(self.say(&socket.id, &answer).await)
    }

    /// The heads of what the socket receives: its own channel strongly, shared ones as they come.
    async fn heads(&self, socket: &Socket) -> Stored<Vec<(Channel, Position)>> {
        let own = Channel::User(socket.at.user);
        let shared = self.table.topics(&socket.id).await?.into_iter().map(Channel::Topic);
        let shared: Vec<_> = std::iter::once(Channel::Broadcast).chain(shared).collect();
        let mut heads = vec![(own.clone(), head_of(&self.table, &self.host, &own).await?)];
        let found = join_all(shared.iter().map(|channel| self.table.recent_head(channel))).await;
        for (channel, head) in shared.iter().zip(found) {
            let head = match head? {
                Some(head) => head,
                None => head_of(&self.table, &self.host, channel).await?,
            };
            heads.push((channel.clone(), head));
        }
        Ok(heads)
    }

    /// The row first, then the head: what is published in between is delivered, not missed.
    async fn subscribe(&self, socket: &Socket, topic: &Topic) -> Stored<Result<Position, FrameError>> {
        if !self.topics.allows(topic) {
            return Ok(Err(forbidden(&Channel::Topic(topic.clone()))));
        }
        let current = self.table.topics(&socket.id).await?;
        if !current.contains(topic) && current.len() >= MAX_TOPICS {
            let detail = format!("A socket may have {MAX_TOPICS} topics; unsubscribe from one first.");
            return Ok(Err(FrameError::new(ErrorCode::TooManyTopics, detail)));
        }
        if !self.table.subscribe(socket, topic).await? {
            return Ok(Err(FrameError::new(ErrorCode::Unavailable, "The socket is closing; reconnect.")));
        }
        head_of(&self.table, &self.host, &Channel::Topic(topic.clone())).await.map(Ok)
    }

    async fn presence(&self, users: Vec<UserId>) -> Stored<Vec<(UserId, bool)>> {
        let users: BTreeSet<UserId> = users.into_iter().collect();
        let found = join_all(users.iter().map(|user| self.table.of_user(*user))).await;
        let now = self.host.now();
        users
            .into_iter()
            .zip(found)
            .map(|(user, sockets)| Ok((user, sockets?.iter().any(|s| s.is_fresh(now) && s.takes_posts(now)))))
            .collect()
    }

    /// Says where every channel is, then sends what was missed of each. What cannot be sent in time costs the socket: the
    /// client comes back with the mark it reached.
    async fn hello(&self, socket: &Socket, marks: Vec<Mark>, deadline: Millis) -> Stored<Posted> {
        let mut budget = Budget::default();
        let mut welcomed = Vec::new();
        let mut missed: Vec<(Channel, Vec<Recorded>)> = Vec::new();
        let mut errors = Vec::new();
        for mark in self.complete(socket, marks) {
            let head = match &mark.channel {
                Channel::Topic(topic) => match self.subscribe(socket, topic).await? {
                    Ok(head) => head,
                    Err(error) => {
                        errors.push(error);
                        continue;
                    }
                },
                channel if self.topics.may_read(socket.at.user, channel) => {
                    head_of(&self.table, &self.host, channel).await?
                }
                channel => {
                    errors.push(forbidden(channel));
                    continue;
                }
            };
            let recovered = match recover(&self.table, &mark.channel, mark.at, head, &mut budget).await? {
                Recovery::Complete(messages) => {
                    missed.push((mark.channel.clone(), messages));
                    true
                }
                Recovery::Lost => false,
            };
            welcomed.push(Welcomed { channel: mark.channel, head, recovered });
        }
        for error in errors {
            self.say(&socket.id, &ServerFrame::Error(error)).await;
        }
        let welcome = ServerFrame::Welcome { connection: socket.id.clone(), channels: welcomed };
        let mut last = self.say_surely(&socket.id, &welcome, deadline).await;
        let now = self.host.now();
        'sending: for (channel, messages) in &missed {
            for recorded in messages {
                if last != Posted::Done {
                    break 'sending;
                }
                last = self.say_surely(&socket.id, &ServerFrame::recovered(channel, recorded, now), deadline).await;
            }
        }
        if !matches!(last, Posted::Done | Posted::Gone) {
            dismiss(&self.gateway, &self.host, &socket.id, ByeCode::StateLost).await;
        }
        Ok(last)
    }

    /// Each channel once (the first mention counts), with the user's own and the broadcast channel in any case.
    fn complete(&self, socket: &Socket, marks: Vec<Mark>) -> Vec<Mark> {
        let always = [Channel::User(socket.at.user), Channel::Broadcast].map(|channel| Mark { channel, at: None });
        let mut seen = BTreeSet::new();
        marks.into_iter().chain(always).filter(|mark| seen.insert(mark.channel.clone())).collect()
    }

    /// Posts until it is answered, as long as there is time.
    async fn say_surely(&self, id: &ConnectionId, frame: &ServerFrame, deadline: Millis) -> Posted {
        let text = self.gateway.text(frame);
        for attempt in 0.. {
            if self.host.now() >= deadline {
                return Posted::Unknown;
            }
            match self.gateway.post(id, &text).await {
                Posted::Throttled | Posted::Unknown if attempt + 1 < POST_TRIES => {
                    pause(&self.host, attempt, 50, 1_000).await;
                }
                answer => return answer,
            }
        }
        Posted::Unknown
    }
}

fn unavailable() -> ServerFrame {
    ServerFrame::Error(FrameError::new(ErrorCode::Unavailable, "Nothing was decided; send it again."))
}

fn forbidden(channel: &Channel) -> FrameError {
    FrameError::new(ErrorCode::Forbidden, format!("`{channel}` is not yours to read."))
}
