//! Finds the sockets of a target, page by page. It queues the chunks first, then the places at which to continue, and
//! then reports success. It begins no further user and no post after the deadline.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{Clock, Rng, SessionReads, StoreError, StoreResult};

use super::append::append_all;
use super::deliver::{FanOut, IN_FLIGHT, Limits, WorkOutcome};
use crate::channel::{Channel, Position, SHARDS};
use crate::job::{Cursor, Group, Job, MAX_RECIPIENTS, Recipient, chunks, wait_for_progress};
use crate::message::Message;
use crate::ports::{Audience, Channels, Count, DeadLetters, DeliveryMetrics, Gateway, JobQueue, Page, Sockets};

/// The number of users whose channels and sockets are read at once.
const USERS_AT_ONCE: usize = 16;

/// The results for the users of one message.
#[derive(Default)]
struct Share {
    groups: Vec<Group>,
    /// Their channels are written too fast, or the table is throttled. That costs no delivery of the record.
    busy: Vec<UserId>,
    /// There was no time for them.
    untried: Vec<UserId>,
    /// Their channels or sockets could not be read or written.
    failed: Vec<UserId>,
    /// The error of one of them.
    error: Option<StoreError>,
}

impl<R, T, G, Q, M, H> FanOut<R, T, G, Q, M, H>
where
    R: SessionReads,
    T: Sockets + Channels + Audience,
    G: Gateway,
    Q: JobQueue + DeadLetters,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    /// Does one job within `limits`. After an error, or [`WorkOutcome::Again`], the queue delivers the same record
    /// again.
    pub async fn work(&self, job: Job, limits: &Limits<'_>) -> StoreResult<WorkOutcome> {
        match job {
            Job::Users { message, users } => {
                self.users(vec![(message, users)], limits).await.pop().unwrap_or(Ok(WorkOutcome::Done))
            }
            Job::Channel { message, channel: Channel::User(user), at, .. } => {
                let group = self.sockets_of(user, at).await?;
                self.give_out(&message, vec![group], limits).await
            }
            Job::Channel { message, channel, at, cursor } => self.shared(&message, &channel, at, cursor, limits).await,
            Job::Deliver { message, groups, attempt } => self.deliver(&message, groups, attempt, limits).await,
        }
    }

    /// Delivers several messages to many users each, as one invocation finds them in its records. A user who receives
    /// more than one of them gets all in one transaction, in this order. Returns the result for the record of each
    /// message.
    pub async fn users(&self, jobs: Vec<(Message, Vec<UserId>)>, limits: &Limits<'_>) -> Vec<StoreResult<WorkOutcome>> {
        let (messages, lists): (Vec<Message>, Vec<Vec<UserId>>) = jobs.into_iter().unzip();
        // By user, the messages that go there.
        let mut wanted: BTreeMap<UserId, Vec<usize>> = BTreeMap::new();
        let now = self.host.now();
        for (index, users) in lists.into_iter().enumerate() {
            // Nobody reads an expired message. So the requeuing of its users ends here.
            if !messages[index].is_current(now) {
                self.tally.add(Count::Expired, users.len());
                continue;
            }
            for user in users {
                wanted.entry(user).or_default().push(index);
            }
        }
        let messages = &messages;
        let mut found = stream::iter(wanted)
            .map(|(user, which)| async move {
                let groups = self.user(user, which.iter().map(|index| &messages[*index]), limits).await;
                (user, which, groups)
            })
            .buffer_unordered(USERS_AT_ONCE);
        let mut shares: Vec<Share> = messages.iter().map(|_| Share::default()).collect();
        while let Some((user, which, groups)) = found.next().await {
            match groups {
                Ok(Some(groups)) => {
                    which.iter().zip(groups).for_each(|(index, group)| shares[*index].groups.push(group))
                }
                Ok(None) => which.iter().for_each(|index| shares[*index].untried.push(user)),
                Err(StoreError::Conflict(_) | StoreError::Throttled(_)) => {
                    which.iter().for_each(|index| shares[*index].busy.push(user));
                }
                Err(error) => which.iter().for_each(|index| {
                    shares[*index].failed.push(user);
                    shares[*index].error = Some(error.clone());
                }),
            }
        }
        let given = messages.iter().zip(shares).map(|(message, share)| self.give(message, share, limits));
        join_all(given).await
    }

    /// Queues the users of one message that are left, and delivers to the others.
    async fn give(&self, message: &Message, share: Share, limits: &Limits<'_>) -> StoreResult<WorkOutcome> {
        let others = share.groups.len() + share.busy.len() + share.untried.len();
        if let Some(error) = share.error.filter(|_| others == 0) {
            return Err(error);
        }
        // An append costs no delivery attempt: these users are tried until it succeeds or the message expires. Users who
        // failed are separated from the others, and fail in a record of their own.
        self.tally.add(Count::AppendDelayed, share.busy.len());
        let wait = wait_for_progress(message.sent_at, self.host.now());
        // The users for whom there was no time continue at once, if others were served.
        let is_stuck = share.groups.is_empty() && share.busy.is_empty() && share.failed.is_empty();
        let next = if is_stuck { wait } else { 0 };
        for (users, delay) in [(share.busy, wait), (share.untried, next), (share.failed, wait)] {
            if !users.is_empty() {
                self.queue.enqueue(&Job::Users { message: message.clone(), users }, delay).await?;
            }
        }
        self.give_out(message, share.groups, limits).await
    }

    /// Appends the messages to the channel of one user. Returns the user's sockets for each message at its position, or
    /// `None` if there is no time left.
    async fn user(
        &self,
        user: UserId,
        messages: impl Iterator<Item = &Message>,
        limits: &Limits<'_>,
    ) -> StoreResult<Option<Vec<Group>>> {
        if self.host.now() >= limits.deadline {
            return Ok(None);
        }
        let messages: Vec<&Message> = messages.collect();
        let kept: Vec<&Message> = messages.iter().copied().filter(|message| !message.ephemeral).collect();
        let mut places = append_all(&self.table, &self.host, &Channel::User(user), &kept).await?.into_iter();
        let group = self.sockets_of(user, None).await?;
        let at = |message: &&Message| if message.ephemeral { None } else { places.next() };
        Ok(Some(messages.iter().map(at).map(|at| Group { at, ..group.clone() }).collect()))
    }

    async fn sockets_of(&self, user: UserId, at: Option<Position>) -> StoreResult<Group> {
        let sockets = self.table.of_user(user).await?;
        let recipients =
            sockets.into_iter().map(|s| Recipient { connection: s.id, until: s.session_expires_at, reason: None });
        Ok(Group { channel: Channel::User(user), at, recipients: recipients.collect() })
    }

    /// Delivers to the subscribers of a topic, or to all sockets. The first job reads every shard. Each shard that has
    /// more pages continues as a job of its own.
    async fn shared(
        &self,
        message: &Message,
        channel: &Channel,
        at: Option<Position>,
        cursor: Option<Cursor>,
        limits: &Limits<'_>,
    ) -> StoreResult<WorkOutcome> {
        if !message.is_current(self.host.now()) {
            self.tally.add(Count::Expired, 1);
            return Ok(WorkOutcome::Done);
        }
        let after = cursor.as_ref().and_then(|cursor| cursor.after.clone());
        let starts = match cursor {
            Some(cursor) => vec![cursor],
            None => (0..SHARDS).map(|shard| Cursor { shard, after: None }).collect(),
        };
        let pages: Vec<(u8, StoreResult<Page>)> = stream::iter(starts)
            .map(|from| async move { (from.shard, self.table.page(channel, from.shard, from.after.as_ref()).await) })
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        let mut recipients = Vec::new();
        let mut rest = Vec::new();
        for (shard, page) in pages {
            let page = page?;
            recipients.extend(page.recipients);
            // Each page begins after the one before. A job that continued where it began would never end.
            if page.next.is_some() && page.next == after {
                return Err(StoreError::Corrupt("a page that continues where it began".into()));
            }
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
        Ok(WorkOutcome::Done)
    }

    /// Posts at once if the recipients fit into one chunk, and queues chunks otherwise.
    async fn give_out(&self, message: &Message, groups: Vec<Group>, limits: &Limits<'_>) -> StoreResult<WorkOutcome> {
        let count: usize = groups.iter().map(|group| group.recipients.len()).sum();
        if count <= MAX_RECIPIENTS {
            return self.deliver(message, groups, 1, limits).await;
        }
        self.enqueue_chunks(message, groups).await?;
        Ok(WorkOutcome::Done)
    }

    async fn enqueue_chunks(&self, message: &Message, groups: Vec<Group>) -> StoreResult<()> {
        for groups in chunks(groups) {
            self.queue.enqueue(&Job::Deliver { message: message.clone(), groups, attempt: 1 }, 0).await?;
        }
        Ok(())
    }
}
