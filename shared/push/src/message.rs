//! Messages, and their positions in channels.

use holdfast_sessions::Millis;

use crate::channel::Position;
use crate::data::Data;
use crate::ids::MessageId;

/// Retention of a channel (docs/websocket.md), and the longest lifetime of a message.
pub const HISTORY_SECONDS: i64 = 86_400;
/// Largest `data` in bytes of compact JSON.
pub const MAX_DATA_BYTES: usize = 32 * 1024;
/// The kind of a message that has expired. No publisher may use it.
pub const EXPIRED_KIND: &str = "expired";

/// A published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id of the message.
    pub id: MessageId,
    /// The kind, on which the client branches.
    pub kind: String,
    /// The content of the message.
    pub data: Data,
    /// When Holdfast accepted the message.
    pub sent_at: Millis,
    /// When the message expires. It is not delivered from then on.
    pub expires_at: Millis,
    /// Whether the message is not stored, so that only connected clients receive it.
    pub ephemeral: bool,
}

impl Message {
    /// Whether it may still be delivered.
    pub fn is_current(&self, now: Millis) -> bool {
        now < self.expires_at
    }
}

/// A message in its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The position in the channel.
    pub at: Position,
    /// The message that is stored.
    pub message: Message,
}

impl Recorded {
    /// Whether this is that message, at that place.
    pub fn is(&self, place: Position, message: &Message) -> bool {
        self.at == place && self.message.id == message.id
    }
}
