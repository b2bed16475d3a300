//! Serves one frame of one socket. Nothing is served before the session was read with a strong read.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use futures_util::{StreamExt, stream};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Rng, SessionReads, StoreError, StoreResult};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, UserId};

use super::access::readable;
use super::append::head_of;
use super::heads::Heads;
use super::renewal::session_expiry;
use super::{close_with_bye, pause};
use crate::channel::{Channel, Position, Topic};
use crate::close::ByeCode;
use crate::frame::{ClientFrame, ErrorCode, FrameError, ServerFrame};
use crate::ids::ConnectionId;
use crate::outcome::{Posted, Probe};
use crate::ports::{
    Channels, DeliveryMetrics, Gateway, JOIN_AT_ONCE, Joined, PresenceAccess, RecoveryBudget, Sockets, Subscriptions,
    TopicAccess,
};
use crate::socket::{FrameWindow, MAX_TOPICS, Socket, check_session};

/// The number of attempts of one post.
pub(super) const POST_TRIES: u32 = 4;
/// The number of attempts to change a socket's topics, because another frame of the socket may be changing them.
const JOIN_TRIES: u32 = 6;

/// The number of silent sockets that one `presence` asks API Gateway about at once.
const PROBES_AT_ONCE: usize = 16;

/// The sender of a frame, as the authorizer named it at the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The socket of the caller.
    pub connection: ConnectionId,
    /// The slot of its session.
    pub at: Address,
    /// The session of the caller.
    pub sid: SessionId,
}

/// The use case of serving frames.
#[derive(Clone, Debug)]
pub struct Frames<R, T, G, P, V, M, H> {
    /// The store of sessions.
    pub sessions: R,
    /// The table of sockets, subscriptions, channels and the recovery budget.
    pub table: T,
    /// The client of `@connections`.
    pub gateway: G,
    /// The authorization of topics.
    pub topics: P,
    /// The authorization of presence.
    pub presence: V,
    /// The counters of the metrics.
    pub tally: M,
    /// The clock, the timer and the random source.
    pub host: H,
    /// The limits of sessions.
    pub policy: Policy,
    /// Posts a second that all recoveries together may make.
    pub recovery_per_second: u32,
    /// The heads of shared channels that this process has read.
    pub heads: Heads,
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
    /// Serves one frame until `deadline`, and returns the answer to its last post or close.
    pub async fn receive(&self, caller: &Caller, frame: Result<ClientFrame, FrameError>, deadline: Millis) -> Posted {
        let id = &caller.connection;
        let is_answered = frame != Ok(ClientFrame::KeepAlive);
        let is_ping = frame == Ok(ClientFrame::Ping);
        let served = match self.check_session(caller, is_ping).await {
            Ok(Ok(socket)) => match frame {
                Ok(frame) => self.serve(&socket, frame, deadline).await,
                Err(error) => Ok(self.say(id, &ServerFrame::Error(error), deadline).await),
            },
            Ok(Err(code)) => Ok(close_with_bye(&self.gateway, &self.host, id, code).await),
            // The frame is neither served nor is the socket closed, because it is unknown whether the session is live.
            Err(error) => Err(error),
        };
        match served {
            Ok(posted) => posted,
            Err(_) if is_answered => self.say(id, &unavailable(), deadline).await,
            Err(_) => Posted::Done,
        }
    }

    /// Counts the frame, and returns its window and whether the frame came after a silence. A ping usually does, and is then
    /// counted with one write instead of two.
    async fn count(&self, id: &ConnectionId, is_ping: bool) -> StoreResult<Option<(FrameWindow, bool)>> {
        if is_ping && let Some(seen) = self.table.count_after_silence(id, self.host.now()).await? {
            return Ok(Some((seen, true)));
        }
        Ok(self.table.count_frame(id).await?.map(|seen| (seen, false)))
    }

    /// Decides whether the socket may be served. If not, the result is the code of its `bye`.
    async fn check_session(&self, caller: &Caller, is_ping: bool) -> StoreResult<Result<Socket, ByeCode>> {
        let (slot, seen) = join(self.sessions.slot(caller.at), self.count(&caller.connection, is_ping)).await;
        let now = self.host.now();
        let slot = slot?;
        let expires = match check_session(slot.as_ref(), caller.at, caller.sid, &self.policy, now) {
            Ok(live) => live.expires_at(),
            Err(over) => return Ok(Err(over.bye())),
        };
        let Some((mut seen, after_silence)) = seen?.filter(|(seen, _)| seen.socket.sid == caller.sid) else {
            return Ok(Err(ByeCode::StateLost));
        };
        if seen.is_too_fast(now) {
            return Ok(Err(ByeCode::RateLimited));
        }
        if seen.window_is_over(now) || seen.socket.session_expires_at != expires {
            self.refresh(&mut seen, expires, now).await?;
        } else if after_silence {
            self.table.confirm_open(&seen.socket, seen.socket.seen_at).await?;
        }
        Ok(Ok(seen.socket))
    }

