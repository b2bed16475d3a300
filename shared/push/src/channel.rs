//! Channels, and positions in them.

use std::fmt;
use std::str::FromStr;

use holdfast_sessions::UserId;
use holdfast_sessions::ids::Malformed;

use crate::ids::{ConnectionId, Epoch};

/// A topic's name: 1 to 128 of `A-Z a-z 0-9 . _ : -`. No `/` (it would need escaping in the history route), no `#` (it
/// separates the parts of a key).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(String);

impl Topic {
    /// The longest name of a topic.
    pub const MAX_BYTES: usize = 128;

    /// The name of the topic.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Topic {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(Malformed) }
    }
}

/// A sequence of messages with its own offsets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// `user:<userId>`: the channel of one user, on all their devices.
    User(UserId),
    /// `topic:<name>`: the channel of the subscribers of a topic.
    Topic(Topic),
    /// The channel `broadcast`, of all users.
    Broadcast,
}

impl Channel {
    /// Returns the topic, if this is the channel of one.
    pub fn topic(&self) -> Option<&Topic> {
        match self {
            Channel::Topic(topic) => Some(topic),
            Channel::User(_) | Channel::Broadcast => None,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Channel::User(user) => write!(f, "user:{user}"),
            Channel::Topic(topic) => write!(f, "topic:{}", topic.0),
            Channel::Broadcast => f.write_str("broadcast"),
        }
    }
}

impl FromStr for Channel {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text == "broadcast" {
            return Ok(Channel::Broadcast);
        }
        match text.split_once(':') {
            Some(("user", id)) => id.parse().map(Channel::User),
            Some(("topic", name)) => name.parse().map(Channel::Topic),
            _ => Err(Malformed),
        }
    }
}

/// A position in a channel. The head of a channel is the position of its newest message. The mark of a reader is the
/// highest position up to which no message is missing. Offset 0 is before the first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch of the channel.
    pub epoch: Epoch,
    /// Which message; the first is 1.
    pub offset: u64,
}

/// The number of parts into which the subscribers of a topic, and all sockets, are split. It is part of the keys, so a
/// change loses the sockets that are open. 16 index partitions take 16 000 writes/s, which is 32 times the account's
/// 500 new sockets/s (API Gateway quotas). A million sockets are 16 queries of about 13 pages.
pub const SHARDS: u8 = 16;

/// The shard of a socket: FNV-1a over its id, which is random already.
pub fn shard(connection: &ConnectionId) -> u8 {
    let hash = connection
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The low bits of FNV-1a alone are weak; fold the high half in.
    ((hash ^ (hash >> 32)) % u64::from(SHARDS)) as u8
}

/// `TOPIC_POLICY`: which topics users may read. The empty policy denies every topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPolicy {
    public_prefixes: Vec<String>,
}

impl TopicPolicy {
    /// Opens the topics that start with one of these prefixes to every signed-in user. Empty prefixes are dropped,
    /// because they would open every topic by accident.
    pub fn public(prefixes: impl IntoIterator<Item = String>) -> Self {
        Self { public_prefixes: prefixes.into_iter().filter(|prefix| !prefix.is_empty()).collect() }
    }

    /// Whether a signed-in user may read `topic`.
    pub fn allows(&self, topic: &Topic) -> bool {
        self.public_prefixes.iter().any(|prefix| topic.0.starts_with(prefix.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_read_back() {
        let user = UserId::from_bytes([3; 16]);
        for channel in [Channel::User(user), Channel::Topic("news.eu:1".parse().unwrap()), Channel::Broadcast] {
            assert_eq!(channel.to_string().parse(), Ok(channel));
        }
        for bad in ["", "user:", "user:x", "topic:", "topic:a#b", "topic:a/b", "broadcast:", "other:x"] {
            assert!(bad.parse::<Channel>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_topic_is_the_text_it_was_read_from() {
        for text in ["a", "A-z_0.9:x", &"t".repeat(128)] {
            let topic: Topic = text.parse().unwrap();
            assert_eq!(topic.as_str(), text);
            assert_eq!(Channel::Topic(topic).to_string(), format!("topic:{text}"));
        }
        for bad in ["", "a/b", "a#b", "a b", "é", "a\n", &"t".repeat(129)] {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?}");
        }
    }

    /// The shard is part of the keys, so another shard for the same id would lose the sockets that are open.
    #[test]
    fn a_connection_stays_in_its_shard() {
        for (id, part) in [("L0SM9cOFvHcCIhw=", 10), ("a", 0), ("abc", 2), ("zzzzzzzzzzzzzzz=", 14)] {
            assert_eq!(shard(&id.parse().unwrap()), part, "{id}");
        }
    }

    #[test]
    fn topics_are_closed_unless_a_prefix_opens_them() {
        let news: Topic = "news.eu".parse().unwrap();
        assert!(!TopicPolicy::default().allows(&news));
        assert!(!TopicPolicy::public([String::new()]).allows(&news));
        let policy = TopicPolicy::public(["news.".to_owned()]);
        assert!(policy.allows(&news));
        assert!(!policy.allows(&"new".parse().unwrap()));
    }

    #[test]
    fn sockets_spread_over_the_shards() {
        let mut counts = [0_u32; SHARDS as usize];
        for n in 0..16_000_u32 {
            let id: ConnectionId = format!("{n:08x}abcdefgh").parse().unwrap();
            counts[usize::from(shard(&id))] += 1;
        }
        assert!(counts.iter().all(|&n| (700..1_300).contains(&n)), "{counts:?}");
    }
}
