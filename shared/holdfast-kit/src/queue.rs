//! The SQS edge: every record stands for itself, a bad one fails alone.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Finished; SQS deletes it.
    Yes,
    /// To be delivered again.
    Again,
}

/// Handles each record by itself, in order, and reports those to be delivered again. A panic in one is its own. Records
/// that the time no longer suffices for are left for another invocation.
pub async fn each<F, Fut>(event: SqsEvent, budget: Duration, handle: F) -> Value
where
    F: Fn(SqsMessage, Duration) -> Fut,
    Fut: Future<Output = Done> + Send + 'static,
{
    let started = Instant::now();
    let mut again = Vec::new();
    for record in event.records {
        // A record without an id cannot be reported; an empty identifier would fail the whole batch.
        let id = record.message_id.clone().unwrap_or_default();
        let left = budget.saturating_sub(started.elapsed());
        let done = if left < Duration::from_millis(200) {
            Done::Again
        } else {
            match tokio::spawn(handle(record, left)).await {
                Ok(done) => done,
                Err(_) => {
                    tracing::error!(message_id = %id, "a record's handler panicked");
                    Done::Again
                }
            }
        };
        if done == Done::Again && !id.is_empty() {
            again.push(json!({"itemIdentifier": id}));
        }
    }
    json!({"batchItemFailures": again})
}

/// The same for records that do not wait for one another: at most `at_once` of them, each with what is left of the budget.
pub async fn together<F, Fut>(event: SqsEvent, budget: Duration, at_once: usize, handle: F) -> Value
where
    F: Fn(SqsMessage, Duration) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Done> + Send + 'static,
{
    let started = Instant::now();
    let places = Arc::new(Semaphore::new(at_once.max(1)));
    let run = move |record| {
        let (places, handle) = (places.clone(), handle.clone());
        async move {
            let _place = places.acquire().await;
            let left = budget.saturating_sub(started.elapsed());
            if left < Duration::from_millis(200) { Done::Again } else { handle(record, left).await }
        }
    };
    let running: Vec<_> = event
        .records
        .into_iter()
        .map(|record| (record.message_id.clone().unwrap_or_default(), tokio::spawn(run(record))))
        .collect();
    let mut again = Vec::new();
    for (id, task) in running {
        let done = task.await.unwrap_or_else(|_| {
            tracing::error!(message_id = %id, "a record's handler panicked");
            Done::Again
        });
        if done == Done::Again && !id.is_empty() {
            again.push(json!({"itemIdentifier": id}));
        }
    }
    json!({"batchItemFailures": again})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bad_record_fails_alone() {
        let records: Vec<_> = (0..4).map(|i| json!({"messageId": format!("m{i}"), "body": i.to_string()})).collect();
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        let result = each(event, Duration::from_secs(5), |record, _| async move {
            match record.body.as_deref() {
                Some("1") => Done::Again,
                Some("2") => panic!("poison"),
                _ => Done::Yes,
            }
        })
        .await;
        assert_eq!(result, json!({"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}));
    }

    #[tokio::test]
    async fn records_that_run_together_fail_alone_too() {
        let records: Vec<_> = (0..3).map(|i| json!({"messageId": format!("m{i}"), "body": i.to_string()})).collect();
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        let result = together(event, Duration::from_secs(5), 2, |record, _| async move {
            match record.body.as_deref() {
                Some("1") => panic!("poison"),
                _ => Done::Yes,
            }
        })
        .await;
        assert_eq!(result, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    }

    #[tokio::test]
    async fn what_there_is_no_time_for_is_left_for_another_invocation() {
        let event: SqsEvent = serde_json::from_value(json!({"Records": [{"messageId": "m0", "body": ""}]})).unwrap();
        let result = each(event, Duration::from_millis(10), |_, _| async { Done::Yes }).await;
        assert_eq!(result, json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
    }
}
