//! Why Holdfast closes a socket, and the request to close it.
//!
//! One mechanism closes sockets for every cause. The stream's relay and `$connect` only send a request to a queue.
//! `push/close-sockets` sends `bye`, closes the socket, and checks it until API Gateway has confirmed twice that it is
//! closed.

use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, UserId};

use crate::ids::ConnectionId;

/// The code of a `bye`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByeCode {
    /// The session was ended: it was logged out, revoked or evicted, or the password was changed.
    SessionEnded,
    /// The session expired.
    SessionExpired,
    /// The user opened more sockets than allowed; this was the oldest.
    Replaced,
    /// The client sent more frames than the limit.
    RateLimited,
    /// The service is restarting.
    Shutdown,
    /// Holdfast has no rows of this socket any more, or could not send it every missed message.
    StateLost,
}

impl ByeCode {
    /// All codes, in a fixed order.
    pub const ALL: [ByeCode; 6] = [
        ByeCode::SessionEnded,
        ByeCode::SessionExpired,
        ByeCode::Replaced,
        ByeCode::RateLimited,
        ByeCode::Shutdown,
        ByeCode::StateLost,
    ];

    /// The text of the code in frames and queue messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            ByeCode::SessionEnded => "SESSION_ENDED",
            ByeCode::SessionExpired => "SESSION_EXPIRED",
            ByeCode::Replaced => "REPLACED",
            ByeCode::RateLimited => "RATE_LIMITED",
            ByeCode::Shutdown => "SHUTDOWN",
            ByeCode::StateLost => "STATE_LOST",
        }
    }

    /// Reads a code from its text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// The reason, as a sentence for people.
    pub const fn reason(self) -> &'static str {
        match self {
            ByeCode::SessionEnded => "The session has ended; sign in again.",
            ByeCode::SessionExpired => "The session has expired; sign in again.",
            ByeCode::Replaced => "A newer connection took this one's place.",
            ByeCode::RateLimited => "Too many frames; reconnect later and send fewer.",
            ByeCode::Shutdown => "The service is restarting; reconnect.",
            ByeCode::StateLost => "The connection's state was lost; reconnect and say hello.",
        }
    }

    /// Whether the client should reconnect, with back-off.
    pub const fn reconnect(self) -> bool {
        matches!(self, ByeCode::RateLimited | ByeCode::Shutdown | ByeCode::StateLost)
    }
}

/// How a session ended, as the `bye` of its sockets reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOver {
    /// The session was ended, or its slot no longer holds it.
    Ended,
    /// The session expired.
    Expired,
}

impl SessionOver {
    /// The code that the sockets of the session receive.
    pub const fn bye(self) -> ByeCode {
        match self {
            SessionOver::Ended => ByeCode::SessionEnded,
            SessionOver::Expired => ByeCode::SessionExpired,
        }
    }
}

/// A request in the queue `close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseRequest {
    /// A session has ended, so every socket that was opened in it is closed.
    SessionEnded {
        /// The slot of the session.
        at: Address,
        /// The session, because another one may be in that slot by now.
        sid: SessionId,
        /// How the session ended, which decides the code of the `bye`.
        over: SessionOver,
        /// When it ended.
        ended_at: Millis,
    },
    /// One socket makes room for a newer one.
    Replaced {
        /// The user of the socket.
        user: UserId,
        /// The socket to close.
        connection: ConnectionId,
    },
    /// Checks again whether a socket that received its `bye` is closed. Only `push/close-sockets` sends this, to
    /// itself.
    Confirm {
        /// The user of the socket.
        user: UserId,
        /// The socket to close.
        connection: ConnectionId,
        /// The code of its `bye`.
        code: ByeCode,
        /// When API Gateway first reported the socket as closed, if it has not reported it as open since.
        gone_at: Option<Millis>,
        /// The number of this check. It starts above 1 for a socket that needs no early checks.
        attempt: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_signing_in_again_can_heal_forbids_reconnecting() {
        let never: Vec<_> = ByeCode::ALL.into_iter().filter(|code| !code.reconnect()).collect();
        assert_eq!(never, [ByeCode::SessionEnded, ByeCode::SessionExpired, ByeCode::Replaced]);
    }

    #[test]
    fn codes_read_back() {
        for code in ByeCode::ALL {
            assert_eq!(ByeCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(ByeCode::parse("OTHER"), None);
    }
}
