//! Queues and counters in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_push::close::CloseRequest;
use holdfast_push::ids::MessageId;
use holdfast_push::job::{Job, Lane};
use holdfast_push::ports::{CloseQueue, Count, DeadLetters, DeliveryMetrics, JobQueue, Redelivery};
use holdfast_push::publish::Queued;
use holdfast_push::record::Received;
use holdfast_sessions::ports::{StoreError, StoreResult};

#[derive(Debug, Default)]
struct Queues {
    jobs: VecDeque<(Job, u32)>,
    handed_in: VecDeque<(Queued, u32)>,
    dead: Vec<(Lane, Job)>,
    close: VecDeque<(CloseRequest, u32)>,
    copies: VecDeque<(Received, u32)>,
    /// Sends that still succeed; then they fail.
    sends: Option<usize>,
}

/// All queues of push. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryQueues(Arc<Mutex<Queues>>);

impl MemoryQueues {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next `n` sends succeed and later ones fail. With `None` all succeed.
    pub fn fail_after(&self, n: Option<usize>) {
        self.lock().sends = n;
    }

    /// Takes the oldest job, with its delay.
    pub fn next_job(&self) -> Option<(Job, u32)> {
        self.lock().jobs.pop_front()
    }

    /// Takes the oldest publish that was sent to be accepted, with its delay.
    pub fn next_handed_in(&self) -> Option<(Queued, u32)> {
        self.lock().handed_in.pop_front()
    }

    /// Takes the oldest close request, with its delay.
    pub fn next_close(&self) -> Option<(CloseRequest, u32)> {
        self.lock().close.pop_front()
    }

    /// Takes the oldest copy of a record, with its delay.
    pub fn next_copy(&self) -> Option<(Received, u32)> {
        self.lock().copies.pop_front()
    }

    /// The jobs that were dead-lettered.
    pub fn dead(&self) -> Vec<(Lane, Job)> {
        self.lock().dead.clone()
    }

    fn send(&self) -> StoreResult<MutexGuard<'_, Queues>> {
        let mut state = self.lock();
        match &mut state.sends {
            Some(0) => return Err(StoreError::Unavailable("queue".into())),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }
}

impl JobQueue for MemoryQueues {
    async fn enqueue(&self, job: &Job, delay_seconds: u32) -> StoreResult<()> {
        self.send()?.jobs.push_back((job.clone(), delay_seconds));
        Ok(())
    }

    async fn hand_in(&self, queued: &Queued, delay_seconds: u32) -> StoreResult<()> {
        self.send()?.handed_in.push_back((queued.clone(), delay_seconds));
        Ok(())
    }
}

impl DeadLetters for MemoryQueues {
    async fn dead_letter(&self, lane: Lane, job: &Job) -> StoreResult<()> {
        self.send()?.dead.push((lane, job.clone()));
        Ok(())
    }
}

impl Redelivery for MemoryQueues {
    async fn redeliver(&self, record: &Received, delay_seconds: u32) -> StoreResult<()> {
        self.send()?.copies.push_back((record.clone(), delay_seconds));
        Ok(())
    }
}

impl CloseQueue for MemoryQueues {
    async fn ask(&self, request: &CloseRequest, delay_seconds: u32) -> StoreResult<()> {
        self.send()?.close.push_back((request.clone(), delay_seconds));
        Ok(())
    }
}

/// The counters of deliveries. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Mutex<HashMap<Count, usize>>>, Arc<Mutex<Vec<(MessageId, i64)>>>);

impl Counters {
    /// How long each delivery took after its acceptance, in milliseconds and in the order of the deliveries.
    pub fn latencies(&self) -> Vec<(MessageId, i64)> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The value of a counter.
    pub fn of(&self, what: Count) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&what).copied().unwrap_or_default()
    }
}

impl DeliveryMetrics for Counters {
    fn add(&self, what: Count, n: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += n;
    }

    fn latency(&self, message: MessageId, millis: i64) {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push((message, millis));
    }
}
