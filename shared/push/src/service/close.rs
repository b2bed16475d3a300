//! Closes sockets, and checks them until API Gateway has confirmed twice that they are closed.

use futures_util::future::join_all;
use holdfast_sessions::ports::{Clock, Rng, StoreError, StoreResult};
use holdfast_sessions::{Millis, UserId};

use super::close_with_bye;
use crate::close::{ByeCode, CloseRequest};
use crate::ids::ConnectionId;
use crate::outcome::{Posted, Probe};
use crate::ports::{CloseQueue, Gateway, Sockets};
use crate::socket::{HANDSHAKE_SECONDS, Socket};

/// Seconds until a closed socket is checked again.
const LOOK_AGAIN_SECONDS: u32 = 31;
/// Seconds until a socket that was not there to be closed is checked again. Its handshake may be about to complete.
const LOOK_SOON_SECONDS: u32 = 2;
/// The number of checks that use the shorter time.
const SOON: u32 = 2;
/// The largest number of checks. With one every half minute they take two and a half hours, longer than API Gateway
/// keeps any socket open.
const MAX_LOOKS: u32 = 300;

/// The worker behind the queue `close`.
#[derive(Clone, Debug)]
pub struct Closer<T, G, Q, H> {
    /// The table of sockets.
    pub table: T,
    /// The client of `@connections`.
    pub gateway: G,
    /// The queue `close`, for later checks.
    pub queue: Q,
    /// The clock, the timer and the random source.
    pub host: H,
}

impl<T, G, Q, H> Closer<T, G, Q, H>
where
    T: Sockets,
    G: Gateway,
    Q: CloseQueue,
    H: Clock + Rng,
{
    /// Handles a request. After an error the caller may repeat the whole request.
    pub async fn handle(&self, request: &CloseRequest) -> StoreResult<()> {
        match request {
            CloseRequest::SessionEnded { at, sid, over, .. } => {
                // The session was ended before this request was sent. A socket that this strong read does not find yet
                // reads the ended session before its handshake is answered.
                let sockets = self.table.of_user(at.user).await?;
                let ours: Vec<&Socket> = sockets.iter().filter(|socket| socket.sid == *sid).collect();
                let done = join_all(ours.into_iter().map(|s| self.shut(at.user, &s.id, over.bye(), 0))).await;
                done.into_iter().collect()
            }
            CloseRequest::Replaced { user, connection } => self.shut(*user, connection, ByeCode::Replaced, 0).await,
            CloseRequest::Confirm { user, connection, code, gone_at, attempt } => {
                self.confirm(*user, connection, *code, *gone_at, *attempt).await
            }
        }
    }

    /// Sends `bye`, closes the socket, and requests a check.
    async fn shut(&self, user: UserId, id: &ConnectionId, code: ByeCode, attempt: u32) -> StoreResult<()> {
        let closed = close_with_bye(&self.gateway, &self.host, id, code).await == Posted::Done;
        let gone_at = match self.gateway.probe(id).await {
            Probe::Gone => Some(self.host.now()),
            Probe::Alive | Probe::Unknown => None,
        };
        // A socket that this call closed had completed its handshake, so it needs no early checks.
        let attempt = if closed { attempt.max(SOON) } else { attempt };
        self.look_again(user, id, code, gone_at, attempt).await
    }

    async fn look_again(
        &self,
        user: UserId,
        id: &ConnectionId,
        code: ByeCode,
        gone_at: Option<Millis>,
        attempt: u32,
    ) -> StoreResult<()> {
        if attempt >= MAX_LOOKS {
            return Err(StoreError::Unavailable("a socket could not be closed".into()));
        }
        let request = CloseRequest::Confirm { user, connection: id.clone(), code, gone_at, attempt: attempt + 1 };
        let delay = if attempt < SOON { LOOK_SOON_SECONDS } else { LOOK_AGAIN_SECONDS };
        self.queue.ask(&request, delay).await
    }

    async fn confirm(
        &self,
        user: UserId,
        id: &ConnectionId,
        code: ByeCode,
        gone_at: Option<Millis>,
        attempt: u32,
    ) -> StoreResult<()> {
        let now = self.host.now();
        match (self.gateway.probe(id).await, gone_at) {
            (Probe::Gone, Some(first)) if now >= first.plus_seconds(HANDSHAKE_SECONDS) => {
                self.table.forget(id, Some(user)).await
            }
            (Probe::Gone, first) => self.look_again(user, id, code, first.or(Some(now)), attempt).await,
            // The handshake had not completed, or the delete was lost.
            (Probe::Alive, _) => self.shut(user, id, code, attempt).await,
            (Probe::Unknown, first) => self.look_again(user, id, code, first, attempt).await,
        }
    }
}
