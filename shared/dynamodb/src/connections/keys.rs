//! The key schema of the table `connections`, all of it. User input reaches a key only as a topic's name, whose alphabet
//! has no separator in it, or hashed.

use holdfast_push::budget::Row;
use holdfast_push::channel::{Channel, Topic};
use holdfast_push::ids::{ConnectionId, MessageId};
use holdfast_push::publish::PublishKey;
use holdfast_sessions::{Millis, TokenHash, UserId, ids};

/// Partition key attribute.
pub const PK: &str = "PK";
/// Sort key attribute.
pub const SK: &str = "SK";
/// TTL attribute: Number, whole seconds.
pub const TTL: &str = "ttl";
/// The index that finds the sockets of a topic, and all sockets for a broadcast.
pub const INDEX: &str = "GSI1";
/// The partition key attribute of the index.
pub const INDEX_PK: &str = "GSI1PK";
/// The sort key attribute of the index.
pub const INDEX_SK: &str = "GSI1SK";
/// Sort key of a socket's own row, which also puts it into the audience of broadcasts.
pub const METADATA: &str = "METADATA";
/// Sort key of the row that records that a socket was closed.
pub const GONE: &str = "GONE";
/// What a socket's twin, and its entry in the index, sorts under.
pub const CONNECTION: &str = "CONNECTION#";
/// What a socket's topics sort under.
pub const TOPIC: &str = "TOPIC#";

/// `CONNECTION#<id>`: everything of a socket.
pub fn connection(id: &ConnectionId) -> String {
    format!("{CONNECTION}{id}")
}

/// `USER#<userId>`: a user's sockets.
pub fn user(user: UserId) -> String {
    format!("USER#{user}")
}

/// A socket's subscription.
pub fn topic(name: &Topic) -> String {
    format!("{TOPIC}{}", name.as_str())
}

/// One shard of an audience. A user's channel is not in the index.
pub fn audience(channel: &Channel, shard: u8) -> Option<String> {
    match channel {
        Channel::User(_) => None,
        Channel::Topic(name) => Some(format!("{TOPIC}{}#{shard}", name.as_str())),
        Channel::Broadcast => Some(format!("ALL#{shard}")),
    }
}

/// The sort key of the row that puts a socket into an audience.
pub fn membership(channel: &Channel) -> String {
    match channel {
        Channel::Topic(name) => topic(name),
        Channel::User(_) | Channel::Broadcast => METADATA.to_owned(),
    }
}

/// The key of a ticket.
pub fn ticket(hash: &TokenHash) -> (String, String) {
    (format!("TICKET#{}", ids::encode(hash.as_bytes())), "TICKET".to_owned())
}

/// `CHANNEL#<name>`: everything of a channel.
pub fn channel(channel: &Channel) -> String {
    format!("CHANNEL#{channel}")
}

/// Sort key of a channel's head.
pub const HEAD: &str = "HEAD";

/// Sort key of a message: all offsets in order.
pub fn message(offset: u64) -> String {
    format!("MSG#{offset:020}")
}

/// Sort key of the row that makes an append idempotent.
pub fn appended(id: MessageId) -> String {
    format!("ID#{id}")
}

/// A publisher's key. The hash has a fixed length and stands last, so a `#` in the publisher cannot shift anything.
pub fn publish(key: &PublishKey) -> (String, String) {
    (format!("PUBLISH#{}#{}", key.publisher, key.key_hash), "KEY".to_owned())
}

/// One row of one window of a budget.
pub fn budget(row: &Row, window: i64) -> (String, String) {
    let owner = match row {
        Row::Recovery(shard) => format!("RECOVERY#{shard}"),
        Row::RecoveryOf(user) => format!("RECOVERY-OF#{user}"),
        Row::TicketsOf(user) => format!("TICKETS-OF#{user}"),
    };
    (format!("BUDGET#{owner}"), format!("WINDOW#{window}"))
}

/// The TTL of a row that expires at `expiry`. It adds an hour, so that a row that has just expired can still be read.
pub fn ttl(expiry: Millis) -> i64 {
    expiry.plus_seconds(3_600).seconds_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_sort_by_offset() {
        assert!(message(9) < message(10));
        assert!(message(u64::MAX) > message(u64::MAX - 1));
        assert!(HEAD < message(0).as_str() && appended(MessageId::from_bytes([255; 16])) < message(0));
    }

    /// DynamoDB refuses a partition key of more than 2 048 bytes and a sort key of more than 1 024, in an index, too.
    #[test]
    fn the_longest_names_fit_into_keys() {
        let user = UserId::from_bytes([255; 16]);
        let topic: Topic = "t".repeat(Topic::MAX_BYTES).parse().unwrap();
        let id: ConnectionId = "c".repeat(ConnectionId::MAX_BYTES).parse().unwrap();
        let hash = TokenHash::from_bytes([255; 32]);
        // The longest ARN of a caller: a user's, with a path of 512 and a name of 64 characters. A key's own text is hashed.
        let arn = format!("arn:aws-us-gov:iam::123456789012:user/{}/{}", "p".repeat(510), "n".repeat(64));
        let key = PublishKey::new(&holdfast_push::publish::publisher(&arn), &"k".repeat(100_000));
        let channels = [Channel::User(user), Channel::Topic(topic.clone()), Channel::Broadcast];
        let mut partitions = vec![connection(&id), super::user(user), ticket(&hash).0, publish(&key).0];
        let mut sorts =
            vec![ticket(&hash).1, publish(&key).1, super::topic(&topic), connection(&id), message(u64::MAX)];
        sorts.push(appended(MessageId::from_bytes([255; 16])));
        for channel in &channels {
            partitions.push(super::channel(channel));
            partitions.extend(audience(channel, u8::MAX));
            sorts.push(membership(channel));
        }
        for row in [Row::Recovery(u32::MAX), Row::RecoveryOf(user), Row::TicketsOf(user)] {
            let (pk, sk) = budget(&row, i64::MIN);
            partitions.push(pk);
            sorts.push(sk);
        }
        assert!(partitions.iter().all(|key| (1..=2_048).contains(&key.len())), "{partitions:?}");
        assert!(sorts.iter().all(|key| (1..=1_024).contains(&key.len())), "{sorts:?}");
        for longer in ["t".repeat(Topic::MAX_BYTES + 1), String::new()] {
            assert!(longer.parse::<Topic>().is_err());
        }
        for longer in ["c".repeat(ConnectionId::MAX_BYTES + 1), String::new()] {
            assert!(longer.parse::<ConnectionId>().is_err());
        }
    }

    #[test]
    fn a_topic_cannot_be_confused_with_another_ones_shard() {
        let topic = |name: &str| Channel::Topic(name.parse().unwrap());
        assert_eq!(audience(&topic("a"), 1).unwrap(), "TOPIC#a#1");
        assert!("a#1".parse::<Topic>().is_err());
        assert_eq!(audience(&Channel::Broadcast, 3).unwrap(), "ALL#3");
        assert_eq!(audience(&Channel::User(UserId::from_bytes([0; 16])), 3), None);
    }
}
