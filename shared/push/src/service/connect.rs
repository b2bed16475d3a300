//! Admits and opens sockets. Admission only reads. A connection writes its rows **before** it reads the session for the
//! last time. The code that ends a session searches for rows after it has ended it. So the later of the two always sees
//! the other. The same holds when the client hangs up. `$disconnect` marks the socket as closed before it deletes
//! rows, and a connection reads that mark after it has written them.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Clock, Rng, SessionReads, StoreResult};
use holdfast_sessions::token::{Address, Ticket};
use holdfast_sessions::{Millis, SessionId, TokenHash};

use crate::close::CloseRequest;
use crate::ids::ConnectionId;
use crate::outcome::Probe;
use crate::ports::{CloseQueue, Gateway, Sockets, Tickets};
use crate::socket::{Socket, check_session, excess_connections};

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// There is no ticket, or it is used, expired or invalid.
    Ticket,
    /// The session of the ticket has ended or expired.
    SessionOver,
    /// The client has already closed the connection.
    HungUp,
}

/// The session for which a socket may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The slot of the session.
    pub at: Address,
    /// The session of the socket.
    pub sid: SessionId,
}

/// The use cases of admission and connection.
#[derive(Clone, Debug)]
pub struct Connector<R, T, G, Q, H> {
    /// The store of sessions.
    pub sessions: R,
    /// The table of tickets and sockets.
    pub table: T,
    /// The client of `@connections`, which knows whether a silent socket is open.
    pub gateway: G,
    /// The queue that closes the sockets above the limit.
    pub closing: Q,
    /// The clock, the timer and the random source.
    pub host: H,
    /// The limits of sessions.
    pub policy: Policy,
}

/// The hash of a presented ticket, if the text has the form of one.
fn hash_of(presented: Option<&str>) -> Option<TokenHash> {
    presented.and_then(|text| Ticket::parse(text).ok()).map(|ticket| ticket.hash())
}

impl<R, T, G, Q, H> Connector<R, T, G, Q, H>
where
    R: SessionReads,
    T: Tickets,
    H: Clock + Rng,
{
    /// Decides whether the handshake may continue. It only reads: [`Connector::connect`] consumes the ticket.
    pub async fn admit(&self, presented: Option<&str>) -> StoreResult<Result<Admission, ConnectRefusal>> {
        let Some(hash) = hash_of(presented) else {
            return Ok(Err(ConnectRefusal::Ticket));
        };
        let Some(ticket) = self.table.ticket(&hash).await?.filter(|ticket| ticket.is_valid(self.host.now())) else {
            return Ok(Err(ConnectRefusal::Ticket));
        };
        let slot = self.sessions.slot(ticket.at).await?;
        Ok(match check_session(slot.as_ref(), ticket.at, ticket.sid, &self.policy, self.host.now()) {
            Ok(_) => Ok(Admission { at: ticket.at, sid: ticket.sid }),
            Err(_) => Err(ConnectRefusal::SessionOver),
        })
    }
}

impl<R, T, G, Q, H> Connector<R, T, G, Q, H>
where
    R: SessionReads,
    T: Tickets + Sockets,
    G: Gateway,
    Q: CloseQueue,
    H: Clock + Rng,
{
    /// Consumes the ticket and opens the socket. `ttl_seconds` limits the life of its rows; the user keeps `cap`
    /// sockets.
    pub async fn connect(
        &self,
        id: &ConnectionId,
        presented: Option<&str>,
        ttl_seconds: i64,
        cap: usize,
    ) -> StoreResult<Result<Socket, ConnectRefusal>> {
        let Some(hash) = hash_of(presented) else {
            return Ok(Err(ConnectRefusal::Ticket));
        };
        let Some(ticket) = self.table.consume(&hash, self.host.now()).await? else {
            return Ok(Err(ConnectRefusal::Ticket));
        };
        // The rows get the session's data from this first read. The second read decides whether the session is live.
        let slot = self.sessions.slot(ticket.at).await?;
        let now = self.host.now();
        let Ok(slot) = check_session(slot.as_ref(), ticket.at, ticket.sid, &self.policy, now) else {
            return Ok(Err(ConnectRefusal::SessionOver));
        };
        let socket = Socket {
            id: id.clone(),
            at: ticket.at,
            sid: ticket.sid,
            connected_at: now,
            seen_at: now,
            session_expires_at: slot.expires_at(),
            expires_at: now.plus_seconds(ttl_seconds),
        };
        let settled = match self.table.open(&socket, &slot.email).await {
            Ok(()) => self.settle(&socket, cap).await,
            Err(error) => Err(error),
        };
        match settled {
            Ok(Ok(())) => Ok(Ok(socket)),
            Ok(Err(refusal)) => {
                self.table.forget(id, Some(ticket.at.user)).await?;
                Ok(Err(refusal))
            }
            Err(error) => {
                // The handshake fails, so no row of it may stay. If this deletion fails too, the rows expire, and the
                // code that ends the session or posts to the socket finds that it is closed.
                self.table.forget(id, Some(ticket.at.user)).await?;
                Err(error)
            }
        }
    }

    /// Checks, after the rows are written, whether the client has hung up, whether the session is still live, and which
    /// sockets must make room.
    async fn settle(&self, socket: &Socket, cap: usize) -> StoreResult<Result<(), ConnectRefusal>> {
        let (gone, slot) = join(self.table.is_gone(&socket.id), self.sessions.slot(socket.at)).await;
        let now = self.host.now();
        if gone? {
            return Ok(Err(ConnectRefusal::HungUp));
        }
        if check_session(slot?.as_ref(), socket.at, socket.sid, &self.policy, now).is_err() {
            return Ok(Err(ConnectRefusal::SessionOver));
        }
        let sockets = self.table.of_user(socket.at.user).await?;
        if sockets.len() <= cap {
            return Ok(Ok(()));
        }
        let closed = self.closed_of(&sockets, now).await;
        for old in excess_connections(&sockets, &closed, cap) {
            let request = CloseRequest::Replaced { user: socket.at.user, connection: old.id.clone() };
            self.closing.ask(&request, 0).await?;
        }
        Ok(Ok(()))
    }

    /// Those of the sockets that API Gateway reports as closed. Only silent sockets are asked about: a socket that sends
    /// keep-alives looks the same in the table as one whose client left without an event.
    async fn closed_of(&self, sockets: &[Socket], now: Millis) -> BTreeSet<ConnectionId> {
        let silent: Vec<_> = sockets.iter().filter(|socket| !socket.is_fresh(now)).collect();
        let probes = join_all(silent.iter().map(|socket| self.gateway.probe(&socket.id))).await;
        let gone = silent.into_iter().zip(probes).filter(|(_, probe)| *probe == Probe::Gone);
        gone.map(|(socket, _)| socket.id.clone()).collect()
    }
}
