//! The messages of a socket (docs/websocket.md). Their JSON is in `holdfast-websocket-api`.

use holdfast_sessions::{Millis, UserId};

use crate::channel::{Channel, Position, Topic};
use crate::close::ByeCode;
use crate::data::Data;
use crate::ids::{ConnectionId, MessageId};
use crate::message::{EXPIRED_KIND, Recorded};

/// Users one `presence` may ask about.
pub const MAX_PRESENCE: usize = 100;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// Are you there, and where are my channels?
    Ping,
    /// I was here before; this is where I stood.
    Hello(Vec<Mark>),
    /// Send me a topic.
    Subscribe(Topic),
    /// Ends the subscription of a topic.
    Unsubscribe(Topic),
    /// Who of these is online?
    Presence(Vec<UserId>),
}

/// Where a client stood in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The channel of the mark.
    pub channel: Channel,
    /// `None` when what the client said cannot be a place in any channel.
    pub at: Option<Position>,
}

/// Why a frame is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Not JSON, not text, or not of the action's form.
    InvalidFrame,
    /// No such action.
    UnknownAction,
    /// Over [`MAX_FRAME_BYTES`](crate::socket::MAX_FRAME_BYTES).
    TooLarge,
    /// Not this user's to read.
    Forbidden,
    /// More topics than one socket may have.
    TooManyTopics,
    /// A store cannot be reached; nothing was decided.
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

    /// As the frame says it.
    pub const fn text(self) -> &'static str {
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
    /// What to branch on.
    pub code: ErrorCode,
    /// What to do about it.
    pub detail: String,
}

impl FrameError {
    /// With its explanation.
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
    /// Whether every missed message follows. If not, nothing does.
    pub recovered: bool,
}

/// What Holdfast says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame {
    /// Here I am, and here are your channels' heads.
    Pong(Vec<(Channel, Position)>),
    /// Before the recovered messages.
    Welcome {
        /// The socket's name.
        connection: ConnectionId,
        /// What was asked for, and what comes by itself.
        channels: Vec<Welcomed>,
    },
    /// A message of a channel.
    Message {
        /// Clients drop duplicates by it.
        id: MessageId,
        /// On which channel.
        channel: Channel,
        /// Where in it; ephemeral messages are nowhere.
        at: Option<Position>,
        /// What the client branches on.
        kind: String,
        /// What it says.
        data: Data,
        /// When it was accepted.
        sent_at: Millis,
    },
    /// From here on the topic is sent.
    Subscribed(Topic, Position),
    /// The subscription of the topic has ended.
    Unsubscribed(Topic),
    /// Who is online.
    Presence(Vec<(UserId, bool)>),
    /// The socket is about to be closed by Holdfast.
    Bye(ByeCode),
    /// The frame was not served.
    Error(FrameError),
}

impl ServerFrame {
    /// A message from a channel's history: one that ran out keeps its place and loses its content.
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
        assert_eq!(ErrorCode::ALL.map(ErrorCode::text).to_vec(), documented);
        let expected =
            ["INVALID_FRAME", "UNKNOWN_ACTION", "PAYLOAD_TOO_LARGE", "FORBIDDEN", "TOO_MANY_TOPICS", "UNAVAILABLE"];
        assert_eq!(documented, expected, "a code that is public does not change");
    }

    /// The table of `bye`: code, and whether the client may come back.
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
        let coded: Vec<_> = ByeCode::ALL.iter().map(|code| (code.text().to_owned(), code.reconnect())).collect();
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
