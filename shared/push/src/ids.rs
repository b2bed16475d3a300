//! The ids that push adds to those of the domain.

use std::fmt;
use std::str::FromStr;

use holdfast_sessions::ids::{Malformed, decode, encode};

/// API Gateway's id of a socket. It is opaque, but it never holds a character that separates the parts of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(String);

impl ConnectionId {
    /// API Gateway issues ids of 16 characters today. Longer ones are accepted, so that a change does not break
    /// Holdfast.
    pub const MAX_BYTES: usize = 128;

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConnectionId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=+/.".contains(&b));
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(Malformed) }
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a message, by which clients drop duplicates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Creates an id from 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The identity of one sequence of a channel's offsets. Offsets of different epochs are unrelated.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch([u8; 8]);

impl Epoch {
    /// Creates an epoch from 8 random bytes, which are drawn when a channel is first used.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

impl FromStr for MessageId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        decode(text).map(Self)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

impl FromStr for Epoch {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        decode(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_id_cannot_shape_a_key() {
        for good in ["L0SM9cOFvHcCIhw=", "d2f9c1e04b7a4c55"] {
            assert_eq!(good.parse::<ConnectionId>().unwrap().as_str(), good);
        }
        for bad in ["", "a#b", "a b", "é", "a\0", &"x".repeat(129)] {
            assert!(bad.parse::<ConnectionId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn message_ids_and_epochs_read_back() {
        let id = MessageId::from_bytes([9; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let epoch = Epoch::from_bytes([7; 8]);
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
        assert!("x".parse::<Epoch>().is_err());
        assert_eq!(format!("{epoch:?}"), "Epoch(BwcHBwcHBwc)");
    }
}
