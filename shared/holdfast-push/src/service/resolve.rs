//! From a target to its sockets, page by page: chunks first, then where to go on, then success. Never past the deadline.

use futures_util::StreamExt;
use futures_util::stream;
use holdfast_domain::ports::{Host, StoreError, Stored};
use holdfast_domain::{Millis, UserId};

use super::append::append;
use super::deliver::{IN_FLIGHT, Outcome};
use crate::budget::Pace;
use crate::channel::{Channel, Position, SHARDS};
use crate::job::{Cursor, Group, Job, MAX_RECIPIENTS, Recipient, chunks};
use crate::message::Message;
use crate::ports::{Audience, Channels, Count, DeadLetters, Gateway, JobQueue, Page, Sockets, Tally};

/// Users appended to and looked up at once.
const USERS_AT_ONCE: usize = 16;
/// Seconds until users whose channel was too busy are tried again.
const BUSY_SECONDS: u32 = 2;

/// What bounds one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Nothing is begun from then on; what is left is handed over.
    pub deadline: Millis,
    /// How fast it may post, shared by its records.
    pub pace: &'a Pace,
}

/// The worker behind the queues `push` and `broadcast`.
#[derive(Clone, Debug)]
pub struct FanOut<T, G, Q, M, H> {
    /// Sockets and channels.
    pub table: T,
    /// @connections.
    pub gateway: G,
    /// The queues and their dead letters.
    pub queue: Q,
    /// Counters.
    pub tally: M,
    /// Clock, randomness, patience.
    pub host: H,
}

impl<T, G, Q, M, H> FanOut<T, G, Q, M, H>
where
    T: Sockets + Channels + Audience,
    G: Gateway,
    Q: JobQueue + DeadLetters,
    M: Tally,
    H: Host,
{
    /// Does one piece of work within `limits`. After an error, or [`Outcome::Again`], the same record comes back.
    pub async fn work(&self, job: Job, limits: &Limits<'_>) -> Stored<Outcome> {
        match job {
            Job::Users { message, users } => self.users(&message, users, limits).await,
            Job::Channel { message, channel: Channel::User(user), at, .. } => {
                let group = self.sockets_of(user, at).await?;
                self.give_out(&message, vec![group], limits).await
            }
            Job::Channel { message, channel, at, cursor } => self.shared(&message, &channel, at, cursor, limits).await,
            Job::Deliver { message, groups, attempt } => self.deliver(&message, groups, attempt, limits).await,
        }
    }

    /// Many users: each has a channel of its own, so each gets its own offset.
    async fn users(&self, message: &Message, users: Vec<UserId>, limits: &Limits<'_>) -> Stored<Outcome> {
        let found: Vec<(UserId, Stored<Option<Group>>)> = stream::iter(users)
            .map(|user| async move { (user, self.user(message, user, limits).await) })
            .buffer_unordered(USERS_AT_ONCE)
            .collect()
            .await;
        let mut groups = Vec::new();
        let mut busy = Vec::new();
        let mut untried = Vec::new();
        for (user, group) in found {
            match group {
                Ok(Some(group)) => groups.push(group),
                Ok(None) => untried.push(user),
                Err(StoreError::Busy(_)) => busy.push(user),
                Err(error) => return Err(error),
            }
        }
        // No delivery attempt is spent on an append: these come back until they are appended.
        self.tally.add(Count::AppendDelayed, busy.len());
        for (users, delay) in [(busy, BUSY_SECONDS), (untried, 0)] {
            if !users.is_empty() {
                self.queue.enqueue(&Job::Users { message: message.clone(), users }, delay).await?;
            }
        }
        self.give_out(message, groups, limits).await
    }

    /// `None` when there is no time left.
    async fn user(&self, message: &Message, user: UserId, limits: &Limits<'_>) -> Stored<Option<Group>> {
        if self.host.now() >= limits.deadline {
            return Ok(None);
        }
        let at = match message.ephemeral {
            true => None,
            false => Some(append(&self.table, &self.host, &Channel::User(user), message).await?),
        };
        self.sockets_of(user, at).await.map(Some)
    }

    async fn sockets_of(&self, user: UserId, at: Option<Position>) -> Stored<Group> {
        let sockets = self.table.of_user(user).await?;
        let recipients =
            sockets.into_iter().map(|s| Recipient { connection: s.id, until: s.session_expires_at, reason: None });
        Ok(Group { channel: Channel::User(user), at, recipients: recipients.collect() })
    }

    /// A topic's subscribers, or everybody: the first job asks every shard, what is not finished goes on by itself.
    async fn shared(
        &self,
        message: &Message,
        channel: &Channel,
        at: Option<Position>,
        cursor: Option<Cursor>,
        limits: &Limits<'_>,
    ) -> Stored<Outcome> {
        let starts = match cursor {
            Some(cursor) => vec![cursor],
            None => (0..SHARDS).map(|shard| Cursor { shard, after: None }).collect(),
        };
        let pages: Vec<(u8, Stored<Page>)> = stream::iter(starts)
            .map(|from| async move { (from.shard, self.table.page(channel, from.shard, from.after.as_ref()).await) })
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        let mut recipients = Vec::new();
        let mut rest = Vec::new();
        for (shard, page) in pages {
            let page = page?;
            recipients.extend(page.recipients);
            rest.extend(page.next.map(|next| Cursor { shard, after: Some(next) }));
        }
        let group = Group { channel: channel.clone(), at, recipients };
        if rest.is_empty() {
            return self.give_out(message, vec![group], limits).await;
        }
        self.enqueue_chunks(message, vec![group]).await?;
        for cursor in rest {
            let job = Job::Channel { message: message.clone(), channel: channel.clone(), at, cursor: Some(cursor) };
            self.queue.enqueue(&job, 0).await?;
        }
        Ok(Outcome::Done)
    }

    /// What fits into one chunk is posted here and now; more is shared out.
    async fn give_out(&self, message: &Message, groups: Vec<Group>, limits: &Limits<'_>) -> Stored<Outcome> {
        let count: usize = groups.iter().map(|group| group.recipients.len()).sum();
        if count <= MAX_RECIPIENTS {
            return self.deliver(message, groups, 1, limits).await;
        }
        self.enqueue_chunks(message, groups).await?;
        Ok(Outcome::Done)
    }

    async fn enqueue_chunks(&self, message: &Message, groups: Vec<Group>) -> Stored<()> {
        for groups in chunks(groups) {
            self.queue.enqueue(&Job::Deliver { message: message.clone(), groups, attempt: 1 }, 0).await?;
        }
        Ok(())
    }
}
