//! Delivers messages. Each record succeeds or fails alone. A record that cannot be read ends in the dead-letter queue.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use holdfast_push::budget::RateLimiters;
use holdfast_push::channel::Channel;
use holdfast_push::job::Job;
use holdfast_push::ports::{
    Audience, Channels, DeadLetters, DeliveryMetrics, Gateway, JobQueue, PublishKeys, Redelivery, Sockets,
};
use holdfast_push::publish::Queued;
use holdfast_push::record::Received;
use holdfast_push::service::{FanOut, Limits, Publisher, WorkOutcome};
use holdfast_push_wiring::wire::{MessageOrigin, Unreadable, Work, work_from_json};
use holdfast_push_wiring::{
    self as providers, LiveConnections, LiveGateway, LiveLanes, LiveLanesWithDeadLetters, LiveSessionsTable, Metrics,
};
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::queue::{self, RecordResult, SqsEvent, SqsMessage};
use holdfast_runtime::{ConfigError, Env, System, metrics};
use holdfast_sessions::ports::{Clock, Rng, SessionReads, StoreError, StoreResult};
use holdfast_sessions::{Code, Millis};
use serde_json::Value;

use crate::record::{again, received};

/// Time that is reserved for what follows the last post. The post and its probe take 3 s each at most, and two reads take 2.6 s. Up to
/// three messages for the rest take 7.5 s.
const RESERVE: Duration = Duration::from_secs(17);
/// Groups of records at once. Terraform reckons with this number of posts in flight in a worker for direct messages
/// (infra/stacks/push/budget.tf).
const AT_ONCE: usize = 10;
/// The places of a group that may have 32 posts in flight. So two of them run at once, and a worker has 64 posts in flight.
const HEAVY: usize = 5;

/// The dependencies of `push-fanout`.
pub struct Deps<R, T, G, F, Q, M, H> {
    pub(crate) fan_out: FanOut<R, T, G, F, M, H>,
    /// Publishes the records of services that send to the queue instead of calling `POST /v1/messages`.
    pub(crate) publisher: Publisher<T, Q, M, H>,
    /// Posts a second of one invocation, for direct messages and for broadcasts: the budget's share ÷ workers at once.
    pub(crate) shares: (u32, u32),
}

impl Deps<LiveSessionsTable, LiveConnections, LiveGateway, LiveLanesWithDeadLetters, LiveLanes, Metrics, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let share =
            |variable, default| env.int(variable, 1..=10_000, default).map(|share| u32::try_from(share).unwrap_or(1));
        // If Terraform sets no value: 2 000 posts a second for each lane, by ten and by five workers.
        let shares = (share("PUSH_POSTS_PER_SECOND", 200)?, share("BROADCAST_POSTS_PER_SECOND", 400)?);
        let sdk = providers::sdk(env);
        let (fan_out, publisher) = (providers::fan_out(env, &sdk).await?, providers::publisher(env, &sdk).await?);
        Ok(Self { fan_out, publisher, shares })
    }
}

/// Handles a batch of the queue `push` or `broadcast`.
pub async fn handle<R, T, G, F, Q, M, H>(
    deps: &'static Deps<R, T, G, F, Q, M, H>,
    event: SqsEvent,
    budget: Duration,
) -> Result<Value, InvocationError>
where
    R: SessionReads,
    T: Sockets + Channels + Audience + PublishKeys,
    G: Gateway,
    F: JobQueue + DeadLetters + Redelivery,
    Q: JobQueue,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    let pace = Arc::new(RateLimiters::new(deps.shares.0, deps.shares.1, deps.fan_out.host.now()));
    let work = move |group, left| work(deps, pace.clone(), group, left);
    Ok(queue::in_groups(grouped(event.records, deps.fan_out.host.now()), budget, AT_ONCE, weight, work).await)
}

/// A message to one user is one post for each of the user's few sockets, and a publish is none. Everything else may be many posts.
fn weight(group: &[Read]) -> usize {
    match group {
        [(_, Ok(Work::Job(Job::Channel { channel: Channel::User(_), .. })))] => 1,
        [(_, Ok(Work::Publish(_)) | Err(_))] => 1,
        _ => HEAVY,
    }
}

/// A record, and what was read from it.
type Read = (Received, Result<Work, Unreadable>);

/// Groups the records of a batch. Messages to many users stay together, so that a user who gets several of them gets them in
/// one transaction. Every other record is a group of its own, also one that cannot be read.
fn grouped(records: Vec<SqsMessage>, now: Millis) -> Vec<Vec<(String, Read)>> {
    let read = |record: SqsMessage| {
        let id = queue::id_of(&record);
        let record = received(record, now);
        let origin = MessageOrigin { record: &record.id, sender: &record.sender, sent_at: record.sent_at };
        let read = work_from_json(&record.body, origin);
        if let Err(error) = &read {
            unreadable(&id, error);
        }
        (id, (record, read))
    };
    let is_users = |(_, (_, read)): &(String, Read)| matches!(read, Ok(Work::Job(Job::Users { .. })));
    let (users, others): (Vec<_>, Vec<_>) = records.into_iter().map(read).partition(is_users);
    let mut groups: Vec<_> = others.into_iter().map(|record| vec![record]).collect();
    if !users.is_empty() {
        groups.push(users);
    }
    groups
}