    async fn refresh(&self, seen: &mut FrameWindow, expires: Millis, now: Millis) -> StoreResult<()> {
        self.table.refresh(seen, expires, now).await?;
        seen.socket.session_expires_at = expires;
        seen.socket.seen_at = seen.window_of(now);
        Ok(())
    }

    /// Posts a frame, and repeats the post only if the frame was certainly not sent. A client that gets one answer
    /// twice takes the second for the answer to another frame.
    pub(super) async fn say(&self, id: &ConnectionId, frame: &ServerFrame, deadline: Millis) -> Posted {
        let text = self.gateway.text(frame);
        let mut answer = self.gateway.post(id, &text).await;
        for attempt in 1..POST_TRIES {
            if answer != Posted::Throttled || self.host.now() >= deadline {
                break;
            }
            pause(&self.host, attempt - 1, 50, 1_000).await;
            answer = self.gateway.post(id, &text).await;
        }
        answer
    }

    async fn serve(&self, socket: &Socket, frame: ClientFrame, deadline: Millis) -> StoreResult<Posted> {
        let answer = match frame {
            ClientFrame::KeepAlive => return Ok(Posted::Done),
            ClientFrame::Ping => ServerFrame::Pong(self.heads(socket).await?),
            ClientFrame::Hello(marks) => return self.hello(socket, marks, deadline).await,
            ClientFrame::Subscribe(topic) => match self.subscribe(socket, &topic).await? {
                Ok(head) => ServerFrame::Subscribed(topic, head),
                Err(error) => ServerFrame::Error(error),
            },
            ClientFrame::Unsubscribe(topic) => {
                self.leave(&socket.id, &topic).await?;
                ServerFrame::Unsubscribed(topic)
            }
            ClientFrame::Presence(users) => match self.presence(socket, users).await? {
                Ok(online) => ServerFrame::Presence(online),
                Err(error) => ServerFrame::Error(error),
            },
        };
        Ok(self.say(&socket.id, &answer, deadline).await)
    }

    /// Reads the heads of the channels that the socket receives. Its own channel is read strongly. Those of shared
    /// channels may be some seconds old, and are kept for some seconds.
    async fn heads(&self, socket: &Socket) -> StoreResult<Vec<(Channel, Position)>> {
        let own = Channel::User(socket.at.user);
        let shared = self.table.topics(&socket.id).await?.into_iter().map(Channel::Topic);
        let shared: Vec<_> = std::iter::once(Channel::Broadcast).chain(shared).collect();
        let mut heads = vec![(own.clone(), head_of(&self.table, &self.host, &own).await?)];
        let found = join_all(shared.iter().map(|channel| self.shared_head(channel))).await;
        for (channel, head) in shared.into_iter().zip(found) {
            heads.push((channel, head?));
        }
        Ok(heads)
    }

    async fn shared_head(&self, channel: &Channel) -> StoreResult<Position> {
        let now = self.host.now();
        if let Some(head) = self.heads.known(channel, now) {
            return Ok(head);
        }
        let head = match self.table.recent_head(channel).await? {
            Some(head) => head,
            None => head_of(&self.table, &self.host, channel).await?,
        };
        self.heads.learn(channel, head, now);
        Ok(head)
    }

    async fn subscribe(&self, socket: &Socket, topic: &Topic) -> StoreResult<Result<Position, FrameError>> {
        let channel = Channel::Topic(topic.clone());
        if !readable(&self.topics, socket.at.user, std::slice::from_ref(&channel)).await?.contains(&channel) {
            return Ok(Err(forbidden(&channel)));
        }
        match self.join(socket, std::slice::from_ref(topic)).await? {
            None => Ok(Err(closing())),
            Some(refused) if refused.contains(topic) => Ok(Err(too_many())),
            // The row comes first, then the head: a message that is published in between is delivered, not missed.
            Some(_) => head_of(&self.table, &self.host, &channel).await.map(Ok),
        }
    }

    /// Subscribes a socket to as many of `wanted` as it has room for, in their order. Returns those for which there is
    /// no room, or `None` if the socket is closing.
    pub(super) async fn join(&self, socket: &Socket, wanted: &[Topic]) -> StoreResult<Option<BTreeSet<Topic>>> {
        let mut refused = BTreeSet::new();
        for attempt in 0..JOIN_TRIES {
            let mut current: BTreeSet<Topic> = self.table.topics(&socket.id).await?.into_iter().collect();
            let (mut new, mut beyond) = (Vec::new(), BTreeSet::new());
            for topic in wanted {
                if current.contains(topic) {
                    continue;
                }
                if current.len() < MAX_TOPICS {
                    current.insert(topic.clone());
                    new.push(topic.clone());
                } else {
                    beyond.insert(topic.clone());
                }
            }
            refused = beyond;
            let mut again = false;
            for part in new.chunks(JOIN_AT_ONCE) {
                match self.table.join(socket, part).await {
                    Ok(Joined::Done) => {}
                    Ok(Joined::Closed) => return Ok(None),
                    // Another frame of this socket was first, so the room is determined again.
                    Ok(Joined::TooMany) => {
                        refused.extend(part.iter().cloned());
                        again = true;
                    }
                    Err(StoreError::Conflict(_)) if attempt + 1 < JOIN_TRIES => again = true,
                    Err(error) => return Err(error),
                }
            }
            if !again {
                return Ok(Some(refused));
            }
            pause(&self.host, attempt, 25, 400).await;
        }
        Ok(Some(refused))
    }

