//! The jobs in the queues `push` and `broadcast`.

use holdfast_sessions::{Millis, UserId};

use crate::channel::{Channel, Position};
use crate::ids::ConnectionId;
use crate::message::Message;
use crate::publish::Target;

/// The largest number of users in one [`Job::Users`].
pub const MAX_USERS: usize = 1_000;
/// The largest number of connections in one [`Job::Deliver`].
pub const MAX_RECIPIENTS: usize = 250;
/// The number of attempts to deliver a message. After the last one, its recipients are dead-lettered.
pub const MAX_ATTEMPTS: u32 = 6;

/// The queue of a job. Topics and broadcasts have their own, so that they do not delay direct messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The queue `push`, for direct messages.
    Direct,
    /// The queue `broadcast`, for topics and broadcasts.
    Broadcast,
}

impl Lane {
    /// The lane of a channel. A topic is not direct, because it may have any number of subscribers.
    pub fn of(channel: &Channel) -> Self {
        match channel {
            Channel::User(_) => Lane::Direct,
            Channel::Topic(_) | Channel::Broadcast => Lane::Broadcast,
        }
    }

    /// The lane of a target.
    pub fn of_target(target: &Target) -> Self {
        match target {
            Target::Users(_) => Lane::Direct,
            Target::Topic(_) | Target::Broadcast => Lane::Broadcast,
        }
    }
}

/// A socket that a message is to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The connection of the recipient.
    pub connection: ConnectionId,
    /// When its session expires. Nothing is posted from then on.
    pub until: Millis,
    /// Why the last attempt failed, for the readers of dead letters.
    pub reason: Option<String>,
}

/// The recipients that receive a message on the same channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The channel of the message.
    pub channel: Channel,
    /// The position in the channel; ephemeral messages have none.
    pub at: Option<Position>,
    /// The recipients of the message.
    pub recipients: Vec<Recipient>,
}

/// The place at which the reading of a large audience continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The shard that is read.
    pub shard: u8,
    /// The last connection that was read.
    pub after: Option<ConnectionId>,
}

/// A job of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Appends to the channel of each of these users, finds their sockets, and delivers.
    Users {
        /// The message to deliver.
        message: Message,
        /// The users, at most [`MAX_USERS`].
        users: Vec<UserId>,
    },
    /// Finds the sockets of a channel, and delivers. The message is already appended, or ephemeral.
    Channel {
        /// The message to deliver.
        message: Message,
        /// The channel of the message.
        channel: Channel,
        /// The position in the channel; ephemeral messages have none.
        at: Option<Position>,
        /// Where the job begins; `None` is the beginning.
        cursor: Option<Cursor>,
    },
    /// Posts to these sockets.
    Deliver {
        /// The message to deliver.
        message: Message,
        /// The recipients, at most [`MAX_RECIPIENTS`] in total.
        groups: Vec<Group>,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
}

impl Job {
    /// The message of the job.
    pub fn message(&self) -> &Message {
        match self {
            Job::Users { message, .. } | Job::Channel { message, .. } | Job::Deliver { message, .. } => message,
        }
    }

    /// The lane of the job.
    pub fn lane(&self) -> Lane {
        match self {
            Job::Users { .. } => Lane::Direct,
            Job::Channel { channel, .. } => Lane::of(channel),
            Job::Deliver { groups, .. } => groups.first().map_or(Lane::Direct, |group| Lane::of(&group.channel)),
        }
    }
}

/// Cuts groups into jobs of at most [`MAX_RECIPIENTS`].
pub fn chunks(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut chunks: Vec<Vec<Group>> = Vec::new();
    let mut room = 0;
    for group in groups {
        let mut rest = group.recipients;
        while !rest.is_empty() {
            if room == 0 {
                chunks.push(Vec::new());
                room = MAX_RECIPIENTS;
            }
            let later = rest.split_off(rest.len().min(room));
            room -= rest.len();
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(Group { channel: group.channel.clone(), at: group.at, recipients: rest });
            }
            rest = later;
        }
    }
    chunks
}

