//! SQS with everything that it may do: records are delayed, repeated and reordered, and none is lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_push::close::CloseRequest;
use holdfast_push::ids::{ConnectionId, MessageId};
use holdfast_push::job::{Job, Lane};
use holdfast_push::ports::{CloseQueue, DeadLetters, JobQueue};
use holdfast_push::publish::Queued;
use holdfast_sessions::ports::{Clock as _, StoreResult};
use holdfast_testkit::seeded::SeededHost;

/// The time until a record that failed is visible again.
const VISIBILITY_MILLIS: i64 = 360_000;

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) job: Job,
    /// How often the record failed.
    failures: u32,
    is_repeat: bool,
}

#[derive(Default)]
struct State {
    ready: BTreeMap<(i64, u64), Record>,
    next: u64,
    dead: Vec<(ConnectionId, MessageId, String)>,
    /// Times a message's first job was there beyond the first.
    repeated_messages: HashMap<MessageId, u32>,
    /// Times a chunk with this recipient was there beyond the first.
    repeated_pairs: HashMap<(ConnectionId, MessageId), u32>,
    handed: HashMap<MessageId, u32>,
    repeats: u64,
}

#[derive(Clone)]
pub(crate) struct Queue {
    state: Arc<Mutex<State>>,
    host: SeededHost,
}

impl Queue {
    pub(crate) fn new(host: SeededHost) -> Self {
        Self { state: Arc::default(), host }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, record: Record, at: i64) {
        let mut state = self.lock();
        state.next += 1;
        let key = (at, state.next);
        state.ready.insert(key, record);
    }

    /// The next record that is due.
    pub(crate) fn take(&self) -> Option<Record> {
        let now = self.host.now().get();
        let mut state = self.lock();
        let entry = state.ready.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// When the next record is due; `None` when there is none at all.
    pub(crate) fn due(&self) -> Option<i64> {
        self.lock().ready.keys().next().map(|(at, _)| *at)
    }

    /// Deletes a record that was processed. SQS delivers one in twenty again all the same.
    pub(crate) fn done(&self, record: Record) {
        if !record.is_repeat && self.host.draw().is_multiple_of(20) {
            self.again(record.job.clone());
            let later = self.host.now().get() + 100;
            self.put(Record { is_repeat: true, ..record }, later);
        }
    }

    /// Makes a record that failed visible again.
    pub(crate) fn failed(&self, record: Record) {
        assert!(record.failures < 4, "the queue would give it up: {:?}", record.job);
        self.again(record.job.clone());
        let later = self.host.now().get() + VISIBILITY_MILLIS;
        self.put(Record { failures: record.failures + 1, ..record }, later);
    }

    /// Its recipients may be posted to once more than they need.
    fn again(&self, job: Job) {
        let mut state = self.lock();
        state.repeats += 1;
        match job {
            Job::Users { message, .. } | Job::Channel { message, .. } => {
                *state.repeated_messages.entry(message.id).or_default() += 1;
            }
            Job::Deliver { message, groups, .. } => {
                for recipient in groups.into_iter().flat_map(|group| group.recipients) {
                    *state.repeated_pairs.entry((recipient.connection, message.id)).or_default() += 1;
                }
            }
        }
    }

    pub(crate) fn dead(&self) -> Vec<(ConnectionId, MessageId, String)> {
        self.lock().dead.clone()
    }

    /// How often this pair may have been worked on beyond the first time.
    pub(crate) fn repeats_of(&self, pair: &(ConnectionId, MessageId)) -> u32 {
        let state = self.lock();
        let of = |counts: &HashMap<MessageId, u32>| counts.get(&pair.1).copied().unwrap_or_default();
        of(&state.repeated_messages)
            + of(&state.handed).saturating_sub(1)
            + state.repeated_pairs.get(pair).copied().unwrap_or_default()
    }

    pub(crate) fn repeats(&self) -> u64 {
        self.lock().repeats
    }
}

impl JobQueue for Queue {
    async fn enqueue(&self, job: &Job, delay_seconds: u32) -> StoreResult<()> {
        if matches!(job, Job::Users { .. } | Job::Channel { cursor: None, .. }) {
            *self.lock().handed.entry(job.message().id).or_default() += 1;
        }
        // Records overtake one another.
        let jitter = (self.host.draw() % 50) as i64;
        let at = self.host.now().get() + i64::from(delay_seconds) * 1_000 + jitter;
        self.put(Record { job: job.clone(), failures: 0, is_repeat: false }, at);
        Ok(())
    }

    async fn hand_in(&self, _queued: &Queued, _delay_seconds: u32) -> StoreResult<()> {
        unreachable!("nobody publishes through the queue here")
    }
}

impl DeadLetters for Queue {
    async fn dead_letter(&self, _lane: Lane, job: &Job) -> StoreResult<()> {
        let Job::Deliver { message, groups, .. } = job else { unreachable!("only deliveries are buried") };
        let mut state = self.lock();
        for recipient in groups.iter().flat_map(|group| &group.recipients) {
            let reason = recipient.reason.clone().unwrap_or_default();
            state.dead.push((recipient.connection.clone(), message.id, reason));
        }
        Ok(())
    }
}

impl CloseQueue for Queue {
    async fn ask(&self, _request: &CloseRequest, _delay_seconds: u32) -> StoreResult<()> {
        unreachable!("nobody has sockets enough to lose one")
    }
}
