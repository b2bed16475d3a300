//! Follows sessions that were extended while their sockets sent no frame that a function sees.
//!
//! The rows of a socket hold the expiry of its session as of its last frame. The session may have been extended since, so
//! the row only proves that a session is live. When it says "expired", the session itself decides.

use holdfast_sessions::Millis;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::ports::{Rng, SessionReads, StoreResult};

use crate::ports::Sockets;
use crate::socket::{Socket, check_session};

/// The rows follow the session once in so many reads of it, by chance. Three writes cost as much as 15 reads. So a quiet
/// socket costs hardly a write, and a busy one reads its session some twenty times before its rows are right again.
const EXTEND_ONE_IN: u64 = 16;

/// Returns when the session of a socket expires, or `None` if it has ended or expired. Reads the session only if the row says that
/// it has expired, and sometimes moves the expiry on the socket's rows then.
pub(super) async fn session_expiry<R: SessionReads, T: Sockets, H: Rng>(
    sessions: &R,
    table: &T,
    host: &H,
    policy: &Policy,
    socket: &Socket,
    now: Millis,
) -> StoreResult<Option<Millis>> {
    if socket.takes_posts(now) {
        return Ok(Some(socket.session_expires_at));
    }
    let slot = sessions.slot(socket.at).await?;
    let Ok(live) = check_session(slot.as_ref(), socket.at, socket.sid, policy, now) else {
        return Ok(None);
    };
    if u64::from_be_bytes(host.random()).is_multiple_of(EXTEND_ONE_IN) {
        table.extend(socket, live.expires_at()).await?;
    }
    Ok(Some(live.expires_at()))
}
