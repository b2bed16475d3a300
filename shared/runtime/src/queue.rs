//! The SQS edge: every record stands for itself, a bad one fails alone.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordResult {
    /// Finished; SQS deletes it.
    Ack,
    /// To be delivered again.
    Retry,
}

/// Handles each record alone, at most `at_once` of them at a time, each with the rest of the budget. Returns the
/// records that SQS must deliver again. A panic fails only its own record. Records for which the time is too short are
/// left for another invocation.
pub async fn together<F, Fut>(event: SqsEvent, budget: Duration, at_once: usize, handle: F) -> Value
where
    F: Fn(SqsMessage, Duration) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = RecordResult> + Send + 'static,
{
    let alone = event.records.into_iter().map(|record| vec![(id_of(&record), record)]).collect();
    in_groups(
        alone,
        budget,
        at_once,
        |_| 1,
        move |mut group, left| {
            let done = group.pop().map(|record| handle(record, left));
            async move {
                match done {
                    Some(done) => vec![done.await],
                    None => Vec::new(),
                }
            }
        },
    )
    .await
}

/// The id of a record as it is reported; a record without one cannot be.
pub fn id_of(record: &SqsMessage) -> String {
    record.message_id.clone().unwrap_or_default()
}

/// Handles groups of records as [`together`] handles single ones. Each record is its id and the data that was read from
/// it. There are `places`, and a group takes as many of them as `weight` says, at most all. `handle` returns the result of each
/// record of a group, in its order. A record without a result is delivered again.
pub async fn in_groups<T, F, Fut>(
    groups: Vec<Vec<(String, T)>>,
    budget: Duration,
    places: usize,
    weight: fn(&[T]) -> usize,
    handle: F,
) -> Value
where
    T: Send + 'static,
    F: Fn(Vec<T>, Duration) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Vec<RecordResult>> + Send + 'static,
{
    let started = Instant::now();
    let all = places.max(1);
    let places = Arc::new(Semaphore::new(all));
    let run = move |group: Vec<T>| {
        let (places, handle) = (places.clone(), handle.clone());
        let taken = u32::try_from(weight(&group).clamp(1, all)).unwrap_or(1);
        async move {
            let _places = places.acquire_many(taken).await;
            let left = budget.saturating_sub(started.elapsed());
            if left < Duration::from_millis(200) { Vec::new() } else { handle(group, left).await }
        }
    };
    let running: Vec<(Vec<String>, _)> = groups
        .into_iter()
        .map(|group| {
            let (ids, group) = group.into_iter().unzip();
            (ids, tokio::spawn(run(group)))
        })
        .collect();
    let mut again = Vec::new();
    for (ids, task) in running {
        let done = task.await.unwrap_or_else(|_| {
            tracing::error!(message_ids = ?ids, "a record's handler panicked");
            Vec::new()
        });
        for (index, id) in ids.into_iter().enumerate() {
            // An empty identifier would fail the whole batch.
            if done.get(index) != Some(&RecordResult::Ack) && !id.is_empty() {
                again.push(json!({"itemIdentifier": id}));
            }
        }
    }
    json!({"batchItemFailures": again})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bad_record_fails_alone() {
        let records: Vec<_> = (0..3).map(|i| json!({"messageId": format!("m{i}"), "body": i.to_string()})).collect();
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        let result = together(event, Duration::from_secs(5), 2, |record, _| async move {
            match record.body.as_deref() {
                Some("0") => RecordResult::Retry,
                Some("1") => panic!("poison"),
                _ => RecordResult::Ack,
            }
        })
        .await;
        assert_eq!(result, json!({"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}));
    }

    #[tokio::test]
    async fn of_a_group_only_those_come_back_that_are_not_finished() {
        let records = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), ())).collect();
        let groups = vec![records(&["a", "b", "c"]), records(&["d"])];
        let result = in_groups(
            groups,
            Duration::from_secs(5),
            2,
            |_| 1,
            |group, _| async move {
                match group.len() {
                    3 => vec![RecordResult::Ack, RecordResult::Retry],
                    _ => vec![RecordResult::Ack],
                }
            },
        )
        .await;
        assert_eq!(result, json!({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]}));
    }

    /// Four light groups fill the places together; a heavy one, and one that is heavier than all places, run alone.
    #[tokio::test]
    async fn groups_share_the_places_by_their_weight() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let weights = [1, 1, 1, 1, 4, 1, 9, 0];
        let groups = weights.map(|weight| vec![(format!("m{weight}"), weight)]).to_vec();
        let handle = |group: Vec<usize>, _| async move {
            let taken = group[0].clamp(1, 4);
            MOST.fetch_max(RUNNING.fetch_add(taken, SeqCst) + taken, SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            RUNNING.fetch_sub(taken, SeqCst);
            vec![RecordResult::Ack]
        };
        let result = in_groups(groups, Duration::from_secs(5), 4, |group| group[0], handle).await;
        assert_eq!(result, json!({"batchItemFailures": []}));
        assert_eq!(MOST.load(SeqCst), 4, "the places that were taken at most");
    }

    fn event(names: &[&str]) -> SqsEvent {
        let records: Vec<_> = names.iter().map(|name| json!({"messageId": name, "body": name})).collect();
        serde_json::from_value(json!({"Records": records})).unwrap()
    }

    /// An identifier that is empty or missing would fail the whole batch.
    #[tokio::test]
    async fn a_record_without_an_id_is_not_reported() {
        let odd: SqsEvent =
            serde_json::from_value(json!({"Records": [{"body": "a"}, {"messageId": "", "body": "b"}]})).unwrap();
        let none = json!({"batchItemFailures": []});
        assert_eq!(together(odd, Duration::from_secs(5), 2, |_, _| async { RecordResult::Retry }).await, none);
    }

    /// A record that begins with less than 200 ms left would be cut off in the middle.
    #[tokio::test]
    async fn no_record_begins_with_too_little_time_left() {
        for (millis, served) in [(0, false), (199, false), (5_000, true)] {
            let budget = Duration::from_millis(millis);
            let reported = if served { json!([]) } else { json!([{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]) };
            let expected = json!({"batchItemFailures": reported});
            let handle = move |_, left: Duration| async move {
                assert!(left <= budget && left > Duration::from_millis(199));
                RecordResult::Ack
            };
            assert_eq!(together(event(&["a", "b"]), budget, 2, handle).await, expected, "{millis} ms");
        }
    }

    #[tokio::test]
    async fn no_more_records_run_at_once_than_there_are_places() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        for (places, most) in [(0, 1), (1, 1), (3, 3), (9, 6)] {
            let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (now, highest) = (running.clone(), peak.clone());
            let result =
                together(event(&["a", "b", "c", "d", "e", "f"]), Duration::from_secs(60), places, move |_, _| {
                    let (now, highest) = (now.clone(), highest.clone());
                    async move {
                        highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        for _ in 0..20 {
                            tokio::task::yield_now().await;
                        }
                        now.fetch_sub(1, Ordering::SeqCst);
                        RecordResult::Ack
                    }
                })
                .await;
            assert_eq!(result, json!({"batchItemFailures": []}));
            assert_eq!((peak.load(Ordering::SeqCst), running.load(Ordering::SeqCst)), (most, 0), "{places} places");
        }
    }
}
