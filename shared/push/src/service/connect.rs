//! Letting a socket in. Admission only reads; the connection itself writes its rows **before** it looks at the session a
//! last time, and whoever ends a session looks for rows after ending it: whichever comes second sees the other.

use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Host, SessionReads, StoreResult};
use holdfast_sessions::token::{Address, Ticket};
use holdfast_sessions::{SessionId, TokenHash};

use crate::close::CloseRequest;
use crate::ids::ConnectionId;
use crate::ports::{CloseQueue, Sockets, Tickets};
use crate::socket::{Socket, check_session, excess_connections};

/// Why a socket is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// No ticket, or one that opens nothing (any more).
    Ticket,
    /// The session behind the ticket is over.
    SessionOver,
    /// The client has hung up already.
    HungUp,
}

/// Who may open a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Where the session lives.
    pub at: Address,
    /// The session of the socket.
    pub sid: SessionId,
}

/// Admission and connection.
#[derive(Clone, Debug)]
pub struct Connector<R, T, Q, H> {
    /// The store of sessions.
    pub sessions: R,
    /// Tickets and sockets.
    pub table: T,
    /// Where surplus sockets are sent to be closed.
    pub closing: Q,
    /// Clock, randomness, patience.
    pub host: H,
    /// The limits of sessions.
    pub policy: Policy,
}

/// What a presented ticket hashes to, if it is one.
fn hash_of(presented: Option<&str>) -> Option<TokenHash> {
    presented.and_then(|text| Ticket::parse(text).ok()).map(|ticket| ticket.hash())
}

impl<R, T, Q, H> Connector<R, T, Q, H>
where
    R: SessionReads,
    T: Tickets,
    H: Host,
{
    /// Whether the handshake may go on. Reads only: the ticket is spent by [`Connector::connect`].
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

impl<R, T, Q, H> Connector<R, T, Q, H>
where
    R: SessionReads,
    T: Tickets + Sockets,
    Q: CloseQueue,
    H: Host,
{
    /// Spends the ticket and opens the socket. `ttl_seconds` bounds the life of its rows; the user keeps `cap` sockets.
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
        // What the rows say of the session comes from this first look; whether it lives is decided by the second.
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
        if !self.table.open(&socket, &slot.email).await? {
            return Ok(Err(ConnectRefusal::HungUp));
        }
        match self.settle(&socket, cap).await {
            Ok(Ok(())) => Ok(Ok(socket)),
            Ok(Err(refusal)) => {
                self.table.forget(id, Some(ticket.at.user)).await?;
                Ok(Err(refusal))
            }
            Err(error) => {
                // The handshake fails: no row of it may stay. If this fails too, the rows run out by themselves, and
                // whoever ends the session or posts to the socket finds it gone.
                self.table.forget(id, Some(ticket.at.user)).await?;
                Err(error)
            }
        }
    }

    /// After the rows are written: is the session still there, and who has to make room?
    async fn settle(&self, socket: &Socket, cap: usize) -> StoreResult<Result<(), ConnectRefusal>> {
        let slot = self.sessions.slot(socket.at).await?;
        let now = self.host.now();
        if check_session(slot.as_ref(), socket.at, socket.sid, &self.policy, now).is_err() {
            return Ok(Err(ConnectRefusal::SessionOver));
        }
        let sockets = self.table.of_user(socket.at.user).await?;
        for old in excess_connections(&sockets, cap, now) {
            let request = CloseRequest::Replaced { user: socket.at.user, connection: old.id.clone() };
            self.closing.ask(&request, 0).await?;
        }
        Ok(Ok(()))
    }
}