/// Seconds to wait before the attempt after `attempt`. The wait doubles each time, and half of it is random. Five waits
/// together exceed the 30 s in which a 410 may still be a handshake.
pub fn retry_delay(attempt: u32, random: u64) -> u32 {
    let ceiling = 1_u64 << attempt.clamp(1, 6);
    let half = ceiling / 2;
    u32::try_from(half + random % (half + 1)).unwrap_or(64)
}

/// The longest wait of a requeued job that made no progress, in seconds.
const MAX_WAIT_SECONDS: i64 = 300;
/// The shortest one.
const MIN_WAIT_SECONDS: i64 = 2;

/// Seconds to wait after a delivery of a job that made no progress, for a message that was accepted at `sent_at`. The wait
/// is an eighth of the age of the message, within limits. So a message is requeued about 350 times in the 24 h before it
/// expires, and no counter has to travel with it.
pub fn wait_for_progress(sent_at: Millis, now: Millis) -> u32 {
    let age = now.get().saturating_sub(sent_at.get()) / 1_000;
    u32::try_from((age / 8).clamp(MIN_WAIT_SECONDS, MAX_WAIT_SECONDS)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: usize) -> Group {
        let recipients = (0..n)
            .map(|i| Recipient { connection: format!("c{i}").parse().unwrap(), until: Millis::new(1), reason: None })
            .collect();
        Group { channel: Channel::Broadcast, at: None, recipients }
    }

    #[test]
    fn no_chunk_is_too_large_and_nobody_is_lost() {
        let sizes = |groups: Vec<Group>| -> Vec<usize> {
            chunks(groups).iter().map(|c| c.iter().map(|g| g.recipients.len()).sum()).collect()
        };
        assert_eq!(sizes(vec![]), Vec::<usize>::new());
        assert_eq!(sizes(vec![group(0)]), Vec::<usize>::new());
        assert_eq!(sizes(vec![group(250)]), [250]);
        assert_eq!(sizes(vec![group(200), group(600), group(1)]), [250, 250, 250, 51]);
    }

    #[test]
    fn a_wait_doubles_and_half_of_it_is_random() {
        for (attempt, least, most) in
            [(0, 1, 2), (1, 1, 2), (2, 2, 4), (3, 4, 8), (6, 32, 64), (7, 32, 64), (99, 32, 64)]
        {
            let waits: std::collections::BTreeSet<u32> = (0..200).map(|random| retry_delay(attempt, random)).collect();
            assert_eq!(waits.into_iter().collect::<Vec<_>>(), (least..=most).collect::<Vec<_>>(), "attempt {attempt}");
        }
    }

    #[test]
    fn a_message_is_requeued_a_bounded_number_of_times_before_it_expires() {
        let (sent_at, expires_at) = (Millis::new(0), Millis::new(24 * 3_600 * 1_000));
        let (mut now, mut waits) = (sent_at, Vec::new());
        while now < expires_at {
            waits.push(wait_for_progress(sent_at, now));
            now = now.plus_seconds(i64::from(waits[waits.len() - 1]));
        }
        assert!(waits.is_sorted() && waits.len() <= 350, "{}", waits.len());
        assert_eq!((waits[0], waits[waits.len() - 1]), (2, 300));
        for odd in [i64::MIN, -1, i64::MAX] {
            assert!((2..=300).contains(&wait_for_progress(Millis::new(odd), now)), "{odd}");
        }
    }

    #[test]
    fn five_waits_outlast_a_handshake() {
        let least: u32 = (1..MAX_ATTEMPTS).map(|attempt| retry_delay(attempt, 0)).sum();
        assert!(least > 30, "{least}");
        for random in 0..100 {
            assert!((1..=2).contains(&retry_delay(1, random)));
            assert!(retry_delay(60, random) <= 64);
        }
    }
}