async fn work<R, T, G, F, Q, M, H>(
    deps: &'static Deps<R, T, G, F, Q, M, H>,
    pace: Arc<RateLimiters>,
    group: Vec<Read>,
    left: Duration,
) -> Vec<RecordResult>
where
    R: SessionReads,
    T: Sockets + Channels + Audience + PublishKeys,
    G: Gateway,
    F: JobQueue + DeadLetters + Redelivery,
    Q: JobQueue,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    let usable = i64::try_from(left.saturating_sub(RESERVE).as_millis()).unwrap_or(i64::MAX);
    let limits = Limits { deadline: deps.fan_out.host.now().plus_millis(usable), pace: &pace };
    let (mut users, mut records) = (Vec::new(), Vec::new());
    let mut done = Vec::new();
    for (record, read) in group {
        let outcome = match read {
            Ok(Work::Job(Job::Users { message, users: list })) => {
                users.push((message, list));
                records.push(record);
                continue;
            }
            Ok(Work::Job(job)) => deps.fan_out.work(job, &limits).await,
            Ok(Work::Publish(queued)) => publish(&deps.publisher, &queued).await,
            // The queue delivers this record again. After the last delivery, the queue moves the unchanged record to its
            // dead-letter queue, where an operator can read it.
            Err(_) => {
                done.push(RecordResult::Retry);
                continue;
            }
        };
        done.push(finished(deps, record, outcome).await);
    }
    let outcomes = deps.fan_out.users(users, &limits).await;
    done.extend(
        join_all(records.into_iter().zip(outcomes).map(|(record, outcome)| finished(deps, record, outcome))).await,
    );
    done
}

async fn finished<R, T, G, F, Q, M, H>(
    deps: &Deps<R, T, G, F, Q, M, H>,
    record: Received,
    outcome: StoreResult<WorkOutcome>,
) -> RecordResult
where
    F: Redelivery,
    H: Clock + Rng,
{
    match outcome {
        Ok(WorkOutcome::Done) => RecordResult::Ack,
        Ok(WorkOutcome::Again) => {
            tracing::error!("posts are forbidden: check execute-api:ManageConnections and WS_CALLBACK_URL");
            RecordResult::Retry
        }
        Err(error) => again(&deps.fan_out.queue, &deps.fan_out.host, record, &error).await,
    }
}

fn unreadable(id: &str, error: &Unreadable) {
    metrics::count("PUSH_UNREADABLE");
    tracing::error!(%error, message_id = id, "a record cannot be read");
}

async fn publish<T, Q, M, H>(publisher: &Publisher<T, Q, M, H>, queued: &Queued) -> StoreResult<WorkOutcome>
where
    T: Channels + PublishKeys,
    Q: JobQueue,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    let failure = match publisher.publish_queued(queued).await {
        Ok(_) => return Ok(WorkOutcome::Done),
        Err(failure) => failure,
    };
    let what = format!("publish: {}: {}", failure.code.as_str(), failure.detail);
    // A store that cannot be reached may be reached soon; every other failure needs an operator.
    Err(if failure.code == Code::Unavailable { StoreError::Unavailable(what) } else { StoreError::Corrupt(what) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(bodies: &[String]) -> Vec<SqsMessage> {
        let records: Vec<_> =
            bodies.iter().enumerate().map(|(n, body)| json!({"messageId": n.to_string(), "body": body})).collect();
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        event.records
    }

    #[test]
    fn only_messages_to_many_users_stay_together() {
        let message = r#""message":{"id":"AAAAAAAAAAAAAAAAAAAAAA","kind":"k","data":1,"sentAt":1,"expiresAt":2,"ephemeral":false}"#;
        let users = format!(r#"{{"v":1,"kind":"users",{message},"users":["AAAAAAAAAAAAAAAAAAAAAA"]}}"#);
        let channel = format!(r#"{{"v":1,"kind":"channel",{message},"channel":"broadcast"}}"#);
        let bodies = [users.clone(), "poison".into(), channel, users];
        let ids: Vec<Vec<String>> = grouped(records(&bodies), Millis::new(1))
            .into_iter()
            .map(|group| group.into_iter().map(|(id, _)| id).collect())
            .collect();
        assert_eq!(ids, [vec!["1"], vec!["2"], vec!["0", "3"]]);
    }

    #[test]
    fn only_records_of_few_posts_are_handled_ten_at_once() {
        let message = r#""message":{"id":"AAAAAAAAAAAAAAAAAAAAAA","kind":"k","data":1,"sentAt":1,"expiresAt":2,"ephemeral":false}"#;
        let channel = |name: &str| format!(r#"{{"v":1,"kind":"channel",{message},"channel":"{name}"}}"#);
        let publish = r#"{"v":1,"kind":"publish","publish":{"to":{"broadcast":true},"kind":"k","data":1}}"#.to_owned();
        let users = format!(r#"{{"v":1,"kind":"users",{message},"users":["AAAAAAAAAAAAAAAAAAAAAA"]}}"#);
        let deliver = format!(r#"{{"v":1,"kind":"deliver",{message},"groups":[],"attempt":1}}"#);
        for (body, expected) in [
            (channel("user:AAAAAAAAAAAAAAAAAAAAAA"), 1),
            (publish, 1),
            ("poison".into(), 1),
            (channel("topic:t"), HEAVY),
            (channel("broadcast"), HEAVY),
            (users, HEAVY),
            (deliver, HEAVY),
        ] {
            let mut groups = grouped(records(std::slice::from_ref(&body)), Millis::new(1));
            let group: Vec<Read> = groups.remove(0).into_iter().map(|(_, read)| read).collect();
            assert_eq!(weight(&group), expected, "{body}");
        }
    }
}
