//! Accepts messages. With an idempotency key, the request is stored before anything is done. A repetition then repeats
//! the stored request, not its own.

use holdfast_sessions::ports::{Clock, Rng, StoreError, StoreResult};
use holdfast_sessions::{Code, Failure, Millis};

use super::append::{append, append_unrepeated};
use crate::ids::MessageId;
use crate::job::{Job, MAX_USERS, wait_for_progress};
use crate::ports::{Begun, Channels, Count, DeliveryMetrics, JobQueue, PublishKeys};
use crate::publish::{Answer, Pending, Publish, PublishKey, Queued, Target};

/// The time after which a publisher may retry when a channel is too busy.
const BUSY_SECONDS: u32 = 1;

/// The use case of accepting messages.
#[derive(Clone, Debug)]
pub struct Publisher<T, Q, M, H> {
    /// The table of keys and channels.
    pub table: T,
    /// The queue of deliveries.
    pub queue: Q,
    /// The counters of the metrics.
    pub tally: M,
    /// The clock, the timer and the random source.
    pub host: H,
}

/// An accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The answer to the publisher.
    pub answer: Answer,
    /// Whether an earlier call used the same key.
    pub duplicate: bool,
}

impl<T, Q, M, H> Publisher<T, Q, M, H>
where
    T: Channels + PublishKeys,
    Q: JobQueue,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    /// Accepts `publish` from `publisher`.
    pub async fn publish(&self, publisher: &str, publish: &Publish) -> Result<Published, Failure> {
        let id = MessageId::from_bytes(self.host.random());
        let may_be_repeated = publish.idempotency_key.is_some();
        self.accept(publisher, publish, id, self.host.now(), may_be_repeated).await.map_err(busy)
    }

    /// Accepts a publish from the queue. If a channel is too busy or the table is throttled, the publish is sent to the
    /// queue again, until its message expires. That costs no delivery of the record.
    pub async fn publish_queued(&self, queued: &Queued) -> Result<Option<Published>, Failure> {
        match self.accept(&queued.publisher, &queued.publish, queued.id, queued.sent_at, true).await {
            Err(StoreError::Conflict(_) | StoreError::Throttled(_)) => {
                let now = self.host.now();
                // Nobody reads an expired message. So the requeuing ends with it.
                if queued.publish.message(queued.id, queued.sent_at).is_current(now) {
                    self.queue.hand_in(queued, wait_for_progress(queued.sent_at, now)).await?;
                } else {
                    self.tally.add(Count::Expired, 1);
                }
                Ok(None)
            }
            accepted => accepted.map(Some).map_err(busy),
        }
    }

    /// `may_be_repeated` says whether another call may accept the message with the same id, because its caller or a queue
    /// repeats it.
    async fn accept(
        &self,
        publisher: &str,
        publish: &Publish,
        id: MessageId,
        sent_at: Millis,
        may_be_repeated: bool,
    ) -> StoreResult<Published> {
        let key = publish.idempotency_key.as_deref().map(|key| PublishKey::new(publisher, key));
        let now = self.host.now();
        let fresh = Pending { target: publish.target.clone(), message: publish.message(id, sent_at) };
        let (pending, duplicate) = match &key {
            None => (fresh, false),
            Some(key) => match self.table.begin_publish(key, &fresh, now).await? {
                Begun::New => (fresh, false),
                Begun::Pending(stored) => (stored, true),
                Begun::Queued(answer) => {
                    return Ok(Published { answer, duplicate: true });
                }
            },
        };
        let answer = self.hand_over(&pending, may_be_repeated).await?;
        if let Some(key) = &key {
            self.table.finish_publish(key, &answer).await?;
        }
        self.tally.add(Count::Accepted, 1);
        Ok(Published { answer, duplicate })
    }

    /// Appends the message if it goes to one channel, then queues the deliveries. It can be repeated at any point.
    async fn hand_over(&self, pending: &Pending, may_be_repeated: bool) -> StoreResult<Answer> {
        let message = &pending.message;
        let recipients = match &pending.target {
            Target::Users(users) => Some(u32::try_from(users.len()).unwrap_or(u32::MAX)),
            Target::Topic(_) | Target::Broadcast => None,
        };
        let Some(channel) = pending.target.channel() else {
            if let Target::Users(users) = &pending.target {
                for slice in users.chunks(MAX_USERS) {
                    let job = Job::Users { message: message.clone(), users: slice.to_vec() };
                    self.queue.enqueue(&job, 0).await?;
                }
            }
            return Ok(Answer { message_id: message.id, recipients, channel: None, offset: None });
        };
        let at = match (message.ephemeral, may_be_repeated) {
            (true, _) => None,
            (false, true) => Some(append(&self.table, &self.host, &channel, message).await?),
            (false, false) => Some(append_unrepeated(&self.table, &self.host, &channel, message).await?),
        };
        let job = Job::Channel { message: message.clone(), channel: channel.clone(), at, cursor: None };
        self.queue.enqueue(&job, 0).await?;
        Ok(Answer { message_id: message.id, recipients, channel: Some(channel), offset: at.map(|at| at.offset) })
    }
}

fn busy(error: StoreError) -> Failure {
    match error {
        StoreError::Conflict(_) => Failure::new(
            Code::ChannelBusy,
            "The channel is written faster than messages can be ordered; send it again, with the same idempotencyKey.",
        )
        .retry_after(BUSY_SECONDS),
        other => other.into(),
    }
}
