//! The queues of push behind their ports.

use holdfast_push::close::CloseRequest;
use holdfast_push::job::{Job, Lane};
use holdfast_push::ports::{CloseQueue, DeadLetters, JobQueue, Redelivery};
use holdfast_push::publish::Queued;
use holdfast_push::record::Received;
use holdfast_sessions::ports::{StoreError, StoreResult};

use crate::Queue;
use crate::wire::{close_request_to_json, job_to_json, queued_to_json};

/// The queue `close`.
#[derive(Clone, Debug)]
pub struct Closing(pub Queue);

impl CloseQueue for Closing {
    #[inline]
    async fn ask(&self, request: &CloseRequest, delay_seconds: u32) -> StoreResult<()> {
        self.0.send(close_request_to_json(request), delay_seconds).await
    }
}

/// One queue per lane.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// The queue `push`.
    pub direct: Queue,
    /// The queue `broadcast`.
    pub broadcast: Queue,
}

impl Lanes {
    fn of(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Direct => &self.direct,
            Lane::Broadcast => &self.broadcast,
        }
    }
}

impl JobQueue for Lanes {
    #[inline]
    async fn enqueue(&self, job: &Job, delay_seconds: u32) -> StoreResult<()> {
        self.of(job.lane()).send(job_to_json(job), delay_seconds).await
    }

    #[inline]
    async fn hand_in(&self, queued: &Queued, delay_seconds: u32) -> StoreResult<()> {
        self.of(Lane::of_target(&queued.publish.target)).send(queued_to_json(queued), delay_seconds).await
    }
}

/// The lanes, and where each buries what it could not deliver.
#[derive(Clone, Debug)]
pub struct LanesWithDeadLetters {
    /// The queues of the lanes.
    pub lanes: Lanes,
    /// Their dead-letter queues.
    pub dead: Lanes,
}

impl JobQueue for LanesWithDeadLetters {
    #[inline]
    async fn enqueue(&self, job: &Job, delay_seconds: u32) -> StoreResult<()> {
        self.lanes.enqueue(job, delay_seconds).await
    }

    #[inline]
    async fn hand_in(&self, queued: &Queued, delay_seconds: u32) -> StoreResult<()> {
        self.lanes.hand_in(queued, delay_seconds).await
    }
}

impl DeadLetters for LanesWithDeadLetters {
    #[inline]
    async fn dead_letter(&self, lane: Lane, job: &Job) -> StoreResult<()> {
        self.dead.of(lane).send(job_to_json(job), 0).await
    }
}

/// The queue that a record came from, of these.
#[inline]
fn source<'a>(queues: &[&'a Queue], record: &Received) -> StoreResult<&'a Queue> {
    let found = queues.iter().find(|queue| queue.name() == record.queue);
    found.copied().ok_or_else(|| StoreError::Unavailable(format!("{} is not a queue of this reader", record.queue)))
}

impl Redelivery for LanesWithDeadLetters {
    #[inline]
    async fn redeliver(&self, record: &Received, delay_seconds: u32) -> StoreResult<()> {
        let Lanes { direct, broadcast } = &self.lanes;
        source(&[direct, broadcast], record)?.send_copy(record, delay_seconds).await
    }
}

impl Redelivery for Closing {
    #[inline]
    async fn redeliver(&self, record: &Received, delay_seconds: u32) -> StoreResult<()> {
        source(&[&self.0], record)?.send_copy(record, delay_seconds).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_sessions::Millis;
    use holdfast_testkit::SlowAws;

    use super::*;

    fn record(queue: &str) -> Received {
        Received {
            queue: queue.into(),
            body: "body".into(),
            id: "m1".into(),
            sender: "AROA:service".into(),
            sent_at: Millis::new(7),
            copy: 2,
        }
    }

    #[tokio::test]
    async fn a_copy_goes_to_the_queue_of_its_record_and_says_what_it_was() {
        let aws = SlowAws::start(Duration::ZERO, 200, r#"{"MessageId":"m2"}"#).await.unwrap();
        let config = aws.config().await;
        let queue =
            |name: &str| Queue::new(&config, format!("https://sqs.us-east-1.amazonaws.com/000000000000/{name}"));
        let lanes = |suffix: &str| Lanes {
            direct: queue(&format!("env-push{suffix}")),
            broadcast: queue(&format!("env-broadcast{suffix}")),
        };
        let both = LanesWithDeadLetters { lanes: lanes(""), dead: lanes("-dlq") };
        let closing = Closing(queue("env-close"));
        assert_eq!(both.redeliver(&record("env-push"), 2).await, Ok(()));
        assert_eq!(both.redeliver(&record("env-broadcast"), 2).await, Ok(()));
        assert_eq!(closing.redeliver(&record("env-close"), 2).await, Ok(()));
        let requests = aws.requests();
        for (request, name) in requests.iter().zip(["env-push", "env-broadcast", "env-close"]) {
            for part in [
                format!("000000000000/{name}\""),
                r#""DelaySeconds":2"#.to_owned(),
                r#""MessageBody":"body""#.to_owned(),
                r#""HoldfastMessageId":{"StringValue":"m1""#.to_owned(),
                r#""HoldfastSenderId":{"StringValue":"AROA:service""#.to_owned(),
                r#""HoldfastSentTimestamp":{"StringValue":"7""#.to_owned(),
                r#""HoldfastCopy":{"StringValue":"2""#.to_owned(),
            ] {
                assert!(request.contains(&part), "{part}: {request}");
            }
        }
        // A dead-letter queue has no reader, and neither has a queue of others.
        for other in ["env-push-dlq", "push", ""] {
            assert!(both.redeliver(&record(other), 2).await.is_err(), "{other}");
        }
        assert_eq!(aws.requests().len(), 3);
    }
}
