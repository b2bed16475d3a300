//! The queues of push behind their ports.

use holdfast_push::close::CloseRequest;
use holdfast_push::job::{Job, Lane};
use holdfast_push::ports::{CloseQueue, DeadLetters, JobQueue};
use holdfast_push::publish::Queued;
use holdfast_sessions::ports::StoreResult;

use crate::Queue;
use crate::wire::{close_request_to_json, job_to_json, queued_to_json};

/// The queue `close`.
#[derive(Clone, Debug)]
pub struct Closing(pub Queue);

impl CloseQueue for Closing {
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
    async fn enqueue(&self, job: &Job, delay_seconds: u32) -> StoreResult<()> {
        self.of(job.lane()).send(job_to_json(job), delay_seconds).await
    }

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
    async fn enqueue(&self, job: &Job, delay_seconds: u32) -> StoreResult<()> {
        self.lanes.enqueue(job, delay_seconds).await
    }

    async fn hand_in(&self, queued: &Queued, delay_seconds: u32) -> StoreResult<()> {
        self.lanes.hand_in(queued, delay_seconds).await
    }
}

impl DeadLetters for LanesWithDeadLetters {
    async fn dead_letter(&self, lane: Lane, job: &Job) -> StoreResult<()> {
        self.dead.of(lane).send(job_to_json(job), 0).await
    }
}