    async fn leave(&self, id: &ConnectionId, topic: &Topic) -> StoreResult<()> {
        for attempt in 1..JOIN_TRIES {
            match self.table.unsubscribe(id, topic).await {
                Err(StoreError::Conflict(_)) => pause(&self.host, attempt, 25, 400).await,
                other => return other,
            }
        }
        self.table.unsubscribe(id, topic).await
    }

    /// Finds out which users are online. It reports on none of them if the caller may not see one of them.
    async fn presence(
        &self,
        socket: &Socket,
        users: Vec<UserId>,
    ) -> StoreResult<Result<Vec<(UserId, bool)>, FrameError>> {
        let users: BTreeSet<UserId> = users.into_iter().collect();
        if users.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let visible = self.presence.visible(socket.at.user, users.clone()).await?;
        if !users.is_subset(&visible) {
            return Ok(Err(hidden(socket.at.user, &users, &visible)));
        }
        let found = join_all(users.iter().map(|user| self.table.of_user(*user))).await;
        let mut online = Vec::new();
        let mut silent = Vec::new();
        let now = self.host.now();
        for (user, sockets) in users.into_iter().zip(found) {
            let sockets = sockets?;
            let is_online = sockets.iter().any(|s| s.is_fresh(now) && s.takes_posts(now));
            online.push((user, is_online));
            if !is_online {
                silent.extend(sockets);
            }
        }
        let answers: Vec<(UserId, StoreResult<bool>)> = stream::iter(silent)
            .map(|socket| async move { (socket.at.user, self.is_open(&socket).await) })
            .buffer_unordered(PROBES_AT_ONCE)
            .collect()
            .await;
        for (user, is_online) in online.iter_mut().filter(|(_, is_online)| !is_online) {
            let (mut open, mut error) = (false, None);
            for (_, answer) in answers.iter().filter(|(of, _)| *of == *user) {
                match answer {
                    Ok(yes) => open |= yes,
                    Err(trouble) => error = Some(trouble.clone()),
                }
            }
            // One open socket is enough. Without one, a socket that nothing is known of leaves the presence undecided.
            *is_online = match error {
                Some(error) if !open => return Err(error),
                _ => open,
            };
        }
        Ok(Ok(online))
    }

    /// Whether a socket is open and its session live. No function sees a keep-alive, so the rows alone do not tell. The
    /// table keeps the answer of API Gateway, so that one question serves for eleven minutes.
    async fn is_open(&self, socket: &Socket) -> StoreResult<bool> {
        let now = self.host.now();
        if session_expiry(&self.sessions, &self.table, &self.host, &self.policy, socket, now).await?.is_none() {
            return Ok(false);
        }
        if socket.is_fresh(now) {
            return Ok(true);
        }
        match self.gateway.probe(&socket.id).await {
            Probe::Alive => self.table.confirm_open(socket, now).await.map(|()| true),
            Probe::Gone => Ok(false),
            Probe::Unknown => Err(StoreError::Unavailable("GetConnection gave no usable answer".into())),
        }
    }
}

pub(super) fn too_many() -> FrameError {
    let detail = format!("A socket may have {MAX_TOPICS} topics; unsubscribe from one first.");
    FrameError::new(ErrorCode::TooManyTopics, detail)
}

pub(super) fn closing() -> FrameError {
    FrameError::new(ErrorCode::Unavailable, "The socket is closing; reconnect.")
}

fn unavailable() -> ServerFrame {
    ServerFrame::Error(FrameError::new(ErrorCode::Unavailable, "Nothing was decided; send it again."))
}

pub(super) fn forbidden(channel: &Channel) -> FrameError {
    FrameError::new(ErrorCode::Forbidden, format!("`{channel}` is not yours to read."))
}

/// Names those of `asked` that may be seen, so that the client asks again about these only.
fn hidden(asker: UserId, asked: &BTreeSet<UserId>, visible: &BTreeSet<UserId>) -> FrameError {
    let allowed: Vec<String> = asked.intersection(visible).map(|user| format!("`{user}`")).collect();
    let detail = match allowed.is_empty() {
        true => format!("You may not see the presence of any of these users; your own is `{asker}`."),
        false => format!("Of these users you may see the presence of {} only.", allowed.join(", ")),
    };
    FrameError::new(ErrorCode::Forbidden, detail)
}
