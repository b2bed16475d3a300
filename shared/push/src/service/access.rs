//! The authorization of channels and of presence.

use std::collections::BTreeSet;

use holdfast_sessions::UserId;
use holdfast_sessions::ports::StoreResult;

use crate::channel::{Channel, Topic, TopicPolicy};
use crate::ports::{PresenceAccess, TopicAccess};
use crate::presence::PresencePolicy;

impl TopicAccess for TopicPolicy {
    async fn readable(&self, _user: UserId, topics: BTreeSet<Topic>) -> StoreResult<BTreeSet<Topic>> {
        Ok(topics.into_iter().filter(|topic| self.allows(topic)).collect())
    }
}

impl PresenceAccess for PresencePolicy {
    async fn visible(&self, asker: UserId, users: BTreeSet<UserId>) -> StoreResult<BTreeSet<UserId>> {
        Ok(users.into_iter().filter(|user| self.shows(asker, *user)).collect())
    }
}

/// Returns those of `channels` that `user` may read: the user's own channel, the broadcast, and the topics that
/// `access` allows. It calls `access` once, or not at all if there is no topic.
pub async fn readable<P: TopicAccess>(
    access: &P,
    user: UserId,
    channels: &[Channel],
) -> StoreResult<BTreeSet<Channel>> {
    let topics: BTreeSet<Topic> = channels.iter().filter_map(Channel::topic).cloned().collect();
    let open = if topics.is_empty() { topics } else { access.readable(user, topics).await? };
    let may = |channel: &&Channel| match channel {
        Channel::User(owner) => *owner == user,
        Channel::Topic(topic) => open.contains(topic),
        Channel::Broadcast => true,
    };
    Ok(channels.iter().filter(may).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_reads_another_users_channel() {
        let (me, other) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let policy = TopicPolicy::public(["news.".to_owned()]);
        let [open, closed] = ["news.eu", "other"].map(|name| Channel::Topic(name.parse().unwrap()));
        let asked = [Channel::User(me), Channel::User(other), Channel::Broadcast, open.clone(), closed];
        let mine = readable(&policy, me, &asked).await.unwrap();
        assert_eq!(mine, BTreeSet::from([Channel::User(me), Channel::Broadcast, open]));
    }
}
