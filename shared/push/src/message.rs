//! Messages and their places in channels.

use holdfast_sessions::Millis;

use crate::channel::Position;
use crate::data::Data;
use crate::ids::MessageId;

/// Retention of a channel (docs/websocket.md), and the longest lifetime of a message.
pub const HISTORY_SECONDS: i64 = 86_400;
/// Largest `data` in bytes of compact JSON.
pub const MAX_DATA_BYTES: usize = 32 * 1024;
/// The kind that stands for a message which ran out; no publisher may use it.
pub const EXPIRED_KIND: &str = "expired";

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id of the message.
    pub id: MessageId,
    /// What the client branches on.
    pub kind: String,
    /// What it says.
    pub data: Data,
    /// When it was accepted.
    pub sent_at: Millis,
    /// From then on it is not delivered any more.
    pub expires_at: Millis,
    /// Not kept: who is not connected never sees it.
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
