//! Why Holdfast closes a socket, and the request to do it.
//!
//! One mechanism closes sockets, whatever ended the session: the stream's relay and `$connect` only ask, through a queue;
//! `push/close-sockets` says `bye`, closes, and asks again until API Gateway has confirmed it twice.

use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, UserId};

use crate::ids::ConnectionId;

/// What a `bye` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByeCode {
    /// The session was ended: logged out, revoked, evicted, password changed.
    SessionEnded,
    /// The session ran out.
    SessionExpired,
    /// The user opened more sockets than allowed; this was the oldest.
    Replaced,
    /// More frames than the limit.
    RateLimited,
    /// Holdfast is going away for a moment.
    Shutdown,
    /// Holdfast no longer knows this socket, or could not bring it up to date.
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

    /// As frames and queue messages say it.
    pub const fn text(self) -> &'static str {
        match self {
            ByeCode::SessionEnded => "SESSION_ENDED",
            ByeCode::SessionExpired => "SESSION_EXPIRED",
            ByeCode::Replaced => "REPLACED",
            ByeCode::RateLimited => "RATE_LIMITED",
            ByeCode::Shutdown => "SHUTDOWN",
            ByeCode::StateLost => "STATE_LOST",
        }
    }

    /// Reads it back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.text() == text)
    }

    /// The reason, for people.
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

    /// Whether to come back, with back-off.
    pub const fn reconnect(self) -> bool {
        matches!(self, ByeCode::RateLimited | ByeCode::Shutdown | ByeCode::StateLost)
    }
}

/// How a session ended, as far as its sockets are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOver {
    /// A caller ended the session.
    Ended,
    /// The session expired.
    Expired,
}

impl SessionOver {
    /// What its sockets are told.
    pub const fn bye(self) -> ByeCode {
        match self {
            SessionOver::Ended => ByeCode::SessionEnded,
            SessionOver::Expired => ByeCode::SessionExpired,
        }
    }
}

/// What the queue `close` carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseRequest {
    /// A session is over: every socket opened under it goes.
    SessionEnded {
        /// Where the session lived.
        at: Address,
        /// Which session: another may live in that slot by now.
        sid: SessionId,
        /// What its sockets are told.
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
    /// Look again whether a socket that was told to go is gone. Only `push/close-sockets` sends this, to itself.
    Confirm {
        /// The user of the socket.
        user: UserId,
        /// The socket to close.
        connection: ConnectionId,
        /// What it was told.
        code: ByeCode,
        /// When API Gateway first said that it is gone; nothing since said otherwise.
        gone_at: Option<Millis>,
        /// How often it was looked at.
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
            assert_eq!(ByeCode::parse(code.text()), Some(code));
        }
        assert_eq!(ByeCode::parse("OTHER"), None);
    }
}
