//! The messages of a socket (docs/websocket.md). Their JSON is in `holdfast-websocket-api`.

use holdfast_sessions::{Millis, UserId};

use crate::channel::{Channel, Position, Topic};
use crate::close::ByeCode;
use crate::data::Data;
use crate::ids::{ConnectionId, MessageId};
use crate::message::{EXPIRED_KIND, Recorded};

/// The number of users that one `presence` may name.
pub const MAX_PRESENCE: usize = 100;

/// A request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// Asks whether the socket works, and for the heads of its channels.
    Ping,
    /// Keeps the socket open, and is not answered. On AWS, API Gateway takes it and no function sees it.
    KeepAlive,
    /// Asks for the messages after these marks.
    Hello(Vec<Mark>),
    /// Subscribes to a topic.
    Subscribe(Topic),
    /// Ends the subscription of a topic.
    Unsubscribe(Topic),
    /// Asks which of these users are online.
    Presence(Vec<UserId>),
}

/// The position up to which a client has received a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The channel of the mark.
    pub channel: Channel,
    /// The position; `None` if the client sent none that a channel can have.
    pub at: Option<Position>,
}

/// Why a frame is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The frame is not JSON, not text, or not of the form of its action.
    InvalidFrame,
    /// No action has this name.
    UnknownAction,
    /// The frame is longer than [`MAX_FRAME_BYTES`](crate::socket::MAX_FRAME_BYTES).
    TooLarge,
    /// The user may not read the channel, or not see the presence.
    Forbidden,
    /// The socket would have more topics than it may.
    TooManyTopics,
    /// A store cannot be reached or the socket is closing, so the frame is not served.
    Unavailable,
}

impl ErrorCode {
    /// All codes, in a fixed order.
    pub const ALL: [ErrorCode; 6] = [
        ErrorCode::InvalidFrame,
        ErrorCode::UnknownAction,
        ErrorCode::TooLarge,
        ErrorCode::Forbidden,
        ErrorCode::TooManyTopics,
        ErrorCode::Unavailable,
    ];

    /// The text of the code in a frame.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidFrame => "INVALID_FRAME",
            ErrorCode::UnknownAction => "UNKNOWN_ACTION",
            ErrorCode::TooLarge => "PAYLOAD_TOO_LARGE",
            ErrorCode::Forbidden => "FORBIDDEN",
            ErrorCode::TooManyTopics => "TOO_MANY_TOPICS",
            ErrorCode::Unavailable => "UNAVAILABLE",
        }
    }
}

/// A frame that is not served; the socket stays open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameError {
    /// The code that the client branches on.
    pub code: ErrorCode,
    /// The explanation, with the next step.
    pub detail: String,
}

impl FrameError {
    /// Creates an error with its explanation.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// A channel in a `welcome`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcomed {
    /// The channel that is shown.
    pub channel: Channel,
    /// The head of the channel.
    pub head: Position,
    /// Whether every missed message follows. If not, no missed message follows.
    pub recovered: bool,
}

/// A frame that Holdfast sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame {
    /// The answer to a `ping`, with the heads of the socket's channels.
    Pong(Vec<(Channel, Position)>),
    /// The answer to a `hello`, which comes before the recovered messages.
    Welcome {
        /// The id of the socket.
        connection: ConnectionId,
        /// The channels of the `hello`, the user's own channel and the broadcast.
        channels: Vec<Welcomed>,
    },
    /// A message of a channel.
    Message {
        /// The id, by which clients drop duplicates.
        id: MessageId,
        /// The channel of the message.
        channel: Channel,
        /// The position in the channel; ephemeral messages have none.
        at: Option<Position>,
        /// The kind, on which the client branches.
        kind: String,
        /// The content of the message.
        data: Data,
        /// When Holdfast accepted the message.
        sent_at: Millis,
    },
    /// The topic is subscribed, and messages after this head are delivered.
    Subscribed(Topic, Position),
    /// The subscription of the topic has ended.
    Unsubscribed(Topic),
    /// Which users are online.
    Presence(Vec<(UserId, bool)>),
    /// The socket is about to be closed by Holdfast.
    Bye(ByeCode),
    /// The frame was not served.
    Error(FrameError),
}

impl ServerFrame {
    /// The frame of a message from a channel's history. A message that has expired keeps its position and loses its
    /// content.
    pub fn recovered(channel: &Channel, recorded: &Recorded, now: Millis) -> Self {
        let message = &recorded.message;
        let (kind, data) = if message.is_current(now) {
            (message.kind.clone(), message.data.clone())
        } else {
            (EXPIRED_KIND.to_owned(), Data::null())
        };
        ServerFrame::Message {
            id: message.id,
            channel: channel.clone(),
            at: Some(recorded.at),
            kind,
            data,
            sent_at: message.sent_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page that clients are written from.
    const PAGE: &str = include_str!("../../../docs/websocket.md");

    #[test]
    fn the_error_codes_are_those_of_the_page() {
        let line = PAGE.lines().find(|line| line.starts_with("Error codes:")).unwrap();
        let documented: Vec<_> = line.split('`').skip(1).step_by(2).collect();
        assert_eq!(ErrorCode::ALL.map(ErrorCode::as_str).to_vec(), documented);
        let expected =
            ["INVALID_FRAME", "UNKNOWN_ACTION", "PAYLOAD_TOO_LARGE", "FORBIDDEN", "TOO_MANY_TOPICS", "UNAVAILABLE"];
        assert_eq!(documented, expected, "a code that is public does not change");
    }

    /// The table of `bye` has each code, and whether the client may reconnect.
    #[test]
    fn the_byes_are_those_of_the_page() {
        let rows = PAGE.lines().skip_while(|line| !line.starts_with("| `bye`")).skip(2);
        let mut documented: Vec<(String, bool)> = Vec::new();
        for row in rows.take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            for code in cells[1].split('`').skip(1).step_by(2) {
                documented.push((code.to_owned(), cells[2].starts_with("yes")));
            }
        }
        let coded: Vec<_> = ByeCode::ALL.iter().map(|code| (code.as_str().to_owned(), code.reconnect())).collect();
        documented.sort();
        let mut sorted = coded;
        sorted.sort();
        assert_eq!(sorted, documented);
    }

    #[test]
    fn every_bye_says_in_a_sentence_of_its_own_why() {
        let reasons: std::collections::BTreeSet<_> = ByeCode::ALL.iter().map(|code| code.reason()).collect();
        assert_eq!(reasons.len(), ByeCode::ALL.len());
        for code in ByeCode::ALL {
            assert!(code.reason().len() > 20 && code.reason().ends_with('.'), "{code:?}");
            let comes_back = code.reason().contains("reconnect");
            assert_eq!(comes_back, code.reconnect(), "{code:?}");
        }
    }
}
